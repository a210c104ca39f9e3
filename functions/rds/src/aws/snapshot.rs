use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_rds::types::{DbClusterSnapshot, DbSnapshot, StorageEncryptionType};
use portcullis_controls::sharing::Sharing;
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, Page, unless};

use super::calls::{Clients, PAGE, done, tags};
use crate::naming::Naming;
use crate::snapshot::{CLUSTERS, Snapshot, SnapshotChange, SnapshotFact};

const GONE: [&str; 2] = ["DBClusterSnapshotNotFoundFault", "DBSnapshotNotFound"];
/// The attribute that says who may restore and copy it, and the value of it that is everybody.
const RESTORE: &str = "restore";
const ALL: &str = "all";
/// AWS takes so many accounts of one snapshot. Source: RDS User Guide, "Sharing a DB snapshot".
const MANY: usize = 20;

pub struct Aws {
    pub of: &'static Naming,
    pub clients: Arc<Clients>,
}

/// Everybody, and the others.
fn sharing(attributes: impl Iterator<Item = (Option<String>, Option<Vec<String>>)>) -> Sharing {
    let restores = attributes.filter(|(name, _)| name.as_deref() == Some(RESTORE));
    let values = restores.flat_map(|(_, values)| values.unwrap_or_default());
    let (all, with): (Vec<_>, Vec<_>) = values.partition(|value| value == ALL);
    Sharing {
        everybody: !all.is_empty(),
        with: with.into_iter().collect(),
    }
}

impl Aws {
    fn of_clusters(&self) -> bool {
        self.of.kind == CLUSTERS.kind
    }

    async fn sharing(&self, resource: &Resource) -> Result<Sharing, AwsError> {
        let rds = self.clients.rds.of(&resource.region);
        if self.of_clusters() {
            let call = rds.describe_db_cluster_snapshot_attributes();
            let answer = call.db_cluster_snapshot_identifier(&resource.id).send().await;
            let found = done("DescribeDBClusterSnapshotAttributes", answer)?.db_cluster_snapshot_attributes_result;
            let all = found
                .and_then(|found| found.db_cluster_snapshot_attributes)
                .into_iter()
                .flatten();
            return Ok(sharing(all.map(|one| (one.attribute_name, one.attribute_values))));
        }
        let call = rds.describe_db_snapshot_attributes();
        let answer = call.db_snapshot_identifier(&resource.id).send().await;
        let found = done("DescribeDBSnapshotAttributes", answer)?.db_snapshot_attributes_result;
        let all = found
            .and_then(|found| found.db_snapshot_attributes)
            .into_iter()
            .flatten();
        Ok(sharing(all.map(|one| (one.attribute_name, one.attribute_values))))
    }

    async fn described(&self, resource: &Resource) -> Result<Option<Described>, AwsError> {
        let rds = self.clients.rds.of(&resource.region);
        // Of one that AWS made, the type has to be named as well. Source: RDS API Reference, `DescribeDBSnapshots`, `SnapshotType`, which
        // says that AWS Backup's are a type of instances' alone.
        let made = [("rds:", "automated"), ("awsbackup:", "awsbackup")].into_iter();
        let mut made = made.filter(|(_, kind)| *kind == "automated" || !self.of_clusters());
        let kind = made.find(|(prefix, _)| resource.id.starts_with(prefix));
        let kind = kind.map(|(_, kind)| kind.to_owned());
        if self.of_clusters() {
            let call = rds.describe_db_cluster_snapshots().set_snapshot_type(kind);
            let answer = call.db_cluster_snapshot_identifier(&resource.id).send().await;
            let found = done("DescribeDBClusterSnapshots", answer)?.db_cluster_snapshots;
            return Ok(found.and_then(|found| Some(found.into_iter().next()?.into())));
        }
        let call = rds.describe_db_snapshots().set_snapshot_type(kind);
        let answer = call.db_snapshot_identifier(&resource.id).send().await;
        let found = done("DescribeDBSnapshots", answer)?.db_snapshots;
        Ok(found.and_then(|found| Some(found.into_iter().next()?.into())))
    }

