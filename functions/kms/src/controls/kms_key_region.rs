//! # What it requires
//! A multi-Region key lives only in this region and in those that settings name (`kms.regions`), its primary included.
//!
//! # Why
//! A replica in another region decrypts everything that the key encrypts, under a policy of its own that nobody here looks at.
//! Whoever holds the primary decides on replicas and rotation.
//!
//! # What it changes
//! Nothing: which replica has to go is for people to say. It tells each time the regions change.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! KMS Developer Guide, "Multi-Region keys in AWS KMS", "Control access to multi-Region keys".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::key::{Key, KeyChange, KeyFact};
use crate::settings::KmsSettings;

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-region",
        title: "A multi-Region key lives in known regions only",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["KMS Developer Guide: multi-Region keys"],
        calls: &["CreateKey", "ReplicateKey", "UpdatePrimaryRegion"],
    },
    reads: &[KeyFact::Metadata],
    changes: &[],
    judge: &judge,
};

fn judge(key: &Key, context: &JudgeContext<'_>) -> Judgement<KeyChange> {
    let Some((state, metadata)) = key.customer_managed() else {
        return key.not_ours();
    };
    let Some(places) = metadata.multi_region.as_ref().filter(|_| !state.is_pending_deletion()) else {
        return Judgement::Compliant;
    };
    let settings = context.settings.section::<KmsSettings>();
    let known = |region: &String| *region == context.resource.region || settings.regions.contains(region);
    if known(&places.primary) && places.replicas.iter().all(known) {
        return Judgement::Compliant;
    }
    let replicas = if places.replicas.is_empty() {
        "no replicas".to_owned()
    } else {
        format!("replicas in {}", places.replicas.join(", "))
    };
    let summary = Clause::new("lives", "lived").followed_by(format!(
        " in regions that settings do not name: its primary is in {}, with {replicas}",
        places.primary
    ));
    Finding::new(Severity::Medium, summary, "", Vec::new())
        .only_notify("which one has to go, or which region is to be named under kms.regions, is for people to say")
        .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings};

    use super::*;
    use crate::key::tests::{finding, in_state, with_settings};
    use crate::key::{KeyState, MultiRegion};

    #[test]
    fn other_regions_are_told_unless_they_are_named() {
        let mut key = in_state(KeyState::Enabled);
        assert_eq!(finding(judge, &key), None);
        let mut live = |primary: &str, replicas: &[&str]| {
            if let Observed::Is(metadata) = &mut key.metadata {
                metadata.multi_region = Some(MultiRegion {
                    replica: false,
                    primary: primary.into(),
                    replicas: replicas.iter().map(|&region| region.to_owned()).collect(),
                });
            }
            key.clone()
        };
        assert_eq!(finding(judge, &live("eu-west-1", &[])), None);
        let abroad = live("eu-west-1", &["us-east-1"]);
        assert!(finding(judge, &abroad).unwrap().summary.is.contains("us-east-1"));
        assert!(finding(judge, &live("us-east-1", &["eu-west-1"])).is_some());
        let mut settings = Settings::default();
        settings.set(KmsSettings {
            regions: vec!["us-east-1".into()],
            ..KmsSettings::default()
        });
        with_settings(&settings, |context| {
            assert_eq!(judge(&abroad, context), Judgement::Compliant);
        });
    }
}
