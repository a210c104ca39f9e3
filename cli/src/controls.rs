//! `portcullis controls`: all of them, in a table.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use portcullis_catalog as catalog;
use serde::Serialize;

use crate::error::Error;

#[derive(clap::Args)]
pub struct Arguments {
    /// As JSON, with calls, IAM actions and standards
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listed {
    #[serde(rename = "type")]
    kind: &'static str,
    source: &'static str,
    #[serde(flatten)]
    meta: &'static portcullis_core::Meta,
    /// The IAM actions of its remedies, and of what undoes them.
    writes: BTreeSet<&'static str>,
}

pub fn run(arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode, Error> {
    let listings = catalog::listings();
    let listed = listings.iter().flat_map(|listing| {
        let (kind, source) = (listing.kind(), listing.source());
        let controls = listing.controls().into_iter();
        controls.map(move |meta| Listed {
            kind,
            source,
            meta,
            writes: listing.writes_of(meta.id),
        })
    });
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &listed.collect::<Vec<_>>())?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["ID", "SEVERITY", "DEFAULT", "IMPACT", "WHAT IT REQUIRES"].map(str::to_owned)];
    rows.extend(listed.map(|Listed { meta, .. }| {
        [
            meta.id.to_owned(),
            meta.severity.to_string(),
            word(&meta.default),
            word(&meta.impact),
            meta.title.to_owned(),
        ]
    }));
    table(out, &rows)
}

/// The word by which settings and alerts call a value.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// Rows in columns as wide as they need to be.
pub fn table<const N: usize>(out: &mut impl Write, rows: &[[String; N]]) -> Result<ExitCode, Error> {
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(wide);
    for row in rows {
        let line: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}
