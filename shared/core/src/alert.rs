//! The message that wakes somebody: what was wrong, who did it, what was changed, how to undo it.

pub mod storm;
pub mod sweep;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{Actor, ControlResult, Origin, Outcome, Report, Resource, Severity, partition_of};

/// SNS takes subjects of at most 100 ASCII characters. Source: SNS API Reference, `Publish`.
const LONGEST_SUBJECT: usize = 100;

/// What is left of the 262,144 bytes that SNS takes once attributes and the envelope of a message are counted. Source: SNS API
/// Reference, `Publish`.
const LARGEST_MESSAGE: usize = 250_000;

/// So much of one text is left in a message that is too large.
const LONGEST_TEXT: usize = 2_000;

/// A message ready for SNS.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// At most 100 ASCII characters, no control characters.
    pub subject: String,
    /// For people.
    pub text: String,
    /// The same for machines; `docs/alert.schema.json` describes it.
    pub document: Value,
    /// For subscription filter policies: name and value.
    pub attributes: Vec<(&'static str, AttributeValue)>,
}

/// The value of a message attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// SNS's `String`.
    Text(String),
    /// SNS's `String.Array`.
    Texts(Vec<String>),
}

impl Alert {
    /// The message by protocol: text for people, the document for queues, functions and HTTP endpoints. An alert that is too
    /// large for SNS would be lost: it leaves the facts to the ledger, which has them.
    pub fn message(&self) -> String {
        let whole = self.by_protocol(&self.document);
        if whole.len() <= LARGEST_MESSAGE {
            return whole;
        }
        let mut document = self.document.clone();
        for facts in ["before", "after"] {
            if let Some(facts) = document.get_mut(facts) {
                let size = facts.to_string().len();
                *facts =
                    json!({"omitted": format!("{size} bytes, too large for SNS: the record in the ledger has them")});
            }
        }
        let whole = self.by_protocol(&document);
        if whole.len() <= LARGEST_MESSAGE {
            return whole;
        }
        // Then it is what is said of the controls that is long, as of a group of a thousand rules.
        for told in document
            .get_mut("controls")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            for text in told.as_object_mut().into_iter().flatten().map(|(_, value)| value) {
                if let Value::String(said) = text {
                    *said = shorten(said, LONGEST_TEXT);
                }
            }
        }
        self.by_protocol(&document)
    }

    fn by_protocol(&self, document: &Value) -> String {
        json!({"default": document.to_string(), "email": self.text, "sms": self.subject}).to_string()
    }
}

/// Writes the alert of a report; `function` is the name to invoke for a restore, `request` the Lambda request that its log lines carry.
pub fn compose(report: &Report, function: &str, request: &str) -> Alert {
    let (severity, outcome) = (report.severity(), report.outcome());
    let resource = &report.resource;
    let text = AttributeValue::Text;
    Alert {
        subject: subject(report),
        text: body(report, function),
        document: document(report, request),
        attributes: vec![
            ("severity", text(severity.to_string())),
            ("outcome", text(outcome.to_string())),
            (
                "controls",
                AttributeValue::Texts(report.results.iter().map(|told| told.control.clone()).collect()),
            ),
            ("account", text(resource.account.clone())),
            ("region", text(resource.region.clone())),
            ("resource_type", text(resource.kind.clone())),
        ],
    }
}

/// The subject: severity, outcome, resource and the gravest clause, cut to what SNS takes.
fn subject(report: &Report) -> String {
    let Some(told) = leading(report) else {
        return format!("[portcullis] {}", report.outcome());
    };
    let clause = told.clause().split(':').next().unwrap_or_default();
    let count = match report.results.len() {
        0 | 1 => String::new(),
        more => format!(" ({more} controls)"),
    };
    let head = format!(
        "[portcullis] {} {}: {} {} ",
        told.severity,
        told.outcome,
        report.resource.noun(),
        shorten(&clean(&report.resource.id), 30)
    );
    let room = LONGEST_SUBJECT.saturating_sub(head.len() + count.len());
    printable(&format!("{head}{}{count}", shorten(&clean(clause), room)))
}

/// A subject as SNS takes it. Source: SNS API Reference, `Publish`, `Subject`.
fn printable(subject: &str) -> String {
    subject
        .chars()
        .map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' })
        .take(LONGEST_SUBJECT)
        .collect()
}

/// The worst of it leads, with what came of that: a minor control left alone must not hide that a major one was fixed.
fn leading(report: &Report) -> Option<&ControlResult> {
    report.results.iter().max_by_key(|told| (told.severity, told.outcome))
}

