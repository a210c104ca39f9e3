//! Block public access, ACLs, quarantine.

use portcullis_testkit::Fault;
use portcullis_tests::settings::{levels, only};
use portcullis_tests::{
    ALL_USERS, AUTHENTICATED_USERS, Answered, LOG_DELIVERY, Subject, World, assert_changed, controls_in, round_trip,
    writes,
};
use serde_json::{Value, json};

/// The quarantine, and the controls whose violation leads to it.
const EXPOSURES: [&str; 3] = [
    "s3-bucket-quarantine",
    "s3-bucket-public-acl",
    "s3-bucket-public-policy",
];

const FRIEND: &str = "feedfacefeedfacefeedfacefeedfacefeedfacefeedfacefeedfacefeedface";

#[tokio::test]
async fn a_block_with_holes_is_closed_and_comes_back_with_the_same_holes() {
    let world = World::new().await;
    let bucket = world.bucket("holes").await;
    bucket.put_block([true, false, true, false]).await;
    let arranged = bucket
        .broken_by("PutBucketPublicAccessBlock")
        .told("HIGH", "remediated")
        .fixed_by(&["PutPublicAccessBlock"])
        .right("block", "all four")
        .undone_by(&["PutPublicAccessBlock"]);
    let alert = round_trip("s3-bucket-public-access-block", arranged).await.alert;
    assert!(
        alert.text.contains("IgnorePublicAcls, RestrictPublicBuckets off"),
        "{}",
        alert.text
    );
}

#[tokio::test]
async fn what_the_accounts_block_already_closes_is_rated_lower() {
    let world = World::new().await;
    world.account_block().put([true; 4]).await;
    let bucket = world.bucket("covered").await;
    let arranged = bucket
        .broken_by("CreateBucket")
        .told("LOW", "remediated")
        .fixed_by(&["PutPublicAccessBlock"])
        .right("block", "all four")
        .undone_by(&["DeletePublicAccessBlock"]);
    round_trip("s3-bucket-public-access-block", arranged).await;
}

#[tokio::test]
async fn only_public_grants_are_taken_from_an_acl() {
    let world = World::new().await;
    let bucket = world.bucket("grants").await;
    let grants = [
        (ALL_USERS, "READ"),
        (LOG_DELIVERY, "WRITE"),
        (AUTHENTICATED_USERS, "WRITE"),
        (FRIEND, "READ_ACP"),
    ];
    bucket.put_grants(&grants).await;
    let before = bucket.snapshot().await;
    let owner = before["acl"].split(',').next().unwrap();
    let arranged = bucket
        .broken_by("PutBucketAcl")
        .told("CRITICAL", "remediated")
        .fixed_by(&["PutBucketAcl"])
        .right("acl", format!("{owner}, WRITE LogDelivery, READ_ACP feedface"))
        .undone_by(&["PutBucketAcl"]);
    let alert = round_trip("s3-bucket-public-acl", arranged).await.alert;
    assert!(alert.text.contains("READ to everybody") && alert.text.contains("WRITE to every AWS account"));
}

#[tokio::test]
async fn a_foreign_grant_goes_where_that_is_enforced_and_a_trusted_one_stays() {
    let world = World::new().await;
    let bucket = world.bucket("foreign").await;
    let partner = "deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
    bucket
        .put_grants(&[(FRIEND, "READ"), (LOG_DELIVERY, "WRITE"), (partner, "FULL_CONTROL")])
        .await;
    let before = bucket.snapshot().await;
    let owner = before["acl"].split(',').next().unwrap();
    let trusted = format!("trusted: {{canonical-users: [{FRIEND}]}}\n");
    let arranged = bucket
        .broken_by("PutBucketAcl")
        .settings(trusted)
        .told("HIGH", "remediated")
        .fixed_by(&["PutBucketAcl"])
        .right("acl", format!("{owner}, READ feedface, WRITE LogDelivery"))
        .undone_by(&["PutBucketAcl"]);
    let alert = round_trip("s3-bucket-external-access", arranged).await.alert;
    assert!(alert.text.contains(partner), "{}", alert.text);
}

#[tokio::test]
async fn a_public_acl_behind_a_block_is_rated_lower_and_cleaned_all_the_same() {
    let world = World::new().await;
    let bucket = world.bucket("ignored").await;
    bucket.put_canned_acl("public-read-write").await;
    bucket.put_block([false, true, false, false]).await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", only(&["s3-bucket-public-acl"], ""))
        .start()
        .await;
    let invocation = function.invoke(bucket.call("PutBucketAcl").event()).await;
    assert_eq!(invocation.outcome(), "remediated");
    assert!(!bucket.snapshot().await["acl"].contains("AllUsers"));
    assert_eq!(world.alerts().await[0].attributes["severity"], "LOW");
}

