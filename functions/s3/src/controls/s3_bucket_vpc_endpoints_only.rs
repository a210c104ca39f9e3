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

use portcullis_access::Policy;
use portcullis_core::event::strings;
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Finding, Impact, Judgement, Meta, Scope, Severity};
use serde_json::{Value, json};

use crate::bucket::{Bucket, Fact, Remedy, State};
use crate::policies::{bucket_and_objects, with_statement};

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
        ],
        writes: &["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"],
    },
    facts: &[Fact::Policy],
    judge,
};

const DATA: [&str; 6] = [
    "s3:GetObject*",
    "s3:PutObject*",
    "s3:DeleteObject*",
    "s3:ListBucket*",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
];

/// Whether a statement already denies the data to all other ways in.
fn denies_others(statement: &Value, endpoints: &[String], arn: &str) -> bool {
    let everybody = statement["Principal"] == "*" || statement["Principal"]["AWS"] == "*";
    let actions = strings(&statement["Action"]);
    let all_data = actions
        .iter()
        .any(|action| action == "*" || action.eq_ignore_ascii_case("s3:*"))
        || DATA
            .iter()
            .all(|data| actions.iter().any(|action| action.eq_ignore_ascii_case(data)));
    let resources = strings(&statement["Resource"]);
    let covers = |wanted: &str| {
        resources
            .iter()
            .any(|one| one == wanted || one == "*" || *one == format!("{arn}*"))
    };
    let condition = statement["Condition"].as_object();
    let only_endpoints = condition.is_some_and(|condition| {
        let keys = || {
            condition.iter().flat_map(|(operator, keys)| {
                keys.as_object()
                    .into_iter()
                    .flatten()
                    .map(move |(key, of)| (operator, key, of))
            })
        };
        let spares = |key: &str| {
            ["aws:PrincipalArn", "aws:PrincipalIsAWSService", "aws:ViaAWSService"]
                .iter()
                .any(|spared| key.eq_ignore_ascii_case(spared))
        };
        let mut named = keys().filter(|(_, key, _)| key.eq_ignore_ascii_case("aws:SourceVpce"));
        named.any(|(operator, _, of)| {
            operator.starts_with("StringNot")
                && strings(of).iter().all(|one| endpoints.contains(one))
                && !strings(of).is_empty()
        }) && keys().all(|(_, key, _)| spares(key) || key.eq_ignore_ascii_case("aws:SourceVpce"))
    });
    statement["Effect"] == "Deny"
        && everybody
        && all_data
        && covers(arn)
        && covers(&format!("{arn}/*"))
        && only_endpoints
}

fn judge(bucket: &State, scope: &Scope<'_>) -> Judgement<Remedy> {
    let endpoints = &scope.level.vpc_endpoints;
    if endpoints.is_empty() {
        return Judgement::Compliant;
    }
    let text = bucket.policy.get().map(String::as_str);
    let arn = &scope.resource.arn;
    // A policy that can't be read is told by s3-bucket-public-policy.
    let Ok(policy) = text.map(Policy::parse).transpose() else {
        return Judgement::Compliant;
    };
    let statements = policy
        .iter()
        .flat_map(Policy::statements)
        .filter_map(|one| serde_json::from_str(one.text()).ok());
    if statements
        .into_iter()
        .any(|statement: Value| denies_others(&statement, endpoints, arn))
    {
        return Judgement::Compliant;
    }
    let mut spared = vec![scope.own_role.to_owned()];
    spared.extend(scope.settings.break_glass.iter().cloned());
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
    let (level, ways) = (scope.level_name, endpoints.join(", "));
    let summary = format!("is reachable from anywhere: {level} data may be reached only through {ways}");
    let change = format!("add a statement that denies its data to whoever does not come through {ways}");
    match with_statement(text, statement) {
        Ok(policy) => Finding::new(Severity::Medium, summary, change, vec![Remedy::Policy(Some(policy))]).into(),
        Err(why) => Finding::new(Severity::Medium, summary, change, Vec::new())
            .only_notify(why)
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::Level;

    use super::*;
    use crate::bucket::tests::{at_level, finding, with_policy};

    #[test]
    fn it_converges_and_another_endpoint_offends() {
        let level = Level {
            vpc_endpoints: vec!["vpce-1".into(), "vpce-2".into()],
            ..Level::default()
        };
        at_level(&level, |scope| {
            let Judgement::Violated(found) = judge(&State::default(), scope) else {
                panic!()
            };
            let [Remedy::Policy(Some(policy))] = &found.remedies[..] else {
                panic!()
            };
            assert_eq!(judge(&with_policy(policy), scope), Judgement::Compliant);
            assert_ne!(
                judge(&with_policy(&policy.replace("vpce-2", "vpce-9")), scope),
                Judgement::Compliant
            );
            assert_ne!(
                judge(&with_policy(&policy.replace("Deny", "Allow")), scope),
                Judgement::Compliant
            );
        });
        assert_eq!(finding(judge, &State::default()), None, "no level, no demand");
    }
}
