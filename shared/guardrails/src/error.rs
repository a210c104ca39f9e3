//! Why no documents can be written.

use crate::kind::DocumentKind;

/// What can't be expressed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardrailError {
    /// Policies of an organisation without one.
    #[error(
        "no organisation is named: expected its id (o-…) in trusted.organizations or --organization; without an organisation, \
         --type iam or --type boundary"
    )]
    NoOrganization,
    /// An S3 policy beside data that is meant to be public.
    #[error(
        "--type s3: the level {level} is public, and the S3 policy `all` at the root would close its buckets: name the OUs without \
         public buckets with --ou, set classification.levels.{level}.public to false, or leave the S3 policy out"
    )]
    PublicLevel {
        /// The level that is public.
        level: String,
    },
    /// A tier that settings give no values for.
    #[error("--tier {tier}: nothing can be written of it; expected {missing}")]
    NoValues {
        /// The tier.
        tier: &'static str,
        /// What is missing, and where it is said.
        missing: String,
    },
    /// A statement by name that there is none of.
    #[error("--strict {sid}: expected a statement of the tier strict ({known}), found none of that name")]
    NoSuchStatement {
        /// The name.
        sid: String,
        /// Those that there are.
        known: String,
    },
    /// An exemption that ends, in a policy that does not.
    #[error(
        "exemptions[{at}] ({about}) ends at {until}, and a policy does not end by itself: --until-aware writes the end into {sid} \
         (as a second statement), or take the exemption out"
    )]
    Ends {
        /// Which one, from 0.
        at: usize,
        /// What is exempt.
        about: String,
        /// Its end.
        until: String,
        /// The statement that it would be written into.
        sid: String,
    },
    /// A principal that no policy can spare safely.
    #[error(
        "{from}: expected the ARN of a role, a user or the root user, as in arn:aws:iam::111122223333:role/BreakGlass, found \
         {found:?}{why}"
    )]
    Principal {
        /// Where it is said.
        from: String,
        /// What is said.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A value that is none.
    #[error("{from}: expected {expected}, found {found:?}")]
    Value {
        /// Where it is said.
        from: String,
        /// What would be right.
        expected: String,
        /// What is said.
        found: String,
    },
    /// A statement that no document can hold.
    #[error(
        "{sid}: expected at most {limit} characters with its document, found {size}: {kind} takes no more; write fewer break-glass \
         and --exempt ARNs (one pattern such as arn:*:iam::*:role/BreakGlass), trusted accounts or exemptions"
    )]
    TooLarge {
        /// The statement.
        sid: String,
        /// The kind of document.
        kind: DocumentKind,
        /// Its size by itself.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// More documents than can be attached.
    #[error(
        "expected at most {limit} documents of {kind}, since {reserved} more {} taken, found {count}: choose groups with --group, \
         or write fewer break-glass and --exempt ARNs, trusted accounts or exemptions", if *.reserved == 1 { "is" } else { "are" }
    )]
    TooMany {
        /// The kind of document.
        kind: DocumentKind,
        /// How many there are.
        count: usize,
        /// How many can be attached.
        limit: usize,
        /// How many of AWS's limit AWS itself takes.
        reserved: usize,
    },
    /// One document only, and it does not fit.
    #[error(
        "a principal has one boundary of at most {limit} characters, found {size}: choose groups with --group ({sizes}), or use \
         --type iam, which writes one policy a group"
    )]
    Boundary {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
        /// The sizes of the groups.
        sizes: String,
    },
    /// Nothing is left to write.
    #[error("nothing is left to write: {0}")]
    Nothing(String),
}
