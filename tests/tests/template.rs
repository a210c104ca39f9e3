//! `template.yaml` against the code: what leads to a function, what it may do, what becomes of its failures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use portcullis_core::{Listing, Service};
use portcullis_tests::template::{MOST_RECEIVES, VISIBILITY_TIMEOUT};
use portcullis_tests::{World, samples, template};
use serde_json::{Value, json};

/// A function: its name in the template, its service, its resource types.
type Function = (String, &'static str, Vec<Box<dyn Listing>>);

fn functions() -> Vec<Function> {
    let of = |service: Service| (capitalised(service.name), service.name, service.types);
    portcullis_catalog::services().into_iter().map(of).collect()
}

fn capitalised(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

static TEMPLATE: LazyLock<Value> = LazyLock::new(template::translated);

fn resource(name: &str) -> &'static Value {
    let found = &TEMPLATE["Resources"][name];
    assert!(found.is_object(), "the template has no {name}");
    &found["Properties"]
}

fn of_type(kind: &str) -> impl Iterator<Item = (&'static String, &'static Value)> {
    let resources = TEMPLATE["Resources"].as_object().unwrap().iter();
    resources
        .filter(move |(_, resource)| resource["Type"] == kind)
        .map(|(name, resource)| (name, &resource["Properties"]))
}

fn texts(list: &Value) -> BTreeSet<&str> {
    let list = list
        .as_array()
        .map_or_else(|| std::slice::from_ref(list), Vec::as_slice);
    list.iter().map(|text| text.as_str().unwrap()).collect()
}

const API_CALLS: &str = "AWS API Call via CloudTrail";

/// The rules that lead to a function: that of its service's calls, that of AWS Config, and those of what its service tells by itself.
fn rules_of(function: &str) -> Vec<&'static Value> {
    let target = json!({"Fn::GetAtt": [format!("{function}Queue"), "Arn"]});
    let leads = |rule: &Value| {
        let mut targets = rule["Targets"].as_array().unwrap().iter();
        targets.any(|one| one["Arn"] == target)
    };
    let mut rules: Vec<_> = of_type("AWS::Events::Rule").map(|(_, rule)| rule).collect();
    rules.retain(|rule| leads(rule));
    let first = [API_CALLS, "Config Rules Compliance Change"];
    let is_of = |rule: &Value, kind: &str| rule["EventPattern"]["detail-type"][0] == kind;
    rules.sort_by_key(|rule| first.iter().position(|kind| is_of(rule, kind)).unwrap_or(first.len()));
    for (rule, kind) in rules.iter().zip(first) {
        assert!(is_of(rule, kind), "{function}: no rule of {kind}");
    }
    assert!(rules.len() >= first.len(), "{function}");
    rules
}

fn rule_of(function: &str) -> &'static Value {
    rules_of(function)[0]
}

/// The topic of the alerts in the samples' account.
fn topic() -> String {
    format!("arn:aws:sns:{}:{}:portcullis-alerts", samples::REGION, samples::ACCOUNT)
}

/// A rule's pattern, as it is in the samples' account.
fn pattern(rule: &Value) -> Value {
    let pattern = rule["EventPattern"].to_string();
    let pattern = pattern.replace("{\"Ref\":\"Alerts\"}", &json!(topic()).to_string());
    let pattern = pattern.replace("{\"Ref\":\"AWS::AccountId\"}", &json!(samples::ACCOUNT).to_string());
    serde_json::from_str(&pattern).unwrap()
}

#[test]
fn the_heartbeat_comes_by_each_function_s_rule_and_no_other_topic_s_tag_does() {
    let heartbeat = &samples::in_folder("heartbeat")["TagResource"];
    let other = heartbeat.replace("portcullis-alerts", "somebody-s");
    let failed = heartbeat.replace(
        "\"requestParameters\"",
        "\"errorCode\": \"AccessDenied\", \"requestParameters\"",
    );
    for (name, ..) in functions() {
        let passes = |event: &str| fits(&pattern(rule_of(&name)), &serde_json::from_str(event).unwrap());
        assert!(passes(heartbeat), "{name}");
        assert_eq!(
            (passes(&other), passes(&failed)),
            (name == "Sns", false),
            "{name}: of SNS's function each topic is a resource"
        );
    }
}

