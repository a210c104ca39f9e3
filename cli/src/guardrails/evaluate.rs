//! `portcullis guardrails evaluate`: requests against the documents.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_access::OrganizationAccounts;
use portcullis_guardrails::{Denial, DocumentKind, Evaluator, Expected, Sample, Tier, guardrails};
use serde::Serialize;

use super::inputs::Inputs;
use super::made::Made;
use crate::error::{Error, REFUSED};

#[derive(clap::Args)]
pub struct Arguments {
    /// JSON lines of requests, or `-`: {"request": {"principal", "action", "resource", "context"}}, with "expect" (deny or allow) and
    /// "guardrail" to hold the verdict against
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    denied: bool,
    by: Vec<Denial>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_expected: Option<bool>,
}

pub fn run(arguments: &Arguments, inputs: &Inputs, out: &mut impl Write) -> Result<ExitCode, Error> {
    let made = Made::of(inputs)?;
    let evaluator = Evaluator::new(&made.generated.documents)
        .map_err(|(name, error)| Error::Refused(format!("{name}: {error}")))?;
    let accounts = OrganizationAccounts::default();
    let mut bad = false;
    let mut refused = false;
    for path in &arguments.files {
        let text = read(path).map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let sample: Sample = match serde_json::from_str(line) {
                Ok(sample) => sample,
                Err(error) => {
                    refused = true;
                    writeln!(
                        io::stderr(),
                        "portcullis: {}:{}: expected a request, found what is none: {error}",
                        path.display(),
                        at + 1
                    )?;
                    continue;
                }
            };
            let about = DocumentKind::ALL
                .into_iter()
                .filter(|kind| takes(&sample, *kind, &evaluator));
            if !about.into_iter().any(|kind| evaluator.has(kind)) {
                refused = true;
                let of = sample.kind.as_deref().unwrap_or("any type");
                writeln!(
                    io::stderr(),
                    "portcullis: {}:{}: expected documents of {of} to ask, found none: choose them with --type",
                    path.display(),
                    at + 1
                )?;
                continue;
            }
            let by = evaluator.denials(&sample.request.asked(), &accounts, |kind| {
                takes(&sample, kind, &evaluator)
            });
            let as_expected = sample.expect.map(|expected| holds(&sample, expected, &by));
            bad |= as_expected == Some(false);
            let line = Line {
                id: &sample.id,
                denied: by.iter().any(|denial| denial.sure),
                by,
                as_expected,
            };
            serde_json::to_writer(&mut *out, &line)?;
            writeln!(out)?;
        }
    }
    Ok(ExitCode::from(if refused { REFUSED } else { u8::from(bad) }))
}

fn read(path: &PathBuf) -> io::Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(path)
}

/// Whether a sample is about a kind of documents. What is said of a policy of IAM is asked of the same statements as an SCP where no
/// policy of IAM was written.
fn takes(sample: &Sample, kind: DocumentKind, evaluator: &Evaluator) -> bool {
    match sample.kind.as_deref() {
        None => true,
        Some("declarative") => matches!(kind, DocumentKind::Ec2 | DocumentKind::S3),
        Some("iam" | "boundary") if evaluator.has(DocumentKind::Iam) => kind == DocumentKind::Iam,
        Some("iam" | "boundary") if evaluator.has(DocumentKind::Boundary) => kind == DocumentKind::Boundary,
        Some("iam" | "boundary") => kind == DocumentKind::Scp,
        Some(name) => kind.name() == name,
    }
}

fn holds(sample: &Sample, expected: Expected, by: &[Denial]) -> bool {
    let named = |denial: &Denial| sample.guardrail.as_deref().is_none_or(|name| denial.guardrail == name);
    let by_default = |denial: &Denial| {
        let mut of = guardrails().filter(|guardrail| denial.guardrail == guardrail.sid);
        of.any(|guardrail| guardrail.tier == Tier::Default)
    };
    match expected {
        Expected::Deny => by.iter().any(|denial| denial.sure && named(denial)),
        Expected::Allow => !by.iter().any(|denial| named(denial) || by_default(denial)),
    }
}
