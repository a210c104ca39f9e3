//! # What it requires
//! The key exists.
//!
//! # Why
//! KMS has destroyed it at the end of its waiting period: what was encrypted under it alone is lost. Somebody has to know,
//! even if it was meant.
//!
//! # What it changes
//! Nothing: nobody can bring it back.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! KMS Developer Guide, "Delete an AWS KMS key"; CloudTrail records of `DeleteKey`, an event of the service.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Observed, Severity};

use crate::key::{Key, KeyChange, KeyFact};

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-destroyed",
        title: "No key was destroyed",
        severity: Severity::Critical,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["KMS Developer Guide: deleting keys"],
        calls: &["DeleteKey"],
    },
    reads: &[KeyFact::Existence],
    changes: &[],
    judge: &judge,
};

fn judge(key: &Key, _: &JudgeContext<'_>) -> Judgement<KeyChange> {
    if key.key_state != Observed::Absent {
        return Judgement::Compliant;
    }
    let summary = Clause::was("destroyed by KMS: what was encrypted under it alone is lost");
    Finding::new(Severity::Critical, summary, "", Vec::new())
        .only_notify(
            "nothing brings it back. Look in CloudTrail for who scheduled it (ScheduleKeyDeletion), and restore the data \
             that is needed from copies under other keys",
        )
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyState;
    use crate::key::tests::{finding, in_state};

    #[test]
    fn only_a_key_that_is_gone_was_destroyed() {
        let gone = Key {
            key_state: Observed::Absent,
            ..Key::default()
        };
        assert!(finding(judge, &gone).unwrap().only_notify.is_some());
        assert_eq!(finding(judge, &in_state(KeyState::PendingDeletion)), None);
        assert_eq!(finding(judge, &Key::default()), None);
    }
}
