//! Between the SDK's types and our own.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_bucket_acl::GetBucketAclOutput;
use aws_sdk_s3::operation::get_bucket_website::GetBucketWebsiteOutput;
use aws_sdk_s3::types as s3;
use aws_sdk_s3control::types as control;
use portcullis_access::{Grant, Grantee};
pub use portcullis_runtime::unless;
use portcullis_runtime::{AwsError, ErrorCodes, Kind};

use crate::PublicAccessBlock;
use crate::bucket::{Acl, Encryption, RoutingRule, Website};

/// What S3's own codes mean. Source: S3 API Reference, "Error responses".
const CODES: &ErrorCodes = &[
    ("AccessControlListNotSupported", Kind::Rejected),
    ("AllAccessDisabled", Kind::Denied),
    ("ConditionalRequestConflict", Kind::Conflict),
    ("OperationAborted", Kind::Conflict),
];

/// An answer, with an error in our words.
pub fn done<T, E, R>(operation: &'static str, answer: Result<T, SdkError<E, R>>) -> Result<T, AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    answer.map_err(|error| AwsError::with_codes(operation, &error, CODES))
}

/// A request that lacks something the API requires.
pub fn built(operation: &'static str, error: &impl std::fmt::Display) -> AwsError {
    let code = "the request can't be built".into();
    AwsError {
        operation,
        code,
        message: error.to_string(),
        kind: Kind::Rejected,
    }
}

pub fn block(block: &s3::PublicAccessBlockConfiguration) -> PublicAccessBlock {
    PublicAccessBlock {
        block_public_acls: block.block_public_acls.unwrap_or_default(),
        ignore_public_acls: block.ignore_public_acls.unwrap_or_default(),
        block_public_policy: block.block_public_policy.unwrap_or_default(),
        restrict_public_buckets: block.restrict_public_buckets.unwrap_or_default(),
    }
}

pub fn to_block(block: PublicAccessBlock) -> s3::PublicAccessBlockConfiguration {
    s3::PublicAccessBlockConfiguration::builder()
        .block_public_acls(block.block_public_acls)
        .ignore_public_acls(block.ignore_public_acls)
        .block_public_policy(block.block_public_policy)
        .restrict_public_buckets(block.restrict_public_buckets)
        .build()
}

pub fn account_block(block: &control::PublicAccessBlockConfiguration) -> PublicAccessBlock {
    PublicAccessBlock {
        block_public_acls: block.block_public_acls.unwrap_or_default(),
        ignore_public_acls: block.ignore_public_acls.unwrap_or_default(),
        block_public_policy: block.block_public_policy.unwrap_or_default(),
        restrict_public_buckets: block.restrict_public_buckets.unwrap_or_default(),
    }
}

pub fn to_account_block(block: PublicAccessBlock) -> control::PublicAccessBlockConfiguration {
    control::PublicAccessBlockConfiguration::builder()
        .block_public_acls(block.block_public_acls)
        .ignore_public_acls(block.ignore_public_acls)
        .block_public_policy(block.block_public_policy)
        .restrict_public_buckets(block.restrict_public_buckets)
        .build()
}

pub fn encryption(rule: s3::ServerSideEncryptionRule) -> Encryption {
    let by_default = rule.apply_server_side_encryption_by_default;
    Encryption {
        algorithm: by_default
            .as_ref()
            .map_or("AES256", |default| default.sse_algorithm.as_str())
            .to_owned(),
        key: by_default.and_then(|default| default.kms_master_key_id),
        bucket_key: rule.bucket_key_enabled.unwrap_or_default(),
        blocked: rule.blocked_encryption_types.map(|types| {
            types
                .encryption_type
                .unwrap_or_default()
                .iter()
                .map(|one| one.as_str().to_owned())
                .collect()
        }),
        stands_for: None,
    }
}

pub fn to_encryption(encryption: &Encryption) -> Result<s3::ServerSideEncryptionConfiguration, AwsError> {
    let default = s3::ServerSideEncryptionByDefault::builder()
        .sse_algorithm(encryption.algorithm.as_str().into())
        .set_kms_master_key_id(encryption.key.clone())
        .build()
        .map_err(|error| built("PutBucketEncryption", &error))?;
    let blocked = encryption.blocked.as_ref().map(|types| {
        let types = types.iter().map(|one| one.as_str().into()).collect();
        s3::BlockedEncryptionTypes::builder()
            .set_encryption_type(Some(types))
            .build()
    });
    let rule = s3::ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default)
        .bucket_key_enabled(encryption.bucket_key)
        .set_blocked_encryption_types(blocked)
        .build();
    let configuration = s3::ServerSideEncryptionConfiguration::builder().rules(rule).build();
    configuration.map_err(|error| built("PutBucketEncryption", &error))
}

pub fn acl(answer: GetBucketAclOutput) -> Acl {
    let grant = |grant: s3::Grant| {
        let grantee = grant.grantee?;
        let who = match (grantee.uri, grantee.id, grantee.email_address) {
            (Some(uri), _, _) => Grantee::Group(uri),
            (None, Some(id), _) => Grantee::CanonicalUser(id),
            (None, None, Some(email)) => Grantee::Email(email),
            (None, None, None) => return None,
        };
        Some(Grant {
            grantee: who,
            permission: grant.permission?.as_str().to_owned(),
        })
    };
    Acl {
        owner: answer.owner.and_then(|owner| owner.id).unwrap_or_default(),
        grants: answer
            .grants
            .unwrap_or_default()
            .into_iter()
            .filter_map(grant)
            .collect(),
    }
}

