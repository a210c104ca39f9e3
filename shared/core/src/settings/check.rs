//! Whether settings are good: nothing unknown, nothing at odds with itself.

use jiff::SignedDuration;
use std::collections::BTreeMap;

use super::locate::locate;
use super::{Classification, Encryption, KmsSettings, Level, Settings, Switch};

/// The ids of controls that settings may name.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// All that there are: any other is a mistake.
    All(&'a [&'a str]),
    /// Those of one function: the settings may name other services' controls, but no unknown one of its own service.
    Own(&'a [&'a str]),
}

impl<'a> Known<'a> {
    fn ids(&self) -> &'a [&'a str] {
        let (Self::All(ids) | Self::Own(ids)) = self;
        ids
    }

    fn allows(&self, id: &str) -> bool {
        let service = |id: &str| id.split('-').next().map(str::to_owned);
        let foreign = |ids: &[&str]| ids.iter().all(|own| service(own) != service(id));
        self.ids().contains(&id) || matches!(self, Self::Own(ids) if foreign(ids))
    }
}

/// Why settings were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not YAML, a wrong type, or a key that does not exist.
    #[error("the settings can't be read: {0}")]
    Unreadable(String),
    /// Read, but at odds with itself or with the code.
    #[error("the settings contradict themselves: {place}{path}: {what}")]
    Contradiction {
        /// The setting.
        path: String,
        /// Where it is, as `line 3 column 5: `; empty where the text is not at hand.
        place: String,
        /// What was expected and what was found.
        what: String,
    },
}

/// A setting's path and what is wrong with it.
pub(super) type Wrong = (String, String);

fn wrong<T>(path: impl Into<String>, what: impl Into<String>) -> Result<T, Wrong> {
    Err((path.into(), what.into()))
}

impl Settings {
    /// Reads settings from YAML, and checks the ids of controls in it against those known.
    pub fn from_yaml(yaml: &str, controls: &Known<'_>) -> Result<Self, SettingsError> {
        let settings: Self = serde_saphyr::from_str(yaml).map_err(|error| {
            let text = error.to_string();
            SettingsError::Unreadable(format!("{text}{}", meant(&text)))
        })?;
        settings
            .check(controls)
            .map_err(|(path, what)| SettingsError::Contradiction {
                place: locate(yaml, &path),
                path,
                what,
            })?;
        Ok(settings)
    }

    fn check(&self, controls: &Known<'_>) -> Result<(), Wrong> {
        self.check_controls(controls)?;
        self.check_classification()?;
        self.kms.check(&self.classification.levels)?;
        self.ec2.check()?;
        for (at, exemption) in self.exemptions.iter().enumerate() {
            let named = |(field, what): (&str, String)| (format!("exemptions[{at}]{field}"), what);
            if exemption.control != "*" && !controls.allows(&exemption.control) {
                let nearest = nearest(&exemption.control, controls.ids());
                let what = format!("there is no control {:?}{nearest}", exemption.control);
                return Err(named((".control", what)));
            }
            exemption.check().map_err(named)?;
        }
        if !(2..=10).contains(&self.flips.count) {
            let what = format!("expected 2 to 10, found {}", self.flips.count);
            return wrong("flips.count", what);
        }
        duration("flips.window", self.flips.window)
    }

    fn check_controls(&self, controls: &Known<'_>) -> Result<(), Wrong> {
        for (id, set) in &self.controls {
            let path = format!("controls.{id}");
            if !controls.allows(id) {
                let nearest = nearest(id, controls.ids());
                return wrong(path, format!("there is no such control{nearest}"));
            }
            let Some(grace) = set.grace else { continue };
            let path = format!("{path}.grace");
            duration(&path, grace)?;
            if set.quarantine {
                return wrong(path, "what is closed off at once has no grace; take out one of the two");
            }
            if matches!(set.mode, Some(Switch::Off | Switch::Notify)) {
                return wrong(
                    path,
                    "nothing is put right while its mode is off or notify, so there is nothing to wait for",
                );
            }
        }
        Ok(())
    }

