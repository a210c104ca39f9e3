//! What the function does that no violation of a control alone comes to: other ways to set a volume apart, keys, load balancers.

use portcullis_testkit::{Answered as _, Boxed, Subject as _, Way, World, controls_in, put_back};
use serde_json::json;

use super::account::Ec2;
use super::balanced::balance;

pub const WAYS: &[Way] = &[
    Way {
        name: "a volume is detached, and attached again",
        go: |world| apart(world, "detach"),
    },
    Way {
        name: "a volume's instance is stopped, and started again",
        go: |world| apart(world, "stop"),
    },
    Way {
        name: "the keys of a volume and of a region are looked up and set",
        go: |world| Box::pin(keys(world)),
    },
    Way {
        name: "an instance behind a load balancer is cut off, kept and stopped, and let on again",
        go: |world| Box::pin(cut_off(world)),
    },
    Way {
        name: "an interface leads to its instance",
        go: |world| Box::pin(by_interface(world)),
    },
    Way {
        name: "a group that a prefix list opens is closed",
        go: |world| Box::pin(listed(world)),
    },
];

/// All controls enforced, and more.
fn everything(more: &str) -> String {
    let enforce = |meta: &portcullis_core::Meta| format!("{}: {{mode: enforce}}", meta.id);
    let all: Vec<_> = crate::service().controls().into_iter().map(enforce).collect();
    format!("controls: {{{}}}\n{more}", all.join(", "))
}

fn apart(world: World, how: &'static str) -> Boxed<()> {
    Box::pin(async move {
        let ec2 = Ec2::from(world);
        let (volume, instance) = (ec2.volume().await, ec2.instance().await);
        volume.attach_to(&instance).await;
        let settings = everything(&format!("ec2: {{unencrypted-volumes: {how}}}\n"));
        let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
        let done = function.invoke(volume.call("AttachVolume").event()).await;
        put_back(&function, &done).await;
    })
}

async fn keys(world: World) {
    let ec2 = Ec2::from(world);
    let (own, _) = ec2.keys().await;
    let settings = everything(&format!("ec2: {{default-key: '{own}'}}\n"));
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let create = ec2.client.create_volume().availability_zone("us-east-1a").size(1);
    let sealed = create.encrypted(true).kms_key_id(&own).send().await.unwrap().volume_id;
    let attached = ec2.call("AttachVolume", json!({"volumeId": sealed}));
    function.invoke(attached.event()).await.answer();
    let reset = ec2.defaults().call("ResetEbsDefaultKmsKeyId");
    let done = function.invoke(reset.event()).await;
    assert_eq!(
        controls_in(done.answer())["ec2-ebs-encryption-by-default"],
        "remediated"
    );
}

async fn cut_off(world: World) {
    let ec2 = Ec2::from(world);
    let (instance, _) = ec2.exposed_instance().await;
    let interface = instance.interfaces().await.remove(0);
    let place = (interface.vpc_id().unwrap(), interface.subnet_id().unwrap());
    balance(&ec2.world.sdk_config(), place, &instance.id, "web", true).await;
    let settings = "controls: {ec2-instance-exposed: {mode: enforce, quarantine: true}}\n\
                    ec2: {exposed-instances: {snapshot: true, stop: true}}\n";
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let done = function.invoke(instance.call("AssociateAddress").event()).await;
    assert_eq!(controls_in(done.answer())["ec2-instance-exposed"], "quarantined");
    put_back(&function, &done).await;
}

async fn by_interface(world: World) {
    let ec2 = Ec2::from(world);
    let (instance, _) = ec2.exposed_instance().await;
    let id = instance.interfaces().await.remove(0).network_interface_id;
    let modified = ec2.call("ModifyNetworkInterfaceAttribute", json!({"networkInterfaceId": id}));
    let function = ec2.function().start().await;
    let done = function.invoke(modified.event()).await;
    assert_eq!(controls_in(done.answer())["ec2-instance-exposed"], "quarantined");
}

async fn listed(world: World) {
    let ec2 = Ec2::from(world);
    let (group, list) = ec2.listed_group().await;
    let function = ec2.function().start().await;
    let done = function
        .invoke(group.call("AuthorizeSecurityGroupIngress").event())
        .await;
    assert_eq!(
        controls_in(done.answer())["ec2-security-group-open-ingress"],
        "remediated"
    );
    let changed = json!({"ModifyManagedPrefixListRequest": {"PrefixListId": list}});
    let changed = ec2.call("ModifyManagedPrefixList", changed);
    function.invoke(changed.event()).await.answer();
}
