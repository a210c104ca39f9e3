//! What every control must do: nothing in notify mode, exactly its change in enforce mode, and all of it undone by a restore.

use std::future::Future;

use portcullis_testkit::{Actor, CloudTrail, Message, assert_no_changes};
use serde_json::json;

use crate::world::{Answered, controls_in, put_back_record, record_of, told, writes};
use crate::{Snapshot, World, assert_changed};

/// A resource under test.
pub trait Subject {
    /// Where it is.
    fn world(&self) -> &World;
    /// Type and name, as alerts say them.
    fn described(&self) -> String;
    /// What AWS says of it.
    fn snapshot(&self) -> impl Future<Output = Snapshot>;
    /// An event about it.
    fn call(&self, name: &str) -> CloudTrail;
}

/// What enforcing one control comes to.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The control.
    pub control: &'static str,
    /// The call that leads to it.
    pub call: &'a str,
    /// The settings, with all other controls off.
    pub settings: &'a str,
    /// Severity and outcome.
    pub told: (&'static str, &'static str),
    /// The facts that change, and what to.
    pub changes: &'a [(&'static str, &'a str)],
    /// What the facts are after a restore, where AWS has no way back to what they were.
    pub no_way_back: &'a [(&'static str, &'a str)],
}

/// Takes a resource through notify mode, enforcement, a restore, and the event again; yields the alert of the enforcement.
pub async fn round_trip(subject: &impl Subject, expected: Expected<'_>) -> Message {
    let world = subject.world();
    let Expected {
        control,
        call,
        settings,
        told: (severity, outcome),
        changes,
        no_way_back,
    } = expected;
    let event = subject.call(call).actor(Actor::role("deploy", "build-17")).event();
    let before = subject.snapshot().await;

    // Notify mode tells it and changes nothing.
    let notify = world
        .function()
        .mode("notify")
        .env("PORTCULLIS_SETTINGS", settings)
        .start()
        .await;
    let noticed = notify.invoke(&event).await;
    assert_eq!(controls_in(noticed.answer()), told(control, "would-remediate"));
    assert_no_changes(&noticed.calls);
    assert_changed(&before, &subject.snapshot().await, &[]);
    drop(notify);

    // Enforce mode makes exactly this change, proves it, writes it down and tells it.
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let enforced = function.invoke(&event).await;
    let answer = enforced.answer();
    assert_eq!(controls_in(answer), told(control, outcome), "{answer}");
    assert_changed(&before, &subject.snapshot().await, changes);
    let alerts = world.alerts().await;
    let [noticed, alert] = alerts.as_slice() else {
        panic!("expected two alerts, found {alerts:#?}");
    };
    let described = subject.described();
    let short: String = described.chars().take(40).collect();
    for (alert, outcome) in [(noticed, "would-remediate"), (alert, outcome)] {
        let head = format!("[portcullis] {severity} {outcome}: ");
        assert!(alert.subject.starts_with(&head), "{head} / {}", alert.subject);
        assert!(
            alert.subject.contains(&short[..short.len().min(20)]),
            "{}",
            alert.subject
        );
        assert!(alert.subject.len() <= 100 && alert.subject.is_ascii());
        assert!(alert.text.contains(&described), "{}", alert.text);
        assert_eq!(alert.attributes["controls"], json!([control]).to_string());
        assert_eq!(alert.attributes["outcome"], outcome);
        assert_eq!(alert.attributes["severity"], severity);
        assert_eq!(alert.attributes["account"], world.aws.account());
        assert_eq!(alert.json["controls"][0]["control"], control);
    }
    let id = record_of(answer);
    assert_eq!(alert.json["ledger_id"], id);
    assert!(
        alert.text.contains(&format!(r#"{{"restore":"{id}"}}"#)),
        "how to undo it"
    );
    let (records, open) = world.records().await;
    let record = records.last().unwrap();
    assert!(!open, "the record is closed");
    assert_eq!(record["report"]["ledger_id"], id);
    assert_eq!(record["report"]["told"][0]["outcome"], outcome);
    assert_eq!(
        record["report"]["actor"]["role"],
        format!("arn:aws:iam::{}:role/deploy", world.aws.account())
    );
    assert!(record["prior"].as_object().is_some_and(|prior| !prior.is_empty()));
    assert_eq!(record["remedies"].as_array().map_or(0, Vec::len), changes.len());

    // The same event again: nothing to do, nothing to tell.
    let again = function.invoke(&event).await;
    assert_eq!(again.outcome(), "compliant", "{:?}", again.result);
    assert_eq!(writes(&again.calls), [""; 0]);
    assert_eq!(world.alerts().await.len(), 2);

    // A restore brings back every byte, tells it, and leaves a hold.
    put_back_record(&function, &id).await;
    assert_changed(&before, &subject.snapshot().await, no_way_back);
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 3);
    assert_eq!(alerts[2].attributes["outcome"], "restored");
    assert!(alerts[2].text.contains("ana"), "{}", alerts[2].text);
    let held = &world.status().await["holds"];
    assert_eq!((&held[0]["control"], &held[0]["by"]), (&json!(control), &json!("ana")));
    assert_eq!(world.records().await.0.len(), 3);

    // So the event does not undo what a person decided.
    let after = function.invoke(&event).await;
    assert_eq!(controls_in(after.answer()), told(control, "exempt"));
    assert_eq!(writes(&after.calls), [""; 0]);
    assert_changed(&before, &subject.snapshot().await, no_way_back);
    alerts
        .into_iter()
        .nth(1)
        .unwrap_or_else(|| unreachable!("there are three"))
}
