//! # What it requires
//! The endpoint of a DB instance has no public address (`PubliclyAccessible`), whatever its security groups let in. One that is stopped
//! is reached by nobody, and is judged when it starts. A member of a Multi-AZ DB cluster is judged with its cluster.
//!
//! # Why
//! Databases are scanned for within minutes, and one rule too wide is all that is left then. Without a subnet group, or with the one
//! called `default`, RDS makes an instance public by itself, also one that is restored or a replica of one that isn't.
//!
//! # What it changes
//! `ModifyDBInstance` with `PubliclyAccessible=false`, and nothing else in the call: `ApplyImmediately` would set off whatever waits for
//! the maintenance window as well, and this flag does not need it. RDS takes minutes over it and shows nothing meanwhile: it is told as
//! *remediating*, and proved when RDS shows it, for at most an hour. A restore makes it public again, under another address.
//!
//! # What may break
//! Clients outside of the VPC, and of networks that are joined to it: the name of the endpoint then leads to the private address.
//!
//! # References
//! RDS User Guide, "Hiding a DB instance in a VPC from the internet", "Settings for DB instances"; RDS API Reference,
//! `ModifyDBInstance`; Security Hub RDS.2.

use portcullis_controls::prelude::*;
use portcullis_core::JudgeContext;

use crate::database::{Database, DatabaseChange, DatabaseFact};

pub const CONTROL: Control<Database> = Control {
    meta: Meta {
        id: "rds-instance-public",
        title: "A DB instance has no public address",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["Security Hub RDS.2", "Config rds-instance-public-access-check"],
        calls: &[
            "AddTagsToResource",
            "CreateDBInstance",
            "CreateDBInstanceReadReplica",
            "ModifyDBInstance",
            "RemoveTagsFromResource",
            "RestoreDBInstanceFromDBSnapshot",
            "RestoreDBInstanceFromS3",
            "RestoreDBInstanceToPointInTime",
            "StartDBInstance",
        ],
    },
    reads: &[DatabaseFact::Description, DatabaseFact::Public],
    changes: &[DatabaseFact::Public],
    judge: &judge,
};

fn judge(instance: &Database, _: &JudgeContext<'_>) -> Judgement<DatabaseChange> {
    if instance.public.get() != Some(&true) {
        return Judgement::Compliant;
    }
    if let Some(cluster) = instance.cluster.get().filter(|_| instance.is_of_multi_az_engine()) {
        return Judgement::NotApplicable(format!(
            "it is a member of the Multi-AZ DB cluster {cluster}, with which it is judged"
        ));
    }
    if instance.is_stopped() {
        return Judgement::NotApplicable(
            "it is stopped: nobody reaches it, and AWS changes it once it is started".into(),
        );
    }
    Finding::new(
        Severity::Critical,
        Clause::new(
            "is public: whoever its security groups let in reaches it from the internet",
            "was public: whoever its security groups let in reached it from the internet",
        ),
        "take its public address away (PubliclyAccessible=false, by itself)",
        vec![DatabaseChange::Public(false)],
    )
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::testing::{judging, resource};
    use portcullis_core::{Observed, Settings};

    use super::*;

    fn judged(change: impl FnOnce(&mut Database)) -> Judgement<DatabaseChange> {
        let mut instance = Database {
            status: Observed::Is("available".into()),
            engine: Observed::Is("postgres".into()),
            public: Observed::Is(true),
            ..Database::default()
        };
        change(&mut instance);
        let of = resource("AWS::RDS::DBInstance", "arn:aws:rds:eu-west-1:111122223333:db:shop");
        judging(&of, &Settings::default(), |context| judge(&instance, context))
    }

    #[test]
    fn the_flag_alone_is_taken_away() {
        let Judgement::Violated(finding) = judged(|_| ()) else {
            panic!()
        };
        assert_eq!(finding.remedies, [DatabaseChange::Public(false)]);
        assert_eq!(finding.severity, Severity::Critical);
        assert_eq!(judged(|one| one.public = Observed::Is(false)), Judgement::Compliant);
    }

    #[test]
    fn a_member_of_aurora_is_changed_by_itself_and_one_of_a_multi_az_cluster_is_not() {
        let member = |engine: &str| {
            judged(|one| (one.engine, one.cluster) = (Observed::Is(engine.into()), Observed::Is("orders".into())))
        };
        for engine in ["aurora-postgresql", "aurora-mysql", "neptune"] {
            assert!(matches!(member(engine), Judgement::Violated(_)), "{engine}");
        }
        for engine in ["mysql", "postgres"] {
            let Judgement::NotApplicable(why) = member(engine) else {
                panic!("{engine}")
            };
            assert!(why.contains("Multi-AZ DB cluster orders"), "{why}");
        }
    }

    #[test]
    fn a_stopped_one_is_reached_by_nobody_and_rds_custom_and_a_replica_are_like_any_other() {
        let Judgement::NotApplicable(why) = judged(|one| one.status = Observed::Is("stopped".into())) else {
            panic!()
        };
        assert!(why.contains("stopped"), "{why}");
        let custom = judged(|one| one.engine = Observed::Is("custom-oracle-ee".into()));
        let replica = judged(|one| one.replication = Observed::Is(["source".to_owned()].into()));
        assert!(
            [custom, replica]
                .iter()
                .all(|found| matches!(found, Judgement::Violated(_)))
        );
    }
}
