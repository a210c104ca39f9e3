//! What the documents are made from: the settings, and what only the command line knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use clap::ValueEnum;
use portcullis_core::Settings;
use portcullis_core::settings::Switch;
use portcullis_guardrails::{DocumentKind, Group, KeyValues, Selection, Tier, Values};
use portcullis_kms::KmsSettings;
use serde::Deserialize;

use crate::error::Error;
use crate::settings;
use crate::trusted::is_account;

#[derive(clap::Args)]
pub struct Inputs {
    /// The settings; without it those in ./portcullis.yaml, or the defaults where there is none
    #[arg(long, value_name = "FILE", global = true)]
    settings: Option<PathBuf>,
    /// The organisation's own id, where trusted.organizations of the settings does not have it
    #[arg(long, value_name = "o-…", global = true)]
    organization: Vec<String>,
    /// What is written besides the tier `default`, which breaks nobody who does the right thing: whole calls (strict), what settings
    /// say of levels (levels, networks), what needs --accounts (accounts), or all that there are values for (all)
    #[arg(long, value_name = "TIER", value_delimiter = ',', global = true)]
    tier: Vec<TierName>,
    /// Single statements of the tier strict, by their Sids
    #[arg(long, value_name = "SID", value_delimiter = ',', global = true)]
    strict: Vec<String>,
    /// The kinds of documents; without it ec2, scp, rcp, and s3 where no level is public
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', global = true)]
    kinds: Vec<KindName>,
    /// The groups of statements; without it all
    #[arg(long, value_name = "GROUP", value_delimiter = ',', global = true)]
    group: Vec<GroupName>,
    /// The OUs to which the documents are to be attached
    #[arg(long, value_name = "ou-…", global = true)]
    ou: Vec<String>,
    /// The accounts of the organisation: one id a line, or what `aws organizations list-accounts` prints
    #[arg(long, value_name = "FILE", global = true)]
    accounts: Option<PathBuf>,
    /// The ARN of another role that the statements spare, such as the landing zone's or the one that deploys Portcullis
    #[arg(long, value_name = "ARN", global = true)]
    exempt: Vec<String>,
    /// The name of Portcullis's stack
    #[arg(long, value_name = "NAME", default_value = "portcullis", global = true)]
    stack: String,
    /// A region in which KMS keys may live besides those of kms.regions: those of the stacks
    #[arg(long, value_name = "REGION", global = true)]
    region: Vec<String>,
    /// The buckets of a level, as in `restricted=restricted-*`: a level is a tag, and no policy can ask for a bucket's
    #[arg(long, value_name = "LEVEL=PATTERN", value_parser = bucket, global = true)]
    buckets: Vec<(String, String)>,
    /// Write the ends of exemptions into the resource control policies
    #[arg(long, global = true)]
    until_aware: bool,
    /// Leave out what serves only controls that notify
    #[arg(long, global = true)]
    only_enforced: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TierName {
    Default,
    Strict,
    Levels,
    Accounts,
    Networks,
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindName {
    Ec2,
    S3,
    Scp,
    Rcp,
    Iam,
    Boundary,
    Endpoint,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GroupName {
    S3,
    Ec2,
    Kms,
    Data,
    Protect,
    Perimeter,
}

impl TierName {
    fn tiers(self) -> Vec<Tier> {
        match self {
            Self::Default => vec![Tier::Default],
            Self::Strict => vec![Tier::Strict],
            Self::Levels => vec![Tier::Levels],
            Self::Accounts => vec![Tier::Accounts],
            Self::Networks => vec![Tier::Networks],
            Self::All => Tier::ALL.to_vec(),
        }
    }
}

impl From<KindName> for DocumentKind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Ec2 => Self::Ec2,
            KindName::S3 => Self::S3,
            KindName::Scp => Self::Scp,
            KindName::Rcp => Self::Rcp,
            KindName::Iam => Self::Iam,
            KindName::Boundary => Self::Boundary,
            KindName::Endpoint => Self::Endpoint,
        }
    }
}

