//! The directory that the documents are written to: whole, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portcullis_guardrails::{attach, file_name, map, template};
use serde_json::Value;

use super::made::Made;
use crate::error::Error;

const MAP: &str = "map.json";
const ATTACH: &str = "attach.md";
const TEMPLATE: &str = "guardrails.yaml";

/// Writes all files beside the directory and then puts them in its place. Says what was written.
pub fn write(made: &Made, directory: &Path) -> Result<Vec<String>, Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    check(directory)?;
    let files = files(made);
    let beside = beside(directory);
    if let Some(parent) = beside.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(failed(parent))?;
    }
    let written = fs::create_dir(&beside).map_err(failed(&beside)).and_then(|()| {
        let mut files = files.iter();
        files.try_for_each(|(name, text)| {
            let path = beside.join(name);
            fs::write(&path, text).map_err(failed(&path))
        })
    });
    let placed = written.and_then(|()| replace(&beside, directory).map_err(failed(directory)));
    if placed.is_err() {
        let _ = fs::remove_dir_all(&beside);
    }
    placed?;
    let documents = made.generated.documents.iter();
    let mut lines: Vec<_> = documents
        .map(|document| {
            let (size, limit) = (document.size(), document.kind.limit());
            let path = directory.join(file_name(document));
            format!("{} written: {size} of {limit} characters", path.display())
        })
        .collect();
    let own = [ATTACH, MAP, TEMPLATE]
        .into_iter()
        .filter(|name| files.contains_key(*name));
    lines.extend(own.map(|name| format!("{} written", directory.join(name).display())));
    Ok(lines)
}

/// All files, by name.
fn files(made: &Made) -> BTreeMap<String, String> {
    let documents = made.generated.documents.iter();
    // Without white space, the final newline too: it counts where a policy is saved.
    let mut files: BTreeMap<_, _> = documents
        .map(|document| (file_name(document), document.text()))
        .collect();
    files.insert(MAP.into(), format!("{:#}\n", map(&made.generated)));
    files.insert(ATTACH.into(), attach(&made.generated, &made.values, &made.selection));
    let template = template(&made.generated);
    if !template.is_empty() {
        files.insert(TEMPLATE.into(), template);
    }
    files
}

/// A directory that can be replaced: none yet, an empty one, or one that holds nothing but what an earlier run wrote.
fn check(directory: &Path) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: directory.to_owned(),
        source,
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>().map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let map: Value = fs::read_to_string(directory.join(MAP))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let written = map["files"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let known: BTreeSet<_> = if map["files"].is_array() {
        written.chain([MAP, ATTACH, TEMPLATE]).collect()
    } else {
        BTreeSet::new()
    };
    let other = entries
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| !known.contains(name.as_str()));
    match other {
        None => Ok(()),
        Some(name) => Err(Error::Refused(format!(
            "--out {}: expected a new or empty directory, or one that holds what an earlier run wrote, found {name} in it",
            directory.display()
        ))),
    }
}

/// A directory beside it, on the same disk, of this process's own.
fn beside(directory: &Path) -> PathBuf {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    directory.with_file_name(format!(".{name}.portcullis-{}", std::process::id()))
}

/// Puts the new directory in the place of the old one, which comes back if that fails.
fn replace(new: &Path, directory: &Path) -> io::Result<()> {
    let mut old = new.as_os_str().to_owned();
    old.push("-old");
    match fs::rename(directory, &old) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return fs::rename(new, directory),
        other => other?,
    }
    if let Err(error) = fs::rename(new, directory) {
        fs::rename(&old, directory)?;
        return Err(error);
    }
    fs::remove_dir_all(old)
}
