//! How calls and ARNs name the resources of EC2.

use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Location, Resource, Settings, partition_of};
use serde_json::Value;

/// The event source of EC2's calls, EBS's and VPC's included.
pub const SOURCE: &str = "ec2.amazonaws.com";

/// What the ids of one kind of thing look like.
pub struct Id {
    /// What they begin with, as in `sg`.
    pub prefix: &'static str,
    /// What they are, for who gave something else.
    pub expected: &'static str,
}

impl Id {
    /// Whether it is one: the prefix, then 8 or 17 hexadecimal digits. Source: EC2 User Guide, "Resource IDs".
    pub fn is(&self, text: &str) -> bool {
        let digits = text.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix('-'));
        digits.is_some_and(|digits| {
            matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    }

    /// The one that a call gives under this name, or why it is none.
    pub fn read(&self, name: &str, value: &Value) -> Result<String, EventError> {
        string(value)
            .filter(|text| self.is(text))
            .ok_or_else(|| EventError::parameter(name, self.expected, value))
    }

    /// Those among the ARNs of a call.
    pub fn among(&self, call: &Call) -> Vec<String> {
        let ids = call.resources.iter().filter_map(|arn| arn.rsplit('/').next());
        ids.filter(|id| self.is(id)).map(str::to_owned).collect()
    }
}

/// How calls and ARNs name a type of resource.
pub struct Naming {
    /// CloudFormation's name of it.
    pub kind: &'static str,
    /// What stands before the id in an ARN, as in `security-group`.
    pub path: &'static str,
    /// Its ids.
    pub id: Id,
    /// Whether an ARN says the account; that of a snapshot and of an image doesn't. Source: Service Authorization Reference,
    /// "Actions, resources, and condition keys for Amazon EC2".
    pub owned: bool,
}

impl Naming {
    /// The ids that a call's parameters, its answer or its ARNs name; refused where there is none.
    pub fn named(&self, call: &Call, name: &'static str) -> Result<Vec<String>, EventError> {
        // Newer calls wrap both in a structure of their own.
        let (request, answer) = (format!("{}Request", call.name), format!("{}Response", call.name));
        let places = [
            at(&call.parameters, &[name]),
            at(&call.parameters, &[&request, name]),
            at(&call.response, &[name]),
            at(&call.response, &[&answer, name]),
        ];
        let ids = places.into_iter().flatten().map(|value| self.id.read(name, value));
        let mut ids = ids.collect::<Result<Vec<_>, _>>()?;
        if ids.is_empty() {
            ids = self.id.among(call);
        }
        if ids.is_empty() {
            return Err(EventError::Missing(format!("requestParameters.{name}")));
        }
        Ok(ids)
    }

    /// The resources of a call: those of this type whose tags it sets or takes off; of another call, what `named` finds.
    pub fn resources(
        &self,
        call: &Call,
        named: impl FnOnce() -> Result<Vec<String>, EventError>,
    ) -> Result<Vec<Resource>, EventError> {
        let ids = if sets_tags(call) { self.tagged(call) } else { named() };
        let mut ids = ids?;
        ids.sort();
        ids.dedup();
        let place = call.place();
        Ok(ids.iter().map(|id| self.resource(id, &place)).collect())
    }

    fn tagged(&self, call: &Call) -> Result<Vec<String>, EventError> {
        let listed = items(&call.parameters, &["resourcesSet"]);
        if listed.is_empty() && call.resources.is_empty() {
            return Err(EventError::Missing("requestParameters.resourcesSet".into()));
        }
        if listed.is_empty() {
            return Ok(self.id.among(call));
        }
        let mut ids = Vec::new();
        for item in listed {
            let name = "resourcesSet.items.resourceId";
            let value =
                at(item, &["resourceId"]).ok_or_else(|| EventError::Missing(format!("requestParameters.{name}")))?;
            let is_of_type = string(value).is_none_or(|text| {
                let rest = text.strip_prefix(self.id.prefix);
                rest.is_some_and(|rest| rest.starts_with('-'))
            });
            if is_of_type {
                ids.push(self.id.read(name, value)?);
            }
        }
        Ok(ids)
    }

    /// The resource that an id, or an ARN of this place, stands for.
    pub fn identified(&self, text: &str, place: &Location) -> Option<Resource> {
        let id = text.rsplit('/').next().filter(|id| self.id.is(id))?;
        let found = self.resource(id, place);
        (text == id || text == found.arn).then_some(found)
    }

    /// The resource of a place that has this id.
    pub fn resource(&self, id: &str, place: &Location) -> Resource {
        let Location { account, region } = place;
        let (partition, path) = (partition_of(region), self.path);
        let owner = if self.owned { account } else { "" };
        Resource {
            kind: self.kind.into(),
            arn: format!("arn:{partition}:ec2:{region}:{owner}:{path}/{id}"),
            id: id.into(),
            account: account.clone(),
            region: region.clone(),
        }
    }
}

/// The value at a path, whatever the case of its names; what is null or an empty text is not there: EC2 writes `""` for a
/// parameter that was not given.
pub fn at<'a>(of: &'a Value, path: &[&str]) -> Option<&'a Value> {
    let found = path.iter().try_fold(of, |of, name| field(of, name))?;
    (!found.is_null() && found.as_str() != Some("")).then_some(found)
}

