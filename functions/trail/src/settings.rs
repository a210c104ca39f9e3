//! The section `trail` of the settings.

use std::collections::BTreeSet;

use portcullis_core::Settings;
use portcullis_core::settings::{Section, Wrong};
use serde::{Deserialize, Serialize};

/// What is asked of trails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TrailSettings {
    /// The buckets that a trail may write its logs to; none for any.
    pub buckets: BTreeSet<String>,
}

impl Section for TrailSettings {
    const NAME: &'static str = "trail";

    fn check(&self, _: &Settings) -> Result<(), Wrong> {
        let wrong = self
            .buckets
            .iter()
            .find(|name| name.is_empty() || name.contains([':', '/']));
        wrong.map_or(Ok(()), |name| {
            Err((
                "buckets".to_owned(),
                format!("expected the names of buckets, found {name:?}"),
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::Known;

    use super::*;

    #[test]
    fn buckets_are_named_by_their_names() {
        let read = |yaml: &str| Settings::from_yaml(yaml, &Known::all(&[crate::service()]));
        let settings = read("trail: {buckets: [audit-logs]}").unwrap();
        assert!(settings.section::<TrailSettings>().buckets.contains("audit-logs"));
        let refused = read("trail: {buckets: ['arn:aws:s3:::audit-logs']}")
            .unwrap_err()
            .to_string();
        assert!(refused.contains("expected the names of buckets"), "{refused}");
    }
}