/// EventBridge's matching, as far as the template uses it: every field of the pattern has one of the listed values.
fn fits(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, pattern)| match (name.as_str(), pattern) {
            ("$or", Value::Array(any)) => any.iter().any(|pattern| fits(pattern, event)),
            _ => fits(pattern, &event[name]),
        }),
        Value::Array(any) => any.iter().any(|one| match one.get("exists") {
            Some(exists) => *exists != event.is_null(),
            None => one == event,
        }),
        other => panic!("not a pattern: {other}"),
    }
}

#[test]
fn each_sample_event_passes_its_rule_and_no_other() {
    for (_, service, _) in functions() {
        for (sample, text) in samples::in_folder(service) {
            let event: Value = serde_json::from_str(&text).unwrap();
            for (name, other, _) in functions() {
                let passes = fits(&pattern(rule_of(&name)), &event);
                assert_eq!(
                    passes,
                    service == other,
                    "events/{service}/{sample}.json through the rule of {name}"
                );
            }
        }
    }
    let failed = &samples::in_folder("s3/odd")["call-failed"];
    assert!(!fits(&pattern(rule_of("S3")), &serde_json::from_str(failed).unwrap()));
}

#[test]
fn what_config_sees_leads_to_the_guards_that_look_after_it() {
    for (name, service, _) in functions() {
        let rule = rules_of(&name)[1];
        assert_eq!(
            rule["State"],
            json!({"Fn::If": ["TakesConfigEvents", "ENABLED", "DISABLED"]})
        );
        let pattern = pattern(rule);
        for (sample, text) in samples::in_folder("config") {
            let event: Value = serde_json::from_str(&text).unwrap();
            let passes = service == "s3" && !sample.starts_with("Rule");
            assert_eq!(
                fits(&pattern, &event),
                passes,
                "events/config/{sample}.json through {name}"
            );
        }
        let right = samples::in_folder("config")["ComplianceChange"].replace("NON_COMPLIANT", "COMPLIANT");
        assert!(!fits(&pattern, &serde_json::from_str(&right).unwrap()));
    }
}

/// A part of the template, and the condition under which it is there.
fn conditional(part: &'static Value) -> (&'static Value, Option<&'static str>) {
    match &part["Fn::If"] {
        Value::Null => (part, None),
        choice => {
            assert_eq!(choice[2], json!({"Ref": "AWS::NoValue"}));
            (&choice[1], choice[0].as_str())
        }
    }
}

fn statements(document: &'static Value) -> &'static [Value] {
    document["Statement"].as_array().unwrap()
}

/// The policies of a function's own, by name: their actions, and the condition under which each is there.
fn policies(function: &str) -> BTreeMap<&'static str, (BTreeSet<&'static str>, Option<&'static str>)> {
    let policies = resource(&format!("{function}Role"))["Policies"].as_array().unwrap();
    let read = policies.iter().map(|policy| {
        let (policy, condition) = conditional(policy);
        let statements = statements(&policy["PolicyDocument"]).iter();
        let actions = statements.flat_map(|statement| texts(&statement["Action"]));
        (policy["PolicyName"].as_str().unwrap(), (actions.collect(), condition))
    });
    read.collect()
}

#[test]
fn the_tag_that_the_function_sets_starts_the_re_encryption() {
    let pattern = &resource("ReencryptionRule")["EventPattern"]["detail"];
    let tags = &pattern["requestParameters"]["tagSet"]["items"];
    assert_eq!(texts(&tags["key"]), [portcullis_ec2::volume::TAG].into());
    assert_eq!(texts(&tags["value"]), [portcullis_ec2::volume::RE_ENCRYPT].into());
    let by = &pattern["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"];
    assert_eq!(
        *by,
        json!([{"Fn::GetAtt": ["Ec2Role", "Arn"]}]),
        "nobody else's tag does"
    );
    for (state, tags) in [
        ("Mark", [portcullis_ec2::volume::TAG, portcullis_ec2::volume::REPLACED]),
        ("GiveUp", [portcullis_ec2::volume::TAG, portcullis_ec2::volume::FAILED]),
    ] {
        let step = resource("Reencryption")["Definition"]["States"][state].to_string();
        for tag in tags {
            assert!(step.contains(&format!("\"{tag}\"")), "{step}");
        }
    }
    let create = resource("Reencryption")["Definition"]["States"]["Create"].to_string();
    assert!(
        create.contains(&format!("'{}'", portcullis_ec2::volume::PLAN)),
        "{create}"
    );
}

