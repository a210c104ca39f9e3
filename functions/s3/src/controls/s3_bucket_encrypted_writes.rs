//! # What it requires
//! Where the level of the data asks for KMS, the bucket's policy denies uploads that name a weaker encryption, or another key
//! than the level's. Uploads that name none are not denied: the default encryption takes care of them.
//!
//! # Why
//! Default encryption is only a default: a client that names `AES256` gets it.
//!
//! # What it changes
//! `PutBucketPolicy` with one or two more statements, `PortcullisEncryption` and `PortcullisEncryptionKey`, unless the policy
//! denies the same already. The others stay byte for byte.
//!
//! # What may break
//! Clients that name another encryption. Notify by default.
//!
//! # References
//! S3 User Guide, "Using server-side encryption with AWS KMS keys": "Requiring server-side encryption"; IAM User Guide, "Null
//! condition operator".

use portcullis_access::{Policy, RequiredEncryption, encrypted_writes};
use portcullis_core::settings::{Encryption, Level, Switch};
use portcullis_core::{Control, Finding, Impact, Judgement, Meta, Scope, Severity};
use serde_json::{Value, json};

use crate::bucket::{Bucket, Fact, Remedy, State};
use crate::policies::with_statement;

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
        ],
        writes: &["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"],
    },
    facts: &[Fact::Policy],
    judge,
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

fn judge(bucket: &State, scope: &Scope<'_>) -> Judgement<Remedy> {
    let Some(required) = required(scope.level) else {
        return Judgement::Compliant;
    };
    let text = bucket.policy.get().map(String::as_str);
    let arn = &scope.resource.arn;
    // A policy that can't be read is told by s3-bucket-public-policy.
    let Ok(policy) = text.map(Policy::parse).transpose() else {
        return Judgement::Compliant;
    };
    if encrypted_writes(policy.as_ref(), arn, &required).refuses_wrong {
        return Judgement::Compliant;
    }
    // "Null false" spares the uploads that name nothing: without it, every client that relies on the default would break.
    let algorithm = json!({"StringNotEquals": {ALGORITHM: required.algorithms}, "Null": {ALGORITHM: "false"}});
    let mut statements = vec![deny("PortcullisEncryption", arn, &algorithm)];
    if let Some(key) = &required.key {
        let other_key = json!({"StringNotEquals": {KEY: key}, "Null": {KEY: "false"}});
        statements.push(deny("PortcullisEncryptionKey", arn, &other_key));
    }
    let names = required.algorithms.join(" or ");
    let summary = format!(
        "accepts uploads that name a weaker encryption: {} data needs {names}",
        scope.level_name
    );
    let change = format!("deny uploads that name another encryption than {names}");
    let mut written = text.map(str::to_owned);
    for statement in statements {
        match with_statement(written.as_deref(), statement) {
            Ok(policy) => written = Some(policy),
            Err(why) => {
                return Finding::new(Severity::Medium, summary, change, Vec::new())
                    .only_notify(why)
                    .into();
            }
        }
    }
    Finding::new(Severity::Medium, summary, change, vec![Remedy::Policy(written)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::tests::{at_level, finding, with_policy};

    const OWN_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234";

    #[test]
    fn it_converges_and_spares_clients_that_name_nothing() {
        for key in [None, Some(OWN_KEY.to_owned())] {
            let level = Level {
                encryption: Encryption::CustomerManagedKey,
                key,
                ..Level::default()
            };
            at_level(&level, |scope| {
                let Judgement::Violated(found) = judge(&State::default(), scope) else {
                    panic!()
                };
                let [Remedy::Policy(Some(text))] = &found.remedies[..] else {
                    panic!()
                };
                assert_eq!(judge(&with_policy(text), scope), Judgement::Compliant);
                let policy = Policy::parse(text).unwrap();
                assert!(
                    !encrypted_writes(Some(&policy), "arn:aws:s3:::b-1", &required(&level).unwrap()).refuses_unnamed
                );
            });
        }
    }

    #[test]
    fn data_without_a_demand_is_left_alone() {
        assert_eq!(finding(judge, &State::default()), None);
    }
}
