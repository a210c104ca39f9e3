//! EBS volumes: whether they are encrypted, and what they are attached to.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use portcullis_core::event::{Call, EventError, NativeEvent};
use portcullis_core::{Control, Guard, Location, Observed, Resource, Settings, Tags};
use serde::{Deserialize, Serialize};

use crate::encryption::Manager;
use crate::instance::Instance;
use crate::naming::{self, Id, Type, at, items};
use crate::{SOURCE, controls, native};

/// The guard of volumes.
pub struct Volume;

/// How it is named.
pub(crate) const TYPE: Type = Type {
    kind: Volume::KIND,
    path: "volume",
    id: Id {
        prefix: "vol",
        expected: "a volume's id (vol-…)",
    },
    owned: true,
};

/// What can be read of a volume, one API call each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `DescribeVolumes`: tags, encryption, attachments; for an event that names instances, one call for all of theirs.
    Description,
    /// `kms:DescribeKey`: whose the key is; asked for once a key and process, since that never changes.
    Key,
    /// `DescribeInstances` of those that an unencrypted volume is attached to.
    Instances,
}

/// A volume as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Its tags; none reads as an empty map.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub tags: Observed<Tags>,
    /// Whether it is encrypted.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub encrypted: Observed<bool>,
    /// The ARN of its key.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub key: Observed<String>,
    /// Whose the key is.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub manager: Observed<Manager>,
    /// The instances that it is attached to, each with how.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub attached: Observed<BTreeMap<String, Attachment>>,
}

/// How a volume is attached to an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The name of the device.
    pub device: String,
    /// Whether the instance starts from it, where that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<bool>,
    /// Whether the instance runs, where that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<bool>,
    /// Whether the volume goes when the instance is terminated.
    #[serde(default)]
    pub deleted_with: bool,
    /// The Auto Scaling group of the instance, which terminates a member that is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled_by: Option<String>,
}

/// Where a volume is attached again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The name of the device.
    pub device: String,
    /// Whether the volume goes when the instance is terminated: by itself, one that is attached stays.
    #[serde(default)]
    pub deleted_with: bool,
}

/// The tag of a volume in quarantine.
pub const TAG: &str = "portcullis:quarantine";
/// Its value.
pub const UNENCRYPTED: &str = "unencrypted";
/// Its value where the volume is to be swapped for an encrypted one: the rule of the re-encryption in the template waits for it.
pub const RE_ENCRYPT: &str = "re-encrypt";
/// Its value once the volume was swapped: the state machine of the re-encryption sets it.
pub const REPLACED: &str = "replaced";
/// Its value where the swap failed: the state machine of the re-encryption sets it.
pub const FAILED: &str = "re-encrypt-failed";
/// The tag that says how it is to be swapped: for how long the old volume is kept, and with which key.
pub const PLAN: &str = "portcullis:re-encrypt";

/// A change to a volume, or to what it is attached to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// `CreateTags`, `DeleteTags`: the tag of the quarantine with this value, or none.
    Tag(Option<String>),
    /// `CreateTags`, `DeleteTags`: the tag that says how it is to be swapped, with this value, or none.
    Plan(Option<String>),
    /// `DetachVolume` from each of these instances, where it is this device.
    Detach(BTreeMap<String, String>),
    /// `AttachVolume` to each of these instances, as this device; `ModifyInstanceAttribute` where it goes with the instance.
    Attach(BTreeMap<String, Mount>),
    /// `StopInstances`
    Stop(BTreeSet<String>),
    /// `StartInstances`
    Start(BTreeSet<String>),
}

impl Remedy {
    /// The tag that it sets, or takes off.
    pub fn tag(&self) -> Option<(&'static str, Option<&String>)> {
        match self {
            Self::Tag(value) => Some((TAG, value.as_ref())),
            Self::Plan(value) => Some((PLAN, value.as_ref())),
            _ => None,
        }
    }
}

impl portcullis_core::State for State {
    type Remedy = Remedy;

