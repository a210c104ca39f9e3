use portcullis_core::settings::{ControlSettings, Encryption as Asked};
use portcullis_core::testing::{judging, resource};
use portcullis_core::{Control, Observed, Settings, State as _, Tags};

use super::*;
use crate::controls::{CLUSTERS, INSTANCES};
use crate::storage::Encryption;

fn plain() -> Database {
    Database {
        tags: Observed::Is(Tags::new()),
        status: Observed::Is("available".into()),
        engine: Observed::Is("postgres".into()),
        encryption: Observed::Absent,
        public: Observed::Is(false),
        deletion_protection: Observed::Is(true),
        vpc: Observed::Is("vpc-1".into()),
        groups: Observed::Is(["sg-1".to_owned(), "sg-2".to_owned()].into()),
        ..Database::default()
    }
}

/// Settings under which what has no tag is cut off.
fn quarantining() -> Settings {
    let mut settings = Settings::default();
    settings.classification.levels.get_mut("internal").unwrap().quarantine = true;
    settings
}

fn judge(controls: &'static [Control<Database>], id: &str, database: &Database, settings: &Settings) -> Judged {
    let control = controls.iter().find(|control| control.meta.id == id).unwrap();
    let of = resource("AWS::RDS::DBInstance", "arn:aws:rds:eu-west-1:111122223333:db:shop");
    judging(&of, settings, |context| (control.judge)(database, context))
}

fn of_instance(id: &str, database: &Database, settings: &Settings) -> Judged {
    judge(INSTANCES.controls, id, database, settings)
}

#[test]
fn one_that_is_not_encrypted_is_told_marked_and_where_the_level_says_so_cut_off() {
    let (before, settings) = (plain(), quarantining());
    let told = of_instance("rds-instance-encrypted", &before, &settings)
        .finding()
        .unwrap();
    assert!(told.remedies.is_empty() && told.only_notify.is_some());
    assert!(told.change.contains("--kms-key-id alias/aws/rds") && told.change.contains("template"));
    let mark = of_instance("rds-instance-marked", &before, &settings)
        .finding()
        .unwrap();
    assert_eq!((mark.effect, mark.severity), (Effect::Mark, Severity::Low));
    let swap = of_instance("rds-instance-quarantine", &before, &settings)
        .finding()
        .unwrap();
    assert_eq!(swap.effect, Effect::Quarantine);
    let remedies: Vec<_> = mark.remedies.into_iter().chain(swap.remedies).collect();
    let after = remedies
        .iter()
        .fold(before.clone(), |state, change| state.after(change));
    for id in ["rds-instance-marked", "rds-instance-quarantine"] {
        assert_eq!(of_instance(id, &after, &settings), Judgement::Compliant, "{id}");
    }
    // Neither encrypts it.
    assert!(
        of_instance("rds-instance-encrypted", &after, &settings)
            .finding()
            .is_some()
    );
    let inverses: Vec<_> = remedies.iter().map(|change| before.inverse(change).unwrap()).collect();
    assert_eq!(
        inverses.iter().rev().fold(after, |state, change| state.after(change)),
        before
    );
    let calm = Settings::default();
    assert_eq!(
        of_instance("rds-instance-quarantine", &before, &calm),
        Judgement::Compliant
    );
}

#[test]
fn settings_of_the_cause_cut_off_as_well_and_an_exemption_of_it_does_neither() {
    let mut settings = Settings::default();
    let set = |mode, quarantine| ControlSettings {
        mode,
        quarantine,
        ..ControlSettings::default()
    };
    settings
        .controls
        .insert("rds-instance-encrypted".into(), set(None, true));
    let found = |settings: &Settings| of_instance("rds-instance-quarantine", &plain(), settings).finding();
    assert!(found(&settings).is_some());
    settings
        .controls
        .insert("rds-instance-encrypted".into(), set(Some(Switch::Off), true));
    assert_eq!(found(&settings), None);
    assert_eq!(
        of_instance("rds-instance-marked", &plain(), &settings),
        Judgement::Compliant
    );
}

#[test]
fn what_aurora_encrypts_with_a_key_of_its_own_is_encrypted_unless_the_data_need_another() {
    let own = Database {
        encryption: Observed::Is(Encryption::Rds),
        ..plain()
    };
    let mut settings = quarantining();
    for id in ["rds-cluster-encrypted", "rds-cluster-marked", "rds-cluster-quarantine"] {
        assert_eq!(
            judge(CLUSTERS.controls, id, &own, &settings),
            Judgement::Compliant,
            "{id}"
        );
    }
    settings.classification.levels.get_mut("internal").unwrap().encryption = Asked::CustomerManagedKey;
    let told = judge(CLUSTERS.controls, "rds-cluster-encrypted", &own, &settings)
        .finding()
        .unwrap();
    assert_eq!(told.severity, Severity::Medium);
    assert!(
        told.summary.is.contains("keys that its service owns"),
        "{}",
        told.summary.is
    );
    for id in ["rds-cluster-marked", "rds-cluster-quarantine"] {
        assert_eq!(
            judge(CLUSTERS.controls, id, &own, &settings),
            Judgement::Compliant,
            "{id}"
        );
    }
}

#[test]
fn a_member_s_storage_groups_and_protection_are_its_cluster_s() {
    let member = Database {
        cluster: Observed::Is("orders".into()),
        deletion_protection: Observed::Is(false),
        ..plain()
    };
    for id in ["encrypted", "marked", "quarantine", "deletion-protection"] {
        let found = of_instance(&format!("rds-instance-{id}"), &member, &quarantining());
        let Judgement::NotApplicable(why) = found else {
            panic!("{id}: {found:?}")
        };
        assert!(why.contains("a member of the cluster orders"), "{why}");
    }
}

#[test]
fn one_that_is_stopped_custom_or_in_no_vpc_is_not_swapped() {
    let quarantine = |change: &dyn Fn(&mut Database)| {
        let mut database = plain();
        change(&mut database);
        of_instance("rds-instance-quarantine", &database, &quarantining())
    };
    let stopped = quarantine(&|one| one.status = Observed::Is("stopped".into()));
    assert!(matches!(stopped, Judgement::NotApplicable(why) if why.contains("stopped")));
    for (change, why) in [
        (
            &(|one: &mut Database| one.engine = Observed::Is("custom-oracle-ee".into())) as &dyn Fn(&mut Database),
            "RDS Custom",
        ),
        (
            &|one: &mut Database| (one.vpc, one.groups) = (Observed::Absent, Observed::Absent),
            "no VPC",
        ),
    ] {
        let finding = quarantine(change).finding().unwrap();
        assert!(finding.remedies.is_empty());
        assert!(
            finding.only_notify.as_ref().is_some_and(|told| told.contains(why)),
            "{finding:?}"
        );
    }
}

#[test]
fn a_replica_is_made_anew_by_its_source() {
    let replica = Database {
        replication: Observed::Is(["shop-source".to_owned()].into()),
        ..plain()
    };
    let told = of_instance("rds-instance-encrypted", &replica, &Settings::default())
        .finding()
        .unwrap();
    assert!(
        told.change.contains("source") && told.change.contains("shop-source"),
        "{}",
        told.change
    );
    let finding = of_instance("rds-instance-quarantine", &replica, &quarantining())
        .finding()
        .unwrap();
    assert_eq!(finding.remedies.len(), 1, "its groups are its own");
}
