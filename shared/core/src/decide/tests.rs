use super::*;
use crate::settings::{ByTag, ControlSettings};
use crate::{Actor, Clause, Selector, Severity};

const ID: &str = "s3-bucket-test";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-23T10:20:30.5Z")
}

fn meta(impact: Impact) -> Meta {
    Meta {
        id: ID,
        title: "",
        severity: Severity::High,
        impact,
        default: Switch::Enforce,
        standards: &[],
        calls: &[],
    }
}

fn bucket() -> Resource {
    Resource {
        kind: "AWS::S3::Bucket".into(),
        arn: "arn:aws:s3:::b".into(),
        id: "b".into(),
        account: "111122223333".into(),
        region: "eu-west-1".into(),
    }
}

fn cause(event: &str) -> Cause {
    Cause {
        origin: Origin {
            event: event.into(),
            id: "e".into(),
            actor: Actor {
                arn: "arn:aws:iam::111122223333:user/bob".into(),
                ..Actor::default()
            },
            ..Origin::default()
        },
        selector: Selector::Breakable,
    }
}

fn exemption(until: &str) -> Exemption {
    Exemption {
        control: ID.into(),
        resource: Some("arn:aws:s3:::b".into()),
        tag: None,
        reason: "r".into(),
        owner: "o".into(),
        until: at(until),
        i_mean_everything: false,
    }
}

fn deferral(reason: Reason, until: Timestamp) -> Deferral {
    Deferral {
        until,
        reason,
        tries: 0,
        settling: None,
        resource: bucket(),
        origin: cause("PutBucketPolicy").origin,
    }
}

/// Everything that a decision may depend on.
struct Case {
    settings: Settings,
    tags: Tags,
    cause: Cause,
    holds: Vec<Hold>,
    deferred: BTreeMap<String, Deferral>,
    history: BTreeMap<String, Vec<Remediation>>,
    budget_spent: bool,
    impact: Impact,
    finding: Finding<()>,
}

impl Case {
    fn new() -> Self {
        Self {
            settings: Settings {
                mode: Mode::Enforce,
                ..Settings::default()
            },
            tags: Tags::new(),
            cause: cause("PutBucketPolicy"),
            holds: Vec::new(),
            deferred: BTreeMap::new(),
            history: BTreeMap::new(),
            budget_spent: false,
            impact: Impact::Access,
            finding: Finding::new(Severity::High, Clause::is("open"), "close it", vec![()]),
        }
    }

    fn ruling(&self) -> Ruling {
        let decision_context = DecisionContext {
            busy: None,
            owner: None,
            resource: &bucket(),
            tags: Some(&self.tags),
            settings: &self.settings,
            cause: &self.cause,
            holds: &self.holds,
            deferred: &self.deferred,
            history: &self.history,
            budget_spent: self.budget_spent,
            now: now(),
        };
        decide(&meta(self.impact), &self.finding, &decision_context)
    }

    fn grace(&mut self) {
        let set = ControlSettings {
            grace: Some(SignedDuration::from_hours(24)),
            ..ControlSettings::default()
        };
        self.settings.controls.insert(ID.into(), set);
    }

