//! # What it requires
//! The bucket's policy denies every request over plain HTTP, to the bucket and to its objects, whoever makes it.
//!
//! # Why
//! S3 answers on port 80 as well. A client with a mistyped scheme sends data and signatures in the clear.
//!
//! # What it changes
//! `PutBucketPolicy` with one more statement, `PortcullisTlsOnly`, unless one to the same effect is there. The others stay
//! byte for byte.
//!
//! # What may break
//! Clients that use plain HTTP. Notify by default.
//!
//! # References
//! S3 User Guide, "Security best practices for Amazon S3": "Enforce encryption of data in transit".

use portcullis_access::{Policy, tls_only};
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Impact, JudgeContext, Judgement, Meta, Severity};
use serde_json::json;

use crate::bucket::{Bucket, BucketChange, BucketFact};
use crate::policies::{bucket_and_objects, lacks};

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-tls-only",
        title: "A bucket refuses plain HTTP",
        severity: Severity::Medium,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &[
            "Security Hub S3.5",
            "CIS AWS Foundations Benchmark v3.0.0 2.1.1",
            "Config s3-bucket-ssl-requests-only",
        ],
        calls: &["CreateBucket", "PutBucketPolicy", "DeleteBucketPolicy"],
    },
    reads: &[
        BucketFact::Policy,
        BucketFact::PublicAccessBlock,
        BucketFact::AccountBlock,
    ],
    changes: &[BucketFact::Policy],
    judge: &judge,
};

fn judge(bucket: &Bucket, context: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let text = bucket.policy.get().map(String::as_str);
    let arn = &context.resource.arn;
    // A policy that can't be read is told by s3-bucket-public-policy.
    let Ok(policy) = text.map(Policy::parse).transpose() else {
        return Judgement::Compliant;
    };
    if tls_only(policy.as_ref(), arn).enforced {
        return Judgement::Compliant;
    }
    let statement = json!({
        "Sid": "PortcullisTlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": bucket_and_objects(arn),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    });
    let summary = Clause::new(
        "accepts plain HTTP: no statement of its policy denies that to everybody",
        "accepted plain HTTP: no statement of its policy denied that to everybody",
    );
    let change = "add a statement that denies requests without TLS";
    lacks(bucket, context, vec![statement], summary, change).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::tests::{finding, with_policy};

    #[test]
    fn the_statement_is_added_once() {
        let found = finding(
            judge,
            &Bucket {
                policy: portcullis_core::Observed::Absent,
                ..Bucket::default()
            },
        )
        .unwrap();
        let [BucketChange::Policy(Some(policy))] = &found.remedies[..] else {
            panic!()
        };
        assert_eq!(finding(judge, &with_policy(policy)), None);
    }

    #[test]
    fn other_statements_and_their_sids_stay() {
        let half = r#"{"Statement":[ {"Sid":"PortcullisTlsOnly","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b-1/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}} ],"Version":"2012-10-17"}"#;
        let found = finding(judge, &with_policy(half)).unwrap();
        let [BucketChange::Policy(Some(policy))] = &found.remedies[..] else {
            panic!()
        };
        assert!(policy.contains(half.split(" ]").next().unwrap()) && policy.contains("PortcullisTlsOnly2"));
        assert_eq!(finding(judge, &with_policy(policy)), None);
    }
}
