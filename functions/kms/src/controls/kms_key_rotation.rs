//! # What it requires
//! The key's material is rotated automatically, at least as often as settings ask (`kms.rotation-days`), where it can be:
//! symmetric keys whose material KMS made, that are enabled, not replicas, and not in a custom key store. To others it does
//! not apply; a replica rotates with its primary. What is just being made, or moved to another region, is put right once it is
//! ready. While its deletion is pending it can't be seen whether a key rotates: it is judged once that was cancelled.
//!
//! # Why
//! The less data one key material has encrypted, the less is lost with it. Old material stays with the key for decryption.
//!
//! # What it changes
//! `EnableKeyRotation` with the days of the settings. A shorter period stays.
//!
//! # What may break
//! Nothing: nobody who uses the key notices a rotation. The first two rotations of a key add to its price.
//!
//! # References
//! KMS Developer Guide, "Rotate AWS KMS keys"; Security Hub KMS.4; CIS AWS Foundations Benchmark 3.6.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::key::{Key, KeyChange, KeyFact, KeyState, Metadata};
use crate::settings::KmsSettings;

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-rotation",
        title: "A key rotates by itself",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &[
            "Security Hub KMS.4",
            "CIS AWS Foundations 3.6",
            "Config cmk-backing-key-rotation-enabled",
        ],
        calls: &[
            "CreateKey",
            "DisableKeyRotation",
            "EnableKey",
            "EnableKeyRotation",
            "ReplicateKey",
            "UpdatePrimaryRegion",
        ],
    },
    reads: &[KeyFact::Metadata, KeyFact::Rotation],
    changes: &[KeyFact::Rotation],
    judge: &judge,
};

/// Why KMS can't rotate such a key by itself, if so. Source: KMS API Reference, `EnableKeyRotation`.
fn cannot_rotate(state: KeyState, key: &Metadata) -> Option<String> {
    if key.spec != "SYMMETRIC_DEFAULT" {
        return Some(format!(
            "only symmetric keys for encryption rotate, and this one is {}",
            key.spec
        ));
    }
    if key.key_store.is_some() {
        return Some("keys of a custom key store don't rotate by themselves".into());
    }
    if key.origin != "AWS_KMS" {
        return Some(format!(
            "its material is not made by KMS but of the origin {}",
            key.origin
        ));
    }
    if let Some(keys) = key.multi_region.as_ref().filter(|keys| keys.replica) {
        return Some(format!("a replica rotates with its primary, in {}", keys.primary));
    }
    // A key that is being made or moved can be changed soon: KMS refuses until then, and the finding waits.
    let will_be = matches!(state, KeyState::Enabled | KeyState::Creating | KeyState::Updating);
    (!will_be).then(|| format!("only enabled keys rotate, and this one is in the state {state:?}"))
}

fn judge(key: &Key, context: &JudgeContext<'_>) -> Judgement<KeyChange> {
    let wanted = context.settings.section::<KmsSettings>().rotation_days;
    let Some((state, metadata)) = key.customer_managed() else {
        return key.not_ours();
    };
    if let Some(why) = cannot_rotate(state, metadata) {
        return Judgement::NotApplicable(why);
    }
    if key.rotation.is_unread() {
        // By this event it becomes enabled, and may rotate as it did before: the next one, or the sweep, sees it.
        return Judgement::NotApplicable("it can't be seen how it rotates while its deletion is pending".into());
    }
    let summary = match key.rotation.get() {
        Some(days) if *days <= wanted => return Judgement::Compliant,
        Some(days) => Clause::new("rotates", "rotated").followed_by(format!(" every {days} days only")),
        None => Clause::does_not("rotate by itself"),
    };
    let change = format!("rotate it every {wanted} days");
    Finding::new(
        Severity::Medium,
        summary,
        change,
        vec![KeyChange::SetRotation(Some(wanted))],
    )
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings, State as _};

    use super::*;
    use crate::key::MultiRegion;
    use crate::key::tests::{finding, in_state, with_settings};

    fn with(rotation: Observed<u16>, change: impl FnOnce(&mut Metadata)) -> Key {
        let mut key = in_state(KeyState::Enabled);
        key.rotation = rotation;
        if let Observed::Is(metadata) = &mut key.metadata {
            change(metadata);
        }
        key
    }

    #[test]
    fn off_or_too_seldom_is_put_right_and_more_often_stays() {
        let on = [KeyChange::SetRotation(Some(365))];
        assert_eq!(finding(judge, &with(Observed::Absent, |_| ())).unwrap().remedies, on);
        assert_eq!(finding(judge, &with(Observed::Is(730), |_| ())).unwrap().remedies, on);
        assert_eq!(finding(judge, &with(Observed::Is(365), |_| ())), None);
        assert_eq!(finding(judge, &with(Observed::Is(90), |_| ())), None);
    }

    #[test]
    fn what_is_being_made_or_moved_is_to_rotate_as_well() {
        for state in [KeyState::Creating, KeyState::Updating] {
            let key = Key {
                rotation: Observed::Absent,
                ..in_state(state)
            };
            assert_eq!(
                finding(judge, &key).unwrap().remedies,
                [KeyChange::SetRotation(Some(365))]
            );
            let key = Key {
                rotation: Observed::Is(90),
                ..key
            };
            assert_eq!(finding(judge, &key), None);
        }
    }

    #[test]
    fn to_what_cannot_rotate_it_does_not_apply_and_it_is_said_why() {
        let replica = MultiRegion {
            replica: true,
            primary: "us-east-1".into(),
            replicas: vec!["eu-west-1".into()],
        };
        let cases = [
            (with(Observed::Absent, |key| key.spec = "RSA_2048".into()), "RSA_2048"),
            (with(Observed::Absent, |key| key.spec = "HMAC_256".into()), "HMAC_256"),
            (with(Observed::Absent, |key| key.origin = "EXTERNAL".into()), "EXTERNAL"),
            (
                with(Observed::Absent, |key| key.key_store = Some("cks-1".into())),
                "custom key store",
            ),
            (
                with(Observed::Absent, |key| key.multi_region = Some(replica)),
                "primary, in us-east-1",
            ),
            (with(Observed::Absent, |key| key.manager = "AWS".into()), "AWS manages"),
            (in_state(KeyState::Disabled), "Disabled"),
            (in_state(KeyState::PendingDeletion), "PendingDeletion"),
            // What another control's remedy leaves of such a key.
            (
                in_state(KeyState::PendingDeletion)
                    .after(&KeyChange::CancelDeletion)
                    .after(&KeyChange::SetEnabled(true)),
                "can't be seen",
            ),
        ];
        for (key, part) in cases {
            let judged = with_settings(&Settings::default(), |context| judge(&key, context));
            assert!(
                matches!(&judged, Judgement::NotApplicable(why) if why.contains(part)),
                "{part}: {judged:?}"
            );
        }
    }
}
