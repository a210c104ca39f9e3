use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::EventError;
use super::fields::{object_in, optional_text};

/// Who made a call. Source: CloudTrail User Guide, "CloudTrail userIdentity element". Every field may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Actor {
    /// `Root`, `IAMUser`, `AssumedRole`, `AWSService` …
    pub kind: String,
    /// The ARN of the caller, for a role that of its session.
    pub arn: String,
    /// The caller's account, who need not be the owner's.
    pub account: String,
    /// The role behind a session.
    pub role: String,
    /// The human behind it, where the session names one (`sourceIdentity`).
    pub human: String,
    /// The service that called on somebody's behalf.
    pub service: String,
    /// Where the call came from: an address or a service's name.
    pub address: String,
    /// What made the call.
    pub agent: String,
    /// The IAM Identity Center user on whose behalf it was made: the id in the identity store.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity_center_user: String,
    /// The identity store of that user, by its ARN.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity_store: String,
}

impl Actor {
    pub(super) fn parse(record: &Value) -> Result<Self, EventError> {
        let at = |error: EventError| error.within("userIdentity.");
        let none = Value::Null;
        let identity = object_in(record, "userIdentity")?.unwrap_or(&none);
        let session = object_in(identity, "sessionContext").map_err(at)?.unwrap_or(&none);
        let issuer = object_in(session, "sessionIssuer").map_err(at)?.unwrap_or(&none);
        let behalf = object_in(identity, "onBehalfOf").map_err(at)?.unwrap_or(&none);
        let from = |of: &Value, name| optional_text(of, name).map(Option::unwrap_or_default);
        let of_identity = |name| from(identity, name).map_err(at);
        let principal = of_identity("principalId")?;
        let arn = of_identity("arn")?;
        Ok(Self {
            kind: of_identity("type")?,
            arn: if arn.is_empty() { principal } else { arn },
            account: of_identity("accountId")?,
            role: from(issuer, "arn").map_err(at)?,
            human: from(session, "sourceIdentity").map_err(at)?,
            service: of_identity("invokedBy")?,
            address: from(record, "sourceIPAddress")?,
            agent: from(record, "userAgent")?,
            identity_center_user: from(behalf, "userId").map_err(at)?,
            identity_store: from(behalf, "identityStoreArn").map_err(at)?,
        })
    }

    /// Whoever asks for an operation, by the name that the request gives.
    pub fn asking(who: Option<&str>) -> Self {
        Self {
            arn: who.unwrap_or("somebody who did not say who").to_owned(),
            ..Self::default()
        }
    }

    /// The infrastructure-as-code tool behind the call, which will put its own state back at its next run.
    pub fn tool(&self) -> Option<&'static str> {
        // Terraform comes last: other tools are built on its provider, and say so beside their own name.
        const BY_AGENT: [(&str, &[&str]); 3] = [
            ("Pulumi", &["pulumi/", "Pulumi/", "pulumi-aws"]),
            ("Crossplane", &["crossplane", "upbound"]),
            ("Terraform", &["Terraform/", "terraform-provider-aws/", "HashiCorp"]),
        ];
        let is = |name: &str| self.service == name || self.agent == name || self.address == name;
        if is("cloudformation.amazonaws.com") {
            return Some("CloudFormation");
        }
        let by_agent = BY_AGENT
            .into_iter()
            .find(|(_, marks)| marks.iter().any(|mark| self.agent.contains(mark)));
        by_agent.map(|(tool, _)| tool)
    }

    /// The caller in words for an alert.
    pub fn describe(&self) -> String {
        let who = [&self.arn, &self.service, &self.kind]
            .into_iter()
            .find(|name| !name.is_empty());
        let mut text = who.map_or_else(|| "unknown (the event does not say)".to_owned(), Clone::clone);
        // A unique id does not say whose it is. Source: CloudTrail User Guide, "CloudTrail userIdentity element", `AWSAccount`.
        if self.kind == "AWSAccount" && !self.account.is_empty() && !text.contains(&self.account) {
            text = format!("{text} of account {}", self.account);
        }
        if !self.identity_center_user.is_empty() {
            let user = format!("IAM Identity Center user {}", self.identity_center_user);
            let store = self.identity_store.rsplit('/').next().filter(|store| !store.is_empty());
            let user = store.map_or(user.clone(), |store| format!("{user} of identity store {store}"));
            text = if self.kind == "IdentityCenterUser" {
                user
            } else {
                format!("{user} as {text}")
            };
        }
        if !self.human.is_empty() {
            text = format!("{} as {text}", self.human);
        }
        if !self.address.is_empty() {
            text = format!("{text}, from {}", self.address);
        }
        text
    }
}
