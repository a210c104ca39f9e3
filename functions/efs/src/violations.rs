//! A violation of each control of EFS, and what EFS's sample events come to.
//!
//! What is right afterwards is what AWS documents: EFS User Guide, "Blocking public access to EFS file systems", "Default EFS file
//! system policy", "Encrypting data in transit", "Working with Amazon EFS access points".
#![allow(clippy::unwrap_used, reason = "this is test support: a panic is how a test fails")]

use aws_sdk_efs::Client;
use aws_sdk_efs::types::{PosixUser, RootDirectory, Tag};
use portcullis_testkit::{CloudTrail, Sample, ServiceUnderTest, Snapshot, Subject, World, levels, policy, violation};
use serde_json::{Value, json};

use crate::file_system::CLIENT_ACTIONS;

/// EFS as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: &[
        violation!("efs-file-system-public-policy", |world: World| {
            let found = FileSystem::new(world, true).await;
            let (own, all) = (found.lets_in(found.world.aws.account()), found.lets_in("*"));
            found.put_policy(&[all.clone(), own.clone()]).await;
            let mut narrowed = all;
            narrowed["Condition"] = json!({"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}});
            found
                .remediated("PutFileSystemPolicy", "HIGH", &["PutFileSystemPolicy"])
                .right("policy", policy(&[narrowed, own]))
        }),
        violation!("efs-file-system-quarantine", |world: World| {
            let found = FileSystem::new(world, true).await;
            found.tag("restricted").await;
            let all = found.lets_in("*");
            found.put_policy(std::slice::from_ref(&all)).await;
            let rescue = format!("arn:aws:iam::{}:role/BreakGlass", found.world.aws.account());
            let denied = json!({"Sid": "PortcullisQuarantine", "Effect": "Deny", "Principal": {"AWS": "*"},
                "Action": CLIENT_ACTIONS, "Resource": found.arn(),
                "Condition": {"ArnNotLike": {"aws:PrincipalArn": [rescue]}}});
            let needs = "restricted: {values: [restricted], encryption: customer-managed-key, quarantine: true}";
            found
                .remediated("PutFileSystemPolicy", "CRITICAL", &["PutFileSystemPolicy"])
                .told("CRITICAL", "quarantined")
                .settings(levels(needs) + &format!("break-glass: ['{rescue}']\n"))
                .beside(&["efs-file-system-public-policy"])
                .settles()
                .right("policy", policy(&[all, denied]))
        }),
        violation!("efs-file-system-external-access", |world: World| {
            let found = FileSystem::new(world, true).await;
            let (own, partner) = (found.lets_in(found.world.aws.account()), found.lets_in("777788889999"));
            found.put_policy(&[own.clone(), partner]).await;
            found
                .remediated("PutFileSystemPolicy", "HIGH", &["PutFileSystemPolicy"])
                .right("policy", policy(&[own]))
        }),
        violation!("efs-file-system-tls-only", |world: World| {
            let found = FileSystem::new(world, true).await;
            let denied = json!({"Sid": "PortcullisTlsOnly", "Effect": "Deny", "Principal": "*",
                "Action": "elasticfilesystem:*", "Resource": found.arn(),
                "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
            let right = policy(&[found.default_grant(), denied]);
            let arranged = found.broken_by("DeleteFileSystemPolicy").told("MEDIUM", "remediated");
            let arranged = arranged.fixed_by(&["PutFileSystemPolicy"]).right("policy", right);
            arranged.undone_by(&["DeleteFileSystemPolicy"])
        }),
        violation!("efs-file-system-encrypted", |world: World| {
            let found = FileSystem::new(world, false).await;
            found.broken_by("CreateFileSystem").told("MEDIUM", "needs-action")
        }),
        violation!("efs-mount-target-public-subnet", |world: World| {
            let found = FileSystem::new(world, true).await;
            found.mount_target_in_a_public_subnet().await;
            found.broken_by("CreateMountTarget").told("MEDIUM", "needs-action")
        }),
        violation!("efs-access-point-root-directory", |world: World| {
            let found = FileSystem::new(world, true).await;
            found.access_point("/", true).await;
            found.broken_by("CreateAccessPoint").told("MEDIUM", "needs-action")
        }),
        violation!("efs-access-point-user-identity", |world: World| {
            let found = FileSystem::new(world, true).await;
            found.access_point("/app", false).await;
            found.broken_by("CreateAccessPoint").told("MEDIUM", "needs-action")
        }),
    ],
    samples: &[
        Sample::of("CreateAccessPoint", "efs-access-point-root-directory").left("access-point-root-directory"),
        Sample::of("CreateFileSystem", "efs-file-system-encrypted")
            .told("file-system-tls-only")
            .left("file-system-encrypted"),
        Sample::of("CreateMountTarget", "efs-mount-target-public-subnet").left("mount-target-public-subnet"),
        Sample::of("CreateTags", "efs-file-system-encrypted").left("file-system-encrypted"),
        Sample::of("DeleteFileSystemPolicy", "efs-file-system-tls-only").told("file-system-tls-only"),
        Sample::of("DeleteTags", "efs-file-system-encrypted").left("file-system-encrypted"),
        Sample::of("PutFileSystemPolicy", "efs-file-system-public-policy")
            .right("file-system-public-policy")
            .told("file-system-tls-only"),
        Sample::of("TagResource", "efs-file-system-quarantine")
            .closed("file-system-quarantine")
            .left("file-system-encrypted"),
        Sample::of("UntagResource", "efs-file-system-tls-only"),
    ],
    ways: &[],
};

/// A file system of the test's.
#[derive(Clone)]
struct FileSystem {
    world: World,
    client: Client,
    id: String,
}

impl FileSystem {
    async fn new(world: World, encrypted: bool) -> Self {
        let client = Client::new(&world.sdk_config());
        let create = client.create_file_system().creation_token("test").encrypted(encrypted);
        let id = create.send().await.unwrap().file_system_id;
        Self { world, client, id }
    }

    fn arn(&self) -> String {
        self.world.arn("elasticfilesystem", &format!("file-system/{}", self.id))
    }

    fn lets_in(&self, account: &str) -> Value {
        json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": CLIENT_ACTIONS, "Resource": self.arn()})
    }

    /// What EFS's default policy grants.
    fn default_grant(&self) -> Value {
        json!({"Sid": "PortcullisDefault", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": CLIENT_ACTIONS,
            "Resource": self.arn(), "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}})
    }

    async fn put_policy(&self, statements: &[Value]) {
        let put = self.client.put_file_system_policy().file_system_id(&self.id);
        put.policy(policy(statements)).send().await.unwrap();
    }

    async fn tag(&self, level: &str) {
        let tag = Tag::builder().key("DataClassification").value(level).build().unwrap();
        let call = self.client.tag_resource().resource_id(&self.id);
        call.tags(tag).send().await.unwrap();
    }

    async fn mount_target_in_a_public_subnet(&self) {
        let ec2 = aws_sdk_ec2::Client::new(&self.world.sdk_config());
        let vpc = ec2
            .create_vpc()
            .cidr_block("10.0.0.0/16")
            .send()
            .await
            .unwrap()
            .vpc
            .unwrap();
        let create = ec2.create_subnet().set_vpc_id(vpc.vpc_id).cidr_block("10.0.1.0/24");
        let subnet = create.send().await.unwrap().subnet.unwrap().subnet_id.unwrap();
        let yes = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(true).build();
        let modify = ec2.modify_subnet_attribute().subnet_id(&subnet);
        modify.map_public_ip_on_launch(yes).send().await.unwrap();
        let create = self.client.create_mount_target().file_system_id(&self.id);
        create.subnet_id(subnet).send().await.unwrap();
    }

    async fn access_point(&self, root: &str, with_user: bool) {
        let root = RootDirectory::builder().path(root).build();
        let user = PosixUser::builder().uid(1000).gid(1000).build().unwrap();
        let create = self
            .client
            .create_access_point()
            .file_system_id(&self.id)
            .client_token("test");
        let create = create.root_directory(root).set_posix_user(with_user.then_some(user));
        create.send().await.unwrap();
    }
}

impl Subject for FileSystem {
    fn world(&self) -> &World {
        &self.world
    }

    fn described(&self) -> String {
        format!("file system {}", self.id)
    }

    fn call(&self, name: &str) -> CloudTrail {
        match name {
            "TagResource" | "UntagResource" => {
                self.world
                    .call(crate::file_system::SOURCE, name, json!({"resourceId": self.arn()}))
            }
            "CreateFileSystem" => {
                let call = self
                    .world
                    .call(crate::file_system::SOURCE, name, json!({"creationToken": "test"}));
                call.response(json!({"fileSystemId": self.id}))
            }
            _ => self
                .world
                .call(crate::file_system::SOURCE, name, json!({"fileSystemId": self.id})),
        }
    }

    async fn snapshot(&self) -> Snapshot {
        let describe = self.client.describe_file_system_policy().file_system_id(&self.id);
        let policy = describe.send().await.ok().and_then(|answer| answer.policy);
        // The emulator writes policies anew, with other spaces.
        let policy = policy.map(|text| serde_json::from_str::<Value>(&text).unwrap().to_string());
        let describe = self.client.describe_file_systems().file_system_id(&self.id);
        let found = describe.send().await.unwrap().file_systems.unwrap().remove(0);
        Snapshot(
            [
                ("policy", policy.unwrap_or_else(|| "none".into())),
                ("encrypted", (found.encrypted == Some(true)).to_string()),
            ]
            .into(),
        )
    }
}
