//! # What it requires
//! EBS encryption by default is on in the region, with the key that settings name (`ec2.default-key`), if they name one.
//!
//! # Why
//! A volume can't be encrypted in place later. With the default on, no new volume, and no copy of a snapshot, is unencrypted.
//!
//! # What it changes
//! `EnableEbsEncryptionByDefault`, and `ModifyEbsDefaultKmsKeyId` where settings name a key. Volumes that exist stay as they are.
//!
//! # What may break
//! Launches by principals that may not use the key, and from instance types of before 2010 that can't attach encrypted volumes.
//! Snapshots of volumes under the AWS-managed key can't be shared with other accounts.
//!
//! # References
//! EBS User Guide, "Enable Amazon EBS encryption by default"; Security Hub EC2.7; CIS AWS Foundations Benchmark v3.0.0 2.2.1.

use portcullis_controls::encryption::strangers;
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::account_defaults::{AccountDefaults, AccountDefaultsChange, AccountDefaultsFact};
use crate::settings::Ec2Settings;

pub const CONTROL: Control<AccountDefaults> = Control {
    meta: Meta {
        id: "ec2-ebs-encryption-by-default",
        title: "New EBS volumes are encrypted",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &[
            "Security Hub EC2.7",
            "CIS AWS Foundations Benchmark v3.0.0 2.2.1",
            "Config ec2-ebs-encryption-by-default",
        ],
        calls: &[
            "DisableEbsEncryptionByDefault",
            "EnableEbsEncryptionByDefault",
            "ModifyEbsDefaultKmsKeyId",
            "ResetEbsDefaultKmsKeyId",
        ],
    },
    reads: &[
        AccountDefaultsFact::EncryptionByDefault,
        AccountDefaultsFact::DefaultKey,
    ],
    changes: &[
        AccountDefaultsFact::EncryptionByDefault,
        AccountDefaultsFact::DefaultKey,
    ],
    judge: &judge,
};

fn judge(defaults: &AccountDefaults, context: &JudgeContext<'_>) -> Judgement<AccountDefaultsChange> {
    let (mut wrong, mut change, mut remedies) = (Vec::new(), Vec::new(), Vec::new());
    if defaults.encryption_by_default.get() != Some(&true) {
        wrong.push(Clause::new(
            "does not encrypt new volumes: EBS encryption by default is off",
            "did not encrypt new volumes: EBS encryption by default was off",
        ));
        change.push("turn on EBS encryption by default".to_owned());
        remedies.push(AccountDefaultsChange::EncryptionByDefault(true));
    }
    let present = defaults.default_key.get().map_or("none", String::as_str);
    let settings = context.settings.section::<Ec2Settings>();
    if let Some(key) = settings.default_key.as_ref().filter(|key| *key != present) {
        let with = format!(" new volumes with {present}, not with the key of the settings");
        wrong.push(Clause::new("encrypts", "encrypted").followed_by(with));
        change.push(format!("set the default key to {key}"));
        remedies.push(AccountDefaultsChange::DefaultKey(key.clone()));
    }
    let mut severity = Severity::Medium;
    if let Some(account) = strangers(present, context).filter(|_| settings.default_key.as_deref() != Some(present)) {
        severity = Severity::High;
        wrong.push(Clause::new("encrypts", "encrypted").followed_by(format!(
            " new volumes with a key of the account {account}, which is neither its own nor trusted: whoever has the key can take the data away"
        )));
    }
    let Some(wrong) = wrong.into_iter().reduce(Clause::and) else {
        return Judgement::Compliant;
    };
    Finding::new(severity, wrong, change.join(", "), remedies).into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings};

    use super::*;
    use crate::security_group::tests::with_settings;

    #[test]
    fn it_is_on_and_with_the_key_of_the_settings() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let mut settings = Settings::default();
        let found = |on: bool, with: &str, settings: &Settings| {
            let state = AccountDefaults {
                encryption_by_default: Observed::Is(on),
                default_key: Observed::Is(with.into()),
                ..AccountDefaults::default()
            };
            with_settings(settings, |context| {
                judge(&state, context)
                    .finding()
                    .map(|found| found.remedies)
                    .unwrap_or_default()
            })
        };
        assert_eq!(found(true, "alias/aws/ebs", &settings), []);
        assert_eq!(
            found(false, "alias/aws/ebs", &settings),
            [AccountDefaultsChange::EncryptionByDefault(true)]
        );
        settings.set(Ec2Settings {
            default_key: Some(key.into()),
            ..Ec2Settings::default()
        });
        assert_eq!(found(true, key, &settings), []);
        assert_eq!(
            found(false, "alias/aws/ebs", &settings),
            [
                AccountDefaultsChange::EncryptionByDefault(true),
                AccountDefaultsChange::DefaultKey(key.into())
            ]
        );
    }
}