#[test]
fn a_role_may_do_what_the_controls_declare_and_nothing_else() {
    for (name, _, listings) in functions() {
        let reads = listings.iter().flat_map(|listing| listing.reads()).collect();
        let mut writes: BTreeSet<_> = listings.iter().flat_map(|listing| listing.writes()).collect();
        // With another key it encrypts anew, with the caller's permission for both. Source: Secrets Manager API Reference, `UpdateSecret`.
        if name == "Secretsmanager" {
            writes.extend(["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"]);
        }
        let log = ["logs:CreateLogStream", "logs:PutLogEvents"].into();
        let queue = [
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",
        ];
        let expected = [
            ("Log", (log, None)),
            ("Observe", (reads, None)),
            ("Queue", (queue.into(), None)),
            ("Remediate", (writes, Some("Enforces"))),
        ];
        assert_eq!(policies(&name), expected.into(), "{name}");
        let shared = &resource(&format!("{name}Role"))["ManagedPolicyArns"];
        assert_eq!(*shared, json!([{"Ref": "FunctionsPolicy"}]), "{name}");
    }
    let mut shared = BTreeMap::<_, BTreeSet<_>>::new();
    for statement in statements(&resource("FunctionsPolicy")["PolicyDocument"]) {
        let (statement, condition) = conditional(statement);
        let actions = texts(&statement["Action"]).into_iter();
        shared
            .entry(condition)
            .or_default()
            .extend(actions.filter(|action| !action.starts_with("kms:")));
    }
    let always = [
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "sns:ListSubscriptionsByTopic",
        "sns:Publish",
        "sqs:SendMessage",
    ];
    let expected = [
        (None, always.into()),
        (
            Some("Enforces"),
            ["iam:PassRole", "scheduler:CreateSchedule", "scheduler:UpdateSchedule"].into(),
        ),
        (Some("HasConfigRules"), ["config:PutEvaluations"].into()),
        (Some("HasSettings"), ["ssm:GetParameter"].into()),
        (
            Some("Traces"),
            ["xray:PutTelemetryRecords", "xray:PutTraceSegments"].into(),
        ),
    ];
    assert_eq!(shared, expected.into());
}

/// A stack without a function must not refer to anything of it: CloudFormation would refuse to deploy it.
#[test]
fn a_function_that_is_switched_off_leaves_nothing_behind() {
    for (name, ..) in functions() {
        let switch = format!("Has{name}");
        let on = json!({"Fn::Equals": [{"Ref": name}, "on"]});
        assert_eq!(TEMPLATE["Conditions"][&switch], on);
        assert_eq!(TEMPLATE["Parameters"][&name]["Default"], "on");
        let depends = |part: &Value| {
            let condition = part["Condition"].as_str().unwrap_or_default();
            let both = TEMPLATE["Conditions"][condition]["Fn::And"].as_array();
            condition == switch || both.is_some_and(|all| all.contains(&json!({"Condition": switch})))
        };
        let own = ["Function", "Role", "Log", "Queue", "DeadLetters"].map(|part| format!("{name}{part}"));
        for section in ["Resources", "Outputs"] {
            for (id, part) in TEMPLATE[section].as_object().unwrap() {
                let text = part.to_string();
                let refers = own.iter().any(|own| text.contains(&format!("\"{own}")));
                if refers || text.contains(&format!("${{{name}Function")) || own.contains(id) {
                    assert!(depends(part), "{section}: {id} is there without {switch}");
                }
            }
        }
    }
}

/// Sources: IAM User Guide, "IAM and AWS STS quotas" (policies, without white space); EventBridge User Guide, "Amazon EventBridge
/// quotas" (patterns); CloudFormation User Guide, "Understand CloudFormation quotas" (resources, parameters).
#[test]
fn the_template_is_within_the_limits_of_aws() {
    // What stands for a reference is about as long as what it refers to.
    let size = |value: &Value| value.to_string().len();
    for (name, ..) in functions() {
        let own = size(&resource(&format!("{name}Role"))["Policies"]);
        assert!(own <= 10_240, "{name}: {own} characters of policies in the role");
    }
    for (name, policy) in of_type("AWS::IAM::ManagedPolicy") {
        let size = size(&policy["PolicyDocument"]);
        assert!(size <= 6_144, "{name}: {size} characters");
    }
    for (name, rule) in of_type("AWS::Events::Rule") {
        let size = size(&rule["EventPattern"]);
        assert!(size <= 2_048, "{name}: {size} characters");
    }
    assert!(TEMPLATE["Resources"].as_object().unwrap().len() <= 500);
    assert!(TEMPLATE["Parameters"].as_object().unwrap().len() <= 200);
}

