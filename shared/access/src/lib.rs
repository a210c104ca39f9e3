//! Who a resource policy, an ACL or a sharing list lets in, why, and how to undo it with the least harm.
//!
//! [`judge`] says whether a policy is public, external or private, with one request that gets in; [`fix`] removes or
//! narrows just the statements that let it in. Both follow AWS's documented semantics; where AWS documents nothing,
//! they say so instead of guessing.

mod acl;
mod classes;
mod condition;
mod edit;
mod error;
mod evaluate;
mod explain;
mod fix;
mod glob;
mod json;
mod judge;
mod keys;
mod narrow;
mod network;
mod organization;
mod parse;
mod practice;
mod principals;
mod reference;
mod s3_public;
mod scope;
mod search;
mod service;
mod sharing;
mod template;
mod time;
mod trust;
mod verdict;
mod warnings;

pub use acl::{ALL_USERS, AUTHENTICATED_USERS, Grant, Grantee, judge_acl};
pub use condition::{Comparison, Condition, Operator, Order, Quantifier, Truth};
pub use error::PolicyError;
pub use evaluate::{Caller, Request, evaluate};
pub use fix::{Change, ChangeKind, Fix, FixError, fix, fix_at};
pub use judge::{judge, judge_at};
pub use narrow::Goal;
pub use organization::{
    OrganizationAccounts, OrganizationPolicy, OrganizationRequest, applying, lets_through, names_action,
};
pub use parse::{Effect, MAX_POLICY_BYTES, Policy, Principal, PrincipalKind, Selection, Statement};
pub use practice::kms::{KeyFinding, KeyPractice, key_practice};
pub use practice::s3::{
    EncryptedWrites, RequiredEncryption, Upload, encrypted_writes, endpoints_only, refused_uploads,
};
pub use practice::tls::{TlsOnly, tls_only};
pub use scope::Scope;
pub use search::likely_resource;
pub use service::{Service, UnknownService};
pub use sharing::{ListJudgement, Share, judge_sharing};
pub use template::Template;
pub use trust::Trust;
pub use verdict::{Judgement, Note, NoteKind, Offence, S3Verdict, Verdict, Witness};
