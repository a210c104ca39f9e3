//! Talking to AWS: the only file of this function that does.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_efs::Client;
use aws_sdk_efs::error::{ProvideErrorMetadata, SdkError};
use portcullis_controls::Keys;
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{
    Adapter, AwsError, ErrorCodes, Handler, Kind, Page, Regional, SdkConfig, done as done_elsewhere, unless,
};

use crate::controls::FILE_SYSTEMS;
use crate::file_system::{AccessPoint, FileSystem, FileSystemChange, FileSystemFact, TYPE};

/// The most that a page has. Source: EFS API Reference, `DescribeFileSystems`.
const PAGE: i32 = 100;

/// There is no such file system.
const GONE: [&str; 1] = ["FileSystemNotFound"];

/// What EFS's own codes mean. Source: EFS API Reference, the errors of `PutFileSystemPolicy` and `DescribeMountTargets`.
const CODES: &ErrorCodes = &[
    ("BadRequest", Kind::Rejected),
    ("IncorrectFileSystemLifeCycleState", Kind::NotReady),
    ("IncorrectMountTargetState", Kind::NotReady),
];

struct Aws {
    efs: Regional<Client>,
    ec2: Regional<aws_sdk_ec2::Client>,
    keys: Keys,
}

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: SdkConfig) -> Vec<Box<dyn Handler>> {
    let aws = Aws {
        efs: Regional::new(&config, Client::new),
        ec2: Regional::new(&config, aws_sdk_ec2::Client::new),
        keys: Keys::new(&config),
    };
    vec![portcullis_runtime::serve(FILE_SYSTEMS, aws)]
}

impl Aws {
    /// The file system with what its description says.
    async fn described(&self, of: &Resource, facts: &BTreeSet<FileSystemFact>) -> Result<Option<FileSystem>, AwsError> {
        let describe = self.efs.of(&of.region).describe_file_systems().file_system_id(&of.id);
        let answer = done("DescribeFileSystems", describe.send().await)?;
        let Some(found) = answer.file_systems.unwrap_or_default().into_iter().next() else {
            return Ok(None);
        };
        let key = match &found.kms_key_id {
            _ if !facts.contains(&FileSystemFact::Encryption) => Observed::Unread,
            Some(key) if found.encrypted == Some(true) => Observed::Is(self.keys.named(of, key).await?),
            _ => Observed::Absent,
        };
        Ok(Some(FileSystem {
            tags: Observed::Is(found.tags.into_iter().map(|tag| (tag.key, tag.value)).collect()),
            life_cycle: Observed::Is(found.life_cycle_state.as_str().to_owned()),
            key,
            ..FileSystem::default()
        }))
    }

    async fn policy(&self, of: &Resource) -> Result<Observed<String>, AwsError> {
        let describe = self.efs.of(&of.region).describe_file_system_policy();
        let answer = done("DescribeFileSystemPolicy", describe.file_system_id(&of.id).send().await);
        let policy = unless(&["PolicyNotFound"], answer)?.and_then(|answer| answer.policy);
        Ok(AwsError::policy("DescribeFileSystemPolicy", policy)?.into())
    }

    async fn public_mount_targets(&self, of: &Resource) -> Result<Observed<BTreeMap<String, String>>, AwsError> {
        let describe = self.efs.of(&of.region).describe_mount_targets();
        let answer = done("DescribeMountTargets", describe.file_system_id(&of.id).send().await)?;
        // One a zone at most: they fit into a page.
        let targets = answer.mount_targets.unwrap_or_default();
        if targets.is_empty() {
            return Ok(Observed::Is(BTreeMap::new()));
        }
        let subnets = targets.iter().map(|target| target.subnet_id.clone()).collect();
        let describe = self.ec2.of(&of.region).describe_subnets().set_subnet_ids(Some(subnets));
        let answer = done_elsewhere("DescribeSubnets", describe.send().await)?;
        let public: BTreeSet<_> = answer
            .subnets
            .unwrap_or_default()
            .into_iter()
            .filter(|subnet| subnet.map_public_ip_on_launch == Some(true))
            .filter_map(|subnet| subnet.subnet_id)
            .collect();
        let targets = targets.into_iter().filter(|target| public.contains(&target.subnet_id));
        Ok(Observed::Is(
            targets
                .map(|target| (target.mount_target_id, target.subnet_id))
                .collect(),
        ))
    }

