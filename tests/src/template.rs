//! `template.yaml` as plain CloudFormation.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// How often a message is received before it is a dead letter: the template is held to it, and an outage of hours is lived through with it.
pub const MOST_RECEIVES: u32 = 48;
/// For how many seconds nobody else gets a message that was received.
pub const VISIBILITY_TIMEOUT: u64 = 360;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the repository's root")
}

/// The Python that the tools run in.
pub fn python() -> PathBuf {
    let python = root().join(".tools/venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: `tools/install test` makes it",
        python.display()
    );
    python
}

/// What SAM makes of the template.
pub fn translated() -> Value {
    let done = Command::new(python())
        .args(["tools/translate.py", "template.yaml"])
        .current_dir(root())
        .output()
        .expect("run tools/translate.py");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("CloudFormation as JSON")
}
