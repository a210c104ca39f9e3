//! What an event that names many resources tells: one message, not one for each.

use std::fmt::Write as _;

use serde::Serialize;

use super::sweep::{Head, LISTED, Swept, attributes, sort, write_findings};
use super::{Alert, DocumentEvent, LONGEST_SUBJECT, clean, printable, shorten, write_who};
use crate::{Actor, Cause, Location};

/// The alert of an event of many resources for machines, version 1. A field may be added; one that is renamed or removed makes
/// another version.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StormDocument<'a> {
    /// What it is (`storm`), and whose.
    #[serde(flatten)]
    pub head: Head<'a>,
    /// What led to it.
    pub event: DocumentEvent<'a>,
    /// Who made the call; a field that the event leaves out is empty.
    pub actor: &'a Actor,
    /// CloudFormation's name of the resources' type.
    pub resource_type: &'a str,
    /// How many resources something was wrong with.
    pub resources: usize,
    /// How many findings there are.
    pub new: usize,
    /// The findings, the worst first, as many as a message can hold.
    pub findings: &'a [Swept],
}

/// Writes the alert of all that one event came to; none where nothing was wrong.
pub fn compose(function: &str, place: &Location, kind: &str, cause: &Cause, mut findings: Vec<Swept>) -> Option<Alert> {
    sort(&mut findings);
    let severity = findings.first()?.severity;
    let outcome = findings.iter().map(|one| one.outcome).max()?;
    let mut resources: Vec<_> = findings.iter().map(|one| one.resource.as_str()).collect();
    resources.sort_unstable();
    resources.dedup();
    let (resources, new) = (resources.len(), findings.len());
    let attributes = attributes(severity, outcome, &findings, place, kind);
    let head = format!(
        "{severity} {outcome}: {new} findings in {resources} resources by one {}",
        clean(&cause.origin.event)
    );
    let mut said = String::new();
    // Writing to a String can't fail.
    let _ = write_body(&mut said, &head, function, place, cause, &findings);
    findings.truncate(LISTED);
    let document = StormDocument {
        head: Head::of("storm", function, place),
        event: DocumentEvent::from(&cause.origin),
        actor: &cause.origin.actor,
        resource_type: kind,
        resources,
        new,
        findings: &findings,
    };
    Some(Alert {
        subject: printable(&shorten(&format!("[portcullis] {head}"), LONGEST_SUBJECT)),
        text: said,
        // Texts, numbers and lists of them: nothing in it can fail to become JSON.
        document: serde_json::to_value(document).unwrap_or_default(),
        attributes,
    })
}

fn write_body(
    text: &mut String,
    head: &str,
    function: &str,
    place: &Location,
    cause: &Cause,
    findings: &[Swept],
) -> std::fmt::Result {
    writeln!(text, "{head}")?;
    writeln!(text, "account {}, region {}\n", place.account, place.region)?;
    write_who(text, &cause.origin, &place.region)?;
    writeln!(text, "\nWHAT ({} findings)", findings.len())?;
    write_findings(text, function, findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sweep::tests::{finding as swept, place};
    use crate::{Origin, Outcome, Selector, Severity};

    fn finding(number: usize, severity: Severity, outcome: Outcome) -> Swept {
        Swept {
            control: "ec2-instance-imdsv2".into(),
            resource: format!("arn:aws:ec2:eu-west-1:111122223333:instance/i-{number:017}"),
            summary: "hands out its role's credentials without a session token (IMDSv1)".into(),
            was: if outcome.is_change() {
                "handed out its role's credentials without a session token (IMDSv1)"
            } else {
                ""
            }
            .into(),
            ..swept(number, severity, outcome)
        }
    }

    fn told(findings: Vec<Swept>) -> Option<Alert> {
        let cause = Cause {
            origin: Origin {
                event: "RunInstances".into(),
                id: "8c2f0a4e-0000-4000-8000-000000000001".into(),
                time: "2026-11-23T10:00:00Z".into(),
                omitted: false,
                recorded: true,
                actor: Actor {
                    arn: "arn:aws:iam::111122223333:user/ana".into(),
                    address: "198.51.100.7".into(),
                    ..Actor::default()
                },
            },
            selector: Selector::Breakable,
        };
        compose("portcullis-ec2", &place(), "AWS::EC2::Instance", &cause, findings)
    }

    #[test]
    fn many_resources_are_told_in_one_message() {
        let alert = told(vec![
            finding(1, Severity::Medium, Outcome::WouldRemediate),
            finding(2, Severity::High, Outcome::Remediated),
        ])
        .unwrap();
        insta::assert_snapshot!("storm_subject", alert.subject);
        insta::assert_snapshot!("storm_text", alert.text);
        insta::assert_json_snapshot!("storm_document", alert.document);
        insta::assert_json_snapshot!("storm_attributes", alert.attributes);
    }

    #[test]
    fn nothing_wrong_is_nothing_to_tell_and_much_is_cut() {
        assert_eq!(told(Vec::new()), None);
        let all = (0..500).map(|number| finding(number, Severity::High, Outcome::Failed));
        let alert = told(all.collect()).unwrap();
        assert!(alert.message().len() < 250_000 && alert.subject.len() <= 100);
        assert!(alert.text.contains("460 more"));
    }
}
