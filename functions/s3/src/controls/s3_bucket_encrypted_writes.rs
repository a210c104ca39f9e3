//! # What it requires
//! Where the level of the data asks for KMS, the bucket's policy denies uploads that name a weaker encryption, or another key
//! than the level's. For a customer-managed key it also denies those that ask for KMS and name no key. Uploads that name no
//! encryption are not denied: the default encryption takes care of them.
//!
//! # Why
//! Default encryption is only a default: a client that names `AES256` gets it, and one that names `aws:kms` without a key gets
//! the AWS-managed key, whatever the bucket's default is.
//!
//! # What it changes
//! `PutBucketPolicy` with one or two more statements, `PortcullisEncryption` and `PortcullisEncryptionKey`, unless the policy
//! denies the same already. The others stay byte for byte.
//!
//! # What may break
//! Clients that name another encryption. Notify by default.
//!
//! # References
//! S3 User Guide, "Using server-side encryption with AWS KMS keys": "Requiring server-side encryption"; S3 API Reference,
//! `PutObject`, `x-amz-server-side-encryption-aws-kms-key-id`; IAM User Guide, "Null condition operator".

use portcullis_access::{Policy, RequiredEncryption, encrypted_writes};
use portcullis_core::settings::{Encryption, Level, Switch};
use portcullis_core::{Clause, Control, Impact, JudgeContext, Judgement, Meta, Severity};
use serde_json::{Value, json};

use super::s3_bucket_default_encryption::key_elsewhere;
use crate::bucket::{Bucket, BucketChange, BucketFact};
use crate::policies::lacks;

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-encrypted-writes",
        title: "A bucket refuses uploads that name a weaker encryption",
        severity: Severity::Medium,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["S3 User Guide: requiring server-side encryption"],
        calls: &[
            "CreateBucket",
            "PutBucketPolicy",
            "DeleteBucketPolicy",
            "PutBucketTagging",
            "DeleteBucketTagging",
            "TagResource",
            "UntagResource",
        ],
    },
    reads: &[
        BucketFact::Policy,
        BucketFact::PublicAccessBlock,
        BucketFact::AccountBlock,
    ],
    changes: &[BucketFact::Policy],
    judge: &judge,
};

const ALGORITHM: &str = "s3:x-amz-server-side-encryption";
const KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";

/// What uploads may name, by the level of their data; none where anything will do.
fn required(level: &Level) -> Option<RequiredEncryption> {
    let algorithms: &[&str] = match level.encryption {
        Encryption::Any => return None,
        Encryption::AwsManagedKey | Encryption::CustomerManagedKey => &["aws:kms", "aws:kms:dsse"],
        Encryption::DualLayer => &["aws:kms:dsse"],
    };
    Some(RequiredEncryption {
        algorithms: algorithms.iter().map(|&name| name.to_owned()).collect(),
        key: level.key.clone(),
        own_key: level.encryption == Encryption::CustomerManagedKey || level.key.is_some(),
    })
}

