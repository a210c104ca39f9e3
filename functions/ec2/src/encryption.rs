//! What the classification of data asks of a disk's encryption: what volumes, snapshots, images and launch templates have in
//! common.

use portcullis_core::settings::Encryption;
use portcullis_core::{JudgeContext, Severity};
use serde::{Deserialize, Serialize};

/// Who looks after a key. Source: KMS API Reference, `KeyMetadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Manager {
    /// AWS: `aws/ebs`.
    Aws,
    /// The customer.
    Customer,
}

/// The key of a disk, or of one that is yet to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its ARN; where KMS knows none, what it was called.
    pub arn: String,
    /// Whose it is.
    pub manager: Manager,
}

/// How bad it is that a disk, or a copy of one, is not encrypted: data that nobody called sensitive are one more mistake away.
pub fn severity_of_plain(context: &JudgeContext<'_>) -> Severity {
    if context.level.encryption > Encryption::Any {
        Severity::High
    } else {
        Severity::Medium
    }
}

/// Which key data of the level need, in words; none where every key will do.
pub fn need(context: &JudgeContext<'_>) -> Option<String> {
    let key = match (&context.level.key, context.level.encryption) {
        (Some(key), _) => key,
        (None, Encryption::Any) => return None,
        (None, Encryption::AwsManagedKey) => "an AWS-managed key, or one of the customer's",
        (None, Encryption::CustomerManagedKey | Encryption::DualLayer) => "a key of the customer's",
    };
    Some(format!("data of the level {} need {key}", context.level_name))
}

/// The same as a clause after what is wrong.
pub fn and_need(context: &JudgeContext<'_>) -> String {
    need(context).map_or_else(String::new, |need| format!(", and {need}"))
}

/// What a disk is encrypted with, in words, where its data need another key. EBS knows no second layer: where one is asked for, the
/// customer's key is what there is.
pub fn wrong_key(key: &str, manager: Option<Manager>, context: &JudgeContext<'_>) -> Option<String> {
    let level = context.level;
    if level.key.as_ref().is_some_and(|wanted| wanted != key) {
        return Some(key.to_owned());
    }
    let own = level.encryption >= Encryption::CustomerManagedKey && manager == Some(Manager::Aws);
    own.then(|| "the AWS-managed key".to_owned())
}

/// Whether data of the level need more than some key of the account's.
pub fn is_particular(context: &JudgeContext<'_>) -> bool {
    context.level.key.is_some() || context.level.encryption >= Encryption::CustomerManagedKey
}

/// How `aws ec2 copy-snapshot` and `copy-image` are told to make a copy with such a key.
pub fn copied(context: &JudgeContext<'_>) -> String {
    match &context.level.key {
        Some(key) => format!("--encrypted --kms-key-id {key}"),
        None if is_particular(context) => "--encrypted --kms-key-id, with a key of the customer's".into(),
        None => "--encrypted".into(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use portcullis_core::Settings;

    use super::*;
    use crate::security_group::tests::with_settings;

    pub const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    /// Settings under which what has no tag needs this encryption, and this key.
    pub fn asking(asked: Encryption, named: Option<&str>) -> Settings {
        let mut settings = Settings::default();
        let level = settings.classification.levels.get_mut("internal").unwrap();
        level.encryption = asked;
        level.key = named.map(str::to_owned);
        settings
    }

    #[test]
    fn each_level_says_in_words_what_it_needs_and_only_that_is_wrong_which_is_less() {
        let other = KEY.replace("1234abcd", "4321abcd");
        let (aws, own) = (Manager::Aws, Manager::Customer);
        for (asked, named, need_is, fine, wrong) in [
            (Encryption::Any, None, None, &[aws, own][..], &[][..]),
            (
                Encryption::AwsManagedKey,
                None,
                Some("an AWS-managed key, or one of the customer's"),
                &[aws, own],
                &[],
            ),
            (
                Encryption::CustomerManagedKey,
                None,
                Some("a key of the customer's"),
                &[own],
                &[aws],
            ),
            (
                Encryption::DualLayer,
                None,
                Some("a key of the customer's"),
                &[own],
                &[aws],
            ),
            (Encryption::CustomerManagedKey, Some(KEY), Some(KEY), &[own], &[aws]),
        ] {
            with_settings(&asking(asked, named), |context| {
                let words = need_is.map(|need| format!("data of the level internal need {need}"));
                assert_eq!(need(context), words);
                for manager in fine {
                    assert_eq!(wrong_key(KEY, Some(*manager), context), None, "{asked:?} {manager:?}");
                }
                for manager in wrong {
                    let found = wrong_key(KEY, Some(*manager), context);
                    assert_eq!(found.as_deref(), Some("the AWS-managed key"), "{asked:?}");
                }
                let found = wrong_key(&other, Some(own), context);
                assert_eq!(found, named.map(|_| other.clone()), "{asked:?}");
                let severe = asked > Encryption::Any;
                assert_eq!(severity_of_plain(context) == Severity::High, severe);
            });
        }
    }
}
