//! Keys: which events name them, what is read of them, what can be changed.

use std::borrow::Cow;

use portcullis_access::Service;
use portcullis_controls::{ResourcePolicy, Writable};
use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{
    Change, JudgeContext, Judgement, Location, Observed, Required, Resource, ResourceType, Settings, Tags,
};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::naming::SOURCE;
use crate::naming::{self, Named};

mod grants;

pub use grants::{Grant, Grants};

/// A key as read. Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Key Management
/// Service".
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
#[facts(
    change = KeyChange,
    // By `DescribeKey` as well; that the key is gone is an answer, too.
    also(Existence, read("kms:DescribeKey"))
)]
pub struct Key {
    /// Its state; none where the key is gone.
    #[fact(read("kms:DescribeKey"), write("kms:DisableKey", "kms:EnableKey"))]
    pub key_state: Observed<KeyState>,
    /// Its scheduled deletion.
    #[fact(read("kms:DescribeKey"), write("kms:CancelKeyDeletion", "kms:ScheduleKeyDeletion"))]
    pub deletion: Observed<Deletion>,
    /// What it is: `DescribeKey`.
    #[fact(read("kms:DescribeKey"))]
    pub metadata: Observed<Metadata>,
    /// `ListResourceTags`; none reads as an empty map.
    #[fact(tags, read("kms:ListResourceTags"))]
    pub tags: Observed<Tags>,
    /// The days between two rotations, by `GetKeyRotationStatus`; none where it does not rotate. Not read while that can't be
    /// seen.
    #[fact(
        read("kms:GetKeyRotationStatus"),
        write("kms:DisableKeyRotation", "kms:EnableKeyRotation")
    )]
    pub rotation: Observed<u16>,
    /// Its policy, byte for byte: `GetKeyPolicy`.
    #[fact(read("kms:GetKeyPolicy"), write("kms:PutKeyPolicy"))]
    pub policy: Observed<String>,
    /// `ListGrants`
    #[fact(read("kms:ListGrants"), write("kms:RevokeGrant"))]
    pub grants: Observed<Grants>,
    /// The names of its aliases: `ListAliases`.
    #[fact(read("kms:ListAliases"))]
    pub aliases: Observed<Vec<String>>,
    /// `GetKeyLastUsage`; not read where that is refused: it only helps people to decide.
    #[fact(read("kms:GetKeyLastUsage"))]
    pub last_use: Observed<LastUse>,
}

/// The call that disables a key.
pub const DISABLE: &str = "DisableKey";
/// The call that enables it.
pub const ENABLE: &str = "EnableKey";

/// What says whether a key that settings name can be used.
pub const REQUIRED: &str = "kms-key-required";

/// Keys. Who manages one decides whether it is judged at all; the classification of its data is in its tags.
pub const TYPE: ResourceType<Key> = ResourceType {
    name: naming::KEY,
    arn_form: "kms:{r}:{a}:key/{i}",
    source: SOURCE,
    always: &[KeyFact::Metadata, KeyFact::Tags],
    list_actions: &["kms:ListKeys"],
    creates: &["CreateKey", "ReplicateKey"],
    // Source: KMS Developer Guide, "Key states of AWS KMS keys": a key whose deletion is pending is neither enabled nor disabled,
    // and one whose deletion was cancelled is disabled, whatever it was before.
    remembers: &[DISABLE, ENABLE],
    named,
    identified,
    required,
    preflight,
    is_deleted: |key| key.key_state == Observed::Absent,
    // Source: KMS Developer Guide, "Key states of AWS KMS keys".
    busy: |key| match key.key_state.get() {
        Some(KeyState::Creating) => Some("it is being created".into()),
        Some(KeyState::Updating) => Some("its primary region is being changed".into()),
        _ => None,
    },
    ..ResourceType::REGIONAL
};

/// Source: KMS Developer Guide, "Key states of AWS KMS keys".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// Being made.
    Creating,
    /// In use.
    Enabled,
    /// Not usable until it is enabled.
    Disabled,
    /// To be destroyed at a date.
    PendingDeletion,
    /// Without key material.
    PendingImport,
    /// To be destroyed once its replicas are.
    PendingReplicaDeletion,
    /// Its key store is not reachable.
    Unavailable,
    /// Changing from replica to primary or back.
    Updating,
    /// A state that AWS added since.
    #[serde(other)]
    Other,
}

