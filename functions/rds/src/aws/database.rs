use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_rds::types::{DbCluster, DbInstance, Filter, StorageEncryptionType, Tag, VpcSecurityGroupMembership};
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, Page, unless};

use super::calls::{Clients, PAGE, done, tags};
use super::quarantine_group;
use crate::database::{CLUSTERS, Database, DatabaseChange, DatabaseFact, GROUPS, QUARANTINE, TAG};
use crate::naming::Naming;

const GONE: [&str; 2] = ["DBClusterNotFoundFault", "DBInstanceNotFound"];
const NO_SUBNETS: [&str; 1] = ["DBSubnetGroupNotFoundFault"];
/// It is going, and can't be kept.
const DELETING: &str = "deleting";

pub struct Aws {
    pub of: &'static Naming,
    pub clients: Arc<Clients>,
    /// Held by whoever looks for the quarantine group: the others of an event then find it.
    pub turn: tokio::sync::Mutex<()>,
}

/// What RDS says of an instance or a cluster.
struct Described {
    name: Option<String>,
    database: Database,
    how: Option<StorageEncryptionType>,
    encrypted: Option<bool>,
    key: Option<String>,
    groups: Vec<VpcSecurityGroupMembership>,
    /// Its VPC, or the name of its subnet group.
    vpc: Option<String>,
    subnets: Option<String>,
}

impl From<DbInstance> for Described {
    fn from(of: DbInstance) -> Self {
        let replicas = of.read_replica_db_instance_identifiers.into_iter().flatten();
        let clusters = of.read_replica_db_cluster_identifiers.into_iter().flatten();
        let source = of.read_replica_source_db_instance_identifier;
        Self {
            name: of.db_instance_identifier,
            database: Database {
                tags: tags(of.tag_list),
                status: of.db_instance_status.into(),
                resource_id: of.dbi_resource_id.into(),
                engine: of.engine.into(),
                cluster: of.db_cluster_identifier.into(),
                replication: Observed::Is(replicas.chain(clusters).chain(source).collect()),
                public: Observed::Is(of.publicly_accessible == Some(true)),
                deletion_protection: Observed::Is(of.deletion_protection == Some(true)),
                gateway: Observed::Is(false),
                ..Database::default()
            },
            how: of.storage_encryption_type,
            encrypted: of.storage_encrypted,
            key: of.kms_key_id,
            groups: of.vpc_security_groups.unwrap_or_default(),
            vpc: of.db_subnet_group.and_then(|subnets| subnets.vpc_id),
            subnets: None,
        }
    }
}

impl From<DbCluster> for Described {
    fn from(of: DbCluster) -> Self {
        let replicas = of.read_replica_identifiers.into_iter().flatten();
        Self {
            name: of.db_cluster_identifier,
            database: Database {
                tags: tags(of.tag_list),
                status: of.status.into(),
                resource_id: of.db_cluster_resource_id.into(),
                engine: of.engine.into(),
                cluster: Observed::Absent,
                replication: Observed::Is(replicas.chain(of.replication_source_identifier).collect()),
                public: Observed::Is(of.publicly_accessible == Some(true)),
                deletion_protection: Observed::Is(of.deletion_protection == Some(true)),
                gateway: Observed::Is(of.internet_access_gateway_enabled == Some(true)),
                ..Database::default()
            },
            how: of.storage_encryption_type,
            encrypted: of.storage_encrypted,
            key: of.kms_key_id,
            groups: of.vpc_security_groups.unwrap_or_default(),
            vpc: None,
            subnets: of.db_subnet_group,
        }
    }
}

impl Aws {
    fn of_clusters(&self) -> bool {
        self.of.kind == CLUSTERS.kind
    }

