//! What the controls of S3's policies share beside what those of all policies do.

use portcullis_access::Verdict;
use portcullis_core::Severity;
use portcullis_core::event::strings;
pub use portcullis_policies::{Analysis, Cure, unreadable};
use serde_json::{Value, json};

/// The most that S3 takes, in bytes. Source: S3 User Guide, "Bucket policies".
const LARGEST_POLICY: usize = 20 * 1024;

/// Whether a statement only lets objects be read and listed, as public data may be.
pub fn only_reads(analysis: &Analysis<'_>, index: usize) -> bool {
    const READS: [&str; 5] = [
        "s3:getobject",
        "s3:getobjectversion",
        "s3:getobjecttagging",
        "s3:listbucket",
        "s3:getbucketlocation",
    ];
    let statement = analysis.statement(index);
    let actions = statement
        .as_ref()
        .and_then(|statement| statement.get("Action"))
        .map(strings)
        .unwrap_or_default();
    let reads = |action: &String| READS.contains(&action.to_ascii_lowercase().as_str());
    !actions.is_empty() && actions.iter().all(reads)
}

/// A policy with one more statement; the others stay byte for byte. `Sid` is made unique.
pub fn with_statement(policy: Option<&str>, statement: Value) -> Result<String, String> {
    portcullis_policies::with_statement(policy, statement, LARGEST_POLICY)
}

/// The bucket and its objects, as a statement names them.
pub fn bucket_and_objects(arn: &str) -> Value {
    json!([arn, format!("{arn}/*")])
}

/// How bad an open policy is where a block may stand in its way.
pub fn severity(verdict: Verdict, restricted: bool) -> Severity {
    match (verdict, restricted) {
        (_, true) => Severity::Low,
        (Verdict::Public, false) => Severity::Critical,
        (_, false) => Severity::High,
    }
}
