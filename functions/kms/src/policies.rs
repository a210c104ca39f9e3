//! What the controls of key policies share: how a fix is made that locks nobody out, and what a policy lacks of practice.

use portcullis_access::{Fix, Goal, KeyFinding, Policy, Service, Verdict};
use portcullis_controls::{Analysis, Cure, NO_FIX, named};
use portcullis_core::event::{field, string, strings};
use serde_json::{Value, json};

use crate::lockout::{self, Manager};

/// The smallest fix that reaches a goal and leaves the account in charge of the key.
pub fn cure(analysis: &Analysis<'_>, goal: Goal) -> Cure<String> {
    let why = match analysis.fix(goal) {
        Ok(Fix::Rewrite { policy, changes }) => match refusal(analysis, &policy) {
            None => return Cure::Write(policy, analysis.told(&changes)),
            Some(why) => why,
        },
        Ok(Fix::Delete) => "nothing would be left of it, and a key can't be without a policy".into(),
        Ok(Fix::Undecided { reason }) => return Cure::Nothing(reason),
        Ok(Fix::Nothing) => NO_FIX.into(),
        Err(error) => error.to_string(),
    };
    narrow(analysis, goal).unwrap_or(Cure::Nothing(why))
}

/// The same policy, with the account in place of everybody where it offends: for what is let in too widely by the very
/// statement that the account depends on.
fn narrow(analysis: &Analysis<'_>, goal: Goal) -> Option<Cure<String>> {
    let root = lockout::root_of(analysis.resource());
    let count = analysis.policy().statements().len();
    let (mut policy, mut changes) = (analysis.policy().clone(), Vec::new());
    for offence in &analysis.judgement.offending {
        if goal == Goal::NotPublic && offence.verdict < Verdict::Public {
            continue;
        }
        let mut statement = analysis.statement(offence.index)?;
        // Nobody may get more than before: only where the account was let in by the same statement.
        let principal = statement.as_object_mut()?.get_mut("Principal")?;
        *principal = in_place_of_everyone(principal, &root)?;
        policy = Policy::parse(&policy.with_replaced(offence.index, &statement.to_string())).ok()?;
        let name = named(offence.sid.as_deref(), offence.index);
        changes.push(format!(
            "put {root} in place of everybody in statement {name} of {count}"
        ));
    }
    let verdict = analysis.judge(&policy).verdict;
    let reached = match goal {
        Goal::NotPublic => verdict < Verdict::Public,
        Goal::Private => verdict == Verdict::Private,
    };
    let text = policy.text().to_owned();
    (reached && refusal(analysis, &text).is_none()).then(|| Cure::Write(text, changes.join("; ")))
}

/// Why a policy must not be written in place of the one that was analysed, if so.
fn refusal(analysis: &Analysis<'_>, new: &str) -> Option<String> {
    let key = analysis.resource();
    let (bytes, largest) = (new.len(), Service::Kms.policy_limit());
    if bytes > largest {
        return Some(format!("it would have {bytes} bytes, of {largest} that KMS takes"));
    }
    let before = lockout::manager(analysis.policy().text(), key, analysis.trust());
    match lockout::manager(new, key, analysis.trust()) {
        Manager::Root => None,
        Manager::Principal if before == Manager::Principal => None,
        _ if lockout::keeps_managers(analysis.policy().text(), new, key) => None,
        _ if before == Manager::Root => Some("the account could not manage the key any more".into()),
        _ => Some("nobody of the account can surely manage the key as it is: put that right first".into()),
    }
}

/// A principal that names everybody, with the account there instead and all others as they are; none where it does not.
fn in_place_of_everyone(principal: &Value, root: &str) -> Option<Value> {
    if principal == "*" {
        return Some(json!({ "AWS": root }));
    }
    let named = strings(principal.get("AWS")?);
    if !named.iter().any(|name| name == "*") {
        return None;
    }
    let mut kept: Vec<_> = named.into_iter().filter(|name| name != "*" && name != root).collect();
    kept.insert(0, root.to_owned());
    let mut principal = principal.clone();
    principal["AWS"] = if kept.len() == 1 { json!(root) } else { json!(kept) };
    Some(principal)
}

/// What a key policy does of AWS's practice, given what it lacks, in words that follow "what is good of it:".
pub fn keeps(lacks: &[(KeyFinding, String)]) -> Vec<&'static str> {
    let practices = [
        (KeyFinding::NoAccountRoot, "the account itself can manage the key"),
        (KeyFinding::AdminIsUser, "nobody both administers and uses it"),
        (KeyFinding::KmsStarNonroot, "nobody else has kms:*"),
        (KeyFinding::GrantNotAwsOnly, "grants only for AWS resources"),
        (KeyFinding::NoMfa, "MFA to manage it"),
        (KeyFinding::UserNotViaService, "use only through AWS services"),
    ];
    let kept = practices
        .into_iter()
        .filter(|(kind, _)| !lacks.iter().any(|(lacking, _)| lacking == kind));
    kept.map(|(_, text)| text).collect()
}

/// What a key policy lacks of AWS's practice, in words that follow "lacks good practice:". Whom it lets in is not said here:
/// other controls do.
pub fn lacks(analysis: &Analysis<'_>) -> Vec<(KeyFinding, String)> {
    let (policy, account) = (analysis.policy(), &analysis.resource().account);
    let found = portcullis_access::key_practice(policy, account, analysis.trust()).findings;
    // Conditions and denials count here, which a look at the default statement leaves out.
    let manager = lockout::manager(policy.text(), analysis.resource(), analysis.trust());
    let of = |index: Option<usize>| {
        let sid = |index| field(&analysis.statement(index)?, "Sid").and_then(string);
        index.map_or_else(String::new, |index| {
            format!("statement {}", named(sid(index).as_deref(), index))
        })
    };
    let words = |(kind, index): (KeyFinding, Option<usize>)| {
        let text = match kind {
            // The last one is added below, where it is known how badly.
            KeyFinding::Public | KeyFinding::External | KeyFinding::NoAccountRoot => return None,
            KeyFinding::NoMfa => "managing the key does not ask for MFA".to_owned(),
            KeyFinding::MfaDenyTooWide => format!("{} denies use without MFA too, which stops applications", of(index)),
            KeyFinding::AdminIsUser => "somebody both administers and uses the key".to_owned(),
            KeyFinding::KmsStarNonroot => format!("{} has kms:* for somebody else than the account", of(index)),
            KeyFinding::UserNotViaService => format!("{} lets the key be used without kms:ViaService", of(index)),
            KeyFinding::GrantNotAwsOnly => {
                format!("{} lets grants be made without kms:GrantIsForAWSResource", of(index))
            }
        };
        Some((kind, text))
    };
    let mut lacks: Vec<_> = found.into_iter().filter_map(words).collect();
    let locked = match manager {
        Manager::Root => return lacks,
        Manager::Principal => "the account itself can't manage the key, only principals that may be deleted one day",
        Manager::Nobody => "nobody of the account can surely manage the key any more: only AWS Support could help",
    };
    lacks.push((KeyFinding::NoAccountRoot, locked.to_owned()));
    lacks
}
