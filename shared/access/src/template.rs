//! Values of a policy: text with wildcards and policy variables.
//!
//! Source: IAM User Guide, "IAM policy elements: Variables and tags".

use crate::glob::{Glob, Token};

/// One piece of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text, in which `*` and `?` are wildcards where the operator has them.
    Text(String),
    /// `${*}`, `${?}`, `${$}`: that character itself.
    Escaped(char),
    /// `${key}` or `${key, 'default'}`; the key in lower case.
    Variable { key: String, default: Option<String> },
}

/// A value of a condition or a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub(crate) source: String,
    pub(crate) parts: Vec<Part>,
}

impl Template {
    /// Reads a value; without `variables` (before version 2012-10-17), `${…}` is plain text.
    pub fn parse(source: &str, variables: bool) -> Self {
        let mut parts = Vec::new();
        let mut rest = source;
        while variables && !rest.is_empty() {
            let Some(start) = rest.find("${") else { break };
            let Some(length) = rest[start..].find('}') else { break };
            if start > 0 {
                parts.push(Part::Text(rest[..start].to_owned()));
            }
            let inner = &rest[start + 2..start + length];
            parts.push(match inner {
                "*" => Part::Escaped('*'),
                "?" => Part::Escaped('?'),
                "$" => Part::Escaped('$'),
                _ => variable(inner),
            });
            rest = &rest[start + length + 1..];
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Self {
            source: source.to_owned(),
            parts,
        }
    }

    /// Reads a resource. API Gateway takes one without the API, which is whatever API the policy is on, and writes it out when
    /// the policy is saved (API Gateway Developer Guide, "API Gateway resource policy examples").
    pub(crate) fn of_resource(source: &str, variables: bool) -> Self {
        match source.strip_prefix("execute-api:/") {
            Some(rest) => Self {
                source: source.to_owned(),
                ..Self::parse(&format!("arn:*:execute-api:*:*:*/{rest}"), variables)
            },
            None => Self::parse(source, variables),
        }
    }

    /// The text as it stands in the policy.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The keys that the value depends on.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable { key, .. } => Some(key.as_str()),
            _ => None,
        })
    }

    /// The plain text before and after its one variable.
    pub(crate) fn around(&self) -> Option<(&str, &str)> {
        match self.parts.as_slice() {
            [Part::Variable { .. }] => Some(("", "")),
            [Part::Text(before), Part::Variable { .. }] => Some((before, "")),
            [Part::Variable { .. }, Part::Text(after)] => Some(("", after)),
            [Part::Text(before), Part::Variable { .. }, Part::Text(after)] => Some((before, after)),
            _ => None,
        }
    }

    /// Whether it depends on the request.
    pub fn has_variables(&self) -> bool {
        self.variables().next().is_some()
    }

    /// Whether it has a wildcard.
    pub fn has_wildcard(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Text(text) if text.contains(['*', '?'])))
    }

    /// The value as plain text, wildcards taken literally; `None` if a variable has no value.
    pub(crate) fn literal(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Escaped(character) => text.push(*character),
                Part::Variable { key, default } => text.push_str(&lookup(key).or_else(|| default.clone())?),
            }
        }
        Some(text)
    }

    /// The value as a pattern; a variable's value is literal in it, so a star in a user name is no wildcard.
    pub(crate) fn glob(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Option<Glob> {
        let mut tokens = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(piece) => tokens.extend(Glob::new(piece).into_tokens()),
                Part::Escaped(character) => tokens.push(Token::Char(*character)),
                Part::Variable { key, default } => {
                    let value = lookup(key).or_else(|| default.clone())?;
                    tokens.extend(value.chars().map(Token::Char));
                }
            }
        }
        Some(Glob::from_tokens(tokens))
    }
}

fn variable(inner: &str) -> Part {
    let (key, default) = match inner.split_once(',') {
        Some((key, default)) => {
            let default = default.trim();
            let quoted = default.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            (key, Some(quoted.unwrap_or(default).to_owned()))
        }
        None => (inner, None),
    };
    Part::Variable {
        key: key.trim().to_ascii_lowercase(),
        default,
    }
}
