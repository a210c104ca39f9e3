use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, PermissionGroup, Snapshot as Described,
    SnapshotAttributeName, SnapshotBlockPublicAccessState,
};
use futures_util::future::try_join;
use portcullis_controls::Keys;
use portcullis_controls::sharing::Sharing;
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, PAGE, Page, Regional};

use super::calls::{done, tags, unless};
use crate::snapshot::{NAMING, Snapshot, SnapshotChange, SnapshotFact};

const GONE: [&str; 1] = ["InvalidSnapshot.NotFound"];

pub struct Aws {
    pub ec2: Regional<Client>,
    pub keys: Arc<Keys>,
}

impl Adapter for Aws {
    type State = Snapshot;

    async fn observe(&self, resource: &Resource, facts: &BTreeSet<SnapshotFact>) -> Result<Option<Snapshot>, AwsError> {
        let ec2 = &self.ec2.of(&resource.region);
        let description = async {
            let answer = ec2.describe_snapshots().snapshot_ids(&resource.id).send().await;
            let answer = unless(&GONE, done("DescribeSnapshots", answer))?;
            let snapshot = answer.and_then(|answer| answer.snapshots?.into_iter().next());
            // Only its owner may be told of it: somebody else's that is shared with us is described to us as well.
            let own = |snapshot: &Described| {
                snapshot
                    .owner_id
                    .as_ref()
                    .is_none_or(|owner| *owner == resource.account)
            };
            let Some(snapshot) = snapshot.filter(own) else {
                return Ok(None);
            };
            let manager = match snapshot.kms_key_id() {
                Some(key) if facts.contains(&SnapshotFact::Key) => {
                    Observed::Is(self.keys.manager(resource, key).await?)
                }
                Some(_) => Observed::Unread,
                None => Observed::Absent,
            };
            Ok(Some((snapshot, manager)))
        };
        let sharing = async {
            if !facts.contains(&SnapshotFact::Sharing) {
                return Ok((Observed::Unread, Observed::Unread));
            }
            let call = ec2.describe_snapshot_attribute().snapshot_id(&resource.id);
            let answer = call
                .attribute(SnapshotAttributeName::CreateVolumePermission)
                .send()
                .await;
            let answer = unless(&GONE, done("DescribeSnapshotAttribute", answer))?;
            let sharing = answer.map(|answer| sharing_of(answer.create_volume_permissions()));
            // Under this block AWS treats what is marked as public as private. Source: EBS User Guide, "Block public access for Amazon
            // EBS snapshots".
            let blocked = if sharing.as_ref().is_some_and(|sharing| sharing.everybody) {
                let answer = ec2.get_snapshot_block_public_access_state().send().await;
                let state = done("GetSnapshotBlockPublicAccessState", answer)?.state;
                Observed::Is(state == Some(SnapshotBlockPublicAccessState::BlockAllSharing))
            } else {
                Observed::Absent
            };
            Ok((Observed::from(sharing), blocked))
        };
        let (description, (sharing, blocked)) = try_join(description, sharing).await?;
        Ok(description.map(|(snapshot, manager)| Snapshot {
            tags: Observed::Is(tags(snapshot.tags())),
            encrypted: snapshot.encrypted.into(),
            key: snapshot.kms_key_id.into(),
            manager,
            volume: snapshot.volume_id.into(),
            sharing,
            blocked,
        }))
    }

    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let call = self.ec2.of(&place.region).describe_snapshots().owner_ids("self");
        let answer = call.max_results(PAGE).set_next_token(from).send().await;
        let answer = done("DescribeSnapshots", answer)?;
        let ids = answer.snapshots().iter().filter_map(|snapshot| snapshot.snapshot_id());
        Ok(Page {
            resources: ids.map(|id| NAMING.resource(id, place)).collect(),
            next: answer.next_token.clone().filter(|token| !token.is_empty()),
        })
    }

    async fn execute(&self, resource: &Resource, SnapshotChange(change): &SnapshotChange) -> Result<(), AwsError> {
        let entry = CreateVolumePermission::builder;
        // AWS takes so many of a call. Source: EC2 API Reference, `ModifySnapshotAttribute`.
        for change in change.parts(500) {
            let everybody = entry().group(PermissionGroup::All).build();
            let (add, remove) = change.entries(everybody, |account| entry().user_id(account).build());
            let permission = CreateVolumePermissionModifications::builder()
                .set_add(add)
                .set_remove(remove);
            let call = self
                .ec2
                .of(&resource.region)
                .modify_snapshot_attribute()
                .snapshot_id(&resource.id);
            let call = call
                .attribute(SnapshotAttributeName::CreateVolumePermission)
                .create_volume_permission(permission.build());
            done("ModifySnapshotAttribute", call.send().await)?;
        }
        Ok(())
    }
}

fn sharing_of(permissions: &[CreateVolumePermission]) -> Sharing {
    Sharing {
        everybody: permissions.iter().any(|one| one.group == Some(PermissionGroup::All)),
        with: permissions.iter().filter_map(|one| one.user_id.clone()).collect(),
    }
}
