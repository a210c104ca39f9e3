//! `portcullis guardrails diff`: what the documents would have done to calls that were made.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_core::Event;
use portcullis_core::event::{Call, NativeEvent};
use portcullis_guardrails::{Denial, Evaluator, Owners, action, guardrails, requests};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::inputs::Inputs;
use super::made::Made;
use crate::controls::table;
use crate::error::{Error, REFUSED};
use crate::records::{self, Record};

#[derive(clap::Args)]
pub struct Arguments {
    /// CloudTrail's log files, directories of them, or `-`: what `triage` reads
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    events: Vec<PathBuf>,
    /// The organisation's management account, which no policy binds
    #[arg(long, value_name = "ACCOUNT")]
    management: Option<String>,
    /// Count by statement, caller and action, for people
    #[arg(long)]
    table: bool,
}

/// A call that a statement would have denied.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    file: &'a str,
    event: &'a str,
    time: &'a str,
    who: String,
    account: &'a str,
    region: &'a str,
    action: &'a str,
    resource: &'a str,
    verdict: &'static str,
    statement: &'a str,
    document: &'a str,
    controls: &'static [&'static str],
    because: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    depends_on: &'a [String],
}

/// How often, and when first and last.
#[derive(Default)]
struct Count {
    calls: usize,
    first: String,
    last: String,
}

struct Diff<'a, W> {
    evaluator: Evaluator,
    keys: BTreeSet<String>,
    owners: Owners,
    native: Vec<NativeEvent>,
    table: bool,
    out: &'a mut W,
    counts: BTreeMap<[String; 4], Count>,
    calls: usize,
    denied: usize,
    undecided: usize,
    failed: usize,
    /// What AWS did by itself, or somebody of whom the record does not tell.
    nobody: usize,
    refused: usize,
}

pub fn run(arguments: &Arguments, inputs: &Inputs, out: &mut impl Write) -> Result<ExitCode, Error> {
    let made = Made::of(inputs)?;
    let evaluator = Evaluator::new(&made.generated.documents)
        .map_err(|(name, error)| Error::Refused(format!("{name}: {error}")))?;
    let listings = portcullis_catalog::listings();
    let mut diff = Diff {
        keys: evaluator.keys(),
        evaluator,
        owners: Owners {
            organizations: made.values.organizations.clone(),
            accounts: made.values.own_accounts.iter().cloned().collect(),
            management: arguments.management.clone(),
        },
        native: listings
            .iter()
            .flat_map(|listing| listing.native_events())
            .copied()
            .collect(),
        table: arguments.table,
        out,
        counts: BTreeMap::new(),
        calls: 0,
        denied: 0,
        undecided: 0,
        failed: 0,
        nobody: 0,
        refused: 0,
    };
    let empty = records::read(&arguments.events, &mut |file, found| match found {
        Record::Event(raw) => diff.event(file, raw),
        Record::Refused(why) => diff.refuse(file, &why),
    })?;
    diff.finish()?;
    Ok(if empty || diff.refused > 0 {
        ExitCode::from(REFUSED)
    } else {
        ExitCode::SUCCESS
    })
}

impl<W: Write> Diff<'_, W> {
    fn event(&mut self, file: &str, raw: &RawValue) -> Result<(), Error> {
        match Event::from_slice(raw.get().as_bytes(), &self.native) {
            Err(error) => self.refuse(file, &error.to_string()),
            // What AWS Config or a service tells by itself is no request.
            Ok(Event::Call(call)) => {
                let record = serde_json::from_str(raw.get()).unwrap_or_default();
                self.call(file, &call, &record)
            }
            Ok(_) => Ok(()),
        }
    }

    fn call(&mut self, file: &str, call: &Call, record: &Value) -> Result<(), Error> {
        self.calls += 1;
        // It was denied, or failed, without us.
        if call.error.is_some() {
            self.failed += 1;
            return Ok(());
        }
        if !self.evaluator.concerns(&action(call)) {
            return Ok(());
        }
        let accounts = self.owners.accounts(call);
        let asked = requests(call, record, &self.keys, &self.owners);
        self.nobody += usize::from(asked.is_empty());
        let mut sure = false;
        let mut maybe = false;
        let mut told = Vec::<(String, String)>::new();
        for asked in &asked {
            for denial in self.evaluator.denials(asked, &accounts, |_| true) {
                let one = (denial.document.clone(), denial.sid.clone());
                // One statement stops a call once, whichever of its resources it is for.
                if told.contains(&one) {
                    continue;
                }
                told.push(one);
                sure |= denial.sure;
                maybe |= !denial.sure;
                self.say(file, call, &asked.request.action, &asked.request.resource, &denial)?;
            }
        }
        self.denied += usize::from(sure);
        self.undecided += usize::from(maybe && !sure);
        Ok(())
    }

    fn say(&mut self, file: &str, call: &Call, action: &str, resource: &str, denial: &Denial) -> Result<(), Error> {
        let verdict = if denial.sure { "denied" } else { "undecided" };
        let who = call.actor.describe();
        if self.table {
            let role = if call.actor.role.is_empty() {
                who
            } else {
                call.actor.role.clone()
            };
            let key = [denial.sid.clone(), verdict.to_owned(), role, action.to_owned()];
            let count = self.counts.entry(key).or_default();
            count.calls += 1;
            if count.first.is_empty() || call.time < count.first {
                count.first.clone_from(&call.time);
            }
            if call.time > count.last {
                count.last.clone_from(&call.time);
            }
            return Ok(());
        }
        let line = Line {
            file,
            event: &call.id,
            time: &call.time,
            who,
            account: &call.account,
            region: &call.region,
            action,
            resource,
            verdict,
            statement: &denial.sid,
            document: &denial.document,
            controls: guardrails()
                .find(|guardrail| guardrail.sid == denial.guardrail)
                .map_or(&[], |guardrail| guardrail.controls),
            because: &denial.because,
            depends_on: &denial.depends_on,
        };
        serde_json::to_writer(&mut *self.out, &line)?;
        Ok(writeln!(self.out)?)
    }

    fn refuse(&mut self, file: &str, why: &str) -> Result<(), Error> {
        self.refused += 1;
        Ok(writeln!(io::stderr(), "portcullis: {file}: {why}")?)
    }

    fn finish(&mut self) -> Result<(), Error> {
        if self.table {
            let mut rows = vec![["STATEMENT", "VERDICT", "WHO", "ACTION", "CALLS", "FIRST", "LAST"].map(str::to_owned)];
            let counts = std::mem::take(&mut self.counts).into_iter();
            rows.extend(counts.map(|([sid, verdict, who, action], count)| {
                [
                    sid,
                    verdict,
                    who,
                    action,
                    count.calls.to_string(),
                    count.first,
                    count.last,
                ]
            }));
            table(self.out, &rows)?;
        }
        Ok(writeln!(
            io::stderr(),
            "portcullis: of {} calls {} would have been denied, {} are undecided (a key is not recorded), {} had failed already, {} have no \
             caller; {} events were refused",
            self.calls,
            self.denied,
            self.undecided,
            self.failed,
            self.nobody,
            self.refused
        )?)
    }
}
