//! Whether a function's role allows what it did, and nothing that it never does: judged by the policies in `template.yaml`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use futures_util::{StreamExt as _, stream};
use portcullis_testkit::{
    Answered as _, Boxed, Call, Fault, ServiceUnderTest, Way, World, controls_in, record_of, samples,
};
use serde_json::{Value, json};

use crate::template;

/// The parameter of the settings.
const SETTINGS: &str = "/portcullis/settings";
/// Accounts that are busy beside each other.
const BESIDE: usize = 4;

/// What the role allows and AWS does with it on the function's behalf: no call of the function's own.
const BY_AWS: [&str; 16] = [
    // DynamoDB and SNS use the key of the table and the topic.
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
    // Lambda writes the log and keeps what failed.
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:SendMessage",
    // Lambda reads the queue of the events; what the function itself does there is in tests/tests/queue.rs.
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    // Lambda sends the traces.
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    // EventBridge Scheduler is given the role that it invokes the function with.
    "iam:PassRole",
    // EC2 has an instance that starts read its disks.
    "kms:CreateGrant",
];

/// What became of a function's calls under its role.
#[derive(Debug)]
pub struct Verdict {
    /// The actions that were used.
    pub used: Vec<String>,
    /// The calls that the role does not allow.
    pub denied: Vec<String>,
    /// The actions that the role allows and nothing used.
    pub unneeded: Vec<String>,
}

/// The role of a service's function, as the template names it.
fn role(service: &ServiceUnderTest) -> String {
    let (first, rest) = service.name().split_at(1);
    format!("{}{rest}Role", first.to_uppercase())
}

