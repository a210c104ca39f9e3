//! # What it requires
//! Neither the default version of a launch template nor its latest gives a network interface a public IPv4 address, or an IPv6
//! address: those are global.
//!
//! # Why
//! Every instance that is launched from it can be found by the internet, and only its security groups stand in between.
//!
//! # What it changes
//! Nothing: a new version is a decision about a product, and some instances are meant to be reached. Exempt their templates.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EC2 User Guide, "Assign a public IPv4 address at launch"; VPC User Guide, "IP addressing for your VPCs and subnets"; Security Hub EC2.25.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::launch_template::{LaunchTemplate, LaunchTemplateChange, LaunchTemplateFact};

pub const CONTROL: Control<LaunchTemplate> = Control {
    meta: Meta {
        id: "ec2-launch-template-public-address",
        title: "No launch template gives public addresses",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub EC2.25", "Config ec2-launch-template-public-ip-disabled"],
        calls: &[
            "CreateLaunchTemplate",
            "CreateLaunchTemplateVersion",
            "CreateTags",
            "DeleteTags",
            "ModifyLaunchTemplate",
        ],
    },
    reads: &[LaunchTemplateFact::Versions],
    changes: &[],
    judge: &judge,
};

fn judge(template: &LaunchTemplate, context: &JudgeContext<'_>) -> Judgement<LaunchTemplateChange> {
    let Some(which) = template.versions_that(|version| version.public || version.ipv6) else {
        return Judgement::Compliant;
    };
    if context.level.public {
        return Judgement::Compliant;
    }
    Finding::new(
        Severity::High,
        Clause::new("gives", "gave").followed_by(format!(" its instances public addresses in {which}")),
        "make a version without AssociatePublicIpAddress and without IPv6 addresses, and set it as the default",
        Vec::new(),
    )
    .only_notify("a new version is a decision about a product")
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings};

    use super::*;
    use crate::controls::LAUNCH_TEMPLATE;
    use crate::instance::Tokens;
    use crate::launch_template::Version;
    use crate::security_group::tests::with_settings;

    #[test]
    fn each_control_sees_its_own_in_the_versions_that_count_and_changes_nothing() {
        let fine = Version {
            tokens: Some(Tokens::Required),
            ..Version::default()
        };
        let plain = Version {
            plain: ["/dev/xvda".to_owned()].into(),
            ..fine.clone()
        };
        let old = Version {
            tokens: Some(Tokens::Optional),
            ..fine.clone()
        };
        let public = Version {
            public: true,
            ..fine.clone()
        };
        let found = |version: &Version| -> Vec<String> {
            let template = LaunchTemplate {
                versions: Observed::Is([(3, fine.clone()), (7, version.clone())].into()),
                ..LaunchTemplate::default()
            };
            with_settings(&Settings::default(), |context| {
                let findings = LAUNCH_TEMPLATE
                    .iter()
                    .filter_map(|control| (control.judge)(&template, context).finding());
                findings
                    .inspect(|finding| assert!(finding.remedies.is_empty() && finding.only_notify.is_some()))
                    .map(|finding| finding.summary.is)
                    .collect()
            })
        };
        assert_eq!(found(&fine), [""; 0]);
        assert_eq!(found(&Version::default()), [""; 0]);
        assert_eq!(found(&plain), ["asks for unencrypted volumes in version 7: /dev/xvda"]);
        assert_eq!(found(&old), ["allows IMDSv1 in version 7"]);
        assert_eq!(found(&public), ["gives its instances public addresses in version 7"]);
    }
}
