use std::io;
use std::path::PathBuf;

/// What was asked for could be done, but the answer is no: an event, a setting or a page was refused.
pub const REFUSED: u8 = 2;

/// Nothing was refused, but somebody should look at what was said.
pub const WARNED: u8 = 3;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("can't write the answer: {0}")]
    Output(#[from] io::Error),
    #[error("can't write the answer: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Refused(String),
}
