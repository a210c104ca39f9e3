//! One violation for each control, made afresh in an account of its own.

use std::future::Future;
use std::pin::Pin;

use aws_sdk_kms::primitives::{Blob, DateTime};
use aws_sdk_kms::types::{GrantOperation, OriginType};
use portcullis_testkit::CloudTrail;
use serde_json::{Value, json};

use crate::settings::{controls, levels, only};
use crate::{ALL_USERS, Bucket, Subject, World};

/// A resource that violates a control, and the event that says so.
#[derive(Debug)]
pub struct Scenario {
    /// The function's binary.
    pub function: &'static str,
    /// The settings, with all other controls off.
    pub settings: String,
    /// The event.
    pub event: Value,
    /// What is this run's own, so that two runs can be compared: each is replaced by the text beside it.
    pub names: Vec<(String, &'static str)>,
    /// Changes that AWS forces upon a retry, though a clean run has no need of them.
    pub forced: &'static [&'static str],
}

/// What is left of the policy once the quarantine's block is on and its statement is not there yet: S3 then refuses a
/// policy that is public still, whatever it denies.
const WITHOUT_THE_PUBLIC_STATEMENT: &str = concat!(
    r#"s3:PutBucketPolicy /BUCKET/?policy {"Version":"2012-10-17","Statement":[{"Sid":"PortcullisQuarantine","#,
    r#""Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::BUCKET","arn:aws:s3:::BUCKET/*"],"#,
    r#""Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::ACCOUNT:role/portcullis"]}}}]}"#
);

type Arranged = Pin<Box<dyn Future<Output = Scenario> + Send>>;

/// A control, and how it comes to be violated.
#[derive(Clone, Copy)]
pub struct Path {
    /// The control's id.
    pub control: &'static str,
    /// Makes the violation.
    pub arrange: fn(World) -> Arranged,
}

fn of_s3(world: &World, bucket: &str, settings: String, event: &CloudTrail) -> Scenario {
    Scenario {
        function: "portcullis-s3",
        settings,
        event: event.event(),
        names: vec![
            (bucket.to_owned(), "BUCKET"),
            (world.aws.account().to_owned(), "ACCOUNT"),
        ],
        forced: &[],
    }
}

/// The path of a bucket control: how the bucket becomes insecure, and the call that tells.
macro_rules! bucket {
    ($control:literal, $call:literal, $more:expr, |$bucket:ident| $make:expr) => {
        Path {
            control: $control,
            arrange: |world| {
                Box::pin(async move {
                    let $bucket = world.bucket("faults").await;
                    let _ = $make;
                    let settings = only(&[$control], &$more);
                    of_s3(&world, &$bucket.name, settings, &$bucket.call($call))
                })
            },
        }
    };
}

/// The path of a key control: how the key becomes insecure, and the event that tells.
macro_rules! key {
    ($control:literal, $more:expr, |$kms:ident| $make:expr) => {
        Path {
            control: $control,
            arrange: |world| {
                Box::pin(async move {
                    let $kms = Kms::new(world);
                    let (key, event): (String, CloudTrail) = $make;
                    Scenario {
                        function: "portcullis-kms",
                        settings: only(&[$control], &$more(&key)),
                        event: event.event(),
                        names: vec![(key, "KEY"), ($kms.world.aws.account().to_owned(), "ACCOUNT")],
                        forced: &[],
                    }
                })
            },
        }
    };
}

fn nothing(_: &str) -> String {
    String::new()
}

fn public(bucket: &Bucket, principal: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Open", "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject",
        "Resource": format!("{}/*", bucket.arn()),
    }]})
    .to_string()
}

fn restricted() -> String {
    levels(
        "restricted: {values: [restricted], encryption: aws-managed-key, quarantine: true, vpc-endpoints: [vpce-0a1b2c3d4e5f60718]}",
    )
}

/// What violates each control, function by function.
pub fn paths() -> Vec<Path> {
    [PATHS, super::ec2::PATHS].concat()
}

/// The controls that nothing here violates.
pub fn without_a_path() -> Vec<&'static str> {
    let paths = paths();
    let ids = controls().into_iter().map(|meta| meta.id);
    ids.filter(|id| paths.iter().all(|path| path.control != *id)).collect()
}

#[test]
fn each_control_has_a_path() {
    assert_eq!(without_a_path(), [""; 0]);
}

