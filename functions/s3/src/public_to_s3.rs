//! What S3 itself takes for public, which is less than what is.

use portcullis_access::{Policy, S3Verdict, Scope, Service, Trust};

/// Whether S3 takes a policy for public, whoever is trusted: then it refuses to put it under `BlockPublicPolicy`.
pub fn is_public_to_s3(text: &str, service: Service) -> bool {
    let trust = Trust::default();
    let context = Scope {
        service,
        owner: "",
        trust: &trust,
        resource: None,
    };
    Policy::parse(text).is_ok_and(|policy| portcullis_access::judge(&policy, &context).s3 == Some(S3Verdict::Public))
}
