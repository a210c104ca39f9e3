//! Settings in files.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use portcullis_core::Settings;
use portcullis_core::settings::Known;

use crate::error::Error;

/// The text of a file of settings, or of standard input.
pub fn text_of(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map_err(failed)?;
        return Ok(text);
    }
    fs::read_to_string(path).map_err(failed)
}

fn read(path: &Path) -> Result<Settings, Error> {
    let known = Known::all(&portcullis_catalog::services());
    Settings::from_yaml(&text_of(path)?, &known).map_err(|error| Error::Refused(format!("{}: {error}", path.display())))
}

/// The settings of a file; without one those in ./portcullis.yaml, or the defaults where there is none. And where they are from.
pub fn found(file: Option<&Path>) -> Result<(Settings, String), Error> {
    let packed = Path::new("portcullis.yaml");
    Ok(match file {
        Some(path) => (read(path)?, path.display().to_string()),
        None if packed.is_file() => (read(packed)?, packed.display().to_string()),
        None => (Settings::default(), "the defaults".to_owned()),
    })
}