    /// The one of this name, or of this id, which AWS alone knows.
    async fn described(&self, resource: &Resource) -> Result<Option<Described>, AwsError> {
        let rds = self.clients.rds.of(&resource.region);
        let id = Some(&resource.id).filter(|id| self.of.is_id(id));
        let name = resource.id.clone();
        let by = |filter: &str| -> Option<Vec<Filter>> {
            let filter = Filter::builder().name(filter).values(id?).build();
            Some(vec![filter])
        };
        let found: Vec<Described> = if self.of_clusters() {
            let call = rds.describe_db_clusters().set_filters(by("db-cluster-resource-id"));
            let call = call.set_db_cluster_identifier(id.is_none().then_some(name));
            let found = done("DescribeDBClusters", call.send().await)?.db_clusters;
            found.into_iter().flatten().map(Into::into).collect()
        } else {
            let call = rds.describe_db_instances().set_filters(by("dbi-resource-id"));
            let call = call.set_db_instance_identifier(id.is_none().then_some(name));
            let found = done("DescribeDBInstances", call.send().await)?.db_instances;
            found.into_iter().flatten().map(Into::into).collect()
        };
        let is = |one: &Described| id.is_none_or(|id| one.database.resource_id.get() == Some(id));
        Ok(found.into_iter().find(is))
    }

    async fn read(&self, resource: &Resource, facts: &BTreeSet<DatabaseFact>) -> Result<Option<Database>, AwsError> {
        let described = self.described(resource).await?;
        let is_there = |one: &Described| one.database.status.get().is_none_or(|status| status != DELETING);
        let Some(described) = described.filter(is_there) else {
            return Ok(None);
        };
        let encryption = if facts.contains(&DatabaseFact::Encryption) {
            let (how, encrypted) = (described.how.as_ref(), described.encrypted);
            let key = described.key.as_deref();
            self.clients.encryption(resource, how, encrypted, key).await?
        } else {
            Observed::Unread
        };
        let (vpc, groups) = if facts.contains(&DatabaseFact::Groups) {
            self.groups(resource, &described).await?
        } else {
            (Observed::Unread, Observed::Unread)
        };
        Ok(Some(Database {
            encryption,
            vpc,
            groups,
            ..described.database
        }))
    }

    /// Its VPC and its security groups. RDS knows these by their ids alone, so EC2 says which of them is the quarantine's.
    async fn groups(
        &self,
        resource: &Resource,
        described: &Described,
    ) -> Result<(Observed<String>, Observed<BTreeSet<String>>), AwsError> {
        let vpc = match (&described.vpc, &described.subnets) {
            (Some(vpc), _) => Some(vpc.clone()),
            (None, Some(subnets)) => {
                let call = self.clients.rds.of(&resource.region).describe_db_subnet_groups();
                let answer = call.db_subnet_group_name(subnets).send().await;
                let found = unless(&NO_SUBNETS, done("DescribeDBSubnetGroups", answer))?;
                let found = found.and_then(|found| found.db_subnet_groups?.into_iter().next());
                found.and_then(|subnets| subnets.vpc_id)
            }
            (None, None) => None,
        };
        let Some(vpc) = vpc else {
            return Ok((Observed::Absent, Observed::Absent));
        };
        let quarantine = quarantine_group::find(&self.clients.ec2.of(&resource.region), &vpc).await?;
        let ids = described
            .groups
            .iter()
            .filter_map(|one| one.vpc_security_group_id.clone());
        let called = |id: String| {
            if Some(&id) == quarantine.as_ref() {
                QUARANTINE.to_owned()
            } else {
                id
            }
        };
        Ok((Observed::Is(vpc), Observed::Is(ids.map(called).collect())))
    }

    /// Sets what is given, and nothing else: without `ApplyImmediately`, which would set off what waits for the maintenance window, and
    /// which none of it needs. Source: RDS API Reference, `ModifyDBInstance`, `ApplyImmediately` and the members themselves.
    async fn modify(
        &self,
        resource: &Resource,
        groups: Option<Vec<String>>,
        public: Option<bool>,
        protected: Option<bool>,
    ) -> Result<(), AwsError> {
        let rds = self.clients.rds.of(&resource.region);
        if self.of_clusters() {
            let call = rds.modify_db_cluster().db_cluster_identifier(&resource.id);
            let call = call
                .set_vpc_security_group_ids(groups)
                .set_deletion_protection(protected);
            done("ModifyDBCluster", call.send().await).map(drop)
        } else {
            let call = rds.modify_db_instance().db_instance_identifier(&resource.id);
            let call = call.set_vpc_security_group_ids(groups).set_publicly_accessible(public);
            done("ModifyDBInstance", call.set_deletion_protection(protected).send().await).map(drop)
        }
    }

