//! What a test makes in RDS, and what AWS says of it.

use aws_sdk_ec2::types::{Filter, IpPermission, IpRange};
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{Tag, VpcSecurityGroupMembership};
use portcullis_testkit::{CloudTrail, Snapshot, Subject, World};
use serde_json::{Value, json};

/// The name of the group that lets nothing in or out.
pub const CUT_OFF: &str = "portcullis-quarantine";
/// An engine of clusters.
pub const AURORA: &str = "aurora-postgresql";

/// An account with RDS.
#[derive(Debug, Clone)]
pub struct Rds {
    /// The account.
    pub world: World,
    client: Client,
    ec2: aws_sdk_ec2::Client,
}

/// How a database is made: by default private, encrypted and protected.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is something else that may be wrong")]
pub struct Make {
    public: bool,
    encrypted: bool,
    protected: bool,
    restricted: bool,
    key: Option<&'static str>,
}

impl Make {
    const GOOD: Self = Self {
        public: false,
        encrypted: true,
        protected: true,
        restricted: false,
        key: None,
    };

    pub const fn public() -> Self {
        Self {
            public: true,
            ..Self::GOOD
        }
    }

    pub const fn plain() -> Self {
        Self {
            encrypted: false,
            ..Self::GOOD
        }
    }

    pub const fn unprotected() -> Self {
        Self {
            protected: false,
            ..Self::GOOD
        }
    }

    /// Under the key that AWS manages for RDS.
    pub const fn keyed() -> Self {
        Self {
            key: Some("alias/aws/rds"),
            ..Self::GOOD
        }
    }

    pub const fn restricted(self) -> Self {
        Self {
            restricted: true,
            ..self
        }
    }

    fn tags(self) -> Option<Vec<Tag>> {
        let tag = Tag::builder().key("DataClassification").value("restricted").build();
        self.restricted.then(|| vec![tag])
    }
}

/// Something of the test's.
#[derive(Debug, Clone)]
pub struct Made {
    rds: Rds,
    /// What it is, as alerts say it.
    noun: &'static str,
    id: String,
    /// The VPC and the security group of a database.
    pub vpc: String,
    pub group: String,
}

/// Where a database is made.
struct Network {
    vpc: String,
    subnets: String,
    group: String,
}

impl From<World> for Rds {
    fn from(world: World) -> Self {
        let config = world.sdk_config();
        Self {
            client: Client::new(&config),
            ec2: aws_sdk_ec2::Client::new(&config),
            world,
        }
    }
}

impl Rds {
    fn made(&self, noun: &'static str, id: String, network: Network) -> Made {
        Made {
            rds: self.clone(),
            noun,
            id,
            vpc: network.vpc,
            group: network.group,
        }
    }

    async fn network(&self) -> Network {
        let create = self.ec2.create_vpc().cidr_block("10.0.0.0/16");
        let vpc = create.send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
        let create = self.ec2.create_subnet().vpc_id(&vpc).cidr_block("10.0.0.0/24");
        let subnet = create.send().await.unwrap().subnet.unwrap().subnet_id.unwrap();
        let create = self
            .ec2
            .create_security_group()
            .group_name("clients")
            .description("clients");
        let group = create.vpc_id(&vpc).send().await.unwrap().group_id.unwrap();
        let subnets = self.world.aws.unique("subnets");
        let create = self.client.create_db_subnet_group().db_subnet_group_name(&subnets);
        let create = create.db_subnet_group_description("of a test").subnet_ids(subnet);
        create.send().await.unwrap();
        Network { vpc, subnets, group }
    }

    /// A DB instance of PostgreSQL.
    pub async fn instance(&self, make: Make) -> Made {
        let (id, network) = (self.world.aws.unique("shop"), self.network().await);
        let create = self.client.create_db_instance().db_instance_identifier(&id);
        let create = create
            .engine("postgres")
            .db_instance_class("db.m6g.large")
            .allocated_storage(20);
        let create = create.master_username("shop").master_user_password("not-a-secret-1");
        let create = create
            .db_subnet_group_name(&network.subnets)
            .vpc_security_group_ids(&network.group);
        let create = create
            .publicly_accessible(make.public)
            .deletion_protection(make.protected);
        let create = create
            .storage_encrypted(make.encrypted)
            .set_kms_key_id(self.key(make).await);
        create.set_tags(make.tags()).send().await.unwrap();
        self.made("DB instance", id, network)
    }

    async fn key(&self, make: Make) -> Option<String> {
        let kms = aws_sdk_kms::Client::new(&self.world.sdk_config());
        let found = kms.describe_key().key_id(make.key?).send().await.unwrap();
        found.key_metadata.unwrap().arn
    }

