//! Requests, and which statements of the documents deny them.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_access::{
    Caller, Effect, OrganizationAccounts, OrganizationPolicy, OrganizationRequest, Policy, PolicyError, Request,
    Statement, Truth, applying, names_action,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::declarative;
use crate::documents::Document;
use crate::kind::DocumentKind;

/// A request as a file of requests has it, with the verdict that is expected.
#[derive(Debug, Clone, Deserialize)]
pub struct Sample {
    /// What it is called.
    #[serde(default)]
    pub id: String,
    /// The guardrail that it is about: the beginning of a Sid, or the name of a declarative policy.
    #[serde(default)]
    pub guardrail: Option<String>,
    /// The kind of documents that it is about: `scp`, `rcp`, `iam` or `declarative`; all where it is missing.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// The request.
    pub request: SampleRequest,
    /// `deny` or `allow`; nothing is expected where it is missing.
    #[serde(default)]
    pub expect: Option<Expected>,
}

/// What a sample expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// Its guardrail denies it; any, where it names none.
    Deny,
    /// Neither its guardrail nor any of the default tier denies it.
    Allow,
}

/// The request of a sample.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleRequest {
    /// The caller: the ARN of a user, a role or a session, the name of an AWS service, or `anonymous`.
    pub principal: String,
    /// The IAM action.
    pub action: String,
    /// The ARN of the resource, or `*`.
    pub resource: String,
    /// The account that owns the resource; by its ARN, or the caller's, where it is missing.
    #[serde(default)]
    pub resource_account: Option<String>,
    /// The condition keys, each with a value or a list.
    #[serde(default)]
    pub context: BTreeMap<String, Value>,
}

/// A principal by its ARN: its account, and the role behind a session.
pub(crate) fn caller(principal: &str) -> Caller {
    if let Some(account) = account_of(principal) {
        return Caller::Account {
            account,
            arn: principal.to_owned(),
        };
    }
    if principal.contains(".amazonaws.") || principal.ends_with(".amazonaws.com") {
        return Caller::Service {
            name: principal.to_owned(),
        };
    }
    Caller::Anonymous
}

pub(crate) fn account_of(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let account = (parts.next() == Some("arn")).then(|| parts.nth(3)).flatten()?;
    (!account.is_empty()).then(|| account.to_owned())
}

/// `aws:PrincipalArn` of a session is the role's ARN. The session does not tell the role's path.
pub(crate) fn principal_arn(arn: &str) -> String {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        [_, partition, "sts", _, account, resource] => {
            let role = resource
                .strip_prefix("assumed-role/")
                .and_then(|rest| rest.split('/').next());
            role.map_or_else(
                || arn.to_owned(),
                |role| format!("arn:{partition}:iam::{account}:role/{role}"),
            )
        }
        _ => arn.to_owned(),
    }
}

/// Adds what each request has and the caller alone tells, where it is not said.
pub(crate) fn complete(request: &mut Request) {
    let is_service = matches!(request.caller, Caller::Service { .. });
    let mut set = |key: &str, value: String| {
        request.context.entry(key.to_owned()).or_insert_with(|| vec![value]);
    };
    if let Caller::Account { account, arn } = &request.caller {
        set("aws:principalarn", principal_arn(arn));
        set("aws:principalaccount", account.clone());
    }
    set("aws:principalisawsservice", is_service.to_string());
    set("aws:securetransport", "true".to_owned());
}

impl SampleRequest {
    /// As policies are asked.
    pub fn asked(&self) -> OrganizationRequest {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let values = |value: &Value| match value {
            Value::Array(list) => list.iter().map(text).collect(),
            one => vec![text(one)],
        };
        let context = self.context.iter();
        let mut request = Request {
            caller: caller(&self.principal),
            action: self.action.clone(),
            resource: self.resource.clone(),
            context: context
                .map(|(key, value)| (key.to_ascii_lowercase(), values(value)))
                .collect(),
        };
        complete(&mut request);
        let owner = self.resource_account.clone().or_else(|| account_of(&self.resource));
        OrganizationRequest {
            owner: owner.or_else(|| account_of(&self.principal)).unwrap_or_default(),
            request,
            unknown: BTreeSet::new(),
        }
    }
}

/// A statement that denies a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Denial {
    /// The document.
    pub document: String,
    /// The statement's Sid, or what of a declarative policy refuses.
    pub sid: String,
    /// The guardrail that the statement is of.
    pub guardrail: &'static str,
    /// Whether that is sure, or depends on keys of which nobody can say what the request has.
    pub sure: bool,
    /// Those keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// What the request has, or has not, of what the statement asks for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

/// Documents, ready to be asked.
pub struct Evaluator {
    documents: Vec<(DocumentKind, String, Asked)>,
    guardrails: BTreeMap<String, &'static str>,
}

enum Asked {
    Policy(Box<Policy>),
    Declarative(Value),
}