#[test]
fn what_a_role_may_change_is_in_its_own_account() {
    const LISTS: [&str; 2] = ["cloudtrail:DescribeTrails", "elasticfilesystem:DescribeFileSystems"];
    let text = TEMPLATE["Resources"].to_string();
    assert!(!text.contains("\"Action\":\"*\"") && !text.contains("\"NotAction\""));
    for (name, ..) in functions() {
        let policies = resource(&format!("{name}Role"))["Policies"].as_array().unwrap();
        for policy in policies {
            let document = policy["Fn::If"].get(1).unwrap_or(policy);
            if !["Observe", "Remediate"].contains(&document["PolicyName"].as_str().unwrap()) {
                continue;
            }
            for statement in document["PolicyDocument"]["Statement"].as_array().unwrap() {
                let limited = statement["Condition"].to_string().contains("AWS::AccountId");
                let named = !statement["Resource"].to_string().contains("\"*\"")
                    && statement["Resource"].to_string().contains("AWS::AccountId");
                // AWS knows neither resource nor condition for lists of the caller's own account, and for EC2's descriptions and
                // defaults, and those of load balancers, only the region.
                let lists = texts(&statement["Action"])
                    .iter()
                    .all(|action| action.contains(":List") || LISTS.contains(action));
                let here = statement["Condition"].to_string();
                let here = here.contains("ec2:Region") || here.contains("aws:RequestedRegion");
                // A trail of the organisation is its management account's, and every region shows it. Source: CloudTrail User Guide,
                // "Creating a trail for an organization".
                let shown = statement["Sid"] == "Observe"
                    && statement["Resource"].to_string().contains(":cloudtrail:*:*:trail/*");
                assert!(limited || named || lists || here || shown, "{name}: {statement}");
            }
        }
    }
}

#[test]
fn events_wait_in_a_queue_of_the_function_that_only_its_rules_fill() {
    for (name, ..) in functions() {
        let of_function = |mapping: &Value| mapping["FunctionName"] == json!({"Ref": format!("{name}Function")});
        let mut mappings = of_type("AWS::Lambda::EventSourceMapping").filter(|(_, mapping)| of_function(mapping));
        let (_, mapping) = mappings.next().unwrap();
        assert_eq!(
            mapping["EventSourceArn"],
            json!({"Fn::GetAtt": [format!("{name}Queue"), "Arn"]})
        );
        assert_eq!(
            mapping["FunctionResponseTypes"],
            json!(["ReportBatchItemFailures"]),
            "{name}"
        );
        assert_eq!(
            mapping["ScalingConfig"],
            json!({"MaximumConcurrency": {"Ref": "MaxConcurrency"}}),
            "{name}: concurrency"
        );
        let queue = resource(&format!("{name}Queue"));
        let letters = json!({"Fn::GetAtt": [format!("{name}DeadLetters"), "Arn"]});
        assert_eq!(
            queue["RedrivePolicy"],
            json!({"deadLetterTargetArn": letters, "maxReceiveCount": MOST_RECEIVES}),
            "{name}"
        );
        assert_eq!(queue["VisibilityTimeout"], VISIBILITY_TIMEOUT, "{name}");
        assert!(
            VISIBILITY_TIMEOUT
                >= 6 * TEMPLATE["Resources"][format!("{name}Function")]["Properties"]["Timeout"]
                    .as_u64()
                    .unwrap()
        );
        for own in [queue, resource(&format!("{name}DeadLetters"))] {
            assert_eq!(own["SqsManagedSseEnabled"], true, "{name}");
            assert_eq!(own["MessageRetentionPeriod"], 14 * 24 * 60 * 60, "{name}");
        }
        let policy = resource(&format!("{name}QueuePolicy"))["PolicyDocument"]["Statement"]
            .as_array()
            .unwrap();
        let allowed: Vec<_> = policy
            .iter()
            .filter(|statement| statement["Effect"] == "Allow")
            .collect();
        assert_eq!(allowed.len(), 1, "{name}: the rules, and nobody else");
        let condition = allowed[0]["Condition"].to_string();
        assert!(
            condition.contains("aws:SourceArn") && condition.contains("aws:SourceAccount"),
            "{name}"
        );
        let alarm = resource(&format!("{name}EventsKept"));
        let queue = json!({"Fn::GetAtt": [format!("{name}DeadLetters"), "QueueName"]});
        assert_eq!(alarm["Dimensions"], json!([{"Name": "QueueName", "Value": queue}]));
        assert!(alarm["AlarmActions"].is_array(), "{name}");
    }
}

