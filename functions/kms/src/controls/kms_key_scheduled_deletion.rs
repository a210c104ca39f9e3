//! # What it requires
//! No deletion of the key is scheduled, unless the tag that settings name (`kms.retirement-tag`) says that it may be deleted.
//!
//! # Why
//! Once a key is deleted, everything that was encrypted under it is lost for good. Scheduling the deletion already stops all
//! use of the key: it is a ransom or a sabotage that takes one call.
//!
//! # What it changes
//! `CancelKeyDeletion`, which leaves the key disabled, and `EnableKey`, which brings back its former state. A key that was
//! disabled before stays disabled: the ledger remembers each `DisableKey` and `EnableKey`, and what `kms-key-disabled` told;
//! where it knows of none, the key was enabled. Where the event of such a call arrives only after that, the key is disabled
//! or enabled again, unless settings have each disabled key enabled. A restore schedules the deletion again, with the days
//! that were left (7 to 30).
//!
//! # What may break
//! Nothing. A key that is to go stays, and costs; tag it for retirement, or exempt it, before its deletion is scheduled again.
//!
//! # References
//! KMS Developer Guide, "Delete an AWS KMS key"; KMS API Reference, `CancelKeyDeletion`; Security Hub KMS.3.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use super::kms_key_disabled;
use crate::key::{Key, KeyChange, KeyFact, KeyState};
use crate::key_state_history;
use crate::settings::KmsSettings;

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-scheduled-deletion",
        title: "No key is about to be deleted",
        severity: Severity::Critical,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &["Security Hub KMS.3", "Config kms-cmk-not-scheduled-for-deletion"],
        // The second says what the key was before. After the last two it may have been left disabled, or be as it should be.
        calls: &["ScheduleKeyDeletion", "DisableKey", "CancelKeyDeletion", "EnableKey"],
    },
    reads: &[KeyFact::Metadata, KeyFact::Grants, KeyFact::Aliases, KeyFact::LastUse],
    changes: &[KeyFact::Deletion, KeyFact::KeyState],
    judge: &judge,
};

