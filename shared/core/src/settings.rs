//! What an operator may set: `portcullis.yaml`, typed, with unknown keys refused by name and line.

mod ec2;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Meta, Resource, Tags};

pub use ec2::Ec2Settings;

/// All settings. Their defaults are written out in the `portcullis.yaml` at the root of the repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// What all controls do at most.
    pub mode: Mode,
    /// What single controls do, by id, where it differs from their default.
    pub controls: BTreeMap<String, ControlSettings>,
    /// How sensitive data is recognised, and what it needs.
    pub classification: Classification,
    /// Who may be let in by a policy besides the owner.
    pub trusted: Trusted,
    /// ARNs of principals that a quarantine spares, so that people can still look and repair.
    pub break_glass: Vec<String>,
    /// What is left as it is, by whom, why, until when.
    pub exemptions: Vec<Exemption>,
    /// When the same finding is told again.
    pub notifications: Notifications,
    /// What a restore does besides putting back.
    pub restore: RestoreSettings,
    /// How long the ledger keeps its records.
    pub ledger: LedgerSettings,
    /// What is asked of KMS keys.
    pub kms: KmsSettings,
    /// What is asked of EC2.
    pub ec2: Ec2Settings,
}

/// What all controls do at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Tell what would be done.
    Notify,
    /// Do it.
    Enforce,
}

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

/// The settings of one control.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ControlSettings {
    /// What it does; its own default where this is absent.
    pub mode: Option<Switch>,
    /// Whether its violation closes the resource off instead of putting it right.
    pub quarantine: bool,
}

/// How sensitive data is recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Classification {
    /// The key of the tag that says it.
    pub tag: String,
    /// The level of what has no such tag, or one with a value that no level names.
    pub untagged: String,
    /// The levels by name.
    pub levels: BTreeMap<String, Level>,
}

/// What data of one level needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Level {
    /// The tag values that mean it, without regard to case.
    pub values: Vec<String>,
    /// The encryption at rest that it needs at least.
    pub encryption: Encryption,
    /// The customer-managed key to encrypt with, as a key ARN, where it must be this one.
    pub key: Option<String>,
    /// Whether the data is meant for everybody.
    pub public: bool,
    /// The VPC endpoints through which alone it may be reached; none means any way.
    pub vpc_endpoints: Vec<String>,
    /// Whether a resource of it that is exposed is closed off at once.
    pub quarantine: bool,
}

/// Encryption at rest, from the least to the most demanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// Any that AWS offers; SSE-S3 for a bucket.
    #[default]
    Any,
    /// With KMS, under the AWS-managed key or a better one.
    AwsManagedKey,
    /// With KMS, under a customer-managed key.
    CustomerManagedKey,
    /// Two layers with KMS (DSSE-KMS), where the service has it.
    DualLayer,
}

/// Who may be let in by a policy besides the owner.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Trusted {
    /// Account ids.
    pub accounts: Vec<String>,
    /// Organisation ids (`o-…`).
    pub organizations: Vec<String>,
    /// Paths of organisational units (`o-…/r-…/ou-…/*`).
    pub organization_paths: Vec<String>,
    /// VPC ids.
    pub vpcs: Vec<String>,
    /// VPC endpoint ids.
    pub vpc_endpoints: Vec<String>,
    /// Networks in CIDR notation.
    pub networks: Vec<String>,
}

/// One thing that is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exemption {
    /// The control's id, or `*` for all.
    pub control: String,
    /// The resource's ARN; `*` stands for any text.
    pub resource: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The moment from which it no longer holds (RFC 3339).
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub until: Timestamp,
}

/// When the same finding is told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Notifications {
    /// An open finding that has not changed is told again after so many days.
    pub reminder_days: u16,
}

/// What a restore does besides putting back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RestoreSettings {
    /// For so many days the restored controls are told, not enforced, on that resource.
    pub hold_days: u16,
}

