//! `portcullis guardrails` as a person or a script runs it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A directory of the test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guardrails-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, contents: &str) -> String {
        fs::write(self.0.join(name), contents).unwrap();
        self.path(name)
    }

    /// The names of its files, and of those of its folders.
    fn listed(&self) -> Vec<String> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0).unwrap().map(Result::unwrap) {
            names.push(entry.file_name().to_string_lossy().into_owned());
            if entry.path().is_dir() {
                let inner = fs::read_dir(entry.path()).unwrap();
                names.extend(inner.map(|one| one.unwrap().path().strip_prefix(&self.0).unwrap().display().to_string()));
            }
        }
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SETTINGS: &str = "
trusted: {organizations: [o-a1b2c3d4e5], accounts: [\"444455556666\"]}
break-glass: [\"arn:aws:iam::111122223333:role/BreakGlass\"]
kms: {retirement-tag: Retire, regions: [eu-west-1]}
";

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    command
        .arg("guardrails")
        .args(arguments)
        .current_dir(root)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> Output {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    output
}

#[test]
fn a_folder_has_the_documents_what_goes_with_them_and_nothing_else() {
    let folder = Folder::new("folder");
    let settings = folder.write("settings.yaml", SETTINGS);
    let out = folder.path("out");
    succeeds(&["--settings", &settings, "--out", &out]);
    let names = [
        "attach.md",
        "ec2-policy.json",
        "guardrails.yaml",
        "map.json",
        "rcp-perimeter.json",
        "scp-data.json",
        "scp-ec2.json",
        "scp-kms.json",
        "scp-protect.json",
        "scp-s3.json",
    ];
    let expected: Vec<_> = names.iter().map(|name| format!("out/{name}")).collect();
    assert_eq!(folder.listed()[1..=10], expected);
    let read = |name: &str| fs::read_to_string(folder.0.join("out").join(name)).unwrap();
    let map: Value = serde_json::from_str(&read("map.json")).unwrap();
    assert_eq!(
        map["statements"]["S3PublicAcl"]["controls"],
        json!(["s3-bucket-public-acl"])
    );
    assert!(
        map["statements"]["S3PublicAcl"]["stays"]["s3-bucket-public-acl"]
            .as_str()
            .unwrap()
            .contains("headers")
    );
    assert_eq!(map["left-out"]["KmsAlias"], "expected aliases: kms.required-aliases");
    let attach = read("attach.md");
    let positions: Vec<_> = ["ec2-policy", "scp-s3", "rcp-perimeter"]
        .map(|name| attach.find(&format!("--name portcullis-{name}")).unwrap())
        .into();
    assert!(
        positions.is_sorted(),
        "first the declarative policies, then SCPs, then RCPs"
    );
    // The same settings come to the same bytes, over what was there before.
    let before: Vec<_> = names.iter().map(|name| read(name)).collect();
    succeeds(&["--settings", &settings, "--type", "scp", "--out", &out]);
    assert!(!folder.listed().contains(&"out/rcp-perimeter.json".to_owned()));
    succeeds(&["--settings", &settings, "--out", &out]);
    assert_eq!(before, names.iter().map(|name| read(name)).collect::<Vec<_>>());
}

#[test]
fn what_can_t_be_expressed_leaves_no_folder_and_no_half_of_one() {
    let folder = Folder::new("refused");
    let good = folder.write("good.yaml", SETTINGS);
    let no_organization = folder.write("none.yaml", "mode: notify");
    let exempt = format!(
        "{SETTINGS}exemptions: [{{control: s3-bucket-tls-only, resource: 'arn:aws:s3:::legacy-*', reason: r, owner: o, until: 2099-01-01T00:00:00Z}}]"
    );
    let exempt = folder.write("exempt.yaml", &exempt);
    let mistyped = folder.write("mistyped.yaml", "trusted: {organisations: []}");
    let many = folder.write("accounts.txt", "111122223333\nabc");
    let out = folder.path("out");
    let before = folder.listed();
    for (arguments, word) in [
        (vec!["--settings", &no_organization], "no organisation is named"),
        (vec!["--settings", &good, "--type", "s3"], "the level public is public"),
        (vec!["--settings", &exempt], "--until-aware"),
        (vec!["--settings", &mistyped], "organisations"),
        (
            vec!["--settings", &good, "--type", "boundary"],
            "a principal has one boundary of at most 6144",
        ),
        (vec!["--settings", &good, "--tier", "levels"], "--tier levels"),
        (
            vec!["--settings", &good, "--buckets", "secret=a"],
            "expected one of the levels (confidential, internal, public, restricted)",
        ),
        (
            vec!["--settings", &good, "--accounts", &many],
            "expected an account id of twelve digits",
        ),
        (vec!["--settings", &good, "--exempt", "arn:*:iam::*:role/*"], "--exempt"),
        (vec!["--settings", &good, "--strict", "Nothing"], "--strict Nothing"),
        (vec!["--settings", &good, "--tier", "loose"], "loose"),
    ] {
        let output = run(&[arguments.as_slice(), &["--out", &out]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {}", told(&output));
        assert!(told(&output).contains(word), "{arguments:?} {}", told(&output));
        assert_eq!(folder.listed(), before, "{arguments:?}");
    }
}

#[test]
fn a_folder_of_somebody_else_s_is_left_alone() {
    let folder = Folder::new("other");
    let settings = folder.write("settings.yaml", SETTINGS);
    fs::create_dir(folder.0.join("out")).unwrap();
    fs::write(folder.0.join("out/notes.txt"), "mine").unwrap();
    let before = folder.listed();
    let output = run(&["--settings", &settings, "--out", &folder.path("out")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("found notes.txt in it"), "{}", told(&output));
    assert_eq!(folder.listed(), before);
}

#[test]
fn what_only_notifies_can_be_left_out_and_what_is_off_is() {
    let folder = Folder::new("off");
    let settings = folder.write(
        "settings.yaml",
        &format!("{SETTINGS}controls: {{ec2-snapshot-public: {{mode: off}}}}\n"),
    );
    let sids = |arguments: &[&str]| -> Vec<String> {
        let output = succeeds(&[&["--settings", &settings], arguments].concat());
        let all = lines(&output);
        let sids = all.iter().flat_map(|line| line["statements"].as_array().unwrap());
        sids.map(|sid| sid.as_str().unwrap().to_owned()).collect()
    };
    let all = sids(&[]);
    assert!(all.contains(&"S3Ownership".to_owned()) && !all.contains(&"SnapshotPublic".to_owned()));
    let enforced = sids(&["--only-enforced"]);
    assert!(!enforced.contains(&"S3Ownership".to_owned()) && enforced.contains(&"S3PublicAcl".to_owned()));
}

#[test]
fn explain_has_a_line_for_each_control() {
    let output = succeeds(&["--explain", "--json"]);
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let controls = run_controls();
    assert_eq!(all.as_array().unwrap().len(), controls);
    let verdicts = ["prevented", "repaired", "both"];
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .all(|one| verdicts.contains(&one["verdict"].as_str().unwrap()))
    );
    let text = String::from_utf8(succeeds(&["--explain"]).stdout).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("ec2-image-external-access "))
        .unwrap();
    assert!(line.contains("both") && line.contains("ImageShare (strict)"), "{line}");
}

fn run_controls() -> usize {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let output = command.args(["controls", "--json"]).output().unwrap();
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    all.as_array().unwrap().len()
}

#[test]
fn diff_tells_who_would_have_been_denied_when_and_why() {
    let folder = Folder::new("diff");
    let settings = folder.write("settings.yaml", SETTINGS);
    let record = |name: &str, parameters: Value, role: &str| {
        json!({
            "eventVersion": "1.11", "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
            "eventTime": "2026-11-01T10:00:00Z", "eventID": "e-1", "recipientAccountId": "111122223333",
            "sourceIPAddress": "198.51.100.7", "tlsDetails": {"tlsVersion": "TLSv1.3"},
            "userIdentity": {
                "type": "AssumedRole", "arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/ana"),
                "accountId": "111122223333",
                "sessionContext": {"sessionIssuer": {"arn": format!("arn:aws:iam::111122223333:role/{role}")}},
            },
            "requestParameters": parameters,
        })
    };
    let public = json!({"bucketName": "reports", "x-amz-acl": "public-read"});
    let mut failed = record("PutBucketAcl", public.clone(), "Dev");
    failed["errorCode"] = "AccessDenied".into();
    let log = json!({"Records": [
        record("PutBucketAcl", public.clone(), "Dev"),
        record("PutBucketAcl", public, "BreakGlass"),
        record("PutBucketAcl", json!({"bucketName": "reports"}), "Dev"),
        record("PutBucketAcl", json!({"omitted": true}), "Dev"),
        failed,
    ]});
    let log = folder.write("log.json", &log.to_string());
    let output = succeeds(&["--settings", &settings, "diff", "--events", &log]);
    let found = lines(&output);
    assert_eq!(found.len(), 2, "{found:#?}");
    let expected = json!({
        "file": log, "event": "e-1", "time": "2026-11-01T10:00:00Z",
        "who": "arn:aws:sts::111122223333:assumed-role/Dev/ana, from 198.51.100.7", "account": "111122223333",
        "region": "eu-west-1", "action": "s3:PutBucketAcl", "resource": "arn:aws:s3:::reports", "verdict": "denied",
        "statement": "S3PublicAcl", "document": "scp-s3", "controls": ["s3-bucket-public-acl"],
        "because": ["s3:x-amz-acl is public-read"],
    });
    assert_eq!(found[0], expected);
    assert_eq!(
        (found[1]["verdict"].as_str(), &found[1]["depends-on"]),
        (Some("undecided"), &json!(["s3:x-amz-acl"]))
    );
    let summary = "of 5 calls 1 would have been denied, 1 are undecided (a key is not recorded), 1 had failed already";
    assert!(told(&output).contains(summary), "{}", told(&output));
    let table =
        String::from_utf8(succeeds(&["--settings", &settings, "diff", "--table", "--events", &log]).stdout).unwrap();
    assert!(
        table.lines().nth(1).unwrap().starts_with("S3PublicAcl  denied"),
        "{table}"
    );
    let broken = folder.write("broken.json", "{");
    assert_eq!(
        run(&["--settings", &settings, "diff", "--events", &broken])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn check_finds_nothing_in_what_is_written_and_what_is_void_elsewhere() {
    let folder = Folder::new("check");
    let settings = folder.write("settings.yaml", SETTINGS);
    let output = succeeds(&["--settings", &settings, "--tier", "all", "check"]);
    assert!(
        lines(&output)
            .iter()
            .all(|line| line["errors"].as_u64().unwrap_or(0) == 0)
    );
    let out = folder.path("out");
    succeeds(&["--settings", &settings, "--out", &out]);
    succeeds(&["check", &out]);
    let void = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Void", "Effect": "Deny", "Action": "ec2:ModifyImageAttribute", "Resource": "*",
        "Condition": {"StringEquals": {"ec2:Add/group": "all"}},
    }]});
    let void = folder.write("scp-void.json", &void.to_string());
    let output = run(&["check", &void]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(lines(&output)[1]["sid"], "Void");
    assert_eq!(run(&["check", &settings]).status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn check_live_asks_access_analyzer_by_the_aws_cli() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new("live");
    let settings = folder.write("settings.yaml", SETTINGS);
    let finding = r#"{"findings": [{"findingType": "ERROR", "issueCode": "INVALID_ACTION", "findingDetails": "no such action"}]}"#;
    let aws = folder.write(
        "aws",
        &format!("#!/bin/sh\necho \"$@\" >>\"$(dirname \"$0\")/asked\"\necho '{finding}'\n"),
    );
    fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
    let with_path = |path: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args([
            "guardrails",
            "--settings",
            &settings,
            "--type",
            "scp,ec2",
            "--group",
            "s3,ec2",
            "check",
            "--live",
        ]);
        command.env("PATH", path).output().unwrap()
    };
    let output = with_path(&format!("{}:/usr/bin:/bin", folder.0.display()));
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    let errors: Vec<_> = lines(&output)
        .into_iter()
        .filter(|line| line["level"] == "error")
        .collect();
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0]["text"], "Access Analyzer, INVALID_ACTION: no such action");
    let asked = fs::read_to_string(folder.0.join("asked")).unwrap();
    assert_eq!(
        asked
            .matches("validate-policy --output json --policy-type SERVICE_CONTROL_POLICY")
            .count(),
        2
    );
    // Without the AWS CLI it says so.
    let output = with_path("/nowhere");
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("expected the AWS CLI"), "{}", told(&output));
}

