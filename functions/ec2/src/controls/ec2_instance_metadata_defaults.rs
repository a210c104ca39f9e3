//! # What it requires
//! New instances of the region ask for a token at their metadata service (IMDSv2).
//!
//! # Why
//! Without a token, whoever makes a server fetch a URL (SSRF) can have its role's credentials.
//!
//! # What it changes
//! Nothing: it is told. A person sets it with `aws ec2 modify-instance-metadata-defaults --http-tokens required`.
//!
//! # What may break
//! Software with an SDK of before 2019 that knows only IMDSv1; look at the metric `MetadataNoToken` first.
//!
//! # References
//! EC2 User Guide, "Configure instance metadata options for new instances"; Security Hub EC2.8.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::account_defaults::{
    AccountDefaults, AccountDefaultsChange, AccountDefaultsFact, NOT_OFFERED, decided_elsewhere,
};

pub const CONTROL: Control<AccountDefaults> = Control {
    meta: Meta {
        id: "ec2-instance-metadata-defaults",
        title: "New instances require IMDSv2",
        severity: Severity::Medium,
        impact: Impact::Availability,
        default: Switch::Notify,
        standards: &["Security Hub EC2.8", "CIS AWS Foundations Benchmark v3.0.0 5.6"],
        calls: &["ModifyInstanceMetadataDefaults"],
    },
    reads: &[AccountDefaultsFact::MetadataTokens],
    changes: &[],
    judge: &judge,
};

fn judge(defaults: &AccountDefaults, _: &JudgeContext<'_>) -> Judgement<AccountDefaultsChange> {
    let tokens = defaults.metadata_tokens.get().map(String::as_str);
    if defaults.metadata_tokens.is_unread() {
        return Judgement::NotApplicable(NOT_OFFERED.into());
    }
    if tokens == Some("required") {
        return Judgement::Compliant;
    }
    let summary = match tokens {
        Some(other) => {
            Clause::new("lets", "let").followed_by(format!(" new instances answer without a token: IMDSv2 is {other}"))
        }
        None => Clause::has("no default for IMDSv2"),
    };
    let change = "aws ec2 modify-instance-metadata-defaults --http-tokens required";
    if let Some(why) = decided_elsewhere(&defaults.metadata_by) {
        return Finding::new(Severity::Medium, summary, "", Vec::new())
            .only_notify(why)
            .into();
    }
    Finding::new(Severity::Medium, summary, change, Vec::new())
        .only_notify("software that knows only IMDSv1 would fail on new instances: a person has to look first")
        .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings};

    use super::*;
    use crate::security_group::tests::with_settings;

    #[test]
    fn only_required_is_enough() {
        for (tokens, fine) in [
            (Observed::Is("required".to_owned()), true),
            (Observed::Is("optional".to_owned()), false),
            (Observed::Absent, false),
        ] {
            let state = AccountDefaults {
                metadata_tokens: tokens,
                ..AccountDefaults::default()
            };
            let found = with_settings(&Settings::default(), |context| judge(&state, context).finding());
            assert_eq!(found.is_none(), fine);
            assert!(found.is_none_or(|found| found.only_notify.is_some()));
        }
    }
}
