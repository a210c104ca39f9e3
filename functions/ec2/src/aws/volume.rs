use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    EbsInstanceBlockDeviceSpecification, Filter, InstanceBlockDeviceMappingSpecification, InstanceStateName,
    Reservation, Tag, Volume as Described, VolumeAttachmentState,
};
use futures_util::future::try_join;
use portcullis_controls::Keys;
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, Kind, PAGE, Page, Regional, Resolved};

use super::calls::{Ahead, MANY, done, tags, unless};
use super::instance::{launched_by, matching, operator};
use crate::volume::{Attachment, Mount, NAMING, Volume, VolumeChange, VolumeFact};

/// Source: Amazon EC2 Auto Scaling User Guide, "Tag Auto Scaling groups and instances".
const SCALED_BY: &str = "aws:autoscaling:groupName";
const GONE: [&str; 1] = ["InvalidVolume.NotFound"];
/// Not attached, or attached, already: what was wanted. Source: EC2 API Reference, "Error codes".
const NOT_THERE: [&str; 2] = ["IncorrectState", "InvalidAttachment.NotFound"];
const THERE: [&str; 1] = ["VolumeInUse"];
/// What is no more need not be stopped or started.
const NO_INSTANCE: [&str; 1] = ["InvalidInstanceID.NotFound"];

pub struct Aws {
    pub ec2: Regional<Client>,
    /// What one `DescribeVolumes` said of all volumes of an event.
    pub ahead: Ahead<Described>,
    pub keys: Arc<Keys>,
}

impl Adapter for Aws {
    type State = Volume;

    async fn observe(&self, resource: &Resource, facts: &BTreeSet<VolumeFact>) -> Result<Option<Volume>, AwsError> {
        let ec2 = &self.ec2.of(&resource.region);
        let described = match self.ahead.take(&resource.id) {
            Some(described) => Some(described),
            None => described(ec2, &resource.id).await?,
        };
        let Some(volume) = described else { return Ok(None) };
        let key = async {
            match volume.kms_key_id() {
                Some(key) if facts.contains(&VolumeFact::Key) => {
                    self.keys.manager(resource, key).await.map(Observed::Is)
                }
                Some(_) => Ok(Observed::Unread),
                None => Ok(Observed::Absent),
            }
        };
        let plain = volume.encrypted == Some(false);
        let attached = attached(ec2, &volume, plain && facts.contains(&VolumeFact::Instances));
        let (manager, attached) = try_join(key, attached).await?;
        Ok(Some(Volume {
            tags: Observed::Is(tags(volume.tags())),
            encrypted: volume.encrypted.into(),
            key: volume.kms_key_id.into(),
            manager,
            operator: operator(volume.operator.as_ref()).into(),
            attached: Observed::Is(attached),
        }))
    }

    /// Instances stand for their volumes: one call for those of all, and one for all volumes that are named as such.
    async fn resolve_all(&self, named: Vec<Resource>) -> Vec<Resolved> {
        let mut found = Vec::new();
        let (instances, volumes): (Vec<_>, Vec<_>) = named.into_iter().partition(|one| one.id.starts_with("i-"));
        for many in instances.chunks(MANY) {
            found.extend(self.of_instances(many).await);
        }
        for many in volumes.chunks(MANY) {
            // One by itself costs as much when it is looked at.
            if let [first, _, ..] = many {
                let ids = many.iter().map(|one| one.id.clone()).collect();
                match filtered(&self.ec2.of(&first.region), "volume-id", ids).await {
                    Ok(described) => self.ahead.put(described.into_iter().filter_map(by_id)),
                    // Each is asked for by itself then.
                    Err(error) => tracing::warn!(%error, "volumes can't be read ahead"),
                }
            }
            found.extend(many.iter().map(|one| (one.clone(), Ok(vec![one.clone()]))));
        }
        found
    }

    fn forget(&self) {
        self.ahead.clear();
    }

