//! The commands as a person or a script runs them.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn portcullis(arguments: &[&str]) -> Output {
    with_input(arguments, "")
}

fn with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn lines(output: &Output) -> Vec<Value> {
    text(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What triage says of an input, and its exit status.
#[track_caller]
fn triage(input: &str) -> (Vec<Value>, Option<i32>) {
    let output = with_input(&["triage", "-"], input);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (lines(&output), output.status.code())
}

fn record(name: &str, bucket: &str) -> Value {
    json!({
        "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
        "recipientAccountId": "111122223333", "requestParameters": {"bucketName": bucket},
    })
}

/// A directory of the test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_event_becomes_one_line_with_these_fields_and_no_others() {
    let output = portcullis(&["triage", "events/s3/PutBucketAcl.json"]);
    assert_eq!(output.status.code(), Some(0));
    let expected = json!({
        "file": "events/s3/PutBucketAcl.json",
        "source": "s3.amazonaws.com",
        "event": "PutBucketAcl",
        "resources": [{
            "type": "AWS::S3::Bucket", "arn": "arn:aws:s3:::quarterly-reports",
            "account": "111122223333", "region": "eu-west-1",
        }],
        "controls": [
            "s3-bucket-quarantine", "s3-bucket-public-acl", "s3-bucket-external-access", "s3-bucket-acls-disabled",
        ],
        "ignored": null,
        "refused": null,
    });
    assert_eq!(text(&output), format!("{expected}\n"));
}

#[test]
fn what_the_function_ignores_is_ignored_for_the_same_reason() {
    let mut failed = record("PutBucketAcl", "data");
    failed["errorCode"] = "AccessDenied".into();
    let (lines, status) = triage(&json!([failed, record("PutBucketLogging", "data")]).to_string());
    assert_eq!(
        lines[0]["ignored"],
        "the call failed (AccessDenied) and changed nothing"
    );
    assert_eq!(
        lines[1]["ignored"],
        "no control depends on PutBucketLogging of s3.amazonaws.com"
    );
    assert!(
        lines
            .iter()
            .all(|line| line["controls"] == json!([]) && line["refused"].is_null())
    );
    assert_eq!(status, Some(0));
}

#[test]
fn a_name_that_several_services_share_leads_only_to_its_own() {
    let mut foreign = record("CreateBucket", "data");
    foreign["eventSource"] = "lightsail.amazonaws.com".into();
    let (lines, _) = triage(&foreign.to_string());
    assert!(lines[0]["ignored"].is_string());
}

#[test]
fn a_file_may_hold_one_event_a_list_lines_or_a_log() {
    let [one, two] = [record("CreateBucket", "one"), record("CreateBucket", "two")];
    let pretty = format!("{one:#}\n{two:#}");
    let inputs = [
        json!([one, two]).to_string(),
        format!("{one}\n\n{two}\n"),
        json!({"Records": [one, two]}).to_string(),
        pretty,
        format!("\u{feff}[{one},{two}]"),
    ];
    for input in inputs {
        let (lines, status) = triage(&input);
        let arns: Vec<_> = lines.iter().map(|line| line["resources"][0]["arn"].clone()).collect();
        assert_eq!(arns, ["arn:aws:s3:::one", "arn:aws:s3:::two"], "{input}");
        assert_eq!(status, Some(0));
    }
    assert_eq!(triage(&json!({"Records": []}).to_string()), (vec![], Some(0)));
}

#[test]
fn a_bad_line_is_refused_by_its_number_and_the_others_are_said() {
    let (lines, status) = triage(&format!(
        "{}\n{{\"eventName\": \n{}\n",
        record("CreateBucket", "one"),
        record("CreateBucket", "two")
    ));
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["resources"][0]["arn"], "arn:aws:s3:::one");
    assert!(lines[1]["refused"].as_str().unwrap().starts_with("line 2: "));
    assert_eq!(lines[2]["resources"][0]["arn"], "arn:aws:s3:::two");
    assert_eq!(status, Some(2));
}

