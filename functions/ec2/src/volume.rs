//! EBS volumes: whether they are encrypted, and what they are attached to.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use portcullis_controls::encryption::Manager;
use portcullis_core::event::{Call, EventError};
use portcullis_core::{Change, Observed, Resource, ResourceType, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::instance;
use crate::naming::SOURCE;
use crate::naming::{self, Id, Naming, at, items};
use crate::native;

/// How it is named.
pub(crate) const NAMING: Naming = Naming {
    kind: "AWS::EC2::Volume",
    path: "volume",
    id: Id {
        prefix: "vol",
        expected: "a volume's id (vol-…)",
    },
    owned: true,
};

/// A volume as read. `DescribeVolumes` says most of it; for an event that names instances, one call for the volumes of all.
/// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
#[facts(
    change = VolumeChange,
    also(QuarantineTags, read("ec2:DescribeVolumes"), write("ec2:CreateTags", "ec2:DeleteTags")),
    also(
        Attachments,
        read("ec2:DescribeVolumes"),
        write("ec2:AttachVolume", "ec2:DetachVolume", "ec2:ModifyInstanceAttribute")
    ),
    // Of those that an unencrypted volume is attached to. The grant is AWS's, on behalf of who starts an instance, for each disk
    // that is encrypted with a key of the customer's.
    also(
        Instances,
        read("ec2:DescribeInstances"),
        write("ec2:StartInstances", "ec2:StopInstances", "kms:CreateGrant")
    )
)]
pub struct Volume {
    /// Its tags; none reads as an empty map.
    #[fact(tags, name = Description, read("ec2:DescribeInstances", "ec2:DescribeVolumes"))]
    pub tags: Observed<Tags>,
    /// Whether it is encrypted.
    #[fact(name = Description)]
    pub encrypted: Observed<bool>,
    /// The ARN of its key.
    #[fact(name = Description)]
    pub key: Observed<String>,
    /// Whose the key is; asked for once a key and process, since that never changes.
    #[fact(name = Key, read("kms:DescribeKey"))]
    pub manager: Observed<Manager>,
    /// The service that alone may change it, as in `eks.amazonaws.com`; absent where its owner may.
    #[fact(name = Description)]
    pub operator: Observed<String>,
    /// The instances that it is attached to, each with how.
    #[fact(name = Description)]
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
pub enum VolumeChange {
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

impl VolumeChange {
    /// The tag that it sets, or takes off.
    pub fn tag(&self) -> Option<(&'static str, Option<&String>)> {
        match self {
            Self::Tag(value) => Some((TAG, value.as_ref())),
            Self::Plan(value) => Some((PLAN, value.as_ref())),
            _ => None,
        }
    }
}

/// Volumes. The classification of the data is in their tags.
pub const TYPE: ResourceType<Volume> = ResourceType {
    name: NAMING.kind,
    arn_form: "ec2:{r}:{a}:volume/vol-{i}",
    source: SOURCE,
    always: &[VolumeFact::Description],
    list_actions: &["ec2:DescribeVolumes"],
    creates: &[
        "CreateVolume",
        "CopyVolumes",
        "CreateReplaceRootVolumeTask",
        "RestoreVolumeFromRecycleBin",
        "RunInstances",
    ],
    answered: &["CopyVolumes", "CreateVolume", "RunInstances"],
    native_events: &[native::VOLUME],
    owner: |volume| volume.operator.get().cloned(),
    named,
    matters: naming::matters,
    identified: |id, location| NAMING.identified(id, location),
    ..ResourceType::REGIONAL
};

impl Change for VolumeChange {
    type State = Volume;

    fn fact(&self) -> VolumeFact {
        match self {
            Self::Tag(_) | Self::Plan(_) => VolumeFact::QuarantineTags,
            Self::Detach(_) | Self::Attach(_) => VolumeFact::Attachments,
            Self::Stop(_) | Self::Start(_) => VolumeFact::Instances,
        }
    }

