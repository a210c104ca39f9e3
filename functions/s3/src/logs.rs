//! The services of AWS that write into a bucket, or read from it, and that SSE-KMS would stop.
//!
//! An AWS-managed key serves principals of its own account only (KMS Developer Guide, "AWS managed keys"), so no service principal can
//! use it; a customer-managed key has to let the service in by its policy. Two services write under no key of KMS at all.
//!
//! Sources: S3 User Guide, "Enabling Amazon S3 server access logging"; Elastic Load Balancing User Guide, "Enable access logs for your
//! Application Load Balancer"; CloudWatch Logs User Guide, "Logs sent to Amazon S3", "Amazon S3 bucket server-side encryption";
//! `CloudFront` Developer Guide, "Access logs (standard logs)", "Restrict access to an Amazon S3 origin", "SSE-KMS".

use portcullis_access::{Effect, Grantee, Policy, PrincipalKind, Statement};

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

/// The canonical user that writes the standard logs of `CloudFront` by ACL. Source: `CloudFront` Developer Guide, "Configure and use standard logs
/// (access logs)".
const CLOUDFRONT: &str = "c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0";

/// A service of AWS that uses a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUse {
    /// The service principal.
    pub service: String,
    /// What it does there, as in `receives load balancer logs`.
    pub does: String,
    /// Whether it works with a customer-managed key whose policy lets it in; else with SSE-S3 only.
    pub takes_own_key: bool,
}

impl ServiceUse {
    fn new(service: &str, does: impl Into<String>, takes_own_key: bool) -> Self {
        Self {
            service: service.to_owned(),
            does: does.into(),
            takes_own_key,
        }
    }

    /// Why its use keeps a bucket from being encrypted with this key; none is the AWS-managed one.
    pub fn refuses(&self, key: Option<&str>) -> String {
        let Self { service, does, .. } = self;
        match (self.takes_own_key, key) {
            (false, _) => format!("it {does}, which SSE-KMS would stop"),
            (true, None) => format!(
                "it {does}, which the AWS-managed key would stop: it takes a customer-managed key whose policy lets in {service}"
            ),
            (true, Some(key)) => format!("it {does}: the policy of {key} has to let in {service} first"),
        }
    }
}

/// What is known of some services: the principal, what it does, and whether a customer-managed key will do.
const KNOWN: [(&str, &str, bool); 4] = [
    ("logging.s3.amazonaws.com", "receives S3 server access logs", false),
    (
        "logdelivery.elasticloadbalancing.amazonaws.com",
        "receives load balancer logs",
        false,
    ),
    (
        "delivery.logs.amazonaws.com",
        "receives logs that AWS delivers, as of VPC flows, CloudFront, Network Load Balancers, WAF or Route 53 Resolver",
        true,
    ),
    ("cloudtrail.amazonaws.com", "receives the logs of a trail", true),
];

/// The service of AWS that uses a bucket and that a key of KMS would stop, if there is one: one that no key will do for comes first.
pub fn used_by_service(bucket: &Bucket) -> Option<ServiceUse> {
    let mut uses = services(bucket);
    uses.sort_by_key(|one| one.takes_own_key);
    uses.into_iter().next()
}

