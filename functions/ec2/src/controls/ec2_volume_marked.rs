//! # What it requires
//! A volume that is not encrypted has a tag that says so, `portcullis:quarantine`, until it is replaced.
//!
//! # Why
//! It can't be encrypted in place. Whoever looks at it, makes a copy of it or attaches it elsewhere should know.
//!
//! # What it changes
//! `CreateTags`: `portcullis:quarantine=unencrypted`. A restore takes the tag off. Where settings have volumes swapped
//! (`ec2.unencrypted-volumes: re-encrypt`), the tag is `ec2-volume-quarantine`'s.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EC2 User Guide, "Tag your Amazon EC2 resources".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Effect, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use super::ec2_volume_encrypted;
use crate::settings::{Ec2Settings, VolumeQuarantine};
use crate::volume::{REPLACED, TAG, UNENCRYPTED, Volume, VolumeChange, VolumeFact};

pub const CONTROL: Control<Volume> = Control {
    meta: Meta {
        id: "ec2-volume-marked",
        title: "Unencrypted volumes are marked",
        severity: Severity::Low,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &["Security Hub EC2.3"],
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
    reads: &[VolumeFact::Description],
    changes: &[VolumeFact::QuarantineTags],
    judge: &judge,
};

/// The value of the tag of a volume that something is to be done about, if it has one; `None` of one that is encrypted, that may
/// be as it is, or that was swapped out and is kept for people to delete.
#[expect(clippy::option_option, reason = "a volume that is left, and one without the tag")]
pub fn mark<'a>(volume: &'a Volume, context: &JudgeContext<'_>) -> Option<Option<&'a str>> {
    let (settings, cause) = (context.settings, ec2_volume_encrypted::CONTROL.meta);
    let tags = volume.tags.get()?;
    let tolerated = settings.switch(&cause) == Switch::Off
        || settings
            .exemption(cause.id, context.resource, Some(tags), context.now)
            .is_some();
    // One that is attached was not swapped out, whatever the tag says: anybody may set it.
    let attached = volume.attached.get().is_some_and(|attached| !attached.is_empty());
    let mark = tags.get(TAG).map(AsRef::as_ref);
    let mark = mark.filter(|mark| *mark != REPLACED || !attached);
    (volume.encrypted.get() == Some(&false) && !tolerated && mark != Some(REPLACED)).then_some(mark)
}

fn judge(volume: &Volume, context: &JudgeContext<'_>) -> Judgement<VolumeChange> {
    let settings = context.settings.section::<Ec2Settings>();
    let swaps = settings.unencrypted_volumes == VolumeQuarantine::ReEncrypt;
    if swaps || mark(volume, context) != Some(None) {
        return Judgement::Compliant;
    }
    Judgement::Violated(Finding {
        effect: Effect::Mark,
        ..Finding::new(
            Severity::Low,
            // The tag does not encrypt it.
            Clause::new(
                "is not encrypted, and nothing on it says so",
                "is not encrypted, and nothing on it said so",
            ),
            format!("tag it {TAG}={UNENCRYPTED}"),
            vec![VolumeChange::Tag(Some(UNENCRYPTED.into()))],
        )
    })
}
