//! # What it requires
//! The key is enabled, unless the tag that settings name (`kms.retirement-tag`) says that it may be disabled.
//!
//! # Why
//! A disabled key stops whatever reads or writes data under it, at once and everywhere.
//!
//! # What it changes
//! `EnableKey`, where it is set to enforce. Notify by default: disabling a key is also what one does to stop its misuse.
//!
//! # What may break
//! Whoever disabled the key to stop its use sees it used again.
//!
//! # References
//! KMS Developer Guide, "Enable and disable keys".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::key::{Key, KeyChange, KeyFact, KeyState};
use crate::key_state_history;
use crate::settings::KmsSettings;

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-disabled",
        title: "A key is enabled",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["KMS Developer Guide: key states"],
        // After the last it is as it should be, and the ledger forgets that it was not.
        calls: &["DisableKey", "CancelKeyDeletion", "EnableKey"],
    },
    reads: &[KeyFact::Metadata, KeyFact::Aliases],
    changes: &[KeyFact::KeyState],
    judge: &judge,
};

fn judge(key: &Key, context: &JudgeContext<'_>) -> Judgement<KeyChange> {
    let Some((state, _)) = key.customer_managed() else {
        return key.not_ours();
    };
    // While its deletion is pending it can't be seen any more that it was disabled before, but it is remembered.
    let hidden = state.is_pending_deletion() && key_state_history::was_disabled(context, &CONTROL.meta);
    let settings = context.settings.section::<KmsSettings>();
    if key.is_retired(settings.retirement_tag.as_deref()) || !(state == KeyState::Disabled || hidden) {
        return Judgement::Compliant;
    }
    let summary = match key.aliases.get().filter(|aliases| !aliases.is_empty()) {
        Some(aliases) => Clause::is(format!("disabled: known as {}", aliases.join(", "))),
        None => Clause::is("disabled"),
    };
    let finding = Finding::new(Severity::High, summary, "enable it", vec![KeyChange::SetEnabled(true)]);
    if hidden {
        return finding.only_notify("its deletion is pending as well").into();
    }
    finding.into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::History;

    use super::*;
    use crate::key::tests::{finding, in_state, remembering};

    #[test]
    fn only_disabled_is_disabled() {
        let found = finding(judge, &in_state(KeyState::Disabled)).unwrap();
        assert_eq!(found.remedies, [KeyChange::SetEnabled(true)]);
        for state in [
            KeyState::Enabled,
            KeyState::PendingImport,
            KeyState::PendingDeletion,
            KeyState::Unavailable,
        ] {
            assert_eq!(finding(judge, &in_state(state)), None);
        }
    }

    #[test]
    fn a_pending_deletion_does_not_make_it_forgotten() {
        let memory = History {
            violated: [(CONTROL.meta.id.to_owned(), jiff::Timestamp::UNIX_EPOCH)].into(),
            ..History::default()
        };
        remembering(&memory, |context| {
            let Judgement::Violated(found) = judge(&in_state(KeyState::PendingDeletion), context) else {
                panic!()
            };
            assert_eq!(
                found.summary,
                finding(judge, &in_state(KeyState::Disabled)).unwrap().summary
            );
            assert!(found.only_notify.is_some());
        });
    }
}