pub fn to_acl(acl: &Acl) -> Result<s3::AccessControlPolicy, AwsError> {
    let mut grants = Vec::new();
    for grant in &acl.grants {
        let grantee = match &grant.grantee {
            Grantee::Group(uri) => s3::Grantee::builder().r#type(s3::Type::Group).uri(uri),
            Grantee::CanonicalUser(id) => s3::Grantee::builder().r#type(s3::Type::CanonicalUser).id(id),
            Grantee::Email(email) => s3::Grantee::builder()
                .r#type(s3::Type::AmazonCustomerByEmail)
                .email_address(email),
        };
        let grantee = grantee.build().map_err(|error| built("PutBucketAcl", &error))?;
        grants.push(
            s3::Grant::builder()
                .grantee(grantee)
                .permission(grant.permission.as_str().into())
                .build(),
        );
    }
    let owner = s3::Owner::builder().id(&acl.owner).build();
    Ok(s3::AccessControlPolicy::builder()
        .owner(owner)
        .set_grants(Some(grants))
        .build())
}

pub fn website(answer: GetBucketWebsiteOutput) -> Website {
    let rule = |rule: s3::RoutingRule| {
        let (on_error, on_prefix) = rule
            .condition
            .map(|on| (on.http_error_code_returned_equals, on.key_prefix_equals))
            .unwrap_or_default();
        let to = rule.redirect;
        RoutingRule {
            on_error,
            on_prefix,
            host: to.as_ref().and_then(|to| to.host_name.clone()),
            code: to.as_ref().and_then(|to| to.http_redirect_code.clone()),
            protocol: to
                .as_ref()
                .and_then(|to| to.protocol.as_ref())
                .map(|protocol| protocol.as_str().to_owned()),
            prefix: to.as_ref().and_then(|to| to.replace_key_prefix_with.clone()),
            key: to.and_then(|to| to.replace_key_with),
        }
    };
    Website {
        index: answer.index_document.map(|index| index.suffix),
        error: answer.error_document.map(|error| error.key),
        redirect_all: answer
            .redirect_all_requests_to
            .map(|all| (all.host_name, all.protocol.map(|protocol| protocol.as_str().to_owned()))),
        rules: answer.routing_rules.unwrap_or_default().into_iter().map(rule).collect(),
    }
}

pub fn to_website(website: &Website) -> Result<s3::WebsiteConfiguration, AwsError> {
    let failed = |error: aws_sdk_s3::error::BuildError| built("PutBucketWebsite", &error);
    let index = website
        .index
        .as_ref()
        .map(|suffix| s3::IndexDocument::builder().suffix(suffix).build())
        .transpose();
    let error = website
        .error
        .as_ref()
        .map(|key| s3::ErrorDocument::builder().key(key).build())
        .transpose();
    let all = website.redirect_all.as_ref().map(|(host, protocol)| {
        let protocol = protocol.as_deref().map(s3::Protocol::from);
        s3::RedirectAllRequestsTo::builder()
            .host_name(host)
            .set_protocol(protocol)
            .build()
    });
    let rules = website.rules.iter().map(|rule| {
        let conditional = rule.on_error.is_some() || rule.on_prefix.is_some();
        let condition = s3::Condition::builder()
            .set_http_error_code_returned_equals(rule.on_error.clone())
            .set_key_prefix_equals(rule.on_prefix.clone())
            .build();
        let redirect = s3::Redirect::builder()
            .set_host_name(rule.host.clone())
            .set_http_redirect_code(rule.code.clone())
            .set_protocol(rule.protocol.as_deref().map(s3::Protocol::from))
            .set_replace_key_prefix_with(rule.prefix.clone())
            .set_replace_key_with(rule.key.clone())
            .build();
        s3::RoutingRule::builder()
            .set_condition(conditional.then_some(condition))
            .redirect(redirect)
            .build()
    });
    let rules: Vec<_> = rules.collect();
    Ok(s3::WebsiteConfiguration::builder()
        .set_index_document(index.map_err(failed)?)
        .set_error_document(error.map_err(failed)?)
        .set_redirect_all_requests_to(all.transpose().map_err(failed)?)
        .set_routing_rules((!rules.is_empty()).then_some(rules))
        .build())
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::error::ErrorMetadata;

    use super::*;

    #[test]
    fn the_codes_of_s3_have_their_meaning() {
        for (code, kind) in [
            ("OperationAborted", Kind::Conflict),
            ("ConditionalRequestConflict", Kind::Conflict),
            ("AllAccessDisabled", Kind::Denied),
            ("AccessControlListNotSupported", Kind::Rejected),
            ("MalformedXML", Kind::Rejected),
            ("NoSuchBucketPolicy", Kind::NotFound),
            ("SlowDown", Kind::Transient),
        ] {
            let error = ErrorMetadata::builder().code(code).build();
            let answer = done("PutBucketAcl", Err::<(), _>(SdkError::service_error(error, ())));
            assert_eq!(answer.map_err(|error| error.kind), Err(kind), "{code}");
        }
    }
}