impl KeyState {
    /// Whether it is to be destroyed.
    pub fn is_pending_deletion(self) -> bool {
        matches!(self, Self::PendingDeletion | Self::PendingReplicaDeletion)
    }

    /// Whether it can be seen then how the key rotates. KMS API Reference, `GetKeyRotationStatus`: "While a KMS key is pending
    /// deletion, its key rotation status is `false`", whatever it was and will be once the deletion is cancelled.
    pub fn tells_rotation(self) -> bool {
        !self.is_pending_deletion()
    }
}

/// A scheduled deletion.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When (RFC 3339); none where it waits for replicas to be deleted first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The days that were left when it was read, as far as KMS takes them for a new schedule: 7 to 30.
    pub days: u16,
}

/// Two schedules are the same state: the date is counted from the moment of the call, so none can be put back exactly.
impl PartialEq for Deletion {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What a key is. Source: KMS API Reference, `KeyMetadata`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// `CUSTOMER` or `AWS`.
    pub manager: String,
    /// `SYMMETRIC_DEFAULT`, `RSA_2048` …
    pub spec: String,
    /// `ENCRYPT_DECRYPT`, `SIGN_VERIFY` …
    pub usage: String,
    /// `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM` or `EXTERNAL_KEY_STORE`.
    pub origin: String,
    /// The custom key store that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_store: Option<String>,
    /// Where else it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_region: Option<MultiRegion>,
    /// When its imported material expires (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub material_expires: Option<String>,
}

/// Where a multi-Region key lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiRegion {
    /// Whether this one is a replica.
    pub replica: bool,
    /// The primary's region.
    pub primary: String,
    /// The regions of its replicas, sorted.
    pub replicas: Vec<String>,
}

/// When a key was last used. Source: KMS API Reference, `GetKeyLastUsage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastUse {
    /// For what, as in `Decrypt`; none where it was never used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// When (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Since when KMS keeps track (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// A change to a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyChange {
    /// `CancelKeyDeletion`
    CancelDeletion,
    /// `ScheduleKeyDeletion` with a waiting period in days: a restore only.
    ScheduleDeletion(u16),
    /// `EnableKey`, `DisableKey`
    SetEnabled(bool),
    /// `EnableKeyRotation` with the days between two rotations, `DisableKeyRotation`
    SetRotation(Option<u16>),
    /// `PutKeyPolicy`
    SetPolicy(String),
    /// `RevokeGrant`; kept whole, since AWS has no way to make the same grant again.
    RevokeGrant(Grant),
}

impl Key {
    /// What is said of a key that is none of the customer's: nothing can be asked of AWS's own, and nothing of one that is gone.
    pub fn not_ours(&self) -> Judgement<KeyChange> {
        match self.metadata.get() {
            Some(metadata) if metadata.manager != "CUSTOMER" => {
                Judgement::NotApplicable("AWS manages this key and its policy".into())
            }
            _ => Judgement::Compliant,
        }
    }

