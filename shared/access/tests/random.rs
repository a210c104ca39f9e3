//! Random policies against the oracle, and the properties that judging and fixing must have.
//!
//! `PORTCULLIS_CASES` sets how many policies are tried (by default few, so that an ordinary test run stays quick),
//! `PORTCULLIS_FIRST` from which seed on, and `PORTCULLIS_SEED` tries the one that a failure names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::match_same_arms,
    reason = "tests fail by panicking, say how much they tried, and an oracle reads as a table"
)]

mod support;

use std::ops::Range;

use portcullis_access::{
    Caller, Fix, FixError, Goal, Judgement, Policy, Request, Service, Trust, Truth, Verdict, evaluate, fix, judge,
};
use serde_json::{Value, json};
use support::{Dice, FOREIGN, Setting, attempt, oracle, policy, setting, trust};

const ATTEMPTS: usize = 150;

fn number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().expect(name))
}

/// One seed for each of so many cases, or the one that is asked for.
fn seeds(share: u64) -> Range<u64> {
    if let Some(seed) = number("PORTCULLIS_SEED") {
        return seed..seed + 1;
    }
    let first = number("PORTCULLIS_FIRST").unwrap_or(0);
    first..first + number("PORTCULLIS_CASES").unwrap_or(400) / share
}

fn judged(value: &Value, setting: &Setting, trust: &Trust) -> Judgement {
    judge(&Policy::parse(&value.to_string()).unwrap(), &setting.scope(trust))
}

/// What a request says is what AWS can say: a boolean is one, and a role is assumed by the call that is for such a caller.
fn real(setting: &Setting, request: &Request) {
    for key in ["aws:securetransport", "aws:viaawsservice"] {
        let values = request.context.get(key);
        assert!(
            values.is_none_or(|values| values == &["true"] || values == &["false"]),
            "{request:?}"
        );
    }
    if setting.service == Service::IamTrust {
        let call = match &request.caller {
            Caller::Federated { provider } if provider.contains(":saml-provider/") => "sts:AssumeRoleWithSAML",
            Caller::Federated { .. } => "sts:AssumeRoleWithWebIdentity",
            _ => "sts:AssumeRole",
        };
        assert_eq!(request.action, call, "{request:?}");
    }
    if matches!(request.caller, Caller::Service { .. }) {
        assert!(!request.context.contains_key("aws:principaltag/team"), "{request:?}");
    }
}

#[test]
fn the_judge_agrees_with_the_oracle() {
    let mut counts = [0_usize; 3];
    let (mut undecided, mut proofs) = (0, 0);
    for seed in seeds(1) {
        let mut dice = Dice(seed);
        let setting = setting(&mut dice);
        let value = policy(&mut dice, setting);
        let trust = trust(&mut dice);
        let parsed = Policy::parse(&value.to_string()).unwrap();
        let judgement = judge(&parsed, &setting.scope(&trust));
        counts[judgement.verdict as usize] += 1;
        undecided += usize::from(judgement.undecided);
        // What it says gets in, does.
        if let Some(witness) = judgement.witness.as_ref().filter(|_| !judgement.undecided) {
            assert!(
                oracle::allows(&value, &witness.request),
                "seed {seed}: {witness:?}\n{value}"
            );
            real(setting, &witness.request);
            proofs += 1;
        }
        // What gets in, it says.
        for _ in 0..ATTEMPTS {
            let Some(attempt) = attempt(&mut dice, setting, &trust) else {
                continue;
            };
            let in_truth = evaluate(&parsed, setting.service, &attempt.request);
            let allowed = oracle::allows(&value, &attempt.request);
            if in_truth != Truth::Maybe {
                assert_eq!(
                    in_truth == Truth::Yes,
                    allowed,
                    "seed {seed}: {:?}\n{value}",
                    attempt.request
                );
            }
            let deputy = matches!(attempt.request.caller, Caller::Service { .. });
            if allowed && (!deputy || oracle::by_source(&value, &attempt.request)) {
                let least = if attempt.anybody {
                    Verdict::Public
                } else {
                    Verdict::External
                };
                assert!(
                    judgement.verdict >= least,
                    "seed {seed}: {:?} but {:?} gets in\n{value}\n{trust:?}",
                    judgement.verdict,
                    attempt.request
                );
            }
        }
    }
    println!("private, external, public: {counts:?}; undecided: {undecided}; proven by a request: {proofs}");
    let tried: usize = counts.iter().sum();
    assert!(tried == 1 || counts.iter().all(|count| *count > 0));
    assert!(tried == 1 || undecided * 10 < tried, "{undecided} undecided");
}

