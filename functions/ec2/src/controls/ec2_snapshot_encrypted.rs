//! # What it requires
//! A snapshot is encrypted.
//!
//! # Why
//! Only an unencrypted snapshot can be made public, and its volumes are unencrypted unless their creator says otherwise.
//!
//! # What it changes
//! Nothing: a snapshot can't be encrypted in place. A person makes an encrypted copy (`aws ec2 copy-snapshot --encrypted`) and
//! deletes the original when nobody needs it.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EBS User Guide, "Amazon EBS encryption"; Config ec2-ebs-snapshot-encrypted.

use portcullis_core::settings::Switch;
use portcullis_core::{Control, Finding, Impact, Judgement, Meta, Scope, Severity};

use crate::snapshot::{Fact, Remedy, Snapshot, State};

pub const CONTROL: Control<Snapshot> = Control {
    meta: Meta {
        id: "ec2-snapshot-encrypted",
        title: "Snapshots are encrypted",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["EBS User Guide: Amazon EBS encryption"],
        calls: &["CopySnapshot", "CreateSnapshot", "CreateSnapshots"],
        writes: &[],
    },
    facts: &[Fact::Description],
    judge,
};

fn judge(snapshot: &State, _: &Scope<'_>) -> Judgement<Remedy> {
    if snapshot.encrypted.get() != Some(&false) {
        return Judgement::Compliant;
    }
    let of = snapshot
        .volume
        .get()
        .map(|volume| format!(", as is {volume}"))
        .unwrap_or_default();
    Finding::new(
        Severity::Medium,
        format!("is not encrypted{of}"),
        "make an encrypted copy: aws ec2 copy-snapshot --encrypted",
        Vec::new(),
    )
    .only_notify("AWS can't encrypt a snapshot in place")
    .into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portcullis_core::{Seen, Settings, State as _};

    use super::*;
    use crate::controls::SNAPSHOT;
    use crate::security_group::tests::with_settings;
    use crate::sharing::{Change, Sharing};

    fn shared(everybody: bool, accounts: &[&str]) -> State {
        State {
            encrypted: Seen::Is(false),
            sharing: Seen::Is(Sharing {
                everybody,
                with: accounts.iter().map(|&account| account.to_owned()).collect(),
            }),
            ..State::default()
        }
    }

    #[test]
    fn each_control_changes_its_own_and_can_be_undone() {
        let mut settings = Settings::default();
        settings.trusted.accounts.push("444455556666".into());
        let before = shared(true, &["444455556666", "777788889999"]);
        let all: Vec<_> = with_settings(&settings, |scope| {
            SNAPSHOT
                .iter()
                .map(|control| (control.judge)(&before, scope).finding().unwrap().remedies)
                .collect()
        });
        assert_eq!(all[0], [Remedy(Change::Everybody(false))]);
        assert_eq!(
            all[1],
            [Remedy(Change::Unshare(BTreeSet::from(["777788889999".to_owned()])))]
        );
        assert!(all[2].is_empty());
        let remedies: Vec<_> = all.into_iter().flatten().collect();
        let after = remedies
            .iter()
            .fold(before.clone(), |state, remedy| state.after(remedy));
        assert_eq!(after, shared(false, &["444455556666"]));
        let back = remedies
            .iter()
            .fold(after, |state, remedy| state.after(&before.inverse(remedy).unwrap()));
        assert_eq!(back, before);
    }

    #[test]
    fn what_is_fine_is_left() {
        let mut fine = shared(false, &["111122223333"]);
        fine.encrypted = Seen::Is(true);
        with_settings(&Settings::default(), |scope| {
            assert!(
                SNAPSHOT
                    .iter()
                    .all(|control| (control.judge)(&fine, scope) == Judgement::Compliant)
            );
        });
    }
}
