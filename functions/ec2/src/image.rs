//! Amazon Machine Images: who may launch them, and whether the snapshots behind them are encrypted.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use portcullis_core::event::{Call, EventError};
use portcullis_core::{Control, Guard, Location, Observed, Resource, Settings, Tags};
use serde::{Deserialize, Serialize};

use crate::encryption::Key;
use crate::naming::{self, Id, Type};
use crate::sharing::{Change, Sharing};
use crate::{SOURCE, controls};

/// The guard of images.
pub struct Image;

/// How it is named.
pub(crate) const TYPE: Type = Type {
    kind: Image::KIND,
    path: "image",
    id: Id {
        prefix: "ami",
        expected: "an image's id (ami-…)",
    },
    owned: false,
};

/// What can be read of an image, one API call each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `DescribeImages`: tags, the snapshots behind it.
    Description,
    /// `DescribeSnapshots` of the encrypted ones behind it, for an image does not say their keys; `kms:DescribeKey` of these.
    Keys,
    /// `DescribeImageAttribute`: who may launch it.
    Sharing,
}

/// An image as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Its tags; none reads as an empty map.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub tags: Observed<Tags>,
    /// Its name, for people.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub name: Observed<String>,
    /// The devices whose snapshots are not encrypted, each with its snapshot.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub unencrypted: Observed<BTreeSet<String>>,
    /// The keys of the devices whose snapshots are encrypted, each with its snapshot; none where that could not be learned.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub keys: Observed<BTreeMap<String, Option<Key>>>,
    /// Who may launch it, besides its owner.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub sharing: Observed<Sharing>,
}

/// A change to an image: `ModifyImageAttribute`.
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
        &["ec2:ModifyImageAttribute"]
    }
}

impl Guard for Image {
    const KIND: &'static str = "AWS::EC2::Image";
    const SOURCE: &'static str = SOURCE;
    type Fact = Fact;
    type State = State;
    type Remedy = Remedy;

    fn controls() -> &'static [Control<Self>] {
        controls::IMAGE
    }

    /// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
    fn reads(fact: Fact) -> &'static [&'static str] {
        match fact {
            Fact::Description => &["ec2:DescribeImages"],
            Fact::Keys => &["ec2:DescribeSnapshots", "kms:DescribeKey"],
            Fact::Sharing => &["ec2:DescribeImageAttribute"],
        }
    }

    /// The classification of the data is in its tags.
    fn always() -> &'static [Fact] {
        &[Fact::Description]
    }

    fn touches(_: &Remedy) -> Fact {
        Fact::Sharing
    }

    /// A copy is named by the answer: the parameters name the original only, as `sourceImageId`.
    fn resources(call: &Call) -> Result<Vec<Resource>, EventError> {
        TYPE.resources(call, || TYPE.named(call, "imageId"))
    }

    fn matters(call: &Call, settings: &Settings) -> bool {
        naming::matters(call, settings)
    }

    fn identified(id: &str, place: &Location) -> Option<Resource> {
        TYPE.identified(id, place)
    }

    fn lists() -> &'static [&'static str] {
        &["ec2:DescribeImages"]
    }
}
