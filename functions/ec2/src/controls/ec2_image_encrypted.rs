//! # What it requires
//! The snapshots behind an Amazon Machine Image are encrypted.
//!
//! # Why
//! The volumes of each instance that is launched from it are unencrypted, unless the launch or the region's default says otherwise.
//! Only an image without encrypted snapshots can be made public.
//!
//! # What it changes
//! Nothing: an image can't be encrypted in place. A person makes an encrypted copy (`aws ec2 copy-image --encrypted`), has it used
//! instead, and deregisters the original when nobody launches it any more.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EC2 User Guide, "Use encryption with EBS-backed AMIs".

use portcullis_core::settings::Switch;
use portcullis_core::{Control, Finding, Impact, Judgement, Meta, Scope, Severity};

use crate::image::{Fact, Image, Remedy, State};

pub const CONTROL: Control<Image> = Control {
    meta: Meta {
        id: "ec2-image-encrypted",
        title: "The snapshots behind an Amazon Machine Image are encrypted",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["EC2 User Guide: use encryption with EBS-backed AMIs"],
        calls: &["CopyImage", "CreateImage", "RegisterImage"],
        writes: &[],
    },
    facts: &[Fact::Description],
    judge,
};

fn judge(image: &State, _: &Scope<'_>) -> Judgement<Remedy> {
    let Some(devices) = image.unencrypted.get().filter(|devices| !devices.is_empty()) else {
        return Judgement::Compliant;
    };
    let devices = devices.iter().cloned().collect::<Vec<_>>().join(", ");
    Finding::new(
        Severity::Medium,
        format!("has snapshots that are not encrypted: {devices}"),
        "make an encrypted copy: aws ec2 copy-image --encrypted",
        Vec::new(),
    )
    .only_notify("AWS can't encrypt an image in place")
    .into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portcullis_core::{Seen, Settings, State as _};

    use super::*;
    use crate::controls::IMAGE;
    use crate::security_group::tests::with_settings;
    use crate::sharing::{Change, Sharing};

    const STRANGERS: &str = "arn:aws:organizations::777788889999:organization/o-strangers";

    fn shared(everybody: bool, with: &[&str]) -> State {
        State {
            unencrypted: Seen::Is(BTreeSet::from(["/dev/xvda (snap-0d9f3a5e7c414b8e9)".to_owned()])),
            sharing: Seen::Is(Sharing {
                everybody,
                with: with.iter().map(|&one| one.to_owned()).collect(),
            }),
            ..State::default()
        }
    }

    #[test]
    fn each_control_changes_its_own_and_can_be_undone() {
        let mut settings = Settings::default();
        settings.trusted.accounts.push("444455556666".into());
        let before = shared(true, &["444455556666", "777788889999", STRANGERS]);
        let all: Vec<_> = with_settings(&settings, |scope| {
            let found = IMAGE
                .iter()
                .map(|control| (control.judge)(&before, scope).finding().unwrap());
            found.map(|finding| finding.remedies).collect()
        });
        assert_eq!(all[0], [Remedy(Change::Everybody(false))]);
        let strangers = ["777788889999", STRANGERS].map(str::to_owned);
        assert_eq!(all[1], [Remedy(Change::Unshare(strangers.into()))]);
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
        let fine = State {
            unencrypted: Seen::Is(BTreeSet::new()),
            ..shared(false, &["111122223333"])
        };
        with_settings(&Settings::default(), |scope| {
            assert!(
                IMAGE
                    .iter()
                    .all(|control| (control.judge)(&fine, scope) == Judgement::Compliant)
            );
        });
    }
}
