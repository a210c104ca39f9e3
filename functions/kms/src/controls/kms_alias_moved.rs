//! # What it requires
//! Each alias that settings name (`kms.required-aliases`) stands for the key that they say.
//!
//! # Why
//! Applications name keys by alias. Moved to another key, the same name encrypts new data under a key that somebody else may
//! hold, and what was encrypted before can't be found by it; deleted, everything that uses it stops.
//!
//! # What it changes
//! `UpdateAlias`, or `CreateAlias` where it is gone, where it is set to enforce. Notify by default: a key that is replaced
//! on purpose moves its alias too.
//!
//! # What may break
//! Whoever moved the alias on purpose: change the settings first.
//!
//! # References
//! KMS Developer Guide, "Aliases in AWS KMS".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::alias::{Alias, AliasChange, AliasFact};
use crate::settings::KmsSettings;

pub const CONTROL: Control<Alias> = Control {
    meta: Meta {
        id: "kms-alias-moved",
        title: "An alias that settings name stands for its key",
        severity: Severity::High,
        impact: Impact::Availability,
        default: Switch::Notify,
        standards: &["KMS Developer Guide: aliases"],
        calls: &["CreateAlias", "DeleteAlias", "UpdateAlias"],
    },
    reads: &[AliasFact::Target],
    changes: &[AliasFact::Target],
    judge: &judge,
};

fn judge(alias: &Alias, context: &JudgeContext<'_>) -> Judgement<AliasChange> {
    let settings = context.settings.section::<KmsSettings>();
    let Some(wanted) = settings.required_aliases.get(&context.resource.id) else {
        return Judgement::Compliant;
    };
    let summary = match alias.target.get() {
        Some(target) if target == wanted => return Judgement::Compliant,
        Some(target) => {
            Clause::new("stands", "stood").followed_by(format!(" for another key: for {target}, not for {wanted}"))
        }
        None => Clause::is(format!("gone: it has to stand for {wanted}")),
    };
    let change = format!("let it stand for {wanted}");
    let remedies = vec![AliasChange::SetAlias(Some(wanted.clone()))];
    Finding::new(Severity::High, summary, change, remedies).into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::{History, Observed, Settings};

    use super::*;
    use crate::naming::resource;

    #[test]
    fn only_required_aliases_are_judged() {
        let mut settings = Settings::default();
        settings.set(KmsSettings {
            required_aliases: [("alias/app".into(), "k-1".into())].into(),
            ..KmsSettings::default()
        });
        let judged = |name: &str, target: Observed<String>| {
            let context = JudgeContext {
                resource: &resource(name, "eu-west-1", "111122223333"),
                settings: &settings,
                level: &settings.classification.levels["internal"],
                level_name: "internal",
                own_role: "",
                own_topic: "",
                region: "eu-west-1",
                now: jiff::Timestamp::UNIX_EPOCH,
                history: &History::default(),
            };
            judge(&Alias { target }, &context)
                .finding()
                .map(|finding| finding.remedies)
        };
        let back = Some(vec![AliasChange::SetAlias(Some("k-1".into()))]);
        assert_eq!(judged("alias/app", Observed::Is("k-1".into())), None);
        assert_eq!(judged("alias/app", Observed::Is("k-2".into())), back);
        assert_eq!(judged("alias/app", Observed::Absent), back);
        assert_eq!(judged("alias/other", Observed::Absent), None);
    }
}
