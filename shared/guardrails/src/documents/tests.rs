use crate::request::SampleRequest;
use portcullis_access::{Policy, Truth, lets_through};
use portcullis_core::Settings;

use super::*;
use crate::values::KeyValues;

fn values() -> Values {
    let keys = KeyValues {
        rotation_days: 365,
        ..KeyValues::default()
    };
    let mut values = Values::from_settings(&Settings::default(), keys);
    values.organizations = vec!["o-a1b2c3d4e5".into()];
    values.break_glass = vec!["arn:*:iam::*:role/BreakGlass".into()];
    values
}

fn of(kind: DocumentKind) -> Selection {
    Selection {
        kinds: [kind].into(),
        ..Selection::default()
    }
}

#[track_caller]
fn refused(values: &Values, selection: &Selection) -> String {
    generate(values, selection).unwrap_err().to_string()
}

fn sids(generated: &Generated) -> Vec<&str> {
    let documents = generated.documents.iter();
    documents
        .flat_map(|document| document.statements.iter().map(|written| written.sid.as_str()))
        .collect()
}

fn statement<'g>(generated: &'g Generated, sid: &str) -> &'g Value {
    let mut written = generated.documents.iter().flat_map(|document| &document.statements);
    &written
        .find(|written| written.sid == sid)
        .unwrap_or_else(|| panic!("{sid}"))
        .statement
}

fn exemption(control: &str, pattern: &str, until: &str) -> ExemptionValues {
    ExemptionValues {
        control: control.into(),
        pattern: Some(pattern.into()),
        about: pattern.into(),
        until: until.into(),
    }
}

#[test]
fn a_group_is_a_document_within_aws_s_limits_and_fits_the_old_ones() {
    let generated = generate(&values(), &Selection::default()).unwrap();
    let names: Vec<_> = generated
        .documents
        .iter()
        .map(|document| document.name.as_str())
        .collect();
    let expected = [
        "ec2-policy",
        "scp-s3",
        "scp-ec2",
        "scp-kms",
        "scp-data",
        "scp-protect",
        "rcp-perimeter",
    ];
    assert_eq!(names, expected);
    for document in &generated.documents {
        // Until 15 May 2026 a service control policy could have 5,120 characters.
        assert!(document.size() <= 5_120, "{} {}", document.name, document.size());
        assert!(
            document.text().is_ascii() && !document.text().contains(": "),
            "{}",
            document.name
        );
    }
}

#[test]
fn the_same_values_come_to_the_same_bytes() {
    let texts = || -> Vec<_> {
        let generated = generate(&values(), &Selection::default()).unwrap();
        generated.documents.iter().map(Document::text).collect()
    };
    assert_eq!(texts(), texts());
}

#[test]
fn what_is_too_large_for_one_document_is_split_between_statements() {
    let mut values = values();
    let all = generate(&values, &of(DocumentKind::Scp)).unwrap();
    values.named = (0..15)
        .map(|at| format!("arn:aws:iam::1111222233{at:02}:role/LandingZoneDeployment"))
        .collect();
    let split = generate(&values, &of(DocumentKind::Scp)).unwrap();
    assert!(split.documents.len() > all.documents.len());
    for document in &split.documents {
        assert!(document.size() <= 10_240, "{} {}", document.name, document.size());
    }
    assert!(split.documents.iter().any(|document| document.name == "scp-data-2"));
    let (mut before, mut after) = (sids(&all), sids(&split));
    before.sort_unstable();
    after.sort_unstable();
    assert_eq!(before, after);
}

#[test]
fn what_no_document_can_hold_and_more_than_can_be_attached_is_refused() {
    let mut values = values();
    let many = |count: usize| {
        (0..count)
            .map(|at| format!("arn:aws:iam::111122{at:06}:role/LandingZoneDeployment"))
            .collect()
    };
    values.named = many(40);
    let told = refused(&values, &of(DocumentKind::Scp));
    assert!(
        told.starts_with("expected at most 9 documents of a service control policy, since 1 more is taken, found "),
        "{told}"
    );
    values.named = many(300);
    let told = refused(&values, &of(DocumentKind::Scp));
    assert!(
        told.contains("expected at most 10240 characters with its document, found "),
        "{told}"
    );
    let selection = Selection {
        kinds: [DocumentKind::Scp].into(),
        groups: [Group::S3].into(),
        ..Selection::default()
    };
    values.named = many(40);
    assert!(
        generate(&values, &selection)
            .unwrap()
            .notes
            .iter()
            .any(|note| note.starts_with("41 exempt ARNs"))
    );
}

