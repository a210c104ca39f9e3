//! Conditions: their operators, and what they say of a value.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Creating a condition with multiple keys
//! or values".

use std::net::IpAddr;

use crate::glob::Glob;
use crate::network::Cidr;
use crate::template::Template;
use crate::time;

/// What can be said of a condition, a statement or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It does not hold.
    No,
    /// It can't be decided.
    Maybe,
    /// It holds.
    Yes,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl Truth {
    pub(crate) fn and(self, other: Self) -> Self {
        self.min(other)
    }

    pub(crate) fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Exact text.
    Equals,
    /// Text without regard to case.
    EqualsIgnoreCase,
    /// Text with wildcards.
    Like,
    /// ARNs by component, with wildcards; `ArnEquals` and `ArnLike` are the same.
    Arn,
    /// Addresses within a range.
    Ip,
    /// Numbers: equal, less, less or equal, greater, greater or equal.
    Numeric(Order),
    /// Dates, likewise.
    Date(Order),
    /// `true` or `false`.
    Bool,
    /// Whether the key is missing.
    Null,
    /// An operator that the policy language does not have.
    Unknown,
}

/// How numbers and dates are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Order {
    fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// A set operator before the colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// None: for keys with one value.
    Single,
    /// `ForAllValues:`, true when the key is missing.
    All,
    /// `ForAnyValue:`, false when the key is missing.
    Any,
}

/// A condition operator, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Operator {
    /// How values are compared.
    pub comparison: Comparison,
    /// `…Not…`: true if no value matches.
    pub negated: bool,
    /// `…IfExists`: true if the key is missing.
    pub if_exists: bool,
    /// The set operator.
    pub quantifier: Quantifier,
    /// As it stands in the policy.
    pub name: String,
}

impl Operator {
    /// Reads an operator's name; case does not matter.
    pub fn parse(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let (quantifier, rest) = if let Some(rest) = lower.strip_prefix("forallvalues:") {
            (Quantifier::All, rest)
        } else if let Some(rest) = lower.strip_prefix("foranyvalue:") {
            (Quantifier::Any, rest)
        } else {
            (Quantifier::Single, lower.as_str())
        };
        let (rest, if_exists) = rest.strip_suffix("ifexists").map_or((rest, false), |rest| (rest, true));
        let (comparison, negated) = comparison(rest);
        Self {
            comparison,
            negated,
            if_exists,
            quantifier,
            name: name.to_owned(),
        }
    }

    /// Whether it is one that narrows an Allow when its key is missing or differs.
    pub(crate) fn is_limiting(&self) -> bool {
        !self.negated && !self.if_exists && self.quantifier != Quantifier::All
    }
}

fn comparison(name: &str) -> (Comparison, bool) {
    use Comparison::{Arn, Bool, Date, Equals, EqualsIgnoreCase, Ip, Like, Null, Numeric, Unknown};
    match name {
        "stringequals" | "binaryequals" => (Equals, false),
        "stringnotequals" => (Equals, true),
        "stringequalsignorecase" => (EqualsIgnoreCase, false),
        "stringnotequalsignorecase" => (EqualsIgnoreCase, true),
        "stringlike" => (Like, false),
        "stringnotlike" => (Like, true),
        "arnequals" | "arnlike" => (Arn, false),
        "arnnotequals" | "arnnotlike" => (Arn, true),
        "ipaddress" => (Ip, false),
        "notipaddress" => (Ip, true),
        "bool" => (Bool, false),
        "null" => (Null, false),
        _ => {
            let dated = name.strip_prefix("date");
            let order = match dated.or_else(|| name.strip_prefix("numeric")) {
                Some("equals" | "notequals") => Order::Equal,
                Some("lessthan") => Order::Less,
                Some("lessthanequals") => Order::LessOrEqual,
                Some("greaterthan") => Order::Greater,
                Some("greaterthanequals") => Order::GreaterOrEqual,
                _ => return (Unknown, false),
            };
            (
                if dated.is_some() { Date(order) } else { Numeric(order) },
                name.ends_with("notequals"),
            )
        }
    }
}

/// A value, ready to compare.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Text(String),
    Glob(Glob),
    /// An ARN pattern without six components: evaluators differ on it.
    LooseArn(Glob),
    Cidr(Cidr),
    Number(f64),
    Moment(f64),
    Bool(bool),
    /// A value that its operator can't read: matches nothing.
    Invalid,
}

/// One key of one operator of one statement.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The operator.
    pub operator: Operator,
    /// The key, in lower case: key names are case-insensitive.
    pub key: String,
    /// The values, one of which has to match.
    pub values: Vec<Template>,
    pub(crate) patterns: Vec<Option<Pattern>>,
}

impl Condition {
    pub(crate) fn new(operator: Operator, key: &str, values: Vec<Template>) -> Self {
        let patterns = values
            .iter()
            .map(|value| (!value.has_variables()).then(|| compile(operator.comparison, value, &|_| None)))
            .collect();
        Self {
            operator,
            key: key.to_ascii_lowercase(),
            values,
            patterns,
        }
    }

    /// The keys that its values depend on.
    pub(crate) fn linked(&self) -> impl Iterator<Item = &str> {
        self.values.iter().flat_map(Template::variables)
    }

    /// Its patterns with wildcards that don't depend on the request.
    pub(crate) fn globs(&self) -> impl Iterator<Item = &Glob> {
        self.patterns.iter().flatten().filter_map(|pattern| match pattern {
            Pattern::Glob(glob) | Pattern::LooseArn(glob) if !glob.is_literal() => Some(glob),
            _ => None,
        })
    }

