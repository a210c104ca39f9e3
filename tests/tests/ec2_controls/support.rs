//! An account with EC2, and what each control must do in it.

use std::fmt::Write as _;

use aws_sdk_ec2::Client;
use portcullis_testkit::{Actor, Call, CloudTrail, FunctionBuilder, Message, assert_no_changes, assert_only_reads};
use portcullis_tests::{Answered, World, controls_in, record_of};
use serde_json::{Value, json};

/// An account with what the stack makes for the function.
pub struct Ec2 {
    pub world: World,
    /// For the test's own calls, as somebody who is not the function.
    pub client: Client,
}

impl Ec2 {
    pub async fn new() -> Self {
        let world = World::new().await;
        let client = Client::new(&world.aws.sdk_config());
        Self { world, client }
    }

    /// The real function, in enforce mode unless told otherwise.
    pub fn function(&self) -> FunctionBuilder {
        self.world.function_of("portcullis-ec2")
    }

    /// A call of EC2 in this account and region, by a role.
    pub fn call(&self, name: &str, params: Value) -> CloudTrail {
        CloudTrail::call("ec2.amazonaws.com", name)
            .params(params)
            .account(self.world.aws.account())
            .region(&self.world.region)
            .actor(Actor::role("deploy", "build-17"))
    }
}

/// Only these controls, all of them enforced; the rest is off. `more` is further YAML at the top level.
pub fn only(enforced: &[&str], more: &str) -> String {
    let mut yaml = String::from("controls:\n");
    let listings = portcullis_ec2::listings();
    for id in listings
        .iter()
        .flat_map(|listing| listing.controls())
        .map(|meta| meta.id)
    {
        let switch = if enforced.contains(&id) { "enforce" } else { "off" };
        writeln!(yaml, "  {id}: {{mode: {switch}}}").unwrap();
    }
    yaml + more
}

/// The ARNs of a key of the customer's, and of the one that AWS manages for EBS.
pub async fn keys(ec2: &Ec2) -> (String, String) {
    let kms = aws_sdk_kms::Client::new(&ec2.world.aws.sdk_config());
    let own = kms.create_key().send().await.unwrap().key_metadata.unwrap();
    let aws = kms.describe_key().key_id("alias/aws/ebs").send().await.unwrap();
    (own.arn.unwrap(), aws.key_metadata.unwrap().arn.unwrap())
}

/// The calls that change something at EC2, in order.
pub fn writes(calls: &[Call]) -> Vec<String> {
    let ec2 = calls.iter().filter(|call| call.service == "ec2" && !call.is_read());
    ec2.map(|call| call.action.clone()).collect()
}

/// Notify mode: told once, nothing changed. Enforce mode: these calls, once; told; the ledger closed. Again: only reads. A
/// restore: these calls; then the event changes nothing more. Yields the alert of the enforcement, and what `state` was before,
/// after and at the end.
pub async fn round_trip<T>(
    ec2: &Ec2,
    control: &str,
    settings: &str,
    event: &Value,
    (there, back): (&[&str], &[&str]),
    state: impl AsyncFn() -> T,
) -> (Message, [T; 3]) {
    let told = |outcome: &str| std::collections::BTreeMap::from([(control.to_owned(), outcome.to_owned())]);
    let before = state().await;
    let notify = ec2
        .function()
        .mode("notify")
        .env("PORTCULLIS_SETTINGS", settings)
        .start()
        .await;
    let noticed = notify.invoke(event).await;
    assert_eq!(controls_in(noticed.answer()), told("would-remediate"));
    assert_no_changes(&noticed.calls);
    drop(notify);

    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let enforced = function.invoke(event).await;
    assert_eq!(
        controls_in(enforced.answer()),
        told("remediated"),
        "{:?}",
        enforced.result
    );
    assert_eq!(writes(&enforced.calls), there);
    let after = state().await;
    let id = record_of(enforced.answer());
    let (records, open) = ec2.world.records().await;
    assert!(!open && records.last().unwrap()["report"]["ledger_id"] == id);
    let alerts = ec2.world.alerts().await;
    let [_, alert] = alerts.as_slice() else {
        panic!("expected two alerts, found {alerts:#?}")
    };
    assert!(
        alert.text.contains("deploy") && alert.text.contains(&id),
        "{}",
        alert.text
    );

    let again = function.invoke(event).await;
    assert_eq!(again.outcome(), "compliant");
    assert_only_reads(&again.calls);
    assert_eq!(ec2.world.alerts().await.len(), 2);

    let restored = function.invoke(json!({"restore": id, "by": "ana"})).await;
    assert_eq!(restored.outcome(), "restored", "{:?}", restored.result);
    assert_eq!(writes(&restored.calls), back);
    let held = function.invoke(event).await;
    assert_eq!(controls_in(held.answer()), told("exempt"));
    assert_eq!(writes(&held.calls), [""; 0]);
    (alert.clone(), [before, after, state().await])
}