/// How long the ledger keeps its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LedgerSettings {
    /// Closed records are deleted after so many days.
    pub retention_days: u16,
}

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

impl KmsSettings {
    /// What is wrong with it, as a sentence that names the setting.
    fn contradiction(&self, levels: &BTreeMap<String, Level>) -> Option<String> {
        // KMS API Reference, `EnableKeyRotation`.
        if !(90..=2560).contains(&self.rotation_days) {
            return Some(format!(
                "kms.rotation-days: expected 90 to 2560, found {}",
                self.rotation_days
            ));
        }
        if self.retirement_tag.as_ref().is_some_and(String::is_empty) {
            return Some("kms.retirement-tag: expected the key of a tag or null, found an empty text".into());
        }
        if let Some(level) = self
            .via_service_levels
            .iter()
            .find(|level| !levels.contains_key(*level))
        {
            return Some(format!(
                "kms.via-service-levels: expected one of the levels, found {level:?}"
            ));
        }
        let (alias, key) = self.required_aliases.iter().find(|(alias, key)| {
            !alias.starts_with("alias/")
                || alias.starts_with("alias/aws/")
                || key.is_empty()
                || key.contains([':', '/'])
        })?;
        Some(format!(
            "kms.required-aliases: expected alias/… (not alias/aws/…) and a key's id, found {alias:?}: {key:?}"
        ))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Notify,
            controls: BTreeMap::new(),
            classification: Classification::default(),
            trusted: Trusted::default(),
            break_glass: Vec::new(),
            exemptions: Vec::new(),
            notifications: Notifications::default(),
            restore: RestoreSettings::default(),
            ledger: LedgerSettings::default(),
            kms: KmsSettings::default(),
            ec2: Ec2Settings::default(),
        }
    }
}

impl Default for Classification {
    fn default() -> Self {
        let level = |value: &str| Level {
            values: vec![value.into()],
            ..Level::default()
        };
        let levels = [
            (
                "public",
                Level {
                    public: true,
                    ..level("public")
                },
            ),
            ("internal", level("internal")),
            (
                "confidential",
                Level {
                    encryption: Encryption::AwsManagedKey,
                    ..level("confidential")
                },
            ),
            (
                "restricted",
                Level {
                    encryption: Encryption::CustomerManagedKey,
                    quarantine: true,
                    ..level("restricted")
                },
            ),
        ];
        Self {
            tag: "DataClassification".into(),
            untagged: "internal".into(),
            levels: levels.map(|(name, level)| (name.to_owned(), level)).into(),
        }
    }
}

impl Default for Notifications {
    fn default() -> Self {
        Self { reminder_days: 7 }
    }
}

impl Default for RestoreSettings {
    fn default() -> Self {
        Self { hold_days: 7 }
    }
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self { retention_days: 400 }
    }
}

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
    #[error("the settings contradict themselves: {0}")]
    Contradiction(String),
}

static NO_LEVEL: Level = Level {
    values: Vec::new(),
    encryption: Encryption::Any,
    key: None,
    public: false,
    vpc_endpoints: Vec::new(),
    quarantine: false,
};

impl Settings {
    /// Reads settings from YAML, and checks the ids of controls in it against those known.
    pub fn from_yaml(yaml: &str, controls: &Known<'_>) -> Result<Self, SettingsError> {
        let settings: Self =
            serde_saphyr::from_str(yaml).map_err(|error| SettingsError::Unreadable(error.to_string()))?;
        settings.check(controls)?;
        Ok(settings)
    }

