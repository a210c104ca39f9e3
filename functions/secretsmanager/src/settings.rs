//! The section `secretsmanager` of the settings.

use portcullis_core::Settings;
use portcullis_core::settings::{Section, Wrong};
use serde::{Deserialize, Serialize};

/// What is asked of secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SecretsManagerSettings {
    /// The key of a tag that says that a secret may be deleted; none for no secret.
    pub retirement_tag: Option<String>,
}

impl Section for SecretsManagerSettings {
    const NAME: &'static str = "secretsmanager";

    fn check(&self, _: &Settings) -> Result<(), Wrong> {
        if self.retirement_tag.as_ref().is_some_and(String::is_empty) {
            let what = "expected the key of a tag or null, found an empty text";
            return Err(("retirement-tag".to_owned(), what.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::Known;

    use super::*;

    #[test]
    fn a_tag_without_a_name_is_refused() {
        let read = |yaml: &str| Settings::from_yaml(yaml, &Known::all(&[crate::service()]));
        let settings = read("secretsmanager: {retirement-tag: retire}").unwrap();
        let section = settings.section::<SecretsManagerSettings>();
        assert_eq!(section.retirement_tag.as_deref(), Some("retire"));
        let refused = read("secretsmanager: {retirement-tag: ''}").unwrap_err().to_string();
        assert!(refused.contains("expected the key of a tag or null"), "{refused}");
    }
}
