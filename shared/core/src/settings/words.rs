//! Why a text is no settings, in words: the setting, where it is, what was expected, what was found, what to write instead.

use serde_saphyr::{Error, MessageFormatter as _, UserMessageFormatter};

use super::error::{Place, SettingsError, nearest};
use super::locate::{Tree, place_of};

/// Why a text is no YAML.
pub(super) fn broken(error: &Error) -> SettingsError {
    let error = error.without_snippet();
    let place = error.location().map(place_of).unwrap_or_default();
    match error {
        Error::DuplicateMappingKey { key, .. } => SettingsError::Refused {
            path: key.clone().unwrap_or_else(|| "a key".into()),
            place,
            what: "expected each setting once, found it a second time; put both together, or take out one".into(),
        },
        Error::MultipleDocuments { .. } => {
            let what = "expected one YAML document, found a second one; take out the line --- before it";
            unreadable(place, what)
        }
        error => {
            let what = UserMessageFormatter.format_message(error);
            let what = format!("expected YAML: {}", what.lines().next().unwrap_or_default());
            unreadable(place, &what)
        }
    }
}

/// Why YAML is no settings: `path` is the setting that was being read, `sections` are those that services have for themselves.
pub(super) fn unfit(tree: &Tree, path: &str, error: &Error, sections: &[&str]) -> SettingsError {
    let error = error.without_snippet();
    let place = error.location().map(place_of).unwrap_or_default();
    let within = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    let refused = |path: String, what: String| {
        let written = tree.place(&path);
        SettingsError::Refused {
            place: if written == Place::default() { place } else { written },
            path,
            what,
        }
    };
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            // The path has the key already where it was being read.
            let whole = path == field || path.ends_with(&format!(".{field}"));
            let is_top = path.is_empty() || path == field;
            let expected = [expected.as_slice(), if is_top { sections } else { &[] }].concat();
            let meant = nearest(field, &expected);
            let what = format!("expected one of {}, found no such setting{meant}", expected.join(", "));
            refused(if whole { path.to_owned() } else { within(field) }, what)
        }
        Error::SerdeMissingField { field, .. } => {
            let (expected, example) = form(&within(field), None);
            let what = format!("expected {expected}, found nothing; write {field}: {example}");
            refused(within(field), what)
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let meant = nearest(variant, expected);
            let what = format!("expected {}, found {variant:?}{meant}", expected.join(" or "));
            refused(path.to_owned(), what)
        }
        error => {
            let what = tree.found(path).unwrap_or_else(|| "something else".into());
            let (expected, example) = form(path, kind_of(error).as_deref());
            let example = instead(path, &what).unwrap_or(example);
            let what = format!("expected {expected}, found {what}; write {example}");
            if path.is_empty() {
                return unreadable(place, &what);
            }
            refused(path.to_owned(), what)
        }
    }
}

pub(super) fn unreadable(place: Place, what: &str) -> SettingsError {
    SettingsError::Unreadable {
        place,
        what: what.to_owned(),
    }
}

/// What a type expected, in the words of the reader.
fn kind_of(error: &Error) -> Option<String> {
    match error {
        Error::InvalidScalar { ty, .. } => Some((*ty).to_owned()),
        Error::Unexpected { expected, .. } => Some((*expected).to_owned()),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => Some(expected.clone()),
        Error::InvalidBooleanStrict { .. } => Some("bool".into()),
        Error::NullIntoString { .. } | Error::TaggedScalarCannotDeserializeIntoString { .. } => Some("string".into()),
        _ => None,
    }
}

/// What a setting looks like, and an example of it: by its name where that tells more than its type.
fn form(path: &str, kind: Option<&str>) -> (String, String) {
    let text = |expected: &str, example: &str| (expected.to_owned(), example.to_owned());
    let name = path.rsplit('.').next().unwrap_or_default();
    let name = name.split('[').next().unwrap_or_default();
    let listed = path.ends_with(']');
    match name {
        "" => return text("settings by their names", "mode: enforce"),
        "grace" | "window" => return text("a duration in hours and minutes", "24h, 90m or 1h 30m"),
        "until" => return text("a moment with its time zone", "2027-03-01T00:00:00Z"),
        "control" => return text("the id of a control, or \"*\" for all", "s3-bucket-tls-only"),
        "reason" => return text("why it is exempt", "\"old scanners, TICKET-1\""),
        "owner" => return text("who answers for it", "ana"),
        "tag" if path.starts_with("exemptions") => return text("a tag's key and value", "{key: Exempt, value: drill}"),
        "exemptions" if listed => {
            return text(
                "an exemption",
                "{control: …, resource: …, reason: …, owner: …, until: 2027-03-01T00:00:00Z}",
            );
        }
        "exemptions" => return text("a list of exemptions", "[] for none"),
        _ => {}
    }
    let kind = kind.unwrap_or_default();
    let whole = |most: u64| (format!("a whole number from 0 to {most}"), "it in digits".to_owned());
    match kind {
        _ if kind.contains("u8") => whole(u64::from(u8::MAX)),
        _ if kind.contains("u16") => whole(u64::from(u16::MAX)),
        _ if kind.contains("u32") => whole(u64::from(u32::MAX)),
        _ if kind.contains("bool") => text("true or false", "true or false"),
        _ if kind.contains("sequence") => text("a list", "it as [a, b], or [] for none"),
        _ if kind.contains("map") || kind.contains("struct") => {
            text("settings by their names", "{name: value}, or {} for the defaults")
        }
        _ if kind.contains("enum") || kind.contains("variant") => {
            text("one of its words", "one of those in portcullis.yaml")
        }
        _ => text("a text", "it as one text, in quotes"),
    }
}

/// What was meant, where that can be told.
fn instead(path: &str, found: &str) -> Option<String> {
    let name = path.rsplit('.').next().unwrap_or_default();
    let text = found.trim_matches('"');
    match name {
        "grace" | "window" => {
            let days: u64 = text.strip_suffix('d')?.trim().parse().ok()?;
            Some(format!("{}h", days * 24))
        }
        "until" => {
            let date: jiff::civil::Date = text.parse().ok()?;
            (text.len() == 10).then(|| format!("{date}T00:00:00Z"))
        }
        _ => None,
    }
}
