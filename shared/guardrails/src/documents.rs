//! From the tables to documents within AWS's limits.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::clause::{Clause, Resources, Variant};
use crate::declarative::{ec2_policy, endpoint_policy, endpoints, s3_policy};
use crate::error::GuardrailError;
use crate::guardrail::Guardrail;
use crate::kind::{DocumentKind, Group, Kind, Tier};
use crate::statements::guardrails;
use crate::values::{ExemptionValues, Values};

/// What is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The kinds that were asked for; empty for what the settings suit.
    pub kinds: BTreeSet<DocumentKind>,
    /// The tiers that were asked for. The default tier is always among them.
    pub tiers: BTreeSet<Tier>,
    /// Whether a tier without values is left out rather than refused.
    pub where_possible: bool,
    /// Single statements of the strict tier.
    pub strict: BTreeSet<String>,
    /// The groups that were asked for; empty for all.
    pub groups: BTreeSet<Group>,
    /// The OUs to which the documents are to be attached.
    pub units: Vec<String>,
}

impl Selection {
    fn kinds(&self, values: &Values) -> BTreeSet<DocumentKind> {
        if !self.kinds.is_empty() {
            return self.kinds.clone();
        }
        let public = values.levels.iter().any(|level| level.public) && self.units.is_empty();
        [
            DocumentKind::Ec2,
            DocumentKind::S3,
            DocumentKind::Scp,
            DocumentKind::Rcp,
        ]
        .into_iter()
        .filter(|kind| *kind != DocumentKind::S3 || !public)
        .collect()
    }

    fn takes(&self, guardrail: &Guardrail) -> bool {
        let tier = guardrail.tier == Tier::Default
            || self.tiers.contains(&guardrail.tier)
            || self.strict.contains(guardrail.sid);
        tier && (self.groups.is_empty() || self.groups.contains(&guardrail.group))
    }

    fn takes_group(&self, group: Group) -> bool {
        self.groups.is_empty() || self.groups.contains(&group)
    }
}

/// A statement as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its Sid: the guardrail's, with a suffix where settings make several of it.
    pub sid: String,
    /// The guardrail.
    pub guardrail: &'static str,
    /// The statement itself.
    pub statement: Value,
}

/// One document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its kind.
    pub kind: DocumentKind,
    /// The stem of its file's name, which is its name at AWS as well.
    pub name: String,
    /// The policy.
    pub content: Value,
    /// The statements, where it has any of ours.
    pub statements: Vec<Written>,
}

impl Document {
    /// As it is saved: without white space.
    pub fn text(&self) -> String {
        self.content.to_string()
    }

    /// Its size in characters.
    pub fn size(&self) -> usize {
        self.text().chars().count()
    }
}

/// All that was written, and what was not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Generated {
    /// The documents, in the order in which they are attached.
    pub documents: Vec<Document>,
    /// Guardrails that settings give nothing for, or have off, each with the reason.
    pub left_out: Vec<(&'static str, String)>,
    /// Exemptions of the settings that will be denied all the same, each with the reason.
    pub still_denied: Vec<String>,
    /// What else is to be known before anything is attached.
    pub notes: Vec<String>,
}

impl Generated {
    /// Tells that a statement denies what is exempt; those of one reason in one line.
    fn deny_in_spite(&mut self, at: usize, exemption: &ExemptionValues, sid: &str, why: &str) {
        let start = format!(
            "exemptions[{at}] ({}, {}): denied all the same by ",
            exemption.control, exemption.about
        );
        let end = format!(", since {why}");
        let known = self
            .still_denied
            .iter_mut()
            .find(|line| line.starts_with(&start) && line.ends_with(&end));
        match known {
            Some(line) => line.insert_str(line.len() - end.len(), &format!(", {sid}")),
            None => self.still_denied.push(format!("{start}{sid}{end}")),
        }
    }

    /// The documents of a kind.
    pub fn of(&self, kind: DocumentKind) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(move |document| document.kind == kind)
    }
}

/// The documents that settings and selection come to.
pub fn generate(values: &Values, selection: &Selection) -> Result<Generated, GuardrailError> {
    values.check()?;
    render(values, selection)
}

