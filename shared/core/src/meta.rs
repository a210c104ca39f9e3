//! What is known of a control without running it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What one control does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Nothing; its facts are not even read.
    Off,
    /// Tell.
    Notify,
    /// Put right, in enforce mode.
    Enforce,
}

/// How bad it is. The order is that of alerts: the highest of a message decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Good practice.
    Low,
    /// A weakness that needs another one to be used.
    Medium,
    /// Data is one mistake away.
    High,
    /// Data is open now.
    Critical,
}

impl Severity {
    /// One step worse, as for an event whose author hid its parameters.
    #[must_use]
    pub fn raised(self) -> Self {
        match self {
            Self::Low => Self::Medium,
            Self::Medium => Self::High,
            Self::High | Self::Critical => Self::Critical,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        })
    }
}

/// What a control's remedy may disturb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Impact {
    /// Nobody who uses the resource as intended notices.
    Nothing,
    /// Somebody may lose access.
    Access,
    /// Something may stop working.
    Availability,
}

/// What is known of a control without running it: the docs, the template test and `portcullis triage` read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Meta {
    /// Its id, which is also its file's name, its key in the settings and its heading in the docs.
    pub id: &'static str,
    /// What it requires, in a line.
    pub title: &'static str,
    /// How bad a violation is when nothing lessens it.
    pub severity: Severity,
    /// What its remedy may disturb.
    pub impact: Impact,
    /// What it does in enforce mode unless settings say otherwise.
    pub default: Switch,
    /// The requirements it serves: Security Hub controls, CIS benchmark sections, Config rules.
    pub standards: &'static [&'static str],
    /// The API calls that can break it, by CloudTrail's names.
    pub calls: &'static [&'static str],
}
