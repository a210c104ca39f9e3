//! The logs that AWS writes into a bucket, and that SSE-KMS would stop.
//!
//! Sources: S3 User Guide, "Enabling Amazon S3 server access logging"; Elastic Load Balancing User Guide, "Enable access logs
//! for your Application Load Balancer".

use portcullis_access::{Effect, Grant, Grantee, Policy, Statement};

use crate::bucket::Bucket;

/// The accounts that write the logs of load balancers in regions from before August 2022. Source: Elastic Load Balancing User
/// Guide, "Enable access logs for your Application Load Balancer", "Attach a policy to your S3 bucket".
const LOAD_BALANCING: [&str; 26] = [
    "127311923021", // us-east-1
    "033677994240", // us-east-2
    "027434742980", // us-west-1
    "797873946194", // us-west-2
    "098369216593", // af-south-1
    "754344448648", // ap-east-1
    "582318560864", // ap-northeast-1
    "600734575887", // ap-northeast-2
    "383597477331", // ap-northeast-3
    "718504428378", // ap-south-1
    "114774131450", // ap-southeast-1
    "783225319266", // ap-southeast-2
    "589379963580", // ap-southeast-3
    "985666609251", // ca-central-1
    "054676820928", // eu-central-1
    "897822967062", // eu-north-1
    "635631232127", // eu-south-1
    "156460612806", // eu-west-1
    "652711504416", // eu-west-2
    "009996457667", // eu-west-3
    "076674570225", // me-south-1
    "507241528517", // sa-east-1
    "638102146993", // cn-north-1
    "037604701340", // cn-northwest-1
    "190560391635", // us-gov-east-1
    "048591011584", // us-gov-west-1
];

/// Which logs a bucket receives, if any.
pub fn receives_logs(bucket: &Bucket) -> Option<&'static str> {
    let policy = bucket.policy.get().map_or("", String::as_str);
    let delivery = |grant: &Grant| matches!(&grant.grantee, Grantee::Group(uri) if uri.ends_with("/s3/LogDelivery"));
    if policy.contains("logging.s3.amazonaws.com")
        || bucket.acl.get().is_some_and(|acl| acl.grants.iter().any(delivery))
    {
        return Some("S3 server access logs");
    }
    let by_account = || Policy::parse(policy).is_ok_and(|policy| policy.statements().iter().any(lets_balancers_write));
    (policy.contains("elasticloadbalancing") || by_account()).then_some("load balancer logs")
}

fn lets_balancers_write(statement: &Statement) -> bool {
    let writes = |action: &String| {
        let action = action.to_ascii_lowercase();
        ["s3:putobject", "s3:putobject*", "s3:put*", "s3:*", "*"].contains(&action.as_str())
    };
    let balancer = |principal: &str| {
        LOAD_BALANCING
            .iter()
            .any(|id| principal == *id || principal.ends_with(&format!(":iam::{id}:root")))
    };
    statement.effect == Effect::Allow
        && statement
            .actions
            .as_ref()
            .is_some_and(|actions| !actions.negated && actions.values.iter().any(writes))
        && statement
            .principals
            .as_ref()
            .is_some_and(|named| !named.negated && named.values.iter().any(|one| balancer(&one.value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::tests::with_policy;

    fn logs(principal: &str, action: &str) -> Option<&'static str> {
        let statement = format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"arn:aws:s3:::b-1/AWSLogs/111122223333/*"}}"#
        );
        receives_logs(&with_policy(&format!(r#"{{"Statement":[{statement}]}}"#)))
    }

    #[test]
    fn load_balancers_are_known_by_their_service_or_their_account() {
        for principal in [
            r#"{"Service":"logdelivery.elasticloadbalancing.amazonaws.com"}"#,
            r#"{"AWS":"arn:aws:iam::127311923021:root"}"#,
            r#"{"AWS":["111122223333","156460612806"]}"#,
            r#"{"AWS":"arn:aws-cn:iam::638102146993:root"}"#,
        ] {
            assert_eq!(
                logs(principal, "s3:PutObject"),
                Some("load balancer logs"),
                "{principal}"
            );
        }
        assert_eq!(logs(r#"{"AWS":"127311923021"}"#, "s3:GetObject"), None);
        assert_eq!(logs(r#"{"AWS":"444455556666"}"#, "s3:PutObject"), None);
    }

    #[test]
    fn the_accounts_are_account_ids() {
        let ids: std::collections::BTreeSet<_> = LOAD_BALANCING.iter().collect();
        assert_eq!(ids.len(), LOAD_BALANCING.len());
        assert!(
            ids.iter()
                .all(|id| id.len() == 12 && id.bytes().all(|digit| digit.is_ascii_digit()))
        );
    }
}