impl Evaluator {
    /// Reads documents. An error says which one is no policy.
    pub fn new(documents: &[Document]) -> Result<Self, (String, PolicyError)> {
        let read = |document: &Document| {
            let asked = match document.kind {
                DocumentKind::Ec2 | DocumentKind::S3 => Asked::Declarative(document.content.clone()),
                _ => Asked::Policy(Box::new(
                    Policy::parse(&document.text()).map_err(|error| (document.name.clone(), error))?,
                )),
            };
            Ok((document.kind, document.name.clone(), asked))
        };
        let written = documents.iter().flat_map(|document| &document.statements);
        Ok(Self {
            documents: documents.iter().map(read).collect::<Result<_, _>>()?,
            guardrails: written
                .map(|written| (written.sid.clone(), written.guardrail))
                .collect(),
        })
    }

    /// Whether a document may be about an action: most calls are about none, and need not be asked.
    pub fn concerns(&self, action: &str) -> bool {
        let mut documents = self.documents.iter();
        documents.any(|(_, _, asked)| match asked {
            Asked::Policy(policy) => names_action(policy, action),
            Asked::Declarative(_) => declarative::names_action(action),
        })
    }

    /// The condition keys that the statements ask for, in lower case, and those by which declarative policies decide.
    pub fn keys(&self) -> BTreeSet<String> {
        let policies = self.documents.iter().filter_map(|(_, _, asked)| match asked {
            Asked::Policy(policy) => Some(policy.statements()),
            Asked::Declarative(_) => None,
        });
        let conditions = policies.flatten().flat_map(|statement| &statement.conditions);
        let keys = conditions.map(|condition| condition.key.clone());
        keys.chain(["ec2:add/group".to_owned()]).collect()
    }

    /// Whether there are documents of a kind.
    pub fn has(&self, kind: DocumentKind) -> bool {
        self.documents.iter().any(|(of, _, _)| *of == kind)
    }

    /// The statements that deny a request, of the documents of some kinds.
    pub fn denials(
        &self,
        asked: &OrganizationRequest,
        accounts: &OrganizationAccounts,
        takes: impl Fn(DocumentKind) -> bool,
    ) -> Vec<Denial> {
        let documents = self.documents.iter().filter(|(kind, _, _)| takes(*kind));
        documents
            .filter(|(kind, _, _)| binds(*kind, asked, accounts))
            .flat_map(|(kind, name, document)| match document {
                Asked::Policy(policy) => self.of_policy(name, policy, asked),
                Asked::Declarative(content) => declarative::refused(*kind, content, &asked.request)
                    .into_iter()
                    .map(|sid| Denial {
                        document: name.clone(),
                        sid: sid.to_owned(),
                        guardrail: sid,
                        sure: true,
                        depends_on: Vec::new(),
                        because: Vec::new(),
                    })
                    .collect(),
            })
            .collect()
    }

    fn of_policy(&self, document: &str, policy: &Policy, asked: &OrganizationRequest) -> Vec<Denial> {
        applying(policy, Effect::Deny, asked)
            .map(|(statement, truth)| {
                let sid = statement.sid.as_deref().unwrap_or_default();
                let mut keys: Vec<_> = statement
                    .conditions
                    .iter()
                    .map(|condition| condition.key.clone())
                    .filter(|key| truth == Truth::Maybe && asked.unknown.contains(key))
                    .collect();
                keys.dedup();
                Denial {
                    document: document.to_owned(),
                    guardrail: self.guardrails.get(sid).copied().unwrap_or_default(),
                    sid: sid.to_owned(),
                    sure: truth == Truth::Yes,
                    depends_on: keys,
                    because: because(statement, asked),
                }
            })
            .collect()
    }
}

fn binds(kind: DocumentKind, asked: &OrganizationRequest, accounts: &OrganizationAccounts) -> bool {
    match kind {
        DocumentKind::Scp => OrganizationPolicy::ServiceControl.binds(asked, accounts),
        DocumentKind::Rcp => OrganizationPolicy::ResourceControl.binds(asked, accounts),
        // The service itself answers, whoever asks.
        DocumentKind::Ec2 | DocumentKind::S3 => accounts.is_member(&asked.owner),
        DocumentKind::Iam | DocumentKind::Boundary => matches!(asked.request.caller, Caller::Account { .. }),
        DocumentKind::Endpoint => false,
    }
}

/// What the request has of the keys that the statement asks for. Who is exempt is left out: the caller is not.
fn because(statement: &Statement, asked: &OrganizationRequest) -> Vec<String> {
    let mut keys: Vec<_> = statement.conditions.iter().map(|condition| &condition.key).collect();
    keys.sort();
    keys.dedup();
    let keys = keys.into_iter().filter(|key| key.as_str() != "aws:principalarn");
    keys.map(|key| match asked.request.context.get(key) {
        _ if asked.unknown.contains(key) => format!("{key} is not recorded"),
        Some(values) => format!("{key} is {}", values.join(", ")),
        None => format!("{key} is missing"),
    })
    .collect()
}