#[test]
fn what_is_no_event_is_refused_and_never_a_panic() {
    let deep = "[".repeat(100_000);
    let deep_event = format!("{{\"detail-type\": {}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let large = json!({"eventName": "x".repeat(1_100_000)}).to_string();
    let no_bucket = record("CreateBucket", "").to_string();
    let cases = [
        ("", "found nothing"),
        ("\n \n", "found nothing"),
        ("hello", "expected an event in JSON"),
        ("{", "expected an event in JSON"),
        ("42", "expected an object"),
        ("null", "expected an object"),
        ("[[]]", "expected an object"),
        ("{\"a\": 1}", "[\"a\"]"),
        ("{\"Records\": 1}", "[\"Records\"]"),
        ("{\"detail-type\": \"Scheduled Event\"}", "detail-type"),
        ("\u{1f}", "expected an event in JSON"),
        (deep.as_str(), "expected an event in JSON"),
        (deep_event.as_str(), "recursion limit"),
        (large.as_str(), "1048576 bytes"),
        (no_bucket.as_str(), "requestParameters.bucketName"),
    ];
    for (input, why) in cases {
        let (lines, status) = triage(input);
        let shown = &input[..input.len().min(40)];
        assert_eq!((lines.len(), status), (1, Some(2)), "{shown}");
        let refused = lines[0]["refused"].as_str().unwrap_or_default();
        assert!(refused.contains(why), "{shown}: {refused}");
        assert_eq!(lines[0]["file"], "-");
    }
}

#[test]
fn a_restore_is_for_the_function_alone() {
    let (lines, status) = triage("{\"restore\": \"019ab000-0000-7000-8000-000000000001\"}");
    assert_eq!(lines[0]["event"], "restore");
    assert!(lines[0]["ignored"].as_str().unwrap().contains("ledger"));
    assert_eq!(status, Some(0));
}

#[test]
fn directories_are_walked_in_order_and_what_can_t_be_read_is_refused() {
    let folder = Folder::new("walk");
    folder.write("b.jsonl", record("CreateBucket", "bbb").to_string());
    folder.write("a/deep.json", record("CreateBucket", "aaa").to_string());
    folder.write("c.txt", "not looked at");
    let broken = folder.write("d.json", [0x1f, 0x8b, 8, 0]);
    let latin = folder.write("e.json", b"{\"eventName\": \"\xe9\"}");
    let directory = folder.0.to_str().unwrap();
    let output = portcullis(&["triage", directory, "no/such.json"]);
    assert_eq!(output.status.code(), Some(2));
    let lines = lines(&output);
    let arns: Vec<_> = lines[..2]
        .iter()
        .map(|line| line["resources"][0]["arn"].clone())
        .collect();
    assert_eq!(arns, ["arn:aws:s3:::aaa", "arn:aws:s3:::bbb"]);
    assert_eq!(lines[2]["file"], broken);
    assert!(lines[2]["refused"].as_str().unwrap().contains("can't be unpacked"));
    assert_eq!(lines[3]["file"], latin);
    assert!(lines[3]["refused"].is_string());
    assert_eq!(lines[4]["file"], "no/such.json");
    assert!(lines[4]["refused"].as_str().unwrap().contains("can't be read"));
    assert_eq!(lines.len(), 5);
}

fn packed(contents: impl AsRef<[u8]>) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(contents.as_ref()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn packed_logs_are_read_by_name_and_in_directories() {
    let folder = Folder::new("packed");
    let log = |bucket: &str| json!({"Records": [record("CreateBucket", bucket)]}).to_string();
    let one = folder.write("AWSLogs/111122223333/CloudTrail/one.json.gz", packed(log("one")));
    folder.write("AWSLogs/111122223333/CloudTrail/two.JSON", log("two"));
    // Several members, as `cat` of several files makes them.
    let many = [packed(log("three") + "\n"), packed(log("four"))].concat();
    folder.write("three.jsonl.gz", many);
    let arns = |path: &str| {
        let output = portcullis(&["triage", path]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let arns = lines(&output);
        let arns = arns
            .iter()
            .map(|line| line["resources"][0]["arn"].as_str().unwrap().to_owned());
        arns.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(arns(&one), "arn:aws:s3:::one");
    assert_eq!(
        arns(folder.0.to_str().unwrap()),
        "arn:aws:s3:::one arn:aws:s3:::two arn:aws:s3:::three arn:aws:s3:::four"
    );
    let twice = folder.write("twice.json", packed(packed("{}")));
    let output = portcullis(&["triage", &twice]);
    assert_eq!(output.status.code(), Some(2));
    assert!(lines(&output)[0]["refused"].as_str().unwrap().contains("twice"));
}

#[test]
#[cfg(unix)]
fn links_are_followed_but_not_in_circles() {
    let folder = Folder::new("links");
    folder.write("real/one.json", record("CreateBucket", "one").to_string());
    let logs = folder.0.join("logs");
    fs::create_dir_all(&logs).unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, logs.join(name)).unwrap();
    link("../real", "today");
    link("../real/one.json", "link.json");
    link("..", "up");
    let output = portcullis(&["triage", logs.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let files: Vec<_> = lines(&output)
        .iter()
        .map(|line| line["file"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        files,
        [logs.join("link.json"), logs.join("today/one.json")].map(|path| path.to_str().unwrap().to_owned())
    );
}

#[test]
fn a_directory_that_holds_no_event_is_said() {
    let folder = Folder::new("empty");
    folder.write("notes.txt", "nothing");
    let output = portcullis(&["triage", folder.0.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("found no *.json"), "{told}");
}

#[test]
fn what_is_refused_is_named_as_far_as_it_can_be_read() {
    let mut odd = record("PutBucketAcl", "data");
    odd["awsRegion"] = json!("No Region");
    let (lines, status) =
        triage(&json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "detail": odd}).to_string());
    assert_eq!(status, Some(2));
    assert!(lines[0]["refused"].as_str().unwrap().contains("awsRegion"));
    assert_eq!(
        (&lines[0]["source"], &lines[0]["event"]),
        (&json!("s3.amazonaws.com"), &json!("PutBucketAcl"))
    );
}

#[test]
fn a_resource_is_named_once() {
    let output = portcullis(&["triage", "events/ec2/RunInstances.json"]);
    let found = lines(&output);
    let arns: Vec<_> = found[0]["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["arn"].clone())
        .collect();
    let once = |arn: &Value| arns.iter().filter(|other| *other == arn).count() == 1;
    assert!(!arns.is_empty() && arns.iter().all(once), "{arns:?}");
}

#[test]
fn every_sample_event_but_the_odd_ones_leads_to_a_control() {
    let output = portcullis(&["triage", "events"]);
    let lines = lines(&output);
    let listings = portcullis_catalog::listings();
    let deletions: BTreeSet<_> = listings.iter().flat_map(|listing| listing.deletes()).copied().collect();
    let plain: Vec<_> = lines
        .iter()
        .filter(|line| {
            let file = line["file"].as_str().unwrap();
            // A schedule of AWS Config leads to all resources, which only the function can list; a heartbeat to none. A deletion
            // leads to what is held.
            let others = ["/odd/", "/heartbeat/", "/RuleSchedule.json"];
            let event = line["event"].as_str().unwrap_or_default();
            !others.iter().any(|other| file.contains(other)) && !deletions.contains(event)
        })
        .collect();
    assert!(!plain.is_empty());
    for line in plain {
        assert!(line["controls"][0].is_string(), "{line}");
    }
}

#[test]
fn all_controls_are_listed() {
    let output = portcullis(&["controls"]);
    let text = text(&output);
    assert!(text.starts_with("ID "), "{text}");
    let row = text
        .lines()
        .find(|line| line.starts_with("s3-bucket-versioning "))
        .unwrap();
    let cells: Vec<_> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(
        cells,
        [
            "s3-bucket-versioning",
            "LOW",
            "notify",
            "nothing",
            "A bucket keeps versions"
        ]
    );

    let listed: Vec<Value> = serde_json::from_slice(&portcullis(&["controls", "--json"]).stdout).unwrap();
    assert_eq!(listed.len(), text.lines().count() - 1);
    let versioning = listed.iter().find(|one| one["id"] == "s3-bucket-versioning").unwrap();
    assert_eq!(versioning["type"], "AWS::S3::Bucket");
    assert_eq!(versioning["source"], "s3.amazonaws.com");
    assert_eq!(versioning["writes"], json!(["s3:PutBucketVersioning"]));
}

#[test]
fn stale_pages_are_named_and_written_anew() {
    let folder = Folder::new("docs");
    let from = root().join("functions");
    for function in fs::read_dir(&from).unwrap() {
        let name = function.unwrap().file_name().into_string().unwrap();
        let controls = from.join(&name).join("src/controls");
        for file in fs::read_dir(&controls).into_iter().flatten() {
            let file = file.unwrap();
            let to = format!("functions/{name}/src/controls/{}", file.file_name().to_str().unwrap());
            folder.write(&to, fs::read(file.path()).unwrap());
        }
        let stack = format!("functions/{name}/stack.yaml");
        folder.write(&stack, fs::read(root().join(&stack)).unwrap());
    }
    for stack in ["deploy/stack.yaml", "deploy/function.yaml"] {
        folder.write(stack, fs::read(root().join(stack)).unwrap());
    }
    let docs = |check: &[&str]| portcullis(&[&["docs", "--root", folder.0.to_str().unwrap()], check].concat());
    let stale = docs(&["--check"]);
    assert_eq!(stale.status.code(), Some(2));
    assert!(
        text(&stale).contains("docs/controls.md, template.yaml, docs/settings.schema.json, docs/alert.schema.json")
    );
    assert_eq!(docs(&[]).status.code(), Some(0));
    assert_eq!(docs(&["--check"]).status.code(), Some(0));

    folder.write(
        "functions/s3/src/controls/s3_bucket_versioning.rs",
        "//! # What it requires\n//! Nothing.\n",
    );
    let broken = docs(&["--check"]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(
        String::from_utf8(broken.stderr)
            .unwrap()
            .contains("s3_bucket_versioning.rs: expected the headings")
    );
}

const SETTINGS: &str = "
mode: enforce
controls:
  s3-bucket-versioning: {mode: enforce}
  s3-bucket-tls-only: {mode: off}
  s3-bucket-public-acl: {quarantine: true}
trusted: {accounts: ['444455556666']}
exemptions:
  - {control: s3-bucket-website, resource: 'arn:aws:s3:::site-*', reason: the site, owner: ana, until: 2999-01-01T00:00:00Z}
  - {control: s3-bucket-versioning, resource: 'arn:aws:s3:::site-*', reason: a trial, owner: ben, until: 2020-01-01T00:00:00Z}
";

#[test]
fn good_settings_are_said_to_be_good() {
    let output = portcullis(&["settings", "check", "portcullis.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output),
        "portcullis.yaml: good; mode enforce, unless the stack's parameter Mode is notify\n"
    );
    let output = with_input(&["settings", "check", "-"], SETTINGS);
    let text = text(&output);
    assert!(text.contains("control s3-bucket-tls-only: off"), "{text}");
    assert!(
        text.contains("until 2020-01-01T00:00:00Z (ben) — it has ended"),
        "{text}"
    );
}

#[test]
fn a_control_has_a_page_and_what_ids_begin_with_filters_the_list() {
    let page = text(&portcullis(&["controls", "s3-bucket-tls-only"]));
    assert!(
        page.starts_with("#### s3-bucket-tls-only\n") && page.contains("IAM actions"),
        "{page}"
    );
    let list = text(&portcullis(&["controls", "sqs-"]));
    assert!(
        list.lines().skip(1).all(|line| line.starts_with("sqs-")) && list.lines().count() > 3,
        "{list}"
    );
    let one: Value = serde_json::from_slice(&portcullis(&["controls", "s3-bucket-tls-only", "--json"]).stdout).unwrap();
    assert_eq!(one.as_array().unwrap().len(), 1);
    let output = portcullis(&["controls", "s3-bucket-tls-onyl"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("did you mean s3-bucket-tls-only?")
    );
}

#[test]
fn what_lookup_events_prints_is_triaged() {
    let printed = |records: &[String]| {
        let events: Vec<_> = records
            .iter()
            .map(|record| json!({"EventId": "e", "CloudTrailEvent": record}))
            .collect();
        json!({ "Events": events }).to_string()
    };
    let acl = record("PutBucketAcl", "data").to_string();
    let (said, code) = triage(&printed(&[acl.clone(), acl]));
    assert_eq!((said.len(), code), (2, Some(0)));
    assert_eq!(said[1]["resources"][0]["arn"], "arn:aws:s3:::data");
    assert_eq!(triage(&printed(&[])), (Vec::new(), Some(0)));
    let (said, code) = triage(&printed(&["{".into()]));
    assert_eq!((said.len(), code), (1, Some(2)));
}

#[test]
fn help_is_no_wider_than_a_terminal_and_each_shell_has_its_completions() {
    for command in [
        &["--help"][..],
        &["settings", "check", "--help"],
        &["policy", "--help"],
        &["triage", "--help"],
    ] {
        let help = text(&portcullis(command));
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            text(&portcullis(&["completion", shell])).contains("portcullis"),
            "{shell}"
        );
    }
}

/// Settings that read well and are hardly meant.
const SUSPICIOUS: &str = "\
restore: {hold-days: 0}
exemptions:
  - {control: s3-bucket-tls-only, resource: 'arn:aws:s3:::site-*', reason: …, owner: ana, until: 2020-01-01T00:00:00Z}
";

#[test]
fn all_that_is_wrong_with_settings_is_said_at_once() {
    let yaml = "mode: sometimes\ntrusted:\n  accounts: ['12']\nkms: {rotation-days: 30, regions: 5}\n";
    let said = with_input(&["settings", "check", "-"], yaml);
    let said = String::from_utf8(said.stderr).unwrap();
    let places: Vec<_> = said
        .lines()
        .map(|line| &line[..line.find(": expected").unwrap()])
        .collect();
    let refused = |what: &str| format!("portcullis: -: the settings can't be used: {what}");
    assert_eq!(
        places,
        [
            refused("line 1 column 1: mode"),
            refused("line 3 column 14: trusted.accounts[0]"),
            refused("line 4 column 7: kms.rotation-days"),
            refused("line 4 column 26: kms.regions"),
        ]
    );
    let output = with_input(&["settings", "check", "-", "--json"], yaml);
    assert_eq!(output.status.code(), Some(2));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["good"], false);
    assert_eq!(told["mistakes"].as_array().unwrap().len(), 4);
    let first = &told["mistakes"][1];
    assert_eq!(
        (&first["line"], &first["column"], &first["setting"]),
        (&json!(3), &json!(14), &json!("trusted.accounts[0]"))
    );
}

#[test]
fn what_is_hardly_meant_is_a_warning_with_a_status_of_its_own() {
    let output = with_input(&["settings", "check", "-"], SUSPICIOUS);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output);
    for warning in [
        "warning: line 1 column 11: restore.hold-days: ",
        "warning: line 3 column 68: exemptions[0].reason: it is a placeholder",
        "warning: line 3 column 91: exemptions[0].until: it has ended",
    ] {
        assert!(said.contains(warning), "{said}");
    }
    let output = with_input(&["settings", "check", "-", "--json"], SUSPICIOUS);
    assert_eq!(output.status.code(), Some(3));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["good"], told["warnings"].as_array().unwrap().len()),
        (&json!(true), 3)
    );
}

#[test]
fn what_settings_lose_against_others_is_said() {
    let folder = Folder::new("against");
    let in_force = folder.write("in-force.yaml", SETTINGS);
    let output = with_input(&["settings", "check", "-", "--against", &in_force], "mode: notify");
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output);
    assert!(said.contains(&format!("against {in_force}:\n  lost: ")), "{said}");
    assert!(said.contains("weakened: mode: notify instead of enforce"), "{said}");
    let output = with_input(
        &["settings", "check", "-", "--against", &in_force, "--json"],
        "mode: notify",
    );
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["differences"][0]["kind"], "lost");
    let refused = folder.write("refused.yaml", "modus: enforce");
    let output = with_input(&["settings", "check", "-", "--against", &refused], "mode: notify");
    assert_eq!(output.status.code(), Some(2));
    let same = with_input(&["settings", "check", "portcullis.yaml", "--against", "-"], "{}");
    assert_eq!(same.status.code(), Some(0));
    assert!(text(&same).ends_with("against -: the same\n"));
}

#[test]
fn bad_settings_are_refused_by_name_and_line() {
    let cases = [
        ("mode: notify\nmodus: enforce\n", "line 2"),
        (
            "controls: {s3-bucket-versionning: {mode: off}}",
            "did you mean s3-bucket-versioning?",
        ),
        (
            "exemptions: [{control: '*', resource: '*', reason: r, owner: o, until: 2999-01-01T00:00:00Z}]",
            "everything",
        ),
        ("[", "can't be read"),
        ("", "found an empty text"),
        (
            "exemptions: [{control: s3-bucket-tls-only, resource: my-bucket, reason: r, owner: o, until: 2999-01-01T00:00:00Z}]",
            "write arn:aws:s3:::my-bucket",
        ),
        (
            "exemptions: [{control: ec2-snapshot-encrypted, resource: 'arn:aws:ec2:eu-west-1:111122223333:snapshot/snap-0a1b', reason: r, owner: o, until: 2999-01-01T00:00:00Z}]",
            "write arn:aws:ec2:eu-west-1::snapshot/snap-0a1b",
        ),
    ];
    for (yaml, why) in cases {
        let output = with_input(&["settings", "check", "-"], yaml);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(
        portcullis(&["settings", "check", "no/such.yaml"]).status.code(),
        Some(1)
    );
}

#[test]
fn what_applies_to_a_resource_is_explained() {
    let folder = Folder::new("explain");
    let settings = folder.write("settings.yaml", SETTINGS);
    let asked = [
        "settings",
        "explain",
        "--settings",
        &settings,
        "--resource",
        "arn:aws:s3:::site-1",
    ];
    let tags = ["--tag", "DataClassification=Confidential", "--tag", "team=web=1"];
    let output = portcullis(&[&asked[..], &tags].concat());
    let said = text(&output);
    for expected in [
        "arn:aws:s3:::site-1 (AWS::S3::Bucket)",
        "confidential: its tag DataClassification is \"Confidential\"",
        "encryption: aws-managed-key, or better",
        "accounts: 444455556666",
        "exempt until 2999-01-01T00:00:00Z (the site; ana)",
        "its exemption ended on 2020-01-01T00:00:00Z (a trial; ben)",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }

    let output = portcullis(&[&asked[..], &["--json"]].concat());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["classification"]["level"], "internal");
    assert!(
        said["classification"]["why"]
            .as_str()
            .unwrap()
            .contains("no tag DataClassification")
    );
    let control = |id: &str| {
        let controls = said["controls"].as_array().unwrap().iter();
        controls.clone().find(|one| one["control"] == id).unwrap().clone()
    };
    let tls = control("s3-bucket-tls-only");
    assert_eq!(
        (&tls["mode"], &tls["why"]),
        (&json!("off"), &json!("the settings say so"))
    );
    assert_eq!(control("s3-bucket-versioning")["mode"], "enforce");
    assert_eq!(control("s3-bucket-versioning")["exempt"], false);
    assert_eq!(control("s3-bucket-website")["exempt"], true);
    assert_eq!(control("s3-bucket-public-acl")["quarantine"], true);
    assert_eq!(control("s3-bucket-default-encryption")["why"], "its default");

    let output = portcullis(&[&asked[..], &["--json", "--mode", "notify"]].concat());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        said["controls"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["mode"] != "enforce")
    );
}

#[test]
fn each_type_is_known_by_its_arn_and_others_are_refused() {
    let cases = [
        ("arn:aws-cn:s3:::data", "AWS::S3::Bucket"),
        (
            "arn:aws-us-gov:s3:us-gov-west-1:111122223333:accesspoint/door",
            "AWS::S3::AccessPoint",
        ),
        (
            "arn:aws:s3::111122223333:account-public-access-block",
            "AWS::S3::AccountPublicAccessBlock",
        ),
        (
            "arn:aws:ec2:eu-west-1:111122223333:instance/i-0a1b2c3d4e5f60718",
            "AWS::EC2::Instance",
        ),
    ];
    for (arn, kind) in cases {
        let output = portcullis(&["settings", "explain", "--json", "--resource", arn]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["resource"], json!({"type": kind, "arn": arn}));
        // A launch leads to volumes as well: their controls are not the instance's.
        let controls = said["controls"].as_array().unwrap().iter();
        let mut ids = controls.map(|one| one["control"].as_str().unwrap());
        assert!(ids.all(|id| !id.starts_with("ec2-volume")), "{arn}");
    }
    for arn in ["arn:aws:iam::111122223333:role/x", "data", "arn:aws:s3:::data/key"] {
        let output = portcullis(&["settings", "explain", "--resource", arn]);
        assert_eq!(output.status.code(), Some(2), "{arn}");
    }
    assert_eq!(
        portcullis(&["settings", "explain", "--resource", "arn:aws:s3:::data", "--tag", "x"])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn no_aws_sdk_is_linked() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "portcullis-cli",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = text(&tree);
    assert!(tree.contains("portcullis-s3 "), "{tree}");
    let linked: Vec<_> = tree
        .lines()
        .filter(|name| {
            ["aws-", "tokio ", "hyper "]
                .iter()
                .any(|unwanted| name.starts_with(unwanted))
        })
        .collect();
    assert!(linked.is_empty(), "{linked:?}");
}

#[test]
fn policy_says_whom_a_policy_lets_in_and_what_would_undo_it() {
    let open = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "App", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/app"}, "Action": "s3:GetObject",
         "Resource": "arn:aws:s3:::reports/*"},
        {"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::reports/*"},
    ]});
    let arguments = ["policy", "--service", "s3", "--account", "111122223333", "-"];
    let judged = with_input(&arguments, &open.to_string());
    assert_eq!(judged.status.code(), Some(1));
    let line = &lines(&judged)[0];
    assert_eq!(
        (
            &line["verdict"],
            &line["s3_verdict"],
            &line["undecided"],
            &line["offending"]
        ),
        (&json!("public"), &json!("public"), &json!(false), &json!([1]))
    );
    assert_eq!(line["fixed"]["Statement"], json!([open["Statement"][0]]));
    assert_eq!(line["witness"]["action"], "s3:GetObject");
    assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()));

    let table = with_input(
        &["policy", "--service", "s3", "--account", "111122223333", "--table", "-"],
        &open.to_string(),
    );
    assert!(text(&table).contains("public    s3:public"), "{}", text(&table));
}

