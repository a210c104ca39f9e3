//! Amazon Machine Images: who may launch them, and whether the snapshots behind them are encrypted.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use portcullis_controls::encryption::Key;
use portcullis_controls::sharing::{Sharing, SharingChange};
use portcullis_core::event::{Call, EventError};
use portcullis_core::{Change, Observed, Resource, ResourceType, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::naming::SOURCE;
use crate::naming::{self, Id, Naming};

/// How it is named.
pub(crate) const NAMING: Naming = Naming {
    kind: "AWS::EC2::Image",
    path: "image",
    id: Id {
        prefix: "ami",
        expected: "an image's id (ami-…)",
    },
    owned: false,
};

/// An image as read. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
#[facts(change = ImageChange)]
pub struct Image {
    /// Its tags; none reads as an empty map.
    #[fact(tags, name = Description, read("ec2:DescribeImages"))]
    pub tags: Observed<Tags>,
    /// Its name, for people.
    #[fact(name = Description)]
    pub name: Observed<String>,
    /// The devices whose snapshots are not encrypted, each with its snapshot.
    #[fact(name = Description)]
    pub unencrypted: Observed<BTreeSet<String>>,
    /// The keys of the devices whose snapshots are encrypted, each with its snapshot; none where that could not be learned. An
    /// image does not say them: `DescribeSnapshots` of those behind it does.
    #[fact(read("ec2:DescribeSnapshots", "kms:DescribeKey"))]
    pub keys: Observed<BTreeMap<String, Option<Key>>>,
    /// Who may launch it, besides its owner: `DescribeImageAttribute`.
    #[fact(read("ec2:DescribeImageAttribute"), write("ec2:ModifyImageAttribute"))]
    pub sharing: Observed<Sharing>,
}

/// A change to an image: `ModifyImageAttribute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageChange(pub SharingChange);

/// Images. The classification of the data is in their tags.
pub const TYPE: ResourceType<Image> = ResourceType {
    name: NAMING.kind,
    arn_form: "ec2:{r}::image/ami-{i}",
    source: SOURCE,
    always: &[ImageFact::Description],
    list_actions: &["ec2:DescribeImages"],
    creates: &[
        "CreateImage",
        "CopyImage",
        "CreateRestoreImageTask",
        "RegisterImage",
        "RestoreImageFromRecycleBin",
    ],
    answered: &["CopyImage", "CreateImage", "RegisterImage"],
    named,
    matters: naming::matters,
    identified: |id, location| NAMING.identified(id, location),
    ..ResourceType::REGIONAL
};

impl Change for ImageChange {
    type State = Image;

    fn fact(&self) -> ImageFact {
        ImageFact::Sharing
    }

    fn after(&self, image: &Image) -> Image {
        let mut after = image.clone();
        if let Observed::Is(sharing) = &mut after.sharing {
            sharing.change(&self.0);
        }
        after
    }

    fn inverse(&self, before: &Image) -> Option<Self> {
        Some(Self(before.sharing.get()?.inverse(&self.0)))
    }

    fn target(&self) -> Cow<'static, str> {
        self.0.target().into()
    }
}

/// A copy is named by the answer: the parameters name the original only, as `sourceImageId`.
fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    NAMING.resources(call, || NAMING.named(call, "imageId"))
}