    fn check(&self, controls: &Known<'_>) -> Result<(), SettingsError> {
        let wrong = |what: String| Err(SettingsError::Contradiction(what));
        let known = |id: &str| controls.allows(id);
        if let Some(id) = self.controls.keys().find(|id| !known(id)) {
            return wrong(format!(
                "controls.{id}: there is no such control{}",
                nearest(id, controls.ids())
            ));
        }
        let Classification { tag, untagged, levels } = &self.classification;
        if tag.is_empty() {
            return wrong("classification.tag: expected the key of a tag, found an empty text".into());
        }
        if !levels.contains_key(untagged) {
            return wrong(format!(
                "classification.untagged: expected one of the levels, found {untagged:?}"
            ));
        }
        for (name, level) in levels {
            if level.key.is_some() && level.encryption < Encryption::CustomerManagedKey {
                return wrong(format!(
                    "classification.levels.{name}: a key is named, but the encryption does not ask for one; \
                     say encryption: customer-managed-key or dual-layer"
                ));
            }
            if level.public && level.quarantine {
                return wrong(format!(
                    "classification.levels.{name}: data that may be public can't be quarantined for it"
                ));
            }
        }
        if let Some(what) = self.kms.contradiction(levels).or_else(|| self.ec2.contradiction()) {
            return wrong(what);
        }
        for (at, exemption) in self.exemptions.iter().enumerate() {
            if exemption.control != "*" && !known(&exemption.control) {
                let nearest = nearest(&exemption.control, controls.ids());
                return wrong(format!(
                    "exemptions[{at}].control: there is no control {:?}{nearest}",
                    exemption.control
                ));
            }
            for (field, text) in [("reason", &exemption.reason), ("owner", &exemption.owner)] {
                if text.trim().is_empty() {
                    return wrong(format!("exemptions[{at}].{field}: expected some words, found none"));
                }
            }
            if exemption.resource.chars().all(|letter| "*:".contains(letter)) {
                return wrong(format!(
                    "exemptions[{at}].resource: {:?} would match everything",
                    exemption.resource
                ));
            }
        }
        Ok(())
    }

    /// What a control does here: its own default, unless set; never more than the mode allows.
    pub fn switch(&self, control: &Meta) -> Switch {
        let wanted = self
            .controls
            .get(control.id)
            .and_then(|set| set.mode)
            .unwrap_or(control.default);
        match (self.mode, wanted) {
            (Mode::Notify, Switch::Enforce) => Switch::Notify,
            _ => wanted,
        }
    }

    /// Whether a violation of this control closes the resource off.
    pub fn quarantines(&self, control: &str) -> bool {
        self.controls.get(control).is_some_and(|set| set.quarantine)
    }

    /// The name and needs of the data's level.
    pub fn level(&self, tags: Option<&Tags>) -> (&str, &Level) {
        let Classification { tag, untagged, levels } = &self.classification;
        let value = tags.and_then(|tags| tags.get(tag));
        let tagged = value.and_then(|value| {
            levels
                .iter()
                .find(|(_, level)| level.values.iter().any(|named| named.eq_ignore_ascii_case(value)))
        });
        tagged
            .or_else(|| levels.get_key_value(untagged))
            .map_or((untagged.as_str(), &NO_LEVEL), |(name, level)| (name.as_str(), level))
    }

