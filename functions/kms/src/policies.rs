//! What the controls of key policies share: who is trusted, how a fix is made that locks nobody out, how it is told.

use portcullis_access::{
    Change, ChangeKind, Fix, Goal, Judgement, KeyFinding, Policy, Scope as AccessScope, Service, Trust, Verdict,
};
use portcullis_core::Scope;
use portcullis_core::event::{field, string};
use serde_json::{Value, json};

use crate::lockout::{self, Manager};

/// The most that KMS takes, in bytes. Source: KMS Developer Guide, "Quotas".
const LARGEST_POLICY: usize = 32 * 1024;

/// A policy with what the analyser says of it.
pub struct Analysis<'a> {
    policy: Policy,
    trust: Trust,
    scope: &'a Scope<'a>,
    /// Who it lets in.
    pub judgement: Judgement,
}

/// What would put a policy right.
pub enum Cure {
    /// The new policy, and what is changed.
    Write(String, String),
    /// A person has to look: why.
    Nothing(String),
}

impl<'a> Analysis<'a> {
    /// Judges a policy; an error says why it can't be read.
    pub fn new(text: &str, scope: &'a Scope<'a>) -> Result<Self, String> {
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
        let judgement = portcullis_access::judge(&policy, &access(scope, &trust));
        Ok(Self {
            policy,
            trust,
            scope,
            judgement,
        })
    }

    /// How many statements it has.
    pub fn statements(&self) -> usize {
        self.policy.statements().len()
    }

    /// The reasons of the statements with this verdict.
    pub fn reasons(&self, verdict: Verdict) -> Vec<&str> {
        let offending = self.judgement.offending.iter();
        offending
            .filter(|offence| offence.verdict == verdict)
            .map(|offence| offence.reason.as_str())
            .collect()
    }

    /// The smallest fix that reaches a goal and leaves the account in charge of the key.
    pub fn cure(&self, goal: Goal) -> Cure {
        let count = self.policy.statements().len();
        let why = match portcullis_access::fix(&self.policy, &access(self.scope, &self.trust), goal) {
            Ok(Fix::Rewrite { policy, changes }) => match self.refusal(&policy) {
                None => return Cure::Write(policy, told(&changes, count)),
                Some(why) => why,
            },
            Ok(Fix::Delete) => "nothing would be left of it, and a key can't be without a policy".into(),
            Ok(Fix::Undecided { reason }) => return Cure::Nothing(reason),
            Ok(Fix::Nothing) => "no single statement can be changed to that end".into(),
            Err(error) => error.to_string(),
        };
        self.narrow(goal).unwrap_or(Cure::Nothing(why))
    }

    /// The same policy, with the account in place of everybody else where it offends: for what is let in too widely by the
    /// very statement that the account depends on.
    fn narrow(&self, goal: Goal) -> Option<Cure> {
        let root = lockout::root_of(self.scope.resource);
        let count = self.policy.statements().len();
        let (mut policy, mut changes) = (self.policy.clone(), Vec::new());
        for offence in &self.judgement.offending {
            if goal == Goal::NotPublic && offence.verdict < Verdict::Public {
                continue;
            }
            let text = self.policy.statements().get(offence.index)?.text();
            let mut statement: Value = serde_json::from_str(text).ok()?;
            // Nobody may get more than before: only where the account was let in by the same statement.
            let object = statement.as_object_mut()?;
            if !object.get("Principal").is_some_and(names_everyone) {
                return None;
            }
            object.insert("Principal".into(), json!({ "AWS": root }));
            policy = Policy::parse(&policy.with_replaced(offence.index, &statement.to_string())).ok()?;
            let name = name(offence.sid.as_deref(), offence.index);
            changes.push(format!("let statement {name} of {count} be for {root} only"));
        }
        let text = policy.text().to_owned();
        let verdict = portcullis_access::judge(&policy, &access(self.scope, &self.trust)).verdict;
        let reached = match goal {
            Goal::NotPublic => verdict < Verdict::Public,
            Goal::Private => verdict == Verdict::Private,
        };
        (reached && self.refusal(&text).is_none()).then(|| Cure::Write(text, changes.join("; ")))
    }

    /// Why a policy must not be written, if so.
    fn refusal(&self, new: &str) -> Option<String> {
        let key = self.scope.resource;
        if new.len() > LARGEST_POLICY {
            return Some(format!(
                "it would have {} bytes, of {LARGEST_POLICY} that KMS takes",
                new.len()
            ));
        }
        let (before, after) = (lockout::manager(self.policy.text(), key), lockout::manager(new, key));
        match after {
            Manager::Root => None,
            Manager::Principal if before == Manager::Principal => None,
            _ if before == Manager::Root => Some("the account could not manage the key any more".into()),
            _ => Some("nobody of the account can surely manage the key as it is: put that right first".into()),
        }
    }
}

fn access<'a>(scope: &'a Scope<'_>, trust: &'a Trust) -> AccessScope<'a> {
    AccessScope {
        service: Service::Kms,
        owner: &scope.resource.account,
        trust,
        resource: Some(&scope.resource.arn),
    }
}

fn names_everyone(principal: &Value) -> bool {
    let everyone = |value: &Value| portcullis_core::event::strings(value).iter().any(|name| name == "*");
    everyone(principal) || principal.get("AWS").is_some_and(everyone)
}

fn name(sid: Option<&str>, index: usize) -> String {
    sid.map_or_else(|| format!("{}", index + 1), |sid| format!("{sid:?}"))
}

fn told(changes: &[Change], count: usize) -> String {
    let one = |change: &Change| {
        let name = name(change.sid.as_deref(), change.index);
        match change.kind {
            ChangeKind::Removed => format!("remove statement {name} of {count}"),
            ChangeKind::Narrowed => format!("narrow statement {name} of {count}: {}", change.note),
        }
    };
    changes.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What a key policy lacks of AWS's practice, in words that follow "lacks good practice:". Whom it lets in is not said here:
/// other controls do.
pub fn lacks(analysis: &Analysis<'_>) -> Vec<(KeyFinding, String)> {
    let Analysis {
        policy, trust, scope, ..
    } = analysis;
    let found = portcullis_access::key_practice(policy, &scope.resource.account, trust).findings;
    let of = |index: Option<usize>| {
        let statement = index.and_then(|index| Some((index, policy.statements().get(index)?)));
        let sid = statement.and_then(|(_, statement)| {
            let text: Value = serde_json::from_str(statement.text()).ok()?;
            field(&text, "Sid").and_then(string)
        });
        index.map_or_else(String::new, |index| {
            format!("statement {}", name(sid.as_deref(), index))
        })
    };
    let words = |(kind, index): (KeyFinding, Option<usize>)| {
        let text = match kind {
            KeyFinding::Public | KeyFinding::External => return None,
            KeyFinding::NoMfa => "managing the key does not ask for MFA".to_owned(),
            KeyFinding::MfaDenyTooWide => format!("{} denies use without MFA too, which stops applications", of(index)),
            KeyFinding::AdminIsUser => "somebody both administers and uses the key".to_owned(),
            KeyFinding::KmsStarNonroot => format!("{} has kms:* for somebody else than the account", of(index)),
            KeyFinding::UserNotViaService => format!("{} lets the key be used without kms:ViaService", of(index)),
            KeyFinding::GrantNotAwsOnly => {
                format!("{} lets grants be made without kms:GrantIsForAWSResource", of(index))
            }
            KeyFinding::NoAccountRoot => "the account itself can't manage the key".to_owned(),
        };
        Some((kind, text))
    };
    found.into_iter().filter_map(words).collect()
}