#[test]
fn evaluate_holds_requests_against_the_documents() {
    let folder = Folder::new("evaluate");
    let settings = folder.write("settings.yaml", SETTINGS);
    let request = |id: &str, role: &str, expect: &str| {
        json!({
            "id": id, "guardrail": "S3PublicAcl", "type": "scp", "expect": expect,
            "request": {
                "principal": format!("arn:aws:sts::111122223333:assumed-role/{role}/ana"), "action": "s3:PutObject",
                "resource": "arn:aws:s3:::reports/q3.pdf", "context": {"s3:x-amz-acl": "public-read"},
            },
        })
    };
    let good = format!(
        "{}\n{}\n",
        request("a", "Dev", "deny"),
        request("b", "BreakGlass", "allow")
    );
    let good = folder.write("good.jsonl", &good);
    let found = lines(&succeeds(&["--settings", &settings, "evaluate", &good]));
    assert_eq!(
        (found[0]["denied"].as_bool(), found[1]["denied"].as_bool()),
        (Some(true), Some(false))
    );
    assert_eq!(found[0]["by"][0]["sid"], "S3PublicAcl");
    let bad = folder.write("bad.jsonl", &request("a", "Dev", "allow").to_string());
    assert_eq!(run(&["--settings", &settings, "evaluate", &bad]).status.code(), Some(1));
    // What no document was written for is no verdict.
    let output = run(&["--settings", &settings, "--type", "rcp", "evaluate", &good]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(
        told(&output).contains("expected documents of scp to ask"),
        "{}",
        told(&output)
    );
    let broken = folder.write("broken.jsonl", "{\"request\": 5}");
    assert_eq!(
        run(&["--settings", &settings, "evaluate", &broken]).status.code(),
        Some(2)
    );
}
