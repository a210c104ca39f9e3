//! What every control must do: nothing in notify mode, exactly its change in enforce mode, and all of it undone by a restore.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::service::ServiceUnderTest;
use crate::violation::{Arranged, Undo};
use crate::world::{Answered, changes, controls_in, put_back_record, record_of};
use crate::{Call, Function, Message, Snapshot, assert_changed, assert_no_changes, assert_only_reads};

/// What an enforcement left behind, for what a test of one control asks beyond what all must do.
#[derive(Debug, Clone)]
pub struct Enforced {
    /// The alert.
    pub alert: Message,
    /// The ledger's record.
    pub record: Value,
    /// What AWS said of the resource afterwards.
    pub after: Snapshot,
}

/// Fails unless exactly these calls changed something, in this order; those with ` + ` between them in any.
#[track_caller]
fn assert_made(calls: &[Call], expected: &[&str]) {
    let made = changes(calls);
    let mut rest = made.iter();
    for together in expected {
        let mut names: Vec<_> = together.split(" + ").collect();
        let mut found: Vec<_> = rest.by_ref().take(names.len()).collect();
        names.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, names, "of {made:?}, expected {expected:?}");
    }
    assert_eq!(rest.next(), None, "of {made:?}, expected {expected:?}");
}

struct Trip<'a> {
    control: &'a str,
    arranged: &'a Arranged,
    event: Value,
    before: Snapshot,
}

impl ServiceUnderTest {
    /// Takes a violation of a control through notify mode, enforcement, the event again, a restore, and the event once more.
    /// What has nothing to change is told once, and left.
    pub async fn round_trip(&self, control: &str, arranged: &Arranged) -> Enforced {
        let settings = self.settings(control, arranged);
        let function = self.function(&arranged.world).env("PORTCULLIS_SETTINGS", settings);
        let trip = Trip {
            control,
            arranged,
            event: arranged.event(),
            before: arranged.snapshot().await,
        };
        let notify = function.clone().mode("notify").start().await;
        if !arranged.is_fixed() {
            return trip.told_and_left(&function.start().await, &notify).await;
        }
        trip.noticed(&notify).await;
        drop(notify);
        let function = function.start().await;
        let enforced = trip.enforced(&function).await;
        trip.repeated(&function).await;
        let id = enforced.record["report"]["ledger_id"].as_str().unwrap_or_default();
        trip.undone(&function, id).await;
        enforced
    }
}