    /// The policy of a key that the customer manages, to be judged.
    pub fn own_policy<'a>(&'a self, context: &'a JudgeContext<'a>) -> Option<ResourcePolicy<'a>> {
        self.customer_managed().and(self.policy.get())?;
        Some(ResourcePolicy::of(Service::Kms, &self.policy, context))
    }

    /// State and nature of a key that a customer manages. AWS-managed keys are AWS's to look after.
    pub fn customer_managed(&self) -> Option<(KeyState, &Metadata)> {
        let metadata = self.metadata.get().filter(|metadata| metadata.manager == "CUSTOMER")?;
        Some((*self.key_state.get()?, metadata))
    }

    /// Whether a tag says that the key may be disabled and deleted.
    pub fn is_retired(&self, tag: Option<&str>) -> bool {
        let tags = self.tags.get();
        tag.is_some_and(|tag| tags.is_some_and(|tags| tags.contains_key(tag)))
    }

    /// Who may depend on it, as far as can be seen; empty where nothing can.
    pub fn users(&self) -> String {
        let mut users = Vec::new();
        if let Some(aliases) = self.aliases.get().filter(|aliases| !aliases.is_empty()) {
            users.push(format!("known as {}", aliases.join(", ")));
        }
        if let Some(grants) = self.grants.get() {
            let names: Vec<_> = grants.grantees.keys().take(5).map(String::as_str).collect();
            let more = if grants.more { "more than " } else { "" };
            users.push(match grants.total {
                0 => "no grants".to_owned(),
                total => format!("{more}{total} grants, to {}", names.join(", ")),
            });
        }
        if let Some(used) = self.last_use.get() {
            users.push(match (&used.operation, &used.at, &used.since) {
                (Some(operation), Some(at), _) => format!("last used for {operation} at {at}"),
                (.., Some(since)) => format!("not used since {since}"),
                _ => "not known to have been used".to_owned(),
            });
        }
        users.join("; ")
    }
}

impl Change for KeyChange {
    type State = Key;

    fn fact(&self) -> KeyFact {
        match self {
            Self::CancelDeletion | Self::ScheduleDeletion(_) => KeyFact::Deletion,
            Self::SetEnabled(_) => KeyFact::KeyState,
            Self::SetRotation(_) => KeyFact::Rotation,
            Self::SetPolicy(_) => KeyFact::Policy,
            Self::RevokeGrant(_) => KeyFact::Grants,
        }
    }

    fn after(&self, key: &Key) -> Key {
        let mut after = key.clone();
        match self.clone() {
            // KMS API Reference, `CancelKeyDeletion`: "the key state of the KMS key is Disabled".
            Self::CancelDeletion => {
                after.key_state = Observed::Is(KeyState::Disabled);
                after.deletion = Observed::Absent;
            }
            Self::ScheduleDeletion(days) => {
                // Key states guide: a primary waits for its replicas.
                let multi_region = key.metadata.get().and_then(|metadata| metadata.multi_region.as_ref());
                let waits = multi_region.is_some_and(|keys| !keys.replica && !keys.replicas.is_empty());
                after.key_state = Observed::Is(if waits {
                    KeyState::PendingReplicaDeletion
                } else {
                    KeyState::PendingDeletion
                });
                after.deletion = Observed::Is(Deletion { date: None, days });
                after.rotation = Observed::Unread;
            }
            Self::SetEnabled(true) => after.key_state = Observed::Is(KeyState::Enabled),
            Self::SetEnabled(false) => after.key_state = Observed::Is(KeyState::Disabled),
            Self::SetRotation(days) => after.rotation = days.into(),
            Self::SetPolicy(policy) => after.policy = Observed::Is(policy),
            Self::RevokeGrant(revoked) => {
                let is_there = |grants: &Grants| grants.foreign.iter().any(|grant| grant.id == revoked.id);
                if let Observed::Is(grants) = &mut after.grants
                    && is_there(grants)
                {
                    grants.foreign.retain(|grant| grant.id != revoked.id);
                    grants.total = grants.total.saturating_sub(1);
                    if let Some(count) = grants.grantees.get_mut(&revoked.grantee) {
                        *count = count.saturating_sub(1);
                    }
                    grants.grantees.retain(|_, count| *count > 0);
                }
            }
        }
        after
    }

    fn inverse(&self, before: &Key) -> Option<Self> {
        match self {
            Self::CancelDeletion => before
                .deletion
                .get()
                .map(|deletion| Self::ScheduleDeletion(deletion.days)),
            Self::ScheduleDeletion(_) => Some(Self::CancelDeletion),
            Self::SetEnabled(_) => before
                .key_state
                .get()
                .map(|state| Self::SetEnabled(*state == KeyState::Enabled)),
            Self::SetRotation(_) => {
                (!before.rotation.is_unread()).then(|| Self::SetRotation(before.rotation.get().copied()))
            }
            Self::SetPolicy(_) => before.policy.get().cloned().map(Self::SetPolicy),
            // A grant made again has another id and token, and only its grantee can hand those to who uses it.
            Self::RevokeGrant(_) => None,
        }
    }