    fn check_classification(&self) -> Result<(), Wrong> {
        let Classification { tag, untagged, levels } = &self.classification;
        if tag.is_empty() {
            return wrong("classification.tag", "expected the key of a tag, found an empty text");
        }
        if !levels.contains_key(untagged) {
            let known: Vec<_> = levels.keys().map(String::as_str).collect();
            let nearest = nearest(untagged, &known);
            return wrong(
                "classification.untagged",
                format!("expected one of the levels, found {untagged:?}{nearest}"),
            );
        }
        let mut values: BTreeMap<String, &str> = BTreeMap::new();
        for (name, level) in levels {
            let path = format!("classification.levels.{name}");
            if level.key.is_some() && level.encryption < Encryption::CustomerManagedKey {
                return wrong(
                    path + ".key",
                    "a key is named, but the encryption does not ask for one; say encryption: customer-managed-key or \
                     dual-layer",
                );
            }
            if level.public && level.quarantine {
                return wrong(
                    path + ".quarantine",
                    "data that may be public can't be quarantined for it",
                );
            }
            if level.public && !level.vpc_endpoints.is_empty() {
                return wrong(
                    path + ".vpc-endpoints",
                    "data that may be public can't be reached through VPC endpoints alone",
                );
            }
            for value in &level.values {
                if let Some(other) = values.insert(value.to_lowercase(), name) {
                    let what = format!("the value {value:?} is one of the level {other} already");
                    return wrong(path + ".values", what);
                }
            }
        }
        Ok(())
    }
}

impl KmsSettings {
    fn check(&self, levels: &BTreeMap<String, Level>) -> Result<(), Wrong> {
        // KMS API Reference, `EnableKeyRotation`.
        if !(90..=2560).contains(&self.rotation_days) {
            let what = format!("expected 90 to 2560, found {}", self.rotation_days);
            return wrong("kms.rotation-days", what);
        }
        if self.retirement_tag.as_ref().is_some_and(String::is_empty) {
            return wrong(
                "kms.retirement-tag",
                "expected the key of a tag or null, found an empty text",
            );
        }
        for (at, level) in self.via_service_levels.iter().enumerate() {
            if !levels.contains_key(level) {
                let known: Vec<_> = levels.keys().map(String::as_str).collect();
                let what = format!("expected one of the levels, found {level:?}{}", nearest(level, &known));
                return wrong(format!("kms.via-service-levels[{at}]"), what);
            }
        }
        for (alias, key) in &self.required_aliases {
            let is_alias = alias.starts_with("alias/") && !alias.starts_with("alias/aws/");
            if !is_alias || key.is_empty() || key.contains([':', '/']) {
                let what = format!("expected alias/… (not alias/aws/…) and a key's id, found {alias:?}: {key:?}");
                return wrong(format!("kms.required-aliases.{alias}"), what);
            }
        }
        Ok(())
    }
}

/// From a minute to a year. Source: EventBridge Scheduler User Guide, "One-time schedules": to the minute.
fn duration(path: &str, found: SignedDuration) -> Result<(), Wrong> {
    if (SignedDuration::from_mins(1)..=SignedDuration::from_hours(365 * 24)).contains(&found) {
        return Ok(());
    }
    wrong(path, format!("expected from 1m to 8760h, found {found:#}"))
}

/// `; did you mean …?` for a message that names what was found and what is known.
fn meant(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let Some((found, known)) = line.split_once(", expected one of ") else {
        return String::new();
    };
    let found = found.split('`').nth(1).unwrap_or_default();
    let known: Vec<_> = known.split(", ").map(|name| name.trim_matches('`')).collect();
    nearest(found, &known)
}

/// `; did you mean …?` for a name that is nearly one of those known.
fn nearest(name: &str, known: &[&str]) -> String {
    let distance = |other: &str| {
        let other: Vec<char> = other.chars().collect();
        let mut row: Vec<usize> = (0..=other.len()).collect();
        for (at, letter) in name.chars().enumerate() {
            let mut before = std::mem::replace(&mut row[0], at + 1);
            for (column, expected) in other.iter().enumerate() {
                let replaced = before + usize::from(letter != *expected);
                before = row[column + 1];
                row[column + 1] = replaced.min(before + 1).min(row[column] + 1);
            }
        }
        row[other.len()]
    };
    known
        .iter()
        .map(|other| (distance(other), other))
        .min()
        .filter(|(distance, _)| *distance <= name.len().div_ceil(3))
        .map_or_else(String::new, |(_, other)| format!("; did you mean {other}?"))
}
