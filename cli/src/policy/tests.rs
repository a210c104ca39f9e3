use super::*;

const OPEN: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},
    {"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}]}"#;

fn args(service: Option<&str>, trust: &[&str]) -> Arguments {
    Arguments {
        service: service.map(|name| name.parse().unwrap()),
        account: Some("111122223333".to_owned()),
        trust: trust.iter().map(|&one| one.to_owned()).collect(),
        resource: None,
        object_ownership: None,
        keep_external: false,
        table: false,
        files: Vec::new(),
    }
}

fn values(args: &Arguments, text: &str) -> Vec<serde_json::Value> {
    answers(args, "f", text)
        .iter()
        .map(|line| serde_json::to_value(line).unwrap())
        .collect()
}

#[test]
fn a_file_with_one_policy() {
    let found = values(&args(Some("s3"), &[]), OPEN);
    assert_eq!(found.len(), 1);
    let line = &found[0];
    assert_eq!(
        (&line["id"], &line["verdict"], &line["s3_verdict"]),
        (&json!("f"), &json!("public"), &json!("public"))
    );
    assert_eq!((&line["offending"], &line["undecided"]), (&json!([0]), &json!(false)));
    assert_eq!(line["fixed"]["Statement"].as_array().unwrap().len(), 1);
    assert_eq!(line["witness"]["action"], "s3:GetObject");
}

#[test]
fn lines_override_the_flags() {
    let compact: serde_json::Value = serde_json::from_str(OPEN).unwrap();
    let external = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "sqs:*",
        "Resource": "*"}});
    let text = format!(
        "{}\n\n{}\n{}\n{}\n",
        json!({"id": "a", "policy": compact.to_string()}),
        json!({"id": "b", "service": "sqs", "policy": external, "expect": "external"}),
        json!({"id": "c", "service": "sqs", "policy": external, "trusted": ["444455556666"]}),
        json!({"id": "d", "service": "moon", "policy": external}),
    );
    let found = values(&args(Some("s3"), &[]), &text);
    let verdicts: Vec<_> = found.iter().map(|line| line["verdict"].as_str()).collect();
    assert_eq!(verdicts, [Some("public"), Some("external"), Some("private"), None]);
    assert_eq!(found[1]["fix"], "delete");
    assert!(found[3]["refused"].as_str().unwrap().contains("moon"));
}

#[test]
fn lists_are_judged_as_policies_are() {
    let acl = json!({"Owner": {"ID": "o"}, "Grants": [
        {"Grantee": {"URI": portcullis_access::ALL_USERS}, "Permission": "READ"}]});
    let blocked = json!({"IgnorePublicAcls": true});
    let shared = json!({"CreateVolumePermissions": [{"UserId": "444455556666"}]});
    let restore = |who: &str| json!([{"AttributeName": "restore", "AttributeValues": [who]}]);
    let database =
        json!({"DBSnapshotAttributesResult": {"DBSnapshotIdentifier": "s", "DBSnapshotAttributes": restore("all")}});
    let cluster =
        json!({"DBClusterSnapshotAttributesResult": {"DBClusterSnapshotAttributes": restore("444455556666")}});
    for (text, verdict, fix) in [
        (acl.to_string(), "public", "remove"),
        (
            json!({"acl": acl, "block_public_access": blocked}).to_string(),
            "private",
            "nothing",
        ),
        (shared.to_string(), "external", "remove"),
        (database.to_string(), "public", "remove"),
        (json!({"attribute": cluster}).to_string(), "external", "remove"),
        (
            json!({"acl": acl, "object_ownership": "BucketOwnerEnforced"}).to_string(),
            "private",
            "nothing",
        ),
        (
            json!({"attribute": shared, "trusted": ["444455556666"]}).to_string(),
            "private",
            "nothing",
        ),
    ] {
        let found = values(&args(None, &[]), &text);
        assert_eq!(
            (&found[0]["verdict"], &found[0]["fix"]),
            (&json!(verdict), &json!(fix)),
            "{text}"
        );
    }
    let broken = values(&args(None, &[]), r#"{"id":"x","acl":{"Grants":"all"}}"#);
    assert!(broken[0]["refused"].is_string(), "{broken:?}");
}

#[test]
fn refused_uploads_are_told_with_whom_that_breaks() {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:Put*",
        "Resource":"arn:aws:s3:::b/*","Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}}]}"#;
    let found = values(&args(Some("s3"), &[]), text);
    let findings = found[0]["findings"].as_array().unwrap();
    let refused = findings.iter().find(|one| one["kind"] == "refused-uploads").unwrap();
    assert_eq!(refused["uploads"], json!(["AES256", "dsse", "no-header", "sse-c"]));
    let text = refused["text"].as_str().unwrap();
    assert!(
        text.contains("relies on the bucket's default") && text.contains("PutObjectTagging"),
        "{text}"
    );
}

// S3 User Guide, "Requiring that a specific KMS key be used": only that key will do, where one is named.
#[test]
fn the_key_that_is_asked_for_is_the_own_one() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let name = "s3:x-amz-server-side-encryption-aws-kms-key-id";
    for (condition, refused) in [
        (
            json!({"StringNotEquals": {name: key}}),
            json!(["AES256", "kms-default-key", "kms-other-key", "no-header", "sse-c"]),
        ),
        (
            json!({"StringNotEquals": {name: key}, "Null": {name: "false"}}),
            json!(["kms-other-key"]),
        ),
    ] {
        let deny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
            "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*", "Condition": condition}]});
        let found = values(&args(Some("s3"), &[]), &deny.to_string());
        let findings = found[0]["findings"].as_array().unwrap();
        let uploads = findings.iter().find(|one| one["kind"] == "refused-uploads").unwrap();
        assert_eq!(uploads["uploads"], refused, "{condition}");
    }
}

