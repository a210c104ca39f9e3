//! `portcullis settings`: whether settings are good, and what they mean for one resource.

mod against;
mod check;
mod file;
mod warnings;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::fmt::serde::duration::friendly::compact;
use jiff::{SignedDuration, Timestamp};
use portcullis_core::event::{Actor, Call};
use portcullis_core::settings::{Budget, Exemption, Flips, Known, Level, Mode, Switch, Then, Trusted};
use portcullis_core::{Arn, Impact, Listing, Meta, Resource, Settings, Tags};
use serde::Serialize;
use serde_json::Value;

use crate::controls::{table, word};
use crate::error::Error;
pub(crate) use file::found;

const EXIT_STATUS: &str = "Exit status: 0 where nothing is to be said, 3 where there are warnings or something is lost or weakened, 2 where \
                           the settings are refused, 1 where a file can't be read.";

#[derive(clap::Subcommand)]
pub enum Command {
    /// Check a file of settings: all that is wrong with it, what is suspicious, and what it loses against another one
    #[command(after_help = EXIT_STATUS)]
    Check(check::Arguments),
    /// Say what applies to a resource, and why
    Explain(Explain),
}

#[derive(clap::Args)]
pub struct Explain {
    /// The resource's ARN
    #[arg(long, value_name = "ARN")]
    resource: String,
    /// A tag of the resource; may be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    tags: Vec<(String, String)>,
    /// The settings; without it those in ./portcullis.yaml, or the defaults where there is none
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The stack's parameter Mode: `notify` there or in the settings means notify
    #[arg(long, value_name = "notify|enforce", value_parser = mode)]
    mode: Option<Mode>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

fn mode(text: &str) -> Result<Mode, String> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|_| "expected `notify` or `enforce`".into())
}

pub fn run(command: &Command, out: &mut impl Write) -> Result<ExitCode, Error> {
    match command {
        Command::Check(asked) => check::run(asked, Timestamp::now(), out),
        Command::Explain(asked) => {
            let explained = explain(asked, Timestamp::now())?;
            if asked.json {
                serde_json::to_writer_pretty(&mut *out, &explained)?;
                writeln!(out)?;
                return Ok(ExitCode::SUCCESS);
            }
            explained.write(out)
        }
    }
}

/// What applies to a resource.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Explained<'a> {
    resource: Named,
    settings: String,
    mode: Mode,
    classification: Classified<'a>,
    controls: Vec<Applied<'a>>,
    budget: &'a Budget,
    flips: &'a Flips,
    trusted: &'a Trusted,
    break_glass: &'a [String],
}

#[derive(Serialize)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
    arn: String,
}

#[derive(Serialize)]
struct Classified<'a> {
    level: String,
    why: String,
    #[serde(flatten)]
    needs: &'a Level,
}

#[derive(Serialize)]
struct Applied<'a> {
    control: &'static str,
    mode: Switch,
    why: String,
    quarantine: bool,
    #[serde(serialize_with = "compact::optional")]
    grace: Option<SignedDuration>,
    /// Whether its remedy draws on the budget.
    disruptive: bool,
    exempt: bool,
    exemption: Option<&'a Exemption>,
}

/// `Explained` with the settings that it borrows from.
struct Explanation {
    settings: Settings,
    from: String,
    guard: Box<dyn Listing>,
    resource: Resource,
    tags: Tags,
    now: Timestamp,
}

fn explain(asked: &Explain, now: Timestamp) -> Result<Explanation, Error> {
    let (mut settings, mut from) = found(asked.settings.as_deref())?;
    if let Some(mode) = asked.mode {
        settings.mode = settings.mode.min(mode);
        from = format!("{from}, bounded by the mode of the stack");
    }
    let (guard, resource) = guard_of(&asked.resource)?;
    Ok(Explanation {
        settings,
        from,
        guard,
        resource,
        tags: asked.tags.iter().cloned().collect(),
        now,
    })
}

