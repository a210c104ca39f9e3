//! `portcullis controls`: all of them in a table, or one's page.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write, stdout};
use std::process::ExitCode;

use portcullis_catalog as catalog;
use portcullis_core::settings::nearest;
use serde::Serialize;

use crate::error::Error;

#[derive(clap::Args)]
pub struct Arguments {
    /// A control, whose page is shown; or how the ids of those begin that are listed, as in s3-bucket
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// As JSON, with calls, IAM actions and standards
    #[arg(long)]
    json: bool,
}

/// The pages of all controls, as `make docs` writes them.
const PAGES: &str = include_str!("../../docs/controls.md");

/// The page of a control, without the heading of the next one.
fn page_of(id: &str) -> Option<&'static str> {
    let heading = format!("\n#### {id}\n");
    let page = &PAGES[PAGES.find(&heading)? + 1..];
    let ends = ["\n#### ", "\n### ", "\n## "].iter().filter_map(|next| page.find(next));
    Some(ends.min().map_or(page, |end| &page[..end]).trim_end())
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
    let begin = arguments.id.as_deref().unwrap_or_default();
    let ids: Vec<_> = catalog::controls().iter().map(|meta| meta.id).collect();
    if let Some(page) = page_of(begin).filter(|_| !arguments.json && ids.contains(&begin)) {
        writeln!(out, "{page}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let fits = |id: &str| {
        if ids.contains(&begin) {
            id == begin
        } else {
            id.starts_with(begin)
        }
    };
    if !ids.iter().any(|id| fits(id)) {
        let meant = nearest(begin, &ids);
        return Err(Error::Refused(format!(
            "there is no control whose id begins with {begin:?}{meant}"
        )));
    }
    let listed = listings.iter().flat_map(|listing| {
        let (kind, source) = (listing.kind(), listing.source());
        let controls = listing.controls().into_iter().filter(|meta| fits(meta.id));
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

/// Rows in columns as wide as they need to be; in a terminal the last one is wrapped.
pub fn table<const N: usize>(out: &mut impl Write, rows: &[[String; N]]) -> Result<ExitCode, Error> {
    let terminal = stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    let across = terminal.map_or(usize::MAX, |(width, _)| usize::from(width.0));
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(wide);
    for row in rows {
        let Some((last, first)) = row.split_last() else {
            continue;
        };
        let mut line = String::new();
        for (cell, width) in first.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        let indent = line.chars().count();
        for (at, part) in wrapped(last, across.saturating_sub(indent)).iter().enumerate() {
            let before = if at == 0 { line.clone() } else { " ".repeat(indent) };
            writeln!(out, "{}", (before + part).trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The narrowest column that is still one.
const NARROWEST: usize = 20;

/// A text in lines of at most so many letters, but for longer words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(NARROWEST);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines
            .last_mut()
            .filter(|line| line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_control_has_a_page_of_its_own() {
        for meta in catalog::controls() {
            let page = page_of(meta.id).unwrap_or_else(|| panic!("{}", meta.id));
            assert!(page.starts_with(&format!("#### {}\n", meta.id)), "{page}");
            assert_eq!(
                page.matches("\n#### ").count() + page.matches("\n## ").count(),
                0,
                "{page}"
            );
            assert!(page.contains(meta.title), "{page}");
        }
        assert_eq!(page_of("s3"), None);
    }

    #[test]
    fn a_text_is_wrapped_between_words() {
        assert_eq!(wrapped("a bucket is not public", 20), ["a bucket is not", "public"]);
        assert_eq!(
            wrapped("a-word-of-more-than-twenty-letters b", 3),
            ["a-word-of-more-than-twenty-letters", "b"]
        );
        assert_eq!(wrapped("as it is", usize::MAX), ["as it is"]);
        assert_eq!(wrapped("", 80), [""]);
    }
}
