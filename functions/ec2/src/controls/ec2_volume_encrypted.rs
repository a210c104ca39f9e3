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

use portcullis_controls::encryption::{and_need, severity_of_plain, wrong_key};
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::volume::{Volume, VolumeChange, VolumeFact};

pub const CONTROL: Control<Volume> = Control {
    meta: Meta {
        id: "ec2-volume-encrypted",
        title: "Volumes are encrypted with a key of the right kind",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub EC2.3", "Config encrypted-volumes"],
        calls: &[
            "AttachVolume",
            "CopyVolumes",
            "CreateReplaceRootVolumeTask",
            "CreateTags",
            "CreateVolume",
            "DeleteTags",
            "RestoreVolumeFromRecycleBin",
            "RunInstances",
        ],
    },
    reads: &[VolumeFact::Description, VolumeFact::Key],
    changes: &[],
    judge: &judge,
};

fn judge(volume: &Volume, context: &JudgeContext<'_>) -> Judgement<VolumeChange> {
    let Some((severity, what)) = wrong(volume, context) else {
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
        what.followed_by(at),
        "make a snapshot, an encrypted volume of it, and swap that in",
        Vec::new(),
    )
    .only_notify("AWS can't encrypt a volume in place")
    .into()
}

/// What is wrong with its encryption, and how bad that is.
fn wrong(volume: &Volume, context: &JudgeContext<'_>) -> Option<(Severity, Clause)> {
    if volume.encrypted.get() == Some(&false) {
        let what = Clause::is(format!("not encrypted{}", and_need(context)));
        return Some((severity_of_plain(context), what));
    }
    let is = wrong_key(volume.key.get()?, volume.manager.get().copied(), context)?;
    let what = Clause::is(format!("encrypted with {is}{}", and_need(context)));
    Some((Severity::Medium, what))
}

#[cfg(test)]
mod tests {
    use portcullis_controls::encryption::Manager;
    use portcullis_core::Observed;
    use portcullis_core::settings::Encryption;

    use super::*;
    use crate::encryption::tests::{KEY, asking};
    use crate::security_group::tests::with_settings;

    #[test]
    fn the_level_says_which_key_is_enough() {
        let found = |key: Option<Manager>, asked: Encryption, named: Option<&str>| {
            let volume = Volume {
                encrypted: Observed::Is(key.is_some()),
                key: Observed::from(key.map(|_| KEY.to_owned())),
                manager: Observed::from(key),
                ..Volume::default()
            };
            let settings = asking(asked, named);
            with_settings(&settings, |context| judge(&volume, context).finding()).map(|finding| finding.severity)
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
