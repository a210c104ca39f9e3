//! # What it requires
//! The key's material is rotated automatically, at least as often as settings ask (`kms.rotation-days`), where it can be:
//! symmetric keys whose material KMS made, that are enabled, not replicas, and not in a custom key store. To others it does
//! not apply; a replica rotates with its primary.
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
use portcullis_core::{Control, Finding, Impact, Judgement, Meta, Scope, Severity};

use crate::key::{Fact, Key, KeyState, Metadata, Remedy, State};

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
        writes: &["kms:DisableKeyRotation", "kms:EnableKeyRotation"],
    },
    facts: &[Fact::Metadata, Fact::Rotation],
    judge,
};

/// Whether KMS can rotate such a key by itself. Source: KMS API Reference, `EnableKeyRotation`.
fn can_rotate(key: &Metadata) -> bool {
    let replica = key.multi_region.as_ref().is_some_and(|keys| keys.replica);
    key.spec == "SYMMETRIC_DEFAULT" && key.origin == "AWS_KMS" && key.key_store.is_none() && !replica
}

fn judge(key: &State, scope: &Scope<'_>) -> Judgement<Remedy> {
    let wanted = scope.settings.kms.rotation_days;
    match key.customer_managed() {
        Some((KeyState::Enabled, metadata)) if can_rotate(metadata) => {}
        _ => return Judgement::Compliant,
    }
    let summary = match key.rotation.get() {
        Some(days) if *days <= wanted => return Judgement::Compliant,
        Some(days) => format!("rotates every {days} days only"),
        None => "does not rotate by itself".to_owned(),
    };
    let change = format!("rotate it every {wanted} days");
    Finding::new(
        Severity::Medium,
        summary,
        change,
        vec![Remedy::SetRotation(Some(wanted))],
    )
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::Seen;

    use super::*;
    use crate::key::MultiRegion;
    use crate::key::tests::{finding, in_state};

    fn with(rotation: Seen<u16>, change: impl FnOnce(&mut Metadata)) -> State {
        let mut key = in_state(KeyState::Enabled);
        key.rotation = rotation;
        if let Seen::Is(metadata) = &mut key.metadata {
            change(metadata);
        }
        key
    }

    #[test]
    fn off_or_too_seldom_is_put_right_and_more_often_stays() {
        let on = [Remedy::SetRotation(Some(365))];
        assert_eq!(finding(judge, &with(Seen::Absent, |_| ())).unwrap().remedies, on);
        assert_eq!(finding(judge, &with(Seen::Is(730), |_| ())).unwrap().remedies, on);
        assert_eq!(finding(judge, &with(Seen::Is(365), |_| ())), None);
        assert_eq!(finding(judge, &with(Seen::Is(90), |_| ())), None);
    }

    #[test]
    fn what_cannot_rotate_is_not_judged() {
        let replica = MultiRegion {
            replica: true,
            primary: "us-east-1".into(),
            replicas: vec!["eu-west-1".into()],
        };
        let cases = [
            with(Seen::Absent, |key| key.spec = "RSA_2048".into()),
            with(Seen::Absent, |key| key.spec = "HMAC_256".into()),
            with(Seen::Absent, |key| key.origin = "EXTERNAL".into()),
            with(Seen::Absent, |key| key.key_store = Some("cks-1".into())),
            with(Seen::Absent, |key| key.multi_region = Some(replica)),
            with(Seen::Absent, |key| key.manager = "AWS".into()),
            in_state(KeyState::Disabled),
            in_state(KeyState::PendingDeletion),
        ];
        for key in cases {
            assert_eq!(finding(judge, &key), None, "{key:?}");
        }
    }
}
