//! # What it requires
//! An instance that has a metadata service asks for a token there (IMDSv2).
//!
//! # Why
//! Without, one request that software on the instance can be talked into (SSRF) yields the credentials of its role.
//!
//! # What it changes
//! `ModifyInstanceMetadataOptions` with `HttpTokens=required`; the instance runs on. The rest of its options stays.
//!
//! # What may break
//! Software on the instance whose SDK is from before 2019 and knows only IMDSv1: it gets no credentials any more. Look at the
//! metric `MetadataNoToken` first. Containers may need a hop limit of 2.
//!
//! # References
//! EC2 User Guide, "Use the Instance Metadata Service to access instance metadata"; Security Hub EC2.8; CIS AWS Foundations
//! Benchmark v3.0.0 5.6.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::instance::{Instance, InstanceChange, InstanceFact, Tokens};

pub const CONTROL: Control<Instance> = Control {
    meta: Meta {
        id: "ec2-instance-imdsv2",
        title: "Instances require IMDSv2",
        severity: Severity::High,
        impact: Impact::Availability,
        default: Switch::Enforce,
        standards: &[
            "Security Hub EC2.8",
            "CIS AWS Foundations Benchmark v3.0.0 5.6",
            "Config ec2-imdsv2-check",
        ],
        calls: &[
            "CreateTags",
            "DeleteTags",
            "ModifyInstanceMetadataOptions",
            "RunInstances",
        ],
    },
    reads: &[InstanceFact::Description],
    changes: &[InstanceFact::Tokens],
    judge: &judge,
};

fn judge(instance: &Instance, _: &JudgeContext<'_>) -> Judgement<InstanceChange> {
    if instance.tokens.get() != Some(&Tokens::Optional) {
        return Judgement::Compliant;
    }
    Finding::new(
        Severity::High,
        Clause::new(
            "hands out metadata, and the credentials of its role, without a token: IMDSv1 works",
            "handed out metadata, and the credentials of its role, without a token: IMDSv1 worked",
        )
        .followed_by(instance.scaled()),
        "require tokens at its metadata service",
        vec![InstanceChange::Tokens(Tokens::Required)],
    )
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings, State as _};

    use super::*;
    use crate::security_group::tests::with_settings;

    #[test]
    fn a_token_is_required_where_there_are_metadata() {
        let remedies = |tokens| {
            let instance = Instance {
                tokens,
                ..Instance::default()
            };
            with_settings(&Settings::default(), |context| judge(&instance, context).finding())
                .map(|finding| (finding.remedies.clone(), instance.inverse(&finding.remedies[0])))
        };
        let required = vec![InstanceChange::Tokens(Tokens::Required)];
        let optional = Some(InstanceChange::Tokens(Tokens::Optional));
        assert_eq!(remedies(Observed::Is(Tokens::Optional)), Some((required, optional)));
        assert_eq!(remedies(Observed::Is(Tokens::Required)), None);
        assert_eq!(remedies(Observed::Absent), None);
    }
}
