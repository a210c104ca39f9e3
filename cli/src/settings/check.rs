//! `portcullis settings check`: all that is wrong with settings, what is suspicious, and what they lose against others.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use portcullis_core::Settings;
use portcullis_core::settings::{Exemption, Known, Mode, SettingsError, Switch};
use serde::Serialize;

use super::against::{self, Difference};
use super::file::text_of;
use super::warnings::{self, Note};
use crate::controls::word;
use crate::error::{Error, REFUSED, WARNED};

#[derive(clap::Args)]
pub struct Arguments {
    /// The file, or `-` for standard input
    file: PathBuf,
    /// Say what is lost or weakened against the settings of this file, such as those in force
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Checked {
    file: String,
    good: bool,
    mistakes: Vec<Note>,
    warnings: Vec<Note>,
    /// What each control does by these settings, unless the stack's mode is notify; none where they are refused.
    modes: BTreeMap<&'static str, Switch>,
    /// Against another file: what is different.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<Difference>>,
}

pub fn run(asked: &Arguments, now: Timestamp, out: &mut impl Write) -> Result<ExitCode, Error> {
    let known = Known::all(&portcullis_catalog::services());
    let (text, mistakes) = look(&asked.file, &known)?;
    let other = asked.against.as_deref().map(|path| look(path, &known)).transpose()?;
    let mut checked = Checked {
        file: asked.file.display().to_string(),
        good: mistakes.is_empty(),
        mistakes: mistakes.iter().map(Note::from).collect(),
        warnings: Vec::new(),
        modes: BTreeMap::new(),
        differences: None,
    };
    let settings = if mistakes.is_empty() {
        Some(Settings::from_yaml(&text, &known).map_err(|error| refused(&asked.file, &[error]))?)
    } else if asked.json {
        None
    } else {
        return Err(refused(&asked.file, &mistakes));
    };
    if let Some(settings) = &settings {
        checked.warnings = warnings::of(&text, settings, now);
        let controls = portcullis_catalog::controls().into_iter();
        checked.modes = controls.map(|meta| (meta.id, settings.switch(meta))).collect();
        if let (Some((text, mistakes)), Some(path)) = (other, &asked.against) {
            if !mistakes.is_empty() {
                return Err(refused(path, &mistakes));
            }
            let other = Settings::from_yaml(&text, &known).map_err(|error| refused(path, &[error]))?;
            checked.differences = Some(against::of(&other, settings)?);
        }
    }
    let lost = checked.differences.iter().flatten().filter(|one| one.is_loss()).count();
    let code = match (checked.good, checked.warnings.len() + lost) {
        (false, _) => ExitCode::from(REFUSED),
        (true, 0) => ExitCode::SUCCESS,
        (true, _) => ExitCode::from(WARNED),
    };
    if asked.json {
        serde_json::to_writer_pretty(&mut *out, &checked)?;
        writeln!(out)?;
    } else if let Some(settings) = &settings {
        write(&checked, settings, now, out)?;
        if let (Some(differences), Some(path)) = (&checked.differences, &asked.against) {
            write_against(path, differences, out)?;
        }
    }
    Ok(code)
}

fn look(path: &Path, known: &Known) -> Result<(String, Vec<SettingsError>), Error> {
    let text = text_of(path)?;
    let mistakes = Settings::mistakes(&text, known);
    Ok((text, mistakes))
}

fn refused(path: &Path, mistakes: &[SettingsError]) -> Error {
    let said = mistakes.iter().map(|error| format!("{}: {error}", path.display()));
    Error::Refused(said.collect::<Vec<_>>().join("\nportcullis: "))
}

fn write(checked: &Checked, settings: &Settings, now: Timestamp, out: &mut impl Write) -> Result<(), Error> {
    let mode = match settings.mode {
        Mode::Notify => "notify, whatever the stack's parameter Mode".into(),
        Mode::Enforce => format!("{}, unless the stack's parameter Mode is notify", word(&settings.mode)),
    };
    writeln!(out, "{}: good; mode {mode}", checked.file)?;
    for (id, set) in &settings.controls {
        let mode = set.mode.map_or("default mode".into(), |mode| word(&mode));
        let quarantine = if set.quarantine { ", quarantine" } else { "" };
        let grace = set
            .grace
            .map_or_else(String::new, |grace| format!(", after a grace of {grace:#}"));
        writeln!(out, "  control {id}: {mode}{quarantine}{grace}")?;
    }
    for exemption in &settings.exemptions {
        let Exemption {
            control,
            owner,
            until,
            reason,
            ..
        } = exemption;
        let ended = if *until <= now { " — it has ended" } else { "" };
        let about = exemption.about();
        writeln!(
            out,
            "  exempt from {control}: {about}, until {until} ({owner}){ended}: {reason}"
        )?;
    }
    for Note {
        place,
        setting,
        message,
    } in &checked.warnings
    {
        let setting = setting.as_ref().map_or_else(String::new, |path| format!("{path}: "));
        writeln!(out, "  warning: {place}{setting}{message}")?;
    }
    Ok(())
}

fn write_against(path: &Path, differences: &[Difference], out: &mut impl Write) -> Result<(), Error> {
    let same = if differences.is_empty() { " the same" } else { "" };
    writeln!(out, "against {}:{same}", path.display())?;
    for one in differences {
        writeln!(out, "  {one}")?;
    }
    Ok(())
}
