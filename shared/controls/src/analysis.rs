//! A resource's policy as the analyser sees it, under the trust of the settings.

use portcullis_access::{
    Change, ChangeKind, Fix, FixError, Goal, Judgement, Offence, Policy, Scope, Service, Statement, Trust, Verdict,
};
use portcullis_core::{JudgeContext, Resource, Settings};
use serde_json::Value;

use crate::cure::{Cure, NO_FIX};

/// A policy with what the analyser says of it.
pub struct Analysis<'a> {
    policy: Policy,
    trust: Trust,
    service: Service,
    resource: &'a Resource,
    /// Who it lets in.
    pub judgement: Judgement,
}

impl<'a> Analysis<'a> {
    /// Judges a policy of the scope's resource; an error says why it can't be read.
    pub fn new(text: &str, service: Service, scope: &JudgeContext<'a>) -> Result<Self, String> {
        let policy = Policy::parse_for(service, text).map_err(|error| error.to_string())?;
        let (trust, resource) = (trust(scope.settings), scope.resource);
        let judgement = portcullis_access::judge(&policy, &access(service, resource, &trust));
        Ok(Self {
            policy,
            trust,
            service,
            resource,
            judgement,
        })
    }

    /// The policy as read.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whom the settings trust.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The resource whose policy it is.
    pub fn resource(&self) -> &'a Resource {
        self.resource
    }

    /// Who it lets in at worst.
    pub fn verdict(&self) -> Verdict {
        self.judgement.verdict
    }

    /// Whom another policy would let in, in place of this one.
    pub fn judge(&self, policy: &Policy) -> Judgement {
        portcullis_access::judge(policy, &access(self.service, self.resource, &self.trust))
    }

    /// The indices of the statements with this verdict.
    pub fn offending(&self, verdict: Verdict) -> Vec<usize> {
        self.of(verdict).map(|offence| offence.index).collect()
    }

    /// The reasons of the statements with this verdict.
    pub fn reasons(&self, verdict: Verdict) -> Vec<&str> {
        self.of(verdict).map(|offence| offence.reason.as_str()).collect()
    }

    fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Offence> {
        let offending = self.judgement.offending.iter();
        offending.filter(move |offence| offence.verdict == verdict)
    }

    /// A statement as it is written.
    pub fn statement(&self, index: usize) -> Option<Value> {
        let text = self.policy.statements().get(index).map(Statement::text);
        serde_json::from_str(text?).ok()
    }

    /// The smallest fix that reaches a goal, as the analyser gives it.
    pub fn fix(&self, goal: Goal) -> Result<Fix, FixError> {
        portcullis_access::fix(&self.policy, &access(self.service, self.resource, &self.trust), goal)
    }

    /// Changes in words.
    pub fn told(&self, changes: &[Change]) -> String {
        let count = self.policy.statements().len();
        let one = |change: &Change| {
            let name = named(change.sid.as_deref(), change.index);
            match change.kind {
                ChangeKind::Removed => format!("remove statement {name} of {count}"),
                ChangeKind::Narrowed => format!("narrow statement {name} of {count}: {}", change.note),
            }
        };
        changes.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

/// The smallest fix that reaches a goal, of a resource that may be without a policy: then there is none to write.
pub fn smallest_cure(analysis: &Analysis<'_>, goal: Goal) -> Cure<Option<String>> {
    match analysis.fix(goal) {
        Ok(Fix::Rewrite { policy, changes }) => Cure::Write(Some(policy), analysis.told(&changes)),
        Ok(Fix::Delete) => Cure::Write(None, "delete its policy, of which nothing else is left".into()),
        Ok(Fix::Undecided { reason }) => Cure::Nothing(reason),
        Ok(Fix::Nothing) => Cure::Nothing(NO_FIX.into()),
        Err(error) => Cure::Nothing(error.to_string()),
    }
}

/// A statement's name in words: its `Sid`, or its number.
pub fn named(sid: Option<&str>, index: usize) -> String {
    sid.map_or_else(|| (index + 1).to_string(), |sid| format!("{sid:?}"))
}

/// Whom and what the settings trust, as the analyser has it.
pub fn trust(settings: &Settings) -> Trust {
    let trusted = &settings.trusted;
    Trust {
        accounts: trusted.accounts.iter().cloned().collect(),
        organizations: trusted.organizations.iter().cloned().collect(),
        org_paths: trusted.organization_paths.iter().cloned().collect(),
        vpcs: trusted.vpcs.iter().cloned().collect(),
        vpc_endpoints: trusted.vpc_endpoints.iter().cloned().collect(),
        networks: trusted.networks.iter().cloned().collect(),
        ids: trusted.canonical_users.iter().cloned().collect(),
    }
}

fn access<'a>(service: Service, resource: &'a Resource, trust: &'a Trust) -> Scope<'a> {
    Scope {
        service,
        owner: &resource.account,
        trust,
        resource: Some(&resource.arn),
    }
}
