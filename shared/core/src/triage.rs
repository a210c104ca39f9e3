//! Where an event leads, and why it may lead nowhere: the Lambda's rules, without AWS.

use serde::Serialize;

use crate::event::{Call, EventError};
use crate::{Listing, Resource, Settings};

/// Why a call is not acted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// A call that failed.
    #[error("the call failed ({0}) and changed nothing")]
    Failed(String),
    /// What the function did itself.
    #[error("the call was this function's own")]
    Own,
    /// Nothing that a control asks for can change by it.
    #[error("no control depends on {name} of {service}")]
    NoControl {
        /// The call's name.
        name: String,
        /// Its event source.
        service: String,
    },
    /// It names only what belongs to somebody else, or what no guard looks after.
    #[error("it is about another account's resource, or one that no control is about")]
    Foreign,
    /// It sets tags of which settings know nothing.
    #[error("none of its tags classifies or exempts, by the settings")]
    Tags,
}

impl Ignored {
    fn no_control(call: &Call) -> Self {
        Self::NoControl {
            name: call.name.clone(),
            service: call.source.clone(),
        }
    }
}

/// Why a call is not acted on, as far as the call alone tells. `own_roles` are the ARNs of the function's role, and of those under
/// which the stack works on for it.
pub fn ignored(call: &Call, own_roles: &[String]) -> Option<Ignored> {
    if let Some(code) = &call.error {
        return Some(Ignored::Failed(code.clone()));
    }
    own_roles.contains(&call.actor.role).then_some(Ignored::Own)
}

/// Why a call is not acted on, given what looks after its resources and these settings.
pub fn immaterial(call: &Call, settings: &Settings, takers: &[&dyn Listing]) -> Option<Ignored> {
    if takers.is_empty() {
        return Some(Ignored::no_control(call));
    }
    let matters = takers.iter().any(|listing| listing.matters(call, settings));
    (!matters).then_some(Ignored::Tags)
}

/// Whether a call can break a control of a resource type.
pub fn takes(listing: &dyn Listing, call: &Call) -> bool {
    listing.source() == call.source && listing.calls().contains(call.name.as_str())
}

/// Where a call leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Triage {
    /// The resources that it names.
    pub resources: Vec<Resource>,
    /// The controls that it can break; none where it is ignored.
    pub controls: Vec<&'static str>,
    /// Why it is not acted on.
    pub ignored: Option<String>,
}