/// The same of values that are parameters of a template.
pub(crate) fn render(values: &Values, selection: &Selection) -> Result<Generated, GuardrailError> {
    let kinds = selection.kinds(values);
    check_selection(values, selection, &kinds)?;
    let mut generated = Generated::default();
    let statements = statements(values, selection, &kinds, &mut generated)?;
    for kind in &kinds {
        let of = |wanted: Kind| -> BTreeMap<Group, Vec<Written>> {
            let own = statements.iter().filter(|(guardrail, _)| guardrail.kind == wanted);
            let mut groups = BTreeMap::<_, Vec<_>>::new();
            for (guardrail, written) in own {
                groups.entry(guardrail.group).or_default().push(written.clone());
            }
            groups
        };
        let before = generated.documents.len();
        match kind {
            DocumentKind::Ec2 if selection.takes_group(Group::Ec2) => {
                let policy = ec2_policy(values, selection.tiers.contains(&Tier::Strict));
                generated
                    .documents
                    .extend(policy.map(|policy| plain(*kind, "ec2-policy", policy)));
            }
            DocumentKind::S3 if selection.takes_group(Group::S3) => {
                let policy = s3_policy(values);
                generated
                    .documents
                    .extend(policy.map(|policy| plain(*kind, "s3-policy", policy)));
            }
            DocumentKind::Ec2 | DocumentKind::S3 => {}
            DocumentKind::Scp | DocumentKind::Iam => {
                let documents = grouped(*kind, of(Kind::ServiceControl))?;
                generated.documents.extend(documents);
            }
            DocumentKind::Rcp => {
                let documents = grouped(*kind, of(Kind::ResourceControl))?;
                generated.documents.extend(documents);
            }
            DocumentKind::Boundary => {
                let document = boundary(of(Kind::ServiceControl))?;
                generated.documents.extend(document);
            }
            DocumentKind::Endpoint => {
                generated
                    .documents
                    .push(plain(*kind, "endpoint", endpoint_policy(values)));
            }
        }
        let (most, reserved) = kind.attachable();
        let count = generated.documents.len() - before;
        if count + reserved > most {
            return Err(GuardrailError::TooMany {
                kind: *kind,
                count,
                limit: most - reserved,
                reserved,
            });
        }
    }
    if generated.documents.is_empty() {
        let why = "each control of what was chosen is off, or --type and --group have nothing in common";
        return Err(GuardrailError::Nothing(why.into()));
    }
    for document in &generated.documents {
        let (size, limit) = (document.size(), document.kind.limit());
        if size > limit {
            return Err(GuardrailError::TooLarge {
                sid: document.name.clone(),
                kind: document.kind,
                size,
                limit,
            });
        }
    }
    notes(values, selection, &kinds, &mut generated);
    Ok(generated)
}

fn check_selection(
    values: &Values,
    selection: &Selection,
    kinds: &BTreeSet<DocumentKind>,
) -> Result<(), GuardrailError> {
    let organization = [DocumentKind::Rcp, DocumentKind::Endpoint];
    if values.organizations.is_empty() && organization.iter().any(|kind| kinds.contains(kind)) {
        return Err(GuardrailError::NoOrganization);
    }
    let public = values.levels.iter().find(|level| level.public);
    if let Some(level) = public.filter(|_| kinds.contains(&DocumentKind::S3) && selection.units.is_empty()) {
        return Err(GuardrailError::PublicLevel {
            level: level.name.clone(),
        });
    }
    if kinds.contains(&DocumentKind::Endpoint) && endpoints(values).is_empty() {
        return Err(GuardrailError::Nothing(
            "--type endpoint: expected endpoints in trusted.vpc-endpoints or in a level's vpc-endpoints, found none"
                .into(),
        ));
    }
    let strict = || guardrails().filter(|guardrail| guardrail.tier == Tier::Strict);
    if let Some(sid) = selection
        .strict
        .iter()
        .find(|sid| !strict().any(|guardrail| guardrail.sid == sid.as_str()))
    {
        return Err(GuardrailError::NoSuchStatement {
            sid: sid.clone(),
            known: strict().map(|guardrail| guardrail.sid).collect::<Vec<_>>().join(", "),
        });
    }
    Ok(())
}

/// All statements of the kinds that were chosen, each with its guardrail.
fn statements(
    values: &Values,
    selection: &Selection,
    kinds: &BTreeSet<DocumentKind>,
    generated: &mut Generated,
) -> Result<Vec<(&'static Guardrail, Written)>, GuardrailError> {
    let takes_kind = |kind: Kind| match kind {
        Kind::ResourceControl => kinds.contains(&DocumentKind::Rcp),
        Kind::ServiceControl => [DocumentKind::Scp, DocumentKind::Iam, DocumentKind::Boundary]
            .iter()
            .any(|kind| kinds.contains(kind)),
    };
    let mut all = Vec::new();
    let mut missing = BTreeMap::<Tier, Vec<String>>::new();
    let mut found = BTreeSet::new();
    for guardrail in guardrails().filter(|guardrail| takes_kind(guardrail.kind) && selection.takes(guardrail)) {
        let actions = guardrail.actions_left(values);
        if actions.is_empty() {
            generated.left_out.push((guardrail.sid, "its controls are off".into()));
            continue;
        }
        match guardrail.variants(values) {
            Err(what) => {
                let of_tier = missing.entry(guardrail.tier).or_default();
                if !of_tier.contains(&what) {
                    of_tier.push(what.clone());
                }
                generated.left_out.push((guardrail.sid, format!("expected {what}")));
            }
            Ok(variants) => {
                found.insert(guardrail.tier);
                for variant in variants {
                    let written = with_exemptions(guardrail, &actions, variant, values, generated)?;
                    all.extend(written.into_iter().map(|written| (guardrail, written)));
                }
            }
        }
    }
    for tier in selection.tiers.iter().filter(|_| !selection.where_possible) {
        if let Some(what) = missing
            .get(tier)
            .filter(|_| *tier != Tier::Default && !found.contains(tier))
        {
            return Err(GuardrailError::NoValues {
                tier: tier.name(),
                missing: what.join("; or "),
            });
        }
    }
    Ok(all)
}