#[test]
fn fixes_reach_their_goal_and_are_never_wider() {
    let mut changed = 0;
    for seed in seeds(1) {
        let mut dice = Dice(seed ^ 0xF1F1);
        let setting = setting(&mut dice);
        let value = policy(&mut dice, setting);
        let trust = trust(&mut dice);
        let text = value.to_string();
        let parsed = Policy::parse(&text).unwrap();
        let before = judge(&parsed, &setting.scope(&trust));
        let goal = if seed % 2 == 0 { Goal::Private } else { Goal::NotPublic };
        let most = if goal == Goal::Private {
            Verdict::Private
        } else {
            Verdict::External
        };
        let (after, kept) = match fix(&parsed, &setting.scope(&trust), goal) {
            // What neither the service would take nor a smaller change reaches.
            Err(FixError::LockedOut | FixError::TooMany { .. }) => continue,
            Err(error) => panic!("seed {seed}: {error}\n{value}"),
            Ok(Fix::Nothing) => {
                assert!(before.verdict <= most);
                continue;
            }
            Ok(Fix::Undecided { .. }) => {
                assert!(before.undecided, "seed {seed}\n{value}");
                continue;
            }
            Ok(Fix::Delete) => continue,
            Ok(Fix::Rewrite { policy, changes }) => {
                let touched: Vec<usize> = changes.iter().map(|change| change.index).collect();
                assert!(
                    touched
                        .iter()
                        .all(|index| before.offending.iter().any(|one| one.index == *index))
                );
                (policy, touched)
            }
        };
        changed += 1;
        let narrowed: Value = serde_json::from_str(&after).unwrap();
        let verdict = judged(&narrowed, setting, &trust);
        let certain = verdict
            .offending
            .iter()
            .map(|one| one.certain)
            .max()
            .unwrap_or(Verdict::Private);
        assert!(certain <= most, "seed {seed}: {certain:?}\n{value}\n{after}");
        for (index, statement) in parsed.statements().iter().enumerate() {
            assert!(
                kept.contains(&index) || after.contains(statement.text()),
                "seed {seed}: statement {index}\n{after}"
            );
        }
        for _ in 0..ATTEMPTS {
            let Some(attempt) = attempt(&mut dice, setting, &trust) else {
                continue;
            };
            if oracle::allows(&narrowed, &attempt.request) {
                assert!(
                    oracle::allows(&value, &attempt.request),
                    "seed {seed}: wider\n{value}\n{after}"
                );
            }
        }
    }
    assert!(changed > 0 || seeds(1).count() == 1);
}

#[test]
fn order_and_names_of_statements_change_nothing() {
    for seed in seeds(3) {
        let mut dice = Dice(seed ^ 0xABCD);
        let setting = setting(&mut dice);
        let value = policy(&mut dice, setting);
        let trust = trust(&mut dice);
        let before = judged(&value, setting, &trust);
        let mut other = value.clone();
        let statements = other["Statement"].as_array_mut().unwrap();
        statements.reverse();
        for (index, statement) in statements.iter_mut().enumerate() {
            statement["Sid"] = json!(format!("Renamed{index}"));
        }
        let count = statements.len();
        let after = judged(&other, setting, &trust);
        assert_eq!(
            (before.verdict, before.s3, before.undecided),
            (after.verdict, after.s3, after.undecided),
            "seed {seed}\n{value}"
        );
        let mut indices: Vec<_> = after
            .offending
            .iter()
            .map(|one| (count - 1 - one.index, one.verdict))
            .collect();
        indices.sort_unstable();
        let expected: Vec<_> = before.offending.iter().map(|one| (one.index, one.verdict)).collect();
        assert_eq!(indices, expected, "seed {seed}\n{value}");
    }
}

#[test]
fn a_deny_more_never_widens_and_trust_never_worsens() {
    for seed in seeds(3) {
        let mut dice = Dice(seed ^ 0x5EED);
        let setting = setting(&mut dice);
        let value = policy(&mut dice, setting);
        let mut trust = trust(&mut dice);
        let before = judged(&value, setting, &trust);
        let mut denied = value.clone();
        let mut deny = policy(&mut dice, setting)["Statement"][0].clone();
        deny["Effect"] = json!("Deny");
        denied["Statement"].as_array_mut().unwrap().push(deny.clone());
        let after = judged(&denied, setting, &trust);
        // Who limits calls by their source means services to come in: a service for a stranger is then a stranger.
        let says = deny["Condition"].to_string();
        let by_source = says.contains("aws:SourceArn") || says.contains("aws:SourceAccount");
        assert!(
            after.verdict <= before.verdict || after.undecided || by_source,
            "seed {seed}\n{denied}"
        );
        trust.accounts.insert(FOREIGN.to_owned());
        let trusting = judged(&value, setting, &trust);
        assert!(
            trusting.verdict <= before.verdict,
            "seed {seed}: {before:?}\n{trusting:?}\n{value}"
        );
        trust.organizations.insert("o-owner00001".to_owned());
        trust.networks.insert("203.0.113.0/24".to_owned());
        assert!(
            judged(&value, setting, &trust).verdict <= trusting.verdict,
            "seed {seed}\n{value}"
        );
    }
}

#[test]
fn an_allow_more_never_lowers_what_another_statement_comes_to() {
    for seed in seeds(3) {
        let mut dice = Dice(seed ^ 0xA110);
        let setting = setting(&mut dice);
        let value = policy(&mut dice, setting);
        let trust = trust(&mut dice);
        let before = judged(&value, setting, &trust);
        let mut more = value.clone();
        for _ in 0..=dice.roll(12) {
            let mut allow = policy(&mut dice, setting)["Statement"][0].clone();
            allow["Effect"] = json!("Allow");
            more["Statement"].as_array_mut().unwrap().push(allow);
        }
        let after = judged(&more, setting, &trust);
        for offence in &before.offending {
            let same = after.offending.iter().find(|other| other.index == offence.index);
            assert!(
                same.is_some_and(|same| same.verdict >= offence.verdict),
                "seed {seed}: {offence:?}\n{same:?}\n{more}"
            );
        }
    }
}
