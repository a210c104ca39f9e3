//! What a sweep tells at its end: one message, however much it found.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;

use super::{Alert, AttributeValue, LONGEST_SUBJECT, clean, shorten};
use crate::event::Counts;
use crate::{Location, Outcome, Report, Severity, Undo};

/// So many findings are listed. SNS takes messages of at most 256 KB, and the document is in it once a protocol.
pub const LISTED: usize = 40;

/// A finding that a sweep was the first to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Swept {
    /// How bad it was.
    pub severity: Severity,
    /// What came of it.
    pub outcome: Outcome,
    /// The control's id.
    pub control: String,
    /// The resource's ARN.
    pub resource: String,
    /// What was wrong, in the present.
    pub summary: String,
    /// The same in the past, where the resource was changed so that it is not so any more.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub was: String,
    /// What a restore can undo of what was changed: for the text only, since it may name as many things as it likes.
    #[serde(skip)]
    pub undo: Undo,
    /// The id of the ledger's record, which a restore names.
    pub ledger_id: String,
}

impl Swept {
    /// Whether the resource was changed for it.
    fn is_changed(&self) -> bool {
        self.outcome.is_change() || (self.outcome == Outcome::NeedsAction && !self.was.is_empty())
    }

    /// The findings of a report, without what is right.
    pub fn of(report: &Report) -> Vec<Self> {
        let wrong = report.results.iter().filter(|told| told.outcome > Outcome::Gone);
        wrong
            .map(|told| Self {
                severity: told.severity,
                outcome: told.outcome,
                control: told.control.clone(),
                resource: clean(&report.resource.arn),
                summary: shorten(&clean(&told.summary), 200),
                was: shorten(&clean(&told.was), 200),
                undo: told.undo.clone(),
                ledger_id: report.ledger_id.clone(),
            })
            .collect()
    }
}

/// How the document of a message about many resources begins.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Head<'a> {
    /// The version of this document's form: 1.
    pub version: u8,
    /// What it is: `sweep` or `storm`.
    pub kind: &'static str,
    /// The function that looked.
    pub function: &'a str,
    /// The account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
}

impl<'a> Head<'a> {
    pub(super) fn of(kind: &'static str, function: &'a str, place: &'a Location) -> Self {
        Self {
            version: 1,
            kind,
            function,
            account: &place.account,
            region: &place.region,
        }
    }
}

/// What filter policies see of such a message. `findings` are those that it is about.
pub(super) fn attributes(
    severity: Severity,
    outcome: Outcome,
    findings: &[Swept],
    place: &Location,
    resource_type: &str,
) -> Vec<(&'static str, AttributeValue)> {
    let text = |text: &str| AttributeValue::Text(text.to_owned());
    let mut controls: Vec<_> = findings.iter().map(|one| one.control.clone()).collect();
    controls.sort();
    controls.dedup();
    vec![
        ("severity", text(&severity.to_string())),
        ("outcome", text(&outcome.to_string())),
        ("controls", AttributeValue::Texts(controls)),
        ("account", text(&place.account)),
        ("region", text(&place.region)),
        ("resource_type", text(resource_type)),
    ]
}

/// The summary of a sweep for machines, version 1. A field may be added; one that is renamed or removed makes another version.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SweepDocument<'a> {
    /// What it is (`sweep`), and whose.
    #[serde(flatten)]
    pub head: Head<'a>,
    /// What it came to.
    pub counts: &'a Counts,
    /// How many findings are new.
    pub new: usize,
    /// The new findings, the worst first, as many as a message can hold.
    pub findings: &'a [Swept],
}

/// The worst first.
pub(super) fn sort(findings: &mut [Swept]) {
    findings.sort_by(|a, b| {
        (b.severity, b.outcome, &a.resource, &a.control).cmp(&(a.severity, a.outcome, &b.resource, &b.control))
    });
}

/// Writes the summary. `findings` are the new ones.
pub fn compose(function: &str, place: &Location, counts: &Counts, mut findings: Vec<Swept>) -> Alert {
    sort(&mut findings);
    let new = findings.len();
    let incomplete = counts.unseen > 0 || counts.lost > 0;
    let severity = match findings.first() {
        Some(worst) => worst.severity,
        None if incomplete => Severity::Medium,
        None => Severity::Low,
    };
    let gravest = findings.iter().map(|one| one.outcome).max();
    let outcome = gravest.unwrap_or(if incomplete {
        Outcome::Failed
    } else {
        Outcome::Compliant
    });
    let attributes = attributes(severity, outcome, &findings, place, "sweep");
    let said = body(function, place, counts, &findings);
    findings.truncate(LISTED);
    let document = SweepDocument {
        head: Head::of("sweep", function, place),
        counts,
        new,
        findings: &findings,
    };
    Alert {
        subject: shorten(
            &format!(
                "[portcullis] {severity} sweep by {function}: {new} new findings in {} resources",
                counts.resources
            ),
            LONGEST_SUBJECT,
        ),
        text: said,
        // Texts, numbers and lists of them: nothing in it can fail to become JSON.
        document: serde_json::to_value(document).unwrap_or_default(),
        attributes,
    }
}

fn body(function: &str, place: &Location, counts: &Counts, findings: &[Swept]) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = write_body(&mut text, function, place, counts, findings);
    text
}

