//! Policy documents, read as tolerantly as AWS reads them and kept byte for byte.
//!
//! Source: IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy elements reference".

use std::collections::HashSet;
use std::ops::Range;

use serde_json::value::RawValue;

use crate::condition::{Condition, Operator};
use crate::error::PolicyError;
use crate::glob::Glob;
use crate::json::{Elements, Members, kind, span};
use crate::service::{MOST_BYTES, Service};
use crate::template::Template;

/// No service takes a larger policy; it bounds the time a hostile text can cost.
pub const MAX_POLICY_BYTES: usize = MOST_BYTES;

/// The effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `Allow`
    Allow,
    /// `Deny`
    Deny,
    /// Anything else, such as `allow`: AWS refuses it (the value is case-sensitive), so it grants and denies nothing.
    Neither,
}

/// A kind of principal, as the keys of a `Principal` object name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// Accounts, users, roles, sessions, or `*`.
    Aws,
    /// An AWS service principal.
    Service,
    /// An identity provider.
    Federated,
    /// An S3 canonical user.
    CanonicalUser,
    /// A kind that AWS does not have: matches nobody.
    Unknown,
}

/// One principal of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its kind.
    pub kind: PrincipalKind,
    /// Its text.
    pub value: String,
}

impl Principal {
    /// `"*"`, `{"AWS": "*"}`: everyone, anonymous callers included.
    pub fn is_everyone(&self) -> bool {
        self.kind == PrincipalKind::Aws && self.value == "*"
    }
}

/// A list of patterns, or everything but it (`NotAction`, `NotPrincipal`, `NotResource`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection<T> {
    /// True for the `Not…` element.
    pub negated: bool,
    /// The listed values.
    pub values: Vec<T>,
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its id, if it has one. Ids may repeat; address statements by index.
    pub sid: Option<String>,
    /// Allow or Deny.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`; `None` when neither is there.
    pub principals: Option<Selection<Principal>>,
    /// `Action` or `NotAction`; `None` when neither is there.
    pub actions: Option<Selection<String>>,
    /// `Resource` or `NotResource`; `None` when neither is there.
    pub resources: Option<Selection<Template>>,
    /// All conditions, which must all hold.
    pub conditions: Vec<Condition>,
    /// A key occurs twice in it, so what it means depends on the reader.
    pub doubtful: bool,
    /// Where it stands in the text.
    pub span: Range<usize>,
    pub(crate) text: String,
    pub(crate) elements: Vec<(String, Range<usize>)>,
    /// The actions as patterns of lower case.
    pub(crate) action_globs: Vec<Glob>,
    /// The resources as patterns, where they don't depend on the request.
    pub(crate) resource_globs: Vec<Option<Glob>>,
}

impl Statement {
    /// Its text, byte for byte.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A policy document, parsed, with its text kept.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) text: String,
    pub(crate) statements: Vec<Statement>,
    pub(crate) list: Option<Range<usize>>,
    pub(crate) single: bool,
    /// Policy variables are replaced (version 2012-10-17).
    pub(crate) variables: bool,
    pub(crate) duplicates: Vec<String>,
    /// Where a key occurs twice, what readers make of it that take the first or the last.
    pub(crate) readings: Vec<Policy>,
}

/// Which of the members of an object with the same key a reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    All,
    First,
    Last,
}

const TOP: &str = "Version, Id, Statement";
const IN_STATEMENT: &str = "Sid, Effect, Principal, NotPrincipal, Action, NotAction, Resource, NotResource, Condition";

