//! EBS snapshots: who may make volumes of them, and whether they are encrypted.

use std::borrow::Cow;

use portcullis_controls::encryption::Manager;
use portcullis_controls::sharing::{Sharing, SharingChange};
use portcullis_core::event::{Call, EventError, field};
use portcullis_core::{Change, Observed, Resource, ResourceType, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::naming::SOURCE;
use crate::naming::{self, Id, Naming, items};

/// How it is named.
pub(crate) const NAMING: Naming = Naming {
    kind: "AWS::EC2::Snapshot",
    path: "snapshot",
    id: Id {
        prefix: "snap",
        expected: "a snapshot's id (snap-…)",
    },
    owned: false,
};

/// A snapshot as read. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
#[facts(change = SnapshotChange)]
pub struct Snapshot {
    /// Its tags; none reads as an empty map.
    #[fact(tags, name = Description, read("ec2:DescribeSnapshots"))]
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
    /// The volume that it was made of, for people.
    #[fact(name = Description)]
    pub volume: Observed<String>,
    /// Who may make volumes of it, besides its owner: `DescribeSnapshotAttribute`.
    #[fact(
        read("ec2:DescribeSnapshotAttribute", "ec2:GetSnapshotBlockPublicAccessState"),
        write("ec2:ModifySnapshotAttribute")
    )]
    pub sharing: Observed<Sharing>,
    /// Of one that is shared with everybody: whether the region's block has AWS treat it as private all the same.
    #[fact(name = Sharing)]
    pub blocked: Observed<bool>,
}

/// A change to a snapshot: `ModifySnapshotAttribute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotChange(pub SharingChange);

/// Snapshots. The classification of the data is in their tags.
pub const TYPE: ResourceType<Snapshot> = ResourceType {
    name: NAMING.kind,
    arn_form: "ec2:{r}::snapshot/snap-{i}",
    source: SOURCE,
    always: &[SnapshotFact::Description],
    list_actions: &["ec2:DescribeSnapshots"],
    creates: &[
        "CreateSnapshot",
        "CreateSnapshots",
        "CopySnapshot",
        "RestoreSnapshotFromRecycleBin",
    ],
    answered: &["CopySnapshot", "CreateSnapshots"],
    // Whose block keeps it private is the region's to say.
    comparable: |snapshot| Snapshot {
        blocked: Observed::Unread,
        ..snapshot.clone()
    },
    named,
    matters: naming::matters,
    identified: |id, location| NAMING.identified(id, location),
    ..ResourceType::REGIONAL
};

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

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    NAMING.resources(call, || {
        // `CreateSnapshots` makes several at once, and answers under its own name.
        let made = items(&call.response, &["CreateSnapshotsResponse", "snapshotSet"]);
        if call.name == "CreateSnapshots" && !made.is_empty() {
            let ids = made.into_iter().filter_map(|one| field(one, "snapshotId"));
            return ids.map(|one| NAMING.id.read("snapshotSet.snapshotId", one)).collect();
        }
        if call.name == "CopySnapshot" {
            // Its parameters name the original, which may be another account's.
            let copy = field(&call.response, "snapshotId");
            let copy = copy.ok_or_else(|| EventError::Missing("responseElements.snapshotId".into()))?;
            return Ok(vec![NAMING.id.read("snapshotId", copy)?]);
        }
        NAMING.named(call, "snapshotId")
    })
}
