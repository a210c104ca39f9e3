//! Whether settings are good: nothing unknown, nothing at odds with itself.

use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

use super::error::{SettingsError, Wrong, is_account, is_key, nearest};
use super::pattern::meant;
use super::read::Text;
use super::{Classification, Encryption, SectionType, Settings, Switch, Trusted};
use crate::{Arn, Meta};

/// The controls that settings may name, and the sections that they may have.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub(crate) controls: BTreeMap<&'static str, &'static Meta>,
    /// Those whose violation can close a resource off.
    pub(crate) quarantines: Vec<&'static str>,
    /// Whether there are no others, or only none of the same services.
    pub(crate) all: bool,
    /// What the ARNs of the resource types look like.
    pub(crate) arn_forms: Vec<&'static str>,
    /// The same with those of which a place has but one.
    pub(crate) all_forms: Vec<String>,
    /// The same by control.
    pub(crate) forms_by_control: BTreeMap<&'static str, Vec<String>>,
    /// The sections that are checked.
    pub(crate) sections: Vec<SectionType>,
    /// The names of all sections: those that are checked, and those that are other services' to check.
    pub(crate) section_names: Vec<&'static str>,
}

impl Known {
    fn allows(&self, id: &str) -> bool {
        let service = |id: &str| id.split('-').next().map(str::to_owned);
        let foreign = || self.controls.keys().all(|own| service(own) != service(id));
        self.controls.contains_key(id) || !self.all && foreign()
    }

    /// What the ARNs look like of what a control, or any, is about; none where not all of them are known.
    fn forms_of(&self, control: &str) -> &[String] {
        match control {
            "*" if self.all => &self.all_forms,
            control => self.forms_by_control.get(control).map_or(&[], Vec::as_slice),
        }
    }

    /// The ARN that was meant by what is none of any type, where one type's form tells it.
    pub fn arn_meant(&self, text: &str) -> Option<String> {
        meant(text, &self.all_forms)
    }

    fn nearest(&self, id: &str) -> String {
        nearest(id, &self.controls.keys().copied().collect::<Vec<_>>())
    }
}

/// The part of the settings that is judged as one: what is wrong in it may follow from another mistake in it.
fn part_of(path: &str) -> String {
    let first = path.split('.').next().unwrap_or_default();
    let depth = if first == "classification" || first.ends_with(']') {
        1
    } else {
        2
    };
    path.split('.').take(depth).collect::<Vec<_>>().join(".")
}

fn wrong<T>(path: impl Into<String>, what: impl Into<String>) -> Result<T, Wrong> {
    Err((path.into(), what.into()))
}

impl Settings {
    /// Reads settings from YAML, which may name only what is known: what it does not name has its default.
    pub fn from_yaml(yaml: &str, known: &Known) -> Result<Self, SettingsError> {
        Self::default().overridden_by(yaml, known)
    }

    /// These settings with what YAML says in place of theirs: it changes what it names and nothing else. Maps are merged by key, at
    /// every depth; `null` takes an entry out of one. Lists are replaced.
    pub fn overridden_by(&self, yaml: &str, known: &Known) -> Result<Self, SettingsError> {
        let text = Text::of(yaml)?;
        let settings = self.read(&text, known)?;
        settings.approved(&text, known)?;
        Ok(settings)
    }

    /// All that is wrong with YAML, in the order of the text: what follows from a mistake is not told with it.
    pub fn mistakes(yaml: &str, known: &Known) -> Vec<SettingsError> {
        let mut text = match Text::of(yaml) {
            Ok(text) => text,
            Err(error) => return vec![error],
        };
        let base = Self::default();
        let mut mistakes = Vec::new();
        let mut unread = BTreeSet::new();
        loop {
            let (mistake, is_unread) = match base.read(&text, known) {
                Err(unfit) => (unfit, true),
                Ok(settings) => match settings.approved(&text, known) {
                    Err(refused) => (refused, false),
                    Ok(()) => break,
                },
            };
            // The text is read again without what is wrong. What is missed then is no other mistake: what needs it is left out as well.
            let mut left_out = mistake
                .path()
                .map(|path| text.written(path))
                .unwrap_or_default()
                .to_owned();
            let is_missed = text.without.contains(&left_out);
            let holds_one = |path: &String| {
                path.strip_prefix(&left_out)
                    .is_some_and(|rest| rest.starts_with(['.', '[']))
            };
            let follows = !is_unread && (unread.contains(&part_of(&left_out)) || text.without.iter().any(holds_one));
            while !left_out.is_empty() && !text.without.insert(left_out.clone()) {
                left_out.truncate(left_out.rfind(['.', '[']).unwrap_or_default());
            }
            if is_unread {
                unread.insert(part_of(&left_out));
            }
            if !is_missed && !follows {
                mistakes.push(mistake);
            }
            if left_out.is_empty() {
                break;
            }
        }
        mistakes.sort_by_key(SettingsError::place);
        mistakes
    }

