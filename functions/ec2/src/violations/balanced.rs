//! A load balancer before an instance.

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, ProtocolEnum, TargetDescription, TargetTypeEnum};
use portcullis_testkit::SdkConfig;

/// Puts an instance into a target group of its VPC, with a load balancer `<name>-lb` before it if so asked, and with a port of
/// its own: the target group's ARN.
pub async fn balance(
    config: &SdkConfig,
    (vpc, subnet): (&str, &str),
    instance: &str,
    name: &str,
    with_balancer: bool,
) -> String {
    let elb = Client::new(config);
    let group = elb.create_target_group().name(name).vpc_id(vpc);
    let group = group.target_type(TargetTypeEnum::Instance).protocol(ProtocolEnum::Http);
    let group = group.port(80).send().await.unwrap().target_groups.unwrap().remove(0);
    let group = group.target_group_arn.unwrap();
    if with_balancer {
        let balancer = elb.create_load_balancer().name(format!("{name}-lb")).subnets(subnet);
        let balancer = balancer.send().await.unwrap().load_balancers.unwrap().remove(0);
        let forward = Action::builder()
            .r#type(ActionTypeEnum::Forward)
            .target_group_arn(&group);
        let listener = elb.create_listener().set_load_balancer_arn(balancer.load_balancer_arn);
        let listener = listener.protocol(ProtocolEnum::Http).port(80);
        listener.default_actions(forward.build()).send().await.unwrap();
    }
    let target = TargetDescription::builder().id(instance).port(8080).build();
    let register = elb.register_targets().target_group_arn(&group).targets(target);
    register.send().await.unwrap();
    group
}
