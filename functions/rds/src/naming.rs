//! How calls, ARNs and AWS Config name what RDS has.

use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Location, Resource, Settings};
use serde_json::Value;

/// The event source of RDS's calls, those of DocumentDB and Neptune included.
pub const SOURCE: &str = "rds.amazonaws.com";

/// The calls that set and take off tags, of any type.
const TAG_CALLS: [&str; 2] = ["AddTagsToResource", "RemoveTagsFromResource"];
/// How many upper-case letters and digits follow the prefix of a resource id. Source: recorded items of AWS Config.
const RESOURCE_ID: usize = 26;

/// How a type of resource is named.
#[derive(Debug)]
pub struct Naming {
    /// CloudFormation's name of it.
    pub kind: &'static str,
    /// What stands before the name in an ARN, as in `db:`. Source: RDS User Guide, "Amazon Resource Names (ARNs) in Amazon RDS".
    pub path: &'static str,
    /// The parameters by which calls name one, the most telling first: a copy and a restore name their source as well.
    pub parameters: &'static [&'static str],
    /// The parameter of a new name.
    pub renamed: &'static str,
    /// The member of an answer that holds its ARN.
    pub answered: &'static str,
    /// What an id begins with that never changes, as AWS Config has it, in place of the name; empty where Config has the name.
    pub id_prefix: &'static str,
    /// The most characters of a name, and what it is, for who gave something else.
    pub expected: (usize, &'static str),
}

impl Naming {
    /// The resources that a call names. A rename names both: one of them is there.
    pub fn named(&self, call: &Call) -> Result<Vec<Resource>, EventError> {
        let place = call.place();
        let sets_tags = TAG_CALLS.contains(&call.name.as_str());
        // A tag may be set on a parameter group as well. What RDS tells by itself names what it is about by its ARN.
        if sets_tags || !call.recorded {
            let arns = if sets_tags {
                vec![required(call, "resourceName")?]
            } else {
                call.resources.clone()
            };
            let own = arns.iter().filter(|arn| arn.starts_with("arn:"));
            return Ok(own.filter_map(|arn| self.identified(arn, &place)).collect());
        }
        let mut names = Vec::new();
        let given = |name: &'static str| {
            let value = field(&call.parameters, name).filter(|value| !value.is_null())?;
            Some((name, value))
        };
        names.extend(self.parameters.iter().find_map(|name| given(name)));
        names.extend(given(self.renamed));
        if names.is_empty() {
            names.extend(field(&call.response, self.answered).map(|arn| (self.answered, arn)));
        }
        if names.is_empty() {
            let missing = self.parameters.last().copied().unwrap_or_default();
            return Err(EventError::Missing(format!("requestParameters.{missing}")));
        }
        let found = names.into_iter().map(|(name, value)| {
            let found = string(value).and_then(|text| self.identified(&text, &place));
            found.ok_or_else(|| EventError::parameter(name, self.expected.1, value))
        });
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        found.dedup();
        Ok(found)
    }

    /// The resource of a place that a name, an ARN or an id stands for. AWS writes names in lower case, whatever the caller wrote.
    /// Source: RDS API Reference, `CreateDBInstance`: `DBInstanceIdentifier` "is stored as a lowercase string".
    pub fn identified(&self, text: &str, place: &Location) -> Option<Resource> {
        let found = Resource::named(self.kind, "rds", self.path, text, place)?;
        let name = if self.is_id(&found.id) {
            found.id.clone()
        } else {
            found.id.to_ascii_lowercase()
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-:._".contains(&byte);
        let is_name = (1..=self.expected.0).contains(&name.len()) && name.bytes().all(allowed);
        (is_name && found.place() == *place).then(|| self.resource(&name, place))
    }

    /// The resource of a place that has this name.
    pub fn resource(&self, name: &str, place: &Location) -> Resource {
        Resource::regional(self.kind, "rds", self.path, name, place)
    }

    /// Whether it is an id by which AWS alone knows the name. No name has capitals.
    pub fn is_id(&self, text: &str) -> bool {
        let rest = text.strip_prefix(self.id_prefix).filter(|_| !self.id_prefix.is_empty());
        let is = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        rest.is_some_and(|rest| rest.len() == RESOURCE_ID && rest.bytes().all(is))
    }
}

fn required(call: &Call, name: &str) -> Result<String, EventError> {
    let found = call.parameter(name)?.filter(|text| !text.is_empty());
    found.ok_or_else(|| EventError::Missing(format!("requestParameters.{name}")))
}