    fn after(&self, volume: &Volume) -> Volume {
        let mut after = volume.clone();
        if let (Some((tag, value)), Observed::Is(tags)) = (self.tag(), &mut after.tags) {
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
        match self {
            Self::Tag(_) | Self::Plan(_) => {}
            Self::Detach(from) => attached.retain(|instance, _| !from.contains_key(instance)),
            Self::Attach(to) => attached.extend(to.iter().map(|(instance, mount)| {
                let attachment = Attachment {
                    device: mount.device.clone(),
                    deleted_with: mount.deleted_with,
                    ..Attachment::default()
                };
                (instance.clone(), attachment)
            })),
            Self::Stop(instances) => runs(instances, false),
            Self::Start(instances) => runs(instances, true),
        }
        after
    }

    fn inverse(&self, before: &Volume) -> Option<Self> {
        let attached = before.attached.get();
        let was = |instances: &BTreeSet<String>, running| -> Option<BTreeSet<String>> {
            let ids = attached?
                .iter()
                .filter(|(id, one)| instances.contains(*id) && one.running == Some(running));
            Some(ids.map(|(id, _)| id.clone()).collect())
        };
        Some(match self {
            Self::Tag(_) => Self::Tag(before.tags.get()?.get(TAG).map(ToString::to_string)),
            Self::Plan(_) => Self::Plan(before.tags.get()?.get(PLAN).map(ToString::to_string)),
            Self::Detach(from) => {
                let had = attached?.iter().filter(|(instance, _)| from.contains_key(*instance));
                let mount = |one: &Attachment| Mount {
                    device: one.device.clone(),
                    deleted_with: one.deleted_with,
                };
                Self::Attach(had.map(|(instance, one)| (instance.clone(), mount(one))).collect())
            }
            Self::Attach(to) => {
                let had = |instance: &String| attached.is_some_and(|attached| attached.contains_key(instance));
                let new = to.iter().filter(|(instance, _)| !had(instance));
                Self::Detach(
                    new.map(|(instance, mount)| (instance.clone(), mount.device.clone()))
                        .collect(),
                )
            }
            Self::Stop(instances) => Self::Start(was(instances, true)?),
            Self::Start(instances) => Self::Stop(was(instances, false)?),
        })
    }

    fn target(&self) -> Cow<'static, str> {
        match self {
            Self::Tag(_) => "quarantine_tag",
            Self::Plan(_) => "re_encryption_tag",
            Self::Detach(_) | Self::Attach(_) => "attachments",
            Self::Stop(_) | Self::Start(_) => "instances",
        }
        .into()
    }
}

/// The volumes of a call. One that launches instances, or gives one another root volume, names these and not their volumes: the adapter
/// asks EC2.
fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    if ["CreateReplaceRootVolumeTask", "RunInstances"].contains(&call.name.as_str()) {
        return (instance::TYPE.named)(call);
    }
    NAMING.resources(call, || {
        if call.name != "CopyVolumes" || call.omitted {
            return NAMING.named(call, "volumeId");
        }
        // It answers under its own name; its parameters name the originals.
        let copies = [&["CopyVolumesResponse", "volumeSet"][..], &["volumeSet"]];
        let copies = copies.iter().flat_map(|path| items(&call.response, path));
        let ids = copies.filter_map(|copy| at(copy, &["volumeId"]));
        let ids = ids.map(|value| NAMING.id.read("volumeSet.volumeId", value));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        if ids.is_empty() {
            let expected = "responseElements.CopyVolumesResponse.volumeSet";
            return Err(EventError::Missing(expected.into()));
        }
        Ok(ids)
    })
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
            match ((TYPE.named)(&call), expected) {
                (Ok(found), Ok(ids)) => assert_eq!(found.into_iter().map(|one| one.id).collect::<Vec<_>>(), ids),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }
}