    pub(super) fn read(&self, text: &Text<'_>, known: &Known) -> Result<Self, SettingsError> {
        let mut settings = text.common(&known.section_names, self)?;
        settings.sections = self.sections.clone();
        for section in &known.sections {
            (section.read)(text, self, &mut settings)?;
        }
        Ok(settings)
    }

    pub(super) fn approved(&self, text: &Text<'_>, known: &Known) -> Result<(), SettingsError> {
        self.check(known).map_err(|wrong| text.refused(wrong))?;
        let own: Vec<_> = known.sections.iter().map(|section| section.name).collect();
        let is_foreign = |name: &str| known.section_names.contains(&name) && !own.contains(&name);
        text.blank(|path| !is_foreign(path.split(['.', '[']).next().unwrap_or_default()))
    }

    fn check(&self, known: &Known) -> Result<(), Wrong> {
        self.check_controls(known)?;
        self.check_classification()?;
        self.trusted.check()?;
        for (at, arn) in self.break_glass.iter().enumerate() {
            is_principal(arn).map_err(|what| (format!("break-glass[{at}]"), what))?;
        }
        for section in &known.sections {
            (section.check)(self)?;
        }
        for (at, exemption) in self.exemptions.iter().enumerate() {
            let named = |(field, what): (&str, String)| (format!("exemptions[{at}]{field}"), what);
            if exemption.control != "*" && !known.allows(&exemption.control) {
                let nearest = known.nearest(&exemption.control);
                let what = format!(
                    "there is no control {:?}{nearest}; docs/controls.md lists them",
                    exemption.control
                );
                return Err(named((".control", what)));
            }
            let forms = known.forms_of(&exemption.control);
            exemption.check(&known.arn_forms, forms).map_err(named)?;
        }
        if !(2..=10).contains(&self.flips.count) {
            let what = format!("expected 2 to 10, found {}", self.flips.count);
            return wrong("flips.count", what);
        }
        let (hold, kept) = (self.restore.hold_days, self.ledger.retention_days);
        if hold > kept {
            let what = format!(
                "expected at most the days of ledger.retention-days ({kept}), found {hold}: the record that a hold names would be \
                 deleted before the hold ends; lower one or raise the other"
            );
            return wrong("restore.hold-days", what);
        }
        duration("flips.window", self.flips.window)
    }

    fn check_controls(&self, controls: &Known) -> Result<(), Wrong> {
        for (id, set) in &self.controls {
            let path = format!("controls.{id}");
            if !controls.allows(id) {
                let nearest = controls.nearest(id);
                return wrong(
                    path,
                    format!("there is no such control{nearest}; docs/controls.md lists them"),
                );
            }
            let meta = controls.controls.get(id.as_str());
            if set.quarantine && meta.is_some() && !controls.quarantines.contains(&id.as_str()) {
                let can = controls.quarantines.join(", ");
                let what = format!(
                    "expected false: there is no quarantine for this control; take it out (those that have one: {can})"
                );
                return wrong(path + ".quarantine", what);
            }
            let Some(grace) = set.grace else { continue };
            let path = format!("{path}.grace");
            duration(&path, grace)?;
            if set.quarantine {
                return wrong(path, "what is closed off at once has no grace; take out one of the two");
            }
            let mode = set.mode.or_else(|| meta.map(|meta| meta.default));
            if let Some(mode @ (Switch::Off | Switch::Notify)) = mode {
                let mode = if mode == Switch::Off { "off" } else { "notify" };
                let whose = if set.mode.is_some() {
                    "its mode is"
                } else {
                    "its default mode is"
                };
                let what = format!(
                    "nothing is put right while {whose} {mode}, so there is nothing to wait for; take it out, or write mode: \
                     enforce beside it"
                );
                return wrong(path, what);
            }
        }
        Ok(())
    }