/// Whether a call can change what is judged: one that sets tags, or takes them off, can only where one of them classifies or exempts.
pub fn matters(call: &Call, settings: &Settings) -> bool {
    let keys: Option<Vec<String>> = match call.name.as_str() {
        "AddTagsToResource" => field(&call.parameters, "tags").and_then(Value::as_array).map(|tags| {
            let keys = tags.iter().filter_map(|tag| field(tag, "key").and_then(string));
            keys.collect()
        }),
        "RemoveTagsFromResource" => call.names("tagKeys"),
        _ => None,
    };
    keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| settings.knows_tag(key)))
}

#[cfg(test)]
mod tests {
    use portcullis_core::event::Event;
    use portcullis_core::{Listing as _, Typed};
    use serde_json::json;

    use super::*;
    use crate::controls::{CLUSTER_SNAPSHOTS, CLUSTERS, INSTANCES, SNAPSHOTS};

    const ID: &str = "db-ABCDEFGHIJKLMNOPQRSTUVWX01";

    fn place() -> Location {
        Location {
            account: "111122223333".into(),
            region: "eu-west-1".into(),
        }
    }

    fn call(name: &str, parameters: &Value, response: &Value) -> Call {
        let record = json!({
            "eventSource": SOURCE, "eventName": name, "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
            "requestParameters": parameters, "responseElements": response,
        });
        match Event::parse(&record) {
            Ok(Event::Call(call)) => *call,
            other => panic!("{other:?}"),
        }
    }

    /// Where each type finds what a call names, by what its ARN ends with.
    fn found(call: &Call) -> Vec<Result<String, String>> {
        let of = crate::service().types.into_iter();
        let of = of.filter_map(|listing| listing.resources(call));
        let ends = |found: Resource| found.arn["arn:aws:rds:eu-west-1:111122223333:".len()..].to_owned();
        of.flat_map(|named| match named {
            Ok(named) => named.into_iter().map(|one| Ok(ends(one))).collect(),
            Err(error) => vec![Err(error.to_string())],
        })
        .collect()
    }

    #[test]
    fn each_way_in_names_what_was_made_and_not_what_it_was_made_of() {
        for (name, parameters, named) in [
            (
                "CreateDBInstance",
                json!({"dBInstanceIdentifier": "Shop-DB"}),
                &["db:shop-db"][..],
            ),
            (
                "CreateDBInstance",
                json!({"dbInstanceIdentifier": "shop-db"}),
                &["db:shop-db"],
            ),
            (
                "CreateDBInstanceReadReplica",
                json!({"dBInstanceIdentifier": "copy", "sourceDBInstanceIdentifier": "arn:aws:rds:us-east-1:111122223333:db:shop"}),
                &["db:copy"],
            ),
            (
                "RestoreDBInstanceToPointInTime",
                json!({"sourceDBInstanceIdentifier": "shop", "targetDBInstanceIdentifier": "shop-2"}),
                &["db:shop-2"],
            ),
            (
                "RestoreDBInstanceFromDBSnapshot",
                json!({"dBInstanceIdentifier": "shop-2", "dBSnapshotIdentifier": "before"}),
                &["db:shop-2"],
            ),
            (
                "ModifyDBInstance",
                json!({"dBInstanceIdentifier": "shop", "newDBInstanceIdentifier": "Shop-New", "applyImmediately": true}),
                &["db:shop", "db:shop-new"],
            ),
            (
                "RestoreDBClusterToPointInTime",
                json!({"dBClusterIdentifier": "orders-2", "sourceDBClusterIdentifier": "orders"}),
                &["cluster:orders-2"],
            ),
            (
                "CreateDBSnapshot",
                json!({"dBSnapshotIdentifier": "before", "dBInstanceIdentifier": "shop"}),
                &["snapshot:before"],
            ),
            (
                "CopyDBSnapshot",
                json!({"sourceDBSnapshotIdentifier": "rds:shop-2026", "targetDBSnapshotIdentifier": "kept"}),
                &["snapshot:kept"],
            ),
            (
                "CopyDBClusterSnapshot",
                json!({"sourceDBClusterSnapshotIdentifier": "a", "targetDBClusterSnapshotIdentifier": "kept"}),
                &["cluster-snapshot:kept"],
            ),
        ] {
            let expected: Vec<_> = named.iter().map(|&named| Ok(named.to_owned())).collect();
            assert_eq!(found(&call(name, &parameters, &Value::Null)), expected, "{name}");
        }
        // Parameters that were left out: the answer says it as well.
        let answer = json!({"dBClusterArn": "arn:aws:rds:eu-west-1:111122223333:cluster:orders"});
        let omitted = call("CreateDBCluster", &json!({"omitted": true}), &answer);
        assert_eq!(found(&omitted), [Ok("cluster:orders".to_owned())]);
    }