fn deny(sid: &str, arn: &str, condition: &Value) -> Value {
    json!({
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": format!("{arn}/*"),
        "Condition": condition,
    })
}

fn judge(bucket: &Bucket, context: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let Some(required) = required(context.level) else {
        return Judgement::Compliant;
    };
    let text = bucket.policy.get().map(String::as_str);
    let arn = &context.resource.arn;
    // A policy that can't be read is told by s3-bucket-public-policy.
    let Ok(policy) = text.map(Policy::parse).transpose() else {
        return Judgement::Compliant;
    };
    if encrypted_writes(policy.as_ref(), arn, &required).refuses_wrong {
        return Judgement::Compliant;
    }
    let refused = |required: &RequiredEncryption| encrypted_writes(policy.as_ref(), arn, required).refuses_wrong;
    let mut statements = Vec::new();
    // "Null false" spares the uploads that name nothing: without it, every client that relies on the default would break.
    let any_key = RequiredEncryption {
        algorithms: required.algorithms.clone(),
        ..RequiredEncryption::default()
    };
    if !refused(&any_key) {
        let condition = json!({"StringNotEquals": {ALGORITHM: required.algorithms}, "Null": {ALGORITHM: "false"}});
        statements.push(deny("PortcullisEncryption", arn, &condition));
    }
    let any_kms = RequiredEncryption {
        algorithms: vec!["aws:kms".into(), "aws:kms:dsse".into()],
        ..required.clone()
    };
    if !refused(&any_kms) && required.own_key {
        // A key that is not named differs, too.
        let condition = match &required.key {
            Some(key) => json!({"StringNotEquals": {KEY: key}, "Null": {ALGORITHM: "false"}}),
            None => json!({"Null": {KEY: "true", ALGORITHM: "false"}}),
        };
        statements.push(deny("PortcullisEncryptionKey", arn, &condition));
    }
    let names = required.algorithms.join(" or ");
    let names = match &required.key {
        Some(key) => format!("{names} with {key}"),
        None if required.own_key => format!("{names} with a key of its own"),
        None => names,
    };
    let summary = Clause::new("accepts", "accepted").followed_by(format!(
        " uploads that name a weaker encryption: {} data needs {names}",
        context.level_name
    ));
    let change = format!("deny uploads that name another encryption than {names}");
    let finding = lacks(bucket, context, statements, summary, change);
    match key_elsewhere(context) {
        Some(why) => finding.only_notify(why).into(),
        None => finding.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::tests::{at_level, finding, with_policy};

    const OWN_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234";

    fn level(encryption: Encryption, key: Option<&str>) -> Level {
        Level {
            encryption,
            key: key.map(str::to_owned),
            ..Level::default()
        }
    }

    fn written(bucket: &Bucket, level: &Level) -> String {
        at_level(level, |context| {
            let found = judge(bucket, context).finding().unwrap();
            let [BucketChange::Policy(Some(text))] = &found.remedies[..] else {
                panic!()
            };
            assert_eq!(judge(&with_policy(text), context), Judgement::Compliant);
            text.clone()
        })
    }

    #[test]
    fn it_converges_and_spares_clients_that_name_nothing() {
        for (encryption, key) in [
            (Encryption::AwsManagedKey, None),
            (Encryption::CustomerManagedKey, None),
            (Encryption::CustomerManagedKey, Some(OWN_KEY)),
            (Encryption::DualLayer, None),
            (Encryption::DualLayer, Some(OWN_KEY)),
        ] {
            let level = level(encryption, key);
            let policy = Policy::parse(&written(&Bucket::default(), &level)).unwrap();
            let found = encrypted_writes(Some(&policy), "arn:aws:s3:::b-1", &required(&level).unwrap());
            assert!(!found.refuses_unnamed && !found.refuses_right, "{encryption:?} {key:?}");
        }
    }

    #[test]
    fn an_upload_under_kms_that_names_no_key_is_denied_beside_what_is_denied_already() {
        let level = level(Encryption::CustomerManagedKey, Some(OWN_KEY));
        let older = written(&Bucket::default(), &level).replace(
            &format!(r#"{{"StringNotEquals":{{"{KEY}":"{OWN_KEY}"}},"Null":{{"{ALGORITHM}":"false"}}}}"#),
            &format!(r#"{{"StringNotEquals":{{"{KEY}":"{OWN_KEY}"}},"Null":{{"{KEY}":"false"}}}}"#),
        );
        assert!(older.contains(&format!(r#""{KEY}":"false""#)), "{older}");
        let newer = written(&with_policy(&older), &level);
        assert!(newer.contains("PortcullisEncryptionKey2") && !newer.contains("PortcullisEncryption2"));
    }

    #[test]
    fn a_key_that_the_bucket_can_not_use_is_not_demanded() {
        let level = level(
            Encryption::CustomerManagedKey,
            Some("arn:aws:kms:us-east-1:111122223333:key/1234"),
        );
        at_level(&level, |context| {
            let found = judge(&Bucket::default(), context).finding().unwrap();
            assert!(found.only_notify.unwrap().contains("is in us-east-1"));
        });
    }

    #[test]
    fn data_without_a_demand_is_left_alone() {
        assert_eq!(finding(judge, &Bucket::default()), None);
    }
}
