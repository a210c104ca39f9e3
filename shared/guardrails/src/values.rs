//! What the statements take from the settings and from the command line.

use std::collections::BTreeSet;

use portcullis_core::settings::{Encryption, Level, Settings};

use crate::clause::{Clause, Variant};
use crate::error::GuardrailError;

/// What the statements are made with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// The ids of the organisations in trust, the own one among them.
    pub organizations: Vec<String>,
    /// The paths of trusted organisational units.
    pub organization_paths: Vec<String>,
    /// The trusted accounts.
    pub accounts: Vec<String>,
    /// The trusted networks.
    pub networks: Vec<String>,
    /// The trusted VPCs.
    pub vpcs: Vec<String>,
    /// The trusted VPC endpoints.
    pub vpc_endpoints: Vec<String>,
    /// Whether canonical users are in trust, which no policy can ask for.
    pub canonical_users: bool,
    /// Whom every statement spares, so that people can repair.
    pub break_glass: Vec<String>,
    /// Whom the operator names besides, such as a landing zone's role.
    pub named: Vec<String>,
    /// The name of Portcullis's stack: its roles, functions and rules begin with it.
    pub stack: String,
    /// The accounts of the organisation, where they are listed.
    pub own_accounts: Vec<String>,
    /// The most days between two rotations of a key.
    pub rotation_days: String,
    /// The tag of keys that may be destroyed.
    pub retirement_tag: Option<String>,
    /// The regions in which a multi-Region key may live.
    pub regions: Vec<String>,
    /// The aliases that must stay, as `alias/…`.
    pub aliases: Vec<String>,
    /// The tag that classifies data.
    pub tag: String,
    /// The levels of data.
    pub levels: Vec<LevelValues>,
    /// What is left as it is.
    pub exemptions: Vec<ExemptionValues>,
    /// Whether the ends of exemptions are written into the policies.
    pub until_aware: bool,
    /// The controls that are off: a statement of none but those is left out.
    pub off: BTreeSet<String>,
}

/// What a level of data says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LevelValues {
    /// Its name.
    pub name: String,
    /// The tag's values that mean it.
    pub values: Vec<String>,
    /// The ARN of its key.
    pub key: Option<String>,
    /// The encryptions of S3 that are weaker than it asks for, as their header names them.
    pub weaker: Vec<&'static str>,
    /// Whether it is public.
    pub public: bool,
    /// The endpoints through which alone it may be reached.
    pub endpoints: Vec<String>,
    /// The names of its buckets, as patterns.
    pub buckets: Vec<String>,
}

/// An exemption of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExemptionValues {
    /// The control, or `*`.
    pub control: String,
    /// The pattern of ARNs, where it has no tag.
    pub pattern: Option<String>,
    /// What it is about, in words.
    pub about: String,
    /// When it ends.
    pub until: String,
}

/// What the section of KMS says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyValues {
    /// The most days between two rotations.
    pub rotation_days: u16,
    /// The tag of keys that may be destroyed.
    pub retirement_tag: Option<String>,
    /// The regions of multi-Region keys.
    pub regions: Vec<String>,
    /// The aliases that must stay.
    pub aliases: Vec<String>,
}

impl LevelValues {
    fn of(name: &str, level: &Level) -> Self {
        // S3 API Reference, "PutObject": the values of x-amz-server-side-encryption, weakest first.
        let weaker: &[_] = match level.encryption {
            Encryption::Any => &[],
            Encryption::AwsManagedKey | Encryption::CustomerManagedKey => &["AES256"],
            Encryption::DualLayer => &["AES256", "aws:kms"],
        };
        Self {
            name: name.to_owned(),
            values: level.values.clone(),
            key: level.key.clone(),
            weaker: weaker.to_vec(),
            public: level.public,
            endpoints: level.vpc_endpoints.clone(),
            buckets: Vec::new(),
        }
    }

    /// What its name adds to a Sid, which takes letters and digits only.
    pub fn suffix(&self) -> String {
        let words = self.name.split(|letter: char| !letter.is_ascii_alphanumeric());
        words
            .filter_map(|word| Some(word.get(..1)?.to_ascii_uppercase() + &word[1..]))
            .collect()
    }

