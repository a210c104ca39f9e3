//! The tests of what the families share; each service's controls test the rest.

use portcullis_access::{Goal, Policy, Service, Verdict};
use portcullis_core::testing::{judging, resource};
use portcullis_core::{Clause, JudgeContext, Judgement, Settings, Severity};
use serde_json::json;

use super::*;

const ARN: &str = "arn:aws:sqs:eu-west-1:111122223333:q-1";

fn statement(sid: &str, account: &str) -> String {
    format!(
        r#"{{"Sid":"{sid}","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"sqs:SendMessage","Resource":"{ARN}"}}"#
    )
}

fn under<T>(settings: &Settings, look: impl FnOnce(&JudgeContext<'_>) -> T) -> T {
    judging(&resource("AWS::SQS::Queue", ARN), settings, look)
}

fn policy(statements: &[String]) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

fn analysed<T>(statements: &[String], settings: &Settings, look: impl FnOnce(&Analysis<'_>) -> T) -> T {
    let text = policy(statements);
    under(settings, |context| {
        look(&Analysis::new(&text, Service::Sqs, context).unwrap())
    })
}

#[test]
fn the_settings_say_who_is_trusted() {
    let statements = [statement("Own", "111122223333"), statement("Partner", "444455556666")];
    let mut settings = Settings::default();
    analysed(&statements, &settings, |analysis| {
        assert_eq!(analysis.offending(Verdict::External), [1]);
        assert!(analysis.reasons(Verdict::External)[0].contains("444455556666"));
        let Cure::Write(Some(policy), change) = smallest_cure(analysis, Goal::Private) else {
            panic!()
        };
        assert_eq!(
            analysis.judge(&Policy::parse(&policy).unwrap()).verdict,
            Verdict::Private
        );
        assert_eq!(change, "remove statement \"Partner\" of 2");
    });
    settings.trusted.accounts.push("444455556666".into());
    analysed(&statements, &settings, |analysis| {
        assert_eq!(analysis.verdict(), Verdict::Private);
    });
}

#[test]
fn where_nothing_is_left_there_is_no_policy_to_write() {
    let cure = analysed(
        &[statement("Partner", "444455556666")],
        &Settings::default(),
        |analysis| smallest_cure(analysis, Goal::Private),
    );
    let found = cure.finding(Severity::High, Clause::is("open"), |policy| policy);
    assert_eq!(found.remedies, [None]);
    let told =
        Cure::<String>::Nothing("it is not clear".into()).finding(Severity::High, Clause::is("open"), |policy| policy);
    assert_eq!(
        (told.remedies.len(), told.only_notify.as_deref()),
        (0, Some("it is not clear"))
    );
}

#[test]
fn an_added_statement_has_a_name_of_its_own_and_fits() {
    let deny = json!({"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
    let with = |text: &str| {
        under(&Settings::default(), |context| {
            let policy = ResourcePolicy {
                text: Some(text),
                service: Service::Sqs,
                context,
            };
            policy.with_statement(deny.clone())
        })
    };
    let text = format!(r#"{{ "Statement" : [{}] }}"#, statement("Tls", "111122223333"));
    let added = with(&text).unwrap();
    assert!(
        added.contains(&statement("Tls", "111122223333")) && added.contains("\"Tls2\""),
        "{added}"
    );
    let large = policy(&[statement(&"S".repeat(8000), "111122223333")]);
    let error = with(&large).unwrap_err();
    assert!(error.contains("of 8192 that the service takes"), "{error}");
}

#[test]
fn tls_is_asked_for_once_whatever_else_the_policy_says() {
    let judged = |text: Option<&str>| {
        under(&Settings::default(), |context| {
            let policy = ResourcePolicy {
                text,
                service: Service::Sqs,
                context,
            };
            tls_only(policy, Severity::Low, |one| policy.with_statement(one), |policy| policy)
        })
    };
    let own = policy(&[statement("Own", "111122223333")]);
    for text in [None, Some(own.as_str())] {
        let found = judged(text).finding().unwrap();
        assert_eq!(found.severity, Severity::Low);
        assert_eq!(judged(Some(&found.remedies[0])), Judgement::Compliant);
    }
    // A denial that leaves some action out is none.
    let found = judged(None).finding().unwrap();
    let less = found.remedies[0].replace("sqs:*", "sqs:SendMessage");
    assert_ne!(judged(Some(&less)), Judgement::Compliant);
    assert_eq!(judged(Some("{")), Judgement::Compliant);
}
