//! Policies that let requests without TLS through.

use portcullis_access::{Policy, Service};
use portcullis_core::{Clause, Judgement, Severity};
use serde_json::{Value, json};

use crate::cure::written;
use crate::resource_policy::ResourcePolicy;

/// Judges whether a policy refuses every request over plain HTTP, whoever makes it. `add` gives the policy with one more
/// statement, or why there can be none; `change` writes it. A policy that can't be read is the business of
/// [`public_policy`](crate::public_policy).
pub fn tls_only<P, C>(
    policy: ResourcePolicy<'_>,
    severity: Severity,
    add: impl FnOnce(Value) -> Result<P, String>,
    change: impl FnOnce(P) -> C,
) -> Judgement<C> {
    let arn = &policy.context.resource.arn;
    let Ok(parsed) = policy.text.map(Policy::parse).transpose() else {
        return Judgement::Compliant;
    };
    if portcullis_access::tls_only(parsed.as_ref(), policy.service, arn).enforced {
        return Judgement::Compliant;
    }
    let summary = Clause::new(
        "accepts plain HTTP: no statement of its policy denies that to everybody",
        "accepted plain HTTP: no statement of its policy denied that to everybody",
    );
    let remedy = "add a statement that denies requests without TLS";
    written(add(denial(policy.service, arn)), severity, summary, remedy, change).into()
}

/// The statement that refuses plain HTTP. Source: IAM User Guide, "AWS global condition context keys", `aws:SecureTransport`.
fn denial(service: Service, arn: &str) -> Value {
    let resource = match service {
        Service::S3Bucket => json!([arn, format!("{arn}/*")]),
        _ => json!(arn),
    };
    json!({
        "Sid": "PortcullisTlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": format!("{}:*", service.prefix()),
        "Resource": resource,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    })
}