    /// The objects of its buckets.
    pub fn objects(&self) -> Vec<String> {
        let names = self.buckets.iter();
        names.map(|name| format!("arn:*:s3:::{name}/*")).collect()
    }
}

impl Values {
    /// What the settings say. What only the command line knows is left empty.
    pub fn from_settings(settings: &Settings, keys: KeyValues) -> Self {
        let trusted = &settings.trusted;
        let levels = settings.classification.levels.iter();
        let exemptions = settings.exemptions.iter();
        Self {
            organizations: trusted.organizations.clone(),
            organization_paths: trusted.organization_paths.clone(),
            accounts: trusted.accounts.clone(),
            networks: trusted.networks.clone(),
            vpcs: trusted.vpcs.clone(),
            vpc_endpoints: trusted.vpc_endpoints.clone(),
            canonical_users: !trusted.canonical_users.is_empty(),
            break_glass: settings.break_glass.clone(),
            stack: "portcullis".into(),
            rotation_days: keys.rotation_days.to_string(),
            retirement_tag: keys.retirement_tag,
            regions: keys.regions,
            aliases: keys.aliases,
            tag: settings.classification.tag.clone(),
            levels: levels.map(|(name, level)| LevelValues::of(name, level)).collect(),
            exemptions: exemptions
                .map(|exemption| ExemptionValues {
                    control: exemption.control.clone(),
                    pattern: exemption.resource.clone().filter(|_| exemption.tag.is_none()),
                    about: exemption.about(),
                    until: exemption.until.to_string(),
                })
                .collect(),
            ..Self::default()
        }
    }

    /// The roles of Portcullis's own stack.
    pub fn own_roles(&self) -> String {
        format!("arn:*:iam::*:role/{}-*", self.stack)
    }

    /// Whom the statements spare.
    pub fn exempt(&self) -> Vec<String> {
        let mut all = self.break_glass.clone();
        all.push(self.own_roles());
        all.extend(self.named.iter().cloned());
        all
    }

    /// Whom the statements spare that protect Portcullis itself.
    pub fn deploying(&self) -> Vec<String> {
        let mut all = self.break_glass.clone();
        all.push(DEPLOYER.to_owned());
        all.extend(self.named.iter().cloned());
        all
    }

    /// The principals whose names are an exemption.
    pub fn protected(&self) -> Vec<String> {
        let mut all = self.exempt();
        all.push(DEPLOYER.to_owned());
        all
    }

    /// The names of the buckets of the levels that fit.
    pub fn buckets(&self, fits: impl Fn(&LevelValues) -> bool) -> Vec<String> {
        let levels = self.levels.iter().filter(|level| fits(level));
        levels.flat_map(|level| level.buckets.clone()).collect()
    }

    /// The clause that a resource is tagged with a level when it is made. Settings compare levels without regard to case.
    pub fn tagged_at_creation(&self, level: &LevelValues) -> Clause {
        let key = format!("aws:RequestTag/{}", self.tag);
        Clause::new("StringEqualsIgnoreCase", key, &level.values)
    }