fn shorten(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

/// Text from outside, without what could forge a line, a header or a terminal's colours.
pub fn clean(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    shorten(
        &text
            .chars()
            .map(|c| if hidden(c) { '?' } else { c })
            .collect::<String>(),
        400,
    )
}

fn body(report: &Report, function: &str) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = write_body(&mut text, report, function);
    text
}

fn write_body(text: &mut String, report: &Report, function: &str) -> std::fmt::Result {
    let resource = &report.resource;
    let Some(leading) = leading(report) else { return Ok(()) };
    let (severity, outcome) = (leading.severity, leading.outcome);
    writeln!(
        text,
        "{severity} {outcome}: {} {}",
        resource.noun(),
        clean(&resource.id)
    )?;
    writeln!(
        text,
        "{}\naccount {}, region {}\n",
        clean(&resource.arn),
        resource.account,
        resource.region
    )?;
    if report.origin.omitted {
        writeln!(
            text,
            "CloudTrail left out the call's parameters, or its answer, for their size. This is a known way to hide a change:"
        )?;
        writeln!(text, "treat the call as suspicious. The severity was raised.\n")?;
    }
    writeln!(text, "WHAT")?;
    for told in &report.results {
        writeln!(text, "  {} [{}, {}]", told.control, told.severity, told.outcome)?;
        writeln!(text, "    The {} {}.", resource.noun(), clean(told.clause()))?;
        let change = match told.outcome {
            Outcome::Remediated | Outcome::Quarantined | Outcome::Restored => "Done, and read again to prove it",
            Outcome::NeedsAction if told.is_intended() => "Done, and read again to prove it",
            Outcome::Remediating => "Asked for, and accepted by AWS",
            Outcome::Failed => "Tried",
            Outcome::Deferred => "Will",
            Outcome::NeedsAction => "To do",
            _ => "Would",
        };
        if !told.change.is_empty() {
            writeln!(text, "    {change}: {}.", clean(&told.change))?;
        }
        if let Some(why) = told.undo.no_way_back().filter(|_| report.has_changed(told)) {
            writeln!(text, "    Can't be undone: {}.", clean(&why))?;
        }
        if !told.why.is_empty() {
            writeln!(text, "    Because: {}.", clean(&told.why))?;
        }
        for note in &told.notes {
            writeln!(text, "    Note: {}.", clean(note))?;
        }
    }
    writeln!(text)?;
    write_who(text, &report.origin, &report.resource.region)?;
    if let Some(manager) = &report.managed_by {
        writeln!(text, "\nMANAGED BY\n  {}", clean(manager))?;
        writeln!(
            text,
            "  Change it there as well, or its next run puts back what was wrong."
        )?;
    }
    write_changes(text, report)?;
    write_next_steps(text, report, function)?;
    writeln!(text, "\nledger record {}", report.ledger_id)
}

/// Who did it, by which call: its name, its time and its id.
fn write_who(text: &mut String, origin: &Origin, region: &str) -> std::fmt::Result {
    let Origin {
        event, id, time, actor, ..
    } = origin;
    writeln!(text, "WHO\n  {}", clean(&actor.describe()))?;
    writeln!(text, "  by {} at {}, event {}", clean(event), clean(time), clean(id))?;
    if let Some(link) = event_link(region, id).filter(|_| origin.recorded) {
        writeln!(text, "  {link}")?;
    }
    Ok(())
}

fn write_changes(text: &mut String, report: &Report) -> std::fmt::Result {
    let changed = report.before.as_object().filter(|facts| !facts.is_empty());
    if let Some(before) = changed {
        writeln!(text, "\nBEFORE AND AFTER")?;
        for (fact, was) in before {
            writeln!(
                text,
                "  {fact}\n    before: {}\n    after:  {}",
                shown(was),
                shown(&report.after[fact])
            )?;
        }
    }
    Ok(())
}