const PATHS: &[Path] = &[
    bucket!("s3-bucket-public-access-block", "CreateBucket", "", |bucket| &bucket),
    bucket!("s3-bucket-sse-c-blocked", "CreateBucket", "", |bucket| &bucket),
    bucket!("s3-bucket-default-encryption", "PutBucketEncryption", "", |bucket| {
        bucket.classify("confidential").await
    }),
    bucket!("s3-bucket-public-policy", "PutBucketPolicy", "", |bucket| {
        bucket.put_policy(public(&bucket, &json!("*"))).await
    }),
    bucket!("s3-bucket-external-access", "PutBucketPolicy", "", |bucket| {
        bucket
            .put_policy(public(&bucket, &json!({"AWS": "arn:aws:iam::444455556666:root"})))
            .await
    }),
    bucket!("s3-bucket-public-acl", "PutBucketAcl", "", |bucket| {
        bucket.put_grants(&[(ALL_USERS, "READ")]).await
    }),
    bucket!("s3-bucket-acls-disabled", "PutBucketOwnershipControls", "", |bucket| {
        bucket.put_ownership("ObjectWriter").await
    }),
    bucket!("s3-bucket-tls-only", "DeleteBucketPolicy", "", |bucket| &bucket),
    bucket!("s3-bucket-encrypted-writes", "DeleteBucketPolicy", "", |bucket| {
        bucket.classify("confidential").await
    }),
    bucket!("s3-bucket-versioning", "PutBucketVersioning", "", |bucket| {
        bucket.put_versioning(false).await
    }),
    bucket!("s3-bucket-website", "PutBucketWebsite", "", |bucket| {
        let index = aws_sdk_s3::types::IndexDocument::builder()
            .suffix("index.html")
            .build()
            .unwrap();
        let website = aws_sdk_s3::types::WebsiteConfiguration::builder().index_document(index);
        bucket.put_website(website.build()).await
    }),
    bucket!(
        "s3-bucket-vpc-endpoints-only",
        "PutBucketTagging",
        restricted(),
        |bucket| { bucket.classify("restricted").await }
    ),
    Path {
        control: "s3-bucket-quarantine",
        arrange: |world| {
            Box::pin(async move {
                let bucket = world.bucket("faults").await;
                bucket.classify("restricted").await;
                bucket.put_policy(public(&bucket, &json!("*"))).await;
                let settings = only(&["s3-bucket-quarantine"], &restricted()).replace(
                    "s3-bucket-public-policy: {mode: off}",
                    "s3-bucket-public-policy: {mode: notify}",
                );
                Scenario {
                    forced: &[WITHOUT_THE_PUBLIC_STATEMENT],
                    ..of_s3(&world, &bucket.name, settings, &bucket.call("PutBucketPolicy"))
                }
            })
        },
    },
    Path {
        control: "s3-account-public-access-block",
        arrange: |world| {
            Box::pin(async move {
                let event = world.account_block().call("DeleteAccountPublicAccessBlock");
                let settings = only(&["s3-account-public-access-block"], "");
                of_s3(&world, "no-bucket", settings, &event)
            })
        },
    },
    Path {
        control: "s3-access-point-public-policy",
        arrange: |world| {
            Box::pin(async move {
                let bucket = world.bucket("faults").await;
                let point = world.access_point(&bucket, [false; 4], None).await;
                let resource = format!("{}/object/*", point.arn());
                let statement =
                    json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource});
                point
                    .put_policy(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
                    .await;
                let settings = only(&["s3-access-point-public-policy"], "");
                let mut scenario = of_s3(&world, &bucket.name, settings, &point.call("PutAccessPointPolicy"));
                scenario.names.push((point.name.clone(), "POINT"));
                scenario
            })
        },
    },
    Path {
        control: "s3-access-point-public-access-block",
        arrange: |world| {
            Box::pin(async move {
                let bucket = world.bucket("faults").await;
                let point = world.access_point(&bucket, [false; 4], None).await;
                let settings = only(&["s3-access-point-public-access-block"], "");
                let mut scenario = of_s3(&world, &bucket.name, settings, &point.call("CreateAccessPoint"));
                scenario.names.push((point.name.clone(), "POINT"));
                scenario
            })
        },
    },
    key!("kms-key-scheduled-deletion", nothing, |kms| {
        let key = kms.key().await;
        kms.client
            .schedule_key_deletion()
            .key_id(&key)
            .pending_window_in_days(7)
            .send()
            .await
            .unwrap();
        let event = kms.call("ScheduleKeyDeletion", json!({"keyId": key}));
        (key, event)
    }),
    key!("kms-key-disabled", nothing, |kms| {
        let key = kms.key().await;
        kms.client.disable_key().key_id(&key).send().await.unwrap();
        let event = kms.call("DisableKey", json!({"keyId": key}));
        (key, event)
    }),
    key!("kms-key-rotation", nothing, |kms| {
        let key = kms.key().await;
        let event = kms.call("DisableKeyRotation", json!({"keyId": key}));
        (key, event)
    }),
    key!("kms-key-public-policy", nothing, |kms| {
        let key = kms.key_for(&json!("*")).await;
        let event = kms.call("PutKeyPolicy", json!({"keyId": key}));
        (key, event)
    }),
    key!("kms-key-external-access", nothing, |kms| {
        let key = kms.key_for(&json!({"AWS": "arn:aws:iam::444455556666:root"})).await;
        let event = kms.call("PutKeyPolicy", json!({"keyId": key}));
        (key, event)
    }),
    key!("kms-key-policy-practice", nothing, |kms| {
        let both = json!({"AWS": format!("arn:aws:iam::{}:role/Both", kms.world.aws.account())});
        let key = kms.key_for(&both).await;
        let event = kms.call("PutKeyPolicy", json!({"keyId": key}));
        (key, event)
    }),
    key!("kms-key-grants", nothing, |kms| {
        let key = kms.key().await;
        let grant = kms
            .client
            .create_grant()
            .key_id(&key)
            .grantee_principal("arn:aws:iam::444455556666:role/Partner");
        grant.operations(GrantOperation::Decrypt).send().await.unwrap();
        let event = kms.call("CreateGrant", json!({"keyId": key}));
        (key, event)
    }),
    key!("kms-key-imported-material", nothing, |kms| {
        let made = kms
            .client
            .create_key()
            .origin(OriginType::External)
            .send()
            .await
            .unwrap();
        let key = made.key_metadata.unwrap().key_id;
        let until = DateTime::from_secs(jiff::Timestamp::now().as_second() + 20 * 24 * 60 * 60);
        let import = kms.client.import_key_material().key_id(&key).valid_to(until);
        let import = import
            .import_token(Blob::new("token"))
            .encrypted_key_material(Blob::new("material"));
        import.send().await.unwrap();
        let event = kms.call("ImportKeyMaterial", json!({"keyId": key}));
        (key, event)
    }),
    key!("kms-key-region", nothing, |kms| {
        let made = kms.client.create_key().multi_region(true).send().await.unwrap();
        let key = made.key_metadata.unwrap().key_id;
        kms.client
            .replicate_key()
            .key_id(&key)
            .replica_region("eu-west-1")
            .send()
            .await
            .unwrap();
        let event = kms.call("ReplicateKey", json!({"keyId": key}));
        (key, event)
    }),
    key!("kms-alias-moved", required_alias, |kms| {
        let (key, other) = (kms.key().await, kms.key().await);
        kms.client
            .create_alias()
            .alias_name("alias/app")
            .target_key_id(&other)
            .send()
            .await
            .unwrap();
        let event = kms.call("UpdateAlias", json!({"aliasName": "alias/app", "targetKeyId": other}));
        (key, event)
    }),
    key!("kms-key-destroyed", nothing, |kms| {
        let key = "1234abcd-12ab-34cd-56ef-1234567890ab".to_owned();
        let arn = format!("arn:aws:kms:us-east-1:{}:key/{key}", kms.world.aws.account());
        let event = CloudTrail::service_event("kms.amazonaws.com", "DeleteKey").account(kms.world.aws.account());
        (key, event.resource(&arn, "AWS::KMS::Key"))
    }),
    key!("kms-key-required", required_key, |kms| {
        let key = kms
            .key_for(&json!({"AWS": format!("arn:aws:iam::{}:role/App", kms.world.aws.account())}))
            .await;
        kms.client.disable_key().key_id(&key).send().await.unwrap();
        let event = kms.call("DisableKey", json!({"keyId": key}));
        (kms.arn(&key), event)
    }),
];