fn judge(key: &Key, context: &JudgeContext<'_>) -> Judgement<KeyChange> {
    let Some((state, _)) = key.customer_managed() else {
        return key.not_ours();
    };
    let settings = context.settings.section::<KmsSettings>();
    if key.is_retired(settings.retirement_tag.as_deref()) {
        return Judgement::Compliant;
    }
    let disabled = &kms_key_disabled::CONTROL.meta;
    let was_disabled = key_state_history::was_disabled(context, disabled);
    if state.is_pending_deletion() {
        let date = key.deletion.get().and_then(|deletion| deletion.date.as_deref());
        let when = date.map_or_else(|| "after its replicas".to_owned(), |date| format!("on {date}"));
        let summary = Clause::is(format!("scheduled for deletion {when}: {}", key.users()));
        let (change, remedies) = if was_disabled {
            (
                "cancel its deletion; it stays disabled, as it was",
                vec![KeyChange::CancelDeletion],
            )
        } else {
            (
                "cancel its deletion and enable it again",
                vec![KeyChange::CancelDeletion, KeyChange::SetEnabled(true)],
            )
        };
        return Finding::new(Severity::Critical, summary, change, remedies).into();
    }
    // AWS has forgotten by now that it was enabled; the ledger has not.
    let id = CONTROL.meta.id;
    let interrupted = context.history.begun.contains(id) || context.history.violated.contains_key(id);
    if state == KeyState::Disabled && interrupted && !was_disabled {
        let summary = Clause::was("left disabled when its deletion was cancelled");
        let remedies = vec![KeyChange::SetEnabled(true)];
        return Finding::new(Severity::High, summary, "enable it again, as it was", remedies).into();
    }
    match (
        key_state_history::known_too_late(context, disabled, CONTROL.meta.id),
        state,
    ) {
        (Some(KeyState::Disabled), KeyState::Enabled) => {
            let summary = Clause::was(
                "enabled when its deletion was cancelled, but had been disabled before: that was known too late",
            );
            let remedies = vec![KeyChange::SetEnabled(false)];
            Finding::new(Severity::Critical, summary, "disable it again, as it was", remedies).into()
        }
        (Some(KeyState::Enabled), KeyState::Disabled) => {
            let summary = Clause::was(
                "left disabled when its deletion was cancelled, but had been enabled before: that was known too late",
            );
            let remedies = vec![KeyChange::SetEnabled(true)];
            Finding::new(Severity::High, summary, "enable it again, as it was", remedies).into()
        }
        _ => Judgement::Compliant,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use portcullis_core::{History, RememberedCall, Settings, Tags};

    use super::*;
    use crate::key::tests::{finding, in_state, remembering, with_settings};
    use crate::key::{DISABLE, ENABLE};

    fn knowing(violated: &[&str], begun: &[&str]) -> History {
        let told = |&id: &&str| (id.to_owned(), Timestamp::UNIX_EPOCH);
        History {
            violated: violated.iter().map(told).collect(),
            begun: begun.iter().map(|&id| id.to_owned()).collect(),
            ..History::default()
        }
    }

    fn remedies(state: KeyState, memory: &History) -> Option<Vec<KeyChange>> {
        remembering(memory, |context| {
            judge(&in_state(state), context)
                .finding()
                .map(|finding| finding.remedies)
        })
    }

    const DISABLED: &str = "kms-key-disabled";
    const OWN: &str = "kms-key-scheduled-deletion";

    #[test]
    fn a_key_comes_back_to_its_former_state() {
        let enabled = vec![KeyChange::CancelDeletion, KeyChange::SetEnabled(true)];
        for state in [KeyState::PendingDeletion, KeyState::PendingReplicaDeletion] {
            assert_eq!(remedies(state, &knowing(&[], &[])), Some(enabled.clone()));
            assert_eq!(
                remedies(state, &knowing(&[DISABLED, OWN], &[])),
                Some(vec![KeyChange::CancelDeletion])
            );
        }
    }

    #[test]
    fn a_cancellation_that_broke_off_is_finished() {
        let enable = Some(vec![KeyChange::SetEnabled(true)]);
        assert_eq!(remedies(KeyState::Disabled, &knowing(&[], &[OWN])), enable);
        assert_eq!(remedies(KeyState::Disabled, &knowing(&[OWN], &[])), enable);
        assert_eq!(remedies(KeyState::Disabled, &knowing(&[DISABLED], &[OWN])), None);
        assert_eq!(remedies(KeyState::Disabled, &knowing(&[], &[])), None);
        assert_eq!(remedies(KeyState::Enabled, &knowing(&[OWN], &[OWN])), None);
    }

    #[test]
    fn what_was_known_too_late_is_put_right() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let heard = |made, heard| RememberedCall {
            made: at(made),
            heard: at(heard),
        };
        let known = |calls: &[(&str, RememberedCall)]| History {
            calls: calls.iter().map(|(call, heard)| ((*call).to_owned(), *heard)).collect(),
            remedied: [(OWN.to_owned(), at(5))].into(),
            ..History::default()
        };
        let disabled = known(&[(DISABLE, heard(1, 9))]);
        assert_eq!(
            remedies(KeyState::Enabled, &disabled),
            Some(vec![KeyChange::SetEnabled(false)])
        );
        assert_eq!(remedies(KeyState::Disabled, &disabled), None);
        let enabled = known(&[(DISABLE, heard(1, 4)), (ENABLE, heard(2, 9))]);
        assert_eq!(
            remedies(KeyState::Disabled, &enabled),
            Some(vec![KeyChange::SetEnabled(true)])
        );
        assert_eq!(remedies(KeyState::Enabled, &enabled), None);
        let in_time = known(&[(DISABLE, heard(1, 2))]);
        assert_eq!(remedies(KeyState::Enabled, &in_time), None);
    }

    #[test]
    fn a_key_that_is_retired_or_not_ours_is_left_alone() {
        let mut key = in_state(KeyState::PendingDeletion);
        key.tags = portcullis_core::Observed::Is(Tags::from([("retire".into(), String::new())]));
        let mut settings = Settings::default();
        settings.set(KmsSettings {
            retirement_tag: Some("retire".into()),
            ..KmsSettings::default()
        });
        with_settings(&settings, |context| {
            assert_eq!(judge(&key, context), Judgement::Compliant);
        });
        assert!(finding(judge, &key).is_some());
        let mut key = in_state(KeyState::PendingDeletion);
        if let portcullis_core::Observed::Is(metadata) = &mut key.metadata {
            metadata.manager = "AWS".into();
        }
        assert_eq!(finding(judge, &key), None);
    }
}