    /// What it says of a request whose key has these values (`None`: the key is missing).
    ///
    /// `granting` is true for an Allow. Where evaluators are known to differ, the wider reading is taken: a grant
    /// holds, a Deny does not.
    pub(crate) fn holds(
        &self,
        actual: Option<&[String]>,
        lookup: &dyn Fn(&str) -> Option<String>,
        granting: bool,
    ) -> Truth {
        let operator = &self.operator;
        if operator.comparison == Comparison::Unknown {
            return Truth::Maybe;
        }
        if operator.comparison == Comparison::Null {
            let missing = actual.is_none_or(<[String]>::is_empty);
            return self
                .values
                .iter()
                .any(|value| is_true(value.source()) == Some(missing))
                .into();
        }
        let Some(actual) = actual.filter(|actual| !actual.is_empty()) else {
            // "ForAllValues" is true, "ForAnyValue" false, a negated operator true.
            return match operator.quantifier {
                Quantifier::All => true,
                Quantifier::Any => operator.if_exists,
                Quantifier::Single => operator.if_exists || operator.negated,
            }
            .into();
        };
        if self.values.is_empty() && operator.negated {
            // Documentation says nothing on an empty list under a negated operator.
            return Truth::Maybe;
        }
        let one = |value: &String| self.one(value, lookup, granting);
        match operator.quantifier {
            // For a key with several values, AWS wants a set operator; it behaves as ForAnyValue without one, negated
            // operators as the opposite of that.
            Quantifier::All => actual.iter().map(one).min().unwrap_or(Truth::Yes),
            Quantifier::Single if operator.negated => actual.iter().map(one).min().unwrap_or(Truth::Yes),
            Quantifier::Any | Quantifier::Single => actual.iter().map(one).max().unwrap_or(Truth::No),
        }
    }

    fn one(&self, actual: &str, lookup: &dyn Fn(&str) -> Option<String>, granting: bool) -> Truth {
        let negated = self.operator.negated;
        let mut matched = Truth::No;
        for (value, pattern) in self.values.iter().zip(&self.patterns) {
            let compiled;
            let pattern = if let Some(pattern) = pattern {
                pattern
            } else {
                // A variable without a value matches nothing; whether its negation then holds is not documented.
                if value.variables().any(|key| lookup(key).is_none()) && value.literal(lookup).is_none() {
                    matched = matched.max(if negated { Truth::Maybe } else { Truth::No });
                    continue;
                }
                compiled = compile(self.operator.comparison, value, lookup);
                &compiled
            };
            let found = match pattern {
                // A grant is read as open, a Deny as not applying. Of a star alone, the meaning is plain enough.
                Pattern::LooseArn(glob) if granting && !negated && value.source() != "*" => {
                    matched = matched.max(if glob.matches(actual) { Truth::Maybe } else { Truth::No });
                    continue;
                }
                Pattern::LooseArn(glob) => granting != negated && glob.matches(actual),
                pattern => matches(self.operator.comparison, pattern, actual),
            };
            if found {
                matched = Truth::Yes;
                break;
            }
        }
        if negated { matched.not() } else { matched }
    }
}

fn compile(comparison: Comparison, value: &Template, lookup: &dyn Fn(&str) -> Option<String>) -> Pattern {
    let glob = || value.glob(lookup);
    let text = || value.literal(lookup);
    let pattern = match comparison {
        Comparison::Like => glob().map(Pattern::Glob),
        Comparison::Arn => glob().map(|glob| match glob.clone().into_arn() {
            Some(arn) => Pattern::Glob(arn),
            None => Pattern::LooseArn(glob),
        }),
        Comparison::Ip => text().and_then(|text| Cidr::parse(&text)).map(Pattern::Cidr),
        Comparison::Numeric(_) => text().and_then(|text| text.trim().parse().ok()).map(Pattern::Number),
        Comparison::Date(_) => text().and_then(|text| time::parse(&text)).map(Pattern::Moment),
        Comparison::Bool => text().and_then(|text| is_true(&text)).map(Pattern::Bool),
        Comparison::Equals | Comparison::EqualsIgnoreCase | Comparison::Null | Comparison::Unknown => {
            text().map(Pattern::Text)
        }
    };
    pattern.unwrap_or(Pattern::Invalid)
}

fn matches(comparison: Comparison, pattern: &Pattern, actual: &str) -> bool {
    match (pattern, comparison) {
        (Pattern::Text(text), Comparison::EqualsIgnoreCase) => text.to_lowercase() == actual.to_lowercase(),
        (Pattern::Text(text), _) => text == actual,
        (Pattern::Glob(glob) | Pattern::LooseArn(glob), _) => glob.matches(actual),
        (Pattern::Cidr(cidr), _) => actual.parse::<IpAddr>().is_ok_and(|address| cidr.contains(address)),
        (Pattern::Number(number), Comparison::Numeric(order)) => actual
            .trim()
            .parse::<f64>()
            .ok()
            .and_then(|actual| actual.partial_cmp(number))
            .is_some_and(|o| order.holds(o)),
        (Pattern::Moment(moment), Comparison::Date(order)) => time::parse(actual)
            .and_then(|actual| actual.partial_cmp(moment))
            .is_some_and(|o| order.holds(o)),
        (Pattern::Bool(expected), _) => is_true(actual) == Some(*expected),
        _ => false,
    }
}

pub(crate) fn is_true(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
