//! # What it requires
//! New objects are encrypted at least as the level of their data asks: SSE-S3 for `any`; SSE-KMS for `aws-managed-key`;
//! SSE-KMS under a customer-managed key, or the one that the level names, for `customer-managed-key`; DSSE-KMS for
//! `dual-layer`. With SSE-KMS the S3 Bucket Key is on.
//!
//! # Why
//! Who may decrypt is decided by a key's policy, apart from who may read the bucket. The bucket key spares most of the
//! calls to KMS, and their cost.
//!
//! # What it changes
//! `PutBucketEncryption` with what is missing. What is stricter already stays: SSE-KMS is never made SSE-S3, a
//! customer-managed key never the AWS-managed one, a blocked encryption type stays blocked. Existing objects stay as they are; `UpdateObjectEncryption`,
//! or a copy onto themselves, raises theirs.
//!
//! # What may break
//! Readers need `kms:Decrypt` on the key. A service of AWS that the bucket's policy or ACL lets write or read objects can't use the
//! AWS-managed key, and a customer-managed one only where its policy lets it in; S3 server access logs and load balancer logs stop
//! under any. So a bucket that a service uses is told, not changed; and so is one in another region than the key.
//!
//! # References
//! S3 User Guide, "Setting default server-side encryption behavior", "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys".

use portcullis_controls::encryption::{Key, Manager, of_stranger, strangers};
use portcullis_core::settings::{Encryption as Required, Level, Switch};
use portcullis_core::{Arn, Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::bucket::{Bucket, BucketChange, BucketFact, Encryption};
use crate::logs::used_by_service;

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-default-encryption",
        title: "A bucket encrypts as its data's classification asks",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &[
            "Security Hub S3.17",
            "CIS AWS Foundations Benchmark v1.4.0 2.1.1",
            "Config s3-default-encryption-kms",
            "Config s3-bucket-server-side-encryption-enabled",
        ],
        calls: &[
            "CreateBucket",
            "PutBucketEncryption",
            "DeleteBucketEncryption",
            "PutBucketTagging",
            "DeleteBucketTagging",
            "TagResource",
            "UntagResource",
        ],
    },
    reads: &[BucketFact::Encryption, BucketFact::Policy, BucketFact::Acl],
    changes: &[BucketFact::Encryption],
    judge: &judge,
};

const KMS: &str = "aws:kms";
const DSSE: &str = "aws:kms:dsse";
const AWS_MANAGED: &str = "alias/aws/s3";

/// How demanding an encryption is, on the scale of the settings.
fn rank(encryption: &Encryption) -> Required {
    let named = || encryption.key.as_ref().is_none_or(|key| key.ends_with(AWS_MANAGED));
    let managed = match &encryption.stands_for {
        Some(key) => key.manager == Manager::Aws,
        None => named(),
    };
    match encryption.algorithm.as_str() {
        DSSE => Required::DualLayer,
        KMS if managed => Required::AwsManagedKey,
        KMS => Required::CustomerManagedKey,
        _ => Required::Any,
    }
}

/// Whether an encryption is what a level asks for. S3 keeps a key as it was written, so what that stands for is compared. Source: S3 API
/// Reference, `ServerSideEncryptionByDefault`.
fn satisfies(encryption: &Encryption, level: &Level) -> bool {
    let is = encryption
        .stands_for
        .as_ref()
        .map(|key| &key.arn)
        .or(encryption.key.as_ref());
    let key = level.key.as_ref().is_none_or(|wanted| is == Some(wanted));
    rank(encryption) >= level.encryption && key
}

/// What an encryption has to become, with all that is stricter already.
fn wanted(now: &Encryption, level: &Level) -> Encryption {
    let mut wanted = now.clone();
    if !satisfies(now, level) {
        wanted.algorithm = match level.encryption.max(rank(now)) {
            Required::Any => "AES256".into(),
            Required::AwsManagedKey | Required::CustomerManagedKey => KMS.into(),
            Required::DualLayer => DSSE.into(),
        };
        if level.key.is_some() {
            wanted.key.clone_from(&level.key);
            wanted.stands_for = level.key.clone().map(|arn| Key {
                arn,
                manager: Manager::Customer,
            });
        }
    }
    // DSSE-KMS has no bucket key, and under SSE-S3 it does nothing: the console sets it there all the same.
    wanted.bucket_key = wanted.algorithm == KMS || (wanted.algorithm == now.algorithm && now.bucket_key);
    wanted
}

