//! What RDS tells EventBridge by itself, without a trail: automated snapshots, starts after seven days and failovers have no call.

use portcullis_core::event::{Call, Envelope, EventError, NativeEvent, field, string};

use crate::naming::SOURCE;

/// What RDS tells of instances.
pub const INSTANCE: NativeEvent = of("RDS DB Instance Event");
/// What RDS tells of clusters.
pub const CLUSTER: NativeEvent = of("RDS DB Cluster Event");
/// What RDS tells of snapshots of instances.
pub const SNAPSHOT: NativeEvent = of("RDS DB Snapshot Event");
/// What RDS tells of snapshots of clusters.
pub const CLUSTER_SNAPSHOT: NativeEvent = of("RDS DB Cluster Snapshot Event");

/// The events that lead to a resource, each with the call that it stands for. Source: RDS User Guide and Aurora User Guide, "Amazon RDS
/// event categories and event messages".
const CALLS: [(&str, &str); 14] = [
    ("RDS-EVENT-0005", "CreateDBInstance"),
    ("RDS-EVENT-0008", "RestoreDBInstanceFromDBSnapshot"), // Neptune's
    ("RDS-EVENT-0019", "RestoreDBInstanceToPointInTime"),
    ("RDS-EVENT-0042", "CreateDBSnapshot"),
    ("RDS-EVENT-0043", "RestoreDBInstanceFromDBSnapshot"),
    ("RDS-EVENT-0075", "CreateDBClusterSnapshot"),
    ("RDS-EVENT-0088", "StartDBInstance"),
    ("RDS-EVENT-0091", "CreateDBSnapshot"), // automated
    ("RDS-EVENT-0151", "StartDBCluster"),
    ("RDS-EVENT-0153", "StartDBCluster"), // after seven days
    ("RDS-EVENT-0154", "StartDBInstance"),
    ("RDS-EVENT-0169", "CreateDBClusterSnapshot"), // automated
    ("RDS-EVENT-0170", "CreateDBCluster"),
    ("RDS-EVENT-0197", "CopyDBSnapshot"),
];

const fn of(detail_type: &'static str) -> NativeEvent {
    NativeEvent { detail_type, read }
}

/// The call that an event stands for. One of another kind, such as a stop or a failover, goes by its own id, to which nothing listens.
fn read(event: &Envelope) -> Result<Call, EventError> {
    let id = field(&event.detail, "EventID").and_then(string);
    let id = id.ok_or_else(|| EventError::Missing("detail.EventID".into()))?;
    let call = CALLS.iter().find(|(known, _)| *known == id);
    Call::from_native(event, SOURCE, call.map_or(id.as_str(), |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use portcullis_core::Event;
    use serde_json::{Value, json};

    use super::*;

    fn told(detail_type: &str, id: &Value, path: &str) -> Result<Event, EventError> {
        let arn = format!("arn:aws:rds:eu-west-1:111122223333:{path}");
        let event = json!({
            "id": "844e2571", "detail-type": detail_type, "source": "aws.rds", "account": "111122223333", "region": "eu-west-1",
            "time": "2026-11-23T12:26:13Z", "resources": [arn], "detail": {"SourceArn": arn, "EventID": id, "SourceIdentifier": "rds:x"},
        });
        Event::from_slice(
            event.to_string().as_bytes(),
            &[INSTANCE, CLUSTER, SNAPSHOT, CLUSTER_SNAPSHOT],
        )
    }

    #[test]
    fn what_rds_tells_leads_to_what_the_call_would() {
        let types = crate::service().types;
        for (detail_type, id, path, call) in [
            ("RDS DB Instance Event", "RDS-EVENT-0005", "db:shop", "CreateDBInstance"),
            ("RDS DB Instance Event", "RDS-EVENT-0154", "db:shop", "StartDBInstance"),
            (
                "RDS DB Cluster Event",
                "RDS-EVENT-0170",
                "cluster:orders",
                "CreateDBCluster",
            ),
            (
                "RDS DB Cluster Event",
                "RDS-EVENT-0153",
                "cluster:orders",
                "StartDBCluster",
            ),
            (
                "RDS DB Snapshot Event",
                "RDS-EVENT-0091",
                "snapshot:rds:shop-2026",
                "CreateDBSnapshot",
            ),
            (
                "RDS DB Cluster Snapshot Event",
                "RDS-EVENT-0169",
                "cluster-snapshot:rds:o",
                "CreateDBClusterSnapshot",
            ),
        ] {
            let Ok(Event::Call(found)) = told(detail_type, &json!(id), path) else {
                panic!("{id}")
            };
            assert_eq!(found.name, call);
            let named = types.iter().filter_map(|listing| listing.resources(&found));
            let named: Vec<_> = named.flat_map(Result::unwrap).map(|one| one.arn).collect();
            assert_eq!(named, [format!("arn:aws:rds:eu-west-1:111122223333:{path}")], "{id}");
        }
    }

    #[test]
    fn what_changes_nothing_leads_nowhere_and_what_says_nothing_is_refused() {
        // Stopped.
        let Ok(Event::Call(stopped)) = told("RDS DB Instance Event", &json!("RDS-EVENT-0087"), "db:shop") else {
            panic!()
        };
        assert!(
            crate::service()
                .types
                .iter()
                .all(|listing| listing.resources(&stopped).is_none())
        );
        let error = told("RDS DB Instance Event", &Value::Null, "db:shop").unwrap_err();
        assert!(error.to_string().contains("detail.EventID"), "{error}");
    }

    #[test]
    fn the_rule_in_the_template_takes_these_events_and_no_others() {
        let stack = include_str!("../stack.yaml");
        let taken = stack
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- RDS-EVENT-"));
        let taken: Vec<_> = taken.map(|number| format!("RDS-EVENT-{number}")).collect();
        assert_eq!(taken, CALLS.map(|(id, _)| id.to_owned()));
        for event in [INSTANCE, CLUSTER, SNAPSHOT, CLUSTER_SNAPSHOT] {
            assert!(stack.contains(event.detail_type), "{}", event.detail_type);
        }
    }

    #[test]
    fn each_event_stands_for_a_call_that_some_type_listens_to() {
        let listens = |call: &str| {
            crate::service()
                .types
                .iter()
                .any(|listing| listing.calls().contains(call))
        };
        for (id, call) in CALLS {
            assert!(listens(call), "{id}: {call}");
        }
    }
}
