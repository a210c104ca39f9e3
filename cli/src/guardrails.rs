//! `portcullis guardrails`: policies that prevent what would have to be put right, from the same settings.

mod check;
mod diff;
mod evaluate;
mod explain;
mod inputs;
mod made;
mod output;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_guardrails::Generated;
use serde_json::json;

use crate::error::Error;
pub use explain::line as prevention_line;
use made::Made;
pub use made::template_with_parameters;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    inputs: inputs::Inputs,
    /// Write the documents to this directory, with attach.md, map.json and guardrails.yaml, in place of what an earlier run wrote
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Say of each control what prevents its violation, what stays with its function and what may break; write no documents
    #[arg(long, conflicts_with = "out")]
    explain: bool,
    /// With --explain: as JSON
    #[arg(long, requires = "explain")]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Check the documents against AWS's list of actions, resources and condition keys: a key that an action never carries voids a
    /// deny. One JSON line a document and a finding
    Check(check::Arguments),
    /// Say which calls of CloudTrail's logs would have been denied: whose, when, by which statement and why. One JSON line a call and
    /// statement
    Diff(diff::Arguments),
    /// Say which statements deny the requests of a file, one JSON line a request: whether your own still pass
    Evaluate(evaluate::Arguments),
}

pub fn run(arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode, Error> {
    match &arguments.command {
        None if arguments.explain => explain::run(arguments.json, out),
        None => write(arguments, out),
        Some(Command::Check(own)) => check::run(own, &arguments.inputs, out),
        Some(Command::Diff(own)) => diff::run(own, &arguments.inputs, out),
        Some(Command::Evaluate(own)) => evaluate::run(own, &arguments.inputs, out),
    }
}

fn write(arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode, Error> {
    let made = Made::of(&arguments.inputs)?;
    let Generated {
        documents,
        still_denied,
        notes,
        ..
    } = &made.generated;
    for note in still_denied.iter().chain(notes) {
        writeln!(io::stderr(), "portcullis: {note}")?;
    }
    if let Some(directory) = &arguments.out {
        for line in output::write(&made, directory)? {
            writeln!(out, "{line}")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    for document in documents {
        let sids: Vec<_> = document.statements.iter().map(|written| &written.sid).collect();
        let line = json!({
            "document": document.name, "type": document.kind, "characters": document.size(), "of": document.kind.limit(),
            "statements": sids, "policy": document.content,
        });
        writeln!(out, "{line}")?;
    }
    Ok(ExitCode::SUCCESS)
}
