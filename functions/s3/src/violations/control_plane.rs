//! What S3 Control looks after: the account's public access block and access points.

use aws_sdk_s3control::types::{PublicAccessBlockConfiguration, VpcConfiguration};
use portcullis_testkit::{CloudTrail, Snapshot, Subject, World};
use serde_json::{Value, json};

use super::account::S3;
use super::bucket::{Bucket, block, lets_in, read};

fn configuration([acls, ignore, policy, restrict]: [bool; 4]) -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration::builder()
        .block_public_acls(acls)
        .ignore_public_acls(ignore)
        .block_public_policy(policy)
        .restrict_public_buckets(restrict)
        .build()
}

fn flags(found: &PublicAccessBlockConfiguration) -> [bool; 4] {
    [
        found.block_public_acls,
        found.ignore_public_acls,
        found.block_public_policy,
        found.restrict_public_buckets,
    ]
    .map(Option::unwrap_or_default)
}

impl S3 {
    /// The account's own public access block.
    pub fn account_block(&self) -> AccountBlock {
        AccountBlock { world: self.clone() }
    }

    /// An access point of a bucket; its block is fixed now.
    pub async fn access_point(&self, bucket: &Bucket, flags: [bool; 4], vpc: Option<&str>) -> AccessPoint {
        AccessPoint::create(self, bucket, flags, vpc).await
    }

    /// One whose block has all its flags off, of a bucket without any.
    pub(super) async fn open_access_point(&self) -> AccessPoint {
        let bucket = self.bucket("behind").await;
        self.access_point(&bucket, [false; 4], None).await
    }
}

/// The account's public access block.
#[derive(Debug, Clone)]
pub struct AccountBlock {
    /// Whose.
    pub world: S3,
}

impl AccountBlock {
    /// Sets its four flags.
    pub async fn put(&self, flags: [bool; 4]) -> &Self {
        let put = self
            .world
            .control
            .put_public_access_block()
            .account_id(self.world.aws.account());
        put.public_access_block_configuration(configuration(flags))
            .send()
            .await
            .unwrap();
        self
    }
}

impl Subject for AccountBlock {
    fn world(&self) -> &World {
        &self.world
    }

    fn described(&self) -> String {
        format!("account public access block {}", self.world.aws.account())
    }

    async fn snapshot(&self) -> Snapshot {
        let get = self.world.control.get_public_access_block();
        let found = get.account_id(self.world.aws.account()).send().await;
        let text = read(found, |found| {
            block(found.public_access_block_configuration.as_ref().map(flags))
        });
        Snapshot([("block", text)].into())
    }

    fn call(&self, name: &str) -> CloudTrail {
        self.world.call(name, json!({"accountId": self.world.aws.account()}))
    }
}

/// An access point.
#[derive(Debug, Clone)]
pub struct AccessPoint {
    /// Where it is.
    pub world: S3,
    /// Its name.
    pub name: String,
}

impl AccessPoint {
    pub(super) async fn create(world: &S3, bucket: &Bucket, flags: [bool; 4], vpc: Option<&str>) -> Self {
        let name = world.aws.unique("point");
        let vpc = vpc.map(|id| VpcConfiguration::builder().vpc_id(id).build().unwrap());
        let create = world.control.create_access_point().account_id(world.aws.account());
        create
            .name(&name)
            .bucket(&bucket.name)
            .public_access_block_configuration(configuration(flags))
            .set_vpc_configuration(vpc)
            .send()
            .await
            .unwrap();
        Self {
            world: world.clone(),
            name,
        }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        let World { aws, region, .. } = &*self.world;
        format!("arn:aws:s3:{region}:{}:accesspoint/{}", aws.account(), self.name)
    }

    /// A statement that lets somebody read objects through it.
    pub fn lets_in(&self, sid: &str, principal: &Value) -> Value {
        lets_in(sid, principal, &format!("{}/object/*", self.arn()))
    }

    /// Sets its policy, byte for byte.
    pub async fn put_policy(&self, text: impl Into<String>) -> &Self {
        let put = self
            .world
            .control
            .put_access_point_policy()
            .account_id(self.world.aws.account());
        put.name(&self.name).policy(text).send().await.unwrap();
        self
    }
}

impl Subject for AccessPoint {
    fn world(&self) -> &World {
        &self.world
    }

    fn described(&self) -> String {
        format!("access point {}", self.name)
    }

    async fn snapshot(&self) -> Snapshot {
        let (control, account) = (&self.world.control, self.world.aws.account());
        let point = control
            .get_access_point()
            .account_id(account)
            .name(&self.name)
            .send()
            .await;
        let policy = control
            .get_access_point_policy()
            .account_id(account)
            .name(&self.name)
            .send()
            .await;
        let block = read(point, |found| {
            block(found.public_access_block_configuration.as_ref().map(flags))
        });
        let policy = read(policy, |found| found.policy.unwrap_or_default());
        Snapshot([("block", block), ("policy", policy)].into())
    }

    fn call(&self, name: &str) -> CloudTrail {
        let params = json!({"name": self.name, "accountId": self.world.aws.account()});
        self.world.call(name, params)
    }
}
