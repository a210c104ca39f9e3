//! `portcullis triage`: where events lead, by the Lambda's own rules.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::read::MultiGzDecoder;
use portcullis_core::event::Item;
use portcullis_core::{Event, Listing, Location, Resource, triage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, REFUSED};

#[derive(clap::Args)]
pub struct Arguments {
    /// Files with events, directories (their *.json and *.jsonl, and these as *.gz), or `-` for standard input. A file may hold
    /// one event, a list of events, JSON lines, a CloudTrail log file (`Records`), or what `aws cloudtrail lookup-events` prints;
    /// packed by gzip or not
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What marks a file as one of gzip. Source: RFC 1952, section 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The most that a packed file may hold, in bytes: CloudTrail's hold megabytes, and one made to fill the memory is none of them.
const LARGEST_FILE: u64 = 512 * 1024 * 1024;

/// Longer than any name of a service or a call: what is longer is not repeated of an event that was refused.
const LONGEST_NAME: usize = 128;

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
        listings: portcullis_catalog::listings(),
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
            let mut files = Vec::new();
            return match files_in(path, &mut BTreeSet::new(), &mut files) {
                Ok(()) if files.is_empty() => {
                    self.refused = true;
                    let names = "*.json, *.jsonl, *.json.gz or *.jsonl.gz";
                    Ok(writeln!(io::stderr(), "portcullis: {name}: found no {names} in it")?)
                }
                Ok(()) => files.iter().try_for_each(|path| self.path(path)),
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
        if bytes.starts_with(&GZIP) {
            let mut unpacked = Vec::new();
            let mut packed = MultiGzDecoder::new(bytes).take(LARGEST_FILE + 1);
            return match packed.read_to_end(&mut unpacked) {
                Ok(size) if size as u64 > LARGEST_FILE => {
                    self.refuse(file, format!("expected at most {LARGEST_FILE} bytes in it, found more"))
                }
                Ok(_) if unpacked.starts_with(&GZIP) => {
                    self.refuse(file, "expected JSON, found gzip twice over".into())
                }
                Ok(_) => self.contents(file, &unpacked),
                Err(error) => self.refuse(file, format!("it can't be unpacked: {error}")),
            };
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
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
        /// What `aws cloudtrail lookup-events` prints: each record is a text.
        #[derive(Deserialize)]
        struct LookedUp {
            #[serde(rename = "Events")]
            events: Vec<LookedUpEvent>,
        }
        #[derive(Deserialize)]
        struct LookedUpEvent {
            #[serde(rename = "CloudTrailEvent")]
            record: String,
        }
        let text = value.get();
        if text.starts_with('[') {
            return match serde_json::from_str::<Vec<&RawValue>>(text) {
                Ok(events) => events.iter().try_for_each(|event| self.event(file, event)),
                Err(error) => self.refuse(file, error.to_string()),
            };
        }
        if let Ok(LookedUp { events }) = serde_json::from_str(text) {
            return events
                .iter()
                .try_for_each(|event| match serde_json::from_str(&event.record) {
                    Ok(record) => self.event(file, record),
                    Err(error) => self.refuse(file, format!("a CloudTrailEvent is no JSON: {error}")),
                });
        }
        match serde_json::from_str::<Log<'_>>(text) {
            Ok(log) => log.records.iter().try_for_each(|record| self.event(file, record)),
            Err(_) => self.event(file, value),
        }
    }

    fn event(&mut self, file: &str, raw: &RawValue) -> Result<(), Error> {
        let native: Vec<_> = self
            .listings
            .iter()
            .flat_map(|listing| listing.native_events())
            .copied()
            .collect();
        let event = Event::from_slice(raw.get().as_bytes(), &native);
        let mut line = Line {
            file,
            ..Line::default()
        };
        match event {
            Err(error) => {
                (line.source, line.event) = named(raw);
                line.refused = Some(error.to_string());
            }
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
            Ok(Event::Scheduled(_) | Event::Waiting(_)) => {
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
                match triage::triage(&call, &[], &self.listings) {
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
        let place = Location {
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

/// The source and the name of an event that was refused, as far as they can be read.
fn named(raw: &RawValue) -> (Option<String>, Option<String>) {
    let event: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let record = event.get("detail").unwrap_or(&event);
    let short = |text: &&str| text.len() <= LONGEST_NAME;
    let text = |name: &str| {
        record
            .get(name)
            .and_then(Value::as_str)
            .filter(short)
            .map(str::to_owned)
    };
    (text("eventSource"), text("eventName"))
}

/// The files of a directory that hold events, in order. Links are followed; no directory is looked at twice, as they may lead
/// in circles.
fn files_in(directory: &Path, seen: &mut BTreeSet<PathBuf>, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !seen.insert(directory.canonicalize()?) {
        return Ok(());
    }
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            files_in(&path, seen, files)?;
        } else if holds_events(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn holds_events(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".json", ".jsonl"].iter().any(|ending| name.ends_with(ending))
}