/// Judges the calls of a service's function in these accounts by its role; in this template, where it is not the packed one.
pub async fn judged(service: &ServiceUnderTest, worlds: &[World], template: Option<&Value>) -> Verdict {
    let mut accounts = Vec::new();
    for world in worlds {
        let (account, region) = (world.aws.account(), &world.region);
        let plain = |call: &Call| json!({"service": call.service, "action": call.action, "method": call.method, "path": call.path, "region": call.region, "body": call.body});
        let table = format!("arn:aws:dynamodb:{region}:{account}:table/{}", world.stack.table);
        accounts.push(json!({
            "account": account,
            "region": region,
            "physical": {"Ledger.Arn": table, "Alerts": world.stack.topic_arn, "Schedules": "default", "SettingsParameter": SETTINGS},
            "calls": world.aws.calls().await.iter().map(plain).collect::<Vec<_>>(),
        }));
    }
    let input = json!({"role": role(service), "worlds": accounts, "template": template}).to_string();
    let mut python = Command::new(template::python())
        .arg(template::root().join("tests/least_privilege.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the judge");
    let mut stdin = python.stdin.take().expect("its standard input");
    stdin.write_all(input.as_bytes()).expect("write to the judge");
    drop(stdin);
    let done = python.wait_with_output().expect("the judge's answer");
    assert!(done.status.success());
    let answer: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let list = |name: &str| {
        let list = answer[name].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut unneeded = list("unused");
    unneeded.retain(|action| !BY_AWS.contains(&action.as_str()));
    Verdict {
        used: list("used"),
        denied: list("denied"),
        unneeded,
    }
}

/// Everything that a service's function does, each in an account of its own: each violation put right and back, the service's
/// other ways, and those that all functions have.
pub async fn all_ways(service: &'static ServiceUnderTest) -> Vec<World> {
    let mut ways: Vec<Boxed<World>> = vec![
        Box::pin(swept(service)),
        Box::pin(heartbeat(service)),
        Box::pin(deferred(service)),
        Box::pin(untold(service)),
    ];
    for violation in service.violations {
        ways.push(Box::pin(there_and_back(service, violation.control)));
    }
    for way in service.ways {
        ways.push(Box::pin(gone(*way)));
    }
    stream::iter(ways).buffer_unordered(BESIDE).collect().await
}

async fn gone(way: Way) -> World {
    let world = World::new().await;
    (way.go)(world.clone()).await;
    world
}

async fn there_and_back(service: &ServiceUnderTest, control: &'static str) -> World {
    let world = World::new().await;
    let arranged = (service.violation(control).arrange)(world.clone()).await;
    let settings = service.settings(control, &arranged);
    let function = service
        .function(&world)
        .env("PORTCULLIS_SETTINGS", settings)
        .start()
        .await;
    let done = function.invoke(arranged.event()).await;
    if ["remediated", "remediating", "quarantined"].contains(&controls_in(done.answer())[control].as_str()) {
        let restore = json!({"restore": record_of(done.answer()), "force": true});
        let back = function.invoke(restore).await;
        let alert = world.alerts().await.remove(0);
        let mut told = alert.json["controls"].as_array().into_iter().flatten();
        if told.any(|told| told["control"] == control && told["undo"]["nothing"].is_array()) {
            assert!(back.result.is_err(), "{control}: {:?}", back.result);
        } else {
            assert_eq!(back.outcome(), "restored", "{control}: {:?}", back.result);
        }
    }
    world
}

/// A sweep that finds something, and a question of AWS Config about it.
async fn swept(service: &ServiceUnderTest) -> World {
    let world = World::new().await;
    drop(fixable(service, &world).await);
    let function = service.function(&world).start().await;
    function.invoke(json!({"sweep": {}})).await.answer();
    let asked = &samples::in_folder("config")["RuleSchedule"];
    function.invoke(samples::moved(asked, &world, &[])).await.answer();
    world
}

/// A heartbeat, under settings from a parameter.
async fn heartbeat(service: &ServiceUnderTest) -> World {
    let world = World::new().await;
    let ssm = aws_sdk_ssm::Client::new(&world.sdk_config());
    let put = ssm.put_parameter().name(SETTINGS).value("mode: notify\n");
    let put = put.r#type(aws_sdk_ssm::types::ParameterType::String);
    put.send().await.expect("put the parameter");
    let function = service
        .function(&world)
        .env("PORTCULLIS_SETTINGS_PARAMETER", SETTINGS)
        .start()
        .await;
    let tagged = world.call(
        "sns.amazonaws.com",
        "TagResource",
        json!({"resourceArn": world.stack.topic_arn}),
    );
    function.invoke(tagged.event()).await.answer();
    world
}

/// What has a grace is scheduled; looked at too early, once more.
async fn deferred(service: &ServiceUnderTest) -> World {
    let world = World::new().await;
    let (control, arranged) = fixable(service, &world).await;
    let settings = service.settings(control, &arranged);
    let on = format!("{control}: {{mode: enforce");
    let settings = settings.replace(&on, &format!("{on}, grace: 24h"));
    let function = service
        .function(&world)
        .env("PORTCULLIS_SETTINGS", settings)
        .start()
        .await;
    let deferred = function.invoke(arranged.event()).await;
    assert_eq!(deferred.outcome(), "deferred", "{:?}", deferred.result);
    let arn = &portcullis_testkit::resource_of(deferred.answer())["resource"];
    let early = json!({"scheduled": arn, "control": control});
    assert_eq!(function.invoke(early).await.outcome(), "deferred");
    world
}

/// An alert that did not leave: the lease is given back.
async fn untold(service: &ServiceUnderTest) -> World {
    let world = World::new().await;
    let (control, arranged) = fixable(service, &world).await;
    let settings = service.settings(control, &arranged);
    let function = service
        .function(&world)
        .env("PORTCULLIS_SETTINGS", settings)
        .start()
        .await;
    let denied = Fault::on("sns", "Publish").status(403, "AuthorizationError");
    world.aws.fault(denied.always()).await;
    assert!(function.invoke(arranged.event()).await.result.is_err());
    world.aws.clear_faults().await;
    function.invoke(arranged.event()).await.answer();
    world
}

/// The first violation that the function puts right.
async fn fixable(service: &ServiceUnderTest, world: &World) -> (&'static str, portcullis_testkit::Arranged) {
    for violation in service.violations {
        let arranged = (violation.arrange)(world.clone()).await;
        if arranged.is_fixed() {
            return (violation.control, arranged);
        }
    }
    panic!("{} puts nothing right", service.name())
}
