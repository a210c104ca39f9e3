//! # What it requires
//! Rotation is on for the secret.
//!
//! # Why
//! A password that leaked works until somebody changes it.
//!
//! # What it changes
//! Nothing: rotation takes a function that knows how to change the password where it is used, and changes its value at once. It is
//! told.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! Secrets Manager User Guide, "Rotate AWS Secrets Manager secrets"; Security Hub SecretsManager.1.

use portcullis_controls::prelude::*;
use portcullis_core::Observed;

use crate::secret::{Secret, SecretFact};

pub const CONTROL: Control<Secret> = Control {
    meta: Meta {
        id: "secretsmanager-secret-rotation",
        title: "A secret is rotated",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &[
            "Security Hub SecretsManager.1",
            "Config secretsmanager-rotation-enabled-check",
        ],
        calls: &["CancelRotateSecret", "CreateSecret"],
    },
    reads: &[SecretFact::Description],
    changes: &[],
    judge: &|secret, context| {
        // What is to be deleted is rotated no more; a replica is with its primary.
        let is_replica = secret
            .primary_region
            .get()
            .is_some_and(|region| *region != context.resource.region);
        if secret.rotates != Observed::Is(false) || secret.deletion.get().is_some() || is_replica {
            return Judgement::Compliant;
        }
        let summary = Clause::new("is not rotated", "was not rotated");
        let why = "only a person knows what changes the password where it is used: turn rotation on with rotate-secret";
        Finding::new(Severity::Medium, summary, "", Vec::new())
            .only_notify(why)
            .into()
    },
};
