//! What settings lose against others, and where they ask for less.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use portcullis_core::settings::{Encryption, Exemption, Level, Switch};
use portcullis_core::{Meta, Settings};
use serde::Serialize;
use serde_json::Value;

use crate::controls::word;
use crate::error::Error;

/// One thing in which settings differ.
#[derive(Debug, Serialize)]
pub struct Difference {
    pub kind: Kind,
    pub setting: String,
    pub message: String,
}

/// What a difference comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What was said is said no more: what it held back is done now, or what it asked for is not.
    Lost,
    /// Less is asked for, or more is let through.
    Weakened,
    /// All else.
    Changed,
}

impl Difference {
    /// Whether somebody should look before it is put in force.
    pub fn is_loss(&self) -> bool {
        self.kind != Kind::Changed
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", word(&self.kind), self.setting, self.message)
    }
}

/// Lists of what is let through: more of them is less protection.
const LETS_THROUGH: [&str; 5] = [
    "trusted.",
    "break-glass",
    "ec2.open-tcp-ports",
    "ec2.open-udp-ports",
    "kms.regions",
];
/// Numbers of which a higher one is less protection, and of which a lower one is.
const LESS_IF_HIGHER: [&str; 2] = ["notifications.reminder-days", "kms.rotation-days"];
const LESS_IF_LOWER: [&str; 4] = [
    "ledger.retention-days",
    "restore.hold-days",
    "kms.expiry-warning-days",
    "ec2.keep-replaced-days",
];

/// In what `new` differs from `old`, the losses first.
pub fn of(old: &Settings, new: &Settings) -> Result<Vec<Difference>, Error> {
    let mut found = Found(Vec::new());
    if new.mode != old.mode {
        let kind = if new.mode < old.mode {
            Kind::Weakened
        } else {
            Kind::Changed
        };
        found.say(
            kind,
            "mode",
            format!("{} instead of {}", word(&new.mode), word(&old.mode)),
        );
    }
    for meta in portcullis_catalog::controls() {
        found.control(meta, old, new);
    }
    found.levels(&old.classification.levels, &new.classification.levels);
    found.exemptions(&old.exemptions, &new.exemptions);
    let defaults = values(&Settings::default())?;
    found.others("", &values(old)?, &values(new)?, &defaults);
    found.0.sort_by_key(|one| one.kind);
    Ok(found.0)
}

/// All that has no rules of its own here.
fn values(settings: &Settings) -> Result<Value, Error> {
    let mut all = serde_json::to_value(settings)?;
    for section in portcullis_catalog::services()
        .iter()
        .filter_map(|service| service.settings)
    {
        all[section.name] = (section.value)(settings)?;
    }
    if let Some(all) = all.as_object_mut() {
        all.retain(|name, _| !["mode", "controls", "exemptions"].contains(&name.as_str()));
        if let Some(classification) = all.get_mut("classification").and_then(Value::as_object_mut) {
            classification.remove("levels");
        }
    }
    Ok(all)
}

struct Found(Vec<Difference>);

impl Found {
    fn say(&mut self, kind: Kind, setting: impl Into<String>, message: impl Into<String>) {
        self.0.push(Difference {
            kind,
            setting: setting.into(),
            message: message.into(),
        });
    }

    /// A control by what it does, wherever that is said.
    fn control(&mut self, meta: &Meta, old: &Settings, new: &Settings) {
        let set = |settings: &Settings| settings.controls.get(meta.id).cloned().unwrap_or_default();
        let (was, is) = (set(old), set(new));
        let path = |field: &str| format!("controls.{}.{field}", meta.id);
        let (did, does) = (was.mode.unwrap_or(meta.default), is.mode.unwrap_or(meta.default));
        if did != does {
            let forgotten = if is.mode.is_none() { ", its default," } else { "" };
            let kind = match (strength(does) < strength(did), is.mode) {
                (true, _) => Kind::Weakened,
                (false, None) => Kind::Lost,
                (false, Some(_)) => Kind::Changed,
            };
            self.say(
                kind,
                path("mode"),
                format!("{}{forgotten} instead of {}", word(&does), word(&did)),
            );
        }
        match (was.quarantine, is.quarantine) {
            (true, false) => self.say(Kind::Weakened, path("quarantine"), "false instead of true"),
            (false, true) => self.say(Kind::Changed, path("quarantine"), "true instead of false"),
            _ => {}
        }
        if was.grace != is.grace && does == Switch::Enforce {
            match (was.grace, is.grace) {
                (Some(was), None) => self.say(
                    Kind::Lost,
                    path("grace"),
                    format!("what waited {was:#} is put right at once"),
                ),
                (was, Some(is)) => {
                    let longer = was.is_none_or(|was| is > was);
                    let kind = if longer { Kind::Weakened } else { Kind::Changed };
                    let was = was.map_or_else(|| "none".to_owned(), |was| format!("{was:#}"));
                    self.say(kind, path("grace"), format!("{is:#} instead of {was}"));
                }
                (None, None) => {}
            }
        }
    }

