//! The policy of the resource that is judged.

use portcullis_access::{Policy, Service};
use portcullis_core::{JudgeContext, Observed};
use serde_json::{Value, json};

use crate::RevisedPolicy;
use crate::analysis::Analysis;

/// The policy of a resource, with what judging it takes.
#[derive(Debug, Clone, Copy)]
pub struct ResourcePolicy<'a> {
    /// Its text, byte for byte; none where the resource has no policy.
    pub text: Option<&'a str>,
    /// The kind of resource.
    pub service: Service,
    /// What the resource is judged under.
    pub context: &'a JudgeContext<'a>,
}

impl<'a> ResourcePolicy<'a> {
    /// The policy that was read of a resource.
    pub fn of(service: Service, read: &'a Observed<String>, context: &'a JudgeContext<'a>) -> Self {
        Self {
            text: read.get().map(String::as_str),
            service,
            context,
        }
    }

    /// The same of one with a revision.
    pub fn of_revised(service: Service, read: &'a Observed<RevisedPolicy>, context: &'a JudgeContext<'a>) -> Self {
        Self {
            text: read.get().and_then(|policy| policy.text.as_deref()),
            service,
            context,
        }
    }

    /// What the analyser says of the policy; none where there is no policy, an error where it can't be read.
    pub fn analyse(self) -> Option<Result<Analysis<'a>, String>> {
        self.text.map(|text| Analysis::new(text, self.service, self.context))
    }

    /// The policy with one more statement; the others stay byte for byte. Its `Sid` is made unique. An error says why there can
    /// be none, as where the service takes no policy of that size.
    pub fn with_statement(self, mut statement: Value) -> Result<String, String> {
        let Some(text) = self.text else {
            return Ok(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string());
        };
        let largest = self.service.policy_limit();
        let wanted = statement["Sid"].as_str().unwrap_or_default().to_owned();
        let taken = |sid: &str| text.contains(&format!("\"{sid}\""));
        let sid = (1..=largest)
            .map(|n| if n == 1 { wanted.clone() } else { format!("{wanted}{n}") })
            .find(|sid| !taken(sid));
        statement["Sid"] = json!(sid.unwrap_or(wanted));
        let policy = Policy::parse(text)
            .map_err(|error| error.to_string())?
            .with_statement(&statement.to_string());
        if policy.len() > largest {
            let bytes = policy.len();
            return Err(format!(
                "with the statement it would have {bytes} bytes, of {largest} that the service takes"
            ));
        }
        Ok(policy)
    }
}
