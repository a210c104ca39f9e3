//! Versioning and websites.

use aws_sdk_s3::types::{
    Condition, ErrorDocument, IndexDocument, Protocol, Redirect, RedirectAllRequestsTo, RoutingRule,
    WebsiteConfiguration,
};
use portcullis_tests::{Subject, World, round_trip};

/// S3 User Guide, "Using versioning in S3 buckets": after enabling it, it can only be suspended.
#[tokio::test]
async fn versioning_that_never_was_ends_up_suspended() {
    let world = World::new().await;
    let bucket = world.bucket("versions").await;
    let arranged = bucket
        .broken_by("CreateBucket")
        .told("LOW", "remediated")
        .fixed_by(&["PutBucketVersioning"])
        .right("versioning", "Enabled")
        .undone_by(&["PutBucketVersioning"])
        .undone_to("versioning", "Suspended");
    round_trip("s3-bucket-versioning", arranged).await;
}

#[tokio::test]
async fn a_website_is_taken_down_and_put_up_again_with_every_rule() {
    let world = World::new().await;
    let bucket = world.bucket("site").await;
    let moved = RoutingRule::builder()
        .condition(
            Condition::builder()
                .key_prefix_equals("docs/")
                .http_error_code_returned_equals("404")
                .build(),
        )
        .redirect(
            Redirect::builder()
                .host_name("example.org")
                .protocol(Protocol::Https)
                .http_redirect_code("301")
                .replace_key_prefix_with("documents/")
                .build(),
        )
        .build();
    let unconditional = RoutingRule::builder()
        .redirect(Redirect::builder().replace_key_with("gone.html").build())
        .build();
    let website = WebsiteConfiguration::builder()
        .index_document(IndexDocument::builder().suffix("index.html").build().unwrap())
        .error_document(ErrorDocument::builder().key("oops.html").build().unwrap())
        .routing_rules(moved)
        .routing_rules(unconditional)
        .build();
    bucket.put_website(website).await;
    let arranged = bucket
        .broken_by("PutBucketWebsite")
        .told("MEDIUM", "remediated")
        .fixed_by(&["DeleteBucketWebsite"])
        .right("website", "absent")
        .undone_by(&["PutBucketWebsite"]);
    round_trip("s3-bucket-website", arranged).await;
}

#[tokio::test]
async fn a_redirection_of_everything_is_a_website_too() {
    let world = World::new().await;
    let bucket = world.bucket("redirect").await;
    let all = RedirectAllRequestsTo::builder()
        .host_name("example.org")
        .protocol(Protocol::Https);
    let website = WebsiteConfiguration::builder().redirect_all_requests_to(all.build().unwrap());
    bucket.put_website(website.build()).await;
    let arranged = bucket
        .broken_by("DeleteBucketTagging")
        .told("MEDIUM", "remediated")
        .fixed_by(&["DeleteBucketWebsite"])
        .right("website", "absent")
        .undone_by(&["PutBucketWebsite"]);
    round_trip("s3-bucket-website", arranged).await;
}
