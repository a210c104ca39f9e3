//! # What it requires
//! A volume that is not encrypted is taken out of use, or swapped for an encrypted one, where settings say so
//! (`ec2.unencrypted-volumes`). With `tag`, the default, it is left in use, and `ec2-volume-marked` marks it.
//!
//! # Why
//! It can't be encrypted in place, so it stays as it is until somebody swaps it. Until then, some data must not be in use.
//!
//! # What it changes
//! `detach`: `DetachVolume` from its instances, unless one starts from it. `stop`: `StopInstances` of the instances that it is attached
//! to. A restore attaches it as the same device, starts what ran. `re-encrypt`: a tag starts the state machine `…-reencryption`, which
//! makes a snapshot, stops the instance, makes another snapshot and of that an encrypted volume of the same kind, with the key that the
//! classification names or else the region's default key, swaps it in, and starts the instance if it ran. If a step fails, the old
//! volume goes back, and is a finding again that only a person has tried once more. It is kept, and so are the snapshots, for people to
//! delete: `portcullis:keep-until` on it says when (`ec2.keep-replaced-days`). A running member of an Auto Scaling group is never
//! stopped, for the group would terminate it: that is told.
//!
//! # What may break
//! By `detach`, whatever has the file system mounted: writes that are not on the disk yet are lost. By `stop`, all that the instance
//! does; instance store volumes lose their data, and a public IPv4 address that is not an Elastic
//! one changes. By `re-encrypt`, the same while it is swapped: minutes, or longer where much was written since the first snapshot.
//!
//! # References
//! EBS User Guide, "Detach an Amazon EBS volume from an Amazon EC2 instance"; EC2 User Guide, "Stop and start Amazon EC2 instances".

use std::collections::{BTreeMap, BTreeSet};

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Effect, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use super::ec2_volume_marked;
use crate::settings::{Ec2Settings, VolumeQuarantine};
use crate::volume::{FAILED, RE_ENCRYPT, REPLACED, TAG, Volume, VolumeChange, VolumeFact};

