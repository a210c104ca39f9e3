//! # What it requires
//! The file system is encrypted at rest, with a key of the kind that the classification of its data asks for.
//!
//! # Why
//! Whether a file system is encrypted, and with which key, is decided when it is made, by whoever made it.
//!
//! # What it changes
//! Nothing: AWS can't encrypt a file system in place, nor change its key. Until it is replaced, `efs-file-system-quarantine` keeps clients
//! out of it, where the level of its data or settings ask for that.
//!
//! To replace it with AWS's own tools: `aws efs create-file-system --encrypted --kms-key-id KEY`; then either `aws efs
//! create-replication-configuration --source-file-system-id OLD --destinations FileSystemId=NEW` and, once it has caught up, `aws efs
//! delete-replication-configuration`, or a task of AWS `DataSync` between the two. Mount targets, access points, policy and lifecycle
//! configuration are made anew; clients mount the new one.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EFS User Guide, "Encrypting data at rest", "Replicating EFS file systems"; Security Hub EFS.1, EFS.8; Config efs-encrypted-check,
//! efs-filesystem-ct-encrypted.

use portcullis_controls::encryption::{and_need, wrong_key};
use portcullis_controls::prelude::*;
use portcullis_core::{JudgeContext, Observed};

use crate::file_system::{FileSystem, FileSystemChange, FileSystemFact};

pub const CONTROL: Control<FileSystem> = Control {
    meta: Meta {
        id: "efs-file-system-encrypted",
        title: "A file system is encrypted with a key of the kind that its data need",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &[
            "Security Hub EFS.1",
            "Security Hub EFS.8",
            "Config efs-encrypted-check",
            "Config efs-filesystem-ct-encrypted",
        ],
        calls: &[
            "CreateFileSystem",
            "CreateTags",
            "DeleteTags",
            "TagResource",
            "UntagResource",
        ],
    },
    reads: &[FileSystemFact::Encryption],
    changes: &[],
    judge: &judge,
};

fn judge(found: &FileSystem, context: &JudgeContext<'_>) -> Judgement<FileSystemChange> {
    let (severity, is) = match &found.key {
        Observed::Unread => return Judgement::Compliant,
        Observed::Absent => (severity_of_plain(context), "not encrypted".to_owned()),
        Observed::Is(key) => match wrong_key(&key.arn, Some(key.manager), context) {
            None => return Judgement::Compliant,
            Some(key) => (Severity::Medium, format!("encrypted with {key}")),
        },
    };
    Finding::new(
        severity,
        Clause::is(is).followed_by(and_need(context)),
        "make an encrypted one, copy what is in it by replication, and mount that",
        Vec::new(),
    )
    .only_notify("AWS can't encrypt a file system in place, nor change its key")
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_controls::encryption::{Key, Manager};
    use portcullis_core::Settings;
    use portcullis_core::settings::Encryption;

    use super::*;
    use crate::file_system::tests::judged;

    #[test]
    fn the_level_says_which_key_is_enough() {
        let found = |manager: Option<Manager>, asked: Encryption| {
            let mut settings = Settings::default();
            settings.classification.levels.get_mut("internal").unwrap().encryption = asked;
            let key = manager.map(|manager| Key {
                arn: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".into(),
                manager,
            });
            let found = FileSystem {
                key: key.into(),
                ..FileSystem::default()
            };
            let found = judged(&CONTROL, &found, &settings).finding();
            found.map(|finding| (finding.severity, finding.only_notify.is_some()))
        };
        assert_eq!(found(None, Encryption::Any), Some((Severity::Medium, true)));
        assert_eq!(found(None, Encryption::AwsManagedKey), Some((Severity::High, true)));
        assert_eq!(found(Some(Manager::Aws), Encryption::AwsManagedKey), None);
        let wrong = found(Some(Manager::Aws), Encryption::CustomerManagedKey);
        assert_eq!(wrong, Some((Severity::Medium, true)));
        assert_eq!(found(Some(Manager::Customer), Encryption::CustomerManagedKey), None);
    }
}
