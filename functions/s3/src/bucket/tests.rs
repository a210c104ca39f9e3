//! Helpers for the tests of controls, and the tests of the type itself.

use portcullis_access::Grantee;
use portcullis_core::event::Event;
use portcullis_core::settings::Level;
use portcullis_core::testing::{judging, resource};
use portcullis_core::{Finding, JudgeContext, Judgement, Settings};
use serde_json::{Value, json};

use super::*;

fn resource_b1() -> Resource {
    resource(TYPE.name, "arn:aws:s3:::b-1")
}

fn scoped<T>(settings: &Settings, level_name: &str, level: &Level, run: impl FnOnce(&JudgeContext<'_>) -> T) -> T {
    judging(&resource_b1(), settings, |context| {
        run(&JudgeContext {
            level,
            level_name,
            ..*context
        })
    })
}

/// Runs with data of a level of the default settings.
pub fn in_scope<T>(level: &str, run: impl FnOnce(&JudgeContext<'_>) -> T) -> T {
    let settings = Settings::default();
    scoped(&settings, level, &settings.classification.levels[level], run)
}

/// Runs with data of a given level.
pub fn at_level<T>(level: &Level, run: impl FnOnce(&JudgeContext<'_>) -> T) -> T {
    scoped(&Settings::default(), "tested", level, run)
}

/// Runs with internal data under given settings.
pub fn with_settings<T>(settings: &Settings, run: impl FnOnce(&JudgeContext<'_>) -> T) -> T {
    scoped(settings, "internal", &settings.classification.levels["internal"], run)
}

/// What a control finds in internal data.
pub fn finding(
    judge: impl Fn(&Bucket, &JudgeContext<'_>) -> Judgement<BucketChange>,
    state: &Bucket,
) -> Option<Finding<BucketChange>> {
    in_scope("internal", |context| judge(state, context).finding())
}

pub fn grant(grantee: Grantee, permission: &str) -> Grant {
    Grant {
        grantee,
        permission: permission.into(),
    }
}

/// A bucket whose list grants its owner everything, and others what is given.
pub fn with_acl(grants: &[Grant]) -> Bucket {
    let mut all = vec![grant(Grantee::CanonicalUser("owner".into()), "FULL_CONTROL")];
    all.extend_from_slice(grants);
    Bucket {
        acl: Observed::Is(Acl {
            owner: "owner".into(),
            grants: all,
        }),
        ..Bucket::default()
    }
}

pub fn with_policy(policy: &str) -> Bucket {
    Bucket {
        policy: Observed::Is(policy.into()),
        ..Bucket::default()
    }
}

fn call(parameters: &Value, resources: &Value) -> Call {
    let record = json!({
        "eventSource": "s3.amazonaws.com", "eventName": "CreateBucket", "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333", "requestParameters": parameters, "resources": resources,
    });
    match Event::parse(&record).unwrap() {
        Event::Call(call) => *call,
        _ => panic!(),
    }
}

#[test]
fn a_bucket_is_in_the_region_of_its_location_constraint() {
    for (constraint, region) in [
        (json!("eu-central-1"), "eu-central-1"),
        (json!("EU"), "eu-west-1"),
        (json!(""), "us-east-1"),
    ] {
        let call = call(
            &json!({"bucketName": "b-1", "CreateBucketConfiguration": {"LocationConstraint": constraint}}),
            &json!([]),
        );
        assert_eq!((TYPE.named)(&call).unwrap()[0].region, region);
    }
    let call = call(&json!({"bucketName": "b-1"}), &json!([]));
    assert_eq!((TYPE.named)(&call).unwrap()[0].region, "us-east-1");
}

#[test]
fn names_that_are_none_are_refused() {
    for name in [
        json!("../etc"),
        json!("a/b/c"),
        json!(""),
        json!("ab"),
        json!({"a": 1}),
        json!(["a-1", "b-2"]),
        json!("a b c"),
    ] {
        let error = (TYPE.named)(&call(&json!({"bucketName": name}), &json!([]))).unwrap_err();
        assert!(error.to_string().contains("bucketName"), "{error}");
    }
    assert!(
        (TYPE.named)(&call(&Value::Null, &json!([])))
            .unwrap_err()
            .to_string()
            .contains("bucketName")
    );
}

#[test]
fn tags_are_set_by_arn_too_and_only_those_of_buckets_count() {
    let names = |arn: &str| (TYPE.named)(&call(&json!({"resourceArn": arn}), &json!([])));
    assert_eq!(names("arn:aws:s3:::b-1").unwrap()[0].id, "b-1");
    for other in [
        "arn:aws:s3:us-east-1:111122223333:accesspoint/reports-partner",
        "arn:aws:s3:us-east-1:111122223333:storage-lens-group/all",
        "arn:aws:s3express:us-east-1:111122223333:bucket/b--use1-az4--x-s3",
    ] {
        assert_eq!(names(other), Ok(Vec::new()), "{other}");
    }
    for none in ["b-1", "arn:aws:s3:::b-1/key", ""] {
        let error = names(none).unwrap_err().to_string();
        assert!(error.contains("resourceArn"), "{error}");
    }
}

#[test]
fn what_belongs_to_another_account_is_left_alone() {
    let owned_by = |account: &str, parameters: Value| {
        let resources = json!([{"ARN": "arn:aws:s3:::b-1", "accountId": account, "type": "AWS::S3::Bucket"}]);
        (TYPE.named)(&call(&parameters, &resources)).unwrap().len()
    };
    for parameters in [
        json!({"bucketName": "b-1"}),
        json!({"resourceArn": "arn:aws:s3:::b-1"}),
        json!({"omitted": true, "originalSize": 1}),
    ] {
        assert_eq!(owned_by("444455556666", parameters.clone()), 0, "{parameters}");
        assert_eq!(owned_by("111122223333", parameters), 1);
    }
    // The owner of something else says nothing of it.
    let other = json!([{"ARN": "arn:aws:s3:::b-2", "accountId": "444455556666"}]);
    let own = call(&json!({"bucketName": "b-1"}), &other);
    assert_eq!((TYPE.named)(&own).unwrap().len(), 1);
}

#[test]
fn omitted_parameters_leave_the_arn() {
    let omitted = call(
        &json!({"omitted": true, "originalSize": 1}),
        &json!([{"ARN": "arn:aws:s3:::hidden-1"}]),
    );
    assert_eq!((TYPE.named)(&omitted).unwrap()[0].id, "hidden-1");
}

#[test]
fn other_partitions_have_their_own_arns() {
    let record = json!({
        "eventSource": "s3.amazonaws.com", "eventName": "CreateBucket", "awsRegion": "cn-north-1",
        "recipientAccountId": "111122223333", "requestParameters": {"bucketName": "b-1"},
    });
    let Event::Call(call) = Event::parse(&record).unwrap() else {
        panic!()
    };
    let bucket = &(TYPE.named)(&call).unwrap()[0];
    assert_eq!(
        (bucket.arn.as_str(), bucket.region.as_str()),
        ("arn:aws-cn:s3:::b-1", "cn-north-1"),
        "they have no us-east-1 to default to"
    );
}