    /// Those of the instances that the call launched; of another call, all.
    async fn unanswered(&self, place: &Location, token: Option<&str>) -> Result<Vec<Resource>, AwsError> {
        let Some(token) = token else {
            return self.list_all(place).await;
        };
        let launched = matching(&self.ec2.of(&place.region), launched_by(token)).await?;
        let launched: Vec<_> = launched.iter().map(|(id, _)| NAMING.resource(id, place)).collect();
        let mut volumes = Vec::new();
        for many in launched.chunks(MANY) {
            for (_, of_instance) in self.of_instances(many).await {
                volumes.extend(of_instance?);
            }
        }
        Ok(volumes)
    }

    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let call = self
            .ec2
            .of(&place.region)
            .describe_volumes()
            .include_managed_resources(true);
        let answer = call.max_results(PAGE).set_next_token(from).send().await;
        let answer = done("DescribeVolumes", answer)?;
        let ids = answer.volumes().iter().filter_map(|volume| volume.volume_id());
        Ok(Page {
            resources: ids.map(|id| NAMING.resource(id, place)).collect(),
            next: answer.next_token.clone().filter(|token| !token.is_empty()),
        })
    }

    async fn execute(&self, resource: &Resource, change: &VolumeChange) -> Result<(), AwsError> {
        let (ec2, volume) = (&self.ec2.of(&resource.region), &resource.id);
        match change {
            VolumeChange::Tag(value) | VolumeChange::Plan(value) => {
                let tag = Tag::builder().set_key(change.tag().map(|(key, _)| key.to_owned()));
                if let Some(value) = value {
                    let call = ec2.create_tags().resources(volume).tags(tag.value(value).build());
                    done("CreateTags", call.send().await)?;
                } else {
                    let call = ec2.delete_tags().resources(volume).tags(tag.build());
                    done("DeleteTags", call.send().await)?;
                }
            }
            VolumeChange::Detach(from) => {
                for (instance, device) in from {
                    let call = ec2
                        .detach_volume()
                        .volume_id(volume)
                        .instance_id(instance)
                        .device(device);
                    unless(&NOT_THERE, done("DetachVolume", call.send().await))?;
                }
            }
            VolumeChange::Attach(to) => {
                for (instance, Mount { device, deleted_with }) in to {
                    let call = ec2
                        .attach_volume()
                        .volume_id(volume)
                        .instance_id(instance)
                        .device(device);
                    unless(&THERE, done("AttachVolume", call.send().await))?;
                    if *deleted_with {
                        let ebs = EbsInstanceBlockDeviceSpecification::builder()
                            .volume_id(volume)
                            .delete_on_termination(true);
                        let mapping = InstanceBlockDeviceMappingSpecification::builder()
                            .device_name(device)
                            .ebs(ebs.build());
                        let call = ec2.modify_instance_attribute().instance_id(instance);
                        let call = call.block_device_mappings(mapping.build());
                        done("ModifyInstanceAttribute", call.send().await)?;
                    }
                }
            }
            VolumeChange::Stop(instances) => {
                for instance in instances {
                    let answer = ec2.stop_instances().instance_ids(instance).send().await;
                    unless(&NO_INSTANCE, done("StopInstances", answer))?;
                }
            }
            VolumeChange::Start(instances) => {
                for instance in instances {
                    let answer = ec2.start_instances().instance_ids(instance).send().await;
                    unless(&NO_INSTANCE, done("StartInstances", answer))?;
                }
            }
        }
        Ok(())
    }
}

impl Aws {
    /// The volumes of instances. Of one that is still being launched, those that are missing come later: an event about it has to
    /// be tried again.
    async fn of_instances(&self, instances: &[Resource]) -> Vec<Resolved> {
        let Some(first) = instances.first() else {
            return Vec::new();
        };
        let ec2 = &self.ec2.of(&first.region);
        let ids: Vec<_> = instances.iter().map(|one| one.id.clone()).collect();
        let described = match filtered(ec2, "attachment.instance-id", ids).await {
            Ok(described) => described,
            Err(error) => return instances.iter().map(|one| (one.clone(), Err(error.clone()))).collect(),
        };
        let mut of: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for volume in &described {
            for attachment in volume.attachments() {
                if let (Some(instance), Some(id)) = (attachment.instance_id(), volume.volume_id()) {
                    of.entry(instance.to_owned()).or_default().push(id.to_owned());
                }
            }
        }
        self.ahead.put(described.into_iter().filter_map(by_id));
        let bare: Vec<_> = instances.iter().filter(|one| !of.contains_key(&one.id)).collect();
        let launching = launching(ec2, bare.iter().map(|one| one.id.clone()).collect()).await;
        let stands = |one: &Resource| -> Result<Vec<Resource>, AwsError> {
            let place = one.place();
            if let Some(ids) = of.get(&one.id) {
                return Ok(ids.iter().map(|id| NAMING.resource(id, &place)).collect());
            }
            if launching.as_ref().map_err(Clone::clone)?.contains(&one.id) {
                return Err(AwsError {
                    operation: "DescribeVolumes",
                    code: "not there yet".into(),
                    message: format!("{} is still being launched and has no volumes", one.id),
                    kind: Kind::Transient,
                });
            }
            Ok(Vec::new())
        };
        instances.iter().map(|one| (one.clone(), stands(one))).collect()
    }
}

