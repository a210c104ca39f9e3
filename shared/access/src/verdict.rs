//! The result of judging a policy: whom it lets in, why, and a request that proves it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evaluate::Request;

/// Who a policy lets in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nobody but the owner and whom it trusts.
    #[default]
    Private,
    /// Somebody in particular who is not trusted.
    External,
    /// Anybody.
    Public,
}

/// What S3 itself calls a policy, and what its block acts on.
///
/// Source: S3 User Guide, "Blocking public access to your Amazon S3 storage", The meaning of "public".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum S3Verdict {
    /// Not public by S3's definition.
    Private,
    /// Public by S3's definition, even if nobody gets in.
    Public,
}

/// A statement that lets somebody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offence {
    /// Its place in the policy, from 0.
    pub index: usize,
    /// Its id, if it has one.
    pub sid: Option<String>,
    /// Whom it lets in, taken to the safe side.
    pub verdict: Verdict,
    /// Whom it lets in for certain.
    pub certain: Verdict,
    /// The graver verdict can't be decided: nothing is removed for it.
    pub undecided: bool,
    /// Why, in words.
    pub reason: String,
}

/// One request that gets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// `anonymous`, `account`, `service`, `federated` or `canonical`.
    pub kind: &'static str,
    /// Who asks: an ARN, a service, a provider, an id, or `anonymous`.
    pub principal: String,
    /// The caller's account, or the one that a service acts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What for.
    pub action: String,
    /// On what.
    pub resource: String,
    /// The condition keys that matter, in lower case.
    pub context: BTreeMap<String, Vec<String>>,
    /// The request itself, as [`evaluate`](crate::evaluate) takes it.
    #[serde(skip)]
    pub request: Request,
}

/// Kinds of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// An AWS service can be made to act for anybody.
    ConfusedDeputy,
    /// Safe only if something named is, and stays, ours.
    VerifyOwnership,
    /// Bound to a network whose owner is unknown.
    NetworkBound,
    /// A condition that no request meets.
    NeverMatches,
    /// Right today, by a form that breaks easily.
    Fragile,
    /// A statement that does nothing.
    NoEffect,
    /// A principal that no longer exists.
    DeletedPrincipal,
    /// AWS would not take this.
    RejectedByAws,
    /// The verdict changes with time.
    TimeDependent,
    /// A condition key that is not known.
    UnknownKey,
    /// A condition operator that is not known.
    UnknownOperator,
    /// A key that occurs twice.
    DuplicateKey,
    /// Guests of an identity pool get in.
    Guests,
    /// A VPC endpoint through which anybody's resources can be reached.
    OpenEndpoint,
}

/// Something worth knowing that does not change the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What kind.
    pub kind: NoteKind,
    /// Which statement, if one.
    pub index: Option<usize>,
    /// In words.
    pub text: String,
}

/// The verdict on a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Whom it lets in, taken to the safe side where that can't be decided.
    pub verdict: Verdict,
    /// What S3 calls it; only for buckets and access points.
    pub s3: Option<S3Verdict>,
    /// The verdict could be milder: see the offences and notes.
    pub undecided: bool,
    /// The statements that let somebody in.
    pub offending: Vec<Offence>,
    /// Why, in words for an alert.
    pub reason: String,
    /// A request that gets in.
    pub witness: Option<Witness>,
    /// What else is worth knowing.
    pub notes: Vec<Note>,
}
