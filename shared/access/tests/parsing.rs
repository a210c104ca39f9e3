//! Reading and editing policy documents, and whatever anybody may throw at them.

use portcullis_access::{
    Effect, Fix, Goal, NoteKind, Policy, PolicyError, RequiredEncryption, Scope, Service, Trust, Truth, Verdict,
    encrypted_writes, evaluate, fix, judge, key_practice, tls_only,
};
use proptest::prelude::*;

const OWNER: &str = "111122223333";

fn judge_all(policy: &Policy) {
    let trust = Trust::default();
    for service in [
        Service::S3Bucket,
        Service::Kms,
        Service::IamTrust,
        Service::Sqs,
        Service::S3AccessPoint,
    ] {
        let scope = Scope {
            service,
            owner: OWNER,
            trust: &trust,
            resource: None,
        };
        let _ = judge(policy, &scope);
        if let Ok(Fix::Rewrite { policy, .. }) = fix(policy, &scope, Goal::Private) {
            assert!(Policy::parse(&policy).is_ok());
        }
    }
    let _ = key_practice(policy, OWNER, &trust);
    let _ = tls_only(Some(policy), Service::S3Bucket, "arn:aws:s3:::b");
    let _ = encrypted_writes(Some(policy), "arn:aws:s3:::b", &RequiredEncryption::default());
}

#[test]
fn errors_name_what_was_expected_what_was_found_and_where() {
    for (text, message) in [
        ("", "not valid JSON at line 1"),
        ("[]", "the policy (byte 0): expected an object, found a list"),
        ("{}", "required element \"Statement\" is missing"),
        (
            r#"{"Statement":"x"}"#,
            "Statement (byte 13): expected a statement or a list of them, found a string",
        ),
        (
            r#"{"Statement":[1]}"#,
            "Statement[0] (byte 14): expected an object, found a number",
        ),
        (
            r#"{"Statements":[]}"#,
            "unknown element \"Statements\"; expected one of Version, Id, Statement",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Actions":"*"}}"#,
            "Statement[0] (byte 13): unknown element \"Actions\"",
        ),
        (
            r#"{"Statement":{"Action":"*"}}"#,
            "required element \"Effect\" is missing",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Action":{}}}"#,
            "Statement[0].Action (byte 40): expected a string, number or boolean, found an object",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"*","NotAction":"*"}}"#,
            "\"Action\" and \"NotAction\" exclude each other",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Condition":[]}}"#,
            "Statement[0].Condition (byte 43): expected an object, found a list",
        ),
        (r#"{"Statement":{"Effect":"Allow","Resource":null}}"#, "found null"),
    ] {
        let error = Policy::parse(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
    assert!(matches!(
        Policy::parse(&" ".repeat(2 << 20)),
        Err(PolicyError::TooLarge { .. })
    ));
}

#[test]
fn forms_that_aws_takes() {
    let text = r#"{"version":"2012-10-17","statement":{"sid":"A","effect":"Allow","PRINCIPAL":{"aws":["*"]},
        "action":"s3:*","Resource":["*"],"Condition":{"Bool":{"aws:SecureTransport":true},"NumericEquals":{"s3:max-keys":[1,2]}}}}"#;
    let policy = Policy::parse(text).unwrap();
    let [statement] = policy.statements() else { panic!() };
    assert_eq!((statement.effect, statement.sid.as_deref()), (Effect::Allow, Some("A")));
    assert_eq!(statement.conditions.len(), 2);
    assert_eq!(&text[statement.span.clone()], statement.text());
}

#[test]
fn duplicate_keys_are_seen_and_not_edited() {
    let text = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*",
        "Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890","aws:principalorgid":"o-abcdefghij"}}}]}"#;
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.duplicate_keys().len(), 1);
    let trust = Trust::default();
    let scope = Scope {
        service: Service::S3Bucket,
        owner: OWNER,
        trust: &trust,
        resource: None,
    };
    let two_effects = text.replacen("\"Effect\":\"Allow\"", "\"Effect\":\"Deny\",\"Effect\":\"Allow\"", 1);
    let without = two_effects
        .replace(",\n        \"Condition\"", ",\"Sid\":\"x\"}]}")
        .split("]}")
        .next()
        .unwrap()
        .to_owned()
        + "]}";
    let policy = Policy::parse(&without).unwrap();
    let judgement = judge(&policy, &scope);
    assert!(judgement.undecided && judgement.witness.is_some(), "{judgement:?}");
    assert!(matches!(fix(&policy, &scope, Goal::Private), Ok(Fix::Undecided { .. })));
}