    /// A variant for each level that has what it needs; its suffix counts only where there are several.
    pub fn each_level<'v, T>(
        &'v self,
        missing: &str,
        needs: impl Fn(&'v LevelValues) -> Option<T>,
        make: impl Fn(&'v LevelValues, T) -> Variant,
    ) -> Result<Vec<Variant>, String> {
        let levels = self.levels.iter();
        let mut variants: Vec<_> = levels
            .filter_map(|level| needs(level).map(|needed| make(level, needed)))
            .collect();
        match variants.as_mut_slice() {
            [] => return Err(missing.to_owned()),
            [only] => only.suffix.clear(),
            _ => {}
        }
        Ok(variants)
    }

    /// Whether the values can stand in a policy.
    pub fn check(&self) -> Result<(), GuardrailError> {
        let wrong = |from: &str, expected: &str, found: &str| {
            Err(GuardrailError::Value {
                from: from.to_owned(),
                expected: expected.to_owned(),
                found: found.to_owned(),
            })
        };
        let principals = self.break_glass.iter().enumerate();
        let named = self.named.iter().map(|arn| ("--exempt".to_owned(), arn));
        for (from, arn) in principals
            .map(|(at, arn)| (format!("break-glass[{at}]"), arn))
            .chain(named)
        {
            principal(arn).map_err(|why| GuardrailError::Principal {
                from,
                found: arn.clone(),
                why,
            })?;
        }
        for id in &self.organizations {
            let code = id.strip_prefix("o-").unwrap_or_default();
            let letters = code
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            if !(10..=32).contains(&code.len()) || !letters {
                return wrong("the organisation", "its id, such as o-a1b2c3d4e5", id);
            }
        }
        for account in self.own_accounts.iter().chain(&self.accounts) {
            if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
                return wrong("the accounts", "an account id of twelve digits", account);
            }
        }
        let part = |text: &str| {
            let mut bytes = text.bytes();
            bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if self.stack.is_empty() || !part(&self.stack) {
            return wrong("--stack", "the name of a stack", &self.stack);
        }
        if let Some(region) = self
            .regions
            .iter()
            .find(|region| !part(region) || !region.contains('-'))
        {
            return wrong("--region", "a region's name", region);
        }
        for bucket in self.levels.iter().flat_map(|level| &level.buckets) {
            let letters =
                |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || ".-*?".contains(letter);
            if !bucket.chars().any(char::is_alphanumeric) || !bucket.chars().all(letters) {
                return wrong(
                    "--buckets",
                    "the name of a bucket, or a pattern that has a part of one",
                    bucket,
                );
            }
        }
        // `${…}` would be a policy variable that nobody fills: the deny would be without effect.
        let texts = [Some(&self.tag), self.retirement_tag.as_ref()].into_iter().flatten();
        for text in texts
            .chain(&self.aliases)
            .chain(self.exemptions.iter().filter_map(|one| one.pattern.as_ref()))
        {
            if text.contains("${") {
                return wrong(
                    "the settings",
                    "a text without ${, which policies read as a variable",
                    text,
                );
            }
        }
        Ok(())
    }
}

/// The roles by which stack sets deploy to member accounts. Source: CloudFormation User Guide, "Prerequisites for using `StackSets`".
const DEPLOYER: &str = "arn:*:iam::*:role/stacksets-exec-*";

/// Whether a policy can spare the principal, and protect its name.
fn principal(arn: &str) -> Result<(), &'static str> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let &["arn", _, service, "", account, resource] = parts.as_slice() else {
        return Err("");
    };
    if service == "sts" || resource.starts_with("assumed-role/") {
        return Err(": aws:PrincipalArn is the role's ARN, never that of a session");
    }
    let is_account = account == "*" || account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if service != "iam" || !is_account || arn.contains("${") {
        return Err("");
    }
    let name = resource
        .strip_prefix("role/")
        .or_else(|| resource.strip_prefix("user/"));
    match name {
        Some(name) if name.chars().any(char::is_alphanumeric) => Ok(()),
        Some(_) => Err(": it would spare everybody"),
        None if resource == "root" && account != "*" => Ok(()),
        None if resource == "root" => Err(": it would spare each root user"),
        None => Err(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_one_that_a_policy_can_spare_by_its_arn() {
        for good in [
            "arn:aws:iam::111122223333:role/BreakGlass",
            "arn:*:iam::*:role/BreakGlass",
            "arn:aws:iam::111122223333:user/eve",
            "arn:aws:iam::111122223333:root",
            "arn:aws-cn:iam::111122223333:role/path/Name-*",
        ] {
            assert_eq!(principal(good), Ok(()), "{good}");
        }
        for bad in [
            "arn:aws:sts::111122223333:assumed-role/BreakGlass/eve",
            "arn:*:iam::*:role/*",
            "arn:*:iam::*:root",
            "arn:aws:iam::1111:role/BreakGlass",
            "arn:aws:iam::111122223333:group/admins",
            "arn:aws:iam::${Account}:role/BreakGlass",
            "BreakGlass",
            "*",
        ] {
            assert!(principal(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_level_s_name_adds_letters_and_digits_to_a_sid() {
        for (name, suffix) in [
            ("restricted", "Restricted"),
            ("top-secret 2", "TopSecret2"),
            ("über", "Ber"),
        ] {
            let level = LevelValues {
                name: name.into(),
                ..LevelValues::default()
            };
            assert_eq!(level.suffix(), suffix);
        }
    }
}
