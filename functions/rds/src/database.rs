//! DB instances and DB clusters: who reaches them, and whether they are encrypted.

use std::borrow::Cow;
use std::collections::BTreeSet;

use portcullis_core::{Change, Observed, ResourceType, SignedDuration, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::naming::{self, Naming, SOURCE};
use crate::native;
use crate::storage::Encryption;

/// How an instance is named.
pub(crate) const INSTANCES: Naming = Naming {
    kind: "AWS::RDS::DBInstance",
    path: "db:",
    parameters: &["targetDBInstanceIdentifier", "dBInstanceIdentifier"],
    renamed: "newDBInstanceIdentifier",
    answered: "dBInstanceArn",
    id_prefix: "db-",
    expected: (63, "a DB instance's identifier: 1 to 63 letters, digits and hyphens"),
};

/// How a cluster is named.
pub(crate) const CLUSTERS: Naming = Naming {
    kind: "AWS::RDS::DBCluster",
    path: "cluster:",
    parameters: &["dBClusterIdentifier"],
    renamed: "newDBClusterIdentifier",
    answered: "dBClusterArn",
    id_prefix: "cluster-",
    expected: (63, "a DB cluster's identifier: 1 to 63 letters, digits and hyphens"),
};

/// A DB instance, or a DB cluster, as read. Source: Service Authorization Reference, "Actions, resources, and condition keys for
/// Amazon RDS"; a change of a cluster takes the permission to change its members as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
#[facts(
    change = DatabaseChange,
    also(
        Mark,
        read("rds:DescribeDBClusters", "rds:DescribeDBInstances"),
        write("rds:AddTagsToResource", "rds:RemoveTagsFromResource")
    )
)]
pub struct Database {
    /// Its tags; none reads as an empty map.
    #[fact(tags, name = Description, read("rds:DescribeDBClusters", "rds:DescribeDBInstances"))]
    pub tags: Observed<Tags>,
    /// What AWS does with it, as in `available`.
    #[fact(name = Description)]
    pub status: Observed<String>,
    /// Its id, which it keeps under a new name: another one of its name is not it.
    #[fact(name = Description)]
    pub resource_id: Observed<String>,
    /// Its engine, as in `postgres`.
    #[fact(name = Description)]
    pub engine: Observed<String>,
    /// The cluster of an instance that is a member of one.
    #[fact(name = Description)]
    pub cluster: Observed<String>,
    /// The replicas that it has, and the source that it is a replica of.
    #[fact(name = Description)]
    pub replication: Observed<BTreeSet<String>>,
    /// Whether it has an internet access gateway, by which everybody reaches its endpoint. Source: RDS API Reference, `DBCluster`.
    #[fact(name = Description)]
    pub gateway: Observed<bool>,
    /// What it is encrypted with; absent where it isn't.
    #[fact(read("kms:DescribeKey"))]
    pub encryption: Observed<Encryption>,
    /// Whether its endpoint has a public address (`PubliclyAccessible`).
    #[fact(
        read("rds:DescribeDBClusters", "rds:DescribeDBInstances"),
        write("rds:ModifyDBInstance")
    )]
    pub public: Observed<bool>,
    /// Whether it can be deleted only once somebody has taken this off.
    #[fact(
        name = DeletionProtection,
        read("rds:DescribeDBClusters", "rds:DescribeDBInstances"),
        write("rds:ModifyDBCluster", "rds:ModifyDBInstance")
    )]
    pub deletion_protection: Observed<bool>,
    /// Its VPC; absent where it has none of its own.
    #[fact(name = Groups, read("rds:DescribeDBSubnetGroups"))]
    pub vpc: Observed<String>,
    /// The ids of its security groups; of the quarantine group its name, since it may be yet to be made.
    #[fact(
        read("ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"),
        write(
            "ec2:CreateSecurityGroup",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "rds:AddTagsToResource",
            "rds:ModifyDBCluster",
            "rds:ModifyDBInstance",
            "rds:RemoveTagsFromResource"
        )
    )]
    pub groups: Observed<BTreeSet<String>>,
}

/// The name of the security group of a VPC that lets nothing in or out.
pub const QUARANTINE: &str = "portcullis-quarantine";
/// The tag that keeps the groups that a quarantine took.
pub const GROUPS: &str = "portcullis:groups";
/// The tag of what a person has to look at.
pub const TAG: &str = "portcullis:quarantine";
/// Its value.
pub const UNENCRYPTED: &str = "unencrypted";
/// What a tag's value holds. Source: RDS User Guide, "Tagging Amazon RDS resources".
const TAG_LENGTH: usize = 256;