// Parsers that keep the last of two keys, the first, or both: whichever AWS uses, the most open reading counts.
#[test]
fn what_is_said_twice_is_read_in_every_way() {
    let trust = Trust {
        organizations: ["o-owner00001".to_owned()].into(),
        ..Trust::default()
    };
    let scope = Scope {
        service: Service::S3Bucket,
        owner: OWNER,
        trust: &trust,
        resource: None,
    };
    let statement = |condition: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
            "Resource":"arn:aws:s3:::b/*","Condition":{condition}}}]}}"#
        )
    };
    let own = r#""aws:PrincipalOrgID":"o-owner00001""#;
    for (condition, verdict) in [
        (
            format!(r#"{{"StringLike":{{{own},"aws:PrincipalOrgID":"*"}}}}"#),
            Verdict::Public,
        ),
        (
            format!(r#"{{"StringLike":{{"aws:PrincipalOrgID":"*",{own}}}}}"#),
            Verdict::Public,
        ),
        (
            format!(r#"{{"StringEquals":{{{own}}},"StringEquals":{{"aws:SecureTransport":"true"}}}}"#),
            Verdict::Public,
        ),
        (
            format!(r#"{{"StringEquals":{{{own}}},"stringequals":{{"aws:PrincipalOrgID":"o-stranger01"}}}}"#),
            Verdict::External,
        ),
        (format!(r#"{{"StringEquals":{{{own},{own}}}}}"#), Verdict::Private),
    ] {
        let policy = Policy::parse(&statement(&condition)).unwrap();
        let judgement = judge(&policy, &scope);
        assert_eq!(judgement.verdict, verdict, "{condition}");
        assert_eq!(judgement.undecided, verdict > Verdict::Private, "{condition}");
        if let Some(witness) = judgement.witness {
            assert_eq!(evaluate(&policy, Service::S3Bucket, &witness.request), Truth::Maybe);
        }
    }
    // A repeated Version decides whether there are policy variables.
    let twice = statement(r#"{"StringEquals":{"aws:PrincipalAccount":"${aws:PrincipalAccount}"}}"#);
    let twice = twice.replacen('{', r#"{"Version":"2008-10-17","#, 1);
    for text in [
        twice.clone(),
        twice
            .replace("2008", "x")
            .replace("2012", "2008")
            .replace("x-10", "2012-10"),
    ] {
        let judgement = judge(&Policy::parse(&text).unwrap(), &scope);
        assert!(judgement.verdict == Verdict::Public && judgement.undecided, "{text}");
    }
}

#[test]
fn what_aws_refuses_is_refused_or_told() {
    let text = r#"{"Version":"2012-10-18","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let error = Policy::parse(text).unwrap_err().to_string();
    assert!(error.starts_with("Version (byte 11): \"2012-10-18\" is not"), "{error}");
    let policy = Policy::parse(&text.replace("18", "17")).unwrap();
    let trust = Trust::default();
    let scope = Scope {
        service: Service::S3Bucket,
        owner: OWNER,
        trust: &trust,
        resource: None,
    };
    let notes = judge(&policy, &scope).notes;
    assert!(
        notes.iter().any(|note| note.kind == NoteKind::RejectedByAws),
        "{notes:?}"
    );
}

#[test]
fn edits_leave_the_rest_byte_for_byte() {
    let text = "{ \"Statement\" : [\n  {\"Effect\":\"Allow\" , \"Sid\":\"a\"},\n\t{\"Effect\":\"Deny\"},\n  {\"Effect\":\"Allow\",\"Sid\":\"\\u0063\"}\n] , \"Id\":\"x\"}";
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.without(&[]).unwrap(), text);
    assert_eq!(
        policy.without(&[1]).unwrap(),
        "{ \"Statement\" : [\n  {\"Effect\":\"Allow\" , \"Sid\":\"a\"},\n  {\"Effect\":\"Allow\",\"Sid\":\"\\u0063\"}\n] , \"Id\":\"x\"}"
    );
    assert_eq!(
        policy.without(&[0, 2]).unwrap(),
        "{ \"Statement\" : [\n  {\"Effect\":\"Deny\"}\n] , \"Id\":\"x\"}"
    );
    assert_eq!(policy.without(&[0, 1, 2]), None);
    assert!(
        policy
            .with_replaced(1, "{\"Effect\":\"Allow\"}")
            .contains("\n\t{\"Effect\":\"Allow\"},\n")
    );
    for (text, expected) in [
        (
            r#"{"Statement":{"Effect":"Allow"}}"#,
            r#"{"Statement":[{"Effect":"Allow"},{"Effect":"Deny"}]}"#,
        ),
        (r#"{"Statement":[ ]}"#, r#"{"Statement":[{"Effect":"Deny"} ]}"#),
        (
            r#"{"Statement":[{"Effect":"Allow"} ]}"#,
            r#"{"Statement":[{"Effect":"Allow"},{"Effect":"Deny"} ]}"#,
        ),
    ] {
        assert_eq!(
            Policy::parse(text).unwrap().with_statement(r#"{"Effect":"Deny"}"#),
            expected
        );
    }
}

const SEED: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":["*","arn:aws:iam::444455556666:role/x"],"Service":"s3.amazonaws.com"},"Action":["s3:Get*","s3:?ut*"],"Resource":"arn:aws:s3:::b/${aws:username}/*","Condition":{"ForAllValues:StringLikeIfExists":{"aws:PrincipalOrgPaths":["o-*/r-1/*","x"]},"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::/0"]},"DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"},"NumericLessThan":{"s3:max-keys":10}}},{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"NotAction":"s3:*","NotResource":"*","Condition":{"Null":{"aws:userid":"true"}}}]}"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        if let Ok(policy) = Policy::parse(&text) {
            judge_all(&policy);
        }
    }

    #[test]
    fn no_mutation_of_a_policy_panics(edits in prop::collection::vec((0_usize..SEED.len(), 0_u8..5, any::<char>()), 1..6)) {
        let mut text: Vec<char> = SEED.chars().collect();
        for (at, kind, character) in edits {
            let at = at % text.len().max(1);
            match kind {
                0 => { text.remove(at); }
                1 => text.insert(at, character),
                2 => text[at] = ['*', '?', '$', '{', '}', '"', ':', ',', '[', '\\'][at % 10],
                3 => { let piece: Vec<char> = text[at..(at + 20).min(text.len())].to_vec(); text.splice(at..at, piece); }
                _ => { text.drain(at..(at + 9).min(text.len())); }
            }
        }
        let text: String = text.into_iter().collect();
        if let Ok(policy) = Policy::parse(&text) {
            judge_all(&policy);
        }
    }

    #[test]
    fn strings_within_a_policy_never_panic(principal in "[*?a-z0-9:/$\\{\\}é]{0,30}", action in "[*?a-zS:é]{0,20}",
            resource in "[*?a-z:/$\\{\\}]{0,40}", key in "[a-zA-Z:/.]{0,25}", value in "[*?a-z0-9:/.$\\{\\}, ']{0,30}",
            operator in "(ForAllValues:|ForAnyValue:|)(StringLike|StringNotEquals|ArnLike|ArnNotEquals|IpAddress|NumericLessThan|DateGreaterThan|Bool|Null|Nonsense)(IfExists|)") {
        let known = ["aws:PrincipalArn", "aws:SourceArn", "aws:userid", "aws:SourceIp", "aws:SourceVpce", "token.actions.githubusercontent.com:sub", "aws:CurrentTime"];
        for key in known.iter().copied().chain([key.as_str()]) {
            let text = serde_json::json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": [principal, "*"], "Federated": principal}, "Action": action, "Resource": resource,
                 "Condition": {operator.as_str(): {key: [value, "x"]}}},
                {"Effect": "Deny", "Principal": "*", "NotAction": action, "Resource": [resource, "*"],
                 "Condition": {operator.as_str(): {key: value}}}]}).to_string();
            judge_all(&Policy::parse(&text).unwrap());
        }
    }

    #[test]
    fn taking_a_statement_out_and_in_again_reads_the_same(count in 1_usize..6, at in 0_usize..6) {
        let one = |number: usize| format!(r#"{{"Sid":"s{number}" , "Effect":"Deny"}}"#);
        let text = format!(r#"{{"Statement": [ {} ]}}"#, (0..count).map(one).collect::<Vec<_>>().join(" ,\n"));
        let policy = Policy::parse(&text).unwrap();
        match policy.without(&[at]) {
            None => prop_assert_eq!((count, at), (1, 0)),
            Some(rest) => {
                let rest = Policy::parse(&rest).unwrap();
                prop_assert_eq!(rest.statements().len(), count - usize::from(at < count));
                let again = Policy::parse(&rest.with_statement(&one(at))).unwrap();
                prop_assert_eq!(again.statements().last().unwrap().text(), one(at));
            }
        }
    }
}
