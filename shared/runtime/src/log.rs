//! One log line and one metric for each result.

use portcullis_core::alert::clean;
use portcullis_core::{ControlResult, Resource};

use crate::metrics;

/// Logs and counts what came of a resource's controls; `record` is the ledger's.
pub fn results(resource: &Resource, results: &[ControlResult], record: &str) {
    for one in results {
        tracing::info!(
            resource = resource.arn,
            control = one.control,
            severity = %one.severity,
            outcome = %one.outcome,
            why = one.why,
            record,
            "{}",
            clean(&one.summary)
        );
        metrics::finding(&one.control, one.outcome, one.severity);
    }
}
