//! What instances and clusters are judged by alike.

use std::collections::BTreeSet;

use portcullis_controls::encryption::severity_of_plain;
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Effect, Finding, JudgeContext, Judgement, Meta, Severity};

use crate::database::{Database, DatabaseChange, GROUPS, QUARANTINE, TAG, UNENCRYPTED, joined};
use crate::storage;

type Judged = Judgement<DatabaseChange>;

/// Why a member of a cluster is not asked what only its cluster has; none of one that is by itself.
pub fn is_its_cluster_s(database: &Database) -> Option<Judged> {
    let cluster = database.cluster.get()?;
    Some(Judgement::NotApplicable(format!(
        "it is a member of the cluster {cluster}, which has that"
    )))
}

/// Judges what a database is encrypted with; `how` says how a person makes another one, of the key that is given.
pub fn encrypted(database: &Database, context: &JudgeContext<'_>, how: impl FnOnce(&str) -> String) -> Judged {
    is_its_cluster_s(database).unwrap_or_else(|| {
        storage::judged(&database.encryption, context, |key| {
            format!(
                "{}; if a template has it, set the encryption there first: one that says unencrypted replaces the database",
                how(key)
            )
        })
    })
}

/// Whether it is not encrypted, and nobody says that it may be so: `cause` is the control of that.
fn is_plain(database: &Database, cause: &Meta, context: &JudgeContext<'_>) -> bool {
    let settings = context.settings;
    let exempt = || settings.exemption(cause.id, context.resource, database.tags.get(), context.now);
    database.encryption == portcullis_core::Observed::Absent
        && settings.switch(cause) != Switch::Off
        && exempt().is_none()
}

/// Judges whether one that is not encrypted has a tag that says so.
pub fn marked(database: &Database, cause: &Meta, context: &JudgeContext<'_>) -> Judged {
    if let Some(elsewhere) = is_its_cluster_s(database) {
        return elsewhere;
    }
    let has_tag = database.tags.get().is_none_or(|tags| tags.contains_key(TAG));
    if has_tag || !is_plain(database, cause, context) {
        return Judgement::Compliant;
    }
    Judgement::Violated(Finding {
        effect: Effect::Mark,
        ..Finding::new(
            Severity::Low,
            // The tag does not encrypt it.
            Clause::new(
                "is not encrypted, and nothing on it says so",
                "is not encrypted, and nothing on it said so",
            ),
            format!("tag it {TAG}={UNENCRYPTED}"),
            vec![DatabaseChange::Mark(Some(UNENCRYPTED.into()))],
        )
    })
}

/// Judges whether one that is not encrypted is cut off, where its data's level, or settings of `cause`, ask for that.
pub fn quarantined(database: &Database, cause: &Meta, context: &JudgeContext<'_>) -> Judged {
    if let Some(elsewhere) = is_its_cluster_s(database) {
        return elsewhere;
    }
    if !is_asked_for(cause, context) || !is_plain(database, cause, context) || database.is_cut_off() {
        return Judgement::Compliant;
    }
    let what = Clause::new(
        "is not encrypted, and in use like any other",
        "is not encrypted, and was in use like any other",
    );
    cut_off(database, severity_of_plain(context), what)
}

/// Whether one that violates `cause` is to be cut off.
pub fn is_asked_for(cause: &Meta, context: &JudgeContext<'_>) -> bool {
    context.level.quarantine || context.settings.quarantines(cause.id)
}

/// The finding of one that is to be cut off: with the swap of its security groups, or why there can be none.
pub fn cut_off(database: &Database, severity: Severity, what: Clause) -> Judged {
    if database.is_stopped() {
        return Judgement::NotApplicable("it is stopped: nobody reaches it".into());
    }
    let left = |why: &str| -> Judged {
        let change = "see that nobody reaches it";
        Finding::new(severity, what.clone(), change, Vec::new())
            .only_notify(why)
            .into()
    };
    if database.is_custom() {
        return left("AWS gives RDS Custom no other security groups");
    }
    let (Some(vpc), Some(groups)) = (database.vpc.get(), database.groups.get()) else {
        return left("it is in no VPC of this account, and has no security groups");
    };
    let kept: BTreeSet<_> = groups.iter().filter(|group| *group != QUARANTINE).cloned().collect();
    let swap = DatabaseChange::Groups {
        vpc: vpc.clone(),
        to: [QUARANTINE.to_owned()].into(),
        kept: Some(joined(&kept)),
    };
    let change = format!(
        "swap its security groups ({}) for {QUARANTINE}, which lets nothing in or out; the tag {GROUPS} keeps them",
        joined(&kept)
    );
    Judgement::Violated(Finding {
        effect: Effect::Quarantine,
        ..Finding::new(severity, what, change, vec![swap])
    })
}

/// Judges whether it is protected from being deleted by one call.
pub fn protected(database: &Database) -> Judged {
    if let Some(elsewhere) = is_its_cluster_s(database) {
        return elsewhere;
    }
    if database.deletion_protection.get() != Some(&false) {
        return Judgement::Compliant;
    }
    Finding::new(
        Severity::Low,
        Clause::is("deleted by one call: its deletion protection is off"),
        "turn on its deletion protection",
        vec![DatabaseChange::DeletionProtection(true)],
    )
    .into()
}

#[cfg(test)]
mod tests;
