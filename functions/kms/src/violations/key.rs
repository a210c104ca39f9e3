//! Keys and aliases under test, and what AWS says of them.

use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::operation::create_key::builders::CreateKeyFluentBuilder;
use aws_sdk_kms::primitives::{Blob, DateTime};
use aws_sdk_kms::types::{GrantOperation, OriginType, Tag};
use portcullis_testkit::{CloudTrail, Snapshot, Subject, World};
use serde_json::json;

use super::account::Kms;

/// A key of the test's.
#[derive(Debug, Clone)]
pub struct Key {
    /// Where it is.
    pub kms: Kms,
    /// Its id.
    pub id: String,
    /// Its ARN.
    pub arn: String,
}

impl Kms {
    /// A symmetric key.
    pub async fn key(&self) -> Key {
        self.key_with(|create| create).await
    }

    /// A key of another kind.
    pub async fn key_with(&self, change: impl FnOnce(CreateKeyFluentBuilder) -> CreateKeyFluentBuilder) -> Key {
        let made = change(self.client.create_key()).send().await.unwrap();
        let metadata = made.key_metadata.unwrap();
        Key {
            kms: self.clone(),
            arn: metadata.arn.unwrap(),
            id: metadata.key_id,
        }
    }

    /// A key whose imported material expires in so many days.
    pub async fn imported(&self, days: i64) -> Key {
        let key = self.key_with(|create| create.origin(OriginType::External)).await;
        let until = jiff::Timestamp::now().as_second() + days * 24 * 60 * 60;
        let import = self.client.import_key_material().key_id(&key.id);
        let import = import
            .import_token(Blob::new("token"))
            .encrypted_key_material(Blob::new("material"));
        import.valid_to(DateTime::from_secs(until)).send().await.unwrap();
        key
    }

    /// A key that is not there.
    pub(super) fn never_made(&self) -> Key {
        let (region, account) = (&self.world.region, self.world.aws.account());
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab".to_owned();
        Key {
            kms: self.clone(),
            arn: format!("arn:aws:kms:{region}:{account}:key/{id}"),
            id,
        }
    }

    /// An alias, whether or not it is there.
    pub fn alias(&self, name: &str) -> Alias {
        Alias {
            kms: self.clone(),
            name: name.to_owned(),
        }
    }
}

impl Key {
    /// Its state, as in `PendingDeletion`.
    pub async fn state(&self) -> String {
        let answer = self.kms.client.describe_key().key_id(&self.id).send().await.unwrap();
        answer.key_metadata.unwrap().key_state.unwrap().as_str().to_owned()
    }

    /// Disables it.
    pub async fn disable(&self) -> &Self {
        self.kms.client.disable_key().key_id(&self.id).send().await.unwrap();
        self
    }

    /// Schedules its deletion.
    pub async fn schedule_deletion(&self, days: i32) -> &Self {
        let schedule = self.kms.client.schedule_key_deletion().key_id(&self.id);
        schedule.pending_window_in_days(days).send().await.unwrap();
        self
    }

    /// Gives it an alias.
    pub async fn alias(&self, name: &str) -> &Self {
        let create = self.kms.client.create_alias().alias_name(name);
        create.target_key_id(&self.id).send().await.unwrap();
        self
    }

    /// Days between rotations; none where it does not rotate.
    pub async fn rotation(&self) -> Option<i32> {
        let status = self.kms.client.get_key_rotation_status().key_id(&self.id);
        let answer = status.send().await.unwrap();
        answer
            .key_rotation_enabled
            .then(|| answer.rotation_period_in_days.unwrap())
    }

    /// Its policy.
    pub async fn policy(&self) -> String {
        let get = self.kms.client.get_key_policy().key_id(&self.id).policy_name("default");
        get.send().await.unwrap().policy.unwrap()
    }

    /// Sets its policy, byte for byte, whoever is locked out.
    pub async fn put_policy(&self, text: &str) -> &Self {
        let put = self.kms.client.put_key_policy().key_id(&self.id).policy_name("default");
        let put = put.policy(text).bypass_policy_lockout_safety_check(true);
        put.send().await.unwrap();
        self
    }

