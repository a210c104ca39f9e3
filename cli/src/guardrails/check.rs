//! `portcullis guardrails check`: documents against AWS's list of actions and keys, and against Access Analyzer.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use portcullis_guardrails::{Document, DocumentKind, Finding, Level, actions, check};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::inputs::Inputs;
use super::made::Made;
use crate::error::{Error, REFUSED};

#[derive(clap::Args)]
pub struct Arguments {
    /// Files of policies to check in place of what the settings come to, named as they are written (scp-….json, rcp-….json); a
    /// directory stands for its own
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Have Access Analyzer validate them as well, by the AWS CLI and its credentials
    #[arg(long)]
    live: bool,
}

/// One line: what was checked, or one thing that is wrong with it.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Document {
        document: &'a str,
        characters: usize,
        of: usize,
        errors: usize,
        list: &'static str,
        live: bool,
    },
    Finding(&'a Finding),
}

pub fn run(arguments: &Arguments, inputs: &Inputs, out: &mut impl Write) -> Result<ExitCode, Error> {
    let documents = if arguments.files.is_empty() {
        Made::of(inputs)?.generated.documents
    } else {
        read_all(&arguments.files)?
    };
    let mut wrong = false;
    for document in &documents {
        let mut findings = check(document.kind, &document.name, &document.content);
        let (characters, of) = (document.size(), document.kind.limit());
        if characters > of {
            findings.push(Finding {
                document: document.name.clone(),
                sid: String::new(),
                level: Level::Error,
                text: format!("expected at most {of} characters, found {characters}"),
            });
        }
        if arguments.live {
            findings.extend(validate(document)?);
        }
        let errors = findings.iter().filter(|finding| finding.level == Level::Error).count();
        wrong |= errors > 0;
        let line = Line::Document {
            document: &document.name,
            characters,
            of,
            errors,
            list: actions().date,
            live: arguments.live,
        };
        for line in std::iter::once(line).chain(findings.iter().map(Line::Finding)) {
            serde_json::to_writer(&mut *out, &line)?;
            writeln!(out)?;
        }
    }
    Ok(if wrong {
        ExitCode::from(REFUSED)
    } else {
        ExitCode::SUCCESS
    })
}

/// What is in a directory besides the documents.
const NOT_DOCUMENTS: [&str; 1] = ["map.json"];

fn read_all(paths: &[PathBuf]) -> Result<Vec<Document>, Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    let mut documents = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = fs::read_dir(path).map_err(failed(path))?;
            let mut files: Vec<_> = entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<_, _>>()
                .map_err(failed(path))?;
            files.retain(|file| {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                Path::new(&*name).extension().is_some_and(|ending| ending == "json") && !NOT_DOCUMENTS.contains(&&*name)
            });
            files.sort();
            if files.is_empty() {
                return Err(Error::Refused(format!(
                    "{}: expected policies, found no *.json in it",
                    path.display()
                )));
            }
            for file in files {
                documents.push(read(&file)?);
            }
        } else {
            documents.push(read(path)?);
        }
    }
    Ok(documents)
}

/// A document of a file, whose kind its name tells.
fn read(path: &Path) -> Result<Document, Error> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let Some(kind) = DocumentKind::ALL
        .into_iter()
        .find(|kind| name.split('-').next() == Some(kind.name()))
    else {
        return Err(Error::Refused(format!(
            "{}: expected a name that begins with ec2, s3, scp, rcp, iam, boundary or endpoint, which tells what it is",
            path.display()
        )));
    };
    let text = fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let content: Value = serde_json::from_str(&text)
        .map_err(|error| Error::Refused(format!("{}: expected a policy in JSON: {error}", path.display())))?;
    Ok(Document {
        kind,
        name,
        content,
        statements: Vec::new(),
    })
}

/// What Access Analyzer answers.
#[derive(Deserialize)]
struct Validated {
    findings: Vec<Validation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validation {
    finding_type: String,
    issue_code: String,
    finding_details: String,
}

/// What Access Analyzer says of a document. It knows no declarative policies.
///
/// Source: Access Analyzer API Reference, `ValidatePolicy`.
fn validate(document: &Document) -> Result<Vec<Finding>, Error> {
    let kind = match document.kind {
        DocumentKind::Scp => "SERVICE_CONTROL_POLICY",
        DocumentKind::Rcp => "RESOURCE_CONTROL_POLICY",
        DocumentKind::Iam | DocumentKind::Boundary => "IDENTITY_POLICY",
        DocumentKind::Endpoint => "RESOURCE_POLICY",
        DocumentKind::Ec2 | DocumentKind::S3 => return Ok(Vec::new()),
    };
    let mut command = Command::new("aws");
    command.args([
        "accessanalyzer",
        "validate-policy",
        "--output",
        "json",
        "--policy-type",
        kind,
    ]);
    let answer = command.args(["--policy-document", &document.text()]).output();
    let answer = answer.map_err(|error| {
        Error::Refused(format!(
            "--live: expected the AWS CLI (`aws`) on the PATH, found none that runs: {error}"
        ))
    })?;
    if !answer.status.success() {
        let told = String::from_utf8_lossy(&answer.stderr);
        return Err(Error::Refused(format!(
            "--live: {}: ValidatePolicy failed: {}",
            document.name,
            told.trim()
        )));
    }
    let validated: Validated = serde_json::from_slice(&answer.stdout)
        .map_err(|error| Error::Refused(format!("--live: {}: expected findings, found: {error}", document.name)))?;
    Ok(validated
        .findings
        .into_iter()
        .map(|found| Finding {
            document: document.name.clone(),
            sid: String::new(),
            level: if found.finding_type == "ERROR" || found.finding_type == "SECURITY_WARNING" {
                Level::Error
            } else {
                Level::Note
            },
            text: format!("Access Analyzer, {}: {}", found.issue_code, found.finding_details),
        })
        .collect())
}