/// The statement, which leaves out what settings exempt, and one more for each moment at which an exemption ends.
fn with_exemptions(
    guardrail: &'static Guardrail,
    actions: &[&str],
    mut variant: Variant,
    values: &Values,
    generated: &mut Generated,
) -> Result<Vec<Written>, GuardrailError> {
    let mut ends = BTreeMap::<&str, Vec<String>>::new();
    for (at, exemption) in values.exemptions.iter().enumerate() {
        if exemption.control != "*" && !guardrail.controls.contains(&exemption.control.as_str()) {
            continue;
        }
        match expressible(guardrail, actions, &variant, exemption) {
            Ok(arns) if values.until_aware => ends.entry(&exemption.until).or_default().extend(arns),
            Ok(_) => {
                return Err(GuardrailError::Ends {
                    at,
                    about: exemption.about.clone(),
                    until: exemption.until.clone(),
                    sid: guardrail.sid.to_owned(),
                });
            }
            // What an exemption of all controls can't mean for a statement needs no word.
            Err("") => {}
            Err(why) => generated.deny_in_spite(at, exemption, guardrail.sid, why),
        }
    }
    let sid = format!("{}{}", guardrail.sid, variant.suffix);
    let mut after = Vec::new();
    for (at, (until, arns)) in ends.iter().enumerate() {
        let mut ended = variant.clone();
        ended.resources = Resources::These(arns.clone());
        ended
            .conditions
            .push(Clause::new("DateGreaterThanEquals", "aws:CurrentTime", [*until]));
        let sid = format!("{sid}Ended{}", at + 1);
        after.push(Written {
            statement: guardrail.statement(&sid, actions, &ended, values),
            sid,
            guardrail: guardrail.sid,
        });
    }
    if let Resources::AllBut(excepted) = &mut variant.resources {
        for arn in ends.into_values().flatten() {
            if !excepted.contains(&arn) {
                excepted.push(arn);
            }
        }
    }
    let mut written = vec![Written {
        statement: guardrail.statement(&sid, actions, &variant, values),
        sid,
        guardrail: guardrail.sid,
    }];
    written.append(&mut after);
    Ok(written)
}

/// The ARNs by which a statement leaves out what is exempt, or why it can't.
fn expressible(
    guardrail: &Guardrail,
    actions: &[&str],
    variant: &Variant,
    exemption: &ExemptionValues,
) -> Result<Vec<String>, &'static str> {
    let Some(pattern) = &exemption.pattern else {
        return Err("no statement can ask for a tag of the resource in all its calls");
    };
    let parts: Vec<_> = pattern.splitn(6, ':').collect();
    let service = match parts.as_slice() {
        ["arn", _, service, ..] if !service.is_empty() && !service.contains('*') => *service,
        _ => return Err("its pattern names no service"),
    };
    if !actions.iter().any(|action| action.split(':').next() == Some(service)) {
        return Err("");
    }
    if guardrail.kind == Kind::ServiceControl {
        return Err("a service control policy asks who calls, and the resource need not exist yet");
    }
    if matches!(variant.resources, Resources::These(_)) {
        return Err("the statement names its resources");
    }
    let mut arns = vec![pattern.clone()];
    // What is in a bucket, or reached through an access point, goes with it.
    match parts.as_slice() {
        [_, _, "s3", "", "", bucket] if !bucket.contains('/') => arns.push(format!("{pattern}/*")),
        [_, _, "s3", .., name] if name.starts_with("accesspoint/") => arns.push(format!("{pattern}/object/*")),
        _ => {}
    }
    Ok(arns)
}

fn plain(kind: DocumentKind, name: &str, content: Value) -> Document {
    Document {
        kind,
        name: name.to_owned(),
        content,
        statements: Vec::new(),
    }
}

fn policy(statements: &[Written]) -> Value {
    let all: Vec<_> = statements.iter().map(|written| &written.statement).collect();
    json!({"Version": "2012-10-17", "Statement": all})
}

