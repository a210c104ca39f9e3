//! `portcullis triage`: where events lead, by the Lambda's own rules.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use portcullis_core::event::Item;
use portcullis_core::{Event, Listing, Place, Resource, triage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Error, REFUSED, catalog};

#[derive(clap::Args)]
pub struct Arguments {
    /// Files with events, directories (their *.json and *.jsonl), or `-` for standard input. A file may hold one event, a
    /// list of events, JSON lines, or a CloudTrail log file (`Records`)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What is said of one event.
#[derive(Default, Serialize)]
struct Line<'a> {
    file: &'a str,
    source: Option<String>,
    event: Option<String>,
    resources: Vec<Named>,
    controls: Vec<&'static str>,
    ignored: Option<String>,
    refused: Option<String>,
}

#[derive(Serialize)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
    arn: String,
    account: String,
    region: String,
}

impl From<Resource> for Named {
    fn from(resource: Resource) -> Self {
        Self {
            kind: resource.kind,
            arn: resource.arn,
            account: resource.account,
            region: resource.region,
        }
    }
}

pub fn run(arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode, Error> {
    let mut triage = Triage {
        listings: catalog::listings(),
        out,
        refused: false,
    };
    for path in &arguments.files {
        triage.path(path)?;
    }
    Ok(if triage.refused {
        ExitCode::from(REFUSED)
    } else {
        ExitCode::SUCCESS
    })
}

struct Triage<'a, W> {
    listings: Vec<Box<dyn Listing>>,
    out: &'a mut W,
    refused: bool,
}

