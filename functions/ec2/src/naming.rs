//! Ids of EC2, as calls name them.

use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Place, Resource, partition_of};
use serde_json::Value;

/// Whether it is an id of EC2: a prefix, then 8 or 17 hexadecimal digits.
/// Source: EC2 User Guide, "Resource IDs".
pub fn is_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    digits.is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// An id of this kind, or why it is none.
pub fn id(name: &str, prefix: &str, expected: &'static str, value: &Value) -> Result<String, EventError> {
    string(value)
        .filter(|text| is_id(text, prefix))
        .ok_or_else(|| EventError::parameter(name, expected, value))
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

/// Where a call was made.
pub fn place(call: &Call) -> Place {
    Place {
        account: call.account.clone(),
        region: call.region.clone(),
    }
}

/// The resource that an id, or an ARN of this place, stands for.
pub fn identified(
    text: &str,
    prefix: &str,
    place: &Place,
    resource: impl Fn(&str, &Place) -> Resource,
) -> Option<Resource> {
    let id = text.rsplit('/').next().filter(|id| is_id(id, prefix))?;
    let found = resource(id, place);
    (text == id || text == found.arn).then_some(found)
}

/// A resource of EC2 in a place. `path` is its kind in an ARN, as in `security-group`.
pub fn resource(kind: &str, path: &str, id: &str, place: &Place) -> Resource {
    let Place { account, region } = place;
    let partition = partition_of(region);
    Resource {
        kind: kind.into(),
        arn: format!("arn:{partition}:ec2:{region}:{account}:{path}/{id}"),
        id: id.into(),
        account: account.clone(),
        region: region.clone(),
    }
}

/// The ids that a call's parameters, its answer or its `resources` name; refused where there is none.
pub fn named(call: &Call, name: &'static str, prefix: &str, expected: &'static str) -> Result<Vec<String>, EventError> {
    let mut ids = Vec::new();
    let places = [at(&call.parameters, &[name]), at(&call.response, &[name])];
    for value in places.into_iter().flatten() {
        ids.push(id(name, prefix, expected, value)?);
    }
    if ids.is_empty() {
        let named = call.resources.iter().filter_map(|arn| arn.rsplit('/').next());
        ids.extend(named.filter(|id| is_id(id, prefix)).map(str::to_owned));
    }
    if ids.is_empty() {
        return Err(EventError::Missing(format!("requestParameters.{name}")));
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}
