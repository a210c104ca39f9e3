//! # What it requires
//! The file system's policy lets in everybody only through its mount targets.
//!
//! # Why
//! An open statement lets in clients of any account that find a way in, such as over a peered network or from a container service, and
//! gives everybody what else it grants, such as backups.
//!
//! # What it changes
//! `PutFileSystemPolicy` with the same policy, in which the open statement asks for `elasticfilesystem:AccessedViaMountTarget`: clients
//! of a mount target, who need no identity, still mount. Where that is not enough, the public principal goes, or the statement. All
//! other statements stay byte for byte, and the policy stays: without one, EFS falls back on its default, which is open to whoever
//! reaches a mount target. It takes effect within minutes.
//!
//! # What may break
//! Clients that came in by the public statement without a mount target.
//!
//! # References
//! EFS User Guide, "Blocking public access to EFS file systems", "Default EFS file system policy".

use portcullis_controls::prelude::*;
use portcullis_controls::{Analysis, by_its_policy, public_policy_rated};

use crate::file_system::{FileSystem, FileSystemChange, FileSystemFact};

pub const CONTROL: Control<FileSystem> = Control {
    meta: Meta {
        id: "efs-file-system-public-policy",
        title: "A file system's policy is not public",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["EFS User Guide: Blocking public access to EFS file systems"],
        calls: &["PutFileSystemPolicy"],
    },
    reads: &[FileSystemFact::Policy],
    changes: &[FileSystemFact::Policy],
    judge: &|found, context| {
        // Whoever gets in still has to reach its network.
        let rate = |analysis: &Analysis<'_>| Some((Severity::High, by_its_policy(analysis)));
        public_policy_rated(found.policy_in(context), rate, smallest_cure, FileSystemChange::Policy)
    },
};

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings};
    use serde_json::{Value, json};

    use super::*;
    use crate::file_system::CLIENT_ACTIONS;
    use crate::file_system::tests::{ARN, judged, with_policy};

    fn open() -> Value {
        json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": CLIENT_ACTIONS, "Resource": ARN})
    }

    #[test]
    fn clients_of_a_mount_target_still_mount() {
        let role = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/backup"},
            "Action": "elasticfilesystem:ClientMount", "Resource": ARN});
        let found = judged(&CONTROL, &with_policy(&[open(), role.clone()]), &Settings::default());
        let found = found.finding().unwrap();
        assert_eq!(found.severity, Severity::High);
        let mut narrowed = open();
        narrowed["Condition"] = json!({"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}});
        let expected = with_policy(&[narrowed.clone(), role]);
        let Observed::Is(expected) = expected.policy else {
            panic!()
        };
        assert_eq!(found.remedies, [FileSystemChange::Policy(Some(expected))]);
        let closed = judged(&CONTROL, &with_policy(&[narrowed]), &Settings::default());
        assert_eq!(closed, Judgement::Compliant);
    }

    #[test]
    fn the_default_policy_is_not_public() {
        let none = FileSystem {
            policy: Observed::Absent,
            ..FileSystem::default()
        };
        assert_eq!(judged(&CONTROL, &none, &Settings::default()), Judgement::Compliant);
    }
}
