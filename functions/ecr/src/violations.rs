//! A violation of each control of ECR, and what ECR's sample events come to.
//!
//! What is right afterwards is what AWS documents: ECR User Guide, "Private repository policies in Amazon ECR", "Preventing image tags from
//! being overwritten in Amazon ECR"; ECR API Reference, `SetRepositoryPolicy`, `PutImageScanningConfiguration`.
#![allow(clippy::unwrap_used, reason = "this is test support: a panic is how a test fails")]

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageScanningConfiguration, ImageTagMutability, Tag};
use portcullis_testkit::{CloudTrail, Sample, ServiceUnderTest, Snapshot, Subject, World, levels, policy, violation};
use serde_json::{Value, json};

/// ECR as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: &[
        violation!("ecr-repository-public-policy", |world: World| {
            let repository = Repository::new(world, "team/public").await;
            let (own, all) = (lets_in(repository.world.aws.account()), lets_in("*"));
            repository.set_policy(&policy(&[own.clone(), all])).await;
            let arranged = repository.remediated("SetRepositoryPolicy", "CRITICAL", &["SetRepositoryPolicy"]);
            arranged.right("policy", policy(&[own]))
        }),
        violation!("ecr-repository-external-access", |world: World| {
            let repository = Repository::new(world, "team/partner").await;
            repository.set_policy(&policy(&[lets_in("777788889999")])).await;
            let arranged = repository.broken_by("SetRepositoryPolicy").told("HIGH", "remediated");
            let arranged = arranged.fixed_by(&["DeleteRepositoryPolicy"]);
            arranged.undone_by(&["SetRepositoryPolicy"]).right("policy", "none")
        }),
        violation!("ecr-repository-scan-on-push", |world: World| {
            let repository = Repository::new(world, "team/unscanned").await;
            let off = ImageScanningConfiguration::builder().scan_on_push(false).build();
            let put = repository.client.put_image_scanning_configuration();
            let put = put.repository_name(repository.name).image_scanning_configuration(off);
            put.send().await.unwrap();
            let call = "PutImageScanningConfiguration";
            repository
                .remediated(call, "MEDIUM", &["PutImageScanningConfiguration"])
                .right("scans", "true")
        }),
        violation!("ecr-repository-immutable-tags", |world: World| {
            let repository = Repository::new(world, "team/mutable").await;
            let put = repository
                .client
                .put_image_tag_mutability()
                .repository_name(repository.name);
            put.image_tag_mutability(ImageTagMutability::Mutable)
                .send()
                .await
                .unwrap();
            let arranged = repository.remediated("PutImageTagMutability", "LOW", &["PutImageTagMutability"]);
            arranged.right("tags", "IMMUTABLE")
        }),
        violation!("ecr-repository-encrypted", |world: World| {
            let repository = Repository::new(world, "team/payroll").await;
            let tag = Tag::builder()
                .key("DataClassification")
                .value("restricted")
                .build()
                .unwrap();
            let tags = repository.client.tag_resource().resource_arn(repository.arn());
            tags.tags(tag).send().await.unwrap();
            let needs = "restricted: {values: [restricted], encryption: customer-managed-key}";
            let arranged = repository.broken_by("TagResource").told("LOW", "needs-action");
            arranged.settings(levels(needs))
        }),
    ],
    samples: &[
        Sample::of("CreateRepository", "ecr-repository-immutable-tags").told("repository-immutable-tags"),
        Sample::of("DeleteRepository", "ecr-repository-immutable-tags"),
        Sample::of("PutImageScanningConfiguration", "ecr-repository-scan-on-push").told("repository-scan-on-push"),
        Sample::of("PutImageTagMutability", "ecr-repository-immutable-tags").told("repository-immutable-tags"),
        Sample::of("SetRepositoryPolicy", "ecr-repository-public-policy").right("repository-public-policy"),
        Sample::of("TagResource", "ecr-repository-encrypted").left("repository-encrypted"),
        Sample::of("UntagResource", "ecr-repository-encrypted").left("repository-encrypted"),
    ],
    ways: &[],
};

/// A statement for an account, or for everybody (`*`). ECR takes none that names a resource.
fn lets_in(account: &str) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "ecr:BatchGetImage"})
}

/// A repository of the test's.
#[derive(Clone)]
struct Repository {
    world: World,
    client: Client,
    name: &'static str,
}

impl Repository {
    /// One with which nothing is wrong.
    async fn new(world: World, name: &'static str) -> Self {
        let client = Client::new(&world.sdk_config());
        let create = client.create_repository().repository_name(name);
        let create = create.image_tag_mutability(ImageTagMutability::Immutable);
        let scans = ImageScanningConfiguration::builder().scan_on_push(true).build();
        create.image_scanning_configuration(scans).send().await.unwrap();
        Self { world, client, name }
    }

    fn arn(&self) -> String {
        self.world.arn("ecr", &format!("repository/{}", self.name))
    }

    async fn set_policy(&self, policy: &str) {
        let set = self.client.set_repository_policy().repository_name(self.name);
        set.policy_text(policy).send().await.unwrap();
    }
}

impl Subject for Repository {
    fn world(&self) -> &World {
        &self.world
    }

    fn described(&self) -> String {
        format!("repository {}", self.name)
    }

    fn call(&self, name: &str) -> CloudTrail {
        let params = match name {
            "TagResource" | "UntagResource" => json!({"resourceArn": self.arn()}),
            _ => json!({"repositoryName": self.name}),
        };
        self.world.call(crate::repository::SOURCE, name, params)
    }

    async fn snapshot(&self) -> Snapshot {
        let describe = self.client.describe_repositories().repository_names(self.name);
        let described = describe.send().await.unwrap().repositories.unwrap_or_default();
        let is = described.first().unwrap();
        let get = self.client.get_repository_policy().repository_name(self.name);
        // ECR sets a policy on many lines.
        let policy = get.send().await.ok().and_then(|answer| answer.policy_text);
        let policy = policy.map(|text| serde_json::from_str::<Value>(&text).unwrap().to_string());
        let scans = is
            .image_scanning_configuration()
            .is_some_and(aws_sdk_ecr::types::ImageScanningConfiguration::scan_on_push);
        let tags = is.image_tag_mutability().map(|kind| kind.as_str().to_owned());
        Snapshot(
            [
                ("policy", policy.unwrap_or_else(|| "none".into())),
                ("scans", scans.to_string()),
                ("tags", tags.unwrap_or_default()),
            ]
            .into(),
        )
    }
}
