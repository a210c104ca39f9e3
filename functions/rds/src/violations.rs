//! A violation of each control of RDS, and what RDS's sample events come to.
//!
//! What is right afterwards is what AWS documents: RDS User Guide, "Sharing a DB snapshot", "Hiding a DB instance in a VPC from the
//! internet", "Encrypting Amazon RDS resources", "Deleting a DB instance"; Aurora User Guide, "Encrypting Amazon Aurora resources".
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "this is test support: a panic is how a test fails"
)]

mod made;

use portcullis_testkit::{
    Answered as _, Arranged, Boxed, Sample, ServiceUnderTest, Subject as _, Violation, Way, World, changes,
    controls_in, violation,
};

use made::{AURORA, CUT_OFF, Made, Make, Rds};

/// RDS as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: VIOLATIONS,
    samples: SAMPLES,
    ways: WAYS,
};

const PARTNER: &str = "444455556666";
const STRANGER: &str = "777788889999";
const TRUSTED: &str = "trusted: {accounts: ['444455556666']}\n";

/// One that is shared with everybody, and with a partner.
async fn public(snapshot: Made) -> Arranged {
    snapshot.share(&["all", PARTNER]).await;
    let by: &[&str] = snapshot.sharing_call();
    let arranged = snapshot.remediated(by[0], "CRITICAL", by);
    arranged.right("shared with", PARTNER)
}

/// One that is shared with a partner and with a stranger.
async fn strange(snapshot: Made) -> Arranged {
    snapshot.share(&[PARTNER, STRANGER]).await;
    let by: &[&str] = snapshot.sharing_call();
    let arranged = snapshot.remediated(by[0], "HIGH", by).settings(TRUSTED);
    arranged.says(STRANGER).right("shared with", PARTNER)
}

/// One that is not encrypted and is to be marked.
fn marked(database: &Made, call: &str, beside: &'static [&'static str]) -> Arranged {
    let arranged = database.broken_by(call).beside(beside).told("MEDIUM", "needs-action");
    let arranged = arranged.headline("needs-action").fixed_by(&["AddTagsToResource"]);
    let tags = "portcullis:quarantine=unencrypted";
    arranged.right("tags", tags).undone_by(&["RemoveTagsFromResource"])
}

/// One of restricted data that is to be cut off.
fn cut_off(database: &Made, call: &str) -> Arranged {
    let kept = format!("DataClassification=restricted, portcullis:groups={}", database.group);
    let arranged = database.broken_by(call).right("groups", CUT_OFF).right("tags", kept);
    arranged.changes(1).own(&database.group, "GROUP")
}

