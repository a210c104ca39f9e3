//! # What it requires
//! All four flags of the account's public access block are on.
//!
//! # Why
//! It protects all buckets and access points of the account at once, those of tomorrow included.
//!
//! # What it changes
//! `PutPublicAccessBlock` of S3 Control with all four flags. It takes minutes to reach all regions.
//!
//! # What may break
//! Every bucket that is public on purpose. Look at them first: notify by default.
//!
//! # References
//! S3 User Guide, "Configuring block public access settings for your account".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::PublicAccessBlock;
use crate::account::{Account, AccountChange, AccountFact};

pub const CONTROL: Control<Account> = Control {
    meta: Meta {
        id: "s3-account-public-access-block",
        title: "The account blocks public access to S3",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &[
            "Security Hub S3.1",
            "CIS AWS Foundations Benchmark v3.0.0 2.1.4",
            "Config s3-account-level-public-access-blocks-periodic",
        ],
        calls: &["PutAccountPublicAccessBlock", "DeleteAccountPublicAccessBlock"],
    },
    reads: &[AccountFact::PublicAccessBlock],
    changes: &[AccountFact::PublicAccessBlock],
    judge: &judge,
};

fn judge(account: &Account, _: &JudgeContext<'_>) -> Judgement<AccountChange> {
    let block = account.public_access_block.get().copied().unwrap_or_default();
    if block == PublicAccessBlock::FULL {
        return Judgement::Compliant;
    }
    let summary = Clause::has(format!("holes: {} off for the whole account", block.off().join(", ")));
    let remedy = AccountChange::PublicAccessBlock(Some(PublicAccessBlock::FULL));
    Finding::new(
        Severity::High,
        summary,
        "turn on all four flags for the account",
        vec![remedy],
    )
    .into()
}