impl From<GroupName> for Group {
    fn from(name: GroupName) -> Self {
        match name {
            GroupName::S3 => Self::S3,
            GroupName::Ec2 => Self::Ec2,
            GroupName::Kms => Self::Kms,
            GroupName::Data => Self::Data,
            GroupName::Protect => Self::Protect,
            GroupName::Perimeter => Self::Perimeter,
        }
    }
}

fn bucket(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((level, pattern)) if !level.is_empty() && !pattern.is_empty() => {
            Ok((level.to_owned(), pattern.to_owned()))
        }
        _ => Err("expected LEVEL=PATTERN, as in restricted=restricted-*".into()),
    }
}

/// What `aws organizations list-accounts` prints.
#[derive(Deserialize)]
struct ListAccounts {
    #[serde(rename = "Accounts")]
    accounts: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(rename = "Id")]
    id: String,
}

impl Inputs {
    /// What settings and command line come to.
    pub fn read(&self) -> Result<(Values, Selection), Error> {
        let (settings, _) = settings::found(self.settings.as_deref())?;
        Ok((self.values(&settings)?, self.selection()))
    }

    fn values(&self, settings: &Settings) -> Result<Values, Error> {
        let kms = settings.section::<KmsSettings>();
        let keys = KeyValues {
            rotation_days: kms.rotation_days,
            retirement_tag: kms.retirement_tag.clone(),
            regions: joined(&kms.regions, &self.region),
            aliases: kms.required_aliases.keys().cloned().collect(),
        };
        let mut values = Values::from_settings(settings, keys);
        values.organizations = joined(&self.organization, &values.organizations);
        values.own_accounts = self.accounts()?;
        values.named.clone_from(&self.exempt);
        values.stack.clone_from(&self.stack);
        values.until_aware = self.until_aware;
        let least = if self.only_enforced {
            Switch::Enforce
        } else {
            Switch::Notify
        };
        let controls = portcullis_catalog::controls().into_iter();
        values.off = controls
            .filter(|meta| match (settings.switch(meta), least) {
                (Switch::Off, _) => true,
                (switch, least) => least == Switch::Enforce && switch != Switch::Enforce,
            })
            .map(|meta| meta.id.to_owned())
            .collect();
        for (name, pattern) in &self.buckets {
            let names: Vec<_> = values.levels.iter().map(|level| level.name.clone()).collect();
            let Some(level) = values.levels.iter_mut().find(|level| level.name == *name) else {
                return Err(Error::Refused(format!(
                    "--buckets {name}={pattern}: expected one of the levels ({}), found {name}",
                    names.join(", ")
                )));
            };
            level.buckets.push(pattern.clone());
        }
        Ok(values)
    }

    fn accounts(&self) -> Result<Vec<String>, Error> {
        let Some(path) = &self.accounts else {
            return Ok(Vec::new());
        };
        let text = fs::read_to_string(path).map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
        let listed: BTreeSet<_> = match serde_json::from_str::<ListAccounts>(&text) {
            Ok(list) => list.accounts.into_iter().map(|account| account.id).collect(),
            Err(_) => text.split_whitespace().map(str::to_owned).collect(),
        };
        let is_no_account = |id: &&String| !is_account(id);
        if let Some(found) = listed.iter().find(is_no_account) {
            return Err(Error::Refused(format!(
                "{}: expected an account id of twelve digits a line, or what `aws organizations list-accounts` prints, found {found:?}",
                path.display()
            )));
        }
        if listed.is_empty() {
            return Err(Error::Refused(format!(
                "{}: expected the accounts of the organisation, found none",
                path.display()
            )));
        }
        Ok(listed.into_iter().collect())
    }

    fn selection(&self) -> Selection {
        let mut tiers: BTreeSet<_> = self.tier.iter().flat_map(|name| name.tiers()).collect();
        if self.accounts.is_some() {
            tiers.insert(Tier::Accounts);
        }
        Selection {
            kinds: self.kinds.iter().copied().map(DocumentKind::from).collect(),
            tiers,
            where_possible: self.tier.contains(&TierName::All),
            strict: self.strict.iter().cloned().collect(),
            groups: self.group.iter().copied().map(Group::from).collect(),
            units: self.ou.clone(),
        }
    }
}

/// Both lists, each text once, in order.
fn joined(first: &[String], second: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for one in first.iter().chain(second) {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
    all
}