/// The entries of a list, which is `{"items": […]}` or, in newer calls, `{"item": […]}` or a single object.
pub fn items<'a>(of: &'a Value, path: &[&str]) -> Vec<&'a Value> {
    let Some(list) = at(of, path) else { return Vec::new() };
    match field(list, "items").or_else(|| field(list, "item")).unwrap_or(list) {
        Value::Array(list) => list.iter().collect(),
        Value::Object(object) if object.is_empty() => Vec::new(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// The calls that set and take off tags, of many resources at once and of any type.
const TAG_CALLS: [&str; 2] = ["CreateTags", "DeleteTags"];

/// Whether a call sets tags, or takes them off.
fn sets_tags(call: &Call) -> bool {
    TAG_CALLS.contains(&call.name.as_str())
}

/// Whether a call can change what is judged: one that sets tags, or takes them off, can only where one of them classifies or
/// exempts. Without tags, `DeleteTags` takes off all. Source: EC2 API Reference, `DeleteTags`.
pub fn matters(call: &Call, settings: &Settings) -> bool {
    let tags = items(&call.parameters, &["tagSet"]);
    if !sets_tags(call) || call.omitted || tags.is_empty() {
        return true;
    }
    let mut keys = tags.iter().map(|tag| field(tag, "key").and_then(string));
    keys.any(|key| key.is_none_or(|key| settings.knows_tag(&key)))
}

#[cfg(test)]
mod tests {
    use portcullis_core::event::Event;
    use portcullis_core::settings::Known;
    use serde_json::json;

    use super::*;

    const IDS: [&str; 9] = [
        "vol-0a1b2c3d4e5f60718",
        "snap-0a1b2c3d4e5f60718",
        "ami-0a1b2c3d4e5f60718",
        "sg-0a1b2c3d4e5f60718",
        "i-0a1b2c3d4e5f60718",
        "lt-0a1b2c3d4e5f60718",
        "igw-0a1b2c3d4e5f60718",
        "sgr-0a1b2c3d4e5f60718",
        "vol-0b1b2c3d4e5f60718",
    ];

    fn call(name: &str, parameters: &Value) -> Call {
        let record = json!({
            "eventSource": crate::SOURCE, "eventName": name, "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
            "requestParameters": parameters,
        });
        match Event::parse(&record) {
            Ok(Event::Call(call)) => *call,
            other => panic!("{other:?}"),
        }
    }

    fn takers(call: &Call) -> Vec<(&'static str, Result<Vec<Resource>, EventError>)> {
        let listings = crate::listings();
        let named = listings.iter().map(|listing| (listing.kind(), listing.resources(call)));
        named.filter_map(|(kind, named)| Some((kind, named?))).collect()
    }

    #[test]
    fn tags_of_many_types_at_once_lead_each_guard_to_its_own() {
        let items: Vec<_> = IDS.iter().map(|id| json!({"resourceId": id})).collect();
        let parameters = json!({"resourcesSet": {"items": items}, "tagSet": {"items": [{"key": "a", "value": "b"}]}});
        for name in TAG_CALLS {
            let mut found = Vec::new();
            for (kind, named) in takers(&call(name, &parameters)) {
                for resource in named.unwrap() {
                    assert_eq!(resource.kind, kind);
                    found.push(resource.id);
                }
            }
            let mut expected: Vec<_> = IDS
                .iter()
                .filter(|id| !id.starts_with("igw") && !id.starts_with("sgr"))
                .collect();
            expected.sort();
            found.sort();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn what_names_no_resource_or_none_that_can_be_is_refused_by_name() {
        for (parameters, part) in [
            (Value::Null, "resourcesSet"),
            (json!({"resourcesSet": {"items": []}}), "resourcesSet"),
            (json!({"resourcesSet": {"items": [{}]}}), "resourceId"),
            (
                json!({"resourcesSet": {"items": [{"resourceId": {"a": 1}}]}}),
                "an object",
            ),
            (json!({"resourcesSet": {"items": [{"resourceId": "vol-1"}]}}), "vol-1"),
        ] {
            let errors = takers(&call("CreateTags", &parameters)).into_iter();
            let errors: Vec<_> = errors.filter_map(|(_, named)| named.err()).collect();
            assert!(!errors.is_empty(), "{parameters}");
            assert!(
                errors.iter().all(|error| error.to_string().contains(part)),
                "{errors:?}"
            );
        }
    }

    #[test]
    fn only_tags_that_classify_or_exempt_matter() {
        let exemptions = "exemptions: [{control: '*', tag: {key: Exempt, value: drill}, reason: r, owner: o, until: 2099-01-01T00:00:00Z}]";
        let settings = Settings::from_yaml(exemptions, &Known::own(&crate::service(), [])).unwrap();
        let tagged = |name: &str, keys: &[&str]| {
            let tags: Vec<_> = keys.iter().map(|key| json!({"key": key, "value": "x"})).collect();
            let set = json!({"resourcesSet": {"items": [{"resourceId": IDS[0]}]}, "tagSet": {"items": tags}});
            matters(&call(name, &set), &settings)
        };
        assert!(tagged("CreateTags", &["Name", "DataClassification"]));
        assert!(tagged("DeleteTags", &["Exempt"]));
        assert!(tagged("DeleteTags", &[]), "takes off all");
        assert!(!tagged("CreateTags", &["Name", "portcullis:quarantine"]));
        assert!(
            !tagged("CreateTags", &["dataclassification", "exempt"]),
            "AWS compares with regard to case"
        );
        assert!(matters(&call("CreateVolume", &json!({})), &settings));
    }
}