fn services(bucket: &Bucket) -> Vec<ServiceUse> {
    let mut uses = Vec::new();
    for grant in bucket.acl.get().iter().flat_map(|acl| &acl.grants) {
        match &grant.grantee {
            Grantee::Group(uri) if uri.ends_with("/s3/LogDelivery") => {
                let (service, does, own) = KNOWN[0];
                uses.push(ServiceUse::new(service, does, own));
            }
            Grantee::CanonicalUser(id) if id == CLOUDFRONT => {
                uses.push(ServiceUse::new(
                    "delivery.logs.amazonaws.com",
                    "receives CloudFront's standard logs",
                    true,
                ));
            }
            _ => {}
        }
    }
    let policy = bucket.policy.get().map_or("", String::as_str);
    let Ok(policy) = Policy::parse(policy) else { return uses };
    for statement in policy.statements().iter().filter(|one| one.effect == Effect::Allow) {
        if lets_balancers_write(statement) {
            let (service, does, own) = KNOWN[1];
            uses.push(ServiceUse::new(service, does, own));
        }
        if !is_about_objects(statement) {
            continue;
        }
        for service in service_principals(statement) {
            let known = KNOWN.into_iter().find(|(name, ..)| *name == service);
            uses.push(match known {
                Some((name, does, own)) => ServiceUse::new(name, does, own),
                None if service.ends_with(".elasticloadbalancing.amazonaws.com") => {
                    ServiceUse::new(service, KNOWN[1].1, false)
                }
                None => ServiceUse::new(service, format!("is used by {service}"), true),
            });
        }
    }
    uses
}

fn service_principals(statement: &Statement) -> impl Iterator<Item = &str> {
    let named = statement.principals.iter().filter(|named| !named.negated);
    let named = named.flat_map(|named| &named.values);
    named
        .filter(|one| one.kind == PrincipalKind::Service)
        .map(|one| one.value.as_str())
}

/// Whether a statement lets objects be written or read, whose keys are then asked for.
fn is_about_objects(statement: &Statement) -> bool {
    let object = |action: &String| {
        let action = action.to_ascii_lowercase();
        let begins = ["s3:putobject", "s3:getobject", "s3:put*", "s3:get*", "s3:*"];
        action == "*" || begins.iter().any(|begin| action.starts_with(begin))
    };
    let actions = statement.actions.as_ref();
    actions.is_some_and(|actions| actions.negated || actions.values.iter().any(object))
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
    use portcullis_access::Grant;

    use super::*;
    use crate::bucket::tests::{grant, with_acl, with_policy};

    fn logs(principal: &str, action: &str) -> Option<String> {
        let statement = format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"arn:aws:s3:::b-1/AWSLogs/111122223333/*"}}"#
        );
        used_by_service(&with_policy(&format!(r#"{{"Statement":[{statement}]}}"#))).map(|used| used.does)
    }

    #[test]
    fn each_service_says_which_keys_it_takes() {
        for (principal, own_key) in [
            ("logging.s3.amazonaws.com", false),
            ("logdelivery.elasticloadbalancing.amazonaws.com", false),
            ("delivery.logs.amazonaws.com", true),
            ("cloudtrail.amazonaws.com", true),
            ("cloudfront.amazonaws.com", true),
            ("config.amazonaws.com", true),
        ] {
            let statement = format!(
                r#"{{"Effect":"Allow","Principal":{{"Service":"{principal}"}},"Action":["s3:PutObject","s3:GetObject"],"Resource":"*"}}"#
            );
            let used = used_by_service(&with_policy(&format!(r#"{{"Statement":[{statement}]}}"#))).unwrap();
            assert_eq!((used.service.as_str(), used.takes_own_key), (principal, own_key));
        }
        let by_acl = |grantee: Grantee| -> Option<ServiceUse> {
            let grants: [Grant; 1] = [grant(grantee, "FULL_CONTROL")];
            used_by_service(&with_acl(&grants))
        };
        let cloudfront = by_acl(Grantee::CanonicalUser(CLOUDFRONT.into())).unwrap();
        assert!(cloudfront.takes_own_key && cloudfront.does.contains("CloudFront"));
        assert_eq!(by_acl(Grantee::CanonicalUser("79a59d".into())), None);
        let lists = r#"{"Effect":"Allow","Principal":{"Service":"delivery.logs.amazonaws.com"},"Action":"s3:GetBucketAcl","Resource":"*"}"#;
        assert_eq!(
            used_by_service(&with_policy(&format!(r#"{{"Statement":[{lists}]}}"#))),
            None
        );
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
                Some("receives load balancer logs".to_owned()),
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