    fn check_classification(&self) -> Result<(), Wrong> {
        let Classification { tag, untagged, levels } = &self.classification;
        if tag.trim().is_empty() {
            return wrong("classification.tag", "expected the key of a tag, found an empty text");
        }
        if !levels.contains_key(untagged) {
            let known: Vec<_> = levels.keys().map(String::as_str).collect();
            let nearest = nearest(untagged, &known);
            return wrong(
                "classification.untagged",
                format!("expected one of the levels, found {untagged:?}{nearest}"),
            );
        }
        let mut values: BTreeMap<String, &str> = BTreeMap::new();
        for (name, level) in levels {
            let path = format!("classification.levels.{name}");
            if let Some(key) = &level.key {
                is_key(key).map_err(|what| (format!("{path}.key"), what))?;
            }
            for (at, id) in level.vpc_endpoints.iter().enumerate() {
                is_id("vpce-", id).map_err(|what| (format!("{path}.vpc-endpoints[{at}]"), what))?;
            }
            if level.key.is_some() && level.encryption < Encryption::CustomerManagedKey {
                return wrong(
                    path + ".key",
                    "a key is named, but the encryption does not ask for one; say encryption: customer-managed-key or \
                     dual-layer",
                );
            }
            if level.public && level.quarantine {
                return wrong(
                    path + ".quarantine",
                    "data that may be public can't be quarantined for it",
                );
            }
            if level.public && !level.vpc_endpoints.is_empty() {
                return wrong(
                    path + ".vpc-endpoints",
                    "data that may be public can't be reached through VPC endpoints alone",
                );
            }
            for value in &level.values {
                if let Some(other) = values.insert(value.to_lowercase(), name) {
                    let what = format!("the value {value:?} is one of the level {other} already");
                    return wrong(path + ".values", what);
                }
            }
        }
        Ok(())
    }
}

/// From a minute to a year. Source: EventBridge Scheduler User Guide, "One-time schedules": to the minute.
fn duration(path: &str, found: SignedDuration) -> Result<(), Wrong> {
    if (SignedDuration::from_mins(1)..=SignedDuration::from_hours(365 * 24)).contains(&found) {
        return Ok(());
    }
    wrong(path, format!("expected from 1m to 8760h, found {found:#}"))
}

impl Trusted {
    fn check(&self) -> Result<(), Wrong> {
        let each = |name: &str, texts: &[String], check: &dyn Fn(&str) -> Result<(), String>| {
            let mut texts = texts.iter().enumerate();
            texts.try_for_each(|(at, text)| check(text).map_err(|what| (format!("trusted.{name}[{at}]"), what)))
        };
        each("accounts", &self.accounts, &|text| {
            if is_account(text) {
                return Ok(());
            }
            Err(format!(
                "expected the twelve digits of an account's id, in quotes, as in \"444455556666\", found {text:?}"
            ))
        })?;
        each("organizations", &self.organizations, &|text| is_id("o-", text))?;
        each("organization-paths", &self.organization_paths, &|text| {
            let organization = text.split_once('/').map(|(organization, _)| organization);
            match organization {
                Some(organization) if is_id("o-", organization).is_ok() => Ok(()),
                _ => Err(format!(
                    "expected the path of a unit, as in o-exampleorgid/r-root/ou-unit/*, found {text:?}"
                )),
            }
        })?;
        each("vpcs", &self.vpcs, &|text| is_id("vpc-", text))?;
        each("vpc-endpoints", &self.vpc_endpoints, &|text| is_id("vpce-", text))?;
        each("networks", &self.networks, &is_network)
    }
}

/// An id with this beginning, and nothing in it that would match more than one.
fn is_id(prefix: &str, text: &str) -> Result<(), String> {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(format!("expected one id that begins with {prefix}, found {text:?}"))
}

/// A network in CIDR notation that is not about everybody. No organisation has a wider one than 10.0.0.0/8 or `fd00::/8`.
fn is_network(text: &str) -> Result<(), String> {
    let (address, prefix) = text
        .split_once('/')
        .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: Option<std::net::IpAddr> = address.parse().ok();
    let widest = if address.is_some_and(|address| address.is_ipv6()) {
        128
    } else {
        32
    };
    let length = prefix.map_or(Some(widest), |prefix| prefix.parse::<u8>().ok());
    match (address, length) {
        (Some(_), Some(length)) if length <= widest && length < 8 => Err(format!(
            "expected a network of yours, found {text:?}: to trust a good part of the internet would make what is public count as \
             private; write narrower networks (/8 and longer)"
        )),
        (Some(_), Some(length)) if length <= widest => Ok(()),
        _ => Err(format!(
            "expected a network in CIDR notation, as in 203.0.113.0/24, found {text:?}"
        )),
    }
}

/// The ARN of a principal of one account. Part of its name may be a wildcard.
fn is_principal(text: &str) -> Result<(), String> {
    let arn = text.parse::<Arn>().ok().filter(|arn| {
        let name = arn.resource.split_once('/').map_or("", |(_, name)| name);
        let named = arn.resource == "root" || name.chars().any(char::is_alphanumeric);
        matches!(arn.service.as_str(), "iam" | "sts")
            && is_account(&arn.account)
            && named
            && !arn.partition.contains('*')
    });
    if arn.is_some() {
        return Ok(());
    }
    Err(format!(
        "expected the ARN of a role or a user, as in arn:…:iam::111122223333:role/BreakGlass, found {text:?}; whoever it fits is \
         spared by every quarantine"
    ))
}
