//! # What it requires
//! A file system that is public, or not encrypted, and whose data's level says `quarantine: true` (or whose violated control does), is
//! closed off. So is one that somebody keeps opening, where the settings say `flips: {then: quarantine}`.
//!
//! # Why
//! For the most sensitive data, finding out afterwards who read it costs more than an outage; and a file system that is not encrypted
//! stays so until somebody replaces it.
//!
//! # What it changes
//! `PutFileSystemPolicy` with one more statement, `PortcullisQuarantine`, that denies to everybody but the break-glass principals of the
//! settings what clients do: mount, write, be root. The other statements stay; where there was no policy, the new one grants the rest
//! of what EFS's default did. A restore puts the old policy back, or deletes it where there was none.
//!
//! # What may break
//! All use of the file system, within minutes, that of clients which have it mounted included, until it is lifted. Clients without an
//! identity of IAM are no break-glass principals.
//!
//! # References
//! EFS User Guide, "Using IAM to control file system data access", "Creating file system policies"; AWS Security Incident Response
//! Guide, "Containment".

use portcullis_access::{Policy, Statement};
use portcullis_controls::prelude::*;
use portcullis_core::event::strings;
use portcullis_core::settings::Then;
use portcullis_core::{Effect, JudgeContext, State as _};
use serde_json::{Value, json};

use super::{efs_file_system_encrypted, efs_file_system_external_access, efs_file_system_public_policy};
use crate::file_system::{
    CLIENT_ACTIONS, FileSystem, FileSystemChange, FileSystemFact, covers_clients, with_statement,
};

pub const CONTROL: Control<FileSystem> = Control {
    meta: Meta {
        id: "efs-file-system-quarantine",
        title: "An exposed or unencrypted file system of the most sensitive data is closed off",
        severity: Severity::Critical,
        impact: Impact::Availability,
        default: Switch::Enforce,
        standards: &["AWS Security Incident Response Guide: containment"],
        calls: &[
            "CreateFileSystem",
            "CreateTags",
            "DeleteFileSystemPolicy",
            "DeleteTags",
            "PutFileSystemPolicy",
            "TagResource",
            "UntagResource",
        ],
    },
    reads: &[FileSystemFact::Policy, FileSystemFact::Encryption],
    changes: &[FileSystemFact::Policy],
    judge: &judge,
};

/// The controls whose violation closes a file system off.
pub const CAUSES: [Control<FileSystem>; 3] = [
    efs_file_system_public_policy::CONTROL,
    efs_file_system_encrypted::CONTROL,
    efs_file_system_external_access::CONTROL,
];

fn judge(found: &FileSystem, context: &JudgeContext<'_>) -> Judgement<FileSystemChange> {
    let (policy, settings) = (found.policy_in(context), context.settings);
    let spared = &settings.break_glass;
    if policy.text.is_some_and(|text| is_closed(text, spared)) {
        return Judgement::Compliant;
    }
    let demanded = |control: &&Control<FileSystem>| {
        let id = control.meta.id;
        // Who is let in on purpose is not an exposure that closes a file system, unless settings say so for that control.
        let by_level = context.level.quarantine && id != efs_file_system_external_access::CONTROL.meta.id;
        let by_fight = settings.flips.then == Then::Quarantine && context.history.fights.contains(id);
        (by_level || by_fight || settings.quarantines(id))
            && settings.switch(&control.meta) != Switch::Off
            && settings
                .exemption(id, context.resource, found.tags(), context.now)
                .is_none()
    };
    // A key of another kind than the data need is no reason to close it.
    let severe = |control: &Control<FileSystem>| {
        let finding = (control.judge)(found, context).finding()?;
        (finding.severity >= Severity::High || settings.quarantines(control.meta.id)).then_some(finding)
    };
    let Some(cause) = CAUSES.iter().filter(demanded).find_map(severe) else {
        return Judgement::Compliant;
    };
    let mut statement = json!({
        "Sid": "PortcullisQuarantine",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": CLIENT_ACTIONS,
        "Resource": context.resource.arn,
    });
    let mut but = String::new();
    if !spared.is_empty() {
        statement["Condition"] = json!({"ArnNotLike": {"aws:PrincipalArn": spared}});
        but = format!(" but {}", spared.join(", "));
    }
    let change = format!("deny mounting, writing and root access to everybody{but}");
    let finding = match with_statement(policy, statement) {
        Ok(policy) => Finding::new(
            Severity::Critical,
            cause.summary,
            change,
            vec![FileSystemChange::Policy(policy)],
        ),
        Err(why) => Finding::new(Severity::Critical, cause.summary, change, Vec::new()).only_notify(why),
    };
    Judgement::Violated(Finding {
        effect: Effect::Quarantine,
        ..finding
    })
}

