//! What a database and its snapshots are encrypted with: the same for all of them, and settled when one is made.

use portcullis_controls::encryption::{Key, With, is_particular, made_encrypted};
use portcullis_core::{JudgeContext, Judgement, Observed};
use serde::{Deserialize, Serialize};

/// Encryption at rest. Source: RDS API Reference, `DBCluster`, `StorageEncryptionType`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// `sse-rds`: with a key that RDS owns, as Aurora does without being asked since February 2026. `StorageEncrypted` is false then.
    Rds,
    /// `sse-kms`: with a key of KMS.
    Kms(Key),
}

/// What something is encrypted with, for judging.
pub fn with(encryption: &Observed<Encryption>) -> With<'_> {
    match encryption.get() {
        None => With::Nothing,
        Some(Encryption::Rds) => With::ServiceOwned,
        Some(Encryption::Kms(key)) => With::Key(key),
    }
}

/// Judges what can't be encrypted, or get another key, in place: `how` says how a person makes another one, of the key that is given.
pub fn judged<C>(
    encryption: &Observed<Encryption>,
    context: &JudgeContext<'_>,
    how: impl FnOnce(&str) -> String,
) -> Judgement<C> {
    if encryption.is_unread() {
        return Judgement::Compliant;
    }
    let key = match &context.level.key {
        Some(key) => key,
        None if is_particular(context) => "KEY (a key of the customer's)",
        None => "alias/aws/rds",
    };
    let why = "RDS can't encrypt it, or give it another key, in place";
    made_encrypted(with(encryption), context, why, || how(key))
}
