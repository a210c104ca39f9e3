//! The calls that a function made: how many, in how many rounds, and whether any of them changed something.

use std::fmt::Write as _;

use serde::Deserialize;

/// One AWS call as the local AWS saw it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Call {
    /// The service, as requests are signed for it: `s3`, `dynamodb`; `s3control` for S3's account-level calls.
    pub service: String,
    /// The API's operation: `PutBucketPolicy`.
    pub action: String,
    /// The HTTP method.
    pub method: String,
    /// The path of the request, with its query.
    pub path: String,
    /// What the call is about, where the launcher can tell: the bucket, table, topic or parameter.
    pub resource: Option<String>,
    /// The region that the request was signed for.
    pub region: String,
    /// The HTTP status of the answer; none if there was no answer.
    pub status: Option<u16>,
    /// When the request arrived, in milliseconds of the launcher's clock.
    pub started_ms: f64,
    /// When the answer was ready.
    pub ended_ms: f64,
    /// The body of the request.
    pub body: Option<String>,
    /// The access key that signed the request.
    pub key: String,
    /// Whose the bucket must be for the call to be done (`x-amz-expected-bucket-owner`).
    pub expected_owner: Option<String>,
    /// Whether it was carried out, whatever became of the answer.
    pub done: bool,
    /// Whether a [`Fault`](crate::Fault) befell it.
    pub injected: bool,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            service: String::new(),
            action: String::new(),
            method: String::new(),
            path: String::new(),
            resource: None,
            region: String::new(),
            status: None,
            started_ms: 0.0,
            ended_ms: 0.0,
            body: None,
            key: String::new(),
            expected_owner: None,
            done: false,
            injected: false,
        }
    }
}

impl Call {
    /// Service and action: `s3:PutBucketPolicy`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.action)
    }

    /// Whether the call changes nothing but what is a function's own: its ledger's items, its alerts, its schedules.
    pub fn is_own(&self) -> bool {
        match self.service.as_str() {
            "dynamodb" => ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"].contains(&self.action.as_str()),
            "sns" => self.action == "Publish",
            "scheduler" => true,
            _ => false,
        }
    }

    /// Whether the call can't have changed anything: AWS begins the names of reads with a verb of reading. An action
    /// that the launcher could not name (`GET /…`) is judged by its HTTP method.
    pub fn is_read(&self) -> bool {
        const READS: [&str; 10] = [
            "Get",
            "List",
            "Describe",
            "Head",
            "BatchGet",
            "Query",
            "Scan",
            "TransactGet",
            "Lookup",
            "Search",
        ];
        match self.action.split_once(' ') {
            Some((method, _)) => matches!(method, "GET" | "HEAD"),
            None => READS.iter().any(|verb| self.action.starts_with(verb)),
        }
    }
}

/// The number of rounds that the calls took: the length of the longest chain in which each call began after the one
/// before it had ended. Calls that overlap share a round.
///
/// Calls that are sent together may still be served one after the other on a busy machine, and then count twice: where
/// the number is asserted, slow all calls down first ([`LocalAws::slow`](crate::LocalAws::slow)).
pub fn rounds(calls: &[Call]) -> usize {
    let mut by_end: Vec<&Call> = calls.iter().collect();
    by_end.sort_by(|a, b| {
        a.ended_ms
            .total_cmp(&b.ended_ms)
            .then(a.started_ms.total_cmp(&b.started_ms))
    });
    let mut last_end = f64::NEG_INFINITY;
    let mut rounds = 0;
    for call in by_end {
        if call.started_ms >= last_end {
            last_end = call.ended_ms;
            rounds += 1;
        }
    }
    rounds
}

/// The calls as a table to print: when each began and ended since the first, what it was, and what came of it.
pub fn table(calls: &[Call]) -> String {
    let mut by_start: Vec<&Call> = calls.iter().collect();
    by_start.sort_by(|a, b| a.started_ms.total_cmp(&b.started_ms));
    let zero = by_start.first().map_or(0.0, |call| call.started_ms);
    let width = by_start.iter().map(|call| call.name().len()).max().unwrap_or(0);
    let mut table = format!("{} calls in {} rounds\n", calls.len(), rounds(calls));
    for call in by_start {
        let status = call
            .status
            .map_or_else(|| "---".to_owned(), |status| status.to_string());
        let injected = if call.injected { " (fault)" } else { "" };
        writeln!(
            table,
            "{:7.1} {:7.1} ms  {:width$}  {status}  {}{injected}",
            call.started_ms - zero,
            call.ended_ms - zero,
            call.name(),
            call.path,
        )
        .expect("writing to a string");
    }
    table
}

/// Fails if the calls took more rounds than this.
#[track_caller]
pub fn assert_rounds(calls: &[Call], at_most: usize) {
    assert!(
        rounds(calls) <= at_most,
        "expected at most {at_most} rounds, found {}",
        table(calls)
    );
}

/// Fails if any call could have changed something, the ledger included: what a compliant resource costs.
#[track_caller]
pub fn assert_only_reads(calls: &[Call]) {
    assert_none(calls, |call| !call.is_read(), "only reads");
}