/// Whether a policy denies all that clients do to everybody but those spared: a statement's name alone says nothing.
fn is_closed(policy: &str, spared: &[String]) -> bool {
    let closes = |statement: &Value| {
        let everybody = &statement["Principal"];
        let condition = statement.get("Condition");
        let only_spares = condition.is_none_or(|condition| {
            let principals = strings(&condition["ArnNotLike"]["aws:PrincipalArn"]);
            *condition == json!({"ArnNotLike": {"aws:PrincipalArn": condition["ArnNotLike"]["aws:PrincipalArn"]}})
                && !principals.is_empty()
                && principals.iter().all(|principal| spared.contains(principal))
        });
        statement["Effect"] == "Deny"
            && (*everybody == "*" || *everybody == json!({"AWS": "*"}) || *everybody == json!({"AWS": ["*"]}))
            && covers_clients(statement)
            && only_spares
    };
    let read = |statement: &Statement| serde_json::from_str::<Value>(statement.text()).ok();
    Policy::parse(policy).is_ok_and(|policy| policy.statements().iter().filter_map(read).any(|one| closes(&one)))
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::ControlSettings;
    use portcullis_core::{Observed, Settings};

    use super::*;
    use crate::file_system::tests::{ARN, judged, with_policy};

    fn settings(by_level: bool, break_glass: &[&str]) -> Settings {
        let mut settings = Settings::default();
        let level = settings.classification.levels.get_mut("internal").unwrap();
        level.encryption = portcullis_core::settings::Encryption::AwsManagedKey;
        level.quarantine = by_level;
        settings.break_glass = break_glass.iter().map(ToString::to_string).collect();
        settings
    }

    fn plain() -> FileSystem {
        FileSystem {
            policy: Observed::Absent,
            key: Observed::Absent,
            ..FileSystem::default()
        }
    }

    fn closed(found: &FileSystem, settings: &Settings) -> FileSystem {
        let finding = judged(&CONTROL, found, settings).finding().unwrap();
        assert_eq!(
            (finding.severity, finding.effect),
            (Severity::Critical, Effect::Quarantine)
        );
        let [FileSystemChange::Policy(Some(policy))] = &finding.remedies[..] else {
            panic!()
        };
        FileSystem {
            policy: Observed::Is(policy.clone()),
            ..found.clone()
        }
    }

    #[test]
    fn what_is_not_encrypted_is_closed_off_once_where_the_level_says_so() {
        for break_glass in [&[][..], &["arn:aws:iam::111122223333:role/BreakGlass"]] {
            let settings = settings(true, break_glass);
            let after = closed(&plain(), &settings);
            assert_eq!(judged(&CONTROL, &after, &settings), Judgement::Compliant);
            // Somebody who takes the break-glass principals for his own, or leaves an action out, is not closed out.
            let text = after.policy.get().unwrap();
            for evaded in [
                text.replace("role/BreakGlass", "role/*"),
                text.replacen("ClientWrite", "ClientNothing", 2),
                text.replace("\"Deny\"", "\"Allow\""),
            ] {
                let evaded = FileSystem {
                    policy: Observed::Is(evaded.clone()),
                    ..plain()
                };
                let is_closed = judged(&CONTROL, &evaded, &settings) == Judgement::Compliant;
                assert_eq!(is_closed, evaded.policy == after.policy);
            }
        }
        assert_eq!(judged(&CONTROL, &plain(), &settings(false, &[])), Judgement::Compliant);
    }

    #[test]
    fn a_control_that_settings_name_closes_it_off_whatever_the_level() {
        let mut settings = Settings::default();
        let quarantine = ControlSettings {
            quarantine: true,
            ..ControlSettings::default()
        };
        settings
            .controls
            .insert("efs-file-system-external-access".into(), quarantine);
        let partner = json!({"Effect": "Allow", "Principal": {"AWS": "777788889999"},
            "Action": "elasticfilesystem:ClientMount", "Resource": ARN});
        let found = with_policy(std::slice::from_ref(&partner));
        let after = closed(&found, &settings);
        assert!(
            after.policy.get().unwrap().contains(&partner.to_string()),
            "the others stay"
        );
        assert_eq!(judged(&CONTROL, &found, &Settings::default()), Judgement::Compliant);
    }
}
