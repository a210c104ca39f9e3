//! Scheduled deletion, and the state that a key comes back to.

use portcullis_testkit::{CloudTrail, Fault, assert_only_reads, assert_rounds};
use portcullis_tests::{Answered, Subject, controls_in};
use serde_json::json;

use super::support::{Kms, round_trip, told, writes};

const CONTROL: &str = "kms-key-scheduled-deletion";
const DISABLED: &str = "kms-key-disabled";

/// Read with the ledger, written ahead, cancelled, enabled, verified, told, closed. Lambda's retry then only reads.
#[tokio::test]
async fn a_key_is_saved_in_seven_rounds() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    key.schedule_deletion(7).await;
    let function = kms.function().start().await;
    kms.world.aws.slow(portcullis_tests::APART).await;
    let saved = function.invoke(key.call("ScheduleKeyDeletion").event()).await;
    assert_eq!(controls_in(saved.answer()), told(CONTROL, "remediated"));
    assert_rounds(&saved.calls, 7);
    let again = function.retry(&saved).await;
    assert_only_reads(&again.calls);
    assert_rounds(&again.calls, 1);
}

#[tokio::test]
async fn a_key_that_was_known_to_be_disabled_comes_back_disabled() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let function = kms.function().start().await;
    key.disable().await;
    // Before the other calls, which all come within the second that is as exactly as CloudTrail tells the time.
    let event = key.call("DisableKey").time("2026-01-01T00:00:00Z").event();
    let disabled = function.invoke(event).await;
    assert_eq!(controls_in(disabled.answer()), told(DISABLED, "would-remediate"));

    key.schedule_deletion(30).await;
    let scheduled = function.invoke(key.call("ScheduleKeyDeletion").event()).await;
    assert_eq!(
        controls_in(scheduled.answer()),
        told(CONTROL, "remediated"),
        "{:?}",
        scheduled.result
    );
    assert_eq!(writes(&scheduled.calls), ["CancelKeyDeletion"]);
    assert_eq!(key.state().await, "Disabled");

    // Enabled by somebody, it is forgotten that it was disabled.
    kms.client.enable_key().key_id(&key.id).send().await.unwrap();
    function.invoke(key.call("EnableKey").event()).await.answer();
    key.schedule_deletion(30).await;
    let again = function.invoke(key.call("ScheduleKeyDeletion").event()).await;
    assert_eq!(writes(&again.calls), ["CancelKeyDeletion", "EnableKey"]);
    assert_eq!(key.state().await, "Enabled");
}

/// What was called, in this order, and the events of it, in any: the key comes back to what it was, whether or not the control
/// of disabled keys is on, and a duplicate changes nothing more.
#[tokio::test]
async fn a_key_comes_back_to_what_it_was_in_whatever_order_the_events_arrive() {
    const CALLS: [&str; 3] = ["DisableKey", "EnableKey", "ScheduleKeyDeletion"];
    let kms = Kms::new().await;
    let (only_this, both) = (kms.enforcing(&[CONTROL], "").await, kms.function().start().await);
    for (enabled_again, order) in [
        (false, &[0, 2][..]),
        (false, &[2, 0]),
        (true, &[0, 1, 2]),
        (true, &[0, 2, 1]),
        (true, &[1, 0, 2]),
        (true, &[1, 2, 0]),
        (true, &[2, 0, 1]),
        (true, &[2, 1, 0]),
    ] {
        for function in [&only_this, &both] {
            let key = kms.key().await;
            key.disable().await;
            if enabled_again {
                kms.client.enable_key().key_id(&key.id).send().await.unwrap();
            }
            key.schedule_deletion(7).await;
            let second = |at: usize| format!("2026-01-01T00:00:0{at}Z");
            let events: Vec<_> = order
                .iter()
                .map(|&at| key.call(CALLS[at]).time(&second(at)).event())
                .collect();
            for event in &events {
                function.invoke(event).await.answer();
            }
            let expected = if enabled_again { "Enabled" } else { "Disabled" };
            assert_eq!(key.state().await, expected, "{order:?}");
            // What a person does then stays, though an event comes twice.
            let other = if enabled_again { "Disabled" } else { "Enabled" };
            if enabled_again {
                key.disable().await;
            } else {
                kms.client.enable_key().key_id(&key.id).send().await.unwrap();
            }
            for event in &events {
                function.invoke(event).await.answer();
            }
            assert_eq!(key.state().await, other, "{order:?}, twice");
        }
    }
}