fn write_body(
    text: &mut String,
    function: &str,
    place: &Location,
    counts: &Counts,
    findings: &[Swept],
) -> std::fmt::Result {
    let Counts {
        resources,
        compliant,
        unseen,
        lost,
        findings: all,
    } = counts;
    writeln!(
        text,
        "Sweep by {}\naccount {}, region {}\n",
        clean(function),
        place.account,
        place.region
    )?;
    writeln!(text, "{resources} resources looked at, {compliant} of them compliant")?;
    for (outcome, number) in all.iter().filter(|(outcome, _)| **outcome > Outcome::Gone) {
        writeln!(
            text,
            "{number} finding{} {outcome}",
            if *number == 1 { "" } else { "s" }
        )?;
    }
    if *unseen > 0 {
        writeln!(
            text,
            "{unseen} resources could not be handled: the function's log says why (\"not swept\"). The next sweep tries again"
        )?;
    }
    if *lost > 0 {
        writeln!(
            text,
            "{lost} parts of the sweep failed as a whole: see the state machine's execution. The next sweep tries again"
        )?;
    }
    if findings.is_empty() {
        return writeln!(
            text,
            "\nNothing new: what was told before and is still so is not told again."
        );
    }
    writeln!(text, "\nNEW ({} findings)", findings.len())?;
    write_findings(text, function, findings)
}

/// Lists findings, as many as a message can hold, and says how to undo them.
pub(super) fn write_findings(text: &mut String, function: &str, findings: &[Swept]) -> std::fmt::Result {
    for one in findings.iter().take(LISTED) {
        let clause = if one.was.is_empty() { &one.summary } else { &one.was };
        writeln!(
            text,
            "  {} {}: {}\n    {}\n    It {clause}. Ledger record {}",
            one.severity, one.outcome, one.control, one.resource, one.ledger_id
        )?;
        if let Some(why) = one.undo.no_way_back().filter(|_| one.is_changed()) {
            writeln!(text, "    Can't be undone: {}", shorten(&clean(&why), 200))?;
        }
    }
    if findings.len() > LISTED {
        writeln!(
            text,
            "  and {} more: docs/operations.md, \"What was found, and what was changed?\", lists them all",
            findings.len() - LISTED
        )?;
    }
    let undoable = |one: &&Swept| one.is_changed() && !matches!(one.undo, Undo::Nothing(_));
    if let Some(changed) = findings.iter().find(undoable) {
        writeln!(
            text,
            "\nUNDO (one command a record)\n  {}",
            super::invoke(function, &json!({"restore": changed.ledger_id}))
        )?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn finding(number: usize, severity: Severity, outcome: Outcome) -> Swept {
        Swept {
            severity,
            outcome,
            control: "s3-bucket-public-acl".into(),
            resource: format!("arn:aws:s3:::bucket-{number:03}"),
            summary: "is public by its ACL: everybody may READ".into(),
            was: if outcome.is_change() {
                "was public by its ACL: everybody may READ"
            } else {
                ""
            }
            .into(),
            undo: Undo::All,
            ledger_id: format!("019ab000-0000-7000-8000-{number:012}"),
        }
    }

    pub fn place() -> Location {
        Location {
            account: "111122223333".into(),
            region: "eu-west-1".into(),
        }
    }

    #[test]
    fn the_worst_of_what_is_new_leads() {
        let mut counts = Counts {
            resources: 2000,
            compliant: 1990,
            unseen: 1,
            lost: 1,
            ..Counts::default()
        };
        counts.found(Outcome::Remediated);
        counts.found(Outcome::WouldRemediate);
        let found = vec![
            finding(1, Severity::Low, Outcome::WouldRemediate),
            finding(2, Severity::Critical, Outcome::Remediated),
        ];
        let alert = compose("portcullis-s3", &place(), &counts, found);
        insta::assert_snapshot!("sweep_subject", alert.subject);
        insta::assert_snapshot!("sweep_text", alert.text);
        insta::assert_json_snapshot!("sweep_document", alert.document);
        insta::assert_json_snapshot!("sweep_attributes", alert.attributes);
    }

    #[test]
    fn what_can_not_be_undone_is_told_so_and_not_offered() {
        let revoked = Swept {
            undo: Undo::Nothing(vec!["grant g-1".into()]),
            ..finding(1, Severity::High, Outcome::Remediated)
        };
        let told = |findings| compose("portcullis-kms", &place(), &Counts::default(), findings).text;
        let alone = told(vec![revoked.clone()]);
        assert!(alone.contains("Can't be undone: AWS offers no way back for its grant g-1") && !alone.contains("UNDO"));
        let both = told(vec![revoked, finding(2, Severity::Low, Outcome::Remediated)]);
        assert!(
            both.contains(r#"{"restore":"019ab000-0000-7000-8000-000000000002"}"#),
            "{both}"
        );
    }

    #[test]
    fn a_message_stays_within_what_sns_takes() {
        let long = |number| Swept {
            resource: format!("arn:aws:s3:::{}", "b".repeat(350)),
            summary: "s".repeat(200),
            was: "w".repeat(200),
            ..finding(number, Severity::High, Outcome::Remediated)
        };
        let alert = compose(
            "portcullis-s3",
            &place(),
            &Counts::default(),
            (0..2000).map(long).collect(),
        );
        assert!(alert.subject.len() <= 100 && alert.subject.contains("2000 new"));
        let document = alert.document.to_string();
        assert!(alert.text.len() + 5 * json!(document).to_string().len() < 256 * 1024);
        assert!(alert.text.contains("1960 more"));
    }

    #[test]
    fn a_sweep_that_found_nothing_says_so_quietly() {
        let counts = Counts {
            resources: 3,
            compliant: 3,
            ..Counts::default()
        };
        let alert = compose("portcullis-s3", &place(), &counts, Vec::new());
        assert!(alert.text.contains("Nothing new"));
        assert_eq!(alert.attributes[0].1, AttributeValue::Text("LOW".into()));
        assert_eq!(alert.attributes[1].1, AttributeValue::Text("compliant".into()));
    }
}
