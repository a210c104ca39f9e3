//! EBS snapshots: who may make volumes of them, and whether they are encrypted.

use std::borrow::Cow;

use portcullis_core::event::{Call, EventError, field};
use portcullis_core::{Control, Guard, Location, Observed, Resource, Settings, Tags};
use serde::{Deserialize, Serialize};

use crate::encryption::Manager;
use crate::naming::{self, Id, Type, items};
use crate::sharing::{Change, Sharing};
use crate::{SOURCE, controls};

/// The guard of snapshots.
pub struct Snapshot;

/// How it is named.
pub(crate) const TYPE: Type = Type {
    kind: Snapshot::KIND,
    path: "snapshot",
    id: Id {
        prefix: "snap",
        expected: "a snapshot's id (snap-…)",
    },
    owned: false,
};

/// What can be read of a snapshot, one API call each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `DescribeSnapshots`: tags, encryption.
    Description,
    /// `kms:DescribeKey`: whose the key is; asked for once a key and process, since that never changes.
    Key,
    /// `DescribeSnapshotAttribute`: who may make volumes of it.
    Sharing,
}

/// A snapshot as read.
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
    /// The volume that it was made of, for people.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub volume: Observed<String>,
    /// Who may make volumes of it, besides its owner.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub sharing: Observed<Sharing>,
}

/// A change to a snapshot: `ModifySnapshotAttribute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Remedy(pub Change);

impl portcullis_core::State for State {
    type Remedy = Remedy;

    fn after(&self, remedy: &Remedy) -> Self {
        let mut after = self.clone();
        if let Observed::Is(sharing) = &mut after.sharing {
            sharing.change(&remedy.0);
        }
        after
    }

    fn inverse(&self, remedy: &Remedy) -> Option<Remedy> {
        Some(Remedy(self.sharing.get()?.inverse(&remedy.0)))
    }

    fn tags(&self) -> Option<&Tags> {
        self.tags.get()
    }
}

impl portcullis_core::Remedy for Remedy {
    fn target(&self) -> Cow<'static, str> {
        self.0.target().into()
    }

    fn writes(&self) -> &'static [&'static str] {
        &["ec2:ModifySnapshotAttribute"]
    }
}

impl Guard for Snapshot {
    const KIND: &'static str = "AWS::EC2::Snapshot";
    const SOURCE: &'static str = SOURCE;
    type Fact = Fact;
    type State = State;
    type Remedy = Remedy;

    fn controls() -> &'static [Control<Self>] {
        controls::SNAPSHOT
    }

    /// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
    fn reads(fact: Fact) -> &'static [&'static str] {
        match fact {
            Fact::Description => &["ec2:DescribeSnapshots"],
            Fact::Key => &["kms:DescribeKey"],
            Fact::Sharing => &["ec2:DescribeSnapshotAttribute"],
        }
    }

    /// The classification of the data is in its tags.
    fn always() -> &'static [Fact] {
        &[Fact::Description]
    }

    fn touches(_: &Remedy) -> Fact {
        Fact::Sharing
    }

    fn resources(call: &Call) -> Result<Vec<Resource>, EventError> {
        TYPE.resources(call, || {
            // `CreateSnapshots` makes several at once, and answers under its own name.
            let made = items(&call.response, &["CreateSnapshotsResponse", "snapshotSet"]);
            if call.name == "CreateSnapshots" && !made.is_empty() {
                let ids = made.into_iter().filter_map(|one| field(one, "snapshotId"));
                return ids.map(|one| TYPE.id.read("snapshotSet.snapshotId", one)).collect();
            }
            if call.name == "CopySnapshot" {
                // Its parameters name the original, which may be another account's.
                let copy = field(&call.response, "snapshotId");
                let copy = copy.ok_or_else(|| EventError::Missing("responseElements.snapshotId".into()))?;
                return Ok(vec![TYPE.id.read("snapshotId", copy)?]);
            }
            TYPE.named(call, "snapshotId")
        })
    }

    fn matters(call: &Call, settings: &Settings) -> bool {
        naming::matters(call, settings)
    }

    fn identified(id: &str, place: &Location) -> Option<Resource> {
        TYPE.identified(id, place)
    }

    fn lists() -> &'static [&'static str] {
        &["ec2:DescribeSnapshots"]
    }
}