#[tokio::test]
async fn a_key_disabled_before_its_deletion_is_told_with_it() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let function = kms.function().start().await;
    key.disable().await.schedule_deletion(7).await;
    let disabled = function.invoke(key.call("DisableKey").event()).await;
    let both = [
        (CONTROL.to_owned(), "remediated".to_owned()),
        (DISABLED.to_owned(), "would-remediate".to_owned()),
    ];
    assert_eq!(controls_in(disabled.answer()), both.into());
    assert_eq!(writes(&disabled.calls), ["CancelKeyDeletion"]);
    let scheduled = function.invoke(key.call("ScheduleKeyDeletion").event()).await;
    assert_eq!(scheduled.outcome(), "compliant", "{:?}", scheduled.result);
    assert_eq!(key.state().await, "Disabled");

    // The other way round it is undone, loudly.
    let key = kms.key().await;
    key.disable().await.schedule_deletion(7).await;
    let (disabled, scheduled) = (key.call("DisableKey").event(), key.call("ScheduleKeyDeletion").event());
    let enabled = function.invoke(scheduled).await;
    assert_eq!(writes(&enabled.calls), ["CancelKeyDeletion", "EnableKey"]);
    let late = function.invoke(disabled).await;
    assert_eq!(writes(&late.calls), ["DisableKey"]);
    let alerts = kms.world.alerts().await;
    let alert = alerts.last().unwrap();
    assert_eq!(alert.attributes["severity"], "CRITICAL");
    assert!(alert.text.contains("known too late"), "{}", alert.text);
}

#[tokio::test]
async fn a_key_that_a_restore_disabled_again_is_known_to_be() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let function = kms.enforcing(&[CONTROL, DISABLED], "").await;
    key.disable().await;
    let enabled = function.invoke(key.call("DisableKey").event()).await;
    assert_eq!(controls_in(enabled.answer()), told(DISABLED, "remediated"));
    assert_eq!(key.state().await, "Enabled");
    portcullis_tests::put_back(&function, &enabled).await;
    assert_eq!(key.state().await, "Disabled");

    key.schedule_deletion(30).await;
    let scheduled = function.invoke(key.call("ScheduleKeyDeletion").event()).await;
    assert_eq!(writes(&scheduled.calls), ["CancelKeyDeletion"]);
    assert_eq!(key.state().await, "Disabled");
}

#[tokio::test]
async fn a_cancellation_that_broke_off_half_way_is_finished_by_the_retry() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    key.schedule_deletion(7).await;
    let function = kms.enforcing(&[CONTROL], "").await;
    kms.world
        .aws
        .fault(Fault::on("kms", "EnableKey").status(400, "AccessDeniedException"))
        .await;
    let event = key.call("ScheduleKeyDeletion").event();
    let broken = function.invoke(&event).await;
    assert!(broken.result.is_err());
    assert_eq!(key.state().await, "Disabled");
    let alerts = kms.world.alerts().await;
    assert_eq!(alerts.last().unwrap().attributes["outcome"], "failed");
    let retried = function.retry(&broken).await;
    assert_eq!(controls_in(retried.answer()), told(CONTROL, "remediated"));
    assert_eq!(writes(&retried.calls), ["EnableKey"]);
    assert_eq!(key.state().await, "Enabled");
}

#[tokio::test]
async fn a_process_that_died_half_way_is_taken_over() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    key.schedule_deletion(7).await;
    let function = kms.enforcing(&[CONTROL], "").await;
    let slow = Fault::on("kms", "EnableKey").delay(std::time::Duration::from_secs(20));
    kms.world.aws.fault(slow).await;
    let event = key.call("ScheduleKeyDeletion").event();
    let died = tokio::join!(function.invoke(&event), async {
        kms.world.aws.wait_for_call("kms:CancelKeyDeletion", 1).await;
        // The next call is on its way, and will not be answered.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        function.kill().await;
    })
    .0;
    assert!(died.result.is_err());
    kms.world.aws.clear_faults().await;
    assert_eq!(key.state().await, "Disabled");
    kms.world.a_minute_later().await;
    let retried = function.retry(&died).await;
    assert_eq!(
        controls_in(retried.answer()),
        told(CONTROL, "remediated"),
        "{:?}",
        retried.result
    );
    assert_eq!(writes(&retried.calls), ["EnableKey"]);
    assert_eq!(key.state().await, "Enabled");
}

