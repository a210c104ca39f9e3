//! # What it requires
//! The region blocks new public sharing of images (AMIs).
//!
//! # Why
//! A public image is a disk for everybody. The block is on by default for accounts without public images since October 2023,
//! and can be turned off by one call.
//!
//! # What it changes
//! `EnableImageBlockPublicAccess` with `block-new-sharing`, the only block that there is. It takes up to ten minutes to apply;
//! images that are public already stay so.
//!
//! # What may break
//! Publishing images, where somebody does that on purpose.
//!
//! # References
//! EC2 User Guide, "Block public access to your AMIs".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::account_defaults::{AccountDefaults, AccountDefaultsChange, AccountDefaultsFact};

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

fn judge(defaults: &AccountDefaults, _: &JudgeContext<'_>) -> Judgement<AccountDefaultsChange> {
    if defaults.image_block.get().is_some_and(|block| block == BLOCKED) {
        return Judgement::Compliant;
    }
    let summary = Clause::does_not("block public sharing of images");
    let remedy = AccountDefaultsChange::ImageBlock(BLOCKED.into());
    Finding::new(
        Severity::High,
        summary,
        "block new public sharing of images",
        vec![remedy],
    )
    .into()
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