pub const CONTROL: Control<Volume> = Control {
    meta: Meta {
        id: "ec2-volume-quarantine",
        title: "Unencrypted volumes are taken out of use, or swapped, where settings say so",
        severity: Severity::Medium,
        impact: Impact::Availability,
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
    reads: &[VolumeFact::Description, VolumeFact::Instances],
    changes: &[
        VolumeFact::QuarantineTags,
        VolumeFact::Attachments,
        VolumeFact::Instances,
    ],
    judge: &judge,
};

fn judge(volume: &Volume, context: &JudgeContext<'_>) -> Judgement<VolumeChange> {
    let Some(mark) = ec2_volume_marked::mark(volume, context) else {
        return Judgement::Compliant;
    };
    let attached = || volume.attached.get().into_iter().flatten();
    // Its Auto Scaling group would terminate a member that is stopped, and its disks with it.
    let scaled = || {
        let members = attached().filter(|(_, one)| one.running == Some(true));
        let members = members.filter_map(|(id, one)| Some((id, one.scaled_by.as_ref()?)));
        members.map(|(id, group)| format!("{id} of the Auto Scaling group {group}"))
    };
    let false_mark = volume.tags.get().and_then(|tags| tags.get(TAG));
    let false_mark = false_mark.filter(|set| mark.is_none() && *set == REPLACED);
    let false_mark = false_mark.map_or_else(String::new, |set| {
        format!("; its tag {TAG}={set} is not true, for it is attached")
    });
    // Whatever is done, it is not encrypted by that.
    let in_use = Clause::new(
        "is not encrypted and in use like any other",
        "is not encrypted, and was in use like any other",
    )
    .followed_by(&false_mark);
    let left = |what: Clause, change: &str, why: &str| -> Judgement<VolumeChange> {
        Finding::new(Severity::Medium, what, change, Vec::new())
            .only_notify(why)
            .into()
    };
    let terminates = |member: &str| {
        let what = Clause::is(format!("not encrypted, and in use by {member}"));
        let why = "a member of an Auto Scaling group that is stopped is terminated";
        left(what, "have the group launch instances with encrypted volumes", why)
    };
    let listed = |ids: &mut dyn Iterator<Item = &String>| ids.cloned().collect::<Vec<_>>().join(", ");
    let settings = context.settings.section::<Ec2Settings>();
    let (change, remedy) = match settings.unencrypted_volumes {
        VolumeQuarantine::Detach => {
            // What an instance starts from can't be taken from it while it runs, and must not be while it doesn't.
            let (data, roots): (BTreeMap<_, _>, BTreeMap<_, _>) =
                attached().partition(|(_, one)| one.root == Some(false));
            if data.is_empty() && !roots.is_empty() {
                let roots = listed(&mut roots.into_keys());
                let summary = Clause::is(format!("not encrypted, and {roots} starts from it"));
                let why = "what an instance starts from can't be detached";
                return left(summary, "swap it for an encrypted one", why);
            }
            if data.is_empty() {
                return Judgement::Compliant;
            }
            let from = data
                .into_iter()
                .map(|(instance, one)| (instance.clone(), one.device.clone()));
            let from: BTreeMap<_, _> = from.collect();
            (
                format!("detach it from {}", listed(&mut from.keys())),
                VolumeChange::Detach(from),
            )
        }
        VolumeQuarantine::Stop => {
            let running = attached().filter(|(_, one)| one.running == Some(true) && one.scaled_by.is_none());
            let ids: BTreeSet<_> = running.map(|(instance, _)| instance.clone()).collect();
            if ids.is_empty() {
                return scaled()
                    .next()
                    .map_or(Judgement::Compliant, |member| terminates(&member));
            }
            (format!("stop {}", listed(&mut ids.iter())), VolumeChange::Stop(ids))
        }
        VolumeQuarantine::ReEncrypt if mark == Some(FAILED) => {
            let what = Clause::is("not encrypted, and could not be swapped for an encrypted one");
            let change = format!("see why in Step Functions, then take the tag {TAG} off, which has it tried again");
            return left(what, &change, "it was tried, and failed");
        }
        VolumeQuarantine::ReEncrypt if mark != Some(RE_ENCRYPT) => {
            if let Some(member) = scaled().next() {
                return terminates(&member);
            }
            let change = format!("tag it {TAG}={RE_ENCRYPT}, which has it swapped for an encrypted one");
            let key = context.level.key.as_ref().map(|key| format!(" key={key}"));
            let days = settings.keep_replaced_days;
            let plan = format!("keep-days={days}{}", key.unwrap_or_default());
            // The second tag starts it.
            let remedies = vec![
                VolumeChange::Plan(Some(plan)),
                VolumeChange::Tag(Some(RE_ENCRYPT.into())),
            ];
            return Judgement::Violated(Finding {
                effect: Effect::Begin,
                ..Finding::new(Severity::Medium, in_use, change, remedies)
            });
        }
        VolumeQuarantine::Tag | VolumeQuarantine::ReEncrypt => return Judgement::Compliant,
    };
    Judgement::Violated(Finding {
        effect: Effect::Quarantine,
        ..Finding::new(Severity::Medium, in_use, change, vec![remedy])
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings, State as _, Tags};

    use super::*;
    use crate::controls::VOLUME;
    use crate::security_group::tests::with_settings;
    use crate::volume::{Attachment, UNENCRYPTED};

    fn volume(attached: &[(&str, bool, bool)]) -> Volume {
        let attachment = |&(instance, root, running): &(&str, bool, bool)| {
            let attachment = Attachment {
                device: "/dev/sdf".into(),
                root: Some(root),
                running: Some(running),
                ..Attachment::default()
            };
            (instance.to_owned(), attachment)
        };
        Volume {
            tags: Observed::Is(Tags::new()),
            encrypted: Observed::Is(false),
            attached: Observed::Is(attached.iter().map(attachment).collect()),
            ..Volume::default()
        }
    }

    fn asking(how: VolumeQuarantine) -> Settings {
        let mut settings = Settings::default();
        settings.set(Ec2Settings {
            unencrypted_volumes: how,
            ..Ec2Settings::default()
        });
        settings
    }

    fn remedies(volume: &Volume, how: VolumeQuarantine) -> Vec<VolumeChange> {
        with_settings(&asking(how), |context| {
            let findings = VOLUME
                .iter()
                .filter_map(|control| (control.judge)(volume, context).finding());
            findings.flat_map(|finding| finding.remedies).collect()
        })
    }

    #[test]
    fn each_way_is_as_settings_say_holds_and_can_be_undone() {
        let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<BTreeSet<_>>();
        let tag = VolumeChange::Tag(Some(UNENCRYPTED.into()));
        let data = volume(&[("i-1", false, true), ("i-2", false, false)]);
        let root = volume(&[("i-1", true, true)]);
        let from = ["i-1", "i-2"].map(|id| (id.to_owned(), "/dev/sdf".to_owned())).into();
        for (before, how, expected) in [
            (&data, VolumeQuarantine::Tag, vec![tag.clone()]),
            (
                &data,
                VolumeQuarantine::Detach,
                vec![tag.clone(), VolumeChange::Detach(from)],
            ),
            (
                &data,
                VolumeQuarantine::Stop,
                vec![tag.clone(), VolumeChange::Stop(ids(&["i-1"]))],
            ),
            (&root, VolumeQuarantine::Detach, vec![tag.clone()]),
            (
                &root,
                VolumeQuarantine::Stop,
                vec![tag.clone(), VolumeChange::Stop(ids(&["i-1"]))],
            ),
        ] {
            let found = remedies(before, how);
            assert_eq!(found, expected);
            let after = found.iter().fold(before.clone(), |state, remedy| state.after(remedy));
            assert_eq!(remedies(&after, how), [], "{after:?}");
            let back = found
                .iter()
                .rev()
                .fold(after, |state, remedy| state.after(&before.inverse(remedy).unwrap()));
            assert_eq!(back.tags, before.tags);
            let (was, is) = (before.attached.get().unwrap(), back.attached.get().unwrap());
            assert!(was.iter().all(|(id, one)| is[id].device == one.device));
        }
    }

    #[test]
    fn a_tag_has_it_swapped_and_what_was_swapped_out_is_left() {
        let tagged = |value: Option<&str>| {
            let before = volume(&[]);
            value.map_or(before.clone(), |value| {
                before.after(&VolumeChange::Tag(Some(value.into())))
            })
        };
        let plan = VolumeChange::Plan(Some("keep-days=30".into()));
        let swap = [plan, VolumeChange::Tag(Some(RE_ENCRYPT.into()))];
        for (value, how, expected) in [
            (None, VolumeQuarantine::ReEncrypt, &swap[..]),
            (Some(UNENCRYPTED), VolumeQuarantine::ReEncrypt, &swap),
            (Some(RE_ENCRYPT), VolumeQuarantine::ReEncrypt, &[]),
            (Some(REPLACED), VolumeQuarantine::ReEncrypt, &[]),
            (Some(FAILED), VolumeQuarantine::ReEncrypt, &[]),
            (Some(RE_ENCRYPT), VolumeQuarantine::Tag, &[]),
        ] {
            assert_eq!(remedies(&tagged(value), how), expected, "{value:?}");
        }
    }

    fn told(volume: &Volume, settings: &Settings) -> Option<Finding<VolumeChange>> {
        with_settings(settings, |context| judge(volume, context).finding())
    }

    #[test]
    fn a_swap_that_failed_is_a_finding_and_not_tried_again() {
        let settings = asking(VolumeQuarantine::ReEncrypt);
        let failed = volume(&[]).after(&VolumeChange::Tag(Some(FAILED.into())));
        let finding = told(&failed, &settings).unwrap();
        assert!(
            finding.summary.is.contains("could not be swapped"),
            "{}",
            finding.summary.is
        );
        assert!(finding.remedies.is_empty());
    }

    #[test]
    fn a_member_of_an_auto_scaling_group_is_told_and_never_stopped() {
        let mut member = volume(&[("i-1", false, true)]);
        if let Observed::Is(attached) = &mut member.attached {
            attached.get_mut("i-1").unwrap().scaled_by = Some("web".into());
        }
        for how in [VolumeQuarantine::Stop, VolumeQuarantine::ReEncrypt] {
            let finding = told(&member, &asking(how)).unwrap();
            assert!(
                finding.summary.is.contains("i-1 of the Auto Scaling group web"),
                "{}",
                finding.summary.is
            );
            assert!(finding.remedies.is_empty());
        }
    }

    #[test]
    fn the_swap_is_told_the_key_that_the_data_need_and_for_how_long_the_old_volume_is_kept() {
        let mut settings = Settings::default();
        settings.set(Ec2Settings {
            unencrypted_volumes: VolumeQuarantine::ReEncrypt,
            keep_replaced_days: 7,
            ..Ec2Settings::default()
        });
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        settings.classification.levels.get_mut("internal").unwrap().key = Some(key.into());
        let finding = told(&volume(&[]), &settings).unwrap();
        let plan = VolumeChange::Plan(Some(format!("keep-days=7 key={key}")));
        assert_eq!(finding.remedies, [plan, VolumeChange::Tag(Some(RE_ENCRYPT.into()))]);
    }

    #[test]
    fn an_encrypted_volume_and_an_exempt_one_are_left() {
        let mut encrypted = volume(&[("i-1", false, true)]);
        encrypted.encrypted = Observed::Is(true);
        assert_eq!(remedies(&encrypted, VolumeQuarantine::Stop), []);
        let mut settings = Settings::default();
        let off = portcullis_core::settings::ControlSettings {
            mode: Some(Switch::Off),
            ..Default::default()
        };
        settings.controls.insert("ec2-volume-encrypted".into(), off);
        let open = volume(&[]);
        assert_eq!(
            with_settings(&settings, |context| judge(&open, context)),
            Judgement::Compliant
        );
    }
}