    fn put_right(&mut self, hours_ago: &[i64]) {
        let times = hours_ago.iter().map(|hours| Remediation {
            at: now() - SignedDuration::from_hours(*hours),
            actor: "bob".into(),
        });
        self.history.insert(ID.into(), times.collect());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exempt {
    No,
    Yes,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grace {
    None,
    New,
    Running,
    Over,
}

/// What is expected, as rules read from the top: the first that fits decides.
fn expected(
    mode: Mode,
    exempt: Exempt,
    held: bool,
    quarantine: bool,
    grace: Grace,
    spent: bool,
    impact: Impact,
) -> &'static str {
    let rules = [
        (exempt == Exempt::Yes, "exempt"),
        (held, "exempt"),
        (mode == Mode::Notify, "notify"),
        (!quarantine && grace == Grace::New, "grace 2026-11-24T10:20:31Z"),
        (!quarantine && grace == Grace::Running, "grace 2026-11-23T18:00:00Z"),
        (spent && impact != Impact::Nothing, "budget 2026-11-23T11:00:00Z"),
        (true, "enforce"),
    ];
    rules.iter().find(|(fits, _)| *fits).unwrap().1
}

#[test]
fn every_combination_of_circumstances_is_decided_by_the_first_rule_that_fits() {
    let mut cases = 0;
    for mode in [Mode::Notify, Mode::Enforce] {
        for exempt in [Exempt::No, Exempt::Yes, Exempt::Ended] {
            for held in [false, true] {
                for quarantine in [false, true] {
                    for grace in [Grace::None, Grace::New, Grace::Running, Grace::Over] {
                        for spent in [false, true] {
                            for impact in [Impact::Nothing, Impact::Access, Impact::Availability] {
                                let mut case = Case::new();
                                case.settings.mode = mode;
                                match exempt {
                                    Exempt::No => {}
                                    Exempt::Yes => case.settings.exemptions.push(exemption("2026-11-23T10:20:31Z")),
                                    Exempt::Ended => case.settings.exemptions.push(exemption("2026-11-23T10:20:30Z")),
                                }
                                if held {
                                    case.holds.push(Hold {
                                        since: Timestamp::UNIX_EPOCH,
                                        control: ID.into(),
                                        until: at("2026-11-23T10:20:31Z"),
                                        by: "ana".into(),
                                        record: "r".into(),
                                    });
                                }
                                // What data of the level needs: the resource type says quarantine.
                                case.finding.effect = if quarantine { Effect::Quarantine } else { Effect::Cure };
                                if grace != Grace::None {
                                    case.grace();
                                }
                                let announced = match grace {
                                    Grace::Running => Some("2026-11-23T18:00:00Z"),
                                    Grace::Over => Some("2026-11-23T10:20:30Z"),
                                    Grace::None | Grace::New => None,
                                };
                                if let Some(until) = announced {
                                    case.deferred.insert(ID.into(), deferral(Reason::Grace, at(until)));
                                }
                                case.budget_spent = spent;
                                case.impact = impact;
                                let ruling = case.ruling();
                                let found = match &ruling.decision {
                                    Decision::Enforce => "enforce".to_owned(),
                                    Decision::Notify(_) | Decision::NeedsAction(_) => "notify".to_owned(),
                                    Decision::Exempt(_) => "exempt".to_owned(),
                                    Decision::Settle(_) | Decision::Overdue(_) => "settling".to_owned(),
                                    Decision::Defer(wait) => {
                                        let reason = serde_json::to_value(wait.reason).unwrap();
                                        format!("{} {}", reason.as_str().unwrap(), wait.until)
                                    }
                                };
                                let wanted = expected(mode, exempt, held, quarantine, grace, spent, impact);
                                let case = (mode, exempt, held, quarantine, grace, spent, impact);
                                assert_eq!(found, wanted, "{case:?}");
                                let says_ended = ruling
                                    .notes
                                    .iter()
                                    .any(|note| note.contains("ended on 2026-11-23T10:20:30Z"));
                                let grace_over =
                                    grace == Grace::Over && (wanted == "enforce" || wanted.starts_with("budget"));
                                assert_eq!(
                                    says_ended,
                                    exempt == Exempt::Ended || grace_over,
                                    "{case:?}: {ruling:?}"
                                );
                                cases += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(cases, 2 * 3 * 2 * 2 * 4 * 2 * 3);
}

#[test]
fn what_a_person_has_to_do_is_told_whatever_the_rest() {
    let mut case = Case::new();
    case.grace();
    case.finding.remedies.clear();
    assert!(matches!(case.ruling().decision, Decision::NeedsAction(_)));
    let mut case = Case::new();
    case.budget_spent = true;
    case.finding = case.finding.only_notify("undecided");
    assert_eq!(case.ruling().decision, Decision::NeedsAction("undecided".into()));
}

#[test]
fn a_shorter_grace_ends_what_was_announced_earlier_and_a_longer_one_does_not_put_it_off() {
    let mut case = Case::new();
    case.grace();
    case.deferred
        .insert(ID.into(), deferral(Reason::Grace, at("2026-12-23T00:00:00Z")));
    let Decision::Defer(wait) = case.ruling().decision else {
        panic!()
    };
    assert_eq!(wait.until, at("2026-11-24T10:20:31Z"));
    // A wait of another kind is no announcement.
    case.deferred
        .insert(ID.into(), deferral(Reason::Budget, at("2026-11-23T10:00:00Z")));
    let Decision::Defer(wait) = case.ruling().decision else {
        panic!()
    };
    assert_eq!(wait.reason, Reason::Grace);
}

#[test]
fn a_tag_exempts_and_whoever_set_it_is_told() {
    let mut case = Case::new();
    case.settings.exemptions = vec![Exemption {
        resource: None,
        tag: Some(ByTag {
            key: "Exempt".into(),
            value: "drill".into(),
        }),
        ..exemption("2027-01-01T00:00:00Z")
    }];
    assert_eq!(case.ruling().decision, Decision::Enforce);
    case.tags.insert("Exempt".into(), "Drill".into());
    assert_eq!(
        case.ruling().decision,
        Decision::Enforce,
        "the values of tags have a case"
    );
    case.tags.insert("Exempt".into(), "drill".into());
    let Decision::Exempt(why) = case.ruling().decision else {
        panic!()
    };
    assert!(why.ends_with("(r; o) by its tag Exempt=drill"), "{why}");
    case.cause = cause("PutBucketTagging");
    let Decision::Exempt(why) = case.ruling().decision else {
        panic!()
    };
    assert!(
        why.ends_with("set with PutBucketTagging by arn:aws:iam::111122223333:user/bob"),
        "{why}"
    );
    // With a pattern beside it, both must fit.
    case.settings.exemptions[0].resource = Some("arn:aws:s3:::other".into());
    assert_eq!(case.ruling().decision, Decision::Enforce);
}

#[test]
fn the_nth_remediation_within_the_window_is_a_fight() {
    for (hours_ago, fight) in [
        (&[][..], false),
        (&[1], false),
        (&[23, 1], true),
        (&[24, 1], false),
        (&[30, 5, 3, 1], true),
    ] {
        let mut case = Case::new();
        case.put_right(hours_ago);
        let ruling = case.ruling();
        assert_eq!(
            (ruling.decision, ruling.fight),
            (Decision::Enforce, fight),
            "{hours_ago:?}"
        );
    }
}

#[test]
fn a_fight_names_both_sides_and_the_tool_and_stops_where_settings_say_so() {
    let mut case = Case::new();
    case.put_right(&[2, 1]);
    case.cause.origin.actor.agent = "APN/1.0 HashiCorp/1.0 Terraform/1.9".into();
    let ruling = case.ruling();
    let note = &ruling.notes[0];
    for part in [
        "Portcullis has put it right 2 times within 24h",
        "bob",
        "user/bob",
        "Terraform",
    ] {
        assert!(note.contains(part), "{part}: {note}");
    }
    case.settings.flips.then = Then::Stop;
    let ruling = case.ruling();
    assert!(
        ruling.fight && matches!(ruling.decision, Decision::Notify(_)),
        "{ruling:?}"
    );
    // What is not put right by itself is no fight.
    case.settings.mode = Mode::Notify;
    assert!(!case.ruling().fight);
}
