use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{TargetGroup, TargetTypeEnum};
use futures_util::{StreamExt as _, stream};
use portcullis_runtime::{AwsError, ImpactNotes};

use super::calls::done;
use crate::balanced::{Balanced, in_words};

/// How many pages of the region's target groups are listed, of as many as AWS gives at once: no filter knows their VPC.
const PAGES: usize = 5;
/// Source: Elastic Load Balancing API Reference, `DescribeTargetGroups`.
const A_PAGE: i32 = 400;
/// How many target groups are asked for an instance, and how many of them at the same time.
const ASKED: usize = 50;
const AT_ONCE: usize = 8;
/// What is to be cut off does not wait for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What there is to say of the load balancers before an instance that is about to be cut off or stopped. Classic Load Balancers,
/// and targets by address, are not looked at.
pub async fn impact_notes(elb: &Client, vpc: &str, instance: &str) -> ImpactNotes {
    let looked = tokio::time::timeout(PATIENCE, balanced(elb, vpc, instance)).await;
    let unknown = |why: String| Balanced {
        unknown: [why].into(),
        ..Balanced::default()
    };
    let balanced = match looked {
        Ok(Ok(balanced)) => balanced,
        Ok(Err(error)) => unknown(error.to_string()),
        Err(_) => unknown(format!(
            "Elastic Load Balancing did not answer within {} s",
            PATIENCE.as_secs()
        )),
    };
    ImpactNotes {
        clause: balanced.clause(),
        notes: balanced.notes(),
    }
}

async fn balanced(elb: &Client, vpc: &str, instance: &str) -> Result<Balanced, AwsError> {
    let (mut groups, unlisted) = groups(elb, vpc).await?;
    let left = groups.len().saturating_sub(ASKED);
    groups.truncate(ASKED);
    let mut balanced = Balanced {
        asked: groups.len(),
        left,
        unlisted,
        ..Balanced::default()
    };
    let mut looks = stream::iter(groups)
        .map(|group| async move {
            let has = has(elb, &group, instance).await;
            (group, has)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((group, has)) = looks.next().await {
        match has {
            Ok(true) => {
                let name = group.target_group_name().unwrap_or_default();
                balanced.groups.insert(in_words(name, group.load_balancer_arns()));
            }
            Ok(false) => {}
            Err(error) => {
                balanced.unknown.insert(error.to_string());
            }
        }
    }
    Ok(balanced)
}

/// The target groups of a VPC that have instances for targets and a load balancer before them, and whether there may be more.
async fn groups(elb: &Client, vpc: &str) -> Result<(Vec<TargetGroup>, bool), AwsError> {
    let mut found = Vec::new();
    let mut from = None;
    for _ in 0..PAGES {
        let call = elb.describe_target_groups().page_size(A_PAGE).set_marker(from);
        let answer = done("DescribeTargetGroups", call.send().await)?;
        let groups = answer.target_groups.unwrap_or_default().into_iter();
        found.extend(groups.filter(|group| {
            group.vpc_id() == Some(vpc)
                && group.target_type() == Some(&TargetTypeEnum::Instance)
                && !group.load_balancer_arns().is_empty()
        }));
        from = answer.next_marker.filter(|marker| !marker.is_empty());
        if from.is_none() {
            break;
        }
    }
    Ok((found, from.is_some()))
}

/// Whether an instance is among the targets of a group. All are asked for: named by itself, one that is registered with a port of
/// its own is not found, and the stopped are refused. Source: Elastic Load Balancing API Reference, `DeregisterTargets`,
/// `DescribeTargetHealth`.
async fn has(elb: &Client, group: &TargetGroup, instance: &str) -> Result<bool, AwsError> {
    let call = elb
        .describe_target_health()
        .set_target_group_arn(group.target_group_arn.clone());
    let answer = done("DescribeTargetHealth", call.send().await)?;
    let mut targets = answer
        .target_health_descriptions()
        .iter()
        .filter_map(|one| one.target());
    Ok(targets.any(|target| target.id() == Some(instance)))
}