/// Fails if any call could have changed something other than the ledger, or done more than publish an alert: what
/// notify mode promises.
#[track_caller]
pub fn assert_no_changes(calls: &[Call]) {
    assert_none(
        calls,
        |call| !(call.is_read() || call.is_own() && call.service != "scheduler"),
        "no change but to the ledger",
    );
}

/// Fails unless exactly these actions (`s3:GetBucketPolicy`) were called, each as often as it is named, in any order.
#[track_caller]
pub fn assert_called(calls: &[Call], expected: &[&str]) {
    let mut found: Vec<String> = calls.iter().map(Call::name).collect();
    let mut expected: Vec<&str> = expected.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert!(
        found == expected,
        "expected the calls {expected:#?}, found {}",
        table(calls)
    );
}

#[track_caller]
fn assert_none(calls: &[Call], offends: impl Fn(&Call) -> bool, expected: &str) {
    let offending: Vec<String> = calls.iter().filter(|call| offends(call)).map(Call::name).collect();
    assert!(
        offending.is_empty(),
        "expected {expected}, found {} among {}",
        offending.join(", "),
        table(calls)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, started_ms: f64, ended_ms: f64) -> Call {
        let (service, action) = name.split_once(':').unwrap();
        Call {
            service: service.into(),
            action: action.into(),
            started_ms,
            ended_ms,
            status: Some(200),
            ..Call::default()
        }
    }

    fn times(spans: &[(f64, f64)]) -> Vec<Call> {
        spans
            .iter()
            .map(|&(start, end)| call("s3:GetBucketAcl", start, end))
            .collect()
    }

    #[test]
    fn rounds_are_the_longest_chain() {
        let cases: [(&[(f64, f64)], usize); 9] = [
            (&[], 0),
            (&[(0.0, 10.0)], 1),
            (&[(0.0, 10.0), (1.0, 9.0), (2.0, 12.0)], 1),
            (&[(0.0, 10.0), (10.0, 20.0), (20.0, 30.0)], 3),
            // Two chains side by side: the longer one counts.
            (&[(0.0, 30.0), (0.0, 9.0), (10.0, 19.0), (20.0, 29.0)], 3),
            // A long first call that overlaps everything must not hide the chain behind the short ones.
            (&[(0.0, 100.0), (1.0, 2.0), (3.0, 4.0)], 2),
            // The order of the list does not matter.
            (&[(20.0, 30.0), (0.0, 10.0), (10.0, 20.0)], 3),
            // A call that takes no measurable time still counts.
            (&[(5.0, 5.0), (5.0, 5.0)], 2),
            (&[(10.0, 10.0), (5.0, 10.0)], 2),
        ];
        for (spans, expected) in cases {
            assert_eq!(rounds(&times(spans)), expected, "{spans:?}");
        }
    }

    #[test]
    fn reads_are_told_from_writes() {
        for read in [
            "s3:GetBucketPolicy",
            "s3:HeadBucket",
            "dynamodb:Query",
            "s3:GET /x",
            "dynamodb:BatchGetItem",
        ] {
            assert!(call(read, 0.0, 1.0).is_read(), "{read}");
        }
        for write in [
            "s3:PutBucketPolicy",
            "s3:DeleteBucketPolicy",
            "sns:Publish",
            "s3:PUT /x",
            "dynamodb:UpdateItem",
        ] {
            assert!(!call(write, 0.0, 1.0).is_read(), "{write}");
        }
    }

    #[test]
    fn notify_mode_may_write_the_ledger_and_publish() {
        let told = [
            call("s3:GetBucketAcl", 0.0, 1.0),
            call("dynamodb:PutItem", 1.0, 2.0),
            call("sns:Publish", 2.0, 3.0),
        ];
        assert_no_changes(&told);
        assert!(std::panic::catch_unwind(|| assert_only_reads(&told)).is_err());
        for change in ["s3:PutBucketAcl", "dynamodb:DeleteTable", "sns:SetTopicAttributes"] {
            let changed = [call(change, 0.0, 1.0)];
            assert!(
                std::panic::catch_unwind(|| assert_no_changes(&changed)).is_err(),
                "{change}"
            );
        }
    }

    #[test]
    fn a_failed_assertion_shows_the_calls() {
        let calls = times(&[(100.0, 110.0), (110.0, 121.5)]);
        let panic = std::panic::catch_unwind(|| assert_rounds(&calls, 1)).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("at most 1 rounds, found 2 calls in 2 rounds"), "{text}");
        assert!(text.contains("   10.0    21.5 ms  s3:GetBucketAcl  200"), "{text}");
        assert!(std::panic::catch_unwind(|| assert_called(&calls, &["s3:GetBucketAcl"])).is_err());
        assert_called(&calls, &["s3:GetBucketAcl", "s3:GetBucketAcl"]);
    }

    #[test]
    fn a_call_without_an_answer_is_read() {
        let call: Call =
            serde_json::from_str(r#"{"service":"s3","action":"GetBucketAcl","status":null,"body":null}"#).unwrap();
        assert_eq!((call.status, call.body), (None, None));
    }
}