/// Finds the resources and the controls that a call is about. `own_roles` are as for [`ignored`].
pub fn triage(call: &Call, own_roles: &[String], listings: &[Box<dyn Listing>]) -> Result<Triage, EventError> {
    let named: Vec<_> = listings
        .iter()
        .filter_map(|listing| Some((listing, listing.resources(call)?)))
        .collect();
    let ignored = ignored(call, own_roles).or_else(|| named.is_empty().then(|| Ignored::no_control(call)));
    let mut triage = Triage {
        ignored: ignored.as_ref().map(ToString::to_string),
        ..Triage::default()
    };
    for (listing, named) in named {
        let named = match &ignored {
            // What is ignored anyway is not refused for the parameters that services leave out of failed calls.
            Some(_) => named.unwrap_or_default(),
            None => named?,
        };
        if ignored.is_none() && !named.is_empty() {
            triage.controls.append(&mut listing.controls_for(&call.name));
        }
        // A launch names its instances for their own guard, and for that of their volumes.
        for resource in named {
            if !triage.resources.contains(&resource) {
                triage.resources.push(resource);
            }
        }
    }
    if ignored.is_none() && triage.resources.is_empty() {
        triage.ignored = Some(Ignored::Foreign.to_string());
    }
    Ok(triage)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::event::Event;
    use crate::{Impact, Location, Meta, Severity, Switch};

    /// A guard of buckets that names them by `bucketName`, and none for a bucket called `foreign`.
    struct Buckets;

    const META: Meta = Meta {
        id: "s3-bucket-test",
        title: "",
        severity: Severity::Low,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &[],
        calls: &["PutBucketAcl"],
    };

    impl Listing for Buckets {
        fn kind(&self) -> &'static str {
            "AWS::S3::Bucket"
        }

        fn source(&self) -> &'static str {
            "s3.amazonaws.com"
        }

        fn controls(&self) -> Vec<&'static Meta> {
            vec![&META]
        }

        fn writes_of(&self, _: &str) -> BTreeSet<&'static str> {
            BTreeSet::new()
        }

        fn calls(&self) -> BTreeSet<&'static str> {
            META.calls.iter().copied().collect()
        }

        fn reads(&self) -> BTreeSet<&'static str> {
            BTreeSet::new()
        }

        fn config_kind(&self) -> &'static str {
            self.kind()
        }

        fn identified(&self, _: &str, _: &Location) -> Option<Resource> {
            None
        }

        fn resources(&self, call: &Call) -> Option<Result<Vec<Resource>, EventError>> {
            let named = |name: String| Resource {
                kind: self.kind().into(),
                arn: format!("arn:aws:s3:::{name}"),
                id: name,
                account: call.account.clone(),
                region: call.region.clone(),
            };
            let name = call.parameter("bucketName").transpose();
            takes(self, call).then(|| match name {
                Some(name) => name.map(|name| {
                    Some(name)
                        .filter(|name| name != "foreign")
                        .map(named)
                        .into_iter()
                        .collect()
                }),
                None => Err(EventError::Missing("requestParameters.bucketName".into())),
            })
        }
    }

    fn of(change: impl FnOnce(&mut serde_json::Value)) -> Result<Triage, EventError> {
        let mut record = json!({
            "eventSource": "s3.amazonaws.com", "eventName": "PutBucketAcl", "awsRegion": "eu-west-1",
            "recipientAccountId": "111122223333", "requestParameters": {"bucketName": "data"},
            "userIdentity": {"sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/own"}}},
        });
        change(&mut record);
        let Event::Call(call) = Event::parse(&record).unwrap() else {
            panic!("expected a call")
        };
        let own = vec!["arn:aws:iam::111122223333:role/own".to_owned()];
        let own = if call.id == "own" { own } else { Vec::new() };
        triage(&call, &own, &[Box::new(Buckets)])
    }

    #[test]
    fn a_call_leads_to_its_resources_and_controls() {
        let triage = of(|_| ()).unwrap();
        assert_eq!(triage.resources[0].arn, "arn:aws:s3:::data");
        assert_eq!(triage.controls, ["s3-bucket-test"]);
        assert_eq!(triage.ignored, None);
    }

    #[test]
    fn what_is_ignored_says_why_and_leads_to_no_control() {
        type Change = fn(&mut serde_json::Value);
        let cases: [(Change, &str); 5] = [
            (
                |record| record["errorCode"] = json!("AccessDenied"),
                "failed (AccessDenied)",
            ),
            (
                |record| {
                    record["errorCode"] = json!("AccessDenied");
                    record["requestParameters"] = json!(null);
                },
                "failed (AccessDenied)",
            ),
            (|record| record["eventID"] = json!("own"), "own"),
            (
                |record| record["eventName"] = json!("PutBucketLogging"),
                "no control depends on PutBucketLogging",
            ),
            (
                |record| record["requestParameters"]["bucketName"] = json!("foreign"),
                "another account's",
            ),
        ];
        for (change, why) in cases {
            let triage = of(change).unwrap();
            assert!(
                triage.ignored.as_deref().is_some_and(|ignored| ignored.contains(why)),
                "{why}: {triage:?}"
            );
            assert!(triage.controls.is_empty(), "{why}");
        }
    }

    #[test]
    fn what_names_no_resource_is_refused() {
        assert!(of(|record| record["requestParameters"] = json!(null)).is_err());
    }
}
