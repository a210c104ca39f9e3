//! Explains verdicts in words that a person can act on.

use crate::condition::{Comparison, Condition, Quantifier};
use crate::evaluate::{Caller, Request};
use crate::keys::{Class, class};
use crate::parse::{Policy, Statement};
use crate::verdict::{Note, NoteKind, Offence, S3Verdict, Verdict};

/// How a statement is called in a message.
pub(crate) fn statement_name(statement: &Statement, index: usize) -> String {
    match &statement.sid {
        Some(sid) if !sid.is_empty() => format!("statement {} (\"{sid}\")", index + 1),
        _ => format!("statement {}", index + 1),
    }
}

pub(crate) fn offence(policy: &Policy, index: usize, found: Option<(Verdict, &Request)>, undecided: bool) -> String {
    let statement = &policy.statements()[index];
    let name = statement_name(statement, index);
    let Some((verdict, request)) = found else {
        return format!("{name} has more combinations of conditions than can be tried; it may let anybody in");
    };
    let who = match (&request.caller, verdict) {
        (Caller::Anonymous, _) => "anyone, without signing the request,".to_owned(),
        (Caller::Account { .. }, Verdict::Public) => "any AWS account".to_owned(),
        (Caller::Account { account, arn }, _) => match scope_name(request) {
            Some(organization) => format!("the accounts of organisation {organization}"),
            None if arn.contains(":role/attacker-") => format!("account {account}"),
            None => arn.clone(),
        },
        (Caller::Service { name }, Verdict::Public) => format!("any AWS account, through a service such as {name},"),
        (Caller::Service { name }, _) => format!("{name} on behalf of somebody outside of trust"),
        (Caller::Federated { provider }, Verdict::Public) => format!("any user of {provider}"),
        (Caller::Federated { provider }, _) => format!("users of {provider}"),
        (Caller::Canonical { id }, _) => id.clone(),
    };
    let mut text = format!("{name} lets {who} call {} on {}", request.action, request.resource);
    let with: Vec<String> = statement
        .conditions
        .iter()
        .filter_map(|condition| {
            let (key, values) = (&condition.key, request.context.get(&condition.key)?);
            // What callers choose themselves is used as a shared secret, and words end up in logs.
            Some(match class(key) {
                Class::Free(_) | Class::ServiceContext => format!("the {key} that it asks for"),
                _ => format!("{key} {}", values.join(", ")),
            })
        })
        .collect();
    if !with.is_empty() {
        text += &format!(", for instance with {}", with.join(" and "));
    }
    let because: Vec<String> = statement.conditions.iter().filter_map(weakness).collect();
    if !because.is_empty() {
        text += &format!("; {}", because.join("; "));
    }
    if undecided {
        text += "; whether it really does can't be decided from the policy alone";
    }
    text
}

/// The organisation that a request's caller stands for, if the policy goes by it.
fn scope_name(request: &Request) -> Option<&str> {
    let values = request.context.get("aws:principalorgid")?;
    values
        .first()
        .map(String::as_str)
        .filter(|organization| !organization.starts_with("o-attacker0"))
}

/// Why a condition keeps nobody out.
fn weakness(condition: &Condition) -> Option<String> {
    let key = &condition.key;
    let operator = &condition.operator;
    if operator.comparison == Comparison::Unknown {
        return Some(format!("the operator {} is not one of AWS's", operator.name));
    }
    match class(key) {
        Class::Unknown => return Some(format!("{key} is not a known condition key")),
        Class::Free(_) | Class::ServiceContext | Class::SessionName => {
            return Some(format!("{key} is chosen by the caller or describes the resource"));
        }
        Class::ResourceAccount | Class::ResourceOrganization => {
            return Some(format!("{key} describes the resource, not the caller"));
        }
        Class::PrivateIp => return Some(format!("{key} may be the same in anybody's VPC")),
        _ => {}
    }
    if operator.if_exists {
        return Some(format!("{} lets requests without {key} through", operator.name));
    }
    if operator.negated {
        return Some(format!("{} on an Allow lets in whoever is not named", operator.name));
    }
    if operator.quantifier == Quantifier::All {
        return Some(format!("{} is true when {key} is missing", operator.name));
    }
    let open = condition
        .values
        .iter()
        .find(|value| value.has_wildcard() || value.has_variables());
    let text = matches!(operator.comparison, Comparison::Equals | Comparison::EqualsIgnoreCase);
    open.filter(|value| value.has_variables() || !text)
        .map(|value| format!("{key} may be anything like {}", value.source()))
}

pub(crate) fn summary(
    policy: &Policy,
    verdict: Verdict,
    offending: &[Offence],
    notes: &[Note],
    s3: Option<S3Verdict>,
) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    reasons.extend(
        offending
            .iter()
            .filter(|offence| offence.verdict == verdict)
            .map(|offence| offence.reason.as_str()),
    );
    if reasons.is_empty() {
        let mut text = if policy.statements().is_empty() {
            "the policy has no statements".to_owned()
        } else {
            "no statement lets anybody in who is not trusted".to_owned()
        };
        if let Some(note) = notes.iter().find(|note| note.kind == NoteKind::ConfusedDeputy) {
            text += &format!("; {}", note.text);
        }
        if s3 == Some(S3Verdict::Public) {
            text += "; S3 calls the policy public all the same";
        }
        return text;
    }
    let more = reasons.len().saturating_sub(3);
    let mut text = reasons[..reasons.len().min(3)].join(". ");
    if more > 0 {
        text += &format!(". So do {more} more statements");
    }
    text
}