// Organizations User Guide, "Quotas": five resource control policies, of 5,120 characters, one of them AWS's own.
#[test]
fn resource_control_policies_are_bound_by_their_own_limits() {
    let mut values = values();
    values.accounts = (0..600).map(|at| format!("4444{at:08}")).collect();
    let told = refused(&values, &of(DocumentKind::Rcp));
    assert!(told.contains(": expected at most 5120 characters"), "{told}");
}

#[test]
fn a_boundary_is_one_document_and_says_which_groups_fit() {
    let told = refused(&values(), &of(DocumentKind::Boundary));
    assert!(
        told.starts_with("a principal has one boundary of at most 6144 characters, found "),
        "{told}"
    );
    assert!(told.contains("kms ") && told.contains("--group"), "{told}");
    let mut selection = of(DocumentKind::Boundary);
    selection.groups = [Group::S3, Group::Ec2].into();
    let generated = generate(&values(), &selection).unwrap();
    let content = &generated.documents[0].content;
    assert_eq!(content["Statement"][0]["Effect"], "Allow");
    assert_eq!(content["Statement"][1]["Sid"], "S3PublicAcl");
}

#[test]
fn without_an_organisation_there_are_policies_of_iam() {
    let mut values = values();
    values.organizations.clear();
    assert!(refused(&values, &Selection::default()).starts_with("no organisation is named"));
    let generated = generate(&values, &of(DocumentKind::Iam)).unwrap();
    assert_eq!(generated.documents.len(), 5);
    assert!(generated.documents.iter().all(|document| document.size() <= 6_144));
    // A policy of service control needs no organisation's id.
    assert_eq!(
        sids(&generated),
        sids(&generate(&values, &of(DocumentKind::Scp)).unwrap())
    );
}

#[test]
fn an_s3_policy_of_all_beside_a_public_level_needs_the_ous() {
    let told = refused(&values(), &of(DocumentKind::S3));
    assert!(told.starts_with("--type s3: the level public is public"), "{told}");
    let generated = generate(&values(), &Selection::default()).unwrap();
    assert!(generated.of(DocumentKind::S3).next().is_none());
    assert!(
        generated
            .notes
            .iter()
            .any(|note| note.starts_with("No S3 policy is written"))
    );
    let mut selection = of(DocumentKind::S3);
    selection.units = vec!["ou-ab12-11111111".into()];
    let expected = json!({"s3_attributes": {"public_access_block_configuration": {"@@assign": "all"}}});
    assert_eq!(generate(&values(), &selection).unwrap().documents[0].content, expected);
    let mut closed = values();
    closed.levels.retain(|level| !level.public);
    assert_eq!(
        generate(&closed, &of(DocumentKind::S3)).unwrap().documents[0].content,
        expected
    );
    assert!(
        generate(&closed, &Selection::default())
            .unwrap()
            .of(DocumentKind::S3)
            .next()
            .is_some()
    );
}

#[test]
fn a_control_that_is_off_takes_its_statements_with_it_service_by_service() {
    let mut values = values();
    values.off = ["s3-bucket-public-acl", "s3-bucket-tls-only"].map(str::to_owned).into();
    let generated = generate(&values, &Selection::default()).unwrap();
    let written = sids(&generated);
    assert!(!written.contains(&"S3PublicAcl") && !written.contains(&"S3TlsVersion"));
    let told = generated
        .left_out
        .iter()
        .any(|(sid, why)| *sid == "S3PublicAcl" && why == "its controls are off");
    assert!(told, "{:?}", generated.left_out);
    // Of others' services it stays, and where one of several controls is off.
    let tls: Vec<_> = statement(&generated, "Tls")["Action"].as_array().unwrap().clone();
    assert!(!tls.contains(&"s3:*".into()) && tls.contains(&"sqs:*".into()));
    let perimeter = statement(&generated, "Perimeter")["Action"].as_array().unwrap();
    assert!(perimeter.contains(&"s3:*".into()));
    values.off = all_controls();
    let mut selection = of(DocumentKind::Ec2);
    selection.groups = [Group::Ec2].into();
    assert!(refused(&values, &selection).starts_with("nothing is left to write"));
}

