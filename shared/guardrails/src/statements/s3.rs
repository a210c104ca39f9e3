use crate::guardrail::{Guardrail, scp};
use crate::kind::{Group, Tier};

const GROUP: Group = Group::S3;

pub(super) const ALL: &[Guardrail] = &[
    scp(
        GROUP,
        "S3PublicAcl",
        &["s3-bucket-public-acl"],
        &[
            "s3:CreateBucket",
            "s3:PutBucketAcl",
            "s3:PutObject",
            "s3:PutObjectAcl",
            "s3:PutObjectVersionAcl",
        ],
    )
    .when(&[(
        "StringEquals",
        "s3:x-amz-acl",
        &["public-read", "public-read-write", "authenticated-read"],
    )]),
    // Positive: a negated operator matches the missing header, which has meant BucketOwnerEnforced since April 2023.
    scp(GROUP, "S3Ownership", &["s3-bucket-acls-disabled"], &["s3:CreateBucket"])
        .when(&[(
            "StringEquals",
            "s3:x-amz-object-ownership",
            &["BucketOwnerPreferred", "ObjectWriter"],
        )])
        .breaks("buckets for CloudFront's legacy standard logs, which need ACLs"),
    // The flags have no key; DeleteAccountPublicAccessBlock is authorised by the same action.
    scp(
        GROUP,
        "S3AccountBlock",
        &["s3-account-public-access-block"],
        &["s3:PutAccountPublicAccessBlock"],
    )
    .breaks("turning the block on as well: leave that to Portcullis or to an S3 policy"),
    scp(
        GROUP,
        "S3ObjectDowngrade",
        &["s3-bucket-default-encryption"],
        &["s3:UpdateObjectEncryption"],
    )
    .when(&[("StringEquals", "s3:x-amz-server-side-encryption", &["AES256"])]),
    scp(
        GROUP,
        "S3BucketSettings",
        &[
            "s3-bucket-public-access-block",
            "s3-bucket-acls-disabled",
            "s3-bucket-default-encryption",
            "s3-bucket-sse-c-blocked",
            "s3-bucket-versioning",
            "s3-bucket-website",
        ],
        &[
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketVersioning",
            "s3:PutBucketWebsite",
            "s3:PutEncryptionConfiguration",
        ],
    )
    .tier(Tier::Strict)
    .breaks("stronger settings as well, as CloudFormation and Terraform write them with each bucket"),
    // Negated on purpose: an access point that names no network is one of the internet.
    scp(
        GROUP,
        "S3PublicAccessPoint",
        &["s3-access-point-public-policy", "s3-access-point-public-access-block"],
        &["s3:CreateAccessPoint"],
    )
    .tier(Tier::Strict)
    .when(&[("StringNotEquals", "s3:AccessPointNetworkOrigin", &["VPC"])])
    .breaks("access points that are reached from outside a VPC, whatever their policy"),
];