impl Trip<'_> {
    /// The outcome of the control, and those of the controls that it follows from and that are not settled with it.
    fn outcomes(&self, outcome: &str) -> BTreeMap<String, String> {
        let settled = self.arranged.settles && outcome == self.arranged.outcome;
        // What it follows from is told, and is the headline where it weighs more.
        let told = self.arranged.headline.unwrap_or("would-remediate");
        let beside = self.arranged.beside.iter().filter(|_| !settled).map(|&id| (id, told));
        let all = beside.chain([(self.control, outcome)]);
        all.map(|(id, outcome)| (id.to_owned(), outcome.to_owned())).collect()
    }

    async fn assert_changed(&self, facts: &[(&'static str, String)]) -> Snapshot {
        let facts: Vec<_> = facts.iter().map(|(fact, value)| (*fact, value.as_str())).collect();
        let now = self.arranged.snapshot().await;
        assert_changed(&self.before, &now, &facts);
        now
    }

    /// Subject, text, document and attributes agree on what was found in what.
    fn assert_tells(&self, alert: &Message, outcome: &str) {
        let Arranged {
            severity,
            described,
            world,
            ..
        } = self.arranged;
        let headline = self.arranged.headline.unwrap_or(outcome);
        let head = format!("[portcullis] {severity} {headline}: ");
        assert!(alert.subject.starts_with(&head), "{head} / {}", alert.subject);
        let short: String = described.chars().take(20).collect();
        assert!(alert.subject.contains(&short), "{short} / {}", alert.subject);
        assert!(alert.subject.len() <= 100 && alert.subject.is_ascii());
        assert!(alert.text.contains(described.as_str()), "{described}: {}", alert.text);
        let told: BTreeSet<String> = serde_json::from_str(&alert.attributes["controls"]).expect("a list of ids");
        assert_eq!(told, self.outcomes(outcome).into_keys().collect());
        assert_eq!(alert.attributes["outcome"], headline);
        assert_eq!(alert.attributes["severity"], *severity);
        assert_eq!(alert.attributes["account"], world.aws.account());
        let controls = alert.json["controls"].as_array().into_iter().flatten();
        assert!(
            controls
                .clone()
                .any(|one| one["control"] == self.control && one["outcome"] == outcome)
        );
    }

    /// The alert says what the arrangement asks of it.
    fn assert_says(&self, alert: &Message) {
        for text in &self.arranged.says {
            assert!(alert.text.contains(text.as_str()), "{text}: {}", alert.text);
        }
    }

    /// Notify mode tells it and changes nothing.
    async fn noticed(&self, notify: &Function) {
        let noticed = notify.invoke(&self.event).await;
        // What enforce mode would only tell, notify mode says to be so.
        let outcome = if self.arranged.is_fixed() {
            "would-remediate"
        } else {
            "needs-action"
        };
        assert_eq!(controls_in(noticed.answer()), self.outcomes(outcome));
        assert_no_changes(&noticed.calls);
        self.assert_changed(&[]).await;
        let alerts = self.arranged.world.alerts().await;
        assert_eq!(alerts.len(), 1, "{alerts:#?}");
        self.assert_tells(&alerts[0], outcome);
    }

    /// Enforce mode makes exactly this change, proves it, writes it down and tells it.
    async fn enforced(&self, function: &Function) -> Enforced {
        let Arranged {
            world, outcome, right, ..
        } = self.arranged;
        let enforced = function.invoke(&self.event).await;
        let answer = enforced.answer();
        assert_eq!(controls_in(answer), self.outcomes(outcome), "{answer}");
        assert_made(&enforced.calls, self.arranged.fixes);
        let after = self.assert_changed(right).await;
        let alerts = world.alerts().await;
        let [_, alert] = alerts.as_slice() else {
            panic!("expected two alerts, found {alerts:#?}");
        };
        self.assert_tells(alert, outcome);
        self.assert_says(alert);
        let id = record_of(answer);
        assert_eq!(alert.json["ledger_id"], id);
        let (records, open) = world.records().await;
        let record = records.last().expect("a record").clone();
        assert!(!open, "the record is closed");
        assert_eq!(record["report"]["ledger_id"], id);
        let mut told = record["report"]["told"].as_array().into_iter().flatten();
        let own = told.find(|told| told["control"] == self.control && told["outcome"] == *outcome);
        // What AWS is still applying is told in the present.
        let is_told = |told: &Value| told["was"].is_string() || *outcome == "remediating";
        assert!(own.is_some_and(is_told), "{record}");
        let role = format!("arn:aws:iam::{}:role/deploy", world.aws.account());
        assert_eq!(record["report"]["actor"]["role"], role);
        assert!(alert.text.contains("deploy"), "who did it: {}", alert.text);
        assert!(record["prior"].as_object().is_some_and(|prior| !prior.is_empty()));
        let made = self.arranged.changes.unwrap_or(right.len());
        assert_eq!(record["remedies"].as_array().map_or(0, Vec::len), made, "{record}");
        let undo = format!(r#"{{"restore":"{id}"}}"#);
        let undoable = !matches!(self.arranged.undo, Undo::Refused(_));
        assert_eq!(alert.text.contains(&undo), undoable, "how to undo it: {}", alert.text);
        Enforced {
            alert: alert.clone(),
            record,
            after,
        }
    }

    /// The same event again: nothing to do, nothing to tell.
    async fn repeated(&self, function: &Function) {
        let again = function.invoke(&self.event).await;
        let open = self.outcomes(self.arranged.outcome).len() > 1;
        // What AWS is still applying is told, too.
        let applying = self.arranged.outcome == "remediating";
        let open = open || applying;
        let expected = if open { "told-before" } else { "compliant" };
        assert_eq!(again.outcome(), expected, "{:?}", again.result);
        if applying {
            // What is still applying is looked at later once more, and that is written down.
            assert_eq!(changes(&again.calls), [""; 0]);
        } else {
            assert_only_reads(&again.calls);
        }
        assert_eq!(self.arranged.world.alerts().await.len(), 2);
    }

    /// A restore brings back every byte, tells it, and leaves a hold, so that the event does not undo what a person decided.
    async fn undone(&self, function: &Function, id: &str) {
        let Arranged { world, undo, .. } = self.arranged;
        let (calls, left) = match undo {
            Undo::By(calls, left) => (calls, left),
            Undo::Refused(why) => {
                let refused = function.invoke(json!({"restore": id})).await;
                let error = refused.result.expect_err("AWS has no way back").to_string();
                assert!(error.contains(why), "{error}");
                return;
            }
        };
        let restored = put_back_record(function, id).await;
        assert_made(&restored.calls, calls);
        self.assert_changed(left).await;
        let alerts = world.alerts().await;
        assert_eq!(alerts.len(), 3);
        assert_eq!(alerts[2].attributes["outcome"], "restored");
        assert!(alerts[2].text.contains("ana"), "{}", alerts[2].text);
        let held = &world.status().await["holds"];
        let held: Vec<_> = held.as_array().into_iter().flatten().collect();
        assert!(
            held.iter()
                .any(|hold| hold["control"] == self.control && hold["by"] == "ana"),
            "{held:?}"
        );
        let records = world.records().await.0.len();
        let applying = self.arranged.outcome == "remediating";
        assert!(records == 3 || applying && records > 3, "{records} records");

        let after = function.invoke(&self.event).await;
        assert_eq!(controls_in(after.answer())[self.control], "exempt");
        assert_eq!(changes(&after.calls), [""; 0]);
        self.assert_changed(left).await;
    }

    /// Where there is nothing that a function may change, the modes are alike: told once, left as it is, nothing to undo.
    async fn told_and_left(&self, function: &Function, notify: &Function) -> Enforced {
        let world = &self.arranged.world;
        let told = function.invoke(&self.event).await;
        assert_eq!(controls_in(told.answer()), self.outcomes(self.arranged.outcome));
        assert_no_changes(&told.calls);
        let after = self.assert_changed(&[]).await;
        for function in [function, notify] {
            let again = function.invoke(&self.event).await;
            assert_eq!(again.outcome(), "told-before", "{:?}", again.result);
            assert_only_reads(&again.calls);
        }
        let alerts = world.alerts().await;
        let [alert] = alerts.as_slice() else {
            panic!("expected one alert, found {alerts:#?}");
        };
        self.assert_tells(alert, self.arranged.outcome);
        self.assert_says(alert);
        assert!(!alert.text.contains("UNDO"), "there is nothing to undo: {}", alert.text);
        let (records, open) = world.records().await;
        assert!(!open, "the record is closed");
        Enforced {
            alert: alert.clone(),
            record: records.last().expect("a record").clone(),
            after,
        }
    }
}
