//! What puts a policy of a table or a stream right.

use portcullis_controls::{Analysis, Cure, RevisedPolicy, smallest_cure};
use portcullis_core::Observed;

/// The smallest fix of a policy, which is written only in place of the revision that was read.
pub fn cure(
    read: &Observed<RevisedPolicy>,
) -> impl FnOnce(&Analysis<'_>, portcullis_access::Goal) -> Cure<RevisedPolicy> {
    |analysis, goal| match smallest_cure(analysis, goal) {
        Cure::Write(text, told) => Cure::Write(read.get().cloned().unwrap_or_default().with_text(text), told),
        Cure::Nothing(why) => Cure::Nothing(why),
    }
}