    async fn read(&self, resource: &Resource, facts: &BTreeSet<SnapshotFact>) -> Result<Option<Snapshot>, AwsError> {
        let Some(described) = self.described(resource).await? else {
            return Ok(None);
        };
        // Only a manual one can be shared. Source: RDS User Guide, "Sharing a DB snapshot".
        let manual = described.made.as_deref().is_none_or(|made| made == "manual");
        let sharing = match (facts.contains(&SnapshotFact::Sharing), manual) {
            (false, _) => Observed::Unread,
            (true, false) => Observed::Is(Sharing::default()),
            (true, true) => Observed::Is(self.sharing(resource).await?),
        };
        let encryption = if facts.contains(&SnapshotFact::Encryption) {
            let (how, encrypted) = (described.how.as_ref(), described.encrypted);
            let key = described.key.as_deref();
            self.clients.encryption(resource, how, encrypted, key).await?
        } else {
            Observed::Unread
        };
        Ok(Some(Snapshot {
            encryption,
            sharing,
            ..described.snapshot
        }))
    }
}

/// What RDS says of one of either kind.
struct Described {
    snapshot: Snapshot,
    made: Option<String>,
    how: Option<StorageEncryptionType>,
    encrypted: Option<bool>,
    key: Option<String>,
}

impl From<DbSnapshot> for Described {
    fn from(of: DbSnapshot) -> Self {
        Self {
            snapshot: Snapshot {
                tags: tags(of.tag_list),
                status: of.status.into(),
                database: of.db_instance_identifier.into(),
                engine: of.engine.into(),
                ..Snapshot::default()
            },
            made: of.snapshot_type,
            how: of.storage_encryption_type,
            encrypted: of.encrypted,
            key: of.kms_key_id,
        }
    }
}

impl From<DbClusterSnapshot> for Described {
    fn from(of: DbClusterSnapshot) -> Self {
        Self {
            snapshot: Snapshot {
                tags: tags(of.tag_list),
                status: of.status.into(),
                database: of.db_cluster_identifier.into(),
                engine: of.engine.into(),
                ..Snapshot::default()
            },
            made: of.snapshot_type,
            how: of.storage_encryption_type,
            encrypted: of.storage_encrypted,
            key: of.kms_key_id,
        }
    }
}

impl Adapter for Aws {
    type State = Snapshot;

    async fn observe(&self, resource: &Resource, facts: &BTreeSet<SnapshotFact>) -> Result<Option<Snapshot>, AwsError> {
        Ok(unless(&GONE, self.read(resource, facts).await)?.flatten())
    }

    /// Those of the account: of those that others share with it, or with everybody, RDS tells only who asks for them.
    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let rds = self.clients.rds.of(&place.region);
        let (names, next): (Vec<_>, _) = if self.of_clusters() {
            let call = rds.describe_db_cluster_snapshots().max_records(PAGE).set_marker(from);
            let page = done("DescribeDBClusterSnapshots", call.send().await)?;
            let found = page.db_cluster_snapshots.unwrap_or_default().into_iter();
            (
                found.filter_map(|one| one.db_cluster_snapshot_identifier).collect(),
                page.marker,
            )
        } else {
            let call = rds.describe_db_snapshots().max_records(PAGE).set_marker(from);
            let page = done("DescribeDBSnapshots", call.send().await)?;
            let found = page.db_snapshots.unwrap_or_default().into_iter();
            (
                found.filter_map(|one| one.db_snapshot_identifier).collect(),
                page.marker,
            )
        };
        Ok(Page {
            resources: names.iter().map(|name| self.of.resource(name, place)).collect(),
            next: next.filter(|marker| !marker.is_empty()),
        })
    }

    async fn execute(&self, resource: &Resource, SnapshotChange(change): &SnapshotChange) -> Result<(), AwsError> {
        let rds = self.clients.rds.of(&resource.region);
        for change in change.parts(MANY) {
            let (add, remove) = change.entries(ALL.to_owned(), Clone::clone);
            if self.of_clusters() {
                let call = rds.modify_db_cluster_snapshot_attribute().attribute_name(RESTORE);
                let call = call.db_cluster_snapshot_identifier(&resource.id);
                let call = call.set_values_to_add(add).set_values_to_remove(remove);
                done("ModifyDBClusterSnapshotAttribute", call.send().await)?;
            } else {
                let call = rds.modify_db_snapshot_attribute().attribute_name(RESTORE);
                let call = call.db_snapshot_identifier(&resource.id);
                let call = call.set_values_to_add(add).set_values_to_remove(remove);
                done("ModifyDBSnapshotAttribute", call.send().await)?;
            }
        }
        Ok(())
    }
}
