//! # What it requires
//! A snapshot is encrypted, and with a key of the kind that the classification of its data asks for: an AWS-managed one, one that the
//! customer manages, or the very one that settings name.
//!
//! # Why
//! Only an unencrypted snapshot can be made public, and its volumes are unencrypted unless their creator says otherwise. One that is
//! encrypted with the AWS-managed key can be read by whoever may in the account, whatever a key's policy says.
//!
//! # What it changes
//! Nothing: a snapshot can't be encrypted, or get another key, in place. A person makes an encrypted copy (`aws ec2 copy-snapshot
//! --encrypted`, with `--kms-key-id` where the data need a particular key) and deletes the original when nobody needs it.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EBS User Guide, "Amazon EBS encryption"; Config ec2-ebs-snapshot-encrypted.

use portcullis_controls::encryption::{and_need, severity_of_plain, wrong_key};
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::encryption::copied;
use crate::snapshot::{Snapshot, SnapshotChange, SnapshotFact};

pub const CONTROL: Control<Snapshot> = Control {
    meta: Meta {
        id: "ec2-snapshot-encrypted",
        title: "Snapshots are encrypted with a key of the right kind",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["EBS User Guide: Amazon EBS encryption"],
        calls: &[
            "CopySnapshot",
            "CreateSnapshot",
            "CreateSnapshots",
            "CreateTags",
            "DeleteTags",
            "RestoreSnapshotFromRecycleBin",
        ],
    },
    reads: &[SnapshotFact::Description, SnapshotFact::Key],
    changes: &[],
    judge: &judge,
};

fn judge(snapshot: &Snapshot, context: &JudgeContext<'_>) -> Judgement<SnapshotChange> {
    let found = |severity, what: Clause, why: &str| -> Judgement<SnapshotChange> {
        let change = format!("make an encrypted copy: aws ec2 copy-snapshot {}", copied(context));
        Finding::new(severity, what, change, Vec::new()).only_notify(why).into()
    };
    if snapshot.encrypted.get() == Some(&false) {
        let of = snapshot.volume.get();
        let of = of.map_or_else(String::new, |volume| format!(", as is {volume}"));
        let what = Clause::is(format!("not encrypted{of}{}", and_need(context)));
        return found(
            severity_of_plain(context),
            what,
            "AWS can't encrypt a snapshot in place",
        );
    }
    let manager = snapshot.manager.get().copied();
    let wrong = snapshot.key.get().and_then(|key| wrong_key(key, manager, context));
    wrong.map_or(Judgement::Compliant, |is| {
        let what = Clause::is(format!("encrypted with {is}{}", and_need(context)));
        found(Severity::Medium, what, "AWS can't give a snapshot another key in place")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portcullis_controls::encryption::Manager;
    use portcullis_controls::sharing::{Sharing, SharingChange};
    use portcullis_core::settings::Encryption;
    use portcullis_core::{Observed, Settings, State as _};

    use super::*;
    use crate::controls::SNAPSHOT;
    use crate::encryption::tests::{KEY, asking};
    use crate::security_group::tests::with_settings;

    fn shared(everybody: bool, accounts: &[&str]) -> Snapshot {
        Snapshot {
            encrypted: Observed::Is(false),
            sharing: Observed::Is(Sharing {
                everybody,
                with: accounts.iter().map(|&account| account.to_owned()).collect(),
            }),
            ..Snapshot::default()
        }
    }

    #[test]
    fn each_control_changes_its_own_and_can_be_undone() {
        let mut settings = Settings::default();
        settings.trusted.accounts.push("444455556666".into());
        let before = shared(true, &["444455556666", "777788889999"]);
        let all: Vec<_> = with_settings(&settings, |context| {
            SNAPSHOT
                .iter()
                .map(|control| (control.judge)(&before, context).finding().unwrap().remedies)
                .collect()
        });
        assert_eq!(all[0], [SnapshotChange(SharingChange::Everybody(false))]);
        assert_eq!(
            all[1],
            [SnapshotChange(SharingChange::Unshare(BTreeSet::from([
                "777788889999".to_owned()
            ])))]
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
        fine.encrypted = Observed::Is(true);
        with_settings(&Settings::default(), |context| {
            assert!(
                SNAPSHOT
                    .iter()
                    .all(|control| (control.judge)(&fine, context) == Judgement::Compliant)
            );
        });
    }

    #[test]
    fn the_level_says_which_key_is_enough_and_the_finding_says_which_that_is() {
        let found = |key: Option<Manager>, asked: Encryption, named: Option<&str>| {
            let snapshot = Snapshot {
                encrypted: Observed::Is(key.is_some()),
                key: Observed::from(key.map(|_| KEY.to_owned())),
                manager: Observed::from(key),
                ..Snapshot::default()
            };
            let settings = asking(asked, named);
            let finding = with_settings(&settings, |context| judge(&snapshot, context).finding())?;
            assert!(finding.remedies.is_empty() && finding.only_notify.is_some());
            Some((finding.severity, finding.summary.is, finding.change))
        };
        let (aws, own) = (Some(Manager::Aws), Some(Manager::Customer));
        let (severity, summary, _) = found(None, Encryption::Any, None).unwrap();
        assert_eq!((severity, summary.as_str()), (Severity::Medium, "is not encrypted"));
        let (severity, summary, change) = found(None, Encryption::CustomerManagedKey, Some(KEY)).unwrap();
        assert_eq!(severity, Severity::High);
        assert!(
            summary.contains(&format!("data of the level internal need {KEY}")),
            "{summary}"
        );
        assert!(change.ends_with(&format!("--kms-key-id {KEY}")), "{change}");
        assert_eq!(found(aws, Encryption::AwsManagedKey, None), None);
        let (severity, summary, _) = found(aws, Encryption::CustomerManagedKey, None).unwrap();
        assert_eq!(severity, Severity::Medium);
        let expected =
            "is encrypted with the AWS-managed key, and data of the level internal need a key of the customer's";
        assert_eq!(summary, expected);
        assert_eq!(found(own, Encryption::CustomerManagedKey, None), None);
        let other = KEY.replace("1234abcd", "4321abcd");
        let (_, summary, _) = found(own, Encryption::CustomerManagedKey, Some(&other)).unwrap();
        assert!(summary.contains(&format!("is encrypted with {KEY}")), "{summary}");
    }
}