/// A document a group; one that is too large is split between statements, the first that still has room taking the next one,
/// the largest statements first.
fn grouped(kind: DocumentKind, groups: BTreeMap<Group, Vec<Written>>) -> Result<Vec<Document>, GuardrailError> {
    let limit = kind.limit();
    let size = |statements: &[Written]| policy(statements).to_string().chars().count();
    let mut documents = Vec::new();
    for (group, statements) in groups {
        let mut bins = vec![statements.clone()];
        if size(&statements) > limit {
            let mut order: Vec<_> = (0..statements.len()).collect();
            order.sort_by_key(|&at| std::cmp::Reverse(size(&statements[at..=at])));
            let mut places = Vec::<Vec<usize>>::new();
            for at in order {
                let alone = size(&statements[at..=at]);
                if alone > limit {
                    return Err(GuardrailError::TooLarge {
                        sid: statements[at].sid.clone(),
                        kind,
                        size: alone,
                        limit,
                    });
                }
                let pick = |places: &[usize]| places.iter().map(|&at| statements[at].clone()).collect::<Vec<_>>();
                let fits = |place: &&mut Vec<usize>| size(&pick(&[place.as_slice(), &[at]].concat())) <= limit;
                match places.iter_mut().find(fits) {
                    Some(place) => place.push(at),
                    None => places.push(vec![at]),
                }
            }
            for place in &mut places {
                place.sort_unstable();
            }
            let all = places
                .iter()
                .map(|place| place.iter().map(|&at| statements[at].clone()).collect());
            bins = all.collect();
        }
        let several = bins.len() > 1;
        for (at, statements) in bins.into_iter().enumerate() {
            let part = if several { format!("-{}", at + 1) } else { String::new() };
            documents.push(Document {
                kind,
                name: format!("{}-{}{part}", kind.name(), group.name()),
                content: policy(&statements),
                statements,
            });
        }
    }
    Ok(documents)
}

/// All statements in one document, behind an Allow of everything.
fn boundary(groups: BTreeMap<Group, Vec<Written>>) -> Result<Option<Document>, GuardrailError> {
    let size = |statements: &[Written]| policy(statements).to_string().chars().count();
    let sizes = groups
        .iter()
        .map(|(group, statements)| format!("{} {}", group.name(), size(statements)));
    let sizes = sizes.collect::<Vec<_>>().join(", ");
    let statements: Vec<_> = groups.into_values().flatten().collect();
    if statements.is_empty() {
        return Ok(None);
    }
    let allow = json!({"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"});
    let all = std::iter::once(&allow).chain(statements.iter().map(|written| &written.statement));
    let content = json!({"Version": "2012-10-17", "Statement": all.collect::<Vec<_>>()});
    let (size, limit) = (content.to_string().chars().count(), DocumentKind::Boundary.limit());
    if size > limit {
        return Err(GuardrailError::Boundary { size, limit, sizes });
    }
    Ok(Some(Document {
        kind: DocumentKind::Boundary,
        name: "boundary".into(),
        content,
        statements,
    }))
}

/// So many break-glass and other exempt ARNs are about as long as one statement, in each of the statements.
const MANY_PRINCIPALS: usize = 20;

fn notes(values: &Values, selection: &Selection, kinds: &BTreeSet<DocumentKind>, generated: &mut Generated) {
    let notes = &mut generated.notes;
    let public: Vec<_> = values.levels.iter().filter(|level| level.public).collect();
    if let [level, ..] = public.as_slice()
        && selection.kinds.is_empty()
        && !kinds.contains(&DocumentKind::S3)
    {
        notes.push(format!(
            "No S3 policy is written: the level {} is public, and `all` at the root would close its buckets. Name the OUs \
             without public buckets with --ou.",
            level.name
        ));
    }
    if kinds.contains(&DocumentKind::Rcp) && public.iter().any(|level| level.buckets.is_empty()) {
        notes.push(
            "Buckets that are meant to be public are closed to everybody outside by Perimeter, unless --buckets \
             LEVEL=PATTERN names them: a level is a tag, and no policy can ask for it."
                .to_owned(),
        );
    }
    if kinds.contains(&DocumentKind::Scp) && values.break_glass.is_empty() {
        notes.push("No break-glass role is exempt: the settings have none (break-glass).".to_owned());
    }
    if kinds.contains(&DocumentKind::Rcp) && values.canonical_users {
        notes.push(
            "trusted.canonical-users can't be asked for by a policy: name their accounts in trusted.accounts, or Perimeter \
             denies them."
                .to_owned(),
        );
    }
    let exempt = values.break_glass.len() + values.named.len();
    if exempt > MANY_PRINCIPALS {
        notes.push(format!(
            "{exempt} exempt ARNs stand in each statement: one pattern, such as arn:*:iam::*:role/BreakGlass, is shorter and \
             protects the name in new accounts as well."
        ));
    }
}

#[cfg(test)]
mod tests;