impl<W: Write> Triage<'_, W> {
    fn path(&mut self, path: &Path) -> Result<(), Error> {
        let name = path.to_string_lossy();
        if name == "-" {
            let mut bytes = Vec::new();
            return match io::stdin().lock().read_to_end(&mut bytes) {
                Ok(_) => self.contents(&name, &bytes),
                Err(error) => self.refuse(&name, format!("it can't be read: {error}")),
            };
        }
        if path.is_dir() {
            return match files_in(path) {
                Ok(paths) => paths.iter().try_for_each(|path| self.path(path)),
                Err(error) => self.refuse(&name, format!("it can't be read: {error}")),
            };
        }
        match fs::read(path) {
            Ok(bytes) => self.contents(&name, &bytes),
            Err(error) => self.refuse(&name, format!("it can't be read: {error}")),
        }
    }

    /// The events of one file: JSON values, one after the other; where that fails, those of its lines that are JSON.
    fn contents(&mut self, file: &str, bytes: &[u8]) -> Result<(), Error> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.starts_with(&[0x1f, 0x8b]) {
            return self.refuse(file, "expected JSON, found a gzip file: unpack it first".into());
        }
        let values: Result<Vec<&RawValue>, _> = serde_json::Deserializer::from_slice(bytes).into_iter().collect();
        match values {
            Ok(values) if values.is_empty() => self.refuse(file, "expected an event in JSON, found nothing".into()),
            Ok(values) => values.iter().try_for_each(|value| self.value(file, value)),
            Err(error) => {
                let lines: Vec<_> = bytes
                    .split(|byte| *byte == b'\n')
                    .enumerate()
                    .filter(|(_, line)| !line.trim_ascii().is_empty())
                    .map(|(at, line)| (at + 1, serde_json::from_slice::<&RawValue>(line)))
                    .collect();
                let are_events = |(_, line): &(_, Result<&RawValue, _>)| {
                    line.as_ref().is_ok_and(|value| value.get().starts_with('{'))
                };
                if !lines.iter().any(are_events) {
                    return self.refuse(file, format!("expected an event in JSON, found what is none: {error}"));
                }
                lines.into_iter().try_for_each(|(at, line)| match line {
                    Ok(value) => self.value(file, value),
                    Err(error) => {
                        let column = error.column();
                        self.refuse(
                            file,
                            format!("line {at}: expected an event in JSON, found what is none (column {column})"),
                        )
                    }
                })
            }
        }
    }

    /// One value: an event, a list of them, or a log file.
    fn value(&mut self, file: &str, value: &RawValue) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Log<'a> {
            #[serde(rename = "Records", borrow)]
            records: Vec<&'a RawValue>,
        }
        let text = value.get();
        if text.starts_with('[') {
            return match serde_json::from_str::<Vec<&RawValue>>(text) {
                Ok(events) => events.iter().try_for_each(|event| self.event(file, event)),
                Err(error) => self.refuse(file, error.to_string()),
            };
        }
        match serde_json::from_str::<Log<'_>>(text) {
            Ok(log) => log.records.iter().try_for_each(|record| self.event(file, record)),
            Err(_) => self.event(file, value),
        }
    }

    fn event(&mut self, file: &str, event: &RawValue) -> Result<(), Error> {
        let event = Event::from_slice(event.get().as_bytes());
        let mut line = Line {
            file,
            ..Line::default()
        };
        match event {
            Err(error) => line.refused = Some(error.to_string()),
            Ok(Event::Restore(_)) => {
                line.event = Some("restore".into());
                line.ignored = Some("a restore names a record of the ledger, which only the function can read".into());
            }
            Ok(Event::Sweep(_)) => {
                line.event = Some("sweep".into());
                line.ignored = Some("a sweep leads to all resources, which only the function can list".into());
            }
            Ok(Event::Preflight(_)) => {
                line.event = Some("preflight".into());
                line.ignored =
                    Some("a preflight looks at what settings require, which only the function can read".into());
            }
            Ok(Event::Release(_)) => {
                line.event = Some("release".into());
                line.ignored = Some("a release ends a hold in the ledger, which only the function can read".into());
            }
            Ok(Event::Scheduled(_)) => {
                line.event = Some("scheduled".into());
                line.ignored = Some("what waits is in the ledger, which only the function can read".into());
            }
            Ok(Event::Config(event)) => {
                line.source = Some("config.amazonaws.com".into());
                line.event = Some(event.event.clone());
                self.item(&mut line, &event.item);
                line.ignored = event.ignored.map(ToOwned::to_owned).or(line.ignored);
            }
            Ok(Event::Rule(rule)) => {
                line.source = Some("config.amazonaws.com".into());
                line.event = Some(format!("AWS Config rule {}", rule.name));
                match &rule.item {
                    Some(item) => self.item(&mut line, item),
                    None => {
                        line.ignored =
                            Some("a schedule leads to all resources, which only the function can list".into());
                    }
                }
            }
            Ok(Event::Call(call)) => {
                line.source = Some(call.source.clone());
                line.event = Some(call.name.clone());
                match triage::triage(&call, None, &self.listings) {
                    Err(error) => line.refused = Some(error.to_string()),
                    Ok(found) => {
                        line.controls = found.controls;
                        line.ignored = found.ignored;
                        line.resources = found.resources.into_iter().map(Named::from).collect();
                    }
                }
            }
        }
        self.say(&line)
    }

    /// The resource that AWS Config names.
    fn item(&self, line: &mut Line<'_>, item: &Item) {
        let place = Place {
            account: item.account.clone(),
            region: item.region.clone(),
        };
        for listing in self.listings.iter().filter(|listing| listing.takes_item(&item.kind)) {
            let named = listing.identified(&item.id, &place);
            line.resources.extend(named.map(Named::from));
            line.controls
                .extend(listing.controls().iter().map(|control| control.id));
        }
        if line.resources.is_empty() {
            line.ignored = Some(format!("no control is about {}", item.kind));
        }
    }

    fn refuse(&mut self, file: &str, why: String) -> Result<(), Error> {
        self.say(&Line {
            file,
            refused: Some(why),
            ..Line::default()
        })
    }

    fn say(&mut self, line: &Line<'_>) -> Result<(), Error> {
        self.refused |= line.refused.is_some();
        serde_json::to_writer(&mut *self.out, line)?;
        Ok(writeln!(self.out)?)
    }
}

/// The files of a directory that hold events, in order; links to directories are not followed, as they may lead in circles.
fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            files.extend(files_in(&path)?);
        } else if path
            .extension()
            .is_some_and(|ending| ending == "json" || ending == "jsonl")
            && !path.is_dir()
        {
            files.push(path);
        }
    }
    Ok(files)
}