const VIOLATIONS: &[Violation] = &[
    violation!("rds-snapshot-public", |rds: Rds| public(rds.snapshot().await).await),
    violation!("rds-snapshot-external-access", |rds: Rds| strange(rds.snapshot().await)
        .await),
    violation!("rds-snapshot-encrypted", |rds: Rds| {
        let told = rds.snapshot().await.broken_by("CreateDBSnapshot");
        told.told("MEDIUM", "needs-action").says("aws rds copy-db-snapshot")
    }),
    violation!("rds-cluster-snapshot-public", |rds: Rds| {
        public(rds.cluster_snapshot().await).await
    }),
    violation!("rds-cluster-snapshot-external-access", |rds: Rds| {
        strange(rds.cluster_snapshot().await).await
    }),
    violation!("rds-cluster-snapshot-encrypted", |rds: Rds| {
        let told = rds.cluster_snapshot().await.broken_by("CreateDBClusterSnapshot");
        told.told("MEDIUM", "needs-action")
            .says("restore-db-cluster-from-snapshot")
    }),
    violation!("rds-instance-public", |rds: Rds| {
        let instance = rds.instance(Make::public()).await;
        let arranged = instance.remediated("ModifyDBInstance", "CRITICAL", &["ModifyDBInstance"]);
        arranged.right("public", "false")
    }),
    violation!("rds-instance-encrypted", |rds: Rds| {
        let told = rds.instance(Make::plain()).await.broken_by("CreateDBInstance");
        told.told("MEDIUM", "needs-action")
            .says("restore-db-instance-from-db-snapshot")
    }),
    violation!("rds-instance-marked", |rds: Rds| {
        marked(
            &rds.instance(Make::plain()).await,
            "CreateDBInstance",
            &["rds-instance-encrypted"],
        )
    }),
    violation!("rds-instance-quarantine", |rds: Rds| {
        let arranged = cut_off(&rds.instance(Make::plain().restricted()).await, "AddTagsToResource");
        let arranged = arranged.beside(&["rds-instance-encrypted"]).headline("needs-action");
        arranged
            .told("HIGH", "quarantined")
            .fixed_by(&[
                "AddTagsToResource",
                "CreateSecurityGroup",
                "RevokeSecurityGroupEgress", // of IPv4
                "RevokeSecurityGroupEgress", // and of IPv6
                "ModifyDBInstance",
            ])
            .undone_by(&["ModifyDBInstance", "RemoveTagsFromResource"])
    }),
    violation!("rds-instance-deletion-protection", |rds: Rds| {
        let instance = rds.instance(Make::unprotected()).await;
        let arranged = instance.remediated("ModifyDBInstance", "LOW", &["ModifyDBInstance"]);
        arranged.right("deletion protection", "true")
    }),
    violation!("rds-cluster-public", |rds: Rds| {
        let cluster = rds.cluster("postgres", Make::public().restricted()).await;
        cut_off(&cluster, "CreateDBCluster")
            .told("CRITICAL", "quarantined")
            .fixed_by(&[
                "AddTagsToResource",
                "CreateSecurityGroup",
                "RevokeSecurityGroupEgress", // of IPv4
                "RevokeSecurityGroupEgress", // and of IPv6
                "ModifyDBCluster",
            ])
            .undone_by(&["ModifyDBCluster", "RemoveTagsFromResource"])
    }),
    violation!("rds-cluster-encrypted", |rds: Rds| {
        let told = rds.cluster(AURORA, Make::plain()).await.broken_by("CreateDBCluster");
        told.told("MEDIUM", "needs-action")
            .says("restore-db-cluster-from-snapshot")
    }),
    violation!("rds-cluster-marked", |rds: Rds| {
        marked(
            &rds.cluster(AURORA, Make::plain()).await,
            "CreateDBCluster",
            &["rds-cluster-encrypted"],
        )
    }),
    violation!("rds-cluster-quarantine", |rds: Rds| {
        let cluster = rds.cluster(AURORA, Make::plain().restricted()).await;
        let arranged = cut_off(&cluster, "AddTagsToResource").beside(&["rds-cluster-encrypted"]);
        arranged
            .told("HIGH", "quarantined")
            .headline("needs-action")
            .fixed_by(&[
                "AddTagsToResource",
                "CreateSecurityGroup",
                "RevokeSecurityGroupEgress", // of IPv4
                "RevokeSecurityGroupEgress", // and of IPv6
                "ModifyDBCluster",
            ])
            .undone_by(&["ModifyDBCluster", "RemoveTagsFromResource"])
    }),
    violation!("rds-cluster-deletion-protection", |rds: Rds| {
        let cluster = rds.cluster(AURORA, Make::unprotected()).await;
        let arranged = cluster.remediated("ModifyDBCluster", "LOW", &["ModifyDBCluster"]);
        arranged.right("deletion protection", "true")
    }),
];

const PLAIN: &str = "instance-encrypted instance-marked";
const PLAIN_CLUSTER: &str = "cluster-encrypted cluster-marked";

