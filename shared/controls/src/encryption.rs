//! What the classification of data asks of encryption at rest, wherever data lie under a key of KMS.

use portcullis_core::settings::Encryption;
use portcullis_core::{Arn, Clause, Finding, JudgeContext, Judgement, Severity};
use serde::{Deserialize, Serialize};

/// Who looks after a key. Source: KMS API Reference, `KeyMetadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Manager {
    /// AWS, as of `alias/aws/ebs`.
    Aws,
    /// The customer.
    Customer,
}

/// The key that something is encrypted with, or will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its ARN; where KMS knows none, what it was called.
    pub arn: String,
    /// Whose it is.
    pub manager: Manager,
}

/// How bad it is that something is not encrypted: data that nobody called sensitive are one more mistake away.
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

/// Whose a key is, where that is neither the resource's account nor one that settings trust: who has the key can take the data away.
pub fn strangers(key: &str, context: &JudgeContext<'_>) -> Option<String> {
    let account = key.parse::<Arn>().ok()?.account;
    let own = account == context.resource.account || context.settings.trusted.accounts.contains(&account);
    (!own && context.level.key.as_deref() != Some(key)).then_some(account)
}

/// What a stranger's key means, as a clause.
pub fn of_stranger(key: &str, account: &str) -> Clause {
    Clause::is(format!(
        "encrypted with {key}, a key of the account {account}, which is neither its own nor trusted: whoever has the key can take the data away"
    ))
}

/// What something is encrypted with, in words, where its data need another key. S3 alone knows a second layer: elsewhere, where
/// one is asked for, the customer's key is what there is.
pub fn wrong_key(key: &str, manager: Option<Manager>, context: &JudgeContext<'_>) -> Option<String> {
    let level = context.level;
    if let Some(account) = strangers(key, context) {
        return Some(format!(
            "{key}, a key of the account {account}, which is neither its own nor trusted"
        ));
    }
    if level.key.as_ref().is_some_and(|wanted| wanted != key) {
        return Some(key.to_owned());
    }
    let own = level.encryption >= Encryption::CustomerManagedKey && manager == Some(Manager::Aws);
    own.then(|| "the AWS-managed key".to_owned())
}

/// What something is encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum With<'a> {
    /// Nothing.
    Nothing,
    /// Keys that the service owns, and that nobody else sees.
    ServiceOwned,
    /// A key of KMS.
    Key(&'a Key),
}

/// Judges whether something whose key can be set in place is encrypted with a key of the kind that its data need. The key that the
/// level names is set, where the resource's region has it; which other one, a person has to say.
pub fn key_by_level<C>(
    with: With<'_>,
    context: &JudgeContext<'_>,
    severity: Severity,
    change: impl FnOnce(Key) -> C,
) -> Judgement<C> {
    let stranger = match with {
        With::Key(key) => strangers(&key.arn, context).map(|account| of_stranger(&key.arn, &account)),
        _ => None,
    };
    let severity = if stranger.is_some() { Severity::High } else { severity };
    let need = match (need(context), &stranger) {
        (Some(need), _) => need,
        (None, Some(_)) => "no data need that key".to_owned(),
        (None, None) => return Judgement::Compliant,
    };
    let is = match with {
        _ if stranger.is_some() => stranger.unwrap_or_default(),
        With::Nothing => Clause::is("not encrypted"),
        With::ServiceOwned => Clause::is("encrypted with keys that its service owns"),
        With::Key(key) => match wrong_key(&key.arn, Some(key.manager), context) {
            None => return Judgement::Compliant,
            Some(key) => Clause::is(format!("encrypted with {key}")),
        },
    };
    let found = |change: &str, remedies| {
        Finding::new(
            severity,
            is.clone().followed_by(format!(", and {need}")),
            change,
            remedies,
        )
    };
    let region = &context.resource.region;
    let here = |key: &&String| key.parse::<Arn>().is_ok_and(|arn| arn.region == *region);
    let Some(arn) = context.level.key.as_ref().filter(here) else {
        let level = context.level_name;
        return found("encrypt it with such a key", Vec::new())
            .only_notify(format!(
                "the settings name no key in {region} for it: classification.levels.{level}.key"
            ))
            .into();
    };
    let key = Key {
        arn: arn.clone(),
        manager: Manager::Customer,
    };
    found(&format!("encrypt it with {arn}"), vec![change(key)]).into()
}

/// Judges whether something that can't get another key in place is encrypted with a key of the kind that its data need: a person
/// makes another one, and `how` says how.
pub fn made_encrypted<C>(
    with: With<'_>,
    context: &JudgeContext<'_>,
    why: &str,
    how: impl FnOnce() -> String,
) -> Judgement<C> {
    let (severity, is) = match with {
        With::Nothing => (severity_of_plain(context), Clause::is("not encrypted")),
        With::ServiceOwned if need(context).is_none() => return Judgement::Compliant,
        With::ServiceOwned => (
            Severity::Medium,
            Clause::is("encrypted with keys that its service owns"),
        ),
        With::Key(key) => match wrong_key(&key.arn, Some(key.manager), context) {
            None => return Judgement::Compliant,
            Some(key) => (Severity::Medium, Clause::is(format!("encrypted with {key}"))),
        },
    };
    Finding::new(severity, is.followed_by(and_need(context)), how(), Vec::new())
        .only_notify(why)
        .into()
}

/// Whether data of the level need more than some key of the account's.
pub fn is_particular(context: &JudgeContext<'_>) -> bool {
    context.level.key.is_some() || context.level.encryption >= Encryption::CustomerManagedKey
}

#[cfg(test)]
mod tests {
    use portcullis_core::Settings;

    use portcullis_core::testing::{judging, resource};

    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    /// Settings under which what has no tag needs this encryption, and this key.
    fn asking(asked: Encryption, named: Option<&str>) -> Settings {
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
            let volume = resource("AWS::EC2::Volume", "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1");
            judging(&volume, &asking(asked, named), |context| {
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