/// All controls of the statements and of the declarative policies.
fn all_controls() -> BTreeSet<String> {
    let declared = crate::declarative::EC2_POLICY
        .controls
        .iter()
        .chain(crate::declarative::S3_POLICY.controls);
    let of_statements = guardrails().flat_map(|guardrail| guardrail.controls.iter());
    declared
        .chain(of_statements)
        .map(|control| (*control).to_owned())
        .collect()
}

#[test]
fn a_tier_is_written_where_it_was_asked_for_and_refused_where_it_has_no_values() {
    assert!(!sids(&generate(&values(), &Selection::default()).unwrap()).contains(&"ImageShare"));
    let tier = |tier: Tier| Selection {
        tiers: [tier].into(),
        ..Selection::default()
    };
    let strict = generate(&values(), &tier(Tier::Strict)).unwrap();
    assert!(sids(&strict).contains(&"ImageShare") && sids(&strict).contains(&"Tls"));
    assert!(strict.documents[0].content["ec2_attributes"]["vpc_block_public_access"].is_object());
    for (asked, missing) in [
        (
            Tier::Levels,
            "--tier levels: nothing can be written of it; expected a key: classification.levels",
        ),
        (
            Tier::Accounts,
            "--tier accounts: nothing can be written of it; expected the organisation's accounts",
        ),
        (
            Tier::Networks,
            "--tier networks: nothing can be written of it; expected the buckets of a level with vpc-endpoints",
        ),
    ] {
        let told = refused(&values(), &tier(asked));
        assert!(told.starts_with(missing), "{told}");
    }
    let mut where_possible = tier(Tier::Levels);
    where_possible.where_possible = true;
    let generated = generate(&values(), &where_possible).unwrap();
    assert!(generated.left_out.iter().any(|(sid, _)| *sid == "EbsKey"));
    let mut one = Selection {
        strict: ["EbsAttach".to_owned()].into(),
        ..Selection::default()
    };
    let generated = generate(&values(), &one).unwrap();
    assert!(sids(&generated).contains(&"EbsAttach") && !sids(&generated).contains(&"ImageShare"));
    one.strict = ["S3PublicAcl".to_owned()].into();
    assert!(
        refused(&values(), &one)
            .starts_with("--strict S3PublicAcl: expected a statement of the tier strict (S3BucketSettings")
    );
}

#[test]
fn several_levels_make_several_statements_with_names_of_their_own() {
    let mut values = values();
    for level in &mut values.levels {
        match level.name.as_str() {
            "confidential" => level.key = Some("arn:aws:kms:eu-west-1:111122223333:key/c".into()),
            "restricted" => level.key = Some("arn:aws:kms:eu-west-1:111122223333:key/r".into()),
            _ => {}
        }
    }
    let mut selection = of(DocumentKind::Scp);
    selection.tiers = [Tier::Levels].into();
    let generated = generate(&values, &selection).unwrap();
    let keys = |sid: &str| statement(&generated, sid)["Condition"]["StringNotEquals"]["ec2:KmsKeyId"].clone();
    assert_eq!(keys("EbsKeyConfidential"), "arn:aws:kms:eu-west-1:111122223333:key/c");
    assert_eq!(keys("EbsKeyRestricted"), "arn:aws:kms:eu-west-1:111122223333:key/r");
    assert!(!sids(&generated).contains(&"EbsKey"));
}