    /// A DB cluster without members.
    pub async fn cluster(&self, engine: &str, make: Make) -> Made {
        let (id, network) = (self.world.aws.unique("orders"), self.network().await);
        let create = self
            .client
            .create_db_cluster()
            .db_cluster_identifier(&id)
            .engine(engine);
        let create = create.master_username("shop").master_user_password("not-a-secret-1");
        let create = create
            .db_subnet_group_name(&network.subnets)
            .vpc_security_group_ids(&network.group);
        let create = create
            .publicly_accessible(make.public)
            .deletion_protection(make.protected);
        let create = create.storage_encrypted(make.encrypted).set_tags(make.tags());
        // A Multi-AZ DB cluster says what it runs on.
        let of = (engine == "postgres").then_some(("db.m6gd.large", 100));
        let create = create.set_db_cluster_instance_class(of.map(|(class, _)| class.to_owned()));
        let create = create.set_allocated_storage(of.map(|(_, storage)| storage));
        create.send().await.unwrap();
        self.made("DB cluster", id, network)
    }

    /// A manual, unencrypted snapshot of an instance.
    pub async fn snapshot(&self) -> Made {
        let instance = self.instance(Make::plain()).await;
        let id = self.world.aws.unique("before");
        let create = self.client.create_db_snapshot().db_snapshot_identifier(&id);
        create.db_instance_identifier(&instance.id).send().await.unwrap();
        Made {
            noun: "DB snapshot",
            id,
            ..instance
        }
    }

    /// A manual, unencrypted snapshot of a cluster.
    pub async fn cluster_snapshot(&self) -> Made {
        let cluster = self.cluster(AURORA, Make::plain()).await;
        let id = self.world.aws.unique("before");
        let create = self
            .client
            .create_db_cluster_snapshot()
            .db_cluster_snapshot_identifier(&id);
        create.db_cluster_identifier(&cluster.id).send().await.unwrap();
        Made {
            noun: "DB cluster snapshot",
            id,
            ..cluster
        }
    }

    /// The quarantine group of a VPC, which somebody made or opened.
    pub async fn opened_quarantine_group(&self, vpc: &str) {
        let create = self
            .ec2
            .create_security_group()
            .group_name(CUT_OFF)
            .description("opened");
        let group = create.vpc_id(vpc).send().await.unwrap().group_id.unwrap();
        let everybody = IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let all = IpPermission::builder().ip_protocol("tcp").from_port(5432).to_port(5432);
        let open = self.ec2.authorize_security_group_ingress().group_id(group);
        open.ip_permissions(all.ip_ranges(everybody).build())
            .send()
            .await
            .unwrap();
    }

    /// How many rules it has.
    pub async fn rules_of_quarantine_group(&self, vpc: &str) -> usize {
        let is = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let call = self.ec2.describe_security_groups().filters(is("vpc-id", vpc));
        let found = call.filters(is("group-name", CUT_OFF)).send().await.unwrap();
        let groups = found.security_groups().iter();
        groups
            .map(|group| group.ip_permissions().len() + group.ip_permissions_egress().len())
            .sum()
    }
}