    fn after(&self, remedy: &Remedy) -> Self {
        let mut after = self.clone();
        if let (Some((tag, value)), Observed::Is(tags)) = (remedy.tag(), &mut after.tags) {
            let others = tags.iter().filter(|(key, _)| *key != tag);
            let own = value.map(|value| (tag.to_owned(), value.clone()));
            *tags = others
                .map(|(key, value)| (key.clone(), value.clone()))
                .chain(own)
                .collect();
        }
        let Observed::Is(attached) = &mut after.attached else {
            return after;
        };
        let mut runs = |instances: &BTreeSet<String>, running| {
            for (id, attachment) in attached.iter_mut() {
                if instances.contains(id) && attachment.running.is_some() {
                    attachment.running = Some(running);
                }
            }
        };
        match remedy {
            Remedy::Tag(_) | Remedy::Plan(_) => {}
            Remedy::Detach(from) => attached.retain(|instance, _| !from.contains_key(instance)),
            Remedy::Attach(to) => attached.extend(to.iter().map(|(instance, mount)| {
                let attachment = Attachment {
                    device: mount.device.clone(),
                    deleted_with: mount.deleted_with,
                    ..Attachment::default()
                };
                (instance.clone(), attachment)
            })),
            Remedy::Stop(instances) => runs(instances, false),
            Remedy::Start(instances) => runs(instances, true),
        }
        after
    }

    fn inverse(&self, remedy: &Remedy) -> Option<Remedy> {
        let attached = self.attached.get();
        let was = |instances: &BTreeSet<String>, running| -> Option<BTreeSet<String>> {
            let ids = attached?
                .iter()
                .filter(|(id, one)| instances.contains(*id) && one.running == Some(running));
            Some(ids.map(|(id, _)| id.clone()).collect())
        };
        Some(match remedy {
            Remedy::Tag(_) => Remedy::Tag(self.tags.get()?.get(TAG).map(ToString::to_string)),
            Remedy::Plan(_) => Remedy::Plan(self.tags.get()?.get(PLAN).map(ToString::to_string)),
            Remedy::Detach(from) => {
                let had = attached?.iter().filter(|(instance, _)| from.contains_key(*instance));
                let mount = |one: &Attachment| Mount {
                    device: one.device.clone(),
                    deleted_with: one.deleted_with,
                };
                Remedy::Attach(had.map(|(instance, one)| (instance.clone(), mount(one))).collect())
            }
            Remedy::Attach(to) => {
                let had = |instance: &String| attached.is_some_and(|attached| attached.contains_key(instance));
                let new = to.iter().filter(|(instance, _)| !had(instance));
                Remedy::Detach(
                    new.map(|(instance, mount)| (instance.clone(), mount.device.clone()))
                        .collect(),
                )
            }
            Remedy::Stop(instances) => Remedy::Start(was(instances, true)?),
            Remedy::Start(instances) => Remedy::Stop(was(instances, false)?),
        })
    }

    fn tags(&self) -> Option<&Tags> {
        self.tags.get()
    }
}

impl portcullis_core::Remedy for Remedy {
    fn target(&self) -> Cow<'static, str> {
        match self {
            Self::Tag(_) => "quarantine_tag",
            Self::Plan(_) => "re_encryption_tag",
            Self::Detach(_) | Self::Attach(_) => "attachments",
            Self::Stop(_) | Self::Start(_) => "instances",
        }
        .into()
    }

    fn writes(&self) -> &'static [&'static str] {
        match self {
            Self::Tag(_) | Self::Plan(_) => &["ec2:CreateTags", "ec2:DeleteTags"],
            Self::Detach(_) | Self::Attach(_) => {
                &["ec2:AttachVolume", "ec2:DetachVolume", "ec2:ModifyInstanceAttribute"]
            }
            // By AWS, on behalf of who starts it, for each disk that is encrypted with a key of the customer's.
            Self::Stop(_) | Self::Start(_) => &["ec2:StartInstances", "ec2:StopInstances", "kms:CreateGrant"],
        }
    }
}

impl Guard for Volume {
    const KIND: &'static str = "AWS::EC2::Volume";
    const SOURCE: &'static str = SOURCE;
    type Fact = Fact;
    type State = State;
    type Remedy = Remedy;

