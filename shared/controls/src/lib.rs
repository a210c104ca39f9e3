//! The families of controls that services share: each says once how a requirement is judged and what puts it right, for whatever
//! resource has a policy, a key or a share list.
//!
//! They join the words of `core` with the analyser of `access`, which know nothing of each other.

mod analysis;
mod canonical;
mod cure;
mod dead_principals;
pub mod encryption;
mod external_access;
#[cfg(feature = "aws")]
mod keys;
pub mod prelude;
mod public_policy;
mod resource_policy;
mod revised_policy;
pub mod sharing;
mod tls_only;

pub use analysis::{Analysis, named, smallest_cure, trust};
pub use canonical::{canonical, same_in_meaning};
pub use cure::{Cure, NO_FIX, written};
pub use dead_principals::{Writable, writable};
pub use external_access::{Outsiders, external_access};
#[cfg(feature = "aws")]
pub use keys::Keys;
pub use public_policy::{by_its_policy, public_policy, public_policy_rated};
pub use resource_policy::ResourcePolicy;
pub use revised_policy::RevisedPolicy;
pub use tls_only::tls_only;

#[cfg(test)]
mod tests;
