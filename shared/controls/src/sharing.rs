//! Whom an owner shares a resource with: snapshots, images, documents.

use std::collections::BTreeSet;

use portcullis_access::{Share, judge_sharing};
use portcullis_core::{Clause, Finding, JudgeContext, Judgement, Observed, Severity};
use serde::{Deserialize, Serialize};

use crate::analysis::trust;

/// Who may use it, besides its owner. Source: EC2 API Reference, `CreateVolumePermission`, `LaunchPermission`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// The group `all`.
    pub everybody: bool,
    /// Ids of accounts; of images also the ARNs of organisations and of their units.
    pub with: BTreeSet<String>,
}

/// Whom it is no longer, or again, shared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharingChange {
    /// Whether it is shared with everybody.
    Everybody(bool),
    /// Those that it is no longer shared with.
    Unshare(BTreeSet<String>),
    /// Those that it is shared with again.
    Share(BTreeSet<String>),
}

impl Sharing {
    /// What it is after a change.
    pub fn change(&mut self, change: &SharingChange) {
        match change {
            SharingChange::Everybody(shared) => self.everybody = *shared,
            SharingChange::Unshare(those) => self.with.retain(|one| !those.contains(one)),
            SharingChange::Share(those) => self.with.extend(those.iter().cloned()),
        }
    }

    /// The change that brings this back.
    pub fn inverse(&self, change: &SharingChange) -> SharingChange {
        match change {
            SharingChange::Everybody(_) => SharingChange::Everybody(self.everybody),
            SharingChange::Unshare(those) => SharingChange::Share(those.intersection(&self.with).cloned().collect()),
            SharingChange::Share(those) => SharingChange::Unshare(those.difference(&self.with).cloned().collect()),
        }
    }

    /// Those that settings do not trust.
    pub fn strangers(&self, context: &JudgeContext<'_>) -> BTreeSet<String> {
        let shares: Vec<Share> = self.with.iter().map(|one| Share::parse(one)).collect();
        let found = judge_sharing(&shares, &context.resource.account, &trust(context.settings));
        let offends = |index: &usize| found.offending.iter().any(|(offending, _)| offending == index);
        let with = self.with.iter().enumerate();
        with.filter(|(index, _)| offends(index))
            .map(|(_, one)| one.clone())
            .collect()
    }
}

impl SharingChange {
    /// What AWS adds by it, and what it takes off: entries for everybody, or of each of those.
    pub fn entries<T>(&self, everybody: T, of: impl Fn(&String) -> T) -> (Option<Vec<T>>, Option<Vec<T>>) {
        match self {
            Self::Everybody(true) => (Some(vec![everybody]), None),
            Self::Everybody(false) => (None, Some(vec![everybody])),
            Self::Share(those) => (Some(those.iter().map(of).collect()), None),
            Self::Unshare(those) => (None, Some(those.iter().map(of).collect())),
        }
    }

    /// The same in calls of at most so many entries.
    pub fn parts(&self, most: usize) -> Vec<Self> {
        let chunks = |those: &BTreeSet<String>| -> Vec<BTreeSet<String>> {
            let all: Vec<_> = those.iter().cloned().collect();
            all.chunks(most).map(|part| part.iter().cloned().collect()).collect()
        };
        match self {
            Self::Everybody(_) => vec![self.clone()],
            Self::Unshare(those) => chunks(those).into_iter().map(Self::Unshare).collect(),
            Self::Share(those) => chunks(those).into_iter().map(Self::Share).collect(),
        }
    }

    /// What it replaces.
    pub fn target(&self) -> &'static str {
        match self {
            Self::Everybody(_) => "shared_with_everybody",
            Self::Unshare(_) | Self::Share(_) => "shared_with_others",
        }
    }
}

/// Judges whether it is shared with everybody, as data that are meant for everybody may be. `to` says what everybody may do with
/// it then, as in ` launch it`; `blocked_by`, what keeps that from taking effect, if anything does.
pub fn not_public<C>(
    sharing: &Observed<Sharing>,
    context: &JudgeContext<'_>,
    to: impl FnOnce() -> String,
    blocked_by: Option<&str>,
    change: impl FnOnce(SharingChange) -> C,
) -> Judgement<C> {
    if !sharing.get().is_some_and(|sharing| sharing.everybody) || context.level.public {
        return Judgement::Compliant;
    }
    if let Some(block) = blocked_by {
        let summary = Clause::is(format!(
            "marked as public, which {block} keeps from taking effect: whoever lifts that makes it public"
        ));
        let remedies = vec![change(SharingChange::Everybody(false))];
        return Finding::new(Severity::Low, summary, "stop sharing it with everybody", remedies).into();
    }
    Finding::new(
        Severity::Critical,
        Clause::new("is public: everybody may", "was public: everybody could").followed_by(to()),
        "stop sharing it with everybody",
        vec![change(SharingChange::Everybody(false))],
    )
    .into()
}

/// Judges whether it is shared only with those whom settings trust.
pub fn only_trusted<C>(
    sharing: &Observed<Sharing>,
    context: &JudgeContext<'_>,
    change: impl FnOnce(SharingChange) -> C,
) -> Judgement<C> {
    let strangers = sharing.get().map(|sharing| sharing.strangers(context));
    let strangers = strangers.unwrap_or_default();
    if strangers.is_empty() {
        return Judgement::Compliant;
    }
    let names = strangers.iter().cloned().collect::<Vec<_>>().join(", ");
    Finding::new(
        Severity::High,
        Clause::is(format!("shared with those that are not trusted: {names}")),
        format!("stop sharing it with {names}"),
        vec![change(SharingChange::Unshare(strangers))],
    )
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::Settings;
    use portcullis_core::testing::{judging, resource};

    use super::*;

    #[test]
    fn an_organisation_is_trusted_whole_and_a_unit_by_its_own_path() {
        let mut settings = Settings::default();
        settings.trusted.accounts.push("444455556666".into());
        settings.trusted.organizations.push("o-ours".into());
        settings
            .trusted
            .organization_paths
            .push("o-other/r-1/ou-wide/ou-partner/*".into());
        settings.trusted.organization_paths.push("o-third/*".into());
        let of = |path: &str| format!("arn:aws:organizations::999988887777:{path}");
        for (with, trusted) in [
            ("111122223333".to_owned(), true),
            ("444455556666".to_owned(), true),
            ("777788889999".to_owned(), false),
            (of("organization/o-ours"), true),
            (of("ou/o-ours/ou-any"), true),
            (of("organization/o-other"), false),
            (of("ou/o-other/ou-partner"), true),
            (of("ou/o-other/ou-wide"), false),
            (of("ou/o-else/ou-partner"), false),
            (of("organization/o-third"), true),
        ] {
            let sharing = Sharing {
                everybody: false,
                with: [with.clone()].into(),
            };
            let snapshot = resource("AWS::EC2::Snapshot", "arn:aws:ec2:eu-west-1::snapshot/snap-1");
            let strangers = judging(&snapshot, &settings, |context| sharing.strangers(context));
            assert_eq!(strangers.is_empty(), trusted, "{with}");
        }
    }
}
