use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, Ipv6Range, SecurityGroupRule};
use portcullis_runtime::{AwsError, Kind, unless};

use super::calls::done;
use crate::database::QUARANTINE;

/// Made meanwhile, by a quarantine beside this one.
const THERE: [&str; 1] = ["InvalidGroup.Duplicate"];
/// Revoked already.
const REVOKED: [&str; 2] = ["InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"];

fn is(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// The id of the quarantine group of a VPC, if there is one.
pub async fn find(ec2: &Client, vpc: &str) -> Result<Option<String>, AwsError> {
    let call = ec2.describe_security_groups().filters(is("vpc-id", vpc));
    let answer = call.filters(is("group-name", QUARANTINE)).send().await;
    let found = done("DescribeSecurityGroups", answer)?.security_groups;
    Ok(found.and_then(|found| found.into_iter().next()?.group_id))
}

/// The quarantine group of a VPC, made where there is none, without any rule.
pub async fn closed(ec2: &Client, vpc: &str) -> Result<String, AwsError> {
    let mut id = find(ec2, vpc).await?;
    let is_new = id.is_none();
    if is_new {
        let call = ec2.create_security_group().group_name(QUARANTINE).vpc_id(vpc);
        let call = call.description("Lets nothing in or out: Portcullis puts instances here");
        id = match unless(&THERE, done("CreateSecurityGroup", call.send().await))? {
            Some(made) => made.group_id,
            None => find(ec2, vpc).await?,
        };
    }
    let id = id.ok_or_else(|| AwsError {
        operation: "CreateSecurityGroup",
        code: "unreadable answer".into(),
        message: format!("expected the id of {QUARANTINE} in {vpc}, found none"),
        kind: Kind::Transient,
    })?;
    // A new group lets everything out, which may not be listed yet. Source: EC2 API Reference, "Eventual consistency".
    if is_new {
        let all = IpPermission::builder().ip_protocol("-1");
        for permission in [
            all.clone().ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build()),
            all.ipv6_ranges(Ipv6Range::builder().cidr_ipv6("::/0").build()),
        ] {
            let call = ec2.revoke_security_group_egress().group_id(&id);
            let answer = call.ip_permissions(permission.build()).send().await;
            unless(&REVOKED, done("RevokeSecurityGroupEgress", answer))?;
        }
    }
    let answer = ec2
        .describe_security_group_rules()
        .filters(is("group-id", &id))
        .send()
        .await;
    let rules = done("DescribeSecurityGroupRules", answer)?
        .security_group_rules
        .unwrap_or_default();
    let ids = |egress: bool| -> Vec<String> {
        let of = rules.iter().filter(|rule| rule.is_egress == Some(egress));
        of.filter_map(|rule: &SecurityGroupRule| rule.security_group_rule_id.clone())
            .collect()
    };
    let (ingress, egress) = (ids(false), ids(true));
    if !ingress.is_empty() {
        let call = ec2.revoke_security_group_ingress().group_id(&id);
        let answer = call.set_security_group_rule_ids(Some(ingress)).send().await;
        unless(&REVOKED, done("RevokeSecurityGroupIngress", answer))?;
    }
    if !egress.is_empty() {
        let call = ec2.revoke_security_group_egress().group_id(&id);
        let answer = call.set_security_group_rule_ids(Some(egress)).send().await;
        unless(&REVOKED, done("RevokeSecurityGroupEgress", answer))?;
    }
    Ok(id)
}