    fn controls() -> &'static [Control<Self>] {
        controls::VOLUME
    }

    /// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
    fn reads(fact: Fact) -> &'static [&'static str] {
        match fact {
            Fact::Description => &["ec2:DescribeInstances", "ec2:DescribeVolumes"],
            Fact::Key => &["kms:DescribeKey"],
            Fact::Instances => &["ec2:DescribeInstances"],
        }
    }

    /// The classification of the data is in its tags.
    fn always() -> &'static [Fact] {
        &[Fact::Description]
    }

    fn touches(remedy: &Remedy) -> Fact {
        match remedy {
            Remedy::Tag(_) | Remedy::Plan(_) | Remedy::Detach(_) | Remedy::Attach(_) => Fact::Description,
            Remedy::Stop(_) | Remedy::Start(_) => Fact::Instances,
        }
    }

    /// The volumes of a call. `RunInstances` names instances, not their volumes: the adapter asks EC2 for these.
    fn resources(call: &Call) -> Result<Vec<Resource>, EventError> {
        if call.name == "RunInstances" {
            return Instance::resources(call);
        }
        TYPE.resources(call, || {
            if call.name != "CopyVolumes" || call.omitted {
                return TYPE.named(call, "volumeId");
            }
            // It answers under its own name; its parameters name the originals.
            let copies = [&["CopyVolumesResponse", "volumeSet"][..], &["volumeSet"]];
            let copies = copies.iter().flat_map(|path| items(&call.response, path));
            let ids = copies.filter_map(|copy| at(copy, &["volumeId"]));
            let ids = ids.map(|value| TYPE.id.read("volumeSet.volumeId", value));
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            if ids.is_empty() {
                let expected = "responseElements.CopyVolumesResponse.volumeSet";
                return Err(EventError::Missing(expected.into()));
            }
            Ok(ids)
        })
    }

    fn native_events() -> &'static [NativeEvent] {
        &[native::VOLUME]
    }

    fn matters(call: &Call, settings: &Settings) -> bool {
        naming::matters(call, settings)
    }

    fn identified(id: &str, place: &Location) -> Option<Resource> {
        TYPE.identified(id, place)
    }

    fn lists() -> &'static [&'static str] {
        &["ec2:DescribeVolumes"]
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::event::Event;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_volume_is_named_by_what_was_made_not_by_what_it_was_made_of() {
        let (one, other, original) = (
            "vol-0a1b2c3d4e5f60718",
            "vol-0b1b2c3d4e5f60718",
            "vol-0c1b2c3d4e5f60718",
        );
        let copied = json!({"CopyVolumesResponse": {"volumeSet": {"item": [{"volumeId": one}, {"volumeId": other}]}}});
        for (name, parameters, response, expected) in [
            (
                "CreateVolume",
                json!({"size": "8"}),
                json!({"volumeId": one, "encrypted": false}),
                Ok(vec![one]),
            ),
            (
                "AttachVolume",
                json!({"volumeId": one, "instanceId": "i-0b8c4d1e"}),
                json!({"volumeId": one}),
                Ok(vec![one]),
            ),
            (
                "CopyVolumes",
                json!({"CopyVolumesRequest": {"SourceVolumeId": original}}),
                copied,
                Ok(vec![one, other]),
            ),
            (
                "CopyVolumes",
                json!({"CopyVolumesRequest": {"SourceVolumeId": original}}),
                json!({}),
                Err("volumeSet"),
            ),
            (
                "CreateVolume",
                json!({"size": 8}),
                json!({"volumeId": ""}),
                Err("volumeId"),
            ),
            ("AttachVolume", json!({"volumeId": "vol-1"}), Value::Null, Err("vol-1")),
        ] {
            let record = json!({
                "eventSource": SOURCE, "eventName": name, "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
                "requestParameters": parameters, "responseElements": response,
            });
            let Event::Call(call) = Event::parse(&record).unwrap() else {
                panic!()
            };
            match (Volume::resources(&call), expected) {
                (Ok(found), Ok(ids)) => assert_eq!(found.into_iter().map(|one| one.id).collect::<Vec<_>>(), ids),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }
}
