//! Faults that the local AWS shows on demand.

use std::time::Duration;

use serde_json::{Value, json};

/// One rule of what goes wrong: for which calls, how, and how often. The first rule that fits a call decides.
///
/// ```
/// # use portcullis_testkit::Fault;
/// # use std::time::Duration;
/// let slow_down_twice = Fault::on("s3", "PutBucketEncryption").status(503, "SlowDown").times(2);
/// let slow_everything = Fault::on_all().delay(Duration::from_millis(30)).always();
/// let broken_connection = Fault::on("sns", "Publish").drop_connection();
/// ```
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in what is sent"
)]
#[derive(Debug, Clone, Default)]
#[must_use = "a fault does nothing until it is given to LocalAws::fault"]
pub struct Fault {
    service: Option<String>,
    action: Option<String>,
    status: Option<(u16, String)>,
    times: Option<u32>,
    delay: Duration,
    skip: u32,
    drop: bool,
    done: bool,
    malformed: bool,
    lag: bool,
    changes: bool,
}

impl Fault {
    /// For calls of one action of a service, as in [`Call`](crate::Call): `("s3", "PutBucketEncryption")`.
    pub fn on(service: &str, action: &str) -> Self {
        Self {
            service: Some(service.to_owned()),
            action: Some(action.to_owned()),
            ..Self::on_all()
        }
    }

    /// For all calls of a service.
    pub fn on_service(service: &str) -> Self {
        Self {
            service: Some(service.to_owned()),
            ..Self::on_all()
        }
    }

    /// For all calls of a service that speaks REST which may change something: those that are no `GET`.
    pub fn on_changes(service: &str) -> Self {
        Self {
            changes: true,
            ..Self::on_service(service)
        }
    }

    /// For every call.
    pub fn on_all() -> Self {
        Self {
            times: Some(1),
            ..Self::default()
        }
    }

    /// Answers an error with this HTTP status and code, instead of doing the call.
    pub fn status(mut self, status: u16, code: &str) -> Self {
        self.status = Some((status, code.to_owned()));
        self
    }

    /// Answers that the caller may not do this.
    pub fn denied(self) -> Self {
        self.status(403, "AccessDenied")
    }

    /// Waits before the call is done, or failed.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Closes the connection without an answer, and without doing the call.
    pub fn drop_connection(mut self) -> Self {
        self.drop = true;
        self
    }

    /// Answers what is no document at all, without doing the call.
    pub fn malformed(mut self) -> Self {
        self.malformed = true;
        self
    }

    /// So many calls after the first are answered as that was: AWS may show for a while what was so before.
    pub fn lagging(mut self, times: u32) -> Self {
        self.lag = true;
        self.times(times + 1)
    }

    /// The call is carried out before this befalls its answer.
    pub fn once_done(mut self) -> Self {
        self.done = true;
        self
    }

    /// Spares the first so many calls that fit.
    pub fn after(mut self, calls: usize) -> Self {
        self.skip = u32::try_from(calls).unwrap_or(u32::MAX);
        self
    }

    /// How many calls this befalls; one unless told otherwise.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Befalls every call until the faults are cleared.
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// The rule as the launcher reads it, for the calls made with one access key.
    pub(crate) fn to_json(&self, key: &str) -> Value {
        let mut rule = json!({"key": key, "times": self.times.unwrap_or(1_000_000_000)});
        let fields = [
            ("service", self.service.as_ref().map(|s| json!(s))),
            ("action", self.action.as_ref().map(|a| json!(a))),
            ("status", self.status.as_ref().map(|(status, _)| json!(status))),
            ("code", self.status.as_ref().map(|(_, code)| json!(code))),
            (
                "delay_ms",
                (!self.delay.is_zero()).then(|| json!(self.delay.as_millis())),
            ),
            ("skip", (self.skip > 0).then(|| json!(self.skip))),
            ("drop", self.drop.then(|| json!(true))),
            ("done", self.done.then(|| json!(true))),
            ("malformed", self.malformed.then(|| json!(true))),
            ("lag", self.lag.then(|| json!(true))),
            ("changes", self.changes.then(|| json!(true))),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                rule[name] = value;
            }
        }
        rule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_said_is_sent() {
        let fault = Fault::on("s3", "PutBucketPolicy").status(503, "SlowDown").times(2);
        assert_eq!(
            fault.to_json("ASIA1"),
            json!({"key": "ASIA1", "times": 2, "service": "s3", "action": "PutBucketPolicy", "status": 503, "code": "SlowDown"})
        );
        assert_eq!(
            Fault::on_changes("s3").denied().to_json("ASIA1"),
            json!({"key": "ASIA1", "times": 1, "service": "s3", "changes": true, "status": 403, "code": "AccessDenied"})
        );
        let slow = Fault::on_all().delay(Duration::from_millis(30)).always();
        assert_eq!(
            slow.to_json("ASIA1"),
            json!({"key": "ASIA1", "times": 1_000_000_000, "delay_ms": 30})
        );
        let lost = Fault::on_all().after(3).once_done().drop_connection();
        assert_eq!(
            lost.to_json("ASIA1"),
            json!({"key": "ASIA1", "times": 1, "skip": 3, "drop": true, "done": true})
        );
    }
}
