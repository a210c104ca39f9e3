//! Everything that the function ever does is allowed by its role, and everything that the role allows is needed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use aws_sdk_s3::types::{IndexDocument, WebsiteConfiguration};
use portcullis_testkit::{Call, CloudTrail, Fault, Function};
use portcullis_tests::faults;
use portcullis_tests::settings::{everything, levels, only};
use portcullis_tests::{Answered, Bucket, Subject, World, balance, controls_in, record_of, samples, template};
use serde_json::{Value, json};

/// The parameter of the settings.
const SETTINGS: &str = "/portcullis/settings";

/// What the role allows and AWS does with it on the function's behalf: no call of the function's own.
const BY_AWS: [&str; 12] = [
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
    // Lambda sends the traces.
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    // EventBridge Scheduler is given the role that it invokes the function with.
    "iam:PassRole",
    // EC2 has an instance that starts read its disks.
    "kms:CreateGrant",
];

async fn left_open(world: &World) -> Bucket {
    let bucket = world.bucket("open").await;
    let statement = |sid: &str, principal: Value| json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": format!("{}/*", bucket.arn())});
    let app = json!({"AWS": format!("arn:aws:iam::{}:role/app", world.aws.account())});
    let policy =
        json!({"Version": "2012-10-17", "Statement": [statement("App", app), statement("Everybody", json!("*"))]});
    bucket.put_policy(policy.to_string()).await;
    bucket.put_canned_acl("public-read").await;
    bucket.put_ownership("ObjectWriter").await;
    bucket.put_versioning(false).await;
    let index = IndexDocument::builder().suffix("index.html").build().unwrap();
    bucket
        .put_website(WebsiteConfiguration::builder().index_document(index).build())
        .await;
    bucket
}

/// Sends every sample to a function that enforces everything, and takes back all that it did.
async fn replay_all(world: &World, function: &Function) {
    for text in samples::in_folder("s3").values() {
        let bucket = left_open(world).await;
        let point = world.access_point(&bucket, [false; 4], None).await;
        let statement = |sid: &str, principal: Value| json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": format!("{}/object/*", point.arn())});
        let app = json!({"AWS": format!("arn:aws:iam::{}:role/app", world.aws.account())});
        let policy =
            json!({"Version": "2012-10-17", "Statement": [statement("App", app), statement("Everybody", json!("*"))]});
        point.put_policy(policy.to_string()).await;
        let handled = function
            .invoke(samples::moved(
                text,
                world,
                &[("quarterly-reports", &bucket.name), ("reports-partner", &point.name)],
            ))
            .await;
        if controls_in(handled.answer())
            .values()
            .any(|outcome| outcome == "remediated")
        {
            let id = record_of(handled.answer());
            assert_eq!(
                function.invoke(json!({"restore": id, "force": true})).await.outcome(),
                "restored"
            );
        }
    }
}

/// The ways that the samples don't lead to: policies and websites of which nothing is left, and an alert that did not leave.
async fn the_other_ways(world: &World) {
    let settings = only(
        &[
            "s3-bucket-public-policy",
            "s3-access-point-public-policy",
            "s3-bucket-tls-only",
        ],
        "",
    );
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let public = |arn: &str| {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": arn}]}).to_string()
    };
    let bucket = world.bucket("open").await;
    bucket.put_policy(public(&format!("{}/*", bucket.arn()))).await;
    let point = world.access_point(&bucket, [false; 4], None).await;
    point.put_policy(public(&format!("{}/object/*", point.arn()))).await;
    function
        .invoke(point.call("PutAccessPointPolicy").event())
        .await
        .answer();
    // Nothing was there before, so a restore deletes what was added.
    let bare = world.bucket("bare").await;
    let done = function.invoke(bare.call("DeleteBucketPolicy").event()).await;
    portcullis_tests::put_back(&function, &done).await;
    // What waits is scheduled; looked at too early, once more.
    let patient = only(&["s3-bucket-public-policy"], "").replace(
        "s3-bucket-public-policy: {mode: enforce",
        "s3-bucket-public-policy: {mode: enforce, grace: 24h",
    );
    let patient = world.function().env("PORTCULLIS_SETTINGS", patient).start().await;
    let waiting = world.bucket("waiting").await;
    waiting.put_policy(public(&format!("{}/*", waiting.arn()))).await;
    let put_off = patient.invoke(waiting.call("PutBucketPolicy").event()).await;
    assert_eq!(put_off.outcome(), "deferred");
    let early = json!({"scheduled": waiting.arn(), "control": "s3-bucket-public-policy"});
    assert_eq!(patient.invoke(early).await.outcome(), "deferred");
    // An alert that did not leave: the lease is given back.
    world
        .aws
        .fault(Fault::on("sns", "Publish").status(403, "AuthorizationError").always())
        .await;
    assert!(
        function
            .invoke(bucket.call("PutBucketPolicy").event())
            .await
            .result
            .is_err()
    );
    world.aws.clear_faults().await;
    function.invoke(bucket.call("PutBucketPolicy").event()).await.answer();
}

fn judged(input: &Value) -> Value {
    let mut python = Command::new(template::python())
        .arg(template::root().join("tests/least_privilege.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(input.to_string().as_bytes())
        .unwrap();
    let done = python.wait_with_output().unwrap();
    assert!(done.status.success());
    serde_json::from_slice(&done.stdout).unwrap()
}

/// What the judge is given of the calls in an account.
fn input(role: &str, world: &World, calls: &[Call]) -> Value {
    let plain = |call: &Call| json!({"service": call.service, "action": call.action, "method": call.method, "path": call.path, "region": call.region, "body": call.body});
    let account = world.aws.account();
    let table = format!(
        "arn:aws:dynamodb:{}:{account}:table/{}",
        world.region, world.stack.table
    );
    json!({
        "template": template::translated(),
        "role": role,
        "account": account,
        "region": world.region,
        "physical": {"Ledger.Arn": table, "Alerts": world.stack.topic_arn, "Schedules": "default", "SettingsParameter": SETTINGS},
        "calls": calls.iter().map(plain).collect::<Vec<_>>(),
    })
}

/// The actions that the role allows and nothing needs.
fn unexplained(verdict: &Value) -> Vec<&str> {
    let unused = verdict["unused"].as_array().unwrap().iter().filter_map(Value::as_str);
    unused.filter(|action| !BY_AWS.contains(action)).collect()
}

/// A heartbeat, under settings from a parameter.
async fn a_heartbeat(world: &World, name: &str) {
    let ssm = aws_sdk_ssm::Client::new(&world.aws.sdk_config());
    let put = ssm.put_parameter().name(SETTINGS).value("mode: notify\n");
    put.r#type(aws_sdk_ssm::types::ParameterType::String)
        .send()
        .await
        .unwrap();
    let function = Function::new(name, &world.aws).deployment(&world.stack);
    let function = function.env("PORTCULLIS_SETTINGS_PARAMETER", SETTINGS).start().await;
    let params = json!({"resourceArn": world.stack.topic_arn});
    let event = CloudTrail::call("sns.amazonaws.com", "TagResource").params(params);
    function
        .invoke(event.account(world.aws.account()).region(&world.region).event())
        .await
        .answer();
}

#[tokio::test]
async fn the_role_of_s3_allows_exactly_what_is_done() {
    let world = World::new().await;
    let endpoint = "{values: [internal], encryption: aws-managed-key, vpc-endpoints: [vpce-0a1b2c3d]}";
    let all = levels("").replace("{values: [internal]}", endpoint);
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", everything(&all))
        .start()
        .await;
    replay_all(&world, &function).await;
    the_other_ways(&world).await;
    the_other_ways_of_all(&world, &function, "portcullis-s3").await;
    let mut input = input("S3Role", &world, &world.aws.calls().await);
    let verdict = judged(&input);
    assert_eq!(
        verdict["denied"],
        json!([]),
        "calls that the role in the template does not allow"
    );
    let unexplained = unexplained(&verdict);
    assert!(
        unexplained.is_empty(),
        "actions that the role allows and nothing needs: {unexplained:?}"
    );
    assert!(verdict["used"].as_array().unwrap().len() > 20, "{verdict}");

    // And the judge is awake: an action taken away is missed, one too many is seen.
    let mut role = input["template"]["Resources"]["S3Role"].to_string();
    role = role.replace("\"s3:PutBucketAcl\"", "\"s3:PutObject\"");
    input["template"]["Resources"]["S3Role"] = serde_json::from_str(&role).unwrap();
    let verdict = judged(&input);
    assert!(verdict["denied"].to_string().contains("s3:PutBucketAcl"), "{verdict}");
    assert!(verdict["unused"].to_string().contains("s3:PutObject"), "{verdict}");
}

/// A security group that a prefix list opens to everybody, and the list.
async fn listed_group(client: &aws_sdk_ec2::Client) -> (String, String) {
    let entry = aws_sdk_ec2::types::AddPrefixListEntry::builder()
        .cidr("0.0.0.0/0")
        .build();
    let list = client
        .create_managed_prefix_list()
        .prefix_list_name("all")
        .max_entries(1);
    let list = list.address_family("IPv4").entries(entry).send().await.unwrap();
    let list = list.prefix_list.unwrap().prefix_list_id.unwrap();
    let group = client
        .create_security_group()
        .group_name("listed")
        .description("listed");
    let group = group.send().await.unwrap().group_id.unwrap();
    let named = aws_sdk_ec2::types::PrefixListId::builder()
        .prefix_list_id(&list)
        .build();
    let rule = aws_sdk_ec2::types::IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22);
    let open = client.authorize_security_group_ingress().group_id(&group);
    open.ip_permissions(rule.prefix_list_ids(named).build())
        .send()
        .await
        .unwrap();
    (group, list)
}

/// An instance that the internet reaches, cut off with all that settings can ask for, and let on again.
async fn exposed_instance(world: &World, client: &aws_sdk_ec2::Client) {
    let vpc = client.create_vpc().cidr_block("10.9.0.0/16").send().await.unwrap();
    let vpc = vpc.vpc.unwrap().vpc_id.unwrap();
    let subnet = client.create_subnet().vpc_id(&vpc).cidr_block("10.9.1.0/24").send();
    let subnet = subnet.await.unwrap().subnet.unwrap().subnet_id.unwrap();
    let group = client
        .create_security_group()
        .group_name("open")
        .description("open")
        .vpc_id(&vpc);
    let group = group.send().await.unwrap().group_id.unwrap();
    let all = aws_sdk_ec2::types::IpRange::builder().cidr_ip("0.0.0.0/0").build();
    let ssh = aws_sdk_ec2::types::IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22);
    let open = client.authorize_security_group_ingress().group_id(&group);
    open.ip_permissions(ssh.ip_ranges(all).build()).send().await.unwrap();
    let interface = aws_sdk_ec2::types::InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .subnet_id(&subnet)
        .groups(&group)
        .associate_public_ip_address(true);
    let run = client
        .run_instances()
        .image_id("ami-12c6146b")
        .min_count(1)
        .max_count(1);
    let run = run.network_interfaces(interface.build()).send().await.unwrap();
    let id = run.instances()[0].instance_id.clone().unwrap();
    balance(&world.aws.sdk_config(), (&vpc, &subnet), &id, "web", true).await;
    let settings = "controls: {ec2-instance-exposed: {mode: enforce, quarantine: true}}\n\
                    ec2: {exposed-instances: {snapshot: true, stop: true}}\n";
    let function = world
        .function_of("portcullis-ec2")
        .env("PORTCULLIS_SETTINGS", settings)
        .start()
        .await;
    let call = CloudTrail::call("ec2.amazonaws.com", "AssociateAddress").params(json!({"instanceId": id}));
    let event = call.account(world.aws.account()).region(&world.region).event();
    let done = function.invoke(event).await;
    assert_eq!(controls_in(done.answer())["ec2-instance-exposed"], "quarantined");
    portcullis_tests::put_back(&function, &done).await;
}

/// What EC2's controls don't come to on the paths of the faults: other ways to set a volume apart, keys, prefix lists.
async fn the_other_ways_of_ec2(world: &World) {
    let client = aws_sdk_ec2::Client::new(&world.aws.sdk_config());
    let kms = aws_sdk_kms::Client::new(&world.aws.sdk_config());
    let key = kms
        .create_key()
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap()
        .arn
        .unwrap();
    let start = async |how: &str| {
        let controls = portcullis_ec2::listings();
        let controls = controls.iter().flat_map(|listing| listing.controls());
        let all: Vec<_> = controls.map(|meta| format!("{}: {{mode: enforce}}", meta.id)).collect();
        let all = all.join(", ");
        let settings = format!("controls: {{{all}}}\nec2: {{default-key: '{key}', unencrypted-volumes: {how}}}\n");
        world
            .function_of("portcullis-ec2")
            .env("PORTCULLIS_SETTINGS", settings)
            .start()
            .await
    };
    let told = |name: &str, parameters: Value| {
        let call = CloudTrail::call("ec2.amazonaws.com", name).params(parameters);
        call.account(world.aws.account()).region(&world.region).event()
    };
    let run = client
        .run_instances()
        .image_id("ami-12c6146b")
        .min_count(1)
        .max_count(1);
    let instance = run.send().await.unwrap().instances()[0].instance_id.clone().unwrap();
    for how in ["detach", "stop"] {
        let create = client.create_volume().availability_zone("us-east-1a").size(1);
        let volume = create.send().await.unwrap().volume_id.unwrap();
        let attach = client.attach_volume().volume_id(&volume).instance_id(&instance);
        let device = format!("/dev/sd{}", &how[..1]);
        attach.device(&device).send().await.unwrap();
        let ebs = aws_sdk_ec2::types::EbsInstanceBlockDeviceSpecification::builder().volume_id(&volume);
        let mapping = aws_sdk_ec2::types::InstanceBlockDeviceMappingSpecification::builder().device_name(device);
        let mapping = mapping.ebs(ebs.delete_on_termination(true).build()).build();
        let goes_with_it = client.modify_instance_attribute().instance_id(&instance);
        goes_with_it.block_device_mappings(mapping).send().await.unwrap();
        let function = start(how).await;
        let done = function.invoke(told("AttachVolume", json!({"volumeId": volume}))).await;
        portcullis_tests::put_back(&function, &done).await;
    }
    let function = start("tag").await;
    let create = client.create_volume().availability_zone("us-east-1a").size(1);
    let sealed = create.encrypted(true).kms_key_id(&key).send().await.unwrap().volume_id;
    function
        .invoke(told("AttachVolume", json!({"volumeId": sealed})))
        .await
        .answer();
    function
        .invoke(told("ResetEbsDefaultKmsKeyId", json!({})))
        .await
        .answer();
    let of = aws_sdk_ec2::types::Filter::builder()
        .name("attachment.instance-id")
        .values(&instance);
    let found = client
        .describe_network_interfaces()
        .filters(of.build())
        .send()
        .await
        .unwrap();
    let interface = json!({"networkInterfaceId": found.network_interfaces()[0].network_interface_id});
    function
        .invoke(told("ModifyNetworkInterfaceAttribute", interface))
        .await
        .answer();

    exposed_instance(world, &client).await;
    let (group, list) = listed_group(&client).await;
    let event = told("AuthorizeSecurityGroupIngress", json!({"groupId": group}));
    let listed = function.invoke(event).await;
    assert_eq!(
        controls_in(listed.answer())["ec2-security-group-open-ingress"],
        "remediated"
    );
    let list = json!({"ModifyManagedPrefixListRequest": {"PrefixListId": list}});
    function.invoke(told("ModifyManagedPrefixList", list)).await.answer();
    the_other_ways_of_all(world, &function, "portcullis-ec2").await;
}

/// What a role was judged by, over several worlds: an action is needed if any of them needs it.
struct Judged {
    role: &'static str,
    used: usize,
    unneeded: Option<BTreeSet<String>>,
}

impl Judged {
    fn judge(&mut self, world: &World, calls: &[Call]) {
        let verdict = judged(&input(self.role, world, calls));
        assert_eq!(
            verdict["denied"],
            json!([]),
            "calls that the role in the template does not allow"
        );
        self.used = self.used.max(verdict["used"].as_array().unwrap().len());
        let unused: BTreeSet<_> = unexplained(&verdict).into_iter().map(str::to_owned).collect();
        self.unneeded = Some(match &self.unneeded {
            Some(so_far) => so_far & &unused,
            None => unused,
        });
    }

    /// Goes through each control of a function as the faults do, and back again.
    async fn paths(role: &'static str, name: &'static str) -> Self {
        let mut judged = Self {
            role,
            used: 0,
            unneeded: None,
        };
        let prefix = name.replace("portcullis-", "") + "-";
        for path in faults::scenarios::paths() {
            if !path.control.starts_with(&prefix) {
                continue;
            }
            let world = World::new().await;
            let scenario = (path.arrange)(world.clone()).await;
            let function = world
                .function_of(name)
                .env("PORTCULLIS_SETTINGS", &scenario.settings)
                .start()
                .await;
            let done = function.invoke(&scenario.event).await;
            let changed = ["remediated", "quarantined"];
            if changed.contains(&controls_in(done.answer())[path.control].as_str()) {
                let restore = json!({"restore": record_of(done.answer()), "force": true});
                let back = function.invoke(restore).await;
                let no_way = format!("{:?}", back.result).contains("AWS offers no way back");
                assert!(no_way || back.outcome() == "restored", "{}", path.control);
            }
            judged.judge(&world, &world.aws.calls().await);
        }
        judged
    }

    fn assert_nothing_unneeded(self) {
        // What is deferred is looked at again by the pipeline's schedule, the same for all functions: S3's test comes to it.
        let pipelines = ["scheduler:CreateSchedule", "scheduler:UpdateSchedule"].map(str::to_owned);
        let unneeded = &self.unneeded.unwrap() - &pipelines.into();
        assert_eq!(
            unneeded,
            BTreeSet::new(),
            "actions that the role allows and nothing needs"
        );
        assert!(self.used > 10);
    }
}

/// What every function comes to beside its controls: a sweep, a question of AWS Config, a heartbeat.
async fn the_other_ways_of_all(world: &World, function: &Function, name: &str) {
    function.invoke(json!({"sweep": {}})).await.answer();
    let asked = &samples::in_folder("config")["RuleSchedule"];
    function.invoke(samples::moved(asked, world, &[])).await.answer();
    a_heartbeat(world, name).await;
}

#[tokio::test]
async fn the_role_of_ec2_allows_exactly_what_is_done() {
    let mut judged = Judged::paths("Ec2Role", "portcullis-ec2").await;
    let world = World::new().await;
    the_other_ways_of_ec2(&world).await;
    judged.judge(&world, &world.aws.calls().await);
    judged.assert_nothing_unneeded();
}

#[tokio::test]
async fn the_role_of_kms_allows_exactly_what_is_done() {
    let mut judged = Judged::paths("KmsRole", "portcullis-kms").await;
    let world = World::new().await;
    let key = aws_sdk_kms::Client::new(&world.aws.sdk_config())
        .create_key()
        .send()
        .await;
    let key = key.unwrap().key_metadata.unwrap().key_id;
    let settings =
        format!("controls: {{kms-alias-moved: {{mode: enforce}}}}\nkms: {{required-aliases: {{alias/app: {key}}}}}\n");
    let function = world
        .function_of("portcullis-kms")
        .env("PORTCULLIS_SETTINGS", settings)
        .start()
        .await;
    // A required alias that is gone is made again, by the restore it goes again.
    let deleted = CloudTrail::call("kms.amazonaws.com", "DeleteAlias").params(json!({"aliasName": "alias/app"}));
    let deleted = deleted.account(world.aws.account()).region(&world.region).event();
    let made = function.invoke(deleted).await;
    let restore = json!({"restore": record_of(made.answer())});
    assert_eq!(function.invoke(restore).await.outcome(), "restored");
    the_other_ways_of_all(&world, &function, "portcullis-kms").await;
    judged.judge(&world, &world.aws.calls().await);
    judged.assert_nothing_unneeded();
}
