//! What KMS's and EC2's controls must do, told by the calls that they make.

use portcullis_testkit::{FunctionBuilder, Message, assert_no_changes, assert_only_reads};
use serde_json::Value;

use crate::{Answered, controls_in, put_back_record, record_of, told, writes_to};
use portcullis_testkit::World;

/// One control, and an event that leads to it.
pub struct Story<'a> {
    /// Where it is.
    pub world: &'a World,
    /// The function, with the settings under which all other controls are off.
    pub function: FunctionBuilder,
    /// The service in whose calls the changes are, as its endpoint names it.
    pub service: &'static str,
    /// The control.
    pub control: &'a str,
    /// The event.
    pub event: &'a Value,
}

impl Story<'_> {
    fn assert_told(&self, answer: &Value, outcome: &str) {
        assert_eq!(controls_in(answer), told(self.control, outcome), "{answer}");
    }

    /// Notify mode: told once, nothing changed. Enforce mode: these calls, once; told; the ledger closed. Yields the alert of the
    /// enforcement and its record.
    pub async fn enforced(&self, calls: &[&str]) -> (Message, String) {
        let notify = self.function.clone().mode("notify").start().await;
        let noticed = notify.invoke(self.event).await;
        self.assert_told(noticed.answer(), "would-remediate");
        assert_no_changes(&noticed.calls);
        drop(notify);

        let function = self.function.clone().start().await;
        let enforced = function.invoke(self.event).await;
        self.assert_told(enforced.answer(), "remediated");
        assert_eq!(writes_to(self.service, &enforced.calls), calls);
        let id = record_of(enforced.answer());
        let (records, open) = self.world.records().await;
        assert!(!open && records.last().unwrap()["report"]["ledger_id"] == id);
        let alerts = self.world.alerts().await;
        let [_, alert] = alerts.as_slice() else {
            panic!("expected two alerts, found {alerts:#?}")
        };
        assert!(
            alert.text.contains("deploy") && alert.text.contains(&id),
            "{}",
            alert.text
        );

        let again = function.invoke(self.event).await;
        assert_eq!(again.outcome(), "compliant");
        assert_only_reads(&again.calls);
        assert_eq!(self.world.alerts().await.len(), 2);
        (alert.clone(), id)
    }

    /// Undoes a record by these calls, and sees that the event does not redo what a person decided.
    pub async fn undone(&self, id: &str, calls: &[&str]) {
        let function = self.function.clone().start().await;
        let restored = put_back_record(&function, id).await;
        assert_eq!(writes_to(self.service, &restored.calls), calls);
        let held = function.invoke(self.event).await;
        self.assert_told(held.answer(), "exempt");
        assert_eq!(writes_to(self.service, &held.calls), [""; 0]);
    }
}