#[test]
fn no_failure_is_lost_and_no_storm_is_unbounded() {
    for (name, ..) in functions() {
        let function = resource(&format!("{name}Function"));
        assert!(
            function["DeadLetterConfig"]["TargetArn"].is_object(),
            "{name}: dead letters"
        );
        assert_eq!(function["Runtime"], "provided.al2023");
        let invoke = resource(&format!("{name}FunctionEventInvokeConfig"));
        assert!(invoke["MaximumRetryAttempts"].as_u64().unwrap() >= 1, "{name}: retries");
        assert!(
            invoke["MaximumEventAgeInSeconds"].as_u64().unwrap() >= 3600,
            "{name}: retries"
        );
        let rules = rules_of(&name);
        for rule in &rules {
            assert_eq!(
                rule["EventPattern"]["account"],
                json!([{"Ref": "AWS::AccountId"}]),
                "{name}"
            );
        }
        for target in rules.into_iter().flat_map(|rule| rule["Targets"].as_array().unwrap()) {
            assert!(
                target["DeadLetterConfig"]["Arn"].is_object(),
                "{name}: the rule's dead letters"
            );
            assert!(target["RetryPolicy"]["MaximumRetryAttempts"].as_u64().unwrap() >= 1);
        }
        let log = function["LoggingConfig"]["LogGroup"]["Ref"].as_str().unwrap();
        assert!(
            !resource(log)["RetentionInDays"].is_null(),
            "{name}: retention of its log"
        );
        // The events of AWS Config are a second way to what the calls lead to.
        let lost = resource(&format!("{name}EventsLost"))["Metrics"].to_string();
        let config = format!("{name}ConfigEvents");
        let own = |rule: &&String| rule.starts_with(&name) && **rule != config;
        for rule in of_type("AWS::Events::Rule").map(|(rule, _)| rule).filter(own) {
            assert!(lost.contains(&format!("{{\"Ref\":\"{rule}\"}}")), "{rule}");
        }
        let variables = &function["Environment"]["Variables"];
        for variable in ["LEDGER_TABLE", "TOPIC_ARN", "ROLE_ARN", "MODE", "STACK"] {
            assert!(
                variables[format!("PORTCULLIS_{variable}")].is_object(),
                "{name}: {variable}"
            );
        }
        assert!(
            variables["PORTCULLIS_SETTINGS"].is_null(),
            "{name}: settings for tests are for tests"
        );
    }
    assert!(resource("Ec2EventsLost").to_string().contains("ReencryptionRule"));
    for (name, metric) in [("Errors", "Failures"), ("EventAge", "EventAge")] {
        let alarm = resource(name);
        assert_eq!(alarm["MetricName"], metric);
        assert_eq!(alarm["Dimensions"], json!([of_stack()]), "{name}: of all functions");
        assert!(alarm["AlarmActions"].is_array(), "{name}");
    }
    for (name, log) in of_type("AWS::Logs::LogGroup") {
        assert!(!log["RetentionInDays"].is_null(), "{name}");
    }
}

