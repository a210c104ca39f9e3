//! # What it requires
//! Where the level of the data names VPC endpoints, the bucket's policy denies reading and writing by any other way.
//!
//! # Why
//! Stolen credentials are worth little if the data can be reached only from inside the network.
//!
//! # What it changes
//! `PutBucketPolicy` with one more statement, `PortcullisVpcEndpointsOnly`, over the calls that read and write data. It
//! spares AWS services, the break-glass principals and this function. Managing the bucket stays possible from anywhere.
//!
//! # What may break
//! Everything that reads or writes the data from outside of the endpoints, the console included. Notify by default.
//!
//! # References
//! S3 User Guide, "Controlling access from VPC endpoints with bucket policies".

use portcullis_access::{Policy, endpoints_only};
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Impact, JudgeContext, Judgement, Meta, Severity};
use serde_json::json;

use crate::bucket::{Bucket, BucketChange, BucketFact};
use crate::policies::{bucket_and_objects, lacks};

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-vpc-endpoints-only",
        title: "Classified data is reached through its VPC endpoints only",
        severity: Severity::Medium,
        impact: Impact::Availability,
        default: Switch::Notify,
        standards: &["S3 User Guide: controlling access from VPC endpoints"],
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

const DATA: [&str; 6] = [
    "s3:GetObject*",
    "s3:PutObject*",
    "s3:DeleteObject*",
    "s3:ListBucket*",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
];

fn judge(bucket: &Bucket, context: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let endpoints = &context.level.vpc_endpoints;
    if endpoints.is_empty() {
        return Judgement::Compliant;
    }
    let text = bucket.policy.get().map(String::as_str);
    let arn = &context.resource.arn;
    // A policy that can't be read is told by s3-bucket-public-policy.
    let Ok(policy) = text.map(Policy::parse).transpose() else {
        return Judgement::Compliant;
    };
    let mut spared = vec![context.own_role.to_owned()];
    spared.extend(context.settings.break_glass.iter().cloned());
    if endpoints_only(policy.as_ref(), arn, &DATA, endpoints, &spared) {
        return Judgement::Compliant;
    }
    let statement = json!({
        "Sid": "PortcullisVpcEndpointsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": DATA,
        "Resource": bucket_and_objects(arn),
        "Condition": {
            "StringNotEquals": {"aws:SourceVpce": endpoints},
            "ArnNotLike": {"aws:PrincipalArn": spared},
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"},
        },
    });
    let (level, ways) = (context.level_name, endpoints.join(", "));
    let summary = Clause::is(format!(
        "reachable from anywhere: {level} data may be reached only through {ways}"
    ));
    let change = format!("add a statement that denies its data to whoever does not come through {ways}");
    lacks(bucket, context, vec![statement], summary, change).into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::Level;

    use super::*;
    use crate::bucket::tests::{at_level, finding, with_policy};

    /// What is said of the control's own statement, changed.
    fn holds_with(change: impl Fn(&str) -> String) -> bool {
        let level = Level {
            vpc_endpoints: vec!["vpce-1".into(), "vpce-2".into()],
            ..Level::default()
        };
        at_level(&level, |context| {
            let found = judge(&Bucket::default(), context).finding().unwrap();
            let [BucketChange::Policy(Some(policy))] = &found.remedies[..] else {
                panic!()
            };
            judge(&with_policy(&change(policy)), context) == Judgement::Compliant
        })
    }

    #[test]
    fn it_converges_and_stricter_statements_do() {
        assert!(holds_with(str::to_owned));
        for (from, to) in [
            (r#"["vpce-1","vpce-2"]"#, r#""vpce-1""#),
            ("StringNotEquals", "StringNotLike"),
            (r#""aws:ViaAWSService":"false""#, r#""aws:ViaAWSService":["false"]"#),
            (r#","aws:ViaAWSService":"false""#, ""),
            ("\"s3:GetObject*\",", "\"s3:*\","),
        ] {
            assert!(holds_with(|policy| policy.replace(from, to)), "{to}");
        }
    }

    #[test]
    fn a_deny_that_spares_others_is_none() {
        for (from, to) in [
            ("vpce-2", "vpce-9"),
            ("Deny", "Allow"),
            ("ArnNotLike", "ArnLike"),
            ("ArnNotLike", "ForAnyValue:ArnNotLike"),
            ("StringNotEquals", "StringEquals"),
            ("StringNotEquals", "ForAnyValue:StringNotEquals"),
            ("arn:aws:iam::111122223333:role/portcullis", "*"),
            (r#":"false""#, r#":"true""#),
            ("BoolIfExists", "Bool"),
            ("\"s3:GetObject*\",", ""),
            (r#""Principal":"*""#, r#""Principal":{"AWS":"111122223333"}"#),
            (
                r#""Condition":{"#,
                r#""Condition":{"StringNotLike":{"aws:SourceVpce":"*"},"#,
            ),
            (
                r#""Condition":{"#,
                r#""Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"},"#,
            ),
        ] {
            assert!(!holds_with(|policy| policy.replace(from, to)), "{to}");
        }
    }

    #[test]
    fn without_a_level_there_is_no_demand() {
        assert_eq!(finding(judge, &Bucket::default()), None);
    }
}
