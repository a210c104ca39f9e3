//! Why settings are refused, and what single values have to look like.

use std::fmt;

use serde::Serialize;

use crate::Arn;

/// Why settings were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It is not even YAML.
    #[error("the settings can't be read: {place}{what}")]
    Unreadable {
        /// Where it breaks off.
        place: Place,
        /// What was expected, and what is to be done.
        what: String,
    },
    /// A setting does not exist, has the wrong type or value, or is at odds with another.
    #[error("the settings can't be used: {place}{path}: {what}")]
    Refused {
        /// The setting.
        path: String,
        /// Where it is.
        place: Place,
        /// What was expected, what was found, and what to write instead.
        what: String,
    },
}

impl SettingsError {
    /// Where it is.
    pub fn place(&self) -> Place {
        match self {
            Self::Unreadable { place, .. } | Self::Refused { place, .. } => *place,
        }
    }

    /// The setting; none where it is the text as a whole.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Unreadable { .. } => None,
            Self::Refused { path, .. } => Some(path),
        }
    }

    /// What was expected, what was found, and what to write instead.
    pub fn what(&self) -> &str {
        match self {
            Self::Unreadable { what, .. } | Self::Refused { what, .. } => what,
        }
    }
}

/// A place in the text of settings; none where what is wrong is written nowhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// From 1 on.
    pub line: Option<u64>,
    /// From 1 on.
    pub column: Option<u64>,
}

impl fmt::Display for Place {
    /// As what comes before the setting: `line 3 column 5: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, "line {line} column {column}: "),
            _ => Ok(()),
        }
    }
}

/// A setting's path and what is wrong with it.
pub type Wrong = (String, String);

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The ARN of one key: all that works wherever keys are compared, as a key's id or alias may stand for another one elsewhere.
pub fn is_key(text: &str) -> Result<(), String> {
    let arn = text.parse::<Arn>().ok().filter(|arn| {
        let id = arn.resource.strip_prefix("key/").unwrap_or_default();
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        arn.service == "kms" && is_account(&arn.account) && !arn.region.is_empty() && is_id
    });
    if arn.is_some() {
        return Ok(());
    }
    Err(format!(
        "expected the ARN of a key, as in arn:…:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab, found \
         {text:?}; an id or an alias is not enough: `aws kms describe-key --key-id ID-OR-ALIAS --query KeyMetadata.Arn` tells the ARN"
    ))
}

/// `; did you mean …?` for a name that is nearly one of those known.
pub fn nearest(name: &str, known: &[&str]) -> String {
    let distance = |other: &str| {
        let other: Vec<char> = other.chars().collect();
        let mut row: Vec<usize> = (0..=other.len()).collect();
        for (at, letter) in name.chars().enumerate() {
            let mut before = std::mem::replace(&mut row[0], at + 1);
            for (column, expected) in other.iter().enumerate() {
                let replaced = before + usize::from(letter != *expected);
                before = row[column + 1];
                row[column + 1] = replaced.min(before + 1).min(row[column] + 1);
            }
        }
        row[other.len()]
    };
    known
        .iter()
        .map(|other| (distance(other), other))
        .min()
        .filter(|(distance, _)| *distance <= name.len().div_ceil(3))
        .map_or_else(String::new, |(_, other)| format!("; did you mean {other}?"))
}
