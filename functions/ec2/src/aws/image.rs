use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    BlockDeviceMapping, ImageAttributeName, LaunchPermission, LaunchPermissionModifications, PermissionGroup,
};
use futures_util::future::try_join;
use portcullis_core::{Place, Resource, Seen};
use portcullis_runtime::{Adapter, AwsError, PAGE, Page};

use super::{Clients, done, tags, unless};
use crate::image::{Fact, Image, Remedy, State, resource};
use crate::sharing::{Change, Sharing};

const GONE: [&str; 2] = ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"];

pub struct Aws(pub Clients);

impl Adapter<Image> for Aws {
    async fn observe(&self, resource: &Resource, facts: &BTreeSet<Fact>) -> Result<Option<State>, AwsError> {
        let ec2 = &self.0.ec2(&resource.region);
        let description = async {
            // One that is disabled is as much its owner's.
            let call = ec2.describe_images().image_ids(&resource.id).include_disabled(true);
            let answer = unless(&GONE, done("DescribeImages", call.send().await))?;
            // Only its owner may be told who may launch it: somebody else's that is shared with us is described to us as well.
            let own = answer
                .and_then(|answer| answer.images?.into_iter().next())
                .filter(|image| image.owner_id.as_ref().is_none_or(|owner| *owner == resource.account));
            Ok(own)
        };
        let sharing = async {
            if !facts.contains(&Fact::Sharing) {
                return Ok(Seen::Unread);
            }
            let call = ec2.describe_image_attribute().image_id(&resource.id);
            let answer = call.attribute(ImageAttributeName::LaunchPermission).send().await;
            // The last is AWS's word on an image of somebody else.
            let none = [GONE[0], GONE[1], "AuthFailure"];
            let answer = unless(&none, done("DescribeImageAttribute", answer))?;
            Ok(Seen::from(answer.map(|answer| sharing_of(answer.launch_permissions()))))
        };
        let (description, sharing) = try_join(description, sharing).await?;
        Ok(description.map(|image| State {
            tags: Seen::Is(tags(image.tags())),
            unencrypted: Seen::Is(image.block_device_mappings().iter().filter_map(unencrypted).collect()),
            name: image.name.into(),
            sharing,
        }))
    }

    async fn list(&self, place: &Place, from: Option<String>) -> Result<Page, AwsError> {
        let call = self
            .0
            .ec2(&place.region)
            .describe_images()
            .owners("self")
            .include_disabled(true);
        let answer = call.max_results(PAGE).set_next_token(from).send().await;
        let answer = done("DescribeImages", answer)?;
        let ids = answer.images().iter().filter_map(|image| image.image_id());
        Ok(Page {
            resources: ids.map(|id| resource(id, place)).collect(),
            next: answer.next_token.clone().filter(|token| !token.is_empty()),
        })
    }

    async fn execute(&self, resource: &Resource, Remedy(change): &Remedy) -> Result<(), AwsError> {
        let everybody = || vec![LaunchPermission::builder().group(PermissionGroup::All).build()];
        let of = |those: &BTreeSet<String>| -> Vec<_> { those.iter().map(|one| permission(one)).collect() };
        let (add, remove) = match change {
            Change::Everybody(true) => (Some(everybody()), None),
            Change::Everybody(false) => (None, Some(everybody())),
            Change::Share(those) => (Some(of(those)), None),
            Change::Unshare(those) => (None, Some(of(those))),
        };
        let permission = LaunchPermissionModifications::builder().set_add(add).set_remove(remove);
        let call = self
            .0
            .ec2(&resource.region)
            .modify_image_attribute()
            .image_id(&resource.id);
        let call = call.attribute("launchPermission").launch_permission(permission.build());
        done("ModifyImageAttribute", call.send().await)?;
        Ok(())
    }
}

/// A device whose snapshot is not encrypted; `None` also of one that has no snapshot.
fn unencrypted(device: &BlockDeviceMapping) -> Option<String> {
    let ebs = device.ebs.as_ref().filter(|ebs| ebs.encrypted != Some(true))?;
    let snapshot = ebs.snapshot_id.as_ref()?;
    Some(
        device
            .device_name
            .as_ref()
            .map_or_else(|| snapshot.clone(), |name| format!("{name} ({snapshot})")),
    )
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
