//! # What it requires
//! The region blocks new public sharing of images (AMIs).
//!
//! # Why
//! A public image is a disk for everybody. The block is on by default for accounts without public images since October 2023,
//! and can be turned off by one call.
//!
//! # What it changes
//! `EnableImageBlockPublicAccess` with `block-new-sharing`, the only block that there is. For up to ten minutes AWS answers what was
//! so before, so the call itself counts, the alert says *remediating*, and it is read again after eleven minutes. Images that are
//! public already stay so.
//!
//! # What may break
//! Publishing images, where somebody does that on purpose.
//!
//! # References
//! EC2 User Guide, "Block public access to your AMIs".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity, SignedDuration};

use crate::account_defaults::{
    AccountDefaults, AccountDefaultsChange, AccountDefaultsFact, IMAGE_BLOCK_CALLS, NOT_OFFERED, decided_elsewhere,
};

const BLOCKED: &str = "block-new-sharing";

pub const CONTROL: Control<AccountDefaults> = Control {
    meta: Meta {
        id: "ec2-image-block-public-access",
        title: "No image can become public",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &["EC2 User Guide: block public access to your AMIs"],
        calls: &["DisableImageBlockPublicAccess", "EnableImageBlockPublicAccess"],
    },
    reads: &[AccountDefaultsFact::ImageBlock],
    changes: &[AccountDefaultsFact::ImageBlock],
    judge: &judge,
};

/// So long AWS goes on answering what was so before a call.
const LAG: SignedDuration = SignedDuration::from_mins(10);

/// Whether the block is on, as far as AWS's answer can be trusted: after a call it is what the call set.
fn is_blocked(defaults: &AccountDefaults, context: &JudgeContext<'_>) -> bool {
    let [disabled, enabled] = IMAGE_BLOCK_CALLS.map(|call| context.history.calls.get(call).map(|call| call.made));
    let lately = disabled
        .max(enabled)
        .filter(|made| context.now.duration_since(*made) < LAG);
    match lately {
        Some(_) => enabled > disabled,
        None => defaults.image_block.get().is_some_and(|block| block == BLOCKED),
    }
}

fn judge(defaults: &AccountDefaults, context: &JudgeContext<'_>) -> Judgement<AccountDefaultsChange> {
    if defaults.image_block.is_unread() {
        return Judgement::NotApplicable(NOT_OFFERED.into());
    }
    if is_blocked(defaults, context) {
        return Judgement::Compliant;
    }
    let summary = Clause::does_not("block public sharing of images");
    let remedy = AccountDefaultsChange::ImageBlock(BLOCKED.into());
    let finding = Finding::new(
        Severity::High,
        summary,
        "block new public sharing of images",
        vec![remedy],
    );
    match decided_elsewhere(&defaults.image_block_by) {
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
    fn what_is_unblocked_is_blocked() {
        for (block, fine) in [
            (Observed::Is(BLOCKED.to_owned()), true),
            (Observed::Is("unblocked".to_owned()), false),
            (Observed::Absent, false),
        ] {
            let state = AccountDefaults {
                image_block: block,
                ..AccountDefaults::default()
            };
            let found = with_settings(&Settings::default(), |context| judge(&state, context).finding());
            assert_eq!(found.is_none(), fine);
        }
    }
}