#[test]
fn an_exemption_ends_in_the_policy_as_well_or_is_refused() {
    let mut values = values();
    values.exemptions = vec![
        exemption("s3-bucket-tls-only", "arn:aws:s3:::legacy-*", "2027-03-01T00:00:00Z"),
        exemption(
            "sqs-queue-tls-only",
            "arn:aws:sqs:eu-west-1:111122223333:old",
            "2027-06-01T00:00:00Z",
        ),
    ];
    let told = refused(&values, &of(DocumentKind::Rcp));
    assert!(
        told.starts_with("exemptions[0] (arn:aws:s3:::legacy-*) ends at 2027-03-01T00:00:00Z"),
        "{told}"
    );
    assert!(told.contains("--until-aware"), "{told}");
    values.until_aware = true;
    let generated = generate(&values, &of(DocumentKind::Rcp)).unwrap();
    let legacy = json!(["arn:aws:s3:::legacy-*", "arn:aws:s3:::legacy-*/*"]);
    assert_eq!(
        statement(&generated, "Tls")["NotResource"],
        json!([
            "arn:aws:s3:::legacy-*",
            "arn:aws:s3:::legacy-*/*",
            "arn:aws:sqs:eu-west-1:111122223333:old"
        ])
    );
    let ended = statement(&generated, "TlsEnded1");
    assert_eq!(ended["Resource"], legacy);
    assert_eq!(
        ended["Condition"]["DateGreaterThanEquals"]["aws:CurrentTime"],
        "2027-03-01T00:00:00Z"
    );
    assert_eq!(ended["Condition"]["Bool"]["aws:SecureTransport"], "false");
    assert_eq!(
        statement(&generated, "TlsEnded2")["Resource"],
        "arn:aws:sqs:eu-west-1:111122223333:old"
    );
    // Another control's statement is as it was.
    assert_eq!(statement(&generated, "S3SseC")["Resource"], "*");
    assert_eq!(statement(&generated, "S3TlsVersion")["NotResource"], legacy);
}

#[test]
fn what_no_statement_can_leave_out_is_told() {
    let mut values = values();
    values.until_aware = true;
    values.exemptions = vec![
        exemption("s3-bucket-public-acl", "arn:aws:s3:::drop-zone", "2027-03-01T00:00:00Z"),
        ExemptionValues {
            pattern: None,
            about: "what is tagged Exempt=drill".into(),
            ..exemption("s3-bucket-sse-c-blocked", "", "2027-03-01T00:00:00Z")
        },
        exemption(
            "ec2-volume-encrypted",
            "arn:aws:ec2:*:*:volume/vol-0abc*",
            "2027-03-01T00:00:00Z",
        ),
    ];
    let generated = generate(&values, &Selection::default()).unwrap();
    let told = &generated.still_denied;
    let service_control = "a service control policy asks who calls, and the resource need not exist yet";
    let expected = [
        format!("exemptions[0] (s3-bucket-public-acl, arn:aws:s3:::drop-zone): denied all the same by S3PublicAcl, since {service_control}"),
        format!(
            "exemptions[2] (ec2-volume-encrypted, arn:aws:ec2:*:*:volume/vol-0abc*): denied all the same by EbsUnencrypted, since {service_control}"
        ),
        "exemptions[1] (s3-bucket-sse-c-blocked, what is tagged Exempt=drill): denied all the same by S3SseC, since no statement can ask for a \
         tag of the resource in all its calls"
            .to_owned(),
    ];
    assert_eq!(*told, expected);
    // The other document of the first control does leave it out.
    let perimeter = statement(&generated, "Perimeter")["NotResource"].as_array().unwrap();
    assert!(perimeter.contains(&"arn:aws:s3:::drop-zone/*".into()));
}

#[test]
fn what_an_exemption_of_everything_runs_into_is_one_line_and_trust_that_can_t_be_said_is_told() {
    let mut values = values();
    values.exemptions = vec![ExemptionValues {
        pattern: None,
        ..exemption("*", "", "2027-03-01T00:00:00Z")
    }];
    values.canonical_users = true;
    let generated = generate(&values, &Selection::default()).unwrap();
    assert_eq!(generated.still_denied.len(), 1, "{:#?}", generated.still_denied);
    assert!(generated.still_denied[0].contains("S3PublicAcl, S3Ownership, "));
    assert!(
        generated
            .notes
            .iter()
            .any(|note| note.starts_with("trusted.canonical-users"))
    );
}

