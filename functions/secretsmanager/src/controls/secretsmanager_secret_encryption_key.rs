//! # What it requires
//! The secret is encrypted with a key of the kind that the classification of its data asks for: the AWS-managed key of Secrets
//! Manager, one that the customer manages, or the very one that settings name.
//!
//! # Why
//! Whoever may read the secret may decrypt it under `aws/secretsmanager`. Under a customer's key, the key's policy has to let him as
//! well.
//!
//! # What it changes
//! By setting, where the level names a key: `UpdateSecret` with `KmsKeyId` alone, which changes no value. It is told by default.
//!
//! # What may break
//! Readers without `kms:Decrypt` on the key. Versions that there are stay under the former key where the function may not use both.
//!
//! # References
//! Secrets Manager User Guide, "Secret encryption and decryption in AWS Secrets Manager"; Secrets Manager API Reference,
//! `UpdateSecret`.

use portcullis_controls::prelude::*;

use crate::secret::{Encryption, Secret, SecretChange, SecretFact};

pub const CONTROL: Control<Secret> = Control {
    meta: Meta {
        id: "secretsmanager-secret-encryption-key",
        title: "A secret is encrypted with a key of the kind that its data need",
        severity: Severity::Low,
        impact: Impact::Availability,
        default: Switch::Notify,
        standards: &["Config secretsmanager-using-cmk"],
        calls: &["CreateSecret", "TagResource", "UntagResource", "UpdateSecret"],
    },
    reads: &[SecretFact::Encryption],
    changes: &[SecretFact::Encryption],
    judge: &|secret, context| {
        let Some(Encryption { key, .. }) = secret.encryption.get() else {
            return Judgement::Compliant;
        };
        key_by_level(With::Key(key), context, Severity::Low, |key| {
            let name = key.arn.clone();
            SecretChange::Encryption(Encryption { name, key })
        })
    },
};
