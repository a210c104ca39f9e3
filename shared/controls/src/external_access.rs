//! Policies and lists that let in somebody whom settings do not trust.

use portcullis_access::{Goal, Verdict};
use portcullis_core::{Clause, Finding, Judgement, Severity};

use crate::analysis::Analysis;
use crate::cure::Cure;
use crate::resource_policy::ResourcePolicy;

/// Judges whether a policy lets in trusted accounts only. `cure` gives the policy that does; `change` writes it. Whom it lets in
/// because it is public is the business of [`public_policy`](crate::public_policy), and so is a policy that can't be read.
pub fn external_access<P, C>(
    policy: ResourcePolicy<'_>,
    cure: impl FnOnce(&Analysis<'_>, Goal) -> Cure<P>,
    change: impl FnOnce(P) -> C,
) -> Judgement<C> {
    Outsiders::of(policy, cure, change).map_or(Judgement::Compliant, |outsiders| outsiders.finding().into())
}

/// Those outside of trust who are let in, and what would keep them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outsiders<C> {
    /// Who, and by what.
    pub reasons: Vec<String>,
    /// What the remedies do, in the imperative; empty where there are none.
    pub change: String,
    /// What keeps them out.
    pub remedies: Vec<C>,
    /// Why a person has to do it, if so.
    pub only_notify: Option<String>,
}

impl<C> Outsiders<C> {
    /// Those whom a policy lets in, if any.
    pub fn of<P>(
        policy: ResourcePolicy<'_>,
        cure: impl FnOnce(&Analysis<'_>, Goal) -> Cure<P>,
        change: impl FnOnce(P) -> C,
    ) -> Option<Self> {
        let analysis = policy.analyse()?.ok()?;
        let reasons: Vec<_> = analysis
            .reasons(Verdict::External)
            .into_iter()
            .map(Into::into)
            .collect();
        if reasons.is_empty() {
            return None;
        }
        let cure = match analysis.verdict() {
            // The fix would take the public statements as well, which another control answers for.
            Verdict::Public => Cure::Nothing("it is public as well: put that right first".into()),
            _ => cure(&analysis, Goal::Private),
        };
        let (change, remedies, only_notify) = match cure {
            Cure::Write(policy, told) => (told, vec![change(policy)], None),
            Cure::Nothing(why) => (String::new(), Vec::new(), Some(why)),
        };
        Some(Self {
            reasons,
            change,
            remedies,
            only_notify,
        })
    }

    /// These and others of the same resource: none are kept out by themselves where some need a person.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        let changes = [self.change, others.change];
        let changes: Vec<_> = changes.into_iter().filter(|change| !change.is_empty()).collect();
        Self {
            reasons: [self.reasons, others.reasons].concat(),
            change: changes.join("; "),
            remedies: self.remedies.into_iter().chain(others.remedies).collect(),
            only_notify: self.only_notify.or(others.only_notify),
        }
    }

    /// The finding that tells it.
    pub fn finding(self) -> Finding<C> {
        let summary = Clause::new("lets", "let")
            .followed_by(format!(" in somebody outside of trust: {}", self.reasons.join("; ")));
        Finding {
            only_notify: self.only_notify,
            ..Finding::new(Severity::High, summary, self.change, self.remedies)
        }
    }
}