    /// Tags it.
    pub async fn tag(&self, key: &str, value: &str) -> &Self {
        let tag = Tag::builder().tag_key(key).tag_value(value).build().unwrap();
        let call = self.kms.client.tag_resource().key_id(&self.id);
        call.tags(tag).send().await.unwrap();
        self
    }

    /// Lets somebody decrypt with it: the grant's id.
    pub async fn grant(&self, grantee: &str) -> String {
        let create = self
            .kms
            .client
            .create_grant()
            .key_id(&self.id)
            .grantee_principal(grantee);
        let create = create.operations(GrantOperation::Decrypt).name("for-tests");
        create.send().await.unwrap().grant_id.unwrap()
    }

    /// The ids of its grants.
    pub async fn grants(&self) -> Vec<String> {
        let answer = self.kms.client.list_grants().key_id(&self.id).send().await.unwrap();
        let grants = answer.grants().iter();
        grants.filter_map(|grant| grant.grant_id.clone()).collect()
    }
}

impl Subject for Key {
    fn world(&self) -> &World {
        &self.kms.world
    }

    fn described(&self) -> String {
        format!("key {}", self.id)
    }

    async fn snapshot(&self) -> Snapshot {
        let (client, id) = (&self.kms.client, &self.id);
        let found = client.describe_key().key_id(id).send().await;
        let state = read(found, |found| {
            found.key_metadata.unwrap().key_state.unwrap().as_str().to_owned()
        });
        let found = client.get_key_rotation_status().key_id(id).send().await;
        let rotation = read(found, |found| match found.rotation_period_in_days {
            Some(days) if found.key_rotation_enabled => format!("every {days} days"),
            _ => "off".to_owned(),
        });
        let found = client.get_key_policy().key_id(id).policy_name("default").send().await;
        let policy = read(found, |found| found.policy.unwrap());
        let found = client.list_grants().key_id(id).send().await;
        let grants = read(found, |found| {
            let mut grants: Vec<_> = found.grants.unwrap_or_default().iter().map(described).collect();
            grants.sort();
            grants.join(", ")
        });
        Snapshot(
            [
                ("state", state),
                ("rotation", rotation),
                ("policy", policy),
                ("grants", grants),
            ]
            .into(),
        )
    }

    /// An event that names it by its id.
    fn call(&self, name: &str) -> CloudTrail {
        let call = self.kms.call(name, json!({"keyId": self.id}));
        call.resource(&self.arn, "AWS::KMS::Key")
    }
}

fn described(grant: &aws_sdk_kms::types::GrantListEntry) -> String {
    let operations: Vec<_> = grant.operations().iter().map(GrantOperation::as_str).collect();
    format!(
        "{} for {}",
        operations.join("+"),
        grant.grantee_principal().unwrap_or_default()
    )
}

/// An alias of the test's.
#[derive(Debug, Clone)]
pub struct Alias {
    /// Where it is.
    pub kms: Kms,
    /// Its name, as in `alias/app`.
    pub name: String,
}

impl Alias {
    /// The id of the key that it stands for; none where there is none.
    pub async fn target(&self) -> Option<String> {
        let answer = self.kms.client.describe_key().key_id(&self.name).send().await;
        answer.ok().map(|answer| answer.key_metadata.unwrap().key_id)
    }
}

impl Subject for Alias {
    fn world(&self) -> &World {
        &self.kms.world
    }

    fn described(&self) -> String {
        format!("alias {}", self.name)
    }

    async fn snapshot(&self) -> Snapshot {
        let target = self.target().await.unwrap_or_else(|| "absent".to_owned());
        Snapshot([("target", target)].into())
    }

    fn call(&self, name: &str) -> CloudTrail {
        self.kms.call(name, json!({"aliasName": self.name}))
    }
}

/// A fact in words; where KMS has none of it, why.
fn read<T, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, aws_sdk_kms::error::SdkError<E, R>>,
    show: impl FnOnce(T) -> String,
) -> String {
    match answer {
        Ok(found) => show(found),
        Err(error) => match error.code() {
            Some(code @ ("NotFoundException" | "UnsupportedOperationException" | "KMSInvalidStateException")) => {
                code.to_owned()
            }
            _ => panic!("{error:?}"),
        },
    }
}