    async fn access_points(&self, of: &Resource) -> Result<Observed<BTreeMap<String, AccessPoint>>, AwsError> {
        let (mut points, mut from) = (BTreeMap::new(), None);
        loop {
            let describe = self.efs.of(&of.region).describe_access_points().file_system_id(&of.id);
            let page = done("DescribeAccessPoints", describe.set_next_token(from).send().await)?;
            for point in page.access_points.unwrap_or_default() {
                let root = point
                    .root_directory
                    .and_then(|root| root.path)
                    .unwrap_or_else(|| "/".into());
                let has_user = point.posix_user.is_some();
                points.insert(
                    point.access_point_id.unwrap_or_default(),
                    AccessPoint { root, has_user },
                );
            }
            from = page.next_token;
            if from.is_none() {
                return Ok(Observed::Is(points));
            }
        }
    }

    async fn read(&self, of: &Resource, facts: &BTreeSet<FileSystemFact>) -> Result<Option<FileSystem>, AwsError> {
        let wanted = |fact| facts.contains(&fact);
        let (described, policy, public_mount_targets, access_points) = tokio::join!(
            self.described(of, facts),
            read(wanted(FileSystemFact::Policy), self.policy(of)),
            read(
                wanted(FileSystemFact::PublicMountTargets),
                self.public_mount_targets(of)
            ),
            read(wanted(FileSystemFact::AccessPoints), self.access_points(of)),
        );
        let Some(described) = described? else { return Ok(None) };
        Ok(Some(FileSystem {
            policy: policy?,
            public_mount_targets: public_mount_targets?,
            access_points: access_points?,
            ..described
        }))
    }
}

impl Adapter for Aws {
    type State = FileSystem;

    async fn observe(&self, of: &Resource, facts: &BTreeSet<FileSystemFact>) -> Result<Option<FileSystem>, AwsError> {
        Ok(unless(&GONE, Box::pin(self.read(of, facts)).await)?.flatten())
    }

    async fn list(&self, location: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let list = self.efs.of(&location.region).describe_file_systems().max_items(PAGE);
        let page = done("DescribeFileSystems", list.set_marker(from).send().await)?;
        let found = page.file_systems.unwrap_or_default().into_iter();
        Ok(Page {
            resources: found
                .filter_map(|one| (TYPE.identified)(&one.file_system_id, location))
                .collect(),
            next: page.next_marker,
        })
    }

    async fn execute(&self, of: &Resource, change: &FileSystemChange) -> Result<(), AwsError> {
        let efs = self.efs.of(&of.region);
        // EFS refuses a policy by which whoever writes it could not write another one, unless it is told not to.
        match change {
            FileSystemChange::Policy(Some(policy)) => {
                let put = efs.put_file_system_policy().file_system_id(&of.id).policy(policy);
                done("PutFileSystemPolicy", put.send().await).map(drop)
            }
            FileSystemChange::Policy(None) => {
                let delete = efs.delete_file_system_policy().file_system_id(&of.id);
                done("DeleteFileSystemPolicy", delete.send().await).map(drop)
            }
        }
    }
}

/// What is read of a fact that is wanted.
async fn read<T>(
    wanted: bool,
    reading: impl Future<Output = Result<Observed<T>, AwsError>>,
) -> Result<Observed<T>, AwsError> {
    if wanted { reading.await } else { Ok(Observed::Unread) }
}

fn done<T, E, R>(operation: &'static str, answer: Result<T, SdkError<E, R>>) -> Result<T, AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    answer.map_err(|error| AwsError::with_codes(operation, &error, CODES))
}

#[cfg(test)]
mod tests {
    use aws_sdk_efs::error::ErrorMetadata;

    use super::*;

    #[test]
    fn the_codes_of_efs_have_their_meaning() {
        for (code, kind) in [
            ("BadRequest", Kind::Rejected),
            ("FileSystemNotFound", Kind::NotFound),
            ("IncorrectFileSystemLifeCycleState", Kind::NotReady),
            ("IncorrectMountTargetState", Kind::NotReady),
            ("InternalServerError", Kind::Transient),
            ("InvalidPolicyException", Kind::Rejected),
            ("MountTargetNotFound", Kind::NotFound),
            ("PolicyNotFound", Kind::NotFound),
        ] {
            let error = ErrorMetadata::builder().code(code).build();
            let answer = done("PutFileSystemPolicy", Err::<(), _>(SdkError::service_error(error, ())));
            assert_eq!(answer.map_err(|error| error.kind), Err(kind), "{code}");
        }
    }
}
