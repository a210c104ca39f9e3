//! # What it requires
//! The table's policy lets in nobody whom it does not name, be it to the table itself or to its indexes.
//!
//! # Why
//! Whoever has an AWS account could read the table, or write into it. DynamoDB refuses such a policy when it is put, as far as its
//! own check sees; what was put before that check, or gets past it, is found here.
//!
//! # What it changes
//! `PutResourcePolicy` with the same policy, less what is public: a statement goes, or only its public principal where it names
//! others too. All other statements stay byte for byte. Nothing else left: `DeleteResourcePolicy`, which leaves the table to the
//! IAM permissions of its account. Both expect the revision that was read, so that nobody's change is undone. Where a condition can't be
//! decided, nothing is removed: it is told.
//!
//! # What may break
//! Those who came in by the public statement alone.
//!
//! # References
//! DynamoDB Developer Guide, "Using resource-based policies for DynamoDB", "Blocking public access with resource-based policies".

use portcullis_controls::prelude::*;

use crate::policies::cure;
use crate::table::{Table, TableChange, TableFact};

pub const CONTROL: Control<Table> = Control {
    meta: Meta {
        id: "dynamodb-table-public-policy",
        title: "A table's policy is not public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["IAM Access Analyzer external access"],
        calls: &["CreateTable", "PutResourcePolicy"],
    },
    reads: &[TableFact::Policy],
    changes: &[TableFact::Policy],
    judge: &|table, context| {
        let policy = ResourcePolicy::of_revised(Service::DynamoDb, &table.policy, context);
        public_policy(policy, cure(&table.policy), TableChange::Policy)
    },
};

#[cfg(test)]
mod tests {
    use portcullis_controls::RevisedPolicy;
    use portcullis_core::testing::{judging, resource};
    use portcullis_core::{Observed, Settings};

    use super::*;

    const ARN: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";

    fn statement(principal: &str, of: &str) -> String {
        format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":["dynamodb:Query","dynamodb:GetRecords"],"Resource":"{ARN}{of}"}}"#
        )
    }

    fn policy(statements: &[String]) -> RevisedPolicy {
        RevisedPolicy {
            text: Some(format!(
                r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
                statements.join(",")
            )),
            revision: Some("1".into()),
        }
    }

    #[test]
    fn what_is_public_goes_and_what_is_left_expects_the_revision_that_was_read() {
        let (own, all) = (statement("111122223333", ""), statement("*", "/index/by-day"));
        let judged = |statements: &[String]| {
            let table = Table {
                policy: Observed::Is(policy(statements)),
                ..Table::default()
            };
            let of = resource("AWS::DynamoDB::Table", ARN);
            judging(&of, &Settings::default(), |context| (CONTROL.judge)(&table, context))
        };
        let found = judged(&[own.clone(), all.clone()]).finding().unwrap();
        assert_eq!(found.severity, Severity::Critical);
        assert_eq!(
            found.remedies,
            [TableChange::Policy(policy(std::slice::from_ref(&own)))]
        );
        let none = policy(&[]).with_text(None);
        assert_eq!(judged(&[all]).finding().unwrap().remedies, [TableChange::Policy(none)]);
        assert_eq!(judged(&[own]), Judgement::Compliant);
    }
}