/// The resource type of a resource: the one that finds exactly this ARN in a record that names nothing else.
fn guard_of(text: &str) -> Result<(Box<dyn Listing>, Resource), Error> {
    let arn: Arn = text.parse().map_err(|error| Error::Refused(format!("{error}")))?;
    let or = |text: &str, other: &str| {
        if text.is_empty() {
            other.to_owned()
        } else {
            text.to_owned()
        }
    };
    let home = match arn.partition.as_str() {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        "aws-iso-e" => "eu-isoe-west-1",
        "aws-iso-f" => "us-isof-south-1",
        "aws-eusc" => "eusc-de-east-1",
        _ => "us-east-1",
    };
    let mut call = Call {
        id: String::new(),
        source: String::new(),
        name: String::new(),
        time: String::new(),
        account: or(&arn.account, "000000000000"),
        region: or(&arn.region, home),
        actor: Actor::default(),
        parameters: Value::Null,
        response: Value::Null,
        resources: vec![text.to_owned()],
        owners: BTreeMap::new(),
        error: None,
        omitted: true,
        unanswered: false,
        recorded: false,
        details: Value::Null,
    };
    let listings = portcullis_catalog::listings();
    let kinds: Vec<_> = listings.iter().map(|listing| listing.kind()).collect();
    let known = format!(
        "{text}: no resource type looks after it; there are {}",
        kinds.join(", ")
    );
    for listing in listings {
        listing.source().clone_into(&mut call.source);
        for name in listing.calls() {
            name.clone_into(&mut call.name);
            let found = listing.resources(&call).and_then(Result::ok).unwrap_or_default();
            if let Some(resource) = found
                .into_iter()
                .find(|resource| resource.arn == text && resource.kind == listing.kind())
            {
                return Ok((listing, resource));
            }
        }
    }
    let meant = Known::all(&portcullis_catalog::services()).arn_meant(text);
    let meant = meant.map_or_else(String::new, |arn| format!("; did you mean {arn}?"));
    Err(Error::Refused(known + &meant))
}