#[tokio::test]
async fn log_delivery_is_not_the_public() {
    let world = World::new().await;
    let bucket = world.bucket("logs").await;
    bucket
        .put_grants(&[(LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")])
        .await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", only(&["s3-bucket-public-acl"], ""))
        .start()
        .await;
    let invocation = function.invoke(bucket.call("PutBucketAcl").event()).await;
    assert_eq!(invocation.outcome(), "compliant");
}

#[tokio::test]
async fn ownership_controls_that_were_not_there_are_gone_again() {
    let world = World::new().await;
    let bucket = world.bucket("unowned").await;
    let arranged = bucket
        .broken_by("DeleteBucketOwnershipControls")
        .told("MEDIUM", "remediated")
        .fixed_by(&["PutBucketOwnershipControls"])
        .right("ownership", "BucketOwnerEnforced")
        .undone_by(&["DeleteBucketOwnershipControls"]);
    round_trip("s3-bucket-acls-disabled", arranged).await;
}

#[tokio::test]
async fn acls_that_still_let_somebody_in_are_left_to_a_person() {
    let world = World::new().await;
    let bucket = world.bucket("shared").await;
    bucket.put_grants(&[(FRIEND, "READ")]).await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", only(&["s3-bucket-acls-disabled"], ""))
        .start()
        .await;
    let before = bucket.snapshot().await;
    let invocation = function.invoke(bucket.call("PutBucketAcl").event()).await;
    assert_eq!(invocation.outcome(), "needs-action");
    assert_eq!(writes(&invocation.calls), [""; 0]);
    assert_changed(&before, &bucket.snapshot().await, &[]);
}

#[tokio::test]
async fn a_public_acl_is_cleaned_before_acls_are_disabled() {
    let world = World::new().await;
    let bucket = world.bucket("both").await;
    bucket.put_ownership("ObjectWriter").await;
    bucket.put_canned_acl("public-read").await;
    let settings = only(&["s3-bucket-public-acl", "s3-bucket-acls-disabled"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let before = bucket.snapshot().await;
    let invocation = function.invoke(bucket.call("PutBucketAcl").event()).await;
    assert_eq!(invocation.outcome(), "remediated", "{:?}", invocation.result);
    let owner = before["acl"].split(',').next().unwrap();
    let changes = [("acl", owner), ("ownership", "BucketOwnerEnforced")];
    assert_changed(&before, &bucket.snapshot().await, &changes);
    assert_eq!(world.alerts().await.len(), 1, "one message for both controls");
    // Back again: ownership first, or S3 would refuse the ACL.
    portcullis_tests::put_back(&function, &invocation).await;
    assert_changed(&before, &bucket.snapshot().await, &[]);
}

#[tokio::test]
async fn restricted_data_that_is_exposed_is_quarantined_at_once() {
    let world = World::new().await;
    let bucket = world.bucket("secret").await;
    bucket.classify("Restricted").await;
    bucket.put_canned_acl("public-read").await;
    let keep = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Keep", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{}:role/app", world.aws.account())},
        "Action": "s3:GetObject", "Resource": format!("{}/*", bucket.arn()),
    }]});
    let keep = keep.to_string();
    bucket.put_policy(&keep).await;
    let before = bucket.snapshot().await;
    let rescue = format!("arn:aws:iam::{}:role/BreakGlass", world.aws.account());
    // The controls whose violation exposes it are on, but the quarantine comes first and settles them.
    let settings = only(&EXPOSURES, &format!("break-glass: [\"{rescue}\"]\n"));
    let function = world.function().env("PORTCULLIS_SETTINGS", &settings).start().await;
    let invocation = function.invoke(bucket.call("PutBucketAcl").event()).await;
    let controls = controls_in(invocation.answer());
    assert_eq!(controls["s3-bucket-quarantine"], "quarantined", "{controls:?}");

    let after = bucket.snapshot().await;
    assert_eq!(after["block"], "all four");
    assert!(
        after["policy"].starts_with(keep.strip_suffix("]}").unwrap()),
        "what was there stays byte for byte"
    );
    let policy: Value = serde_json::from_str(&after["policy"]).unwrap();
    let deny = &policy["Statement"][1];
    assert_eq!(
        (&deny["Sid"], &deny["Effect"]),
        (&json!("PortcullisQuarantine"), &json!("Deny"))
    );
    assert_eq!((&deny["Principal"], &deny["Action"]), (&json!("*"), &json!("s3:*")));
    let spared = deny["Condition"]["ArnNotLike"]["aws:PrincipalArn"].as_array().unwrap();
    assert!(spared.contains(&json!(rescue)) && spared.contains(&json!(world.aws.role_arn())));
    let alert = world.alerts().await.remove(0);
    assert!(
        alert
            .subject
            .starts_with("[portcullis] CRITICAL quarantined: bucket secret"),
        "{}",
        alert.subject
    );

    portcullis_tests::put_back(&function, &invocation).await;
    assert_changed(&before, &bucket.snapshot().await, &[]);
    let again = function.invoke(bucket.call("PutBucketAcl").event()).await;
    assert_eq!(controls_in(again.answer())["s3-bucket-quarantine"], "exempt");
    assert_eq!(bucket.snapshot().await["policy"], keep, "not quarantined again");
}

