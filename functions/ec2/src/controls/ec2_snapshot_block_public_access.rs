//! # What it requires
//! The region blocks all public sharing of EBS snapshots (`block-all-sharing`).
//!
//! # Why
//! A public snapshot is the whole disk, for everybody, within minutes of somebody looking. The block also hides the ones that
//! are public already.
//!
//! # What it changes
//! `EnableSnapshotBlockPublicAccess` with `block-all-sharing`. What was public stays marked so, and is not reachable any more.
//!
//! # What may break
//! Snapshots that are published on purpose. Look at them first, or exempt the region.
//!
//! # References
//! EBS User Guide, "Block public access for Amazon EBS snapshots"; Security Hub EC2.182.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::account_defaults::{
    AccountDefaults, AccountDefaultsChange, AccountDefaultsFact, NOT_OFFERED, UNBLOCKED, decided_elsewhere,
};

/// The strictest of its states.
const ALL: &str = "block-all-sharing";

pub const CONTROL: Control<AccountDefaults> = Control {
    meta: Meta {
        id: "ec2-snapshot-block-public-access",
        title: "No EBS snapshot can be public",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["Security Hub EC2.182", "Config ebs-snapshot-block-public-access"],
        calls: &["DisableSnapshotBlockPublicAccess", "EnableSnapshotBlockPublicAccess"],
    },
    reads: &[AccountDefaultsFact::SnapshotBlock],
    changes: &[AccountDefaultsFact::SnapshotBlock],
    judge: &judge,
};

fn judge(defaults: &AccountDefaults, _: &JudgeContext<'_>) -> Judgement<AccountDefaultsChange> {
    if defaults.snapshot_block.is_unread() {
        return Judgement::NotApplicable(NOT_OFFERED.into());
    }
    let (severity, summary) = match defaults.snapshot_block.get().map_or(UNBLOCKED, String::as_str) {
        ALL => return Judgement::Compliant,
        UNBLOCKED => (Severity::High, Clause::does_not("block public access to EBS snapshots")),
        other => (
            Severity::Medium,
            Clause::new("blocks", "blocked").followed_by(format!(" public access to new EBS snapshots only: {other}")),
        ),
    };
    let remedy = AccountDefaultsChange::SnapshotBlock(ALL.into());
    let finding = Finding::new(severity, summary, "block all public sharing of snapshots", vec![remedy]);
    match decided_elsewhere(&defaults.snapshot_block_by) {
        Some(why) => finding.only_notify(why).into(),
        None => finding.into(),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings};

    use super::*;
    use crate::security_group::tests::with_settings;

    #[test]
    fn only_all_is_enough() {
        for (block, severity) in [
            (ALL, None),
            ("block-new-sharing", Some(Severity::Medium)),
            (UNBLOCKED, Some(Severity::High)),
        ] {
            let state = AccountDefaults {
                snapshot_block: Observed::Is(block.into()),
                ..AccountDefaults::default()
            };
            let found = with_settings(&Settings::default(), |context| judge(&state, context).finding());
            assert_eq!(found.map(|found| found.severity), severity, "{block}");
        }
    }
}
