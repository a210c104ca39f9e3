//! # What it requires
//! Neither the default version of a launch template nor its latest asks for unencrypted volumes (`Encrypted: false`), or names a key
//! (`KmsKeyId`) of another kind than the classification of the data asks for, by the template's own tags. What it leaves open, the
//! encryption or the key, is the image's and the region's default's, which have controls of their own (`ec2-image-encrypted`,
//! `ec2-ebs-encryption-by-default`).
//!
//! # Why
//! Every instance that is launched from it gets a disk that can't be encrypted in place.
//!
//! # What it changes
//! Nothing: a new version is a decision about a product. A person makes one and has it used.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EC2 Auto Scaling User Guide, "Launch templates"; Security Hub EC2.181.

use std::collections::BTreeSet;

use portcullis_controls::encryption::{and_need, severity_of_plain, wrong_key};
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::launch_template::{LaunchTemplate, LaunchTemplateChange, LaunchTemplateFact, versions_in_words};

pub const CONTROL: Control<LaunchTemplate> = Control {
    meta: Meta {
        id: "ec2-launch-template-encrypted",
        title: "No launch template asks for unencrypted volumes, or for a key of the wrong kind",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub EC2.181"],
        calls: &[
            "CreateLaunchTemplate",
            "CreateLaunchTemplateVersion",
            "CreateTags",
            "DeleteTags",
            "ModifyLaunchTemplate",
        ],
    },
    reads: &[LaunchTemplateFact::Versions, LaunchTemplateFact::Keys],
    changes: &[],
    judge: &judge,
};

fn judge(template: &LaunchTemplate, context: &JudgeContext<'_>) -> Judgement<LaunchTemplateChange> {
    let found = |severity, what: Clause, change: &str| -> Judgement<LaunchTemplateChange> {
        Finding::new(severity, what.followed_by(and_need(context)), change, Vec::new())
            .only_notify("a new version is a decision about a product")
            .into()
    };
    match (plain(template), wrong(template, context)) {
        (None, None) => Judgement::Compliant,
        (None, Some(wrong)) => found(
            Severity::Medium,
            wrong,
            "make a version with such a key, and set it as the default",
        ),
        (Some(plain), wrong) => found(
            severity_of_plain(context),
            wrong.into_iter().fold(plain, Clause::and),
            "make a version with Encrypted: true, and set it as the default",
        ),
    }
}

/// The devices that it wants unencrypted, in words.
fn plain(template: &LaunchTemplate) -> Option<Clause> {
    let which = template.versions_that(|version| !version.plain.is_empty())?;
    let versions = template.versions.get()?.values();
    let devices: BTreeSet<_> = versions
        .flat_map(|version| &version.plain)
        .map(String::as_str)
        .collect();
    let devices: Vec<_> = devices.into_iter().collect();
    let devices = devices.join(", ");
    Some(Clause::new("asks", "asked").followed_by(format!(" for unencrypted volumes in {which}: {devices}")))
}

/// The keys that it names and that its data may not have, in words.
fn wrong(template: &LaunchTemplate, context: &JudgeContext<'_>) -> Option<Clause> {
    let mut numbers = BTreeSet::new();
    let mut devices = BTreeSet::new();
    for (number, keys) in template.keys.get()? {
        for (device, key) in keys {
            if let Some(with) = wrong_key(&key.arn, Some(key.manager), context) {
                numbers.insert(*number);
                devices.insert(format!("{with} for {device}"));
            }
        }
    }
    let which = versions_in_words(numbers.into_iter())?;
    let devices: Vec<_> = devices.into_iter().collect();
    Some(Clause::new("names", "named").followed_by(format!(" in {which} {}", devices.join(", "))))
}

#[cfg(test)]
mod tests {
    use portcullis_controls::encryption::{Key, Manager};
    use portcullis_core::settings::Encryption;
    use portcullis_core::{Observed, Settings};

    use super::*;
    use crate::encryption::tests::{KEY, asking};
    use crate::launch_template::Version;
    use crate::security_group::tests::with_settings;

    fn found(plain: bool, key: Option<Manager>, settings: &Settings) -> Option<(Severity, String)> {
        let version = Version {
            plain: plain.then(|| "/dev/sdf".to_owned()).into_iter().collect(),
            ..Version::default()
        };
        let key = key.map(|manager| {
            let key = Key {
                arn: KEY.into(),
                manager,
            };
            ("/dev/xvda".to_owned(), key)
        });
        let template = LaunchTemplate {
            versions: Observed::Is([(2, version)].into()),
            keys: Observed::Is([(2, key.into_iter().collect())].into()),
            ..LaunchTemplate::default()
        };
        let finding = with_settings(settings, |context| judge(&template, context).finding())?;
        assert!(finding.remedies.is_empty() && finding.only_notify.is_some());
        Some((finding.severity, finding.summary.is))
    }

    #[test]
    fn a_key_that_it_names_is_judged_and_one_that_it_does_not_is_left_to_the_image() {
        let (aws, own) = (Some(Manager::Aws), Some(Manager::Customer));
        let customers = asking(Encryption::CustomerManagedKey, None);
        assert_eq!(found(false, aws, &asking(Encryption::AwsManagedKey, None)), None);
        assert_eq!(found(false, own, &customers), None);
        assert_eq!(found(false, None, &customers), None);
        let (severity, summary) = found(false, aws, &customers).unwrap();
        assert_eq!(severity, Severity::Medium);
        let need = "data of the level internal need a key of the customer's";
        assert_eq!(
            summary,
            format!("names in version 2 the AWS-managed key for /dev/xvda, and {need}")
        );
        let other = KEY.replace("1234abcd", "4321abcd");
        let (_, summary) = found(false, own, &asking(Encryption::CustomerManagedKey, Some(&other))).unwrap();
        assert!(summary.contains(KEY) && summary.contains(&other), "{summary}");
    }

    #[test]
    fn an_unencrypted_device_is_as_bad_as_its_data_are_sensitive() {
        let plain = |settings: &Settings| found(true, None, settings).unwrap();
        let expected = "asks for unencrypted volumes in version 2: /dev/sdf";
        assert_eq!(plain(&Settings::default()), (Severity::Medium, expected.to_owned()));
        let (severity, summary) = plain(&asking(Encryption::AwsManagedKey, None));
        assert_eq!(severity, Severity::High);
        assert!(
            summary.starts_with(expected) && summary.contains("data of the level internal need"),
            "{summary}"
        );
    }
}
