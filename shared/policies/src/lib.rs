//! What all controls of resource policies share: whom the settings trust, whom a policy lets in, its smallest fix, and how
//! that is told.
//!
//! It joins the words (`core`) with the analyser (`access`), which know nothing of each other.

use portcullis_access::{
    Change, ChangeKind, Fix, FixError, Goal, Judgement, Policy, Scope as AccessScope, Service, Statement, Trust,
    Verdict,
};
use portcullis_core::{Clause, Finding, JudgeContext, Resource, Settings, Severity};
use serde_json::{Value, json};

/// A policy with what the analyser says of it.
pub struct Analysis<'a> {
    policy: Policy,
    trust: Trust,
    service: Service,
    resource: &'a Resource,
    /// Who it lets in.
    pub judgement: Judgement,
}

/// What would put a policy right; `P` is a policy, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cure<P> {
    /// What to write, and what is changed.
    Write(P, String),
    /// A person has to look: why.
    Nothing(String),
}

impl<P> Cure<P> {
    /// The finding that goes with it.
    pub fn finding<R>(self, severity: Severity, summary: Clause, remedy: impl FnOnce(P) -> R) -> Finding<R> {
        match self {
            Self::Write(policy, change) => Finding::new(severity, summary, change, vec![remedy(policy)]),
            Self::Nothing(why) => Finding::new(severity, summary, "", Vec::new()).only_notify(why),
        }
    }
}