impl Made {
    /// The call that shares it, and stops sharing it.
    pub fn sharing_call(&self) -> &'static [&'static str] {
        match self.noun {
            "DB snapshot" => &["ModifyDBSnapshotAttribute"],
            _ => &["ModifyDBClusterSnapshotAttribute"],
        }
    }

    pub async fn share(&self, with: &[&str]) {
        let with = Some(with.iter().map(|&one| one.to_owned()).collect());
        let client = &self.rds.client;
        if self.noun == "DB snapshot" {
            let call = client.modify_db_snapshot_attribute().attribute_name("restore");
            let call = call.db_snapshot_identifier(&self.id).set_values_to_add(with);
            call.send().await.unwrap();
        } else {
            let call = client.modify_db_cluster_snapshot_attribute().attribute_name("restore");
            let call = call.db_cluster_snapshot_identifier(&self.id).set_values_to_add(with);
            call.send().await.unwrap();
        }
    }

    /// What RDS tells of it by itself.
    pub fn by_rds(&self, detail_type: &str, id: &str) -> Value {
        let (arn, world) = (self.arn(), &self.rds.world);
        json!({
            "version": "0", "id": "844e2571-85d4-695f-b930-0153b71dcb42", "detail-type": detail_type, "source": "aws.rds",
            "account": world.aws.account(), "region": world.region, "time": "2026-11-23T12:26:13Z", "resources": [arn],
            "detail": {"EventCategories": ["notification"], "SourceType": "DB_INSTANCE", "SourceArn": arn, "EventID": id},
        })
    }

    /// What AWS Config tells of it, by the id that it keeps for ever.
    pub async fn by_config(&self) -> Value {
        let found = self.rds.client.describe_db_instances().db_instance_identifier(&self.id);
        let found = found.send().await.unwrap().db_instances.unwrap().remove(0);
        let world = &self.rds.world;
        let (account, region) = (world.aws.account(), &world.region);
        json!({
            "version": "0", "id": "0d2f7a8b-4d6e-4a39-9d0e-1c4f0b8a7e55", "detail-type": "Config Rules Compliance Change",
            "source": "aws.config", "account": account, "region": region, "time": "2026-11-23T12:26:13Z", "resources": [],
            "detail": {
                "resourceId": found.dbi_resource_id, "resourceType": "AWS::RDS::DBInstance", "awsRegion": region, "awsAccountId": account,
                "configRuleName": "rds-instance-public-access-check", "messageType": "ComplianceChangeNotification", "recordVersion": "1.0",
                "notificationCreationTime": "2026-11-23T12:26:13.000Z",
                "newEvaluationResult": {"complianceType": "NON_COMPLIANT"}, "oldEvaluationResult": {"complianceType": "COMPLIANT"},
            },
        })
    }

    /// Stops an instance, or starts it again.
    pub async fn stop(&self, stops: bool) {
        let client = &self.rds.client;
        if stops {
            client
                .stop_db_instance()
                .db_instance_identifier(&self.id)
                .send()
                .await
                .unwrap();
        } else {
            client
                .start_db_instance()
                .db_instance_identifier(&self.id)
                .send()
                .await
                .unwrap();
        }
    }

    /// What stands before the name in its ARN, and the parameter by which calls name it.
    fn naming(&self) -> (&'static str, &'static str) {
        match self.noun {
            "DB instance" => ("db", "dBInstanceIdentifier"),
            "DB cluster" => ("cluster", "dBClusterIdentifier"),
            "DB snapshot" => ("snapshot", "dBSnapshotIdentifier"),
            _ => ("cluster-snapshot", "dBClusterSnapshotIdentifier"),
        }
    }

    fn arn(&self) -> String {
        self.rds.world.arn("rds", &format!("{}:{}", self.naming().0, self.id))
    }

    /// The names of the groups that are the quarantine's, the ids of others.
    async fn groups(&self, of: &[VpcSecurityGroupMembership]) -> String {
        let mut names = Vec::new();
        for id in of.iter().filter_map(|one| one.vpc_security_group_id()) {
            let found = self
                .rds
                .ec2
                .describe_security_groups()
                .group_ids(id)
                .send()
                .await
                .unwrap();
            let name = found.security_groups()[0].group_name().unwrap_or_default().to_owned();
            names.push(if name == CUT_OFF { name } else { id.to_owned() });
        }
        sorted(names)
    }

    async fn shared_with(&self) -> Vec<String> {
        let client = &self.rds.client;
        if self.noun == "DB snapshot" {
            let call = client
                .describe_db_snapshot_attributes()
                .db_snapshot_identifier(&self.id);
            let found = call.send().await.unwrap().db_snapshot_attributes_result.unwrap();
            let all = found.db_snapshot_attributes.unwrap_or_default().into_iter();
            return all.flat_map(|one| one.attribute_values.unwrap_or_default()).collect();
        }
        let call = client.describe_db_cluster_snapshot_attributes();
        let found = call.db_cluster_snapshot_identifier(&self.id).send().await.unwrap();
        let found = found.db_cluster_snapshot_attributes_result.unwrap();
        let all = found.db_cluster_snapshot_attributes.unwrap_or_default().into_iter();
        all.flat_map(|one| one.attribute_values.unwrap_or_default()).collect()
    }
}

fn sorted(mut texts: Vec<String>) -> String {
    texts.sort();
    texts.join(", ")
}

fn tags(of: &[Tag]) -> String {
    let text = |tag: &Tag| format!("{}={}", tag.key().unwrap_or_default(), tag.value().unwrap_or_default());
    sorted(of.iter().map(text).collect())
}

impl Subject for Made {
    fn world(&self) -> &World {
        &self.rds.world
    }

    fn described(&self) -> String {
        format!("{} {}", self.noun, self.id)
    }

    fn call(&self, name: &str) -> CloudTrail {
        let parameters = match name {
            "AddTagsToResource" => json!({
                "resourceName": self.arn(), "tags": [{"key": "DataClassification", "value": "restricted"}],
            }),
            "RemoveTagsFromResource" => json!({"resourceName": self.arn(), "tagKeys": ["DataClassification"]}),
            _ => json!({self.naming().1: self.id}),
        };
        self.rds.world.call(crate::SOURCE, name, parameters)
    }

    async fn snapshot(&self) -> Snapshot {
        let client = &self.rds.client;
        match self.noun {
            "DB instance" => {
                let found = client.describe_db_instances().db_instance_identifier(&self.id);
                let found = found.send().await.unwrap().db_instances.unwrap().remove(0);
                let facts = [
                    ("public", (found.publicly_accessible == Some(true)).to_string()),
                    (
                        "deletion protection",
                        (found.deletion_protection == Some(true)).to_string(),
                    ),
                    ("groups", self.groups(found.vpc_security_groups()).await),
                    ("tags", tags(found.tag_list())),
                ];
                Snapshot(facts.into())
            }
            "DB cluster" => {
                let found = client.describe_db_clusters().db_cluster_identifier(&self.id);
                let found = found.send().await.unwrap().db_clusters.unwrap().remove(0);
                let facts = [
                    ("public", (found.publicly_accessible == Some(true)).to_string()),
                    (
                        "deletion protection",
                        (found.deletion_protection == Some(true)).to_string(),
                    ),
                    ("groups", self.groups(found.vpc_security_groups()).await),
                    ("tags", tags(found.tag_list())),
                ];
                Snapshot(facts.into())
            }
            _ => Snapshot([("shared with", sorted(self.shared_with().await))].into()),
        }
    }
}
