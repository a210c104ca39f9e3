//! What puts a topic's policy right.

use portcullis_access::{Fix, Goal};
use portcullis_controls::{Analysis, Cure, NO_FIX, smallest_cure};
use portcullis_core::partition_of;
use serde_json::json;

/// The smallest fix of a topic's policy, which can't go: of one that would be left without a statement, the first is narrowed to the
/// account itself. Source: SNS API Reference, `SetTopicAttributes`, which refuses an empty policy.
pub fn cure(analysis: &Analysis<'_>, goal: Goal) -> Cure<Option<String>> {
    if !matches!(analysis.fix(goal), Ok(Fix::Delete)) {
        return smallest_cure(analysis, goal);
    }
    let (resource, policy) = (analysis.resource(), analysis.policy());
    let Some(mut first) = analysis.statement(0) else {
        return Cure::Nothing(NO_FIX.into());
    };
    if let Some(parts) = first.as_object_mut() {
        parts.shift_remove("NotPrincipal");
    }
    let partition = partition_of(&resource.region);
    first["Principal"] = json!({"AWS": format!("arn:{partition}:iam::{}:root", resource.account)});
    let others: Vec<_> = (1..policy.statements().len()).collect();
    let narrowed = policy
        .without(&others)
        .map(|text| portcullis_access::Policy::parse(&text));
    match narrowed {
        Some(Ok(one)) => Cure::Write(
            Some(one.with_replaced(0, &first.to_string())),
            "leave its first statement to the account itself, and remove the others: a topic can't be without a policy"
                .into(),
        ),
        _ => Cure::Nothing(NO_FIX.into()),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_access::{Policy, Service, Verdict};
    use portcullis_core::Settings;
    use portcullis_core::testing::{judging, resource};

    use super::*;

    const ARN: &str = "arn:aws:sns:eu-west-1:111122223333:news";

    #[test]
    fn a_topic_is_never_left_without_a_policy_and_its_default_is_not_public() {
        let open =
            json!({"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": ARN});
        // As `CreateTopic` makes it: everybody by its looks, and the account by its condition.
        let default = json!({"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": {"AWS": "*"},
            "Action": ["SNS:Publish", "SNS:Subscribe"], "Resource": ARN,
            "Condition": {"StringEquals": {"AWS:SourceOwner": "111122223333"}}});
        let text =
            |statements: &[&serde_json::Value]| json!({"Version": "2008-10-17", "Statement": statements}).to_string();
        judging(&resource("AWS::SNS::Topic", ARN), &Settings::default(), |context| {
            let analysed = |text: &str| Analysis::new(text, Service::Sns, context).unwrap();
            assert_eq!(analysed(&text(&[&default])).verdict(), Verdict::Private);
            for (policy, kept) in [
                (text(&[&open, &open]), "Open"),
                (text(&[&default, &open]), "__default_statement_ID"),
            ] {
                let analysis = analysed(&policy);
                let Cure::Write(Some(cured), _) = cure(&analysis, Goal::NotPublic) else {
                    panic!("{policy}")
                };
                let cured = Policy::parse(&cured).unwrap();
                assert_eq!(analysis.judge(&cured).verdict, Verdict::Private);
                assert_eq!(cured.statements().len(), 1);
                assert!(
                    cured.text().contains(kept) && cured.text().contains("2008-10-17"),
                    "{}",
                    cured.text()
                );
            }
        });
    }
}
