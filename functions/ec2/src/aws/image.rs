use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, Filter, Image as Described, ImageAttributeName, LaunchPermission,
    LaunchPermissionModifications, PermissionGroup,
};
use futures_util::future::try_join;
use portcullis_controls::Keys;
use portcullis_controls::encryption::Key;
use portcullis_controls::sharing::Sharing;
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, PAGE, Page, Regional};

use super::calls::{done, tags, unless};
use crate::image::{Image, ImageChange, ImageFact, NAMING};

const GONE: [&str; 2] = ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"];

pub struct Aws {
    pub ec2: Regional<Client>,
    pub keys: Arc<Keys>,
}

impl Adapter for Aws {
    type State = Image;

    async fn observe(&self, resource: &Resource, facts: &BTreeSet<ImageFact>) -> Result<Option<Image>, AwsError> {
        let ec2 = &self.ec2.of(&resource.region);
        let description = async {
            // One that is disabled is as much its owner's.
            let call = ec2.describe_images().image_ids(&resource.id).include_disabled(true);
            let answer = unless(&GONE, done("DescribeImages", call.send().await))?;
            // Only its owner may be told who may launch it: somebody else's that is shared with us is described to us as well.
            let own = answer
                .and_then(|answer| answer.images?.into_iter().next())
                .filter(|image| image.owner_id.as_ref().is_none_or(|owner| *owner == resource.account));
            let Some(image) = own else { return Ok(None) };
            let keys = if facts.contains(&ImageFact::Keys) {
                Observed::Is(self.keys_of(resource, &image).await?)
            } else {
                Observed::Unread
            };
            Ok(Some((image, keys)))
        };
        let sharing = async {
            if !facts.contains(&ImageFact::Sharing) {
                return Ok(Observed::Unread);
            }
            let call = ec2.describe_image_attribute().image_id(&resource.id);
            let answer = call.attribute(ImageAttributeName::LaunchPermission).send().await;
            // The last is AWS's word on an image of somebody else.
            let none = [GONE[0], GONE[1], "AuthFailure"];
            let answer = unless(&none, done("DescribeImageAttribute", answer))?;
            Ok(Observed::from(
                answer.map(|answer| sharing_of(answer.launch_permissions())),
            ))
        };
        let (description, sharing) = try_join(description, sharing).await?;
        Ok(description.map(|(image, keys)| Image {
            tags: Observed::Is(tags(image.tags())),
            unencrypted: Observed::Is(with_snapshot(&image, false).map(|(device, _)| device).collect()),
            keys,
            name: image.name.into(),
            sharing,
        }))
    }

    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let call = self
            .ec2
            .of(&place.region)
            .describe_images()
            .owners("self")
            .include_disabled(true);
        let answer = call.max_results(PAGE).set_next_token(from).send().await;
        let answer = done("DescribeImages", answer)?;
        let ids = answer.images().iter().filter_map(|image| image.image_id());
        Ok(Page {
            resources: ids.map(|id| NAMING.resource(id, place)).collect(),
            next: answer.next_token.clone().filter(|token| !token.is_empty()),
        })
    }

    async fn execute(&self, resource: &Resource, ImageChange(change): &ImageChange) -> Result<(), AwsError> {
        let everybody = LaunchPermission::builder().group(PermissionGroup::All).build();
        let (add, remove) = change.entries(everybody, |one| permission(one));
        let permission = LaunchPermissionModifications::builder().set_add(add).set_remove(remove);
        let call = self
            .ec2
            .of(&resource.region)
            .modify_image_attribute()
            .image_id(&resource.id);
        let call = call.attribute("launchPermission").launch_permission(permission.build());
        done("ModifyImageAttribute", call.send().await)?;
        Ok(())
    }
}

impl Aws {
    /// The keys of the encrypted snapshots behind an image, by device.
    async fn keys_of(&self, resource: &Resource, image: &Described) -> Result<BTreeMap<String, Option<Key>>, AwsError> {
        let mut keys: BTreeMap<_, Option<Key>> = BTreeMap::new();
        let devices: Vec<_> = with_snapshot(image, true).collect();
        // A filter without a value would be none.
        if devices.is_empty() {
            return Ok(keys);
        }
        // By a filter, one that is gone is left out; by their ids, it would be an error for all.
        let ids = devices.iter().map(|(_, snapshot)| snapshot.clone()).collect();
        let filter = Filter::builder().name("snapshot-id").set_values(Some(ids)).build();
        let call = self.ec2.of(&resource.region).describe_snapshots().filters(filter);
        let answer = done("DescribeSnapshots", call.send().await)?;
        for (device, id) in devices {
            let mut snapshots = answer.snapshots().iter();
            let snapshot = snapshots.find(|snapshot| snapshot.snapshot_id() == Some(&id));
            let key = match snapshot.and_then(|snapshot| snapshot.kms_key_id()) {
                Some(arn) => Some(Key {
                    arn: arn.to_owned(),
                    manager: self.keys.manager(resource, arn).await?,
                }),
                None => None,
            };
            keys.insert(device, key);
        }
        Ok(keys)
    }
}

/// The devices of an image whose snapshots are encrypted, or are not, each with its snapshot in words and by its id; none that
/// have no snapshot.
fn with_snapshot(image: &Described, encrypted: bool) -> impl Iterator<Item = (String, String)> {
    let devices = image.block_device_mappings().iter();
    devices.filter_map(move |device: &BlockDeviceMapping| {
        let ebs = device
            .ebs
            .as_ref()
            .filter(|ebs| (ebs.encrypted == Some(true)) == encrypted)?;
        let snapshot = ebs.snapshot_id.clone()?;
        let name = device.device_name.as_ref();
        let words = name.map_or_else(|| snapshot.clone(), |name| format!("{name} ({snapshot})"));
        Some((words, snapshot))
    })
}

fn permission(one: &str) -> LaunchPermission {
    let permission = LaunchPermission::builder();
    if one.contains(":organization/") {
        permission.organization_arn(one)
    } else if one.contains(":ou/") {
        permission.organizational_unit_arn(one)
    } else {
        permission.user_id(one)
    }
    .build()
}

fn sharing_of(permissions: &[LaunchPermission]) -> Sharing {
    let who = |one: &LaunchPermission| {
        let unit = || one.organizational_unit_arn.clone();
        one.user_id
            .clone()
            .or_else(|| one.organization_arn.clone())
            .or_else(unit)
    };
    Sharing {
        everybody: permissions.iter().any(|one| one.group == Some(PermissionGroup::All)),
        with: permissions.iter().filter_map(who).collect(),
    }
}
