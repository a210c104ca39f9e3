//! # What it requires
//! The log files are encrypted with a key of KMS of the kind that the classification of the trail asks for: one that the customer
//! manages, or the very one that settings name. Where every key will do, S3's own encryption will, too.
//!
//! # Why
//! Logs name people, addresses and resources. Under a key of KMS, its policy says who may read them, besides the bucket's.
//!
//! # What it changes
//! By setting, where the level names a key: `UpdateTrail` with `KmsKeyId`. It is told by default.
//!
//! # What may break
//! The key's policy has to let CloudTrail encrypt and readers decrypt; it is refused otherwise. The key is in the bucket's region.
//!
//! # References
//! CloudTrail User Guide, "Encrypting CloudTrail log files, digest files, and event data stores with AWS KMS keys"; Security Hub
//! CloudTrail.2.

use portcullis_controls::prelude::*;

use crate::trail::{Encryption, Trail, TrailChange, TrailFact};

pub const CONTROL: Control<Trail> = Control {
    meta: Meta {
        id: "cloudtrail-trail-encrypted",
        title: "A trail's log files are encrypted with a key of the kind that its data need",
        severity: Severity::Medium,
        impact: Impact::Availability,
        default: Switch::Notify,
        standards: &["Security Hub CloudTrail.2", "Config cloud-trail-encryption-enabled"],
        calls: &["AddTags", "CreateTrail", "RemoveTags", "UpdateTrail"],
    },
    reads: &[TrailFact::Encryption],
    changes: &[TrailFact::Encryption],
    judge: &|trail, context| {
        let with = match trail.encryption.get() {
            None => With::ServiceOwned,
            Some(Encryption { key, .. }) => With::Key(key),
        };
        key_by_level(with, context, Severity::Medium, |key| {
            let name = key.arn.clone();
            TrailChange::Encryption(Some(Encryption { name, key }))
        })
    },
};