    #[test]
    fn a_tag_leads_to_the_one_that_has_it_and_of_another_account_or_type_to_none() {
        let to = |path: &str, account: &str| {
            let arn = format!("arn:aws:rds:eu-west-1:{account}:{path}");
            found(&call(
                "AddTagsToResource",
                &json!({"resourceName": arn, "tags": []}),
                &Value::Null,
            ))
        };
        for path in [
            "db:shop",
            "cluster:shop",
            "snapshot:rds:shop-2026-11-23",
            "cluster-snapshot:awsbackup:job-1",
        ] {
            assert_eq!(to(path, "111122223333"), [Ok(path.to_owned())]);
            assert_eq!(to(path, "444455556666"), []);
        }
        for path in ["pg:default", "og:x", "subgrp:y", "db-proxy:prx-1"] {
            assert_eq!(to(path, "111122223333"), [], "{path}");
        }
    }

    #[test]
    fn what_can_be_no_name_is_refused_by_name() {
        for (parameters, part) in [
            (json!({}), "requestParameters.dBInstanceIdentifier"),
            (json!({"dBInstanceIdentifier": "a".repeat(200)}), "dBInstanceIdentifier"),
            (json!({"dBInstanceIdentifier": ["a", "b"]}), "dBInstanceIdentifier"),
            (json!({"dBInstanceIdentifier": "shop/../db"}), "1 to 63"),
            (
                json!({"dBInstanceIdentifier": "arn:aws:rds:eu-west-1:444455556666:db:shop"}),
                "1 to 63",
            ),
        ] {
            let found = found(&call("ModifyDBInstance", &parameters, &Value::Null));
            let [Err(error)] = &found[..] else {
                panic!("{parameters}: {found:?}")
            };
            assert!(error.contains(part), "{error}");
        }
        let untold = found(&call("AddTagsToResource", &json!({"tags": []}), &Value::Null));
        assert!(
            untold
                .iter()
                .all(|one| one.as_ref().is_err_and(|error| error.contains("resourceName")))
        );
    }

    fn of<S: portcullis_core::State>(typed: &Typed<S>, text: &str) -> Option<String> {
        typed.identified(text, &place()).map(|found| found.id)
    }

    #[test]
    fn one_resource_has_one_name_however_it_is_called() {
        let arn = "arn:aws:rds:eu-west-1:111122223333:db:shop-db";
        for text in ["shop-db", "SHOP-db", arn, &arn.replace("shop", "Shop")] {
            let found = INSTANCES.identified(text, &place()).unwrap();
            assert_eq!((found.id.as_str(), found.arn.as_str()), ("shop-db", arn));
        }
        // An id is AWS's to say whose it is, and looks like no name.
        assert_eq!(of(&INSTANCES, ID), Some(ID.to_owned()));
        assert_eq!(of(&INSTANCES, &ID.to_lowercase()), Some(ID.to_lowercase()));
        let cluster = ID.replace("db-", "cluster-");
        assert_eq!(of(&CLUSTERS, &cluster), Some(cluster.clone()));
        assert_eq!(of(&SNAPSHOTS, "rds:shop-2026"), Some("rds:shop-2026".to_owned()));
        assert_eq!(
            of(&CLUSTER_SNAPSHOTS, &arn.replace("db:shop-db", "snapshot:shop")),
            None
        );
        assert_eq!(of(&INSTANCES, &arn.replace("111122223333", "444455556666")), None);
    }

    #[test]
    fn only_tags_that_classify_or_exempt_matter() {
        let settings = Settings::default();
        for (name, parameters, expected) in [
            (
                "AddTagsToResource",
                json!({"tags": [{"key": "team", "value": "shop"}]}),
                false,
            ),
            (
                "AddTagsToResource",
                json!({"tags": [{"key": "DataClassification", "value": "public"}]}),
                true,
            ),
            ("AddTagsToResource", json!({}), true),
            ("RemoveTagsFromResource", json!({"tagKeys": ["team"]}), false),
            (
                "RemoveTagsFromResource",
                json!({"tagKeys": ["team", "DataClassification"]}),
                true,
            ),
            ("ModifyDBInstance", json!({"allocatedStorage": 20}), true),
        ] {
            assert_eq!(
                matters(&call(name, &parameters, &Value::Null), &settings),
                expected,
                "{name} {parameters}"
            );
        }
    }
}
