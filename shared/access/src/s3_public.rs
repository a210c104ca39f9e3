//! S3's own definition of a public policy: what its block acts on, whatever the policy really does.
//!
//! Source: S3 User Guide, "Blocking public access to your Amazon S3 storage", The meaning of "public". The guide asks
//! that access be granted only to fixed values of the principals and keys that it lists; Deny statements are not mentioned, so
//! they don't rescue a grant here, and neither do keys that limit it in truth and are not in the list, such as
//! `aws:SourceOrgID`, `aws:SourceVpcArn` or the KMS key of an upload.

use crate::condition::{Comparison, Condition, Pattern};
use crate::keys::{Class, Id, class};
use crate::parse::{Effect, Policy, PrincipalKind, Statement};
use crate::principals::is_account;
use crate::service::Service;
use crate::template::Template;
use crate::verdict::S3Verdict;

pub(crate) fn verdict(policy: &Policy, service: Service) -> S3Verdict {
    let public = policy.statements().iter().any(|statement| {
        statement.effect == Effect::Allow
            && is_open(statement)
            && !statement.conditions.iter().any(|condition| limits(condition, service))
    });
    if public { S3Verdict::Public } else { S3Verdict::Private }
}

/// Whether the principals are not fixed.
fn is_open(statement: &Statement) -> bool {
    let Some(principals) = &statement.principals else {
        return false;
    };
    let everyone = principals.values.iter().any(|principal| principal.value == "*");
    if principals.negated {
        return !everyone;
    }
    // A provider named by host serves everybody's users: it is none of the fixed principals that the guide names.
    let shared = |kind, value: &str| kind == PrincipalKind::Federated && !value.starts_with("arn:");
    everyone
        || principals
            .values
            .iter()
            .any(|principal| shared(principal.kind, &principal.value))
}

/// Whether a condition holds the grant to fixed values of a key that S3 counts.
fn limits(condition: &Condition, service: Service) -> bool {
    let operator = &condition.operator;
    if !operator.is_limiting() || condition.values.is_empty() {
        return false;
    }
    let fixed = |value: &Template| !value.source().contains(['*', '?']) && !value.source().contains("${");
    let all_fixed = condition.values.iter().all(fixed);
    match (class(&condition.key), operator.comparison) {
        (Class::SourceIp, Comparison::Ip) => condition.patterns.iter().all(|pattern| match pattern {
            Some(Pattern::Cidr(cidr)) => !cidr.is_broad(),
            _ => false,
        }),
        (_, Comparison::Null | Comparison::Unknown | Comparison::Ip) => false,
        _ if condition.key == "kms:calleraccount" => false,
        (Class::IsService, _) => condition
            .values
            .iter()
            .all(|value| value.source().eq_ignore_ascii_case("true")),
        // A bucket policy may leave the access point's name open if its account is fixed.
        (Class::AccessPointArn, _) if service == Service::S3Bucket => condition
            .values
            .iter()
            .all(|value| fixed(value) || has_fixed_account(value.source())),
        (
            Class::Account
            | Class::Arn
            | Class::Organization
            | Class::OrgPaths
            | Class::ServiceName
            | Class::UserId
            | Class::SourceArn
            | Class::SourceAccount
            | Class::Endpoint(Id::Vpc | Id::VpcEndpoint)
            | Class::AccessPointArn
            | Class::AccessPointAccount
            | Class::SourceIp,
            _,
        ) => all_fixed,
        _ => false,
    }
}

fn has_fixed_account(arn: &str) -> bool {
    let account = arn.split(':').nth(4).unwrap_or_default();
    let name = arn.splitn(6, ':').nth(5).unwrap_or_default();
    is_account(account) && name.starts_with("accesspoint/") && !arn.contains("${")
}
