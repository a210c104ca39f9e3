//! Repositories: what is read and changed of them, and which events name them.

use portcullis_controls::encryption::Key;
use portcullis_controls::same_in_meaning;
use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Location, Observed, Resource, ResourceType, Settings, Tags};
use portcullis_derive::Facts;

/// The event source of ECR's calls.
pub const SOURCE: &str = "ecr.amazonaws.com";

/// A repository as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct Repository {
    /// Its policy.
    #[fact(
        read("ecr:GetRepositoryPolicy"),
        write("ecr:DeleteRepositoryPolicy", "ecr:SetRepositoryPolicy"),
        policy
    )]
    pub policy: Observed<String>,
    /// Whether an image is scanned when it is pushed, by its own setting or by a rule of the registry.
    #[fact(
        read("ecr:BatchGetRepositoryScanningConfiguration"),
        write("ecr:PutImageScanningConfiguration"),
        required
    )]
    pub scan_on_push: Observed<bool>,
    /// Whether tags stay with the image that they were given to, but for those that somebody left out: `DescribeRepositories`.
    #[fact(read("ecr:DescribeRepositories"), write("ecr:PutImageTagMutability"), required)]
    pub immutable_tags: Observed<bool>,
    /// The key of KMS that its images are encrypted with; absent where it is ECR's own.
    #[fact(read("ecr:DescribeRepositories", "kms:DescribeKey"))]
    pub encryption: Observed<Key>,
    /// Its tags; none reads as an empty map.
    #[fact(tags, read("ecr:ListTagsForResource"))]
    pub tags: Observed<Tags>,
}

/// Repositories of the private registry. The classification of the data is in their tags.
pub const TYPE: ResourceType<Repository> = ResourceType {
    name: "AWS::ECR::Repository",
    arn_form: "ecr:{r}:{a}:repository/{n}",
    source: SOURCE,
    always: &[RepositoryFact::Tags],
    list_actions: &["ecr:DescribeRepositories"],
    creates: &["CreateRepository"],
    deletes: &["DeleteRepository"],
    named,
    identified: |id, location| parsed(id, location).filter(|repository| repository.place() == *location),
    matters,
    // ECR writes a policy anew: it reorders its members, and sets each on a line.
    comparable: |repository| Repository {
        policy: same_in_meaning(&repository.policy),
        ..repository.clone()
    },
    ..ResourceType::REGIONAL
};

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    let made = field(&call.response, "repository").and_then(|repository| field(repository, "repositoryArn"));
    let repository = made
        .and_then(string)
        .or(call.parameter("resourceArn")?)
        .or_else(|| call.resources.first().cloned())
        .or(call.parameter("repositoryName")?);
    let repository = repository.ok_or_else(|| EventError::Missing("requestParameters.repositoryName".into()))?;
    let found = parsed(&repository, &call.place());
    let found = found
        .ok_or_else(|| EventError::parameter("repositoryName", "a repository's name or ARN", &repository.into()))?;
    let registry = call.parameter("registryId")?.unwrap_or_else(|| found.account.clone());
    let own = found.account == call.account && registry == call.account;
    Ok(own.then_some(found).into_iter().collect())
}

/// The repository that an ARN or a name stands for; a name may have slashes. Source: ECR API Reference, `CreateRepository`,
/// `repositoryName`.
fn parsed(text: &str, location: &Location) -> Option<Resource> {
    let repository = Resource::named(TYPE.name, "ecr", "repository/", text, location)?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._/-".contains(&byte);
    let is_name = (2..=256).contains(&repository.id.len()) && repository.id.bytes().all(allowed);
    is_name.then_some(repository)
}

/// Most tags change nothing that is judged.
fn matters(call: &Call, settings: &Settings) -> bool {
    match call.name.as_str() {
        "TagResource" | "UntagResource" => call.tags_matter(settings),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_by_arn_and_by_name_with_all_its_slashes() {
        let (account, region) = ("111122223333".to_owned(), "eu-west-1".to_owned());
        let location = Location { account, region };
        let found = |text: &str| parsed(text, &location).map(|repository| (repository.arn, repository.id));
        let arn = "arn:aws:ecr:eu-west-1:111122223333:repository/team/shop";
        for text in [arn, "team/shop"] {
            assert_eq!(found(text), Some((arn.to_owned(), "team/shop".to_owned())));
        }
        for text in ["", "a", "Team/shop", "arn:aws:s3:::team/shop"] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