fn required_alias(key: &str) -> String {
    format!("kms: {{required-aliases: {{alias/app: {key}}}}}\n")
}

fn required_key(arn: &str) -> String {
    levels(&format!(
        "restricted: {{values: [restricted], encryption: customer-managed-key, key: '{arn}'}}"
    ))
}

struct Kms {
    world: World,
    client: aws_sdk_kms::Client,
}

impl Kms {
    fn new(world: World) -> Self {
        let client = aws_sdk_kms::Client::new(&world.aws.sdk_config());
        Self { world, client }
    }

    async fn key(&self) -> String {
        self.client
            .create_key()
            .send()
            .await
            .unwrap()
            .key_metadata
            .unwrap()
            .key_id
    }

    /// A key that the account manages, and that somebody else may use.
    async fn key_for(&self, principal: &Value) -> String {
        let key = self.key().await;
        let root = format!("arn:aws:iam::{}:root", self.world.aws.account());
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"},
            {"Sid": "Open", "Effect": "Allow", "Principal": principal, "Action": ["kms:Decrypt", "kms:PutKeyPolicy"], "Resource": "*"},
        ]});
        let put = self
            .client
            .put_key_policy()
            .key_id(&key)
            .policy_name("default")
            .policy(policy.to_string());
        put.bypass_policy_lockout_safety_check(true).send().await.unwrap();
        key
    }

    fn arn(&self, key: &str) -> String {
        format!("arn:aws:kms:us-east-1:{}:key/{key}", self.world.aws.account())
    }

    fn call(&self, name: &str, params: Value) -> CloudTrail {
        CloudTrail::call("kms.amazonaws.com", name)
            .params(params)
            .account(self.world.aws.account())
    }
}