/// S3 calls a policy public whatever it denies, and refuses to put one under `BlockPublicPolicy`.
#[tokio::test]
async fn a_public_policy_is_quarantined_whatever_the_block() {
    for (flags, kept) in [([false; 4], 2), ([false, false, true, false], 1)] {
        let world = World::new().await;
        let bucket = world.bucket("public").await;
        bucket.classify("restricted").await;
        let everybody = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
            "Resource": format!("{}/*", bucket.arn()),
        }]});
        bucket.put_policy(everybody.to_string()).await;
        bucket.put_block(flags).await;
        let before = bucket.snapshot().await;
        let settings = only(&EXPOSURES, "");
        let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
        let event = bucket.call("PutBucketPublicAccessBlock").event();
        let invocation = function.invoke(&event).await;
        assert_eq!(invocation.outcome(), "quarantined");
        let after = bucket.snapshot().await;
        assert_eq!(after["block"], "all four");
        let policy: Value = serde_json::from_str(&after["policy"]).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        assert_eq!(statements.last().unwrap()["Sid"], "PortcullisQuarantine");
        assert_eq!(statements.len(), kept, "{flags:?}");
        portcullis_tests::put_back(&function, &invocation).await;
        assert_changed(&before, &bucket.snapshot().await, &[]);
    }
}

