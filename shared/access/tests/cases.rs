//! Every case of `tests/cases/`: policies whose verdict AWS's documentation decides, with the page that does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeSet;

use portcullis_access::{
    Fix, FixError, Goal, NoteKind, Policy, S3Verdict, Scope, Service, Trust, Truth, Verdict, evaluate, fix, judge,
};
use serde::Deserialize;
use serde_json::value::RawValue;

const OWNER: &str = "111122223333";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    service: Service,
    policy: Box<RawValue>,
    expect: Verdict,
    #[serde(default)]
    organizations: BTreeSet<String>,
    #[serde(default)]
    accounts: BTreeSet<String>,
    #[serde(default)]
    networks: BTreeSet<String>,
    #[serde(default)]
    ids: BTreeSet<String>,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    s3: Option<S3Verdict>,
    #[serde(default)]
    offending: Vec<(usize, Verdict)>,
    #[serde(default)]
    flags: Vec<String>,
    why: String,
    source: String,
}

impl Case {
    fn trust(&self) -> Trust {
        let of = |prefix: &str| {
            self.networks
                .iter()
                .filter(|one| one.starts_with(prefix))
                .cloned()
                .collect()
        };
        Trust {
            accounts: self.accounts.clone(),
            organizations: self.organizations.clone(),
            vpcs: of("vpc-"),
            vpc_endpoints: of("vpce-"),
            networks: self
                .networks
                .iter()
                .filter(|one| !one.starts_with("vpc"))
                .cloned()
                .collect(),
            ids: self.ids.clone(),
            ..Trust::default()
        }
    }
}

fn cases() -> Vec<Case> {
    let files = [
        include_str!("cases/principals.json"),
        include_str!("cases/caller-keys.json"),
        include_str!("cases/networks.json"),
        include_str!("cases/denies.json"),
        include_str!("cases/actions-and-resources.json"),
        include_str!("cases/access-points.json"),
        include_str!("cases/sources.json"),
        include_str!("cases/kms.json"),
        include_str!("cases/lambda.json"),
        include_str!("cases/other-services.json"),
        include_str!("cases/trust.json"),
        include_str!("cases/forms.json"),
        include_str!("cases/more.json"),
        include_str!("cases/variables.json"),
        include_str!("cases/callers.json"),
        include_str!("cases/providers.json"),
        include_str!("cases/large.json"),
        include_str!("cases/services-parts.json"),
    ];
    files
        .iter()
        .flat_map(|file| serde_json::from_str::<Vec<Case>>(file).unwrap())
        .collect()
}

#[test]
fn verdicts_offences_and_reasons() {
    let mut wrong = Vec::new();
    let all = cases();
    for case in &all {
        let trust = case.trust();
        let scope = Scope {
            service: case.service,
            owner: OWNER,
            trust: &trust,
            resource: case.resource.as_deref(),
        };
        let policy = Policy::parse(case.policy.get()).unwrap_or_else(|error| panic!("{}: {error}", case.id));
        let judgement = judge(&policy, &scope);
        let offending: Vec<_> = judgement
            .offending
            .iter()
            .map(|offence| (offence.index, offence.verdict))
            .collect();
        let mut complain = |what: String| wrong.push(format!("{} {what}; {} ({})", case.id, case.why, case.source));
        if judgement.verdict != case.expect {
            complain(format!("{:?} {}", judgement.verdict, judgement.reason));
        } else if offending != case.offending {
            complain(format!("offending {offending:?}"));
        }
        if case.s3.is_some_and(|s3| judgement.s3 != Some(s3)) {
            complain(format!("S3 {:?}", judgement.s3));
        }
        if judgement.undecided && !case.flags.iter().any(|flag| flag == "conservative") {
            complain("undecided".to_owned());
        }
        if let Some(witness) = &judgement.witness
            && evaluate(&policy, case.service, &witness.request) == Truth::No
        {
            complain(format!("the witness does not get in: {witness:?}"));
        }
        if judgement.verdict == Verdict::Private {
            assert!(judgement.witness.is_none());
        } else if judgement.witness.is_none() {
            complain("no witness".to_owned());
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        all.len(),
        wrong.join("\n")
    );
}

#[test]
fn fixes_reach_the_goal_and_touch_only_what_offends() {
    let mut wrong = Vec::new();
    let mut locked = 0;
    for case in &cases() {
        let trust = case.trust();
        let scope = Scope {
            service: case.service,
            owner: OWNER,
            trust: &trust,
            resource: case.resource.as_deref(),
        };
        let policy = Policy::parse(case.policy.get()).unwrap();
        let before = judge(&policy, &scope);
        for goal in [Goal::NotPublic, Goal::Private] {
            let most = if goal == Goal::NotPublic {
                Verdict::External
            } else {
                Verdict::Private
            };
            let fixed = fix(&policy, &scope, goal);
            match &fixed {
                Ok(Fix::Nothing) if before.verdict <= most => {}
                Ok(Fix::Undecided { .. }) if before.undecided => {}
                Ok(Fix::Delete) if before.verdict > most => {
                    assert_eq!(policy.statements().len(), before.offending.len(), "{}", case.id);
                }
                Ok(Fix::Rewrite { policy: text, changes }) if before.verdict > most => {
                    let after = Policy::parse(text).unwrap();
                    let verdict = judge(&after, &scope).verdict;
                    if verdict > most {
                        wrong.push(format!("{} {goal:?}: {verdict:?} {text}", case.id));
                    }
                    for (index, statement) in policy.statements().iter().enumerate() {
                        if !changes.iter().any(|change| change.index == index) {
                            assert!(text.contains(statement.text()), "{}: {index} changed", case.id);
                        }
                    }
                }
                // KMS takes no policy that nobody of the account could change: there a person has to write one.
                Err(FixError::LockedOut) if case.flags.iter().any(|flag| flag == "locked-out") => locked += 1,
                _ => wrong.push(format!("{} {goal:?}: {:?} but {fixed:?}", case.id, before.verdict)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(locked > 0);
}

#[test]
fn notes_tell_what_the_verdict_does_not() {
    let kinds = |flag: &str| match flag {
        "confused-deputy" => Some(NoteKind::ConfusedDeputy),
        "network-bound" => Some(NoteKind::NetworkBound),
        "never-matches" => Some(NoteKind::NeverMatches),
        "verify-ownership" => Some(NoteKind::VerifyOwnership),
        "no-effect" => Some(NoteKind::NoEffect),
        "time-dependent" => Some(NoteKind::TimeDependent),
        _ => None,
    };
    let mut wrong = Vec::new();
    for case in &cases() {
        let trust = case.trust();
        let scope = Scope {
            service: case.service,
            owner: OWNER,
            trust: &trust,
            resource: None,
        };
        let judgement = judge(&Policy::parse(case.policy.get()).unwrap(), &scope);
        for flag in &case.flags {
            if let Some(kind) = kinds(flag)
                && !judgement.notes.iter().any(|note| note.kind == kind)
            {
                wrong.push(format!("{} lacks {flag}: {:?}", case.id, judgement.notes));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