/// AWS Config may ask each function, for this account alone, when something changes and, as an option, by a period.
#[test]
fn a_config_rule_asks_its_own_function() {
    for (name, ..) in functions() {
        let function = json!({"Ref": format!("{name}Function")});
        let rule = resource(&format!("{name}ConfigRule"));
        let source = json!({"Fn::GetAtt": [format!("{name}Function"), "Arn"]});
        assert_eq!(rule["Source"]["SourceIdentifier"], source);
        let triggers = rule["Source"]["SourceDetails"].as_array().unwrap();
        let scheduled = &triggers[2]["Fn::If"];
        assert_eq!(triggers[0]["MessageType"], "ConfigurationItemChangeNotification");
        assert_eq!(
            triggers[1]["MessageType"],
            "OversizedConfigurationItemChangeNotification"
        );
        assert_eq!(
            (&scheduled[0], &scheduled[1]["MessageType"]),
            (&json!("HasPeriodicConfigRules"), &json!("ScheduledNotification"))
        );
        let permission = resource(&format!("{name}ConfigPermission"));
        assert_eq!(permission["FunctionName"], function);
        assert_eq!(permission["Principal"], "config.amazonaws.com");
        assert_eq!(permission["SourceAccount"], json!({"Ref": "AWS::AccountId"}));
    }
}

/// A function that hears nothing more has to be missed: by the alarm where none does, by the other functions else.
#[test]
fn a_silent_function_is_missed() {
    let alarm = resource("Silent");
    assert_eq!(alarm["MetricName"], "Heartbeat");
    assert_eq!(alarm["Statistic"], "Minimum", "one that misses another is enough");
    assert_eq!(alarm["Dimensions"], json!([of_stack()]));
    assert_eq!(alarm["TreatMissingData"], "breaching");
    assert!(alarm["AlarmActions"].is_array());
    let unswept = resource("Unswept");
    assert_eq!(unswept["MetricName"], "HoursUnswept");
    assert_eq!(unswept["Statistic"], "Maximum");
    assert_eq!(unswept["Threshold"], json!({"Ref": "SweepMissedHours"}));
    for same in ["Dimensions", "AlarmActions"] {
        assert_eq!(unswept[same], alarm[same], "{same}");
    }
    let named = |name: &String| format!("${{AWS::StackName}}-{}", name.to_lowercase());
    let all: BTreeSet<_> = functions().iter().map(|(name, ..)| named(name)).collect();
    for (name, ..) in functions() {
        let variables = &resource(&format!("{name}Function"))["Environment"]["Variables"];
        let others = variables["PORTCULLIS_OTHER_FUNCTIONS"]["Fn::Join"][1]
            .as_array()
            .unwrap();
        let others = others
            .iter()
            .map(|other| other["Fn::If"][1]["Fn::Sub"].as_str().unwrap());
        let mut missed: BTreeSet<_> = others.map(str::to_owned).collect();
        assert!(missed.insert(named(&name)), "{name} does not miss itself");
        assert_eq!(missed, all, "{name}");
    }
    let beat = resource("Heartbeat");
    assert_eq!(
        beat["Target"]["Arn"],
        json!({"Fn::Sub": "arn:${AWS::Partition}:scheduler:::aws-sdk:sns:tagResource"})
    );
    let input = beat["Target"]["Input"]["Fn::Sub"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(input).unwrap()["Tags"].is_array());
    assert_eq!(
        resource("HeartbeatRole")["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"],
        "sns:TagResource"
    );
}

/// The dimension of all metrics of ours.
fn of_stack() -> Value {
    json!({"Name": "Stack", "Value": {"Ref": "AWS::StackName"}})
}

/// What a schedule could not start is kept, and told.
#[test]
fn a_schedule_that_starts_nothing_is_told() {
    let schedules: Vec<_> = of_type("AWS::Scheduler::Schedule").collect();
    assert_eq!(
        schedules.len(),
        functions().len() + 2,
        "a sweep each, the heartbeat, and that of KMS"
    );
    let queue = json!({"Fn::GetAtt": ["DeadLetters", "Arn"]});
    for (name, schedule) in schedules {
        assert_eq!(schedule["Target"]["DeadLetterConfig"]["Arn"], queue, "{name}");
        assert_eq!(schedule["GroupName"], json!({"Ref": "Regular"}), "{name}");
        let role = schedule["Target"]["RoleArn"]["Fn::GetAtt"][0].as_str().unwrap();
        let policies = resource(role)["Policies"].to_string();
        assert!(policies.contains("sqs:SendMessage"), "{name}: {role}");
    }
    let metrics = resource("SchedulesDropped")["Metrics"].to_string();
    for (group, _) in of_type("AWS::Scheduler::ScheduleGroup") {
        assert!(metrics.contains(&format!("{{\"Ref\":\"{group}\"}}")), "{group}");
    }
}

