//! # What it requires
//! The file system's policy refuses clients that don't use TLS.
//!
//! # Why
//! NFS without TLS goes over the network in the clear, and any machine between can read and change it.
//!
//! # What it changes
//! `PutFileSystemPolicy` with one more statement, `PortcullisTlsOnly`, which denies what clients do without TLS. The others stay byte for
//! byte. Where there was no policy, the new one also grants what EFS's default did, to clients of a mount target: a first policy takes
//! the place of the default one, and would lock all of them out otherwise. It is told by default.
//!
//! # What may break
//! Clients that mount without `-o tls`, such as plain NFS ones, lose the mount within minutes.
//!
//! # References
//! EFS User Guide, "Encrypting data in transit", "Default EFS file system policy".

use portcullis_access::{Policy, Statement};
use portcullis_controls::prelude::*;
use portcullis_core::JudgeContext;
use serde_json::Value;

use crate::file_system::{FileSystem, FileSystemChange, FileSystemFact, covers_clients, with_statement};

pub const CONTROL: Control<FileSystem> = Control {
    meta: Meta {
        id: "efs-file-system-tls-only",
        title: "A file system refuses clients without TLS",
        severity: Severity::Medium,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["EFS User Guide: Encrypting data in transit"],
        calls: &["CreateFileSystem", "DeleteFileSystemPolicy", "PutFileSystemPolicy"],
    },
    reads: &[FileSystemFact::Policy],
    changes: &[FileSystemFact::Policy],
    judge: &judge,
};

fn judge(found: &FileSystem, context: &JudgeContext<'_>) -> Judgement<FileSystemChange> {
    let policy = found.policy_in(context);
    let as_meant = policy.text.and_then(of_clients);
    let judged = ResourcePolicy {
        text: as_meant.as_deref().or(policy.text),
        ..policy
    };
    tls_only(
        judged,
        Severity::Medium,
        |deny| with_statement(policy, deny),
        FileSystemChange::Policy,
    )
}

/// The policy in which what denies all that clients do denies everything: nothing else goes without TLS. None where nothing does.
fn of_clients(text: &str) -> Option<String> {
    let mut policy = Policy::parse(text).ok()?;
    let read = |statement: &Statement| serde_json::from_str::<Value>(statement.text()).ok();
    for index in 0..policy.statements().len() {
        let mut statement = read(policy.statements().get(index)?)?;
        if statement["Effect"] == "Deny" && covers_clients(&statement) {
            statement["Action"] = "elasticfilesystem:*".into();
            policy = Policy::parse(&policy.with_replaced(index, &statement.to_string())).ok()?;
        }
    }
    Some(policy.text().to_owned())
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings};
    use serde_json::json;

    use super::*;
    use crate::file_system::CLIENT_ACTIONS;
    use crate::file_system::tests::{ARN, judged, with_policy};

    fn refused(actions: &Value) -> FileSystem {
        with_policy(&[
            json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": actions, "Resource": ARN,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
        ])
    }

    fn after(found: &FileSystem) -> FileSystem {
        let found = judged(&CONTROL, found, &Settings::default()).finding().unwrap();
        let [FileSystemChange::Policy(Some(policy))] = &found.remedies[..] else {
            panic!()
        };
        FileSystem {
            policy: Observed::Is(policy.clone()),
            ..FileSystem::default()
        }
    }

    #[test]
    fn what_denies_all_that_clients_do_is_enough() {
        for actions in [
            json!("*"),
            json!("elasticfilesystem:*"),
            json!("elasticfilesystem:Client*"),
            json!(CLIENT_ACTIONS),
        ] {
            let found = judged(&CONTROL, &refused(&actions), &Settings::default());
            assert_eq!(found, Judgement::Compliant, "{actions}");
        }
        let some = json!(["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]);
        assert_ne!(
            judged(&CONTROL, &refused(&some), &Settings::default()),
            Judgement::Compliant
        );
    }

    #[test]
    fn a_first_policy_still_lets_clients_of_a_mount_target_in_and_is_not_public() {
        let none = FileSystem {
            policy: Observed::Absent,
            ..FileSystem::default()
        };
        let settings = Settings::default();
        let first = after(&none);
        let text = first.policy.get().unwrap();
        assert!(
            text.contains("AccessedViaMountTarget") && text.contains("PortcullisTlsOnly"),
            "{text}"
        );
        assert_eq!(judged(&CONTROL, &first, &settings), Judgement::Compliant);
        let public = super::super::efs_file_system_public_policy::CONTROL;
        assert_eq!(judged(&public, &first, &settings), Judgement::Compliant);
        // One that is there already grants what it says, and no more.
        let own =
            json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": CLIENT_ACTIONS, "Resource": ARN});
        let second = after(&with_policy(&[own]));
        assert!(!second.policy.get().unwrap().contains("AccessedViaMountTarget"));
    }
}