// VPC User Guide, "Endpoint policies": 20,480 characters.
#[test]
fn an_endpoint_lets_ours_reach_ours_and_aws_services_work() {
    let mut values = values();
    let told = refused(&values, &of(DocumentKind::Endpoint));
    assert!(told.contains("expected endpoints"), "{told}");
    values.vpc_endpoints = vec!["vpce-0a1b2c3d4e5f60718".into()];
    values.accounts = vec!["444455556666".into()];
    let generated = generate(&values, &of(DocumentKind::Endpoint)).unwrap();
    let statements = generated.documents[0].content["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 3);
    let own = &statements[0]["Condition"]["StringEquals"];
    assert_eq!(
        own,
        &json!({"aws:PrincipalOrgID": "o-a1b2c3d4e5", "aws:ResourceOrgID": "o-a1b2c3d4e5"})
    );
    assert_eq!(
        statements[1]["Condition"]["StringEquals"]["aws:ResourceAccount"],
        "444455556666"
    );
}

#[test]
fn values_that_can_t_stand_in_a_policy_are_refused_by_name() {
    type Change = fn(&mut Values);
    let cases: [(Change, &str); 8] = [
        (
            |values| values.break_glass = vec!["arn:*:iam::*:role/*".into()],
            "break-glass[0]: ",
        ),
        (|values| values.named = vec!["LandingZone".into()], "--exempt: "),
        (|values| values.organizations = vec!["o-1".into()], "the organisation: "),
        (|values| values.accounts = vec!["12".into()], "the accounts: "),
        (|values| values.stack = "a b".into(), "--stack: "),
        (|values| values.regions = vec!["europe".into()], "--region: "),
        (|values| values.levels[0].buckets = vec!["*".into()], "--buckets: "),
        (|values| values.retirement_tag = Some("${Tag}".into()), "the settings: "),
    ];
    for (change, told) in cases {
        let mut values = values();
        change(&mut values);
        let error = refused(&values, &Selection::default());
        assert!(error.starts_with(told) && error.contains("expected"), "{error}");
    }
}

/// Whether a document lets a request through, by itself.
fn through(document: &Document, principal: &str, action: &str, context: &Value) -> bool {
    let request: SampleRequest = serde_json::from_value(json!({
        "principal": principal, "action": action, "resource": "arn:aws:s3:::reports/q3.pdf", "resource_account": "111122223333",
        "context": context,
    }))
    .unwrap();
    let policy = [Policy::parse(&document.text()).unwrap()];
    lets_through([policy.as_slice()], &request.asked()) == Truth::Yes
}

#[test]
fn what_passes_an_endpoint_is_ours_on_both_sides() {
    let mut values = values();
    values.vpc_endpoints = vec!["vpce-0a1b2c3d4e5f60718".into()];
    values.accounts = vec!["444455556666".into()];
    let generated = generate(&values, &of(DocumentKind::Endpoint)).unwrap();
    let passes =
        |principal: &str, context: Value| through(&generated.documents[0], principal, "s3:GetObject", &context);
    let (own, stranger) = ("arn:aws:iam::111122223333:role/Dev", "arn:aws:iam::999988887777:role/X");
    let ours = "o-a1b2c3d4e5";
    assert!(passes(
        own,
        json!({"aws:PrincipalOrgID": ours, "aws:ResourceOrgID": ours})
    ));
    assert!(passes(
        own,
        json!({"aws:PrincipalOrgID": ours, "aws:ResourceAccount": "444455556666"})
    ));
    assert!(passes("cloudtrail.amazonaws.com", json!({})));
    assert!(!passes(
        own,
        json!({"aws:PrincipalOrgID": ours, "aws:ResourceOrgID": "o-zzzzzzzzzz"})
    ));
    assert!(!passes(
        own,
        json!({"aws:PrincipalOrgID": ours, "aws:ResourceAccount": "999988887777"})
    ));
    assert!(!passes(
        stranger,
        json!({"aws:PrincipalOrgID": "o-zzzzzzzzzz", "aws:ResourceOrgID": ours})
    ));
    assert!(!passes("anonymous", json!({"aws:ResourceOrgID": ours})));
}

#[test]
fn a_boundary_leaves_everything_but_the_violation() {
    let mut selection = of(DocumentKind::Boundary);
    selection.groups = [Group::S3].into();
    let generated = generate(&values(), &selection).unwrap();
    let passes = |context: Value| {
        through(
            &generated.documents[0],
            "arn:aws:iam::111122223333:role/Dev",
            "s3:PutObject",
            &context,
        )
    };
    assert!(passes(json!({})));
    assert!(!passes(json!({"s3:x-amz-acl": "public-read"})));
}