/// Lambda takes a line without a timestamp for INFO, whatever it says: above that no line and no metric would be kept.
#[test]
fn no_log_level_drops_the_metrics() {
    let level = &TEMPLATE["Parameters"]["LogLevel"];
    assert_eq!(texts(&level["AllowedValues"]), ["TRACE", "DEBUG", "INFO"].into());
    for (name, ..) in functions() {
        let logging = &resource(&format!("{name}Function"))["LoggingConfig"];
        assert_eq!(logging["ApplicationLogLevel"], json!({"Ref": "LogLevel"}), "{name}");
    }
}

/// What `docs/operations.md` says the stack costs, as far as the template tells.
#[test]
fn the_costs_add_up() {
    let docs = std::fs::read_to_string(template::root().join("docs/operations.md")).unwrap();
    let section = docs
        .split("## What it costs")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| A month") && !line.starts_with("| -"));
    let cells: Vec<Vec<_>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
    let of_alarm = |alarm: &Value| alarm["Metrics"].as_array().map_or(1, |all| all.len() - 1);
    // The table is about the first three functions; what a further one adds is said below it.
    let functions = functions();
    let further = |alarm: &String| functions[3..].iter().find(|(name, ..)| alarm.starts_with(name));
    let alarms = || of_type("AWS::CloudWatch::Alarm").filter(|(alarm, _)| further(alarm).is_none());
    let watched: usize = alarms().map(|(_, alarm)| of_alarm(alarm)).sum();
    let row = cells.iter().find(|row| row[1].starts_with("Alarms")).unwrap();
    assert_eq!(row[1], format!("Alarms ({}, on {watched} metrics)", alarms().count()));
    let mut added = BTreeMap::<_, usize>::new();
    for (alarm, properties) in of_type("AWS::CloudWatch::Alarm") {
        if let Some((name, ..)) = further(alarm) {
            *added.entry(name).or_default() += 10 * of_alarm(properties);
        }
    }
    let each = added.values().max().copied().unwrap_or_default() + 26;
    let says = format!("Each further function\nadds {}.{:02}", each / 100, each % 100);
    assert!(added.is_empty() || section.contains(&says), "{says}");
    let cents = |cell: &str| {
        let amount = cell.rsplit(' ').next().unwrap().trim_matches('*');
        amount.replace('.', "").parse::<usize>().unwrap()
    };
    assert_eq!((cents(row[3]), cents(row[4])), (10 * watched, 10 * watched));
    let (all, parts) = cells.split_last().unwrap();
    for column in [3, 4] {
        let sum: usize = parts.iter().map(|row| cents(row[column])).sum();
        assert_eq!(sum, cents(all[column]), "{section}");
    }
    let row = cells
        .iter()
        .find(|row| row[1].starts_with("CloudWatch metrics"))
        .unwrap();
    let (_, always) = row[1].split_once(": ").unwrap();
    let always: usize = always.split(' ').next().unwrap().parse().unwrap();
    // The key, the alarms, and the metrics that come whatever happens.
    // Lambda asks each queue 648,000 times a month.
    let polling = |queues: usize| queues * 648 * 40 / 1000;
    let fixed = 100 + 10 * watched + 30 * always + polling(3) + 1;
    let with_all = fixed + added.values().sum::<usize>() + polling(added.len());
    assert!(with_all <= 1_200, "{with_all} cents");
    let said = format!("**{}.{:02} USD** a month are fixed", fixed / 100, fixed % 100);
    assert!(section.contains(&said), "{said}");
    let dashboards = of_type("AWS::CloudWatch::Dashboard").count();
    assert!(dashboards <= 3, "three are free");
}