fn by_id(volume: Described) -> Option<(String, Described)> {
    Some((volume.volume_id.clone()?, volume))
}

async fn described(ec2: &Client, id: &str) -> Result<Option<Described>, AwsError> {
    let answer = ec2
        .describe_volumes()
        .volume_ids(id)
        .include_managed_resources(true)
        .send()
        .await;
    let answer = unless(&GONE, done("DescribeVolumes", answer))?;
    Ok(answer.and_then(|answer| answer.volumes?.into_iter().next()))
}

/// By a filter, one that is gone is left out; by their ids, it would be an error for all.
async fn filtered(ec2: &Client, name: &str, ids: Vec<String>) -> Result<Vec<Described>, AwsError> {
    let filter = Filter::builder().name(name).set_values(Some(ids)).build();
    let pages = ec2
        .describe_volumes()
        .filters(filter)
        .include_managed_resources(true)
        .into_paginator();
    let mut items = pages.items().send();
    let mut found = Vec::new();
    while let Some(volume) = items.next().await {
        found.push(done("DescribeVolumes", volume)?);
    }
    Ok(found)
}

/// Those of these instances that are not launched yet.
async fn launching(ec2: &Client, ids: Vec<String>) -> Result<BTreeSet<String>, AwsError> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let filter = Filter::builder().name("instance-id").set_values(Some(ids)).build();
    let call = ec2.describe_instances().filters(filter).include_managed_resources(true);
    let answer = done("DescribeInstances", call.send().await)?;
    let pending = |state: Option<&InstanceStateName>| state == Some(&InstanceStateName::Pending);
    let instances = answer
        .reservations()
        .iter()
        .flat_map(Reservation::instances)
        .filter(|instance| pending(instance.state().and_then(|state| state.name())));
    Ok(instances.filter_map(|instance| instance.instance_id.clone()).collect())
}

/// What a volume is attached to; of an unencrypted one, also what its instances are doing.
async fn attached(ec2: &Client, volume: &Described, ask: bool) -> Result<BTreeMap<String, Attachment>, AwsError> {
    let leaves = [VolumeAttachmentState::Detached, VolumeAttachmentState::Detaching];
    let stays = volume
        .attachments()
        .iter()
        .filter(|one| one.state().is_none_or(|state| !leaves.contains(state)));
    let mut attached: BTreeMap<_, _> = stays
        .filter_map(|one| {
            let attachment = Attachment {
                device: one.device.clone()?,
                deleted_with: one.delete_on_termination == Some(true),
                ..Attachment::default()
            };
            Some((one.instance_id.clone()?, attachment))
        })
        .collect();
    if !ask || attached.is_empty() {
        return Ok(attached);
    }
    let ids = attached.keys().cloned().collect();
    let filter = Filter::builder().name("instance-id").set_values(Some(ids)).build();
    let call = ec2.describe_instances().filters(filter).include_managed_resources(true);
    let answer = done("DescribeInstances", call.send().await)?;
    for instance in answer.reservations().iter().flat_map(Reservation::instances) {
        let runs = [InstanceStateName::Pending, InstanceStateName::Running];
        let state = instance.state().and_then(|state| state.name());
        if let Some(one) = instance.instance_id().and_then(|id| attached.get_mut(id)) {
            one.root = Some(instance.root_device_name() == Some(one.device.as_str()));
            one.running = Some(state.is_some_and(|state| runs.contains(state)));
            one.scaled_by = tags(instance.tags()).get(SCALED_BY).map(ToString::to_string);
        }
    }
    Ok(attached)
}
