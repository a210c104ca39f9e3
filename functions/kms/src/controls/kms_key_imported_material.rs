//! # What it requires
//! Imported key material is there, and does not expire within the days that settings name (`kms.expiry-warning-days`).
//!
//! # Why
//! KMS cannot bring imported material back: whoever imported it must import the very same material again. Until then nothing
//! can be decrypted, and if no copy is left, never.
//!
//! # What it changes
//! Nothing: AWS has no change that would help. It tells, with what to do.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! KMS Developer Guide, "Importing key material", "Reimport key material"; KMS API Reference, `ImportKeyMaterial`.

use jiff::{SignedDuration, Timestamp};
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::key::{Key, KeyChange, KeyFact, KeyState};
use crate::settings::KmsSettings;

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-imported-material",
        title: "Imported key material is there to stay",
        severity: Severity::Critical,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["KMS Developer Guide: importing key material"],
        calls: &[
            "DeleteExpiredKeyMaterial",
            "DeleteImportedKeyMaterial",
            "ImportKeyMaterial",
        ],
    },
    reads: &[KeyFact::Metadata, KeyFact::Aliases],
    changes: &[],
    judge: &judge,
};

/// What to do, for the alert.
const RUNBOOK: &str = "nothing can be put right in place. Get the same key material from where it is kept; then \
    GetParametersForImport, wrap it, ImportKeyMaterial (without expiry if it is to stay). Other material is refused";

fn judge(key: &Key, context: &JudgeContext<'_>) -> Judgement<KeyChange> {
    let Some((state, metadata)) = key.customer_managed() else {
        return key.not_ours();
    };
    if metadata.origin != "EXTERNAL" || state.is_pending_deletion() {
        return Judgement::Compliant;
    }
    let summary = if state == KeyState::PendingImport {
        Clause::has("lost its imported key material: nothing under it can be decrypted")
    } else {
        let days = context.settings.section::<KmsSettings>().expiry_warning_days;
        let warning = SignedDuration::from_hours(24 * i64::from(days));
        let soon = |date: &&String| {
            date.parse::<Timestamp>()
                .is_ok_and(|date| date <= context.now + warning)
        };
        match metadata.material_expires.as_ref().filter(soon) {
            Some(date) => Clause::has(format!(
                "imported key material that expires on {date}: from then on nothing can be decrypted"
            )),
            None => return Judgement::Compliant,
        }
    };
    Finding::new(Severity::Critical, summary, "", Vec::new())
        .only_notify(RUNBOOK)
        .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::Observed;

    use super::*;
    use crate::key::tests::{finding, in_state};

    fn imported(state: KeyState, expires: Option<&str>) -> Key {
        let mut key = in_state(state);
        if let Observed::Is(metadata) = &mut key.metadata {
            metadata.origin = "EXTERNAL".into();
            metadata.material_expires = expires.map(str::to_owned);
        }
        key
    }

    #[test]
    fn gone_or_nearly_gone_is_told() {
        let gone = finding(judge, &imported(KeyState::PendingImport, None)).unwrap();
        assert!(gone.remedies.is_empty() && gone.only_notify.unwrap().contains("ImportKeyMaterial"));
        // The tests judge at the beginning of Unix time.
        let soon = imported(KeyState::Enabled, Some("1970-01-20T00:00:00Z"));
        assert!(finding(judge, &soon).unwrap().summary.is.contains("1970-01-20"));
        let late = imported(KeyState::Enabled, Some("1970-03-20T00:00:00Z"));
        assert_eq!(finding(judge, &late), None);
        assert_eq!(finding(judge, &imported(KeyState::Enabled, None)), None);
        assert_eq!(finding(judge, &in_state(KeyState::PendingImport)), None);
    }
}
