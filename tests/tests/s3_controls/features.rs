//! Versioning and websites.

use aws_sdk_s3::types::{
    Condition, ErrorDocument, IndexDocument, Protocol, Redirect, RedirectAllRequestsTo, RoutingRule,
    WebsiteConfiguration,
};
use portcullis_tests::settings::only;
use portcullis_tests::{Expected, World, round_trip};

#[tokio::test]
async fn suspended_versioning_is_enabled_and_suspended_again() {
    let world = World::new().await;
    let bucket = world.bucket("versions").await;
    bucket.put_versioning(false).await;
    let expected = Expected {
        control: "s3-bucket-versioning",
        call: "PutBucketVersioning",
        settings: &only(&["s3-bucket-versioning"], ""),
        told: ("LOW", "remediated"),
        changes: &[("versioning", "Enabled")],
        no_way_back: &[],
    };
    round_trip(&bucket, expected).await;
}

/// S3 User Guide, "Using versioning in S3 buckets": after enabling it, it can only be suspended.
#[tokio::test]
async fn versioning_that_never_was_ends_up_suspended() {
    let world = World::new().await;
    let bucket = world.bucket("versions").await;
    let expected = Expected {
        control: "s3-bucket-versioning",
        call: "CreateBucket",
        settings: &only(&["s3-bucket-versioning"], ""),
        told: ("LOW", "remediated"),
        changes: &[("versioning", "Enabled")],
        no_way_back: &[("versioning", "Suspended")],
    };
    round_trip(&bucket, expected).await;
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
    let expected = Expected {
        control: "s3-bucket-website",
        call: "PutBucketWebsite",
        settings: &only(&["s3-bucket-website"], ""),
        told: ("MEDIUM", "remediated"),
        changes: &[("website", "absent")],
        no_way_back: &[],
    };
    round_trip(&bucket, expected).await;
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
    let expected = Expected {
        control: "s3-bucket-website",
        call: "DeleteBucketTagging",
        settings: &only(&["s3-bucket-website"], ""),
        told: ("MEDIUM", "remediated"),
        changes: &[("website", "absent")],
        no_way_back: &[],
    };
    round_trip(&bucket, expected).await;
}
