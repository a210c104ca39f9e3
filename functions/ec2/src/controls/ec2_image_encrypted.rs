//! # What it requires
//! The snapshots behind an Amazon Machine Image are encrypted, and with keys of the kind that the classification of its data asks for:
//! by the image's own tags, not by those of the snapshots, which are theirs.
//!
//! # Why
//! The volumes of each instance that is launched from it are unencrypted, unless the launch or the region's default says otherwise.
//! Only an image without encrypted snapshots can be made public.
//!
//! # What it changes
//! Nothing: an image can't be encrypted, or get another key, in place. A person makes an encrypted copy (`aws ec2 copy-image
//! --encrypted`, with `--kms-key-id` where the data need a particular key), has it used instead, and deregisters the original when nobody launches it any more.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EC2 User Guide, "Use encryption with EBS-backed AMIs".

use portcullis_controls::encryption::{and_need, is_particular, need, severity_of_plain, wrong_key};
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::encryption::copied;
use crate::image::{Image, ImageChange, ImageFact};

pub const CONTROL: Control<Image> = Control {
    meta: Meta {
        id: "ec2-image-encrypted",
        title: "The snapshots behind an Amazon Machine Image are encrypted with keys of the right kind",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["EC2 User Guide: use encryption with EBS-backed AMIs"],
        calls: &[
            "CopyImage",
            "CreateImage",
            "CreateRestoreImageTask",
            "CreateTags",
            "DeleteTags",
            "RegisterImage",
            "RestoreImageFromRecycleBin",
        ],
    },
    reads: &[ImageFact::Description, ImageFact::Keys],
    changes: &[],
    judge: &judge,
};

fn judge(image: &Image, context: &JudgeContext<'_>) -> Judgement<ImageChange> {
    let plain: Vec<_> = image.unencrypted.get().into_iter().flatten().cloned().collect();
    let wrong: Vec<_> = image
        .keys
        .get()
        .into_iter()
        .flatten()
        .filter_map(|(device, key)| {
            let with = match key {
                Some(key) => wrong_key(&key.arn, Some(key.manager), context)?,
                None if is_particular(context) => "a key that could not be learned".into(),
                None => return None,
            };
            Some(format!("{device} with {with}"))
        })
        .collect();
    let found = |severity, what: Clause, why: &str| -> Judgement<ImageChange> {
        let change = format!("make an encrypted copy: aws ec2 copy-image {}", copied(context));
        Finding::new(severity, what, change, Vec::new()).only_notify(why).into()
    };
    let other = format!("encrypted with another key than its data need: {}", wrong.join(", "));
    match (plain.is_empty(), wrong.is_empty()) {
        (true, true) => Judgement::Compliant,
        (true, false) => {
            let need = need(context).map_or_else(String::new, |need| format!("; {need}"));
            let what = Clause::has(format!("snapshots that are {other}{need}"));
            found(Severity::Medium, what, "AWS can't give an image another key in place")
        }
        (false, is_all) => {
            let others = if is_all {
                String::new()
            } else {
                format!("; others are {other}")
            };
            let what = Clause::has(format!(
                "snapshots that are not encrypted: {}{others}{}",
                plain.join(", "),
                and_need(context)
            ));
            found(severity_of_plain(context), what, "AWS can't encrypt an image in place")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portcullis_controls::encryption::{Key, Manager};
    use portcullis_controls::sharing::{Sharing, SharingChange};
    use portcullis_core::settings::Encryption;
    use portcullis_core::{Observed, Settings, State as _};

    use super::*;
    use crate::controls::IMAGE;
    use crate::encryption::tests::{KEY, asking};
    use crate::security_group::tests::with_settings;

    const STRANGERS: &str = "arn:aws:organizations::777788889999:organization/o-strangers";

    fn shared(everybody: bool, with: &[&str]) -> Image {
        Image {
            unencrypted: Observed::Is(BTreeSet::from(["/dev/xvda (snap-0d9f3a5e7c414b8e9)".to_owned()])),
            sharing: Observed::Is(Sharing {
                everybody,
                with: with.iter().map(|&one| one.to_owned()).collect(),
            }),
            ..Image::default()
        }
    }

    #[test]
    fn each_control_changes_its_own_and_can_be_undone() {
        let mut settings = Settings::default();
        settings.trusted.accounts.push("444455556666".into());
        let before = shared(true, &["444455556666", "777788889999", STRANGERS]);
        let all: Vec<_> = with_settings(&settings, |context| {
            let found = IMAGE
                .iter()
                .map(|control| (control.judge)(&before, context).finding().unwrap());
            found.map(|finding| finding.remedies).collect()
        });
        assert_eq!(all[0], [ImageChange(SharingChange::Everybody(false))]);
        let strangers = ["777788889999", STRANGERS].map(str::to_owned);
        assert_eq!(all[1], [ImageChange(SharingChange::Unshare(strangers.into()))]);
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
        let fine = Image {
            unencrypted: Observed::Is(BTreeSet::new()),
            ..shared(false, &["111122223333"])
        };
        with_settings(&Settings::default(), |context| {
            assert!(
                IMAGE
                    .iter()
                    .all(|control| (control.judge)(&fine, context) == Judgement::Compliant)
            );
        });
    }

    #[test]
    fn the_level_says_which_keys_are_enough_and_a_key_that_nobody_knows_is_not() {
        let of = |manager| {
            let key = Key {
                arn: KEY.into(),
                manager,
            };
            Some(key)
        };
        let found = |plain: &[&str], keys: &[Option<Key>], settings: &Settings| {
            let keys = keys.iter().enumerate();
            let keys = keys.map(|(at, key)| (format!("/dev/sd{at} (snap-{at})"), key.clone()));
            let image = Image {
                unencrypted: Observed::Is(plain.iter().map(|&one| one.to_owned()).collect()),
                keys: Observed::Is(keys.collect()),
                ..Image::default()
            };
            let finding = with_settings(settings, |context| judge(&image, context).finding())?;
            Some((finding.severity, finding.summary.is, finding.change))
        };
        let (aws, own) = (of(Manager::Aws), of(Manager::Customer));
        let any = asking(Encryption::Any, None);
        let customers = asking(Encryption::CustomerManagedKey, None);
        assert_eq!(found(&[], &[aws.clone(), own.clone(), None], &any), None);
        assert_eq!(found(&[], std::slice::from_ref(&own), &customers), None);
        let (severity, summary, _) = found(&[], &[aws.clone(), own.clone(), None], &customers).unwrap();
        assert_eq!(severity, Severity::Medium);
        assert_eq!(
            summary,
            "has snapshots that are encrypted with another key than its data need: /dev/sd0 (snap-0) with the AWS-managed key, \
             /dev/sd2 (snap-2) with a key that could not be learned; data of the level internal need a key of the customer's"
        );
        let named = KEY.replace("1234abcd", "4321abcd");
        let (_, summary, change) = found(&[], &[own], &asking(Encryption::CustomerManagedKey, Some(&named))).unwrap();
        assert!(summary.contains(KEY) && summary.contains(&named), "{summary}");
        assert!(change.ends_with(&named), "{change}");
        let (severity, summary, _) = found(&["/dev/sdx (snap-x)"], &[aws], &customers).unwrap();
        assert_eq!(severity, Severity::High);
        assert!(
            summary.contains("not encrypted: /dev/sdx (snap-x); others are encrypted with another key"),
            "{summary}"
        );
    }
}