    fn levels(&mut self, old: &BTreeMap<String, Level>, new: &BTreeMap<String, Level>) {
        for (name, was) in old {
            let path = |field: &str| format!("classification.levels.{name}{field}");
            let Some(is) = new.get(name) else {
                self.say(
                    Kind::Lost,
                    path(""),
                    "there is no such level: data of it count as untagged",
                );
                continue;
            };
            if was.encryption != is.encryption {
                let kind = weaker(is.encryption < was.encryption);
                let message = format!("{} instead of {}", word(&is.encryption), word(&was.encryption));
                self.say(kind, path(".encryption"), message);
            }
            if was.key != is.key {
                let kind = weaker(is.key.is_none() && is.encryption >= Encryption::CustomerManagedKey);
                let none = || "none".to_owned();
                let (was, is) = (
                    was.key.clone().unwrap_or_else(none),
                    is.key.clone().unwrap_or_else(none),
                );
                self.say(kind, path(".key"), format!("{is} instead of {was}"));
            }
            for (field, was, is, looser) in [
                (".public", was.public, is.public, true),
                (".quarantine", was.quarantine, is.quarantine, false),
            ] {
                if was != is {
                    self.say(weaker(is == looser), path(field), format!("{is} instead of {was}"));
                }
            }
            for value in was.values.iter().filter(|value| !is.values.contains(value)) {
                self.say(
                    Kind::Lost,
                    path(".values"),
                    format!("{value:?} does not mean it any more"),
                );
            }
            for value in is.values.iter().filter(|value| !was.values.contains(value)) {
                self.say(Kind::Changed, path(".values"), format!("{value:?} means it now"));
            }
            // None means any way.
            let opened = !was.vpc_endpoints.is_empty() && is.vpc_endpoints.is_empty();
            for id in is.vpc_endpoints.iter().filter(|id| !was.vpc_endpoints.contains(id)) {
                let kind = weaker(!was.vpc_endpoints.is_empty());
                self.say(kind, path(".vpc-endpoints"), format!("{id} is one of them now"));
            }
            for id in was.vpc_endpoints.iter().filter(|id| !is.vpc_endpoints.contains(id)) {
                let (kind, any) = if opened {
                    (Kind::Weakened, ", and any way will do")
                } else {
                    (Kind::Lost, "")
                };
                self.say(
                    kind,
                    path(".vpc-endpoints"),
                    format!("{id} is none of them any more{any}"),
                );
            }
        }
        for name in new.keys().filter(|name| !old.contains_key(*name)) {
            self.say(Kind::Changed, format!("classification.levels.{name}"), "is a new level");
        }
    }

    fn exemptions(&mut self, old: &[Exemption], new: &[Exemption]) {
        let key = |one: &Exemption| (one.control.clone(), one.about());
        let by_key =
            |all: &[Exemption]| -> BTreeMap<_, Exemption> { all.iter().map(|one| (key(one), one.clone())).collect() };
        let (old, new) = (by_key(old), by_key(new));
        for ((control, about), was) in &old {
            let setting = format!("exemptions: {about} from {control} ({}: {})", was.owner, was.reason);
            match new.get(&(control.clone(), about.clone())) {
                None => self.say(
                    Kind::Lost,
                    setting,
                    format!("is no more; it was to hold until {}", was.until),
                ),
                Some(is) if is.until != was.until => {
                    let kind = if is.until > was.until {
                        Kind::Weakened
                    } else {
                        Kind::Lost
                    };
                    self.say(kind, setting, format!("until {} instead of {}", is.until, was.until));
                }
                Some(_) => {}
            }
        }
        for ((control, about), is) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
            let setting = format!("exemptions: {about} from {control} ({}: {})", is.owner, is.reason);
            self.say(Kind::Weakened, setting, format!("is new, until {}", is.until));
        }
    }

    /// What is left, value by value.
    fn others(&mut self, path: &str, old: &Value, new: &Value, default: &Value) {
        if old == new {
            return;
        }
        let lets_through = LETS_THROUGH.iter().any(|list| path.starts_with(list));
        match (old, new) {
            (Value::Object(was), Value::Object(is)) => {
                let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
                for name in names {
                    let inner = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    match (was.get(name), is.get(name)) {
                        (Some(_), None) => self.say(Kind::Lost, inner, "is no more"),
                        (None, Some(is)) => self.say(Kind::Changed, inner, format!("is new: {is}")),
                        _ => self.others(&inner, &old[name], &new[name], &default[name]),
                    }
                }
            }
            (Value::Array(was), Value::Array(is)) => {
                for one in was.iter().filter(|one| !is.contains(one)) {
                    self.say(Kind::Lost, path, format!("{} is not among them any more", shown(one)));
                }
                for one in is.iter().filter(|one| !was.contains(one)) {
                    self.say(weaker(lets_through), path, format!("{} is among them now", shown(one)));
                }
            }
            _ => {
                let higher = new.as_u64() > old.as_u64();
                let weaker = LESS_IF_HIGHER.contains(&path) && higher || LESS_IF_LOWER.contains(&path) && !higher;
                let kind = match (weaker, new == default) {
                    (true, _) => Kind::Weakened,
                    (false, true) => Kind::Lost,
                    (false, false) => Kind::Changed,
                };
                let whose = if new == default { ", the default," } else { "" };
                self.say(kind, path, format!("{}{whose} instead of {}", shown(new), shown(old)));
            }
        }
    }
}