const SAMPLES: &[Sample] = &[
    Sample::of("AddTagsToResource", "rds-instance-quarantine")
        .closed("instance-quarantine")
        .left(PLAIN),
    Sample::of("CopyDBClusterSnapshot", "rds-cluster-snapshot-encrypted").left("cluster-snapshot-encrypted"),
    Sample::of("CopyDBSnapshot", "rds-snapshot-encrypted").left("snapshot-encrypted"),
    Sample::of("CreateDBCluster", "rds-cluster-encrypted").left(PLAIN_CLUSTER),
    Sample::of("CreateDBClusterSnapshot", "rds-cluster-snapshot-encrypted").left("cluster-snapshot-encrypted"),
    Sample::of("CreateDBInstance", "rds-instance-encrypted").left(PLAIN),
    Sample::of("CreateDBInstanceReadReplica", "rds-instance-public").right("instance-public"),
    Sample::of("CreateDBSnapshot", "rds-snapshot-encrypted").left("snapshot-encrypted"),
    Sample::of("DeleteDBCluster", "rds-cluster-encrypted"),
    Sample::of("DeleteDBClusterSnapshot", "rds-cluster-snapshot-encrypted"),
    Sample::of("DeleteDBInstance", "rds-instance-encrypted"),
    Sample::of("DeleteDBSnapshot", "rds-snapshot-encrypted"),
    Sample::of("ModifyDBCluster", "rds-cluster-deletion-protection").told("cluster-deletion-protection"),
    Sample::of("ModifyDBClusterSnapshotAttribute", "rds-cluster-snapshot-public")
        .right("cluster-snapshot-public")
        .told("cluster-snapshot-external-access"),
    Sample::of("ModifyDBInstance", "rds-instance-public").right("instance-public"),
    Sample::of("ModifyDBSnapshotAttribute", "rds-snapshot-public")
        .right("snapshot-public")
        .told("snapshot-external-access"),
    Sample::of("RemoveTagsFromResource", "rds-instance-encrypted").left(PLAIN),
    Sample::of("RestoreDBClusterFromS3", "rds-cluster-encrypted").left(PLAIN_CLUSTER),
    Sample::of("RestoreDBClusterFromSnapshot", "rds-cluster-quarantine")
        .closed("cluster-quarantine")
        .left(PLAIN_CLUSTER),
    Sample::of("RestoreDBClusterToPointInTime", "rds-cluster-encrypted").left(PLAIN_CLUSTER),
    Sample::of("RestoreDBInstanceFromDBSnapshot", "rds-instance-public").right("instance-public"),
    Sample::of("RestoreDBInstanceFromS3", "rds-instance-encrypted").left(PLAIN),
    Sample::of("RestoreDBInstanceToPointInTime", "rds-instance-public").right("instance-public"),
    Sample::of("StartDBCluster", "rds-cluster-public").closed("cluster-public"),
    Sample::of("StartDBInstance", "rds-instance-public").right("instance-public"),
];

const WAYS: &[Way] = &[
    Way {
        name: "a quarantine group that somebody opened is closed before it is used",
        go: |world| opened(world),
    },
    Way {
        name: "what RDS tells, and AWS Config by an id, leads to the instance",
        go: |world| told(world),
    },
    Way {
        name: "a stopped instance is left, and put right when it is started",
        go: |world| stopped(world),
    },
    Way {
        name: "the key of an encrypted database is looked up",
        go: |world| keyed(world),
    },
];

/// RDS tells that an instance was made, and AWS Config, by its id, that one does not comply.
fn told(world: World) -> Boxed<()> {
    Box::pin(async move {
        let rds = Rds::from(world);
        let function = rds.world.function_of("portcullis-rds").start().await;
        for by_config in [false, true] {
            let instance = rds.instance(Make::public()).await;
            let event = if by_config {
                instance.by_config().await
            } else {
                instance.by_rds("RDS DB Instance Event", "RDS-EVENT-0005")
            };
            let done = function.invoke(event).await;
            assert_eq!(controls_in(done.answer())["rds-instance-public"], "remediated");
        }
    })
}

/// One that is stopped takes no change, and is put right once it is started.
fn stopped(world: World) -> Boxed<()> {
    Box::pin(async move {
        let rds = Rds::from(world);
        let (instance, function) = (
            rds.instance(Make::public()).await,
            rds.world.function_of("portcullis-rds"),
        );
        let function = function.start().await;
        instance.stop(true).await;
        let done = function.invoke(instance.call("ModifyDBInstance").event()).await;
        assert_eq!(changes(&done.calls), [""; 0], "{:?}", done.result);
        instance.stop(false).await;
        let done = function
            .invoke(instance.by_rds("RDS DB Instance Event", "RDS-EVENT-0154"))
            .await;
        assert_eq!(controls_in(done.answer())["rds-instance-public"], "remediated");
    })
}

fn opened(world: World) -> Boxed<()> {
    Box::pin(async move {
        let rds = Rds::from(world);
        let instance = rds.instance(Make::plain().restricted()).await;
        rds.opened_quarantine_group(&instance.vpc).await;
        let function = rds.world.function_of("portcullis-rds").start().await;
        let done = function.invoke(instance.call("AddTagsToResource").event()).await;
        assert_eq!(controls_in(done.answer())["rds-instance-quarantine"], "quarantined");
        assert_eq!(rds.rules_of_quarantine_group(&instance.vpc).await, 0);
    })
}

fn keyed(world: World) -> Boxed<()> {
    Box::pin(async move {
        let rds = Rds::from(world);
        let instance = rds.instance(Make::keyed().restricted()).await;
        let function = rds.world.function_of("portcullis-rds").start().await;
        let done = function.invoke(instance.call("CreateDBInstance").event()).await;
        assert_eq!(controls_in(done.answer())["rds-instance-encrypted"], "needs-action");
    })
}
