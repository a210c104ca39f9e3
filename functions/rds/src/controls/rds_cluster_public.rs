//! # What it requires
//! Nobody reaches a DB cluster from the internet: a Multi-AZ DB cluster has no public address, and an Aurora cluster no internet access
//! gateway. The public addresses of other clusters are their members': see `rds-instance-public`.
//!
//! # Why
//! Databases are scanned for within minutes. Without a subnet group, or with the one called `default`, RDS makes a Multi-AZ DB cluster
//! public by itself.
//!
//! # What it changes
//! A cluster's public address is settled when it is made. Where its data's level says `quarantine: true` (or this control does), its
//! security groups are swapped for `portcullis-quarantine` by `ModifyDBCluster`, as `rds-cluster-quarantine` does it. Elsewhere it is told:
//! a person restores a snapshot of it to a cluster without one (`restore-db-cluster-from-snapshot --no-publicly-accessible`). An
//! internet access gateway can't be taken away, and such a cluster has no security groups: it is told as well.
//!
//! # What may break
//! Where it is cut off, all that uses the database, until a restore. Connections that are open may go on.
//!
//! # References
//! RDS API Reference, `CreateDBCluster`, `PubliclyAccessible`; `DBCluster`, `InternetAccessGatewayEnabled`; Security Hub RDS.2.

use portcullis_controls::prelude::*;
use portcullis_core::JudgeContext;

use crate::database::{Database, DatabaseChange, DatabaseFact};
use crate::judged;

pub const CONTROL: Control<Database> = Control {
    meta: META,
    reads: &[DatabaseFact::Description, DatabaseFact::Public, DatabaseFact::Groups],
    changes: &[DatabaseFact::Groups],
    judge: &judge,
};

const META: Meta = Meta {
    id: "rds-cluster-public",
    title: "Nobody reaches a DB cluster from the internet",
    severity: Severity::Critical,
    impact: Impact::Availability,
    default: Switch::Enforce,
    standards: &["Security Hub RDS.2"],
    calls: &[
        "AddTagsToResource",
        "CreateDBCluster",
        "ModifyDBCluster",
        "RemoveTagsFromResource",
        "RestoreDBClusterFromS3",
        "RestoreDBClusterFromSnapshot",
        "RestoreDBClusterToPointInTime",
        "StartDBCluster",
    ],
};

fn judge(cluster: &Database, context: &JudgeContext<'_>) -> Judgement<DatabaseChange> {
    let told = |severity, what: Clause, change: &str, why: String| -> Judgement<DatabaseChange> {
        Finding::new(severity, what, change, Vec::new()).only_notify(why).into()
    };
    if cluster.gateway.get() == Some(&true) {
        let what = Clause::new(
            "is reached from the internet by its internet access gateway: IAM alone keeps people out",
            "was reached from the internet by its internet access gateway: IAM alone kept people out",
        );
        let why = "AWS has no call that takes the gateway away, and the cluster has no security groups";
        let change = "restore a snapshot of it to a cluster in a VPC";
        return told(Severity::High, what, change, why.into());
    }
    if cluster.public.get() != Some(&true) || cluster.is_cut_off() {
        return Judgement::Compliant;
    }
    let what = Clause::new(
        "is public: whoever its security groups let in reaches it from the internet",
        "was public: whoever its security groups let in reached it from the internet",
    );
    if judged::is_asked_for(&META, context) {
        return judged::cut_off(cluster, Severity::Critical, what);
    }
    if cluster.is_stopped() {
        return Judgement::NotApplicable("it is stopped: nobody reaches it".into());
    }
    let change = "restore a snapshot of it to a cluster without a public address: aws rds restore-db-cluster-from-snapshot --no-publicly-accessible";
    let level = context.level_name;
    let why =
        format!("AWS can't take a cluster's public address away, and data of the level {level} are not quarantined");
    told(Severity::Critical, what, change, why)
}

#[cfg(test)]
mod tests {
    use portcullis_core::testing::{judging, resource};
    use portcullis_core::{Effect, Observed, Settings};

    use super::*;
    use crate::database::QUARANTINE;

    fn judged(quarantine: bool, change: impl FnOnce(&mut Database)) -> Judgement<DatabaseChange> {
        let mut cluster = Database {
            status: Observed::Is("available".into()),
            engine: Observed::Is("postgres".into()),
            public: Observed::Is(true),
            vpc: Observed::Is("vpc-1".into()),
            groups: Observed::Is(["sg-1".to_owned()].into()),
            ..Database::default()
        };
        change(&mut cluster);
        let of = resource(
            "AWS::RDS::DBCluster",
            "arn:aws:rds:eu-west-1:111122223333:cluster:orders",
        );
        let mut settings = Settings::default();
        settings.classification.levels.get_mut("internal").unwrap().quarantine = quarantine;
        judging(&of, &settings, |context| judge(&cluster, context))
    }

    #[test]
    fn a_public_cluster_is_cut_off_where_the_level_says_so_and_told_elsewhere() {
        let finding = judged(true, |_| ()).finding().unwrap();
        assert_eq!(
            (finding.severity, finding.effect),
            (Severity::Critical, Effect::Quarantine)
        );
        assert_eq!(
            finding.remedies,
            [DatabaseChange::Groups {
                vpc: "vpc-1".into(),
                to: [QUARANTINE.to_owned()].into(),
                kept: Some("sg-1".into()),
            }]
        );
        let told = judged(false, |_| ()).finding().unwrap();
        assert!(told.remedies.is_empty() && told.only_notify.is_some());
        let cut_off = judged(true, |one| one.groups = Observed::Is([QUARANTINE.to_owned()].into()));
        assert_eq!(cut_off, Judgement::Compliant);
        let stopped = judged(true, |one| one.status = Observed::Is("stopped".into()));
        assert!(matches!(stopped, Judgement::NotApplicable(_)));
    }

    #[test]
    fn a_gateway_is_told_since_nothing_takes_it_away() {
        let express = judged(true, |one| {
            (one.gateway, one.public) = (Observed::Is(true), Observed::Is(false));
            (one.vpc, one.groups) = (Observed::Absent, Observed::Absent);
        });
        let finding = express.finding().unwrap();
        assert_eq!(finding.severity, Severity::High);
        assert!(finding.remedies.is_empty() && finding.only_notify.is_some());
    }
}