impl<'a> Analysis<'a> {
    /// Judges a policy of the scope's resource; an error says why it can't be read.
    pub fn new(text: &str, service: Service, scope: &JudgeContext<'a>) -> Result<Self, String> {
        let policy = Policy::parse(text).map_err(|error| error.to_string())?;
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

    fn of(&self, verdict: Verdict) -> impl Iterator<Item = &portcullis_access::Offence> {
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

    /// The smallest fix that reaches a goal, of a resource that may be without a policy: then there is none to write.
    pub fn cure(&self, goal: Goal) -> Cure<Option<String>> {
        match self.fix(goal) {
            Ok(Fix::Rewrite { policy, changes }) => Cure::Write(Some(policy), self.told(&changes)),
            Ok(Fix::Delete) => Cure::Write(None, "delete its policy, of which nothing else is left".into()),
            Ok(Fix::Undecided { reason }) => Cure::Nothing(reason),
            Ok(Fix::Nothing) => Cure::Nothing(NO_FIX.into()),
            Err(error) => Cure::Nothing(error.to_string()),
        }
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

/// Whom a policy lets in outside of trust, if anybody; `cure` makes the policy for those of trust only.
pub fn external<P, R>(
    analysis: &Analysis<'_>,
    cure: impl FnOnce(&Analysis<'_>) -> Cure<P>,
    remedy: impl FnOnce(P) -> R,
) -> Option<Finding<R>> {
    let reasons = analysis.reasons(Verdict::External);
    if reasons.is_empty() {
        return None;
    }
    let summary = outsiders(&reasons.join("; "));
    if analysis.verdict() == Verdict::Public {
        // The fix would take the public statements as well, which another control answers for.
        let finding = Finding::new(Severity::High, summary, "", Vec::new());
        return Some(finding.only_notify("it is public as well: put that right first"));
    }
    Some(cure(analysis).finding(Severity::High, summary, remedy))
}

/// What is told of a resource that somebody outside of trust gets into; who follows.
pub const OUTSIDERS: &str = "lets in somebody outside of trust";

/// The same as a clause.
pub fn outsiders(who: &str) -> Clause {
    Clause::new(OUTSIDERS, "let in somebody outside of trust").followed_by(format!(": {who}"))
}

/// Why there is nothing to write where the analyser has no fix.
pub const NO_FIX: &str = "no single statement can be changed to that end";

/// What is told of a policy that can't be read.
pub fn unreadable<R>(error: &str) -> Finding<R> {
    let summary = Clause::has(format!("a policy that can't be read: {error}"));
    Finding::new(Severity::High, summary, "", Vec::new()).only_notify("what can't be read can't be changed safely")
}

/// A statement's name in words: its `Sid`, or its number.
pub fn named(sid: Option<&str>, index: usize) -> String {
    sid.map_or_else(|| (index + 1).to_string(), |sid| format!("{sid:?}"))
}

/// A policy with one more statement; the others stay byte for byte. `Sid` is made unique. An error says why there can be
/// none, as where the service takes no more than `largest` bytes.
pub fn with_statement(policy: Option<&str>, mut statement: Value, largest: usize) -> Result<String, String> {
    let Some(text) = policy else {
        return Ok(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string());
    };
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

fn access<'a>(service: Service, resource: &'a Resource, trust: &'a Trust) -> AccessScope<'a> {
    AccessScope {
        service,
        owner: &resource.account,
        trust,
        resource: Some(&resource.arn),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::History;

    use super::*;

    const ARN: &str = "arn:aws:sqs:eu-west-1:111122223333:q-1";

    fn statement(sid: &str, account: &str) -> String {
        format!(
            r#"{{"Sid":"{sid}","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"sqs:SendMessage","Resource":"{ARN}"}}"#
        )
    }

    fn analysed<T>(statements: &[String], settings: &Settings, look: impl FnOnce(&Analysis<'_>) -> T) -> T {
        let resource = Resource {
            kind: "AWS::SQS::Queue".into(),
            arn: ARN.into(),
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            id: "q-1".into(),
        };
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        let scope = JudgeContext {
            resource: &resource,
            settings,
            level: &settings.classification.levels["internal"],
            level_name: "internal",
            own_role: "",
            region: "eu-west-1",
            now: jiff::Timestamp::UNIX_EPOCH,
            history: &History::default(),
        };
        look(&Analysis::new(&text, Service::Sqs, &scope).unwrap())
    }

    #[test]
    fn the_settings_say_who_is_trusted() {
        let statements = [statement("Own", "111122223333"), statement("Partner", "444455556666")];
        let mut settings = Settings::default();
        analysed(&statements, &settings, |analysis| {
            assert_eq!(analysis.offending(Verdict::External), [1]);
            assert!(analysis.reasons(Verdict::External)[0].contains("444455556666"));
            let Cure::Write(Some(policy), change) = analysis.cure(Goal::Private) else {
                panic!()
            };
            assert_eq!(
                analysis.judge(&Policy::parse(&policy).unwrap()).verdict,
                Verdict::Private
            );
            assert_eq!(change, "remove statement \"Partner\" of 2");
        });
        settings.trusted.accounts.push("444455556666".into());
        analysed(&statements, &settings, |analysis| {
            assert_eq!(analysis.verdict(), Verdict::Private);
        });
    }

    #[test]
    fn where_nothing_is_left_there_is_no_policy_to_write() {
        let cure = analysed(
            &[statement("Partner", "444455556666")],
            &Settings::default(),
            |analysis| analysis.cure(Goal::Private),
        );
        let found = cure.finding(Severity::High, outsiders("somebody"), |policy| policy);
        assert_eq!(found.remedies, [None]);
        let told =
            Cure::<String>::Nothing("it is not clear".into())
                .finding(Severity::High, Clause::is("open"), |policy| policy);
        assert_eq!(
            (told.remedies.len(), told.only_notify.as_deref()),
            (0, Some("it is not clear"))
        );
    }

    #[test]
    fn an_added_statement_has_a_name_of_its_own_and_fits() {
        let text = format!(r#"{{ "Statement" : [{}] }}"#, statement("Tls", "111122223333"));
        let deny = json!({"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
        let with = with_statement(Some(&text), deny.clone(), 1000).unwrap();
        assert!(
            with.contains(&statement("Tls", "111122223333")) && with.contains("\"Tls2\""),
            "{with}"
        );
        let error = with_statement(Some(&text), deny, 100).unwrap_err();
        assert!(error.contains("of 100 that the service takes"), "{error}");
    }
}
