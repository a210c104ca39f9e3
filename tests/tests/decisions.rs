//! What is decided besides enforce or notify: budget, holds, exemptions by tag, grace, resources that are not ready, fights.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use aws_sdk_dynamodb::types::AttributeValue;
use portcullis_testkit::{Fault, Function, Invocation};
use portcullis_tests::settings::only;
use portcullis_tests::{Answered, Bucket, Subject, World, controls_in, service_of};
use serde_json::{Value, json};

const POLICY: &str = "s3-bucket-public-policy";

async fn function(world: &World, more: &str) -> Function {
    let settings = only(&[POLICY], more);
    world.function().env("PORTCULLIS_SETTINGS", settings).start().await
}

/// With a grace for the one control; the settings' own entry of it is replaced.
async fn patient(world: &World) -> Function {
    let on = format!("{POLICY}: {{mode: enforce}}");
    let settings = only(&[POLICY], "").replace(&on, &format!("{POLICY}: {{mode: enforce, grace: 24h}}"));
    world.function().env("PORTCULLIS_SETTINGS", settings).start().await
}

async fn open_up(bucket: &Bucket) {
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{}/*", bucket.arn())});
    bucket
        .put_policy(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
        .await;
}

async fn open_and_tell(function: &Function, bucket: &Bucket) -> Invocation {
    open_up(bucket).await;
    function.invoke(bucket.call("PutBucketPolicy").event()).await
}

async fn is_open(bucket: &Bucket) -> bool {
    bucket.snapshot().await["policy"].contains("Principal")
}

/// What the ledger's index says that waits: the controls by resource.
async fn waiting(world: &World) -> Vec<Value> {
    let items = world.aws.ledger_items_in(&world.region, &world.stack.table).await;
    items.into_iter().filter(|item| item["todo"] == "deferred").collect()
}

/// Puts the moment for which an item of the ledger waits into the past; yields what it was.
async fn is_due(world: &World, item: &Value) -> String {
    let client = aws_sdk_dynamodb::Client::new(&world.aws.sdk_config());
    let until = item["since"].as_str().unwrap();
    let moved = |text: &str| AttributeValue::S(text.replace(until, "2026-01-01T00:00:00Z"));
    client
        .update_item()
        .table_name(&world.stack.table)
        .key("pk", AttributeValue::S(item["pk"].as_str().unwrap().into()))
        .key("sk", AttributeValue::S("~status".into()))
        .update_expression("SET #document = :document, since = :since")
        .expression_attribute_names("#document", "document")
        .expression_attribute_values(":document", moved(item["document"].as_str().unwrap()))
        .expression_attribute_values(":since", moved(until))
        .send()
        .await
        .unwrap();
    until.to_owned()
}

/// Lets the next hour come: what waits is due, and nothing of the budget is drawn. Yields for when the resources waited.
async fn next_hour(world: &World) -> Vec<String> {
    let client = aws_sdk_dynamodb::Client::new(&world.aws.sdk_config());
    let mut until = Vec::new();
    for item in world.aws.ledger_items_in(&world.region, &world.stack.table).await {
        if item["todo"] == "deferred" {
            until.push(is_due(world, &item).await);
        } else if item["pk"].as_str().unwrap().starts_with("budget#") {
            let key = |name: &str| AttributeValue::S(item[name].as_str().unwrap().into());
            let delete = client.delete_item().table_name(&world.stack.table);
            delete.key("pk", key("pk")).key("sk", key("sk")).send().await.unwrap();
        }
    }
    until
}

/// The one-time schedules: when each comes, and with what it invokes the function.
async fn schedules(world: &World) -> Vec<(String, Value)> {
    let scheduler = aws_sdk_scheduler::Client::new(&world.aws.sdk_config());
    let listed = scheduler.list_schedules().send().await.unwrap();
    let mut found = Vec::new();
    for name in listed.schedules().iter().filter_map(|one| one.name()) {
        let schedule = scheduler.get_schedule().name(name).send().await.unwrap();
        assert_eq!(schedule.action_after_completion().unwrap().as_str(), "DELETE");
        let target = schedule.target().unwrap();
        assert!(target.dead_letter_config().is_some());
        let input = serde_json::from_str(target.input().unwrap()).unwrap();
        found.push((schedule.schedule_expression().unwrap().to_owned(), input));
    }
    found
}

/// Lets the time of what waits come, and says by what the schedule invokes the function then.
async fn let_it_come(world: &World, arn: &str) -> Value {
    let (expression, event) = schedules(world).await.remove(0);
    assert_eq!(schedules(world).await.len(), 1, "one for one control of one resource");
    let item = waiting(world).await.remove(0);
    assert_eq!(item["pk"], arn);
    let until = is_due(world, &item).await;
    assert_eq!(expression, format!("at({})", until.trim_end_matches('Z')));
    event
}

#[tokio::test]
async fn past_the_budget_of_an_hour_findings_wait_and_are_told_once() {
    let world = World::new().await;
    let (first, second) = (world.bucket("first").await, world.bucket("second").await);
    let tight = function(&world, "budget: {disruptive-per-hour: 1}\n").await;

    // A retry of the same event draws nothing more: the alert that did not leave is sent the second time.
    let silent = Fault::on("sns", "Publish").status(403, "AuthorizationError").times(1);
    world.aws.fault(silent).await;
    let broken = open_and_tell(&tight, &first).await;
    assert!(broken.result.is_err());
    assert_eq!(tight.retry(&broken).await.outcome(), "remediated");
    let items = world.aws.ledger_items_in(&world.region, &world.stack.table).await;
    let budget: Vec<_> = items
        .iter()
        .filter(|item| item["pk"].as_str().unwrap().starts_with("budget#"))
        .collect();
    assert_eq!(budget.len(), 1);
    assert_eq!(budget[0]["drawn"].to_string().trim_matches('"'), "1");
    assert!(!budget[0]["expires"].is_null());

    let deferred = open_and_tell(&tight, &second).await;
    assert_eq!(deferred.outcome(), "deferred");
    assert!(is_open(&second).await);
    let counted = deferred
        .logs
        .iter()
        .any(|line| line.contains("\"Deferred\":1") && line.contains("\"Reason\":\"budget\""));
    assert!(counted, "{:?}", deferred.logs);
    let alerts = world.alerts().await;
    let alert = alerts.last().unwrap();
    assert!(alert.subject.contains("deferred"), "{}", alert.subject);
    assert!(
        alert.text.contains("the budget of 1 disruptive remedies an hour"),
        "{}",
        alert.text
    );
    assert_eq!(waiting(&world).await[0]["pk"], second.arn());

    let again = tight.invoke(second.call("PutBucketPolicy").event()).await;
    assert_eq!(again.outcome(), "told-before");
    assert_eq!(world.alerts().await.len(), alerts.len());

    let wide = function(&world, "budget: {disruptive-per-hour: 5}\n").await;
    let done = wide.invoke(second.call("PutBucketPolicy").event()).await;
    assert_eq!(done.outcome(), "remediated");
    assert!(!is_open(&second).await);
    assert_eq!(waiting(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_sweep_retries_what_the_budget_put_off_before_it_looks_at_anything_else() {
    let world = World::new().await;
    let mut buckets = Vec::new();
    for name in ["x", "y", "z"] {
        let bucket = world.bucket(name).await;
        open_up(&bucket).await;
        buckets.push(bucket);
    }
    let swept = function(&world, "budget: {disruptive-per-hour: 2}\n").await;
    let done = swept.invoke(json!({"sweep": {}})).await.answer()["sweep"].clone();
    assert_eq!(
        done["counts"]["findings"],
        json!({"remediated": 2, "deferred": 1}),
        "{done}"
    );
    let text = &world.alerts().await[0].text;
    assert!(text.contains("deferred"), "{text}");
    let waits = waiting(&world).await.remove(0);

    // Its name sorts first, and one more is all that the budget allows: it has to wait for the one that waited.
    let new = world.bucket("a").await;
    open_up(&new).await;
    is_due(&world, &waits).await;
    let later = function(&world, "budget: {disruptive-per-hour: 3}\n").await;
    let swept = later.invoke(json!({"sweep": {}})).await;
    // Each resource counts once: the one that waited as put right, though its page found nothing wrong with it any more.
    let counts = &swept.answer()["sweep"]["counts"];
    assert_eq!(counts["findings"], json!({"remediated": 1, "deferred": 1}), "{counts}");
    assert_eq!(counts["compliant"], 2, "{counts}");
    assert_eq!(counts["resources"], 1 + done["counts"]["resources"].as_u64().unwrap());
    assert!(swept.logs.iter().any(|line| line.contains("\"OpenDeferred\":1")));
    for bucket in &buckets {
        assert!(!is_open(bucket).await, "{}", bucket.name);
    }
    assert!(is_open(&new).await);
    let waits: Vec<_> = waiting(&world).await.iter().map(|item| item["pk"].clone()).collect();
    assert_eq!(waits, [json!(new.arn())]);
    assert_eq!(world.alerts().await.len(), 2);
}

#[tokio::test]
async fn what_the_budget_put_off_is_put_right_within_the_next_hours_and_told_once() {
    let world = World::new().await;
    let tight = function(&world, "budget: {disruptive-per-hour: 1}\n").await;
    let mut buckets = Vec::new();
    for (name, outcome) in [("first", "remediated"), ("second", "deferred"), ("third", "deferred")] {
        let bucket = world.bucket(name).await;
        assert_eq!(open_and_tell(&tight, &bucket).await.outcome(), outcome);
        buckets.push(bucket);
    }
    // One schedule for all that waits, a minute after the moment that is told.
    let (expression, event) = schedules(&world).await.remove(0);
    assert_eq!((schedules(&world).await.len(), &event), (1, &json!({"waiting": {}})));
    let creates = |calls: &[portcullis_testkit::Call]| calls.iter().filter(|call| call.service == "scheduler").count();
    assert_eq!(creates(&world.aws.calls().await), 1, "however much is put off");
    let early = tight.invoke(event.clone()).await;
    assert_eq!(early.answer()["waiting"]["counts"]["resources"], 0);
    let until = next_hour(&world).await;
    assert_eq!(expression, format!("at({}:01:00)", until[0].split(':').next().unwrap()));
    let told = world.alerts().await;
    let text = &told.last().unwrap().text;
    assert!(
        text.contains(&format!("is spent: it is tried again at {}", until[0])),
        "{text}"
    );

    // That hour's budget is for the one that waited longest; the other one waits for the hour after.
    let done = tight.invoke(event.clone()).await;
    let waits = &done.answer()["waiting"];
    assert_eq!(waits["counts"]["findings"], json!({"remediated": 1}), "{waits}");
    assert_eq!(waits["left"], 1);
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), told.len() + 1);
    let text = &alerts.last().unwrap().text;
    assert!(
        text.contains("for the budget of an earlier hour was spent") && text.contains("alice"),
        "{text}"
    );
    assert_eq!(is_open(&buckets[1]).await, !is_open(&buckets[2]).await);
    assert!(!schedules(&world).await.is_empty());
    // Again within that hour: nothing is left of its budget, so nothing is even read.
    let again = tight.invoke(event.clone()).await;
    assert_eq!(again.answer()["waiting"]["left"], 1);
    assert!(again.calls.iter().all(|call| call.service != "s3"), "{:?}", again.calls);

    next_hour(&world).await;
    let done = tight.invoke(event.clone()).await;
    assert_eq!(done.answer()["waiting"]["left"], 0);
    for bucket in &buckets {
        assert!(!is_open(bucket).await, "{}", bucket.name);
    }
    assert_eq!(waiting(&world).await, Vec::<Value>::new());
    next_hour(&world).await;
    tight.invoke(event).await.answer();
    assert_eq!(world.alerts().await.len(), alerts.len() + 1);
}

#[tokio::test]
async fn many_that_waited_are_told_in_one_message() {
    let world = World::new().await;
    for number in 0..12 {
        open_up(&world.bucket(&format!("many-{number}")).await).await;
    }
    let none = function(&world, "budget: {disruptive-per-hour: 0}\n").await;
    none.invoke(json!({"sweep": {}})).await.answer();
    assert_eq!((waiting(&world).await.len(), schedules(&world).await.len()), (12, 1));
    next_hour(&world).await;
    let wide = function(&world, "budget: {disruptive-per-hour: 50}\n").await;
    let done = wide.invoke(json!({"waiting": {}})).await;
    let counts = &done.answer()["waiting"]["counts"];
    assert_eq!(counts["findings"], json!({"remediated": 12}), "{counts}");
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 2, "that of the sweep, and one");
    assert!(alerts[1].subject.contains("12 new findings"), "{}", alerts[1].subject);
    assert!(
        !done.logs.iter().any(|line| line.contains("\"SweptResources\":")),
        "it is no sweep"
    );
    let items = world.aws.ledger_items_in(&world.region, &world.stack.table).await;
    assert!(items.iter().all(|item| item["todo"].is_null()), "{items:?}");
}

/// It would have the first claim on the budget of each hour.
#[tokio::test]
async fn what_failed_in_its_hour_is_left_to_the_sweep() {
    let world = World::new().await;
    let bucket = world.bucket("stuck").await;
    let none = function(&world, "budget: {disruptive-per-hour: 0}\n").await;
    assert_eq!(open_and_tell(&none, &bucket).await.outcome(), "deferred");
    next_hour(&world).await;
    world
        .aws
        .fault(Fault::on("s3", "DeleteBucketPolicy").denied().always())
        .await;
    let wide = function(&world, "").await;
    let failed = wide.invoke(json!({"waiting": {}})).await;
    assert_eq!(failed.answer()["waiting"]["counts"]["findings"], json!({"failed": 1}));
    assert_eq!(failed.answer()["waiting"]["left"], 0);
    world.aws.clear_faults().await;
    let idle = wide.invoke(json!({"waiting": {}})).await;
    assert_eq!(idle.answer()["waiting"]["counts"]["resources"], 0);
    wide.invoke(json!({"sweep": {}})).await.answer();
    assert!(!is_open(&bucket).await);
}

#[tokio::test]
async fn what_can_not_be_scheduled_is_told_and_left_to_the_sweep() {
    let world = World::new().await;
    let bucket = world.bucket("unscheduled").await;
    let none = function(&world, "budget: {disruptive-per-hour: 0}\n").await;
    let refused = Fault::on_changes("scheduler").denied().always();
    world.aws.fault(refused).await;
    let put_off = open_and_tell(&none, &bucket).await;
    assert_eq!(put_off.outcome(), "deferred");
    let counted = |line: &String| line.contains("\"Failures\":1") && line.contains("ScheduleFailed");
    assert!(put_off.logs.iter().any(counted), "{:?}", put_off.logs);
    let text = &world.alerts().await[0].text;
    assert!(
        text.contains("that can't be scheduled") && text.contains("the next sweep tries again"),
        "{text}"
    );
    next_hour(&world).await;
    let wide = function(&world, "").await;
    wide.invoke(json!({"sweep": {}})).await.answer();
    assert!(!is_open(&bucket).await);
}

#[tokio::test]
async fn a_release_ends_a_hold_is_told_and_looks_at_the_resource() {
    let world = World::new().await;
    let bucket = world.bucket("held").await;
    let function = function(&world, "").await;
    let done = open_and_tell(&function, &bucket).await;
    portcullis_tests::put_back(&function, &done).await;
    let held = function.invoke(bucket.call("PutBucketPolicy").event()).await;
    assert_eq!(controls_in(held.answer())[POLICY], "exempt");

    let other = function
        .invoke(json!({"release": bucket.arn(), "control": "s3-bucket-tls-only"}))
        .await;
    assert!(
        format!("{:?}", other.result).contains("found s3-bucket-public-policy"),
        "{:?}",
        other.result
    );
    let unknown = function.invoke(json!({"release": "no-such-record"})).await;
    assert!(
        format!("{:?}", unknown.result).contains("no such record"),
        "{:?}",
        unknown.result
    );

    let released = function.invoke(json!({"release": bucket.arn(), "by": "ben"})).await;
    assert_eq!(released.outcome(), "released");
    assert_eq!(released.answer()["now"]["outcome"], "remediated");
    assert!(!is_open(&bucket).await);
    let alerts = world.alerts().await;
    let told = alerts
        .iter()
        .find(|alert| alert.attributes["outcome"] == "released")
        .unwrap();
    assert!(
        told.text.contains("ben ended the hold that ana had left"),
        "{}",
        told.text
    );
    let twice = function.invoke(json!({"release": bucket.arn()})).await;
    assert!(format!("{:?}", twice.result).contains("no hold"), "{:?}", twice.result);
}

#[tokio::test]
async fn a_tag_exempts_where_settings_name_it_until_the_exemption_ends() {
    let world = World::new().await;
    let bucket = world.bucket("tagged").await;
    bucket.put_tags(&[("Exempt", "drill")]).await;
    open_up(&bucket).await;
    let exemption = |until: &str| {
        format!(
            "exemptions:\n- {{control: {POLICY}, tag: {{key: Exempt, value: drill}}, reason: fire drill, owner: ana, until: {until}}}\n"
        )
    };
    let exempting = function(&world, &exemption("2100-01-01T00:00:00Z")).await;
    let left = exempting.invoke(bucket.call("PutBucketTagging").event()).await;
    assert_eq!(left.outcome(), "exempt");
    assert!(is_open(&bucket).await);
    let text = &world.alerts().await[0].text;
    assert!(
        text.contains("(fire drill; ana) by its tag Exempt=drill, set with PutBucketTagging by"),
        "{text}"
    );
    assert!(text.contains("alice"), "{text}");
    assert_eq!(world.records().await.0[0]["report"]["told"][0]["outcome"], "exempt");

    // Tags that can't be read exempt nobody, and let nothing be changed.
    world
        .aws
        .fault(Fault::on("s3", "GetBucketTagging").denied().always())
        .await;
    let blind = exempting.invoke(bucket.call("PutBucketPolicy").event()).await;
    assert!(blind.result.is_err());
    assert!(is_open(&bucket).await);
    world.aws.clear_faults().await;

    let ended = function(&world, &exemption("2026-01-01T00:00:00Z")).await;
    let found = ended.invoke(bucket.call("PutBucketPolicy").event()).await;
    assert_eq!(found.outcome(), "remediated");
    let alerts = world.alerts().await;
    let text = &alerts.last().unwrap().text;
    assert!(
        text.contains("an exemption of it (fire drill; ana) ended on 2026-01-01T00:00:00Z"),
        "{text}"
    );
}

#[tokio::test]
async fn a_grace_is_announced_and_ends_with_the_remedy_that_names_who_opened() {
    let world = World::new().await;
    let bucket = world.bucket("patient").await;
    let function = patient(&world).await;
    let announced = open_and_tell(&function, &bucket).await;
    assert_eq!(announced.outcome(), "deferred");
    assert!(is_open(&bucket).await);
    let text = &world.alerts().await[0].text;
    assert!(
        text.contains("it has a grace of 24h: it will be remediated at 20"),
        "{text}"
    );
    // Early, and twice: nothing comes of it but that it still waits.
    let early = function
        .invoke(json!({"scheduled": bucket.arn(), "control": POLICY}))
        .await;
    assert_eq!(early.outcome(), "deferred");
    let again = function.invoke(bucket.call("PutBucketPolicy").event()).await;
    assert_eq!(again.outcome(), "told-before");

    let event = let_it_come(&world, &bucket.arn()).await;
    let done = function.invoke(event.clone()).await;
    assert_eq!(done.outcome(), "remediated");
    assert!(!is_open(&bucket).await);
    let alerts = world.alerts().await;
    let text = &alerts.last().unwrap().text;
    assert!(
        text.contains("its grace ended on") && text.contains("alice") && text.contains("PutBucketPolicy"),
        "{text}"
    );
    assert_eq!(function.invoke(event).await.outcome(), "ignored");
    assert_eq!(world.alerts().await.len(), 2);
}

#[tokio::test]
async fn what_was_put_right_within_its_grace_is_told_and_left() {
    let world = World::new().await;
    let bucket = world.bucket("patient").await;
    let function = patient(&world).await;
    assert_eq!(open_and_tell(&function, &bucket).await.outcome(), "deferred");
    world
        .s3
        .delete_bucket_policy()
        .bucket(&bucket.name)
        .send()
        .await
        .unwrap();
    let event = let_it_come(&world, &bucket.arn()).await;
    let done = function.invoke(event).await;
    assert_eq!(done.outcome(), "compliant");
    assert!(portcullis_tests::writes(&done.calls).is_empty(), "{:?}", done.calls);
    let alerts = world.alerts().await;
    let text = &alerts.last().unwrap().text;
    assert!(
        text.contains("it was put right meanwhile, so nothing was done"),
        "{text}"
    );
    assert_eq!(waiting(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_is_not_ready_is_tried_again_by_a_schedule() {
    let world = World::new().await;
    let (control, call) = ("ec2-instance-imdsv2", "ModifyInstanceMetadataOptions");
    let ec2 = service_of(control);
    let instance = (ec2.violation(control).arrange)((*world).clone()).await;
    let function = ec2.function(&world).env("PORTCULLIS_SETTINGS", only(&[control], ""));
    let function = function.start().await;
    // EC2 API Reference, "Error codes": the instance is in a state in which the request can't be done.
    let unready = Fault::on("ec2", call).status(400, "IncorrectInstanceState");
    world.aws.fault(unready.always()).await;
    let put_off = function.invoke(instance.event()).await;
    assert_eq!(put_off.outcome(), "deferred");
    let text = &world.alerts().await[0].text;
    assert!(text.contains("AWS can't change it in its present state"), "{text}");
    world.aws.clear_faults().await;
    let (_, id) = instance.described();
    let arn = format!("arn:aws:ec2:us-east-1:{}:instance/{id}", world.aws.account());
    let event = let_it_come(&world, &arn).await;
    assert_eq!(function.invoke(event).await.outcome(), "remediated");
    assert!(instance.is_right(&instance.snapshot().await));
}

#[tokio::test]
async fn the_third_remediation_is_told_as_a_fight_and_may_stop_or_quarantine() {
    for (then, outcome) in [
        ("tell", "remediated"),
        ("stop", "would-remediate"),
        ("quarantine", "quarantined"),
    ] {
        let world = World::new().await;
        let bucket = world.bucket("fought").await;
        let settings = only(&[POLICY, "s3-bucket-quarantine"], &format!("flips: {{then: {then}}}\n"));
        let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
        for _ in 0..2 {
            assert_eq!(
                open_and_tell(&function, &bucket).await.outcome(),
                "remediated",
                "{then}"
            );
        }
        let third = open_and_tell(&function, &bucket).await;
        assert!(
            controls_in(third.answer()).values().any(|found| found == outcome),
            "{then}: {:?}",
            third.answer()
        );
        assert_eq!(is_open(&bucket).await, then != "tell", "{then}");
        let alerts = world.alerts().await;
        let text = &alerts.last().unwrap().text;
        assert!(
            text.contains("this is a fight: Portcullis has put it right 2 times within 24h"),
            "{then}: {text}"
        );
        assert!(text.contains("alice"), "{then}: {text}");
    }
}
