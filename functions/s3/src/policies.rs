//! What the controls of policies share: who is trusted, how a fix is told, how a statement is added.

use portcullis_access::{
    Change, ChangeKind, Fix, Goal, Judgement, Policy, Scope as AccessScope, Service, Trust, Verdict,
};
use portcullis_core::{Scope, Severity};
use serde_json::{Value, json};

/// The most that S3 takes, in bytes. Source: S3 User Guide, "Bucket policies".
pub const LARGEST_POLICY: usize = 20 * 1024;

/// A policy with what the analyser says of it.
pub struct Analysis {
    policy: Policy,
    service: Service,
    trust: Trust,
    owner: String,
    resource: String,
    /// Who it lets in.
    pub judgement: Judgement,
}

/// What would put a policy right.
pub enum Cure {
    /// The new policy, or none where nothing is left of it, and what is changed.
    Write(Option<String>, String),
    /// A person has to look: why.
    Nothing(String),
}

impl Analysis {
    /// Judges a policy; an error says why it can't be read.
    pub fn new(text: &str, service: Service, scope: &Scope<'_>) -> Result<Self, String> {
        let policy = Policy::parse(text).map_err(|error| error.to_string())?;
        let trusted = &scope.settings.trusted;
        let trust = Trust {
            accounts: trusted.accounts.iter().cloned().collect(),
            organizations: trusted.organizations.iter().cloned().collect(),
            org_paths: trusted.organization_paths.iter().cloned().collect(),
            vpcs: trusted.vpcs.iter().cloned().collect(),
            vpc_endpoints: trusted.vpc_endpoints.iter().cloned().collect(),
            networks: trusted.networks.iter().cloned().collect(),
            ..Trust::default()
        };
        let (owner, resource) = (scope.resource.account.clone(), scope.resource.arn.clone());
        let access = AccessScope {
            service,
            owner: &owner,
            trust: &trust,
            resource: Some(&resource),
        };
        let judgement = portcullis_access::judge(&policy, &access);
        Ok(Self {
            policy,
            service,
            trust,
            owner,
            resource,
            judgement,
        })
    }

    /// Who it lets in at worst.
    pub fn verdict(&self) -> Verdict {
        self.judgement.verdict
    }

    /// The indices of the statements with this verdict.
    pub fn offending(&self, verdict: Verdict) -> Vec<usize> {
        self.judgement
            .offending
            .iter()
            .filter(|offence| offence.verdict == verdict)
            .map(|offence| offence.index)
            .collect()
    }

    /// Whether a statement only lets objects be read and listed, as public data may be.
    pub fn only_reads(&self, index: usize) -> bool {
        const READS: [&str; 5] = [
            "s3:getobject",
            "s3:getobjectversion",
            "s3:getobjecttagging",
            "s3:listbucket",
            "s3:getbucketlocation",
        ];
        let statement = self
            .policy
            .statements()
            .get(index)
            .and_then(|one| serde_json::from_str::<Value>(one.text()).ok());
        let actions = statement
            .as_ref()
            .and_then(|statement| statement.get("Action"))
            .map(portcullis_core::event::strings);
        actions.is_some_and(|actions| {
            !actions.is_empty()
                && actions
                    .iter()
                    .all(|action| READS.contains(&action.to_ascii_lowercase().as_str()))
        })
    }

    /// The smallest fix that reaches a goal.
    pub fn cure(&self, goal: Goal) -> Cure {
        let scope = AccessScope {
            service: self.service,
            owner: &self.owner,
            trust: &self.trust,
            resource: Some(&self.resource),
        };
        let count = self.policy.statements().len();
        match portcullis_access::fix(&self.policy, &scope, goal) {
            Ok(Fix::Rewrite { policy, changes }) => Cure::Write(Some(policy), told(&changes, count)),
            Ok(Fix::Delete) => Cure::Write(None, "delete its policy, of which nothing else is left".into()),
            Ok(Fix::Undecided { reason }) => Cure::Nothing(reason),
            Ok(Fix::Nothing) => Cure::Nothing("no single statement can be changed to that end".into()),
            Err(error) => Cure::Nothing(error.to_string()),
        }
    }
}

fn told(changes: &[Change], count: usize) -> String {
    let one = |change: &Change| {
        let name = change
            .sid
            .as_ref()
            .map_or_else(|| format!("{}", change.index + 1), |sid| format!("{sid:?}"));
        match change.kind {
            ChangeKind::Removed => format!("remove statement {name} of {count}"),
            ChangeKind::Narrowed => format!("narrow statement {name} of {count}: {}", change.note),
        }
    };
    changes.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// A policy with one more statement; the others stay byte for byte. `Sid` is made unique.
pub fn with_statement(policy: Option<&str>, mut statement: Value) -> Result<String, String> {
    let Some(text) = policy else {
        return Ok(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string());
    };
    let wanted = statement["Sid"].as_str().unwrap_or_default().to_owned();
    let taken = |sid: &str| text.contains(&format!("\"{sid}\""));
    let sid = (1..=LARGEST_POLICY)
        .map(|n| if n == 1 { wanted.clone() } else { format!("{wanted}{n}") })
        .find(|sid| !taken(sid));
    statement["Sid"] = json!(sid.unwrap_or(wanted));
    let policy = Policy::parse(text)
        .map_err(|error| error.to_string())?
        .with_statement(&statement.to_string());
    if policy.len() > LARGEST_POLICY {
        return Err(format!(
            "with the statement it would have {} bytes, of {LARGEST_POLICY} that S3 takes",
            policy.len()
        ));
    }
    Ok(policy)
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