impl Explanation {
    fn explained(&self) -> Explained<'_> {
        let settings = &self.settings;
        let (level, needs) = settings.level(Some(&self.tags));
        let tag = &settings.classification.tag;
        let why = match self.tags.get(tag) {
            Some(value) if needs.values.iter().any(|named| named.eq_ignore_ascii_case(value)) => {
                format!("its tag {tag} is {value:?}")
            }
            Some(value) => format!("no level names the value {value:?} of its tag {tag}, so it counts as untagged"),
            None => format!("it has no tag {tag}, so it counts as untagged"),
        };
        Explained {
            resource: Named {
                kind: self.resource.kind.clone(),
                arn: self.resource.arn.clone(),
            },
            settings: self.from.clone(),
            mode: settings.mode,
            classification: Classified {
                level: level.to_owned(),
                why,
                needs,
            },
            controls: self
                .guard
                .controls()
                .into_iter()
                .map(|meta| self.applied(meta))
                .collect(),
            budget: &settings.budget,
            flips: &settings.flips,
            trusted: &settings.trusted,
            break_glass: &settings.break_glass,
        }
    }

    fn applied(&self, meta: &'static Meta) -> Applied<'_> {
        let settings = &self.settings;
        let mode = settings.switch(meta);
        let set = settings.controls.get(meta.id).and_then(|set| set.mode);
        let (wanted, source) = match set {
            Some(wanted) => (wanted, "the settings say so"),
            None => (meta.default, "its default"),
        };
        let mut why = if mode == wanted {
            source.to_owned()
        } else {
            format!(
                "{source}: {}, but the mode for all is {}",
                word(&wanted),
                word(&settings.mode)
            )
        };
        let (resource, tags, now) = (&self.resource, Some(&self.tags), self.now);
        let holds = settings.exemption(meta.id, resource, tags, now);
        let exemption = holds.or_else(|| settings.ended_exemption(meta.id, resource, tags, now));
        if let Some(Exemption {
            reason, owner, until, ..
        }) = exemption
        {
            let state = if holds.is_some() {
                "exempt until"
            } else {
                "its exemption ended on"
            };
            why = format!("{why}; {state} {until} ({reason}; {owner})");
        }
        let grace = settings.grace(meta.id).filter(|_| mode == Switch::Enforce);
        if let Some(grace) = grace {
            why = format!("{why}; announced first, put right after {grace:#}");
        }
        Applied {
            control: meta.id,
            mode,
            why,
            quarantine: settings.quarantines(meta.id),
            grace,
            disruptive: mode == Switch::Enforce && meta.impact != Impact::Nothing,
            exempt: holds.is_some(),
            exemption,
        }
    }

    fn write(&self, out: &mut impl Write) -> Result<ExitCode, Error> {
        let Explained {
            resource,
            settings,
            mode,
            classification: Classified { level, why, needs },
            controls,
            budget,
            flips,
            trusted,
            break_glass,
        } = self.explained();
        writeln!(
            out,
            "{} ({})\nsettings: {settings}\nmode: {}\n",
            resource.arn,
            resource.kind,
            word(&mode)
        )?;
        writeln!(out, "CLASSIFICATION\n  {level}: {why}")?;
        let key = needs.key.as_ref().map_or(String::new(), |key| format!(" under {key}"));
        writeln!(out, "  encryption: {}{key}, or better", word(&needs.encryption))?;
        writeln!(out, "  may be public: {}", if needs.public { "yes" } else { "no" })?;
        let ways = if needs.vpc_endpoints.is_empty() {
            "any way".into()
        } else {
            format!("only through {}", needs.vpc_endpoints.join(", "))
        };
        writeln!(out, "  may be reached: {ways}")?;
        let quarantine = if needs.quarantine {
            "closed off at once"
        } else {
            "put right, not closed off"
        };
        writeln!(out, "  when exposed: {quarantine}\n\nCONTROLS")?;
        let mut rows = Vec::new();
        for applied in &controls {
            let mode = if applied.exempt {
                "exempt".into()
            } else {
                word(&applied.mode)
            };
            let quarantine = if applied.quarantine { "; quarantine" } else { "" };
            rows.push([
                format!("  {}", applied.control),
                mode,
                format!("{}{quarantine}", applied.why),
            ]);
        }
        table(out, &rows)?;
        write_limits(out, budget, flips, &controls)?;
        writeln!(out, "\nTRUSTED (what a policy may let in besides the owner)")?;
        let all: [(&str, &[String]); 7] = [
            ("accounts", &trusted.accounts),
            ("organizations", &trusted.organizations),
            ("organization-paths", &trusted.organization_paths),
            ("vpcs", &trusted.vpcs),
            ("vpc-endpoints", &trusted.vpc_endpoints),
            ("networks", &trusted.networks),
            ("break-glass, spared by a quarantine", break_glass),
        ];
        for (what, who) in all {
            let who = if who.is_empty() { "none".into() } else { who.join(", ") };
            writeln!(out, "  {what}: {who}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write_limits(out: &mut impl Write, budget: &Budget, flips: &Flips, controls: &[Applied<'_>]) -> Result<(), Error> {
    let drawing: Vec<_> = controls
        .iter()
        .filter(|applied| applied.disruptive)
        .map(|applied| applied.control)
        .collect();
    let limit = budget.disruptive_per_hour.map_or_else(
        || "as many as there are".to_owned(),
        |limit| format!("{limit}; what is beyond waits for the next hour"),
    );
    let drawing = if drawing.is_empty() {
        "none".into()
    } else {
        drawing.join(", ")
    };
    writeln!(
        out,
        "\nBUDGET (disruptive remedies an hour, in one account and region)\n  {limit}"
    )?;
    writeln!(out, "  controls that draw on it here: {drawing}")?;
    let then = match flips.then {
        Then::Tell => "put right again",
        Then::Stop => "left as it is",
        Then::Quarantine => "closed off where there is a quarantine for it, else put right again",
    };
    writeln!(
        out,
        "\nFLIPS\n  remediation {} of one control within {:#} is told as a fight, one severity higher, and {then}",
        flips.count, flips.window
    )?;
    Ok(())
}

impl Serialize for Explanation {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.explained().serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::Known;
    use serde_json::json;

    use super::*;

    /// Settings with the sections of all services, as they are written.
    fn all_of(settings: &Settings) -> Value {
        let mut all = serde_json::to_value(settings).unwrap();
        for section in portcullis_catalog::services()
            .iter()
            .filter_map(|service| service.settings)
        {
            all[section.name] = (section.value)(settings).unwrap();
        }
        all
    }

    /// The values that are no maps, by their paths.
    fn leaves(value: &Value, path: &[String], found: &mut Vec<(Vec<String>, Value)>) {
        match value.as_object() {
            Some(entries) if !entries.is_empty() => {
                for (name, inner) in entries {
                    leaves(inner, &[path, std::slice::from_ref(name)].concat(), found);
                }
            }
            _ => found.push((path.to_vec(), value.clone())),
        }
    }

    fn put(into: &mut Value, path: &[String], value: Value) {
        match path {
            [] => *into = value,
            [first, rest @ ..] => put(&mut into[first.as_str()], rest, value),
        }
    }

    /// What a setting may be instead, whatever it is.
    fn others(value: &Value) -> Vec<Value> {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let numbers = value
            .as_u64()
            .into_iter()
            .flat_map(|number| [json!(number + 1), json!(number - 1)]);
        let words = ["notify", "dual-layer", "stop", "25h", "restricted", "detach", "Other"].map(Value::from);
        let lists = [
            json!([7]),
            json!(["other"]),
            json!(["444455556666"]),
            json!(["o-abc"]),
            json!(["o-abc/r-1/ou-1/*"]),
        ];
        let ids = [
            json!(["vpc-1"]),
            json!(["vpce-1"]),
            json!(["203.0.113.0/24"]),
            json!(["restricted"]),
        ];
        let principal = json!(["arn:aws:iam::111122223333:role/BreakGlass"]);
        let exemption = json!([{"control": "*", "tag": {"key": "k", "value": "v"}, "reason": "r", "owner": "o", "until": "2099-01-01T00:00:00Z"}]);
        let maps = [
            json!({"s3-bucket-tls-only": {"mode": "off"}}),
            json!({"alias/app": "k-1"}),
        ];
        numbers
            .chain([json!(value != true), json!(key), principal, exemption])
            .chain(words)
            .chain(lists)
            .chain(ids)
            .chain(maps)
            .collect()
    }

    #[test]
    fn an_override_of_any_setting_of_any_service_changes_that_and_nothing_else() {
        let known = Known::all(&portcullis_catalog::services());
        let defaults = all_of(&Settings::default());
        let mut paths = Vec::new();
        leaves(&defaults, &[], &mut paths);
        let mut alone = Vec::new();
        for (path, value) in &paths {
            let written = others(value).into_iter().filter(|other| other != value);
            let changed = written.into_iter().find_map(|other| {
                let mut only = Value::Null;
                put(&mut only, path, other);
                Settings::from_yaml(&only.to_string(), &known).ok()
            });
            let Some(mut changed) = changed.map(|settings| all_of(&settings)) else {
                alone.push(path.join("."));
                continue;
            };
            assert_ne!(changed, defaults, "{path:?}");
            put(&mut changed, path, value.clone());
            assert_eq!(changed, defaults, "{path:?}");
        }
        // Each makes no sense without another one beside it.
        let needs_another = [
            "classification.levels.public.key",
            "classification.levels.internal.key",
            "classification.levels.confidential.key",
        ];
        let needs_another = needs_another.into_iter().chain([
            "classification.levels.public.vpc-endpoints",
            "classification.levels.public.quarantine",
            "classification.levels.restricted.public",
        ]);
        let mut expected: Vec<_> = needs_another.map(ToOwned::to_owned).collect();
        expected.sort();
        alone.sort();
        assert_eq!(alone, expected);
        assert!(paths.len() > 50, "{}", paths.len());
    }
}