    async fn tag(&self, resource: &Resource, key: &str, value: Option<&String>) -> Result<(), AwsError> {
        let rds = self.clients.rds.of(&resource.region);
        if let Some(value) = value {
            let tag = Tag::builder().key(key).value(value).build();
            let call = rds.add_tags_to_resource().resource_name(&resource.arn).tags(tag);
            done("AddTagsToResource", call.send().await).map(drop)
        } else {
            let call = rds.remove_tags_from_resource();
            let call = call.resource_name(&resource.arn).tag_keys(key);
            done("RemoveTagsFromResource", call.send().await).map(drop)
        }
    }
}

impl Adapter for Aws {
    type State = Database;

    async fn observe(&self, resource: &Resource, facts: &BTreeSet<DatabaseFact>) -> Result<Option<Database>, AwsError> {
        Ok(unless(&GONE, self.read(resource, facts).await)?.flatten())
    }

    /// AWS Config says the id, which is nobody's name.
    async fn resolve(&self, named: Resource) -> Result<Option<Resource>, AwsError> {
        if !self.of.is_id(&named.id) {
            return Ok(Some(named));
        }
        let found = unless(&GONE, self.described(&named).await)?.flatten();
        let name = found.and_then(|found| found.name);
        Ok(name.map(|name| self.of.resource(&name, &named.place())))
    }

    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let rds = self.clients.rds.of(&place.region);
        let (names, next): (Vec<_>, _) = if self.of_clusters() {
            let call = rds.describe_db_clusters().max_records(PAGE).set_marker(from);
            let page = done("DescribeDBClusters", call.send().await)?;
            let found = page.db_clusters.unwrap_or_default().into_iter();
            (found.filter_map(|one| one.db_cluster_identifier).collect(), page.marker)
        } else {
            let call = rds.describe_db_instances().max_records(PAGE).set_marker(from);
            let page = done("DescribeDBInstances", call.send().await)?;
            let found = page.db_instances.unwrap_or_default().into_iter();
            (
                found.filter_map(|one| one.db_instance_identifier).collect(),
                page.marker,
            )
        };
        Ok(Page {
            resources: names.iter().map(|name| self.of.resource(name, place)).collect(),
            next: next.filter(|marker| !marker.is_empty()),
        })
    }

    async fn execute(&self, resource: &Resource, change: &DatabaseChange) -> Result<(), AwsError> {
        match change.itself() {
            DatabaseChange::Public(public) => self.modify(resource, None, Some(*public), None).await,
            DatabaseChange::DeletionProtection(on) => self.modify(resource, None, None, Some(*on)).await,
            DatabaseChange::Mark(value) => self.tag(resource, TAG, value.as_ref()).await,
            DatabaseChange::Of { .. } => Ok(()), // which no change itself is
            DatabaseChange::Groups { vpc, to, kept } => {
                let closes = to.contains(QUARANTINE);
                // What it had is on it before it is taken, and until it has it again.
                if closes {
                    self.tag(resource, GROUPS, kept.as_ref()).await?;
                }
                let mut ids: Vec<_> = to.iter().filter(|group| *group != QUARANTINE).cloned().collect();
                if closes {
                    let _turn = self.turn.lock().await;
                    ids.push(quarantine_group::closed(&self.clients.ec2.of(&resource.region), vpc).await?);
                }
                self.modify(resource, Some(ids), None, None).await?;
                if closes {
                    return Ok(());
                }
                self.tag(resource, GROUPS, kept.as_ref()).await
            }
        }
    }
}
