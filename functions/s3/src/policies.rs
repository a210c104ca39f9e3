//! What the controls of S3's policies share beside what those of all policies do.

use portcullis_access::{Goal, Policy, S3Verdict, Service};
use portcullis_controls::{Analysis, Cure, ResourcePolicy, by_its_policy, smallest_cure, written};
use portcullis_core::event::strings;
use portcullis_core::{Clause, Finding, JudgeContext, Severity};
use serde_json::{Value, json};

use crate::PublicAccessBlock;
use crate::bucket::{Bucket, BucketChange};

/// Why a policy is not written. Source: S3 User Guide, "Blocking public access to your Amazon S3 storage".
const REFUSED: &str = "S3 would refuse it: what is left of the policy is public by S3's own definition, whatever it denies, \
                       and BlockPublicPolicy is on";

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

/// What is told of a policy that is public: less while a block leaves it to the owner's account, which `restricted` names.
pub fn rated(analysis: &Analysis<'_>, restricted: Option<&str>) -> (Severity, Clause) {
    let reason = &analysis.judgement.reason;
    match restricted {
        Some(by) => (
            Severity::Low,
            Clause::has(format!("a public policy, which {by} restricts for now: {reason}")),
        ),
        None => (Severity::Critical, by_its_policy(analysis)),
    }
}

/// The smallest fix that reaches a goal and that S3 takes under a block.
pub fn cure(analysis: &Analysis<'_>, goal: Goal, block: PublicAccessBlock) -> Cure<Option<String>> {
    let refused = |text: &String| {
        let judged = Policy::parse(text).map(|policy| analysis.judge(&policy));
        judged.is_ok_and(|judged| judged.s3 == Some(S3Verdict::Public))
    };
    match smallest_cure(analysis, goal) {
        Cure::Write(Some(text), _) if block.block_public_policy && refused(&text) => Cure::Nothing(REFUSED.into()),
        cure => cure,
    }
}

/// The finding that more statements in the bucket's policy put right, or that is told where there can be none.
pub fn lacks(
    bucket: &Bucket,
    context: &JudgeContext<'_>,
    statements: Vec<Value>,
    summary: Clause,
    change: impl Into<String>,
) -> Finding<BucketChange> {
    let policy = bucket.policy.get().map(String::as_str);
    let policy = with_statements(policy, statements, bucket.effective_block(), context);
    written(policy, Severity::Medium, summary, change, BucketChange::Policy)
}

/// A bucket's policy with more statements; the others stay byte for byte. Each `Sid` is made unique. An error says why there
/// can be none, as where S3 would refuse it under a block.
pub fn with_statements(
    policy: Option<&str>,
    statements: Vec<Value>,
    block: PublicAccessBlock,
    context: &JudgeContext<'_>,
) -> Result<Option<String>, String> {
    let mut written = policy.map(str::to_owned);
    for statement in statements {
        let policy = ResourcePolicy {
            text: written.as_deref(),
            service: Service::S3Bucket,
            context,
        };
        written = policy.with_statement(statement).map(Some)?;
    }
    let Some(text) = written.as_ref().filter(|_| block.block_public_policy) else {
        return Ok(written);
    };
    match Analysis::new(text, Service::S3Bucket, context)?.judgement.s3 {
        Some(S3Verdict::Public) => Err(REFUSED.into()),
        _ => Ok(written),
    }
}

/// The bucket and its objects, as a statement names them.
pub fn bucket_and_objects(arn: &str) -> Value {
    json!([arn, format!("{arn}/*")])
}