/// How much a control does.
fn strength(switch: Switch) -> u8 {
    match switch {
        Switch::Off => 0,
        Switch::Notify => 1,
        Switch::Enforce => 2,
    }
}

fn weaker(is_weaker: bool) -> Kind {
    if is_weaker { Kind::Weakened } else { Kind::Changed }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::Known;

    use super::*;

    fn differences(old: &str, new: &str) -> Vec<String> {
        let known = Known::all(&portcullis_catalog::services());
        let read = |yaml| Settings::from_yaml(yaml, &known).unwrap();
        let found = of(&read(old), &read(new)).unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_the_same_differs_in_nothing() {
        assert_eq!(differences("{}", "mode: enforce"), [""; 0]);
        assert_eq!(
            differences("{}", "classification: {levels: {public: {public: true}}}"),
            [""; 0]
        );
    }

    #[test]
    fn what_an_override_drops_is_lost() {
        let old = "\
controls:
  s3-bucket-versioning: {mode: enforce, grace: 24h}
  s3-bucket-tls-only: {mode: off}
classification:
  levels: {own: {values: [own], encryption: dual-layer}}
trusted: {accounts: ['444455556666']}
break-glass: ['arn:aws:iam::111122223333:role/BreakGlass']
exemptions:
- {control: s3-bucket-tls-only, resource: 'arn:aws:s3:::legacy-*', reason: old scanners, owner: ana, until: 2099-01-01T00:00:00Z}
budget: {disruptive-per-hour: 5}
kms: {required-aliases: {alias/app: k-1}, required-services: [logs.eu-west-1.amazonaws.com]}
";
        assert_eq!(
            differences(old, "mode: notify"),
            [
                "lost: controls.s3-bucket-tls-only.mode: notify, its default, instead of off",
                "lost: classification.levels.own: there is no such level: data of it count as untagged",
                "lost: exemptions: arn:aws:s3:::legacy-* from s3-bucket-tls-only (ana: old scanners): is no more; it was to hold until \
                 2099-01-01T00:00:00Z",
                "lost: break-glass: arn:aws:iam::111122223333:role/BreakGlass is not among them any more",
                "lost: budget.disruptive-per-hour: 100, the default, instead of 5",
                "lost: kms.required-aliases.alias/app: is no more",
                "lost: kms.required-services: logs.eu-west-1.amazonaws.com is not among them any more",
                "lost: trusted.accounts: 444455556666 is not among them any more",
                "weakened: mode: notify instead of enforce",
                "weakened: controls.s3-bucket-versioning.mode: notify, its default, instead of enforce",
            ]
        );
    }

    #[test]
    fn what_lets_more_through_or_asks_for_less_is_weakened_and_the_contrary_is_a_change() {
        let stricter = "\
controls: {s3-bucket-public-policy: {quarantine: true}}
classification: {levels: {confidential: {encryption: customer-managed-key}, internal: {quarantine: true}}}
notifications: {reminder-days: 1}
ledger: {retention-days: 3000}
ec2: {open-tcp-ports: [443]}
kms: {rotation-days: 90, regions: []}
";
        let laxer = "\
classification: {levels: {internal: {public: true}}}
notifications: {reminder-days: 9}
ledger: {retention-days: 300}
ec2: {open-tcp-ports: [80, 443, 8443]}
kms: {rotation-days: 180, regions: [eu-central-1]}
trusted: {networks: [203.0.113.0/24]}
exemptions:
- {control: s3-bucket-public-policy, tag: {key: Exempt, value: drill}, reason: r, owner: o, until: 2099-01-01T00:00:00Z}
";
        let weakened = differences(stricter, laxer);
        let settings: Vec<_> = weakened
            .iter()
            .filter_map(|one| one.strip_prefix("weakened: "))
            .collect();
        assert_eq!(settings.len(), weakened.len(), "{weakened:?}");
        assert_eq!(settings.len(), 12, "{settings:?}");
        let back = differences(laxer, stricter);
        assert!(back.iter().all(|one| !one.starts_with("weakened: ")), "{back:?}");
        assert!(
            back.iter()
                .any(|one| one.starts_with("changed: classification.levels.confidential.encryption"))
        );
    }
}