/// A change to a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseChange {
    /// `ModifyDBInstance`: whether its endpoint has a public address.
    Public(bool),
    /// `ModifyDBInstance`, `ModifyDBCluster`
    DeletionProtection(bool),
    /// `AddTagsToResource`, `RemoveTagsFromResource`: the tag that says that it is not encrypted, with this value, or none.
    Mark(Option<String>),
    /// `ModifyDBInstance`, `ModifyDBCluster`: other security groups. A tag keeps those that a quarantine took.
    Groups {
        /// The VPC, in which the quarantine group may be yet to be made.
        vpc: String,
        /// What they are to be.
        to: BTreeSet<String>,
        /// The tag that keeps what they were, or none.
        kept: Option<String>,
    },
    /// One of these that undoes something, of the database of this id alone: by then another one may have its name.
    Of {
        /// Its id.
        id: String,
        /// The change.
        change: Box<Self>,
    },
}

/// DB instances. The classification of the data is in their tags.
pub const OF_INSTANCES: ResourceType<Database> = ResourceType {
    name: INSTANCES.kind,
    arn_form: "rds:{r}:{a}:db:{n}",
    source: SOURCE,
    always: &[DatabaseFact::Description],
    list_actions: &["rds:DescribeDBInstances"],
    creates: &[
        "CreateDBInstance",
        "CreateDBInstanceReadReplica",
        "RestoreDBInstanceFromDBSnapshot",
        "RestoreDBInstanceFromS3",
        "RestoreDBInstanceToPointInTime",
    ],
    deletes: &["DeleteDBInstance"],
    native_events: &[native::INSTANCE],
    named: |call| INSTANCES.named(call),
    identified: |text, place| INSTANCES.identified(text, place),
    matters: naming::matters,
    busy: Database::busy,
    comparable,
    restore_reads: &[DatabaseFact::Description],
    restore_plan: |database, changes| changes.into_iter().map(|change| change.only_of(database)).collect(),
    ..ResourceType::REGIONAL
};

/// DB clusters: Aurora, Multi-AZ, DocumentDB, Neptune.
pub const OF_CLUSTERS: ResourceType<Database> = ResourceType {
    name: CLUSTERS.kind,
    arn_form: "rds:{r}:{a}:cluster:{n}",
    list_actions: &["rds:DescribeDBClusters"],
    creates: &[
        "CreateDBCluster",
        "RestoreDBClusterFromS3",
        "RestoreDBClusterFromSnapshot",
        "RestoreDBClusterToPointInTime",
    ],
    deletes: &["DeleteDBCluster"],
    native_events: &[native::CLUSTER],
    named: |call| CLUSTERS.named(call),
    identified: |text, place| CLUSTERS.identified(text, place),
    ..OF_INSTANCES
};

/// What AWS does to it, and who copies it, goes on by itself.
fn comparable(database: &Database) -> Database {
    Database {
        status: Observed::Unread,
        replication: Observed::Unread,
        ..database.clone()
    }
}

impl Database {
    /// What AWS is doing to it: in these states it refuses a change (`InvalidDBInstanceState`). In others, such as `storage-full`, AWS is
    /// asked. Source: RDS User Guide, "Viewing Amazon RDS DB instance status"; Aurora User Guide, "Viewing DB cluster status".
    fn busy(&self) -> Option<String> {
        const BUSY: [&str; 15] = [
            "configuring-enhanced-monitoring",
            "configuring-iam-database-auth",
            "configuring-log-exports",
            "converting-to-vpc",
            "creating",
            "maintenance",
            "migrating",
            "modifying",
            "moving-to-vpc",
            "promoting",
            "rebooting",
            "renaming",
            "starting",
            "stopping",
            "upgrading",
        ];
        let status = self.status.get()?;
        BUSY.contains(&status.as_str())
            .then(|| format!("its status is {status}"))
    }

    /// Whether it is stopped: nobody reaches it, and AWS refuses to change it. Source: RDS User Guide, "Stopping an Amazon RDS DB
    /// instance temporarily".
    pub fn is_stopped(&self) -> bool {
        self.status.get().is_some_and(|status| status == "stopped")
    }

    /// Whether nothing is let in but by the quarantine group.
    pub fn is_cut_off(&self) -> bool {
        self.groups.get().is_some_and(|groups| groups.iter().eq([QUARANTINE]))
    }

