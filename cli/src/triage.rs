//! `portcullis triage`: where events lead, by the Lambda's own rules.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_core::event::Item;
use portcullis_core::{Event, Listing, Location, Resource, triage};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, REFUSED};
use crate::records::{self, Record};

#[derive(clap::Args)]
pub struct Arguments {
    /// Files with events, directories (their *.json and *.jsonl, and these as *.gz), or `-` for standard input. A file may hold
    /// one event, a list of events, JSON lines, a CloudTrail log file (`Records`), or what `aws cloudtrail lookup-events` prints;
    /// packed by gzip or not
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

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
    let empty = records::read(&arguments.files, &mut |file, found| match found {
        Record::Event(raw) => triage.event(file, raw),
        Record::Refused(why) => triage.refuse(file, why),
    })?;
    Ok(if triage.refused || empty {
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
            Ok(Event::Look(_)) => {
                line.event = Some("look".into());
                line.ignored = Some("it asks to look at one resource now, which only the function can read".into());
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