    fn replaces_document(&self) -> bool {
        matches!(self, Self::SetPolicy(_))
    }

    fn writable(self) -> (Self, Vec<String>) {
        match self {
            Self::SetPolicy(text) => match portcullis_controls::writable(&text) {
                Writable {
                    text: Some(text),
                    notes,
                } => (Self::SetPolicy(text), notes),
                // A key can't be without a policy.
                Writable { text: None, notes } => (Self::SetPolicy(text), notes),
            },
            other => (other, Vec::new()),
        }
    }

    fn target(&self) -> Cow<'static, str> {
        match self {
            Self::CancelDeletion | Self::ScheduleDeletion(_) => "deletion".into(),
            Self::SetEnabled(_) => "key_state".into(),
            Self::SetRotation(_) => "rotation".into(),
            Self::SetPolicy(_) => "policy".into(),
            // Each by itself: one that can't be revoked must not keep the others.
            Self::RevokeGrant(grant) => format!("grant {}", grant.id).into(),
        }
    }

    /// A key has to be enabled before it can rotate, and its deletion cancelled before that.
    fn concurrency_group(&self) -> u8 {
        match self {
            Self::SetPolicy(_) => 1,
            Self::RevokeGrant(_) => 2,
            _ => 0,
        }
    }

    /// What is disabled or about to be deleted takes no other change.
    fn restore_order(&self) -> u8 {
        match self {
            Self::CancelDeletion => 0,
            Self::SetEnabled(true) => 1,
            Self::SetRotation(_) | Self::SetPolicy(_) | Self::RevokeGrant(_) => 2,
            Self::SetEnabled(false) => 3,
            Self::ScheduleDeletion(_) => 4,
        }
    }
}

/// The keys that the levels of classification name, each once.
fn preflight(settings: &Settings) -> Result<Required, String> {
    let mut keys = Required::new();
    for (name, level) in &settings.classification.levels {
        let Some(text) = &level.key else { continue };
        let key = naming::key_of_arn(text)
            .filter(|key| key.kind == naming::KEY)
            .ok_or_else(|| {
                format!("expected the ARN of a key (arn:…:key/…) in classification.levels.{name}.key, found {text:?}")
            })?;
        if !keys.iter().any(|(known, _)| *known == key) {
            keys.push((key, REQUIRED));
        }
    }
    Ok(keys)
}

/// The key of a call. An alias is kept as such where the record does not tell its key: the adapter asks KMS. Of a
/// replication it is the primary: the replica has a `CreateKey` of its own, in its region.
fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    if call.name == "CreateKey"
        && let Some(key) = naming::answered(call, "keyMetadata")
    {
        return Ok(vec![key]);
    }
    // What KMS does by itself has no parameters.
    let detail = || field(&call.details, "keyId").and_then(string);
    let text = call.parameter("keyId")?.or_else(detail).filter(|text| !text.is_empty());
    let found = match text {
        Some(text) => match naming::named("keyId", &text, call)? {
            Named::Here(alias) if alias.id.starts_with("alias/") => naming::recorded(call).unwrap_or(alias),
            Named::Here(key) => key,
            Named::Elsewhere => return Ok(Vec::new()),
        },
        None if naming::recorded_elsewhere(call) => return Ok(Vec::new()),
        None => naming::recorded(call).ok_or_else(|| EventError::Missing("requestParameters.keyId".into()))?,
    };
    Ok(vec![found])
}

fn identified(id: &str, location: &Location) -> Option<Resource> {
    naming::identified(id, location).filter(|found| found.kind == naming::KEY)
}

/// The keys that the levels of classification name. What is no ARN of a key is left to the control `kms-key-required`,
/// what is in another region to the function there.
fn required(settings: &Settings, location: &Location) -> Vec<Resource> {
    let levels = settings.classification.levels.values();
    let named = levels.filter_map(|level| level.key.as_deref());
    named.filter_map(|key| identified(key, location)).collect()
}

#[cfg(test)]
pub(crate) mod tests;