#[test]
fn a_policy_that_names_another_resource_is_none_of_the_given_one() {
    let text =
        json!({"policy": serde_json::from_str::<serde_json::Value>(OPEN).unwrap(), "resource": "arn:aws:s3:::other"});
    let found = values(&args(Some("s3"), &[]), &text.to_string());
    assert_eq!(found[0]["verdict"], "private");
    let taken = values(&args(Some("s3"), &[]), OPEN);
    let findings = taken[0]["findings"].as_array().unwrap();
    assert!(
        findings.iter().any(|one| one["kind"] == "resource-from-policy"),
        "{findings:?}"
    );
}

#[test]
fn what_is_refused_says_why() {
    for (service, text, why) in [
        (None, OPEN, "service"),
        (Some("s3"), "{\n \"Statement\": [}", "line 2"),
        (
            Some("s3"),
            r#"{"Statement":[{"Effect":"Allow","Principals":"*"}]}"#,
            "Principals",
        ),
        (Some("s3"), "", "JSON"),
        (
            Some("s3"),
            r#"{"policy":{"Statement":[]},"owner":111122223333}"#,
            "invalid type: integer",
        ),
        (
            Some("s3"),
            r#"{"policy":{"Statement":[]},"trusted":["11112222333"]}"#,
            "\"11112222333\"",
        ),
        (
            Some("s3"),
            r#"{"policy":{"Statement":[]},"resource":"my-bucket"}"#,
            "my-bucket is not",
        ),
        (
            Some("sqs"),
            r#"{"policy":{"Statement":[]},"resource":"arn:aws:s3:::b"}"#,
            "is not the ARN",
        ),
        (
            None,
            r#"{"acl":{"Owner":{"ID":"o"},"Grants":[]},"object_ownership":"Mine"}"#,
            "BucketOwnerEnforced",
        ),
        (
            Some("sqs"),
            &format!(r#"{{"policy":{{"Statement":[],"Id":"{}"}}}}"#, "x".repeat(8_192)),
            "sqs takes 8192 at most",
        ),
    ] {
        let found = values(&args(service, &[]), text);
        assert!(found[0]["refused"].as_str().unwrap().contains(why), "{found:?}");
    }
}

#[test]
fn a_resource_of_another_account_is_told() {
    let text = r#"{"policy":{"Statement":[]},"resource":"arn:aws:sqs:us-east-1:444455556666:q"}"#;
    let found = values(&args(Some("sqs"), &[]), text);
    assert_eq!(found[0]["verdict"], "private");
    assert_eq!(found[0]["findings"][0]["kind"], "other-account");
}

#[test]
fn a_broken_line_leaves_the_others() {
    let policy: serde_json::Value = serde_json::from_str(OPEN).unwrap();
    let text = format!(
        "{{\"id\":\"a\",\n{}\n{}\n",
        json!({"id": "b", "owner": 5, "policy": policy}),
        json!({"id": "c", "policy": policy})
    );
    let found = values(&args(Some("s3"), &[]), &text);
    let ids: Vec<_> = found.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["f:1", "b", "c"]);
    assert!(found[0]["refused"].is_string() && found[1]["refused"].is_string());
    assert_eq!(found[2]["verdict"], "public");
}

#[test]
fn what_a_fix_leaves_is_byte_for_byte() {
    let text = OPEN.replace("\"s3:*\"", "[ \"s3:*\" ]");
    let line = answers(&args(Some("s3"), &[]), "f", &text).remove(0);
    let line = serde_json::to_string(&line).unwrap();
    assert!(line.contains(r#""Action":[ "s3:*" ],"Resource""#), "{line}");
    assert!(!line.contains('\n'));
}

#[test]
fn exit_codes() {
    let code = |text: &str| format!("{:?}", exit_code(&answers(&args(Some("s3"), &[]), "f", text)));
    assert_eq!(code(OPEN), format!("{:?}", ExitCode::from(1)));
    assert_eq!(code(r#"{"Statement":[]}"#), format!("{:?}", ExitCode::from(0)));
    assert_eq!(code("no"), format!("{:?}", ExitCode::from(2)));
}