fn write_next_steps(text: &mut String, report: &Report, function: &str) -> std::fmt::Result {
    let resource = &report.resource;
    let outcomes: BTreeSet<_> = report.results.iter().map(|told| told.outcome).collect();
    if report.can_be_undone() {
        writeln!(
            text,
            "\nUNDO\n  {}",
            invoke(function, &json!({"restore": report.ledger_id}))
        )?;
    }
    if outcomes.contains(&Outcome::Restored) {
        writeln!(
            text,
            "\nEND THE HOLD (else it ends by itself)\n  {}",
            invoke(function, &json!({"release": clean(&resource.arn)}))
        )?;
    }
    if outcomes.contains(&Outcome::Failed) {
        writeln!(
            text,
            "\nNEXT\n  The event is retried; if it still fails, it is kept in the dead-letter queue."
        )?;
        writeln!(
            text,
            "  Until then the {} is as described above: look at it now.",
            resource.noun()
        )?;
    }
    let exemptable = |told: &&ControlResult| {
        use Outcome::{Compliant, Exempt, Gone, Released, Restored};
        !matches!(told.outcome, Compliant | Exempt | Gone | Released | Restored)
    };
    if let Some(told) = report
        .results
        .iter()
        .filter(exemptable)
        .max_by_key(|told| told.severity)
    {
        let (control, arn) = (&told.control, clean(&resource.arn));
        writeln!(
            text,
            "\nEXEMPT (one line a control, in portcullis.yaml under exemptions)"
        )?;
        writeln!(
            text,
            "  - {{control: {control}, resource: '{arn}', reason: …, owner: …, until: …}}"
        )?;
    }
    Ok(())
}

/// The command that sends a payload to the function.
fn invoke(function: &str, payload: &Value) -> String {
    format!(
        "aws lambda invoke --function-name {} --cli-binary-format raw-in-base64-out --payload '{payload}' /dev/stdout",
        clean(function)
    )
}

/// The event in CloudTrail's console. Source: CloudTrail User Guide, "Viewing recent management events with the console".
fn event_link(region: &str, id: &str) -> Option<String> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return None;
    }
    let host = match partition_of(region) {
        "aws" => "console.aws.amazon.com",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        "aws-cn" => "console.amazonaws.cn",
        _ => return None,
    };
    Some(format!(
        "https://{region}.{host}/cloudtrailv2/home?region={region}#/events/{id}"
    ))
}

fn shown(fact: &Value) -> String {
    match fact {
        Value::Null => "none".into(),
        Value::String(text) => clean(text),
        other => clean(&other.to_string()),
    }
}

/// The alert for machines, version 1. A field may be added; one that is renamed or removed makes another version.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Document<'a> {
    /// The version of this document's form: 1.
    pub version: u8,
    /// The highest severity among the controls.
    pub severity: Severity,
    /// The gravest outcome among the controls.
    pub outcome: Outcome,
    /// What it is about.
    pub resource: &'a Resource,
    /// What led to it.
    pub event: DocumentEvent<'a>,
    /// Who made the call; a field that the event leaves out is empty.
    pub actor: &'a Actor,
    /// What was found and done, control by control.
    pub controls: &'a [ControlResult],
    /// The facts before the change, as far as they changed.
    pub before: &'a Value,
    /// The same facts afterwards.
    pub after: &'a Value,
    /// The stack or tool that manages the resource, where its tags or the event tell.
    pub managed_by: Option<&'a str>,
    /// The id of the ledger's record, which a restore names.
    pub ledger_id: &'a str,
    /// The id of the Lambda request: the function's log lines about it carry the same as `requestId`.
    pub request_id: &'a str,
}

/// What led to an alert.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DocumentEvent<'a> {
    /// CloudTrail's name of the call, or what else led here (`restore`).
    pub name: &'a str,
    /// The event's id.
    pub id: &'a str,
    /// When the call was made, as the event says it.
    pub time: &'a str,
    /// Whether CloudTrail left out the call's parameters for their size: a known way to hide a change.
    pub parameters_omitted: bool,
}

impl<'a> From<&'a Origin> for DocumentEvent<'a> {
    fn from(origin: &'a Origin) -> Self {
        Self {
            name: &origin.event,
            id: &origin.id,
            time: &origin.time,
            parameters_omitted: origin.omitted,
        }
    }
}

fn document(report: &Report, request: &str) -> Value {
    let document = Document {
        version: 1,
        severity: report.severity(),
        outcome: report.outcome(),
        resource: &report.resource,
        event: DocumentEvent::from(&report.origin),
        actor: &report.origin.actor,
        controls: &report.results,
        before: &report.before,
        after: &report.after,
        managed_by: report.managed_by.as_deref(),
        ledger_id: &report.ledger_id,
        request_id: request,
    };
    // Texts, numbers and values that are JSON already: nothing in it can fail to become JSON.
    serde_json::to_value(document).unwrap_or_default()
}

#[cfg(test)]
mod tests;
