//! Reading fields of records whose case and type vary between services and years.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::EventError;

/// A member by name, whatever its case: `dBInstanceIdentifier` and `dbInstanceIdentifier` are one.
pub fn field<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    let object = of.as_object()?;
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// A text, or a list of exactly one, or a number that a service wrote as such.
pub fn string(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(list) if list.len() == 1 => list.first().and_then(string),
        _ => None,
    }
}

/// The elements of a list, whether it came as a list, as `{"items": […]}` or as the only element itself.
pub fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().filter_map(string).collect(),
        Value::Object(object) => object.get("items").map(strings).unwrap_or_default(),
        other => string(other).into_iter().collect(),
    }
}

pub(super) fn optional_text(of: &Value, name: &str) -> Result<Option<String>, EventError> {
    match of.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(EventError::unexpected(name, "a text", other)),
    }
}

pub(super) fn text(of: &Value, name: &str) -> Result<String, EventError> {
    required(name, optional_text(of, name)?)
}

pub(super) fn object_in<'a>(of: &'a Value, name: &str) -> Result<Option<&'a Value>, EventError> {
    object(name, of.get(name))
}

pub(super) fn object<'a>(name: &str, value: Option<&'a Value>) -> Result<Option<&'a Value>, EventError> {
    match value {
        // Newer EC2 calls without parameters record them as "".
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(object @ Value::Object(_)) => Ok(Some(object)),
        Some(other) => Err(EventError::unexpected(name, "an object", other)),
    }
}

/// A text that was read already, where it must be there and say something.
pub(super) fn required(name: &str, text: Option<String>) -> Result<String, EventError> {
    match text {
        Some(text) if text.is_empty() => Err(EventError::unexpected(name, "a text that is not empty", &text.into())),
        Some(text) => Ok(text),
        None => Err(EventError::Missing(name.into())),
    }
}

/// An event of AWS by its type in `aws_lambda_events`, refused by the name of the field that is missing or has another type.
pub(super) fn typed<T: DeserializeOwned>(event: &Value) -> Result<T, EventError> {
    serde_path_to_error::deserialize(event).map_err(|error| {
        let why = error.inner().to_string();
        let missing = why
            .strip_prefix("missing field `")
            .and_then(|rest| rest.strip_suffix('`'));
        if let Some(name) = missing {
            return EventError::Missing(name.into());
        }
        let path = error.path().to_string();
        let name = path.split(['[', '.']).next().unwrap_or_default();
        let expected = match name {
            "time" => "a time (ISO 8601)",
            "resources" => "a list of texts",
            "eventLeftScope" => "true or false",
            _ => "a text",
        };
        EventError::unexpected(path.as_str(), expected, event.get(name).unwrap_or(event))
    })
}
