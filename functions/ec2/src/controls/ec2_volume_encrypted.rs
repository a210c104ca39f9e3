//! # What it requires
//! A volume is encrypted, and with a key of the kind that the classification of its data asks for: an AWS-managed one, one that the
//! customer manages, or the very one that settings name.
//!
//! # Why
//! What is on it, and on every snapshot and copy of it, can be read by whoever gets hold of one.
//!
//! # What it changes
//! Nothing: a volume can't be encrypted in place. A person makes a snapshot, and of that an encrypted volume, and swaps it in. What
//! happens to the volume until then, or instead, is `ec2-volume-quarantine`'s.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EBS User Guide, "Amazon EBS encryption"; Security Hub EC2.3; Config encrypted-volumes.

use portcullis_core::settings::{Encryption, Switch};
use portcullis_core::{Control, Finding, Impact, Judgement, Meta, Scope, Severity};

use crate::volume::{Fact, Manager, Remedy, State, Volume};

pub const CONTROL: Control<Volume> = Control {
    meta: Meta {
        id: "ec2-volume-encrypted",
        title: "Volumes are encrypted with a key of the right kind",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub EC2.3", "Config encrypted-volumes"],
        calls: &["AttachVolume", "CopyVolumes", "CreateVolume", "RunInstances"],
        writes: &[],
    },
    facts: &[Fact::Description, Fact::Key],
    judge,
};

fn judge(volume: &State, scope: &Scope<'_>) -> Judgement<Remedy> {
    let Some((severity, what)) = wrong(volume, scope) else {
        return Judgement::Compliant;
    };
    let attached = volume.attached.get().into_iter().flatten();
    let at: Vec<_> = attached
        .map(|(instance, one)| format!("{instance} as {}", one.device))
        .collect();
    let at = if at.is_empty() {
        "; it is attached to nothing".to_owned()
    } else {
        format!("; it is attached to {}", at.join(", "))
    };
    Finding::new(
        severity,
        format!("{what}{at}"),
        "make a snapshot, an encrypted volume of it, and swap that in",
        Vec::new(),
    )
    .only_notify("AWS can't encrypt a volume in place")
    .into()
}

/// What is wrong with its encryption, and how bad that is.
fn wrong(volume: &State, scope: &Scope<'_>) -> Option<(Severity, String)> {
    let (level, name) = (scope.level, scope.level_name);
    if volume.encrypted.get() == Some(&false) {
        // Data that nobody called sensitive are one more mistake away.
        let sensitive = level.encryption > Encryption::Any;
        let severity = if sensitive { Severity::High } else { Severity::Medium };
        return Some((severity, "is not encrypted".into()));
    }
    let key = volume.key.get()?;
    if let Some(wanted) = level.key.as_ref().filter(|wanted| *wanted != key) {
        let what = format!("is encrypted with {key}, and data of the level {name} need {wanted}");
        return Some((Severity::Medium, what));
    }
    let own = level.encryption >= Encryption::CustomerManagedKey && volume.manager.get() == Some(&Manager::Aws);
    own.then(|| {
        let what =
            format!("is encrypted with the AWS-managed key, and data of the level {name} need one of the customer's");
        (Severity::Medium, what)
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Seen, Settings};

    use super::*;
    use crate::security_group::tests::with_settings;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn the_level_says_which_key_is_enough() {
        let found = |key: Option<Manager>, asked: Encryption, named: Option<&str>| {
            let volume = State {
                encrypted: Seen::Is(key.is_some()),
                key: Seen::from(key.map(|_| KEY.to_owned())),
                manager: Seen::from(key),
                ..State::default()
            };
            let mut settings = Settings::default();
            let level = settings.classification.levels.get_mut("internal").unwrap();
            level.encryption = asked;
            level.key = named.map(str::to_owned);
            with_settings(&settings, |scope| judge(&volume, scope).finding()).map(|finding| finding.severity)
        };
        let (aws, own) = (Some(Manager::Aws), Some(Manager::Customer));
        let other = KEY.replace("1234abcd", "4321abcd");
        assert_eq!(found(None, Encryption::Any, None), Some(Severity::Medium));
        assert_eq!(found(None, Encryption::AwsManagedKey, None), Some(Severity::High));
        assert_eq!(found(aws, Encryption::AwsManagedKey, None), None);
        assert_eq!(found(aws, Encryption::CustomerManagedKey, None), Some(Severity::Medium));
        assert_eq!(found(own, Encryption::CustomerManagedKey, None), None);
        assert_eq!(found(own, Encryption::CustomerManagedKey, Some(KEY)), None);
        assert_eq!(
            found(own, Encryption::CustomerManagedKey, Some(&other)),
            Some(Severity::Medium)
        );
    }
}
