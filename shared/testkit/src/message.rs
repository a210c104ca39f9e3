//! What was published to a topic, as a subscriber would see it.

use std::collections::BTreeMap;

use serde_json::Value;

/// One published message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The subject line; empty if there was none.
    pub subject: String,
    /// The text that a person gets: the part for e-mail, or the default one.
    pub text: String,
    /// The document that a machine gets: the first part that is a JSON object; null if no part is one.
    pub json: Value,
    /// The parts by protocol (`default`, `email`, `sqs`, …); only `default` if the message was plain text.
    pub parts: BTreeMap<String, String>,
    /// The message attributes by name; a list stays the JSON text that SNS carries.
    pub attributes: BTreeMap<String, String>,
}

impl Message {
    /// Reads an entry of the launcher's list.
    pub(crate) fn parse(entry: &Value) -> Self {
        let raw = entry["message"].as_str().unwrap_or_default();
        let structured = entry["message_structure"].as_str() == Some("json");
        let parts: BTreeMap<String, String> = structured
            .then(|| serde_json::from_str(raw).ok())
            .flatten()
            .unwrap_or_else(|| BTreeMap::from([("default".to_owned(), raw.to_owned())]));
        let part = |name: &str| parts.get(name).cloned();
        let attributes = entry["attributes"].as_object().into_iter().flatten();
        Self {
            subject: entry["subject"].as_str().unwrap_or_default().to_owned(),
            text: part("email").or_else(|| part("default")).unwrap_or_default(),
            json: parts
                .values()
                .filter_map(|part| serde_json::from_str(part).ok())
                .find(Value::is_object)
                .unwrap_or_default(),
            attributes: attributes
                .map(|(name, value)| (name.clone(), attribute(value)))
                .collect(),
            parts,
        }
    }
}

/// The text of an attribute: the value itself, or the member that carries it beside its type.
fn attribute(value: &Value) -> String {
    let carried = ["Value", "StringValue", "value", "string_value"]
        .iter()
        .find_map(|member| value.get(member));
    match carried.unwrap_or(value) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_structured_message_has_a_text_and_a_document() {
        let message = Message::parse(&json!({
            "subject": "[portcullis] HIGH",
            "message": json!({"default": "bucket was public", "sqs": "{\"version\":1}"}).to_string(),
            "message_structure": "json",
            "attributes": {
                "severity": {"Type": "String", "Value": "HIGH"},
                "controls": {"Type": "String.Array", "Value": "[\"a\",\"b\"]"},
                "region": "us-east-1",
            },
        }));
        assert_eq!(message.subject, "[portcullis] HIGH");
        assert_eq!(message.text, "bucket was public");
        assert_eq!(message.json, json!({"version": 1}));
        assert_eq!(message.attributes["severity"], "HIGH");
        assert_eq!(message.attributes["controls"], r#"["a","b"]"#);
        assert_eq!(message.attributes["region"], "us-east-1");
    }

    #[test]
    fn a_plain_message_is_its_own_text_even_if_it_looks_structured() {
        let raw = r#"{"default":"x"}"#;
        let message = Message::parse(&json!({"subject": null, "message": raw, "message_structure": null}));
        assert_eq!((message.subject.as_str(), message.text.as_str()), ("", raw));
        assert_eq!(message.parts.len(), 1);
    }
}