impl Policy {
    /// Reads a policy document.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLarge {
                size: text.len(),
                limit: MAX_POLICY_BYTES,
            });
        }
        let mut policy = Self::read(text, Reading::All)?;
        if !policy.duplicates.is_empty() {
            policy.readings = vec![Self::read(text, Reading::First)?, Self::read(text, Reading::Last)?];
        }
        Ok(policy)
    }

    /// Reads a policy document of a service, which refuses what is larger than it takes.
    pub fn parse_for(service: Service, text: &str) -> Result<Self, PolicyError> {
        let (size, limit) = (service.size(text), service.most_bytes());
        if size > limit {
            return Err(PolicyError::TooLargeFor { service, size, limit });
        }
        Self::parse(text)
    }

    fn read(text: &str, reading: Reading) -> Result<Self, PolicyError> {
        let mut reader = Reader {
            text,
            duplicates: Vec::new(),
            variables: false,
            reading,
        };
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| PolicyError::Json {
            line: error.line(),
            column: error.column(),
            message: error.to_string(),
        })?;
        let mut statement_values = Vec::new();
        let mut version = None;
        for (name, value) in reader.all_members(raw, "the policy")? {
            match name.to_ascii_lowercase().as_str() {
                "version" if reading != Reading::First || version.is_none() => version = Some(value),
                "version" => {}
                "id" => drop(reader.string(value, "Id")?),
                "statement" => statement_values.push(value),
                _ => return Err(reader.unknown(raw, "the policy", &name, TOP)),
            }
        }
        if let Some(value) = version {
            reader.variables = reader.version(value)?;
        }
        let Some(statement_value) = statement_values.last() else {
            let offset = span(text, raw.get()).start;
            return Err(PolicyError::Missing {
                place: "the policy".to_owned(),
                offset,
                name: "Statement",
            });
        };
        let repeated = statement_values.len() > 1;
        let mut statements = Vec::new();
        let mut list = None;
        let single = kind(statement_value.get()) == "an object";
        for value in &statement_values {
            match kind(value.get()) {
                "an object" => statements.push(reader.statement(value, statements.len())?),
                "a list" => {
                    list = Some(span(text, value.get()));
                    for element in reader.elements(value, "Statement")? {
                        statements.push(reader.statement(element, statements.len())?);
                    }
                }
                found => return Err(reader.unexpected(value, "Statement", "a statement or a list of them", found)),
            }
        }
        // What is said twice of the whole policy leaves every statement in doubt.
        if repeated
            || reader
                .duplicates
                .iter()
                .any(|key| key.eq_ignore_ascii_case("the policy: version"))
        {
            for statement in &mut statements {
                statement.doubtful = true;
            }
        }
        let Reader {
            duplicates, variables, ..
        } = reader;
        Ok(Self {
            text: text.to_owned(),
            statements,
            list,
            single,
            variables,
            duplicates,
            readings: Vec::new(),
        })
    }

    /// Reads a single statement as this policy would.
    pub(crate) fn read_statement(&self, text: &str) -> Result<Statement, PolicyError> {
        let mut reader = Reader {
            text,
            duplicates: Vec::new(),
            variables: self.variables,
            reading: Reading::All,
        };
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| PolicyError::Json {
            line: error.line(),
            column: error.column(),
            message: error.to_string(),
        })?;
        reader.statement(raw, 0)
    }

    /// The statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The text as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Keys that occur twice in one object. AWS's parsers need not agree on them, so nothing edits such a policy.
    pub fn duplicate_keys(&self) -> &[String] {
        &self.duplicates
    }

    /// Whether policy variables are replaced: only in version 2012-10-17 (IAM User Guide, "Version").
    pub fn has_variables(&self) -> bool {
        self.variables
    }
}

struct Reader<'a> {
    text: &'a str,
    duplicates: Vec<String>,
    variables: bool,
    reading: Reading,
}

type Pairs<'a> = Vec<(std::borrow::Cow<'a, str>, &'a RawValue)>;

impl<'a> Reader<'a> {
    fn unexpected(&self, raw: &RawValue, place: &str, expected: &'static str, found: &str) -> PolicyError {
        PolicyError::Unexpected {
            place: place.to_owned(),
            offset: span(self.text, raw.get()).start,
            expected,
            found: found.to_owned(),
        }
    }

    fn unknown(&self, raw: &RawValue, place: &str, name: &str, expected: &'static str) -> PolicyError {
        let offset = span(self.text, raw.get()).start;
        PolicyError::UnknownElement {
            place: place.to_owned(),
            offset,
            name: name.to_owned(),
            expected,
        }
    }

