//! # What it requires
//! No deletion of the secret is scheduled, unless the tag that settings name (`secretsmanager.retirement-tag`) says that it may be
//! deleted.
//!
//! # Why
//! A secret that is to be deleted can't be read from that moment on: what logs in with it stops. When its days are over, the password
//! is lost for good.
//!
//! # What it changes
//! `RestoreSecret`. A restore schedules the deletion again, with the days that were left (7 to 30). A deletion without a recovery
//! window can't be taken back, nor can that of a secret whose service deletes it, such as RDS.
//!
//! # What may break
//! Nothing. A secret that is to go stays, and costs; tag it for retirement, or exempt it, before it is deleted again.
//!
//! # References
//! Secrets Manager User Guide, "Delete an AWS Secrets Manager secret", "Restore an AWS Secrets Manager secret".

use portcullis_controls::prelude::*;
use portcullis_core::JudgeContext;

use crate::secret::{Secret, SecretChange, SecretFact};
use crate::settings::SecretsManagerSettings;

pub const CONTROL: Control<Secret> = Control {
    meta: Meta {
        id: "secretsmanager-secret-scheduled-deletion",
        title: "No secret is about to be deleted",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &["Secrets Manager User Guide: Restore an AWS Secrets Manager secret"],
        calls: &["DeleteSecret"],
    },
    reads: &[SecretFact::Deletion],
    changes: &[SecretFact::Deletion],
    judge: &judge,
};

fn judge(secret: &Secret, context: &JudgeContext<'_>) -> Judgement<SecretChange> {
    let Some(deletion) = secret.deletion.get() else {
        return Judgement::Compliant;
    };
    let settings = context.settings.section::<SecretsManagerSettings>();
    let (retired, tags) = (settings.retirement_tag.as_ref(), secret.tags.get());
    if retired.is_some_and(|tag| tags.is_some_and(|tags| tags.contains_key(tag))) {
        return Judgement::Compliant;
    }
    if let Some(service) = secret.owning_service.get() {
        return Judgement::NotApplicable(format!("{service} made it, and deletes it with what it is for"));
    }
    let found = Finding::new(
        Severity::High,
        Clause::is(format!("scheduled for deletion ({}), and can't be read", deletion.date)),
        "cancel its deletion",
        vec![SecretChange::Deletion(None)],
    );
    secret.by_its_primary(found.into(), context)
}

#[cfg(test)]
mod tests {
    use portcullis_core::testing::{judging, resource};
    use portcullis_core::{Observed, Settings, Tags};

    use super::*;
    use crate::secret::{Deletion, TYPE};

    #[test]
    fn a_secret_is_restored_unless_it_is_retired_or_its_service_deletes_it() {
        let secret = Secret {
            deletion: Observed::Is(Deletion {
                date: "2026-12-23T10:00:00Z".into(),
                days: 30,
            }),
            tags: Observed::Is(Tags::from([("retire".into(), String::new())])),
            ..Secret::default()
        };
        let mut settings = Settings::default();
        let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:s-AbCdEf";
        let judged = |secret: &Secret, settings: &Settings| {
            judging(&resource(TYPE.name, arn), settings, |context| judge(secret, context))
        };
        let found = judged(&secret, &settings).finding().unwrap();
        assert_eq!(found.remedies, [SecretChange::Deletion(None)]);
        let replica = Secret {
            primary_region: Observed::Is("eu-central-1".into()),
            ..secret.clone()
        };
        let told = judged(&replica, &settings).finding().unwrap();
        assert!(told.remedies.is_empty() && told.only_notify.unwrap().contains("eu-central-1"));
        let managed = Secret {
            owning_service: Observed::Is("rds".into()),
            ..secret.clone()
        };
        assert!(matches!(judged(&managed, &settings), Judgement::NotApplicable(_)));
        settings.set(SecretsManagerSettings {
            retirement_tag: Some("retire".into()),
        });
        assert_eq!(judged(&secret, &settings), Judgement::Compliant);
    }
}
