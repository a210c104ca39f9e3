//! A violation of each control of S3, and what S3's sample events come to.
//!
//! What is right afterwards is what AWS documents: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage",
//! "Controlling ownership of objects", "Setting default server-side encryption behavior", "Using versioning in S3 buckets",
//! "Bucket policy examples using condition keys"; Amazon S3 API Reference, `PutBucketEncryption` (`BlockedEncryptionTypes`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this is test support: a panic is how a test fails"
)]

mod account;
mod bucket;
mod control_plane;

use portcullis_testkit::{
    Finds, Sample, ServiceUnderTest, Subject as _, Violation, Way, arrangement, levels, policy, put_back, violation,
};
use serde_json::json;

use bucket::least_website;

pub use account::S3;
pub use bucket::{ALL_USERS, AUTHENTICATED_USERS, Bucket, LOG_DELIVERY};
pub use control_plane::{AccessPoint, AccountBlock};

/// S3 as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: VIOLATIONS,
    samples: SAMPLES,
    ways: &[Way {
        name: "an access point's policy of which nothing is left is deleted",
        go: |world| {
            Box::pin(async move {
                let s3 = S3::from(world);
                let point = s3.open_access_point().await;
                point
                    .put_policy(policy(&[point.lets_in("Everybody", &json!("*"))]))
                    .await;
                let function = s3.function().start().await;
                let done = function.invoke(point.call("PutAccessPointPolicy").event()).await;
                put_back(&function, &done).await;
            })
        },
    }],
};

/// A level of data that only its owner may reach, from one VPC endpoint.
fn restricted() -> String {
    levels(
        "restricted: {values: [restricted], encryption: aws-managed-key, quarantine: true, vpc-endpoints: \
         [vpce-0a1b2c3d4e5f60718]}",
    )
}