    /// The exemption of a control on a resource that holds now.
    pub fn exemption(&self, control: &str, resource: &Resource, now: Timestamp) -> Option<&Exemption> {
        self.exemptions.iter().find(|exemption| {
            (exemption.control == "*" || exemption.control == control)
                && matches(&exemption.resource, &resource.arn)
                && now < exemption.until
        })
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text. Linear in both but for repeated prefixes.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let mut parts: Vec<_> = parts.collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
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
        .filter(|(distance, _)| *distance <= name.len() / 3)
        .map_or_else(String::new, |(_, other)| format!("; did you mean {other}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 2] = ["s3-bucket-versioning", "s3-bucket-acl"];

    fn read(yaml: &str) -> Result<Settings, SettingsError> {
        Settings::from_yaml(yaml, &Known::All(&KNOWN))
    }

    #[test]
    fn nothing_set_is_the_default() {
        assert_eq!(read("{}").unwrap(), Settings::default());
    }

    #[test]
    fn the_packed_settings_write_out_every_default() {
        let packed = include_str!("../../../portcullis.yaml");
        assert_eq!(read(packed).unwrap(), Settings::default());
        let members: serde_json::Value = serde_json::to_value(Settings::default()).unwrap();
        for (section, values) in members.as_object().unwrap() {
            assert!(packed.contains(&format!("\n{section}:")), "{section}");
            for key in values.as_object().into_iter().flat_map(serde_json::Map::keys) {
                assert!(packed.contains(&format!("  {key}:")), "{section}.{key}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let cases = [
            ("mode: notify\nmodus: enforce\n", "modus"),
            ("mode: sometimes", "sometimes"),
            (
                "controls: {s3-bucket-versionning: {mode: off}}",
                "did you mean s3-bucket-versioning?",
            ),
            ("classification: {untagged: secret}", "secret"),
            (
                "classification: {levels: {internal: {key: k}}}",
                "encryption does not ask",
            ),
            (
                "exemptions: [{control: s3-bucket-acl, resource: '*', reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
                "everything",
            ),
            (
                "exemptions: [{control: s3-bucket-acl, resource: x, reason: r, owner: o}]",
                "until",
            ),
            (
                "exemptions: [{control: s3-bucket-acl, resource: x, reason: '', owner: o, until: 2027-01-01T00:00:00Z}]",
                "reason",
            ),
            ("kms: {rotation-days: 30}", "kms.rotation-days"),
            ("kms: {retirement-tag: ''}", "kms.retirement-tag"),
            ("kms: {via-service-levels: [secret]}", "secret"),
            ("kms: {required-aliases: {app: '1234'}}", "kms.required-aliases"),
            (
                "kms: {required-aliases: {alias/app: alias/other}}",
                "kms.required-aliases",
            ),
            ("kms: {rotation: 365}", "rotation"),
            ("[", "can't be read"),
        ];
        for (yaml, named) in cases {
            let error = read(yaml).unwrap_err().to_string();
            assert!(error.contains(named), "{yaml}: {error}");
        }
        assert!(
            read("mode: notify\nmodus: enforce\n")
                .unwrap_err()
                .to_string()
                .contains("line 2")
        );
    }

    #[test]
    fn a_function_leaves_the_controls_of_others_alone() {
        let of = |yaml| Settings::from_yaml(yaml, &Known::Own(&KNOWN));
        assert!(of("controls: {kms-key-rotation: {mode: enforce}}").is_ok());
        assert!(of("controls: {s3-bucket-rotation: {mode: enforce}}").is_err());
    }

    #[test]
    fn an_exemption_ends_at_its_moment() {
        let settings = read(
            "exemptions: [{control: s3-bucket-acl, resource: 'arn:aws:s3:::logs-*', reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
        )
        .unwrap();
        let bucket = |name: &str| Resource {
            kind: "AWS::S3::Bucket".into(),
            arn: format!("arn:aws:s3:::{name}"),
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            id: name.into(),
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let exempt = |control, name, now| settings.exemption(control, &bucket(name), at(now)).is_some();
        assert!(exempt("s3-bucket-acl", "logs-1", "2026-12-31T23:59:59Z"));
        assert!(!exempt("s3-bucket-acl", "logs-1", "2027-01-01T00:00:00Z"));
        assert!(!exempt("s3-bucket-versioning", "logs-1", "2026-12-31T23:59:59Z"));
        assert!(!exempt("s3-bucket-acl", "data", "2026-12-31T23:59:59Z"));
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text, fits) in [
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("abc", "abcd", false),
            ("*x*", "axb", true),
            ("a**", "a", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_tag_names_the_level_and_a_strange_one_is_as_none() {
        let settings = Settings::default();
        let level = |value: &str| {
            settings
                .level(Some(&Tags::from([("DataClassification".into(), value.into())])))
                .0
                .to_owned()
        };
        assert_eq!(level("Restricted"), "restricted");
        assert_eq!(level("strange"), "internal");
        assert_eq!(settings.level(None).0, "internal");
    }
}