    /// All members of an object. Repeated keys are noted.
    fn all_members(&mut self, raw: &'a RawValue, place: &str) -> Result<Pairs<'a>, PolicyError> {
        let members: Members =
            serde_json::from_str(raw.get()).map_err(|_| self.unexpected(raw, place, "an object", kind(raw.get())))?;
        let mut seen = HashSet::new();
        for (name, _) in &members.0 {
            if !seen.insert(name.to_ascii_lowercase()) {
                self.duplicates.push(format!("{place}: {name}"));
            }
        }
        Ok(members.0)
    }

    /// The members of an object that this reading takes.
    fn members(&mut self, raw: &'a RawValue, place: &str) -> Result<Pairs<'a>, PolicyError> {
        let before = self.duplicates.len();
        let mut members = self.all_members(raw, place)?;
        if self.duplicates.len() == before || self.reading == Reading::All {
            return Ok(members);
        }
        let mut seen = HashSet::new();
        let mut first = |name: &str| seen.insert(name.to_ascii_lowercase());
        if self.reading == Reading::First {
            members.retain(|(name, _)| first(name));
        } else {
            members.reverse();
            members.retain(|(name, _)| first(name));
            members.reverse();
        }
        Ok(members)
    }

    /// Whether that version of the language has policy variables.
    fn version(&self, raw: &RawValue) -> Result<bool, PolicyError> {
        let found = self.string(raw, "Version")?;
        match found.as_str() {
            "2012-10-17" => Ok(true),
            "2008-10-17" => Ok(false),
            _ => Err(PolicyError::Value {
                place: "Version".to_owned(),
                offset: span(self.text, raw.get()).start,
                expected: "a version of the policy language (2012-10-17 or 2008-10-17)",
                found,
            }),
        }
    }

    fn elements(&self, raw: &'a RawValue, place: &str) -> Result<Vec<&'a RawValue>, PolicyError> {
        serde_json::from_str::<Elements>(raw.get())
            .map(|elements| elements.0)
            .map_err(|_| self.unexpected(raw, place, "a list", kind(raw.get())))
    }

    fn string(&self, raw: &RawValue, place: &str) -> Result<String, PolicyError> {
        serde_json::from_str(raw.get()).map_err(|_| self.unexpected(raw, place, "a string", kind(raw.get())))
    }

    /// A string, or a number or boolean by its text: AWS takes both for condition values and account ids.
    fn scalar(&self, raw: &RawValue, place: &str) -> Result<String, PolicyError> {
        match kind(raw.get()) {
            "a string" => self.string(raw, place),
            "a number" | "a boolean" => Ok(raw.get().trim().to_owned()),
            found => Err(self.unexpected(raw, place, "a string, number or boolean", found)),
        }
    }

    fn scalars(&self, raw: &'a RawValue, place: &str) -> Result<Vec<String>, PolicyError> {
        if kind(raw.get()) == "a list" {
            self.elements(raw, place)?
                .into_iter()
                .map(|element| self.scalar(element, place))
                .collect()
        } else {
            Ok(vec![self.scalar(raw, place)?])
        }
    }

    fn statement(&mut self, raw: &'a RawValue, index: usize) -> Result<Statement, PolicyError> {
        let place = format!("Statement[{index}]");
        let before = self.duplicates.len();
        let members = self.members(raw, &place)?;
        let mut statement = Statement {
            sid: None,
            effect: Effect::Neither,
            principals: None,
            actions: None,
            resources: None,
            conditions: Vec::new(),
            doubtful: false,
            span: span(self.text, raw.get()),
            text: raw.get().to_owned(),
            elements: Vec::new(),
            action_globs: Vec::new(),
            resource_globs: Vec::new(),
        };
        let mut seen: Vec<String> = Vec::new();
        let mut allows = false;
        for (name, value) in &members {
            let lower = name.to_ascii_lowercase();
            let at = format!("{place}.{name}");
            match lower.as_str() {
                "sid" => statement.sid = Some(self.string(value, &at)?),
                "effect" => {
                    statement.effect = match self.string(value, &at)?.as_str() {
                        "Allow" => Effect::Allow,
                        "Deny" => Effect::Deny,
                        _ => Effect::Neither,
                    };
                    allows |= statement.effect == Effect::Allow;
                }
                "principal" | "notprincipal" => {
                    let values = self.principals(value, &at)?;
                    merge(&mut statement.principals, lower == "notprincipal", values);
                }
                "action" | "notaction" => {
                    let values = self.scalars(value, &at)?;
                    merge(&mut statement.actions, lower == "notaction", values);
                }
                "resource" | "notresource" => {
                    let values = self.scalars(value, &at)?;
                    let values = values
                        .iter()
                        .map(|text| Template::of_resource(text, self.variables))
                        .collect();
                    merge(&mut statement.resources, lower == "notresource", values);
                }
                "condition" => statement.conditions.extend(self.conditions(value, &at)?),
                _ => return Err(self.unknown(raw, &place, name, IN_STATEMENT)),
            }
            statement.elements.push((lower.clone(), span(self.text, value.get())));
            seen.push(lower);
        }
        let offset = statement.span.start;
        for (first, second) in [
            ("Principal", "NotPrincipal"),
            ("Action", "NotAction"),
            ("Resource", "NotResource"),
        ] {
            let has = |name: &str| seen.iter().any(|element| element.eq_ignore_ascii_case(name));
            if has(first) && has(second) {
                return Err(PolicyError::Exclusive {
                    place,
                    offset,
                    first,
                    second,
                });
            }
        }
        if !seen.iter().any(|element| element == "effect") {
            return Err(PolicyError::Missing {
                place,
                offset,
                name: "Effect",
            });
        }
        // Two Effects that disagree: a reader may take either, so count the grant and mark it.
        if allows {
            statement.effect = Effect::Allow;
        }
        statement.doubtful = self.duplicates.len() > before;
        let actions = statement.actions.iter().flat_map(|selection| &selection.values);
        statement.action_globs = actions.map(|action| Glob::new(&action.to_ascii_lowercase())).collect();
        let resources = statement.resources.iter().flat_map(|selection| &selection.values);
        statement.resource_globs = resources
            .map(|value| value.glob(&|_| None).filter(|_| !value.has_variables()))
            .collect();
        Ok(statement)
    }

    fn principals(&mut self, raw: &'a RawValue, place: &str) -> Result<Vec<Principal>, PolicyError> {
        if kind(raw.get()) == "a string" {
            // Only "*" may stand alone; any other bare string is refused by AWS and matches nobody.
            let value = self.string(raw, place)?;
            let kind = if value == "*" {
                PrincipalKind::Aws
            } else {
                PrincipalKind::Unknown
            };
            return Ok(vec![Principal { kind, value }]);
        }
        let mut principals = Vec::new();
        for (name, value) in self.members(raw, place)? {
            let kind = match name.to_ascii_lowercase().as_str() {
                "aws" => PrincipalKind::Aws,
                "service" => PrincipalKind::Service,
                "federated" => PrincipalKind::Federated,
                "canonicaluser" => PrincipalKind::CanonicalUser,
                _ => PrincipalKind::Unknown,
            };
            let values = self.scalars(value, &format!("{place}.{name}"))?;
            principals.extend(values.into_iter().map(|value| Principal { kind, value }));
        }
        Ok(principals)
    }

    fn conditions(&mut self, raw: &'a RawValue, place: &str) -> Result<Vec<Condition>, PolicyError> {
        let mut conditions = Vec::new();
        for (operator, block) in self.members(raw, place)? {
            let at = format!("{place}.{operator}");
            for (key, value) in self.members(block, &at)? {
                let values = self.scalars(value, &format!("{at}.{key}"))?;
                let values = values
                    .iter()
                    .map(|text| Template::parse(text, self.variables))
                    .collect();
                conditions.push(Condition::new(Operator::parse(&operator), &key, values));
            }
        }
        Ok(conditions)
    }
}

fn merge<T>(selection: &mut Option<Selection<T>>, negated: bool, values: Vec<T>) {
    match selection {
        Some(existing) => existing.values.extend(values),
        None => *selection = Some(Selection { negated, values }),
    }
}