const VIOLATIONS: &[Violation] = &[
    violation!("s3-bucket-public-access-block", |s3: S3| {
        let bucket = s3.bucket("bare").await;
        bucket
            .broken_by("CreateBucket")
            .told("HIGH", "remediated")
            .fixed_by(&["PutPublicAccessBlock"])
            .right("block", "all four")
            .undone_by(&["DeletePublicAccessBlock"])
    }),
    violation!("s3-bucket-sse-c-blocked", |s3: S3| {
        let bucket = s3.bucket("sse-c").await;
        bucket
            .broken_by("CreateBucket")
            .told("MEDIUM", "remediated")
            .fixed_by(&["PutBucketEncryption"])
            .right("encryption", "AES256 blocks SSE-C")
            .undone_by(&["PutBucketEncryption"])
    }),
    violation!("s3-bucket-default-encryption", |s3: S3| {
        let bucket = s3.bucket("payroll").await;
        bucket.classify("confidential").await;
        bucket.put_encryption("AES256", None, false, &["SSE-C"]).await;
        bucket
            .broken_by("PutBucketEncryption")
            .told("HIGH", "remediated")
            .fixed_by(&["PutBucketEncryption"])
            .right("encryption", "aws:kms bucket-key blocks SSE-C")
            .undone_by(&["PutBucketEncryption"])
    }),
    violation!("s3-bucket-public-policy", |s3: S3| {
        let bucket = s3.bucket("policy").await;
        let partner = bucket.lets_in("Partner", &json!({"AWS": s3.role("Partner")}));
        bucket
            .put_policy(policy(&[partner.clone(), bucket.lets_in("Everybody", &json!("*"))]))
            .await;
        bucket
            .broken_by("PutBucketPolicy")
            .told("CRITICAL", "remediated")
            .fixed_by(&["PutBucketPolicy"])
            .right("policy", policy(&[partner]))
            .undone_by(&["PutBucketPolicy"])
    }),
    violation!("s3-bucket-external-access", |s3: S3| {
        let bucket = s3.bucket("partner").await;
        let lets_in = |account: &str| bucket.lets_in(account, &json!({"AWS": format!("arn:aws:iam::{account}:root")}));
        bucket
            .put_policy(policy(&[lets_in("444455556666"), lets_in("777788889999")]))
            .await;
        bucket
            .broken_by("PutBucketPolicy")
            .settings("trusted: {accounts: [\"444455556666\"]}\n")
            .told("HIGH", "remediated")
            .says("777788889999")
            .fixed_by(&["PutBucketPolicy"])
            .right("policy", policy(&[lets_in("444455556666")]))
            .undone_by(&["PutBucketPolicy"])
    }),
    violation!("s3-bucket-public-acl", |s3: S3| {
        let bucket = s3.bucket("acl").await;
        let owner = bucket.snapshot().await["acl"].clone();
        bucket.put_grants(&[(ALL_USERS, "READ"), (LOG_DELIVERY, "WRITE")]).await;
        bucket
            .broken_by("PutBucketAcl")
            .told("CRITICAL", "remediated")
            .fixed_by(&["PutBucketAcl"])
            .right("acl", format!("{owner}, WRITE LogDelivery"))
            .undone_by(&["PutBucketAcl"])
    }),
    violation!("s3-bucket-acls-disabled", |s3: S3| {
        let bucket = s3.bucket("owned").await;
        bucket.put_ownership("ObjectWriter").await;
        bucket
            .broken_by("PutBucketOwnershipControls")
            .told("MEDIUM", "remediated")
            .fixed_by(&["PutBucketOwnershipControls"])
            .right("ownership", "BucketOwnerEnforced")
            .undone_by(&["PutBucketOwnershipControls"])
    }),
    violation!("s3-bucket-tls-only", |s3: S3| {
        let bucket = s3.bucket("tls").await;
        let denied = json!({"Bool": {"aws:SecureTransport": "false"}});
        bucket
            .broken_by("DeleteBucketPolicy")
            .told("MEDIUM", "remediated")
            .fixed_by(&["PutBucketPolicy"])
            .right("policy", policy(&[bucket.denies("PortcullisTlsOnly", &denied)]))
            .undone_by(&["DeleteBucketPolicy"])
    }),
    violation!("s3-bucket-versioning", |s3: S3| {
        let bucket = s3.bucket("versions").await;
        bucket.put_versioning(false).await;
        bucket
            .broken_by("PutBucketVersioning")
            .told("LOW", "remediated")
            .fixed_by(&["PutBucketVersioning"])
            .right("versioning", "Enabled")
            .undone_by(&["PutBucketVersioning"])
    }),
    violation!("s3-bucket-website", |s3: S3| {
        let bucket = s3.bucket("site").await;
        bucket.put_website(least_website()).await;
        bucket
            .broken_by("PutBucketWebsite")
            .told("MEDIUM", "remediated")
            .fixed_by(&["DeleteBucketWebsite"])
            .right("website", "absent")
            .undone_by(&["PutBucketWebsite"])
    }),
    violation!("s3-bucket-encrypted-writes", |s3: S3| {
        let bucket = s3.bucket("uploads").await;
        bucket.classify("confidential").await;
        let algorithm = "s3:x-amz-server-side-encryption";
        let weaker = json!({
            "StringNotEquals": {algorithm: ["aws:kms", "aws:kms:dsse"]},
            "Null": {algorithm: "false"},
        });
        let denied = json!({"Sid": "PortcullisEncryption", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
            "Resource": format!("{}/*", bucket.arn()), "Condition": weaker});
        bucket
            .broken_by("DeleteBucketPolicy")
            .told("MEDIUM", "remediated")
            .fixed_by(&["PutBucketPolicy"])
            .right("policy", policy(&[denied]))
            .undone_by(&["DeleteBucketPolicy"])
    }),
    violation!("s3-bucket-vpc-endpoints-only", |s3: S3| {
        let bucket = s3.bucket("vpce").await;
        bucket.classify("restricted").await;
        let denied = json!({
            "Sid": "PortcullisVpcEndpointsOnly", "Effect": "Deny", "Principal": "*",
            "Action": ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*", "s3:ListBucket*", "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts"],
            "Resource": [bucket.arn(), format!("{}/*", bucket.arn())],
            "Condition": {
                "StringNotEquals": {"aws:SourceVpce": ["vpce-0a1b2c3d4e5f60718"]},
                "ArnNotLike": {"aws:PrincipalArn": [s3.aws.role_arn()]},
                "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"},
            },
        });
        bucket
            .broken_by("PutBucketTagging")
            .settings(restricted())
            .told("MEDIUM", "remediated")
            .fixed_by(&["PutBucketPolicy"])
            .right("policy", policy(&[denied]))
            .undone_by(&["DeleteBucketPolicy"])
    }),
    violation!("s3-bucket-quarantine", |s3: S3| {
        let bucket = s3.bucket("medical").await;
        bucket.classify("restricted").await;
        let everybody = bucket.lets_in("Everybody", &json!("*"));
        bucket.put_policy(policy(std::slice::from_ref(&everybody))).await;
        let spared = json!({"ArnNotLike": {"aws:PrincipalArn": [s3.aws.role_arn()]}});
        bucket
            .broken_by("PutBucketPolicy")
            .settings(restricted())
            .beside(&["s3-bucket-public-policy"])
            .settles()
            .told("CRITICAL", "quarantined")
            .fixed_by(&["PutBucketPolicy + PutPublicAccessBlock"])
            .right("block", "all four")
            .right(
                "policy",
                policy(&[everybody, bucket.denies("PortcullisQuarantine", &spared)]),
            )
            .undone_by(&["DeletePublicAccessBlock", "PutBucketPolicy"])
            .forced(&[WITHOUT_THE_PUBLIC_STATEMENT])
    }),
    violation!("s3-account-public-access-block", |s3: S3| {
        s3.account_block()
            .broken_by("DeleteAccountPublicAccessBlock")
            .told("HIGH", "remediated")
            .fixed_by(&["PutPublicAccessBlock"])
            .right("block", "all four")
            .undone_by(&["DeletePublicAccessBlock"])
    }),
    violation!("s3-access-point-public-policy", |s3: S3| {
        let point = s3.open_access_point().await;
        let app = point.lets_in("App", &json!({"AWS": s3.role("app")}));
        point
            .put_policy(policy(&[app.clone(), point.lets_in("Everybody", &json!("*"))]))
            .await;
        point
            .broken_by("PutAccessPointPolicy")
            .told("CRITICAL", "remediated")
            .fixed_by(&["PutAccessPointPolicy"])
            .right("policy", policy(&[app]))
            .undone_by(&["PutAccessPointPolicy"])
    }),
    // S3 User Guide, "Managing public access to access points": the block of an access point can't be changed.
    violation!("s3-access-point-public-access-block", |s3: S3| {
        let point = s3.open_access_point().await;
        point.broken_by("CreateAccessPoint").told("HIGH", "needs-action")
    }),
];