/// What the block only restricts is taken away all the same, and can be put back: the flag that would refuse it steps aside.
#[tokio::test]
async fn what_was_public_behind_a_block_comes_back_behind_it() {
    let world = World::new().await;
    let bucket = world.bucket("behind").await;
    let everybody = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": format!("{}/*", bucket.arn()),
    }]});
    bucket.put_policy(everybody.to_string()).await;
    bucket.put_canned_acl("public-read").await;
    bucket.put_block([true; 4]).await;
    let before = bucket.snapshot().await;
    let settings = only(&["s3-bucket-public-policy", "s3-bucket-public-acl"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let event = bucket.call("DeleteBucketPublicAccessBlock").event();
    let done = function.invoke(&event).await;
    assert_eq!(done.outcome(), "remediated", "{:?}", done.result);
    let id = portcullis_tests::record_of(done.answer());

    // What the account blocks is not a restore's to open.
    let closed = bucket.snapshot().await;
    world.account_block().put([false, false, true, false]).await;
    let refused = function.invoke(json!({"restore": id})).await;
    let error = refused.result.as_ref().unwrap_err();
    assert!(error.message.contains("the account's BlockPublicPolicy"), "{error}");
    assert_eq!(portcullis_tests::writes(&refused.calls), [""; 0]);
    assert_eq!(bucket.snapshot().await, closed);
    world.account_block().put([false; 4]).await;

    let restored = function.invoke(json!({"restore": id, "by": "ana"})).await;
    assert_eq!(restored.outcome(), "restored", "{:?}", restored.result);
    assert_changed(&before, &bucket.snapshot().await, &[]);
    let blocks: Vec<_> = restored
        .calls
        .iter()
        .filter(|call| call.name() == "s3:PutPublicAccessBlock")
        .collect();
    assert!(
        blocks[0]
            .body
            .as_deref()
            .unwrap()
            .contains("<RestrictPublicBuckets>true"),
        "open to nobody meanwhile"
    );
}

#[tokio::test]
async fn half_a_quarantine_is_a_failure() {
    let world = World::new().await;
    let bucket = world.bucket("half").await;
    bucket.classify("restricted").await;
    bucket.put_canned_acl("public-read").await;
    let settings = only(&EXPOSURES, "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    world
        .aws
        .fault(Fault::on("s3", "PutBucketPolicy").denied().always())
        .await;
    let invocation = function.invoke(bucket.call("PutBucketAcl").event()).await;
    assert_eq!(invocation.result.unwrap_err().error_type, "NotRemediated");
    assert_eq!(bucket.snapshot().await["block"], "all four", "as closed as it could be");
    assert_eq!(world.alerts().await[0].attributes["outcome"], "failed");
}

#[tokio::test]
async fn the_other_half_of_a_quarantine_is_done_by_the_retry() {
    for refused in ["PutBucketPolicy", "PutPublicAccessBlock"] {
        let world = World::new().await;
        let bucket = world.bucket("retried").await;
        bucket.classify("restricted").await;
        let open = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{}/*", bucket.arn())});
        bucket
            .put_policy(json!({"Version": "2012-10-17", "Statement": [open]}).to_string())
            .await;
        let settings = only(&EXPOSURES, "");
        let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
        world.aws.fault(Fault::on("s3", refused).denied().always()).await;
        let half = function.invoke(bucket.call("PutBucketPolicy").event()).await;
        assert_eq!(half.result.as_ref().unwrap_err().error_type, "NotRemediated");
        world.aws.clear_faults().await;
        let retried = function.retry(&half).await;
        assert_eq!(
            controls_in(retried.answer())["s3-bucket-quarantine"],
            "quarantined",
            "{refused}"
        );
        let closed = bucket.snapshot().await;
        assert_eq!(closed["block"], "all four");
        assert!(closed["policy"].contains("PortcullisQuarantine"), "{closed:?}");
        let told: Vec<_> = world
            .alerts()
            .await
            .into_iter()
            .map(|alert| alert.attributes["outcome"].clone())
            .collect();
        assert_eq!(told, ["failed", "quarantined"]);
    }
}

#[tokio::test]
async fn a_control_can_ask_for_a_quarantine_whatever_the_data() {
    let world = World::new().await;
    let bucket = world.bucket("control").await;
    bucket.put_canned_acl("public-read-write").await;
    let yaml = "controls:\n  s3-bucket-public-acl: {mode: enforce, quarantine: true}\n";
    let function = world.function().env("PORTCULLIS_SETTINGS", yaml).start().await;
    let invocation = function.invoke(bucket.call("PutBucketAcl").event()).await;
    assert_eq!(controls_in(invocation.answer())["s3-bucket-quarantine"], "quarantined");
}

#[tokio::test]
async fn restricted_data_that_nobody_can_reach_is_not_quarantined() {
    let world = World::new().await;
    let bucket = world.bucket("sealed").await;
    bucket.classify("restricted").await;
    bucket.put_canned_acl("public-read").await;
    bucket.put_block([true; 4]).await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", only(&EXPOSURES, ""))
        .start()
        .await;
    let invocation = function.invoke(bucket.call("PutBucketAcl").event()).await;
    let told = controls_in(invocation.answer());
    assert_eq!(
        told,
        [("s3-bucket-public-acl".to_owned(), "remediated".to_owned())].into()
    );
}

#[tokio::test]
async fn public_data_may_be_read_by_everybody_but_not_written() {
    let world = World::new().await;
    let bucket = world.bucket("site").await;
    bucket.classify("public").await;
    bucket.put_canned_acl("public-read").await;
    let arn = bucket.arn();
    let read = json!({"Sid": "Read", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{arn}/*")});
    bucket
        .put_policy(json!({"Version": "2012-10-17", "Statement": [read]}).to_string())
        .await;
    let ids = [
        "s3-bucket-public-access-block",
        "s3-bucket-public-acl",
        "s3-bucket-public-policy",
        "s3-bucket-website",
    ];
    let settings = only(&ids, "");
    let function = world.function().env("PORTCULLIS_SETTINGS", &settings).start().await;
    let before = bucket.snapshot().await;
    for call in [
        "CreateBucket",
        "PutBucketAcl",
        "PutBucketPolicy",
        "PutBucketTagging",
        "PutBucketWebsite",
    ] {
        let invocation = function.invoke(bucket.call(call).event()).await;
        assert_eq!(invocation.outcome(), "compliant", "{call}");
    }
    assert_changed(&before, &bucket.snapshot().await, &[]);

    bucket.put_canned_acl("public-read-write").await;
    let write = json!({"Sid": "Write", "Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": format!("{arn}/*")});
    bucket
        .put_policy(json!({"Version": "2012-10-17", "Statement": [write]}).to_string())
        .await;
    let invocation = function.invoke(bucket.call("PutBucketTagging").event()).await;
    let told = controls_in(invocation.answer());
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.values().all(|outcome| outcome == "remediated"), "{told:?}");
    let after = bucket.snapshot().await;
    assert!(after["acl"].contains("READ AllUsers") && !after["acl"].contains("WRITE AllUsers"));
    assert_eq!(after["policy"], "absent");
    assert_eq!(after["block"], "absent", "public data needs no block");
}

#[tokio::test]
async fn a_level_of_ones_own_decides_by_its_own_values() {
    let world = World::new().await;
    let bucket = world.bucket("level").await;
    bucket.classify("PCI").await;
    let own = levels("cards: {values: [pci], encryption: dual-layer, quarantine: true}");
    let settings = only(&["s3-bucket-default-encryption"], &own);
    let function = world.function().env("PORTCULLIS_SETTINGS", &settings).start().await;
    let invocation = function.invoke(bucket.call("PutBucketTagging").event()).await;
    assert_eq!(invocation.outcome(), "remediated");
    assert_eq!(bucket.snapshot().await["encryption"], "aws:kms:dsse");
}
