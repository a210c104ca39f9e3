//! Snapshots of DB instances and of DB clusters: who may restore them, and whether they are encrypted.

use std::borrow::Cow;

use portcullis_controls::sharing::{Sharing, SharingChange};
use portcullis_core::{Change, Observed, ResourceType, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::naming::{self, Naming, SOURCE};
use crate::native;
use crate::storage::Encryption;

/// How a snapshot of an instance is named.
pub(crate) const INSTANCES: Naming = Naming {
    kind: "AWS::RDS::DBSnapshot",
    path: "snapshot:",
    parameters: &["targetDBSnapshotIdentifier", "dBSnapshotIdentifier"],
    renamed: "newDBSnapshotIdentifier",
    answered: "dBSnapshotArn",
    id_prefix: "",
    expected: (255, "a DB snapshot's identifier: 1 to 255 letters, digits and hyphens"),
};

/// How a snapshot of a cluster is named.
pub(crate) const CLUSTERS: Naming = Naming {
    kind: "AWS::RDS::DBClusterSnapshot",
    path: "cluster-snapshot:",
    parameters: &["targetDBClusterSnapshotIdentifier", "dBClusterSnapshotIdentifier"],
    renamed: "newDBClusterSnapshotIdentifier",
    answered: "dBClusterSnapshotArn",
    expected: (
        255,
        "a DB cluster snapshot's identifier: 1 to 255 letters, digits and hyphens",
    ),
    ..INSTANCES
};

/// A snapshot as read. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon RDS".
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
#[facts(change = SnapshotChange)]
pub struct Snapshot {
    /// Its tags; none reads as an empty map.
    #[fact(tags, name = Description, read("rds:DescribeDBClusterSnapshots", "rds:DescribeDBSnapshots"))]
    pub tags: Observed<Tags>,
    /// What AWS does with it, as in `available`.
    #[fact(name = Description)]
    pub status: Observed<String>,
    /// The database that it was made of.
    #[fact(name = Description)]
    pub database: Observed<String>,
    /// The engine of that.
    #[fact(name = Description)]
    pub engine: Observed<String>,
    /// What it is encrypted with; absent where it isn't.
    #[fact(read("kms:DescribeKey"))]
    pub encryption: Observed<Encryption>,
    /// Who may restore and copy it, besides its owner. Only manual ones can be shared: of others it is nobody. Source: RDS User Guide,
    /// "Sharing a DB snapshot".
    #[fact(
        read("rds:DescribeDBClusterSnapshotAttributes", "rds:DescribeDBSnapshotAttributes"),
        write("rds:ModifyDBClusterSnapshotAttribute", "rds:ModifyDBSnapshotAttribute")
    )]
    pub sharing: Observed<Sharing>,
}

/// A change to a snapshot: `ModifyDBSnapshotAttribute`, `ModifyDBClusterSnapshotAttribute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotChange(pub SharingChange);

/// Snapshots of DB instances. The classification of the data is in their tags.
pub const OF_INSTANCES: ResourceType<Snapshot> = ResourceType {
    name: INSTANCES.kind,
    arn_form: "rds:{r}:{a}:snapshot:{n}",
    source: SOURCE,
    always: &[SnapshotFact::Description],
    list_actions: &["rds:DescribeDBSnapshots"],
    creates: &["CopyDBSnapshot", "CreateDBSnapshot"],
    deletes: &["DeleteDBSnapshot"],
    native_events: &[native::SNAPSHOT],
    named: |call| INSTANCES.named(call),
    identified: |text, place| INSTANCES.identified(text, place),
    matters: naming::matters,
    busy,
    comparable,
    ..ResourceType::REGIONAL
};

/// Snapshots of DB clusters.
pub const OF_CLUSTERS: ResourceType<Snapshot> = ResourceType {
    name: CLUSTERS.kind,
    arn_form: "rds:{r}:{a}:cluster-snapshot:{n}",
    list_actions: &["rds:DescribeDBClusterSnapshots"],
    creates: &["CopyDBClusterSnapshot", "CreateDBClusterSnapshot"],
    deletes: &["DeleteDBClusterSnapshot"],
    native_events: &[native::CLUSTER_SNAPSHOT],
    named: |call| CLUSTERS.named(call),
    identified: |text, place| CLUSTERS.identified(text, place),
    ..OF_INSTANCES
};

/// One that is being made, or copied, is shared with nobody yet, and takes no change.
fn busy(snapshot: &Snapshot) -> Option<String> {
    let status = snapshot.status.get()?;
    ["copying", "creating", "modifying", "pending"]
        .contains(&status.as_str())
        .then(|| format!("its status is {status}"))
}

fn comparable(snapshot: &Snapshot) -> Snapshot {
    Snapshot {
        status: Observed::Unread,
        ..snapshot.clone()
    }
}

impl Snapshot {
    /// What everybody may do with it, for a sentence.
    pub(crate) fn restorable(&self) -> String {
        let of = self.database.get();
        let of = of.map_or_else(String::new, |database| format!(" of {database}"));
        format!(" restore this copy{of}")
    }
}

impl Change for SnapshotChange {
    type State = Snapshot;

    fn fact(&self) -> SnapshotFact {
        SnapshotFact::Sharing
    }

    fn after(&self, snapshot: &Snapshot) -> Snapshot {
        let mut after = snapshot.clone();
        if let Observed::Is(sharing) = &mut after.sharing {
            sharing.change(&self.0);
        }
        after
    }

    fn inverse(&self, before: &Snapshot) -> Option<Self> {
        Some(Self(before.sharing.get()?.inverse(&self.0)))
    }

    fn target(&self) -> Cow<'static, str> {
        self.0.target().into()
    }
}