#[tokio::test]
async fn a_key_tagged_for_retirement_may_go() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    key.tag("retire", "2027").await.schedule_deletion(7).await;
    let function = kms
        .enforcing(&[CONTROL, DISABLED], "kms: {retirement-tag: retire}\n")
        .await;
    let left = function.invoke(key.call("ScheduleKeyDeletion").event()).await;
    assert_eq!(left.outcome(), "compliant");
    assert_eq!(key.state().await, "PendingDeletion");
}

#[tokio::test]
async fn a_primary_that_waits_for_its_replicas_is_brought_back() {
    let kms = Kms::new().await;
    let key = kms.key_with(|create| create.multi_region(true)).await;
    kms.client
        .replicate_key()
        .key_id(&key.id)
        .replica_region("eu-west-1")
        .send()
        .await
        .unwrap();
    key.schedule_deletion(9).await;
    assert_eq!(key.state().await, "PendingReplicaDeletion");
    let arranged = key
        .broken_by("ScheduleKeyDeletion")
        .told("CRITICAL", "remediated")
        .says("after its replicas")
        .fixed_by(&["CancelKeyDeletion", "EnableKey"])
        .right("state", "Enabled")
        .changes(2)
        .undone_by(&["DisableKey", "ScheduleKeyDeletion"]);
    round_trip(CONTROL, arranged).await;
    assert_eq!(key.state().await, "PendingReplicaDeletion");
}

#[tokio::test]
async fn a_destroyed_key_wakes_somebody_once() {
    let kms = Kms::new().await;
    let arn = format!(
        "arn:aws:kms:us-east-1:{}:key/0d9f3a5e-7c41-4b8e-9f16-2a6b8c4d1e70",
        kms.world.aws.account()
    );
    let event = CloudTrail::service_event("kms.amazonaws.com", "DeleteKey")
        .account(kms.world.aws.account())
        .resource(&arn, "AWS::KMS::Key")
        .member(
            "serviceEventDetails",
            json!({"keyId": "0d9f3a5e-7c41-4b8e-9f16-2a6b8c4d1e70"}),
        )
        .event();
    let function = kms.function().start().await;
    let destroyed = function.invoke(&event).await;
    assert_eq!(
        controls_in(destroyed.answer()),
        told("kms-key-destroyed", "needs-action")
    );
    function.invoke(&event).await.answer();
    let alerts = kms.world.alerts().await;
    let [alert] = alerts.as_slice() else {
        panic!("expected one alert, found {alerts:#?}")
    };
    assert_eq!(alert.attributes["severity"], "CRITICAL");
    assert!(
        alert.text.contains("AWS Internal") && alert.text.contains("lost"),
        "{}",
        alert.text
    );
    // Any other call about a key that is gone has nothing to say.
    let key = kms.call("DisableKey", json!({"keyId": arn})).event();
    assert_eq!(function.invoke(key).await.outcome(), "gone");
}

#[tokio::test]
async fn keys_that_aws_manages_are_left_alone() {
    let kms = Kms::new().await;
    let managed = kms.client.describe_key().key_id("alias/aws/s3").send().await.unwrap();
    let arn = managed.key_metadata.unwrap().arn.unwrap();
    let function = kms.function().start().await;
    // Whether settings name it for their data can be asked of any key.
    let calls = [
        ("PutKeyPolicy", "compliant"),
        ("DisableKeyRotation", "not-applicable"),
        ("CreateGrant", "not-applicable"),
    ];
    for (name, outcome) in calls {
        let left = function.invoke(kms.call(name, json!({"keyId": arn})).event()).await;
        assert_eq!(left.outcome(), outcome, "{name}");
        assert!(left.answer().to_string().contains("AWS manages this key"), "{name}");
        assert_eq!(writes(&left.calls), [""; 0]);
    }
}
