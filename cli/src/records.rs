//! The events of files: as EventBridge delivers them, in lists, by lines, or in CloudTrail's log files.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Error;

/// What marks a file as one of gzip. Source: RFC 1952, section 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The most that a packed file may hold, in bytes: CloudTrail's hold megabytes, and one made to fill the memory is none of them.
const LARGEST_FILE: u64 = 512 * 1024 * 1024;

/// What is found in a file.
pub enum Record<'a> {
    /// An event.
    Event(&'a RawValue),
    /// Something that is none, and why.
    Refused(String),
}

/// What is done with each, by the name of its file.
type Take<'a> = dyn FnMut(&str, Record<'_>) -> Result<(), Error> + 'a;

/// Reads files, directories and standard input (`-`), in order. Says whether a directory had nothing to read.
pub fn read(paths: &[PathBuf], take: &mut Take<'_>) -> Result<bool, Error> {
    let mut reader = Reader { take, empty: false };
    paths.iter().try_for_each(|path| reader.path(path))?;
    Ok(reader.empty)
}

struct Reader<'a, 'b> {
    take: &'a mut Take<'b>,
    empty: bool,
}

impl Reader<'_, '_> {
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
                    self.empty = true;
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
        (self.take)(file, Record::Event(raw))
    }

    fn refuse(&mut self, file: &str, why: String) -> Result<(), Error> {
        (self.take)(file, Record::Refused(why))
    }
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