fn describe(encryption: &Encryption) -> String {
    let name = match encryption.algorithm.as_str() {
        KMS => "SSE-KMS",
        DSSE => "DSSE-KMS",
        _ => return "SSE-S3".into(),
    };
    format!(
        "{name} under {}",
        encryption.key.as_deref().unwrap_or("the AWS-managed key")
    )
}

/// Why the level's key can't be used for a bucket of another region, if so. Source: S3 User Guide, "Specifying server-side
/// encryption with AWS KMS (SSE-KMS)": the key has to be in the bucket's region.
pub fn key_elsewhere(context: &JudgeContext<'_>) -> Option<String> {
    let (level, bucket) = (context.level_name, &context.resource.region);
    let key = context.level.key.as_ref()?.parse::<Arn>().ok()?;
    (key.region != *bucket).then(|| {
        format!(
            "the key that the settings name for the level {level} is in {}, the bucket in {bucket}",
            key.region
        )
    })
}

fn judge(bucket: &Bucket, context: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let level = context.level;
    let now = bucket.effective_encryption();
    let is = now.stands_for.as_ref().map(|key| &key.arn).or(now.key.as_ref());
    let stranger = is.and_then(|key| Some((key, strangers(key, context)?)));
    if let (Some((key, account)), None) = (&stranger, &level.key) {
        return Finding::new(
            Severity::High,
            of_stranger(key, account),
            "encrypt it with a key of its own account, and copy onto themselves the objects that were written since",
            Vec::new(),
        )
        .only_notify("the settings name no key for its data: which one, a person has to say")
        .into();
    }
    let wanted = wanted(&now, level);
    let weaker = !satisfies(&now, level);
    if wanted == now && !weaker {
        return Judgement::Compliant;
    }
    let summary = if let Some((key, account)) = &stranger {
        of_stranger(key, account)
    } else if weaker {
        Clause::is(format!(
            "encrypted with less than its data needs: {} for data classified {}",
            describe(&now),
            context.level_name
        ))
    } else {
        Clause::new(
            "has its S3 Bucket Key off: each object costs a call to KMS",
            "had its S3 Bucket Key off: each object cost a call to KMS",
        )
    };
    let change = if weaker {
        format!(
            "set its default encryption to {}, bucket key {}",
            describe(&wanted),
            if wanted.bucket_key { "on" } else { "off" }
        )
    } else {
        "turn on its S3 Bucket Key".into()
    };
    let severity = if weaker { Severity::High } else { Severity::Low };
    let needs_key = level.encryption >= Required::CustomerManagedKey && level.key.is_none() && weaker;
    if needs_key && level.encryption == Required::CustomerManagedKey {
        let level = context.level_name;
        return Finding::new(severity, summary, "encrypt it with a customer-managed key", Vec::new())
            .only_notify(format!(
                "the settings name no key for the level {level}: classification.levels.{level}.key"
            ))
            .into();
    }
    let key = wanted.key.clone();
    let stopped = used_by_service(bucket).filter(|_| weaker && wanted.algorithm != "AES256");
    let finding = Finding::new(severity, summary, change, vec![BucketChange::Encryption(Some(wanted))]);
    match (stopped, key_elsewhere(context)) {
        (Some(used), _) => finding.only_notify(used.refuses(key.as_deref())).into(),
        (_, Some(why)) if weaker => finding.only_notify(why).into(),
        _ => finding.into(),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::Observed;
    use proptest::prelude::*;

    use super::*;
    use crate::bucket::tests::{at_level, grant, with_acl};
    use portcullis_access::Grantee;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234";
    const AWS_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/aa11";

    fn with(algorithm: &str, key: Option<&str>, bucket_key: bool) -> Bucket {
        let encryption = Encryption {
            algorithm: algorithm.into(),
            key: key.map(Into::into),
            bucket_key,
            blocked: None,
            stands_for: key.map(resolved),
        };
        Bucket {
            encryption: Observed::Is(encryption),
            ..Bucket::default()
        }
    }

    /// What KMS says of a key's name.
    fn resolved(name: &str) -> Key {
        Key {
            arn: match name {
                "1234" | "alias/data" => KEY.into(),
                "alias/aws/s3" | AWS_KEY => AWS_KEY.into(),
                other => other.into(),
            },
            manager: if ["alias/aws/s3", AWS_KEY].contains(&name) {
                Manager::Aws
            } else {
                Manager::Customer
            },
        }
    }

    fn level(encryption: Required, key: Option<&str>) -> Level {
        Level {
            encryption,
            key: key.map(Into::into),
            ..Level::default()
        }
    }

    fn result(bucket: &Bucket, level: &Level) -> Option<Finding<BucketChange>> {
        at_level(level, |context| judge(bucket, context).finding())
    }

    fn set(bucket: &Bucket, level: &Level) -> Encryption {
        match &result(bucket, level).unwrap().remedies[0] {
            BucketChange::Encryption(Some(encryption)) => encryption.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_level_gets_what_it_asks_for() {
        let plain = with("AES256", None, false);
        assert_eq!(result(&plain, &level(Required::Any, None)), None);
        assert_eq!(result(&Bucket::default(), &level(Required::Any, None)), None);
        let kms = set(&plain, &level(Required::AwsManagedKey, None));
        assert_eq!((kms.algorithm.as_str(), kms.key, kms.bucket_key), (KMS, None, true));
        let own = set(&plain, &level(Required::CustomerManagedKey, Some(KEY)));
        assert_eq!(
            (own.algorithm.as_str(), own.key.as_deref(), own.bucket_key),
            (KMS, Some(KEY), true)
        );
        let dual = set(&plain, &level(Required::DualLayer, Some(KEY)));
        assert_eq!(
            (dual.algorithm.as_str(), dual.key.as_deref(), dual.bucket_key),
            (DSSE, Some(KEY), false)
        );
    }

    #[test]
    fn without_a_named_key_a_person_has_to_choose_one() {
        let found = result(&with("AES256", None, false), &level(Required::CustomerManagedKey, None)).unwrap();
        assert!(found.only_notify.unwrap().contains("name no key"));
        assert_eq!(
            result(&with(KMS, Some(KEY), true), &level(Required::CustomerManagedKey, None)),
            None
        );
    }

    #[test]
    fn another_key_than_the_named_one_is_replaced_and_forms_of_the_same_are_not() {
        let needs = level(Required::CustomerManagedKey, Some(KEY));
        assert!(
            result(
                &with(KMS, Some("arn:aws:kms:eu-west-1:111122223333:key/9"), true),
                &needs
            )
            .is_some()
        );
        assert_eq!(result(&with(KMS, Some(KEY), true), &needs), None);
        for name in ["1234", "alias/data"] {
            assert_eq!(result(&with(KMS, Some(name), true), &needs), None, "{name}");
        }
        assert!(result(&with(KMS, Some("34"), true), &needs).is_some());
        // S3 keeps the ARN of the AWS-managed key as it keeps any other.
        let own = level(Required::CustomerManagedKey, None);
        for name in ["alias/aws/s3", AWS_KEY] {
            assert!(result(&with(KMS, Some(name), true), &own).is_some(), "{name}");
        }
    }

    #[test]
    fn a_level_that_names_no_key_is_not_met_by_the_one_of_aws_and_a_person_has_to_name_one() {
        for bucket_key in [true, false] {
            let now = with(KMS, None, bucket_key);
            let found = result(&now, &level(Required::CustomerManagedKey, None)).unwrap();
            assert_eq!((found.severity, found.remedies.len()), (Severity::High, 0));
            assert!(found.only_notify.unwrap().contains("name no key"));
        }
    }

    #[test]
    fn a_key_of_another_region_is_told_not_set() {
        let needs = level(
            Required::CustomerManagedKey,
            Some("arn:aws:kms:us-east-1:111122223333:key/1234"),
        );
        let found = result(&with("AES256", None, false), &needs).unwrap();
        assert!(
            found
                .only_notify
                .unwrap()
                .contains("is in us-east-1, the bucket in eu-west-1")
        );
        let found = result(&with(KMS, Some(KEY), false), &level(Required::AwsManagedKey, None)).unwrap();
        assert_eq!(found.only_notify, None);
    }

    #[test]
    fn the_bucket_key_is_turned_on_where_there_can_be_one() {
        let found = result(&with(KMS, Some(KEY), false), &level(Required::Any, None)).unwrap();
        assert_eq!(found.severity, Severity::Low);
        assert_eq!(result(&with(DSSE, Some(KEY), false), &level(Required::Any, None)), None);
    }

    #[test]
    fn a_bucket_key_beside_another_encryption_is_left_alone() {
        for (algorithm, key) in [("AES256", None), (DSSE, Some(KEY))] {
            assert_eq!(result(&with(algorithm, key, true), &level(Required::Any, None)), None);
        }
        assert!(!set(&with("AES256", None, true), &level(Required::DualLayer, Some(KEY))).bucket_key);
    }

    #[test]
    fn buckets_that_take_logs_are_told_not_changed() {
        let needs = level(Required::AwsManagedKey, None);
        let delivery = grant(
            Grantee::Group("http://acs.amazonaws.com/groups/s3/LogDelivery".into()),
            "WRITE",
        );
        let by_acl = Bucket {
            encryption: with("AES256", None, false).encryption,
            ..with_acl(&[delivery])
        };
        assert!(
            result(&by_acl, &needs)
                .unwrap()
                .only_notify
                .unwrap()
                .contains("access logs")
        );
        let policy = r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"s3:PutObject","Resource":"*"}]}"#;
        let by_policy = Bucket {
            policy: Observed::Is(policy.into()),
            ..with("AES256", None, false)
        };
        assert!(result(&by_policy, &needs).unwrap().only_notify.is_some());
    }

    fn any_encryption() -> impl Strategy<Value = Encryption> {
        let key = prop_oneof![
            Just(None),
            Just(Some(KEY.to_owned())),
            Just(Some("alias/aws/s3".to_owned()))
        ];
        let blocked = prop_oneof![
            Just(None),
            Just(Some(vec!["SSE-C".to_owned()])),
            Just(Some(vec!["NONE".to_owned()]))
        ];
        (
            prop_oneof![Just("AES256"), Just(KMS), Just(DSSE)],
            key,
            any::<bool>(),
            blocked,
        )
            .prop_map(|(algorithm, key, bucket_key, blocked)| {
                let key = key.filter(|_| algorithm != "AES256");
                Encryption {
                    algorithm: algorithm.into(),
                    key,
                    bucket_key,
                    blocked,
                    stands_for: None,
                }
            })
    }

    proptest! {
        #[test]
        fn never_weaker_and_the_blocked_types_stay(now in any_encryption(), asked in 0_usize..4, named in any::<bool>()) {
            let asked = [Required::Any, Required::AwsManagedKey, Required::CustomerManagedKey, Required::DualLayer][asked];
            let key = (named && asked >= Required::CustomerManagedKey).then_some(KEY);
            let needs = level(asked, key);
            let bucket = Bucket { encryption: Observed::Is(now.clone()), ..Bucket::default() };
            if let Some(finding) = result(&bucket, &needs) {
                // Where a person has to name the key, nothing is written.
                let Some(BucketChange::Encryption(Some(then))) = finding.remedies.first() else { return Ok(()) };
                prop_assert!(rank(then) >= rank(&now));
                prop_assert_eq!(&then.blocked, &now.blocked);
                if finding.only_notify.is_none() {
                    let after = Bucket { encryption: Observed::Is(then.clone()), ..Bucket::default() };
                    prop_assert_eq!(result(&after, &needs), None, "it converges in one step");
                }
            }
        }
    }
}