/// What is left of the policy once the quarantine's block is on and its statement is not there yet: S3 then refuses a policy
/// that is public still, whatever it denies.
const WITHOUT_THE_PUBLIC_STATEMENT: &str = concat!(
    r#"s3:PutBucketPolicy /RESOURCE/?policy {"Version":"2012-10-17","Statement":[{"Sid":"PortcullisQuarantine","#,
    r#""Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::RESOURCE","arn:aws:s3:::RESOURCE/*"],"#,
    r#""Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::ACCOUNT:role/portcullis"]}}}]}"#
);

/// What each call of S3 comes to where everything is open: the controls of the bucket, the access point or the account.
const SAMPLES: &[Sample] = &[
    bucket(
        "CreateBucket",
        "bucket-public-access-block bucket-public-acl bucket-public-policy bucket-sse-c-blocked",
        "bucket-acls-disabled bucket-tls-only bucket-versioning",
    ),
    bucket("PutBucketEncryption", "bucket-sse-c-blocked", ""),
    bucket("DeleteBucketEncryption", "bucket-sse-c-blocked", ""),
    bucket("PutBucketPublicAccessBlock", EXPOSED, ""),
    bucket("DeleteBucketPublicAccessBlock", EXPOSED, ""),
    bucket("PutBucketPolicy", "bucket-public-policy", "bucket-tls-only"),
    // It ends holds, of which there are none.
    bucket("DeleteBucket", "", ""),
    bucket("DeleteBucketPolicy", "", "bucket-tls-only"),
    bucket("PutBucketAcl", "bucket-public-acl", "bucket-acls-disabled"),
    bucket(
        "PutBucketOwnershipControls",
        "bucket-public-acl",
        "bucket-acls-disabled",
    ),
    bucket(
        "DeleteBucketOwnershipControls",
        "bucket-public-acl",
        "bucket-acls-disabled",
    ),
    bucket("PutBucketVersioning", "", "bucket-versioning"),
    bucket("PutBucketWebsite", "", "bucket-website"),
    bucket("PutBucketTagging", EXPOSED, "bucket-website"),
    bucket("DeleteBucketTagging", EXPOSED, "bucket-website"),
    bucket("TagResource", EXPOSED, "bucket-website"),
    bucket("UntagResource", EXPOSED, "bucket-website"),
    Sample::of("PutAccountPublicAccessBlock", "s3-account-public-access-block").told("account-public-access-block"),
    Sample::of("DeleteAccountPublicAccessBlock", "s3-account-public-access-block").told("account-public-access-block"),
    Sample::of("CreateAccessPoint", "s3-access-point-public-policy")
        .right("access-point-public-policy")
        .told("access-point-public-access-block"),
    Sample::of("PutAccessPointPolicy", "s3-access-point-public-policy").right("access-point-public-policy"),
];

const EXPOSED: &str = "bucket-public-access-block bucket-public-acl bucket-public-policy";

/// What a call comes to that is about a bucket on which every control finds something.
const fn bucket(call: &'static str, right: &'static str, told: &'static str) -> Sample {
    let open = Finds::This(arrangement!(|s3: S3| s3.open_bucket().await.broken_by("CreateBucket")));
    Sample::new(call, open).right(right).told(told)
}
