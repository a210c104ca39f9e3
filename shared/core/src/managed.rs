//! Who will put back what is changed of a resource: the stack, the cluster, the tool or the service that manages it.

use crate::Tags;
use crate::event::Actor;

/// Who manages a resource, as far as its tags or its caller tell. A tag says more than a caller, who may have been anybody.
pub fn managed_by(tags: Option<&Tags>, actor: &Actor) -> Option<String> {
    let by_tags = tags.and_then(|tags| BY_TAGS.iter().find_map(|known| known(tags)));
    by_tags.or_else(|| actor.tool().map(|tool| format!("{tool} (the call came from it)")))
}

type Known = fn(&Tags) -> Option<String>;

/// What services and tools set on what they manage; the most particular first.
const BY_TAGS: [Known; 12] = [
    // Service Catalog Administrator Guide, "AutoTags".
    |tags| {
        Some(format!(
            "Service Catalog product {}",
            tags.get("aws:servicecatalog:provisionedProductArn")?
        ))
    },
    // AWS Load Balancer Controller, "Resource tags": the groups of load balancers for Services and Ingresses.
    |tags| {
        let cluster = tags.get("elbv2.k8s.aws/cluster")?;
        Some(format!(
            "the AWS Load Balancer Controller of the Kubernetes cluster {cluster}: change the Service or the Ingress"
        ))
    },
    // Elastic Beanstalk Developer Guide, "Tagging resources in your environments".
    |tags| {
        Some(format!(
            "Elastic Beanstalk environment {}",
            tags.get("elasticbeanstalk:environment-name")?
        ))
    },
    // EKS User Guide, "Organize Amazon EKS resources with tags".
    |tags| {
        let cluster = tags
            .get("eks:cluster-name")
            .or_else(|| tags.get("aws:eks:cluster-name"))?;
        let group = tags
            .get("eks:nodegroup-name")
            .map(|group| format!("node group {group} of the "));
        Some(format!("the {}EKS cluster {cluster}", group.unwrap_or_default()))
    },
    // Control Tower User Guide, "How AWS Control Tower works with stack sets".
    |tags| {
        let stack = tags.get("aws:cloudformation:stack-name")?;
        let is_its = stack.starts_with("StackSet-AWSControlTower");
        is_its.then(|| format!("AWS Control Tower (CloudFormation stack {stack})"))
    },
    // CDK: the tags that its custom resources set. CloudFormation User Guide, "Resource tags": the tags that it sets itself.
    |tags| {
        let stack = tags.get("aws:cloudformation:stack-name")?;
        let by_cdk = tags.keys().any(|key| key.starts_with("aws-cdk:"));
        Some(format!(
            "CloudFormation stack {stack}{}",
            if by_cdk { ", written with the AWS CDK" } else { "" }
        ))
    },
    // Kubernetes, cloud-provider-aws: `owned` is what goes with the cluster, `shared` is not.
    |tags| {
        let of_cluster = |(key, value): (&String, &String)| {
            let name = key.strip_prefix("kubernetes.io/cluster/")?;
            (value == "owned").then(|| name.to_owned())
        };
        let cluster = tags.iter().find_map(of_cluster)?;
        Some(format!(
            "the Kubernetes cluster {cluster}: its controllers put back what they find changed"
        ))
    },
    // ECS Developer Guide, "Tagging Amazon ECS resources".
    |tags| Some(format!("the ECS cluster {}", tags.get("aws:ecs:clusterName")?)),
    // EMR Management Guide, "Tag and categorize Amazon EMR cluster resources".
    |tags| {
        Some(format!(
            "the EMR cluster {}",
            tags.get("aws:elasticmapreduce:job-flow-id")?
        ))
    },
    // EC2 Auto Scaling User Guide, "Tag Auto Scaling groups and instances".
    |tags| Some(format!("Auto Scaling group {}", tags.get("aws:autoscaling:groupName")?)),
    // AWS Backup Developer Guide, "Copying tags onto backups".
    |tags| tags.get("aws:backup:source-resource").map(|_| "AWS Backup".to_owned()),
    // Crossplane, provider-upjet-aws: the tags that it sets of itself.
    |tags| {
        let name = tags.get("crossplane-name")?;
        let kind = tags.get("crossplane-kind").map_or("resource", String::as_str);
        Some(format!("Crossplane ({kind} {name})"))
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn by(tags: &[(&str, &str)]) -> Option<String> {
        let tags: Tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        managed_by(Some(&tags), &Actor::default())
    }

    #[test]
    fn each_documented_tag_names_who_manages_it() {
        for (tags, manager) in [
            (
                &[("aws:cloudformation:stack-name", "shop")][..],
                "CloudFormation stack shop",
            ),
            (
                &[
                    ("aws:cloudformation:stack-name", "shop"),
                    ("aws-cdk:auto-delete-objects", "true"),
                ],
                "CloudFormation stack shop, written with the AWS CDK",
            ),
            (
                &[(
                    "aws:cloudformation:stack-name",
                    "StackSet-AWSControlTowerBP-BASELINE-CONFIG-1",
                )],
                "AWS Control Tower (CloudFormation stack StackSet-AWSControlTowerBP-BASELINE-CONFIG-1)",
            ),
            (
                &[
                    ("aws:cloudformation:stack-name", "SC-1"),
                    (
                        "aws:servicecatalog:provisionedProductArn",
                        "arn:aws:servicecatalog:eu-west-1:1:stack/shop/pp-1",
                    ),
                ],
                "Service Catalog product arn:aws:servicecatalog:eu-west-1:1:stack/shop/pp-1",
            ),
            (
                &[("elasticbeanstalk:environment-name", "shop-prod")],
                "Elastic Beanstalk environment shop-prod",
            ),
            (
                &[("eks:cluster-name", "prod"), ("eks:nodegroup-name", "blue")],
                "the node group blue of the EKS cluster prod",
            ),
            (
                &[
                    ("kubernetes.io/cluster/prod", "owned"),
                    ("elbv2.k8s.aws/cluster", "prod"),
                ],
                "the AWS Load Balancer Controller of the Kubernetes cluster prod: change the Service or the Ingress",
            ),
            (
                &[("kubernetes.io/cluster/prod", "owned")],
                "the Kubernetes cluster prod: its controllers put back what they find changed",
            ),
            (&[("aws:autoscaling:groupName", "web")], "Auto Scaling group web"),
            (
                &[("aws:backup:source-resource", "arn:aws:ec2:eu-west-1:1:volume/vol-1")],
                "AWS Backup",
            ),
            (
                &[
                    ("crossplane-kind", "bucket.s3.aws.upbound.io"),
                    ("crossplane-name", "data"),
                ],
                "Crossplane (bucket.s3.aws.upbound.io data)",
            ),
            (&[("aws:ecs:clusterName", "web")], "the ECS cluster web"),
            (&[("aws:elasticmapreduce:job-flow-id", "j-1")], "the EMR cluster j-1"),
        ] {
            assert_eq!(by(tags).as_deref(), Some(manager), "{tags:?}");
        }
        assert_eq!(by(&[("kubernetes.io/cluster/prod", "shared"), ("Name", "owned")]), None);
    }
}