    /// Whether it is of a Multi-AZ DB cluster, or one: of those of MySQL and PostgreSQL themselves. Source: RDS User Guide, "Multi-AZ DB
    /// cluster deployments".
    pub fn is_of_multi_az_engine(&self) -> bool {
        let engine = self.engine.get().map(String::as_str);
        engine.is_some_and(|engine| ["mysql", "postgres"].contains(&engine))
    }

    /// Whether it is RDS Custom, whose security groups AWS does not change. Source: RDS API Reference, `ModifyDBInstance`,
    /// `VpcSecurityGroupIds`.
    pub fn is_custom(&self) -> bool {
        self.engine.get().is_some_and(|engine| engine.starts_with("custom-"))
    }
}

/// As many of these as a tag can hold; the ledger has them all.
pub(crate) fn joined(groups: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for group in groups {
        if text.len() + 1 + group.len() > TAG_LENGTH {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(group);
    }
    text
}

impl DatabaseChange {
    /// The tag that it sets, or takes off.
    pub(crate) fn tag(&self) -> Option<(&'static str, Option<&String>)> {
        match self {
            Self::Mark(value) => Some((TAG, value.as_ref())),
            Self::Groups { kept, .. } => Some((GROUPS, kept.as_ref())),
            Self::Public(_) | Self::DeletionProtection(_) => None,
            Self::Of { change, .. } => change.tag(),
        }
    }

    /// The change without the database that it is of.
    pub fn itself(&self) -> &Self {
        match self {
            Self::Of { change, .. } => change.itself(),
            change => change,
        }
    }

    /// The change itself, where the database is the one that it is of. A name may be taken anew, and a rename leaves it to another.
    fn only_of(self, database: &Database) -> Result<Self, String> {
        let Self::Of { id, change } = self else { return Ok(self) };
        match database.resource_id.get() {
            Some(found) if *found != id => Err(format!(
                "the record is about the database {id}, and {found} has that name now: one that was renamed is put right by hand"
            )),
            _ => Ok(*change),
        }
    }

    fn undone(&self, before: &Database) -> Option<Self> {
        let tag = |name: &str| Some(before.tags.get()?.get(name).map(ToString::to_string));
        Some(match self {
            Self::Public(_) => Self::Public(*before.public.get()?),
            Self::DeletionProtection(_) => Self::DeletionProtection(*before.deletion_protection.get()?),
            Self::Mark(_) => Self::Mark(tag(TAG)?),
            Self::Groups { vpc, .. } => Self::Groups {
                vpc: vpc.clone(),
                to: before.groups.get()?.clone(),
                kept: tag(GROUPS)?,
            },
            Self::Of { change, .. } => return change.undone(before),
        })
    }
}

impl Change for DatabaseChange {
    type State = Database;

    fn fact(&self) -> DatabaseFact {
        match self {
            Self::Public(_) => DatabaseFact::Public,
            Self::DeletionProtection(_) => DatabaseFact::DeletionProtection,
            Self::Mark(_) => DatabaseFact::Mark,
            Self::Groups { .. } => DatabaseFact::Groups,
            Self::Of { change, .. } => change.fact(),
        }
    }

    fn after(&self, database: &Database) -> Database {
        let mut after = database.clone();
        match self {
            Self::Public(public) => after.public = Observed::Is(*public),
            Self::DeletionProtection(on) => after.deletion_protection = Observed::Is(*on),
            Self::Mark(_) => {}
            Self::Groups { to, .. } => after.groups = Observed::Is(to.clone()),
            Self::Of { change, .. } => return change.after(database),
        }
        if let (Some((tag, value)), Observed::Is(tags)) = (self.tag(), &mut after.tags) {
            let others = tags.iter().filter(|(key, _)| *key != tag);
            let own = value.map(|value| (tag.to_owned(), value.clone()));
            *tags = others
                .map(|(key, value)| (key.clone(), value.clone()))
                .chain(own)
                .collect();
        }
        after
    }

    fn inverse(&self, before: &Database) -> Option<Self> {
        let change = self.undone(before)?;
        Some(match before.resource_id.get() {
            Some(id) => Self::Of {
                id: id.clone(),
                change: Box::new(change),
            },
            None => change,
        })
    }

    fn target(&self) -> Cow<'static, str> {
        match self {
            Self::Of { change, .. } => return change.target(),
            Self::Public(_) => "public",
            Self::DeletionProtection(_) => "deletion_protection",
            Self::Mark(_) => "quarantine_tag",
            Self::Groups { .. } => "groups",
        }
        .into()
    }

    /// RDS takes minutes over an address or groups, and shows neither while it does: its answer says what was before, under the
    /// status `available`. Source: RDS API Reference, `PendingModifiedValues`, which has no member for them.
    fn settles(&self) -> Option<SignedDuration> {
        match self {
            Self::Public(_) | Self::Groups { .. } => Some(SignedDuration::from_mins(60)),
            Self::DeletionProtection(_) | Self::Mark(_) => None,
            Self::Of { change, .. } => change.settles(),
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::State as _;

    use super::*;

    #[test]
    fn what_aws_is_at_work_on_is_busy_and_what_only_looks_unwell_is_not() {
        let busy = |status: &str| {
            let status = Observed::Is(status.to_owned());
            (OF_INSTANCES.busy)(&Database {
                status,
                ..Database::default()
            })
        };
        for status in [
            "creating",
            "modifying",
            "renaming",
            "starting",
            "stopping",
            "upgrading",
            "rebooting",
        ] {
            assert_eq!(busy(status), Some(format!("its status is {status}")));
        }
        for status in [
            "available",
            "stopped",
            "storage-full",
            "backing-up",
            "storage-optimization",
            "incompatible-network",
        ] {
            assert_eq!(busy(status), None, "{status}");
        }
        assert_eq!((OF_CLUSTERS.busy)(&Database::default()), None);
    }

    #[test]
    fn a_quarantine_keeps_the_groups_on_the_database_and_a_restore_leaves_no_trace() {
        let groups = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        let before = Database {
            tags: Observed::Is([("team".to_owned(), "shop".to_owned())].into_iter().collect()),
            groups: Observed::Is(groups(&["sg-1", "sg-2"])),
            ..Database::default()
        };
        let swap = DatabaseChange::Groups {
            vpc: "vpc-1".into(),
            to: groups(&[QUARANTINE]),
            kept: Some(joined(&groups(&["sg-1", "sg-2"]))),
        };
        let after = before.after(&swap);
        assert!(after.is_cut_off() && !before.is_cut_off());
        assert_eq!(
            after.tags.get().unwrap().get(GROUPS).map(AsRef::as_ref),
            Some("sg-1 sg-2")
        );
        assert_eq!(after.after(&before.inverse(&swap).unwrap()), before);
    }

    #[test]
    fn what_a_restore_undoes_is_undone_of_the_same_database_and_of_no_other_of_its_name() {
        let of = |id: &str| Database {
            resource_id: Observed::Is(id.to_owned()),
            public: Observed::Is(true),
            ..Database::default()
        };
        let before = of("db-ONE");
        let (taken, private) = (
            DatabaseChange::Public(false),
            before.after(&DatabaseChange::Public(false)),
        );
        let back = before.inverse(&taken).unwrap();
        assert_eq!(private.after(&back), before);
        let plan = OF_INSTANCES.restore_plan;
        assert_eq!(
            plan(&private, vec![back.clone()]),
            Ok(vec![DatabaseChange::Public(true)])
        );
        let refused = plan(&of("db-OTHER"), vec![back.clone()]).unwrap_err();
        assert!(refused.contains("db-ONE") && refused.contains("db-OTHER"), "{refused}");
        // As the ledger keeps it.
        let kept = serde_json::to_string(&back).unwrap();
        assert_eq!(serde_json::from_str::<DatabaseChange>(&kept).unwrap(), back);
    }

    #[test]
    fn a_tag_holds_whole_ids_only() {
        let many: BTreeSet<_> = (0..20).map(|number| format!("sg-0a1b2c3d4e5f{number:05}")).collect();
        let text = joined(&many);
        assert!(text.len() <= TAG_LENGTH);
        assert!(text.split(' ').all(|id| many.contains(id)) && text.split(' ').count() > 10);
    }

    #[test]
    fn what_rds_shows_late_is_waited_for_and_what_it_shows_at_once_is_not() {
        assert!(DatabaseChange::Public(false).settles().is_some());
        let to = BTreeSet::new();
        let swap = DatabaseChange::Groups {
            vpc: String::new(),
            to,
            kept: None,
        };
        assert!(swap.settles().is_some());
        assert_eq!(DatabaseChange::DeletionProtection(true).settles(), None);
        assert_eq!(DatabaseChange::Mark(None).settles(), None);
    }
}