#[test]
fn policy_takes_records_over_flags_and_exits_by_the_worst() {
    let lets_in = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "sqs:*", "Resource": "*"}});
    let record = |id: &str, trusted: Value| {
        json!({"id": id, "service": "sqs", "owner": "111122223333", "policy": lets_in, "trusted": trusted}).to_string()
    };
    let trusted = record("trusted", json!(["444455556666"]));
    let safe = with_input(&["policy", "-"], &trusted);
    assert_eq!(
        (safe.status.code(), &lines(&safe)[0]["verdict"]),
        (Some(0), &json!("private"))
    );
    let stranger = with_input(
        &["policy", "-"],
        &format!("{trusted}\n{}\n", record("stranger", json!([]))),
    );
    assert_eq!(
        (stranger.status.code(), &lines(&stranger)[1]["verdict"]),
        (Some(1), &json!("external"))
    );
    let flags = [
        "policy",
        "--service",
        "sqs",
        "--account",
        "111122223333",
        "--trust",
        "444455556666",
        "-",
    ];
    assert_eq!(with_input(&flags, &lets_in.to_string()).status.code(), Some(0));
    let broken = with_input(
        &["policy", "-"],
        &format!("{}\n{{\"id\":\"no\"}}\n", record("stranger", json!([]))),
    );
    assert_eq!(broken.status.code(), Some(2));
    assert!(lines(&broken)[1]["refused"].is_string());
}