/// Metrics that are not there are drawn as an empty picture, which looks like peace.
#[test]
fn the_dashboard_shows_metrics_that_are_sent() {
    let body = resource("Dashboard")["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let widgets = body["widgets"].as_array().unwrap();
    assert_eq!(widgets.len(), 10);
    let sent = std::fs::read_to_string(template::root().join("shared/runtime/src/metrics.rs")).unwrap();
    let mut shown = BTreeSet::new();
    for metric in widgets
        .iter()
        .flat_map(|widget| widget["properties"]["metrics"].as_array().unwrap())
    {
        let expression = metric[0]["expression"].as_str().unwrap_or_default();
        if let Some(dimensions) = expression.strip_prefix("SEARCH('{Portcullis,") {
            let (dimensions, names) = dimensions.split_once('}').unwrap();
            let dimensions: Vec<_> = dimensions.split(',').map(|name| format!("\"{name}\"")).collect();
            assert!(sent.contains(&format!("&[{}]", dimensions.join(", "))), "{expression}");
            let names = names.strip_prefix(" Stack=\"${AWS::StackName}\" MetricName=");
            let names = names.unwrap_or_else(|| panic!("another stack's as well: {expression}"));
            shown.extend(names.split('"').skip(1).step_by(2).map(str::to_owned));
        } else if let Some(of_queues) = expression.strip_prefix("SEARCH('{AWS/SQS,QueueName} MetricName=") {
            assert!(of_queues.contains("${AWS::StackName}"), "{expression}");
        } else if metric[0] == "Portcullis" {
            assert_eq!((&metric[2], &metric[3]), (&json!("Stack"), &json!("${AWS::StackName}")));
            shown.insert(metric[1].as_str().unwrap().to_owned());
        }
    }
    for name in &shown {
        assert!(sent.contains(&format!("\"{name}\"")), "nobody sends {name}");
    }
    let expected = [
        "AwsCalls",
        "Deferred",
        "Duration",
        "EventAge",
        "Failures",
        "Findings",
        "Heartbeat",
        "HoursUnswept",
        "OpenDeferred",
        "SettingsUnusable",
        "SweptNew",
        "SweptResources",
        "SweptUnseen",
    ];
    assert_eq!(shown.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_ledger_is_the_one_that_the_tests_use() {
    let world = World::new().await;
    let client = aws_sdk_dynamodb::Client::new(&world.aws.sdk_config());
    let table = client
        .describe_table()
        .table_name(&world.stack.table)
        .send()
        .await
        .unwrap();
    let table = table.table.unwrap();
    let ledger = resource("Ledger");
    let keys = |schema: &[aws_sdk_dynamodb::types::KeySchemaElement]| -> Value {
        schema
            .iter()
            .map(|key| json!({"AttributeName": key.attribute_name, "KeyType": key.key_type.as_str()}))
            .collect()
    };
    assert_eq!(keys(table.key_schema()), ledger["KeySchema"]);
    let indexes: Value = table
        .global_secondary_indexes()
        .iter()
        .map(|index| {
            let projection = index.projection.as_ref().unwrap().projection_type.as_ref().unwrap();
            json!({
                "IndexName": index.index_name,
                "KeySchema": keys(index.key_schema()),
                "Projection": {"ProjectionType": projection.as_str()},
            })
        })
        .collect();
    assert_eq!(indexes, ledger["GlobalSecondaryIndexes"]);
    assert_eq!(ledger["TimeToLiveSpecification"]["AttributeName"], "expires");
    assert_eq!(
        ledger["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
        true
    );
    assert_eq!(ledger["SSESpecification"]["SSEType"], "KMS");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs")
            && !["tests.rs", "properties.rs", "testing.rs"]
                .iter()
                .any(|tests| path.ends_with(tests))
        {
            found.push(path);
        }
    }
}

#[test]
fn no_arn_has_a_fixed_partition() {
    let root = template::root();
    let text = std::fs::read_to_string(root.join("template.yaml")).unwrap();
    for (number, line) in text.lines().enumerate() {
        let code = line.split(" #").next().unwrap_or_default();
        assert!(!code.contains("arn:aws"), "template.yaml:{}: {line}", number + 1);
    }
    let mut files = Vec::new();
    for folder in [
        "shared/core/src",
        "shared/access/src",
        "shared/controls/src",
        "shared/runtime/src",
        "cli/src",
    ] {
        sources(&root.join(folder), &mut files);
    }
    for entry in std::fs::read_dir(root.join("functions")).unwrap() {
        sources(&entry.unwrap().path().join("src"), &mut files);
    }
    // What is violated in tests is not what is deployed.
    files.retain(|file| {
        let parts = file.strip_prefix(&root).unwrap_or(file).iter();
        !parts
            .map(|part| part.to_string_lossy())
            .any(|part| part.starts_with("violations"))
    });
    assert!(files.len() > 50);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in product.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            assert!(
                comment || !line.contains("arn:aws:"),
                "{}:{}: {line}",
                file.display(),
                number + 1
            );
        }
    }
}
