//! What an operator may set: `portcullis.yaml`, typed, with unknown keys refused by name and line.

mod by_type;
mod check;
mod error;
mod exemption;
mod locate;
mod overlay;
mod pattern;
mod read;
mod section;
mod words;

use std::collections::BTreeMap;

use jiff::fmt::serde::duration::friendly::compact;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use check::Known;
pub use error::{Place, SettingsError, Wrong, is_key, nearest};
pub use exemption::{ByTag, Exemption};
pub use locate::locate;
pub use section::{Section, SectionType};

use by_type::ByType;

pub use crate::meta::Switch;
use crate::{Meta, Resource, Tags};

/// All settings. Their defaults are written out in the `portcullis.yaml` at the root of the repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// What all controls do at most. `notify` here or in the stack's parameter Mode means notify.
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
    /// How much may be disturbed in an hour.
    pub budget: Budget,
    /// When putting right what somebody keeps undoing counts as a fight, and what is done then.
    pub flips: Flips,
    /// When the same finding is told again.
    pub notifications: Notifications,
    /// What a restore does besides putting back.
    pub restore: RestoreSettings,
    /// How long the ledger keeps its records.
    pub ledger: LedgerSettings,
    /// The sections of single services.
    #[serde(skip)]
    pub(crate) sections: ByType,
}

/// What all controls do at most, from the stricter to the laxer bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Tell what would be done.
    Notify,
    /// Do it.
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
    /// How long a violation is only announced before it is put right, as in `24h` or `90m`; none for at once.
    #[serde(serialize_with = "compact::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub grace: Option<SignedDuration>,
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
    /// The levels by name. Those of the defaults stay, each as it is, unless they are named; null takes one out.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Option<Level>>"))]
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
    /// The customer-managed key to encrypt with, as a key's ARN (no id, no alias), where it must be this one.
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
    /// Canonical ids of accounts, as access control lists of S3 name them.
    pub canonical_users: Vec<String>,
}

/// How much may be disturbed in an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Budget {
    /// On so many resources an hour, in one account and region, may remedies cost somebody access or availability; what is
    /// beyond waits for the next hour. None for no limit.
    pub disruptive_per_hour: Option<u32>,
}

/// When putting right what somebody keeps undoing counts as a fight, and what is done then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Flips {
    /// Which remediation of one control on one resource within the window counts as a fight: the second to the tenth.
    pub count: u8,
    /// The window, as in `24h`.
    #[serde(serialize_with = "compact::required")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub window: SignedDuration,
    /// What is done then, besides telling it one severity higher.
    pub then: Then,
}

/// What is done about a fight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// It is put right again.
    Tell,
    /// It is left as it is, and told.
    Stop,
    /// The resource is closed off, where its resource type has a quarantine for that control; else as `tell`.
    Quarantine,
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

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            controls: BTreeMap::new(),
            classification: Classification::default(),
            trusted: Trusted::default(),
            break_glass: Vec::new(),
            exemptions: Vec::new(),
            budget: Budget::default(),
            flips: Flips::default(),
            notifications: Notifications::default(),
            restore: RestoreSettings::default(),
            ledger: LedgerSettings::default(),
            sections: ByType::default(),
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

impl Default for Budget {
    fn default() -> Self {
        Self {
            disruptive_per_hour: Some(100),
        }
    }
}

impl Default for Flips {
    fn default() -> Self {
        Self {
            count: 3,
            window: SignedDuration::from_hours(24),
            then: Then::Tell,
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

static NO_LEVEL: Level = Level {
    values: Vec::new(),
    encryption: Encryption::Any,
    key: None,
    public: false,
    vpc_endpoints: Vec::new(),
    quarantine: false,
};

impl Settings {
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

    /// How long a violation of this control is only announced.
    pub fn grace(&self, control: &str) -> Option<SignedDuration> {
        self.controls.get(control).and_then(|set| set.grace)
    }

    /// The exemption of a control on a resource that holds now.
    pub fn exemption(
        &self,
        control: &str,
        resource: &Resource,
        tags: Option<&Tags>,
        now: Timestamp,
    ) -> Option<&Exemption> {
        let mut fitting = self.exemptions.iter().filter(|one| one.fits(control, resource, tags));
        fitting.find(|exemption| now < exemption.until)
    }

    /// The exemption that would hold, had it not ended: of several the last to end.
    pub fn ended_exemption(
        &self,
        control: &str,
        resource: &Resource,
        tags: Option<&Tags>,
        now: Timestamp,
    ) -> Option<&Exemption> {
        let fitting = self.exemptions.iter().filter(|one| one.fits(control, resource, tags));
        fitting
            .max_by_key(|exemption| exemption.until)
            .filter(|exemption| exemption.until <= now)
    }

    /// Whether a tag with this key classifies data, or exempts from a control.
    pub fn knows_tag(&self, key: &str) -> bool {
        let mut exempting = self.exemptions.iter().filter_map(|one| one.tag.as_ref());
        key == self.classification.tag || exempting.any(|tag| tag.key == key)
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
}

#[cfg(test)]
mod tests;
