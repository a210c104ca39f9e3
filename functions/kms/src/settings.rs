//! The section `kms` of the settings.

use std::collections::BTreeMap;

use portcullis_core::Settings;
use portcullis_core::settings::{Section, Wrong, nearest};
use serde::{Deserialize, Serialize};

/// What is asked of KMS keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct KmsSettings {
    /// The most days between two rotations, from 90 to 2560.
    pub rotation_days: u16,
    /// The key of a tag that says that a key may be disabled and deleted; none for no key.
    pub retirement_tag: Option<String>,
    /// Imported key material that expires within so many days is told.
    pub expiry_warning_days: u16,
    /// The regions, besides its own, in which a multi-Region key may live.
    pub regions: Vec<String>,
    /// The levels of data whose keys may be used only through AWS services (`kms:ViaService`).
    pub via_service_levels: Vec<String>,
    /// Aliases that must exist: by name (`alias/…`), the id of the key that each must stand for.
    pub required_aliases: BTreeMap<String, String>,
    /// The service principals that the policy of a key that a level names must let in.
    pub required_services: Vec<String>,
}

impl Default for KmsSettings {
    fn default() -> Self {
        Self {
            rotation_days: 365,
            retirement_tag: None,
            expiry_warning_days: 30,
            regions: Vec::new(),
            via_service_levels: Vec::new(),
            required_aliases: BTreeMap::new(),
            required_services: Vec::new(),
        }
    }
}

impl Section for KmsSettings {
    const NAME: &'static str = "kms";

    fn check(&self, settings: &Settings) -> Result<(), Wrong> {
        let wrong = |path: &str, what: String| Err((path.to_owned(), what));
        // KMS API Reference, `EnableKeyRotation`.
        if !(90..=2560).contains(&self.rotation_days) {
            return wrong(
                "rotation-days",
                format!("expected 90 to 2560, found {}", self.rotation_days),
            );
        }
        if self.retirement_tag.as_ref().is_some_and(String::is_empty) {
            let what = "expected the key of a tag or null, found an empty text";
            return wrong("retirement-tag", what.to_owned());
        }
        let levels = &settings.classification.levels;
        for (at, level) in self.via_service_levels.iter().enumerate() {
            if !levels.contains_key(level) {
                let known: Vec<_> = levels.keys().map(String::as_str).collect();
                let what = format!("expected one of the levels, found {level:?}{}", nearest(level, &known));
                return wrong(&format!("via-service-levels[{at}]"), what);
            }
        }
        for (alias, key) in &self.required_aliases {
            let is_alias = alias.starts_with("alias/") && !alias.starts_with("alias/aws/");
            if !is_alias || key.is_empty() || key.contains([':', '/']) {
                let what = format!("expected alias/… (not alias/aws/…) and a key's id, found {alias:?}: {key:?}");
                return wrong(&format!("required-aliases.{alias}"), what);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::{Known, SettingsError};

    use super::*;

    fn read(yaml: &str) -> Result<Settings, SettingsError> {
        Settings::from_yaml(yaml, &Known::all(&[crate::service()]))
    }

    #[test]
    fn what_is_not_set_is_as_by_default() {
        let settings = read("kms: {rotation-days: 180, required-aliases: {alias/app: k-1}}").unwrap();
        let expected = KmsSettings {
            rotation_days: 180,
            required_aliases: [("alias/app".into(), "k-1".into())].into(),
            ..KmsSettings::default()
        };
        assert_eq!(*settings.section::<KmsSettings>(), expected);
    }

    #[test]
    fn what_can_not_be_meant_is_refused_with_setting_place_and_what_to_write() {
        for (yaml, told) in [
            (
                "kms:\n  rotation: 365\n",
                "line 2 column 3: kms.rotation: expected one of rotation-days, retirement-tag, expiry-warning-days, regions, via-service-levels, required-aliases, required-services, found no such setting",
            ),
            (
                "kms: 5",
                "line 1 column 1: kms: expected settings by their names, found 5; write {name: value}, or {} for the defaults",
            ),
            (
                "kms: [a]",
                "line 1 column 1: kms: expected settings by their names, found a list; write {name: value}, or {} for the defaults",
            ),
            (
                "kms: {rotation-days: weekly}",
                "line 1 column 7: kms.rotation-days: expected a whole number from 0 to 65535, found \"weekly\"; write it in digits",
            ),
            (
                "kms: {rotation-days: 30}",
                "line 1 column 7: kms.rotation-days: expected 90 to 2560, found 30",
            ),
            (
                "kms: {via-service-levels: [secret]}",
                "line 1 column 28: kms.via-service-levels[0]: expected one of the levels, found \"secret\"",
            ),
            (
                "kms: {via-service-levels: [publc]}",
                "line 1 column 28: kms.via-service-levels[0]: expected one of the levels, found \"publc\"; did you mean public?",
            ),
            (
                "kms: {retirement-tag: ''}",
                "line 1 column 7: kms.retirement-tag: expected the key of a tag or null, found an empty text",
            ),
            (
                "kms: {required-aliases: {app: '1234'}}",
                "line 1 column 26: kms.required-aliases.app: expected alias/… (not alias/aws/…) and a key's id, found \"app\": \"1234\"",
            ),
            (
                "kms: {required-aliases: {alias/app: alias/other}}",
                "line 1 column 26: kms.required-aliases.alias/app: expected alias/… (not alias/aws/…) and a key's id, found \"alias/app\": \"alias/other\"",
            ),
        ] {
            let error = read(yaml).unwrap_err().to_string();
            assert_eq!(error, format!("the settings can't be used: {told}"), "{yaml}");
        }
    }
}
