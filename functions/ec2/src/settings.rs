//! The section `ec2` of the settings.

use portcullis_core::Settings;
use portcullis_core::settings::{Section, Wrong, is_key};
use serde::{Deserialize, Serialize};

/// What is asked of EC2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Ec2Settings {
    /// The KMS key that new volumes are to be encrypted with, as a key ARN; none leaves what is set.
    pub default_key: Option<String>,
    /// The TCP ports that the internet may reach.
    pub open_tcp_ports: Vec<u16>,
    /// The UDP ports that the internet may reach.
    pub open_udp_ports: Vec<u16>,
    /// The TCP ports of administration and of databases: critical, where the internet reaches them.
    pub critical_ports: Vec<u16>,
    /// What becomes of a volume that is not encrypted, besides being told.
    pub unencrypted_volumes: VolumeQuarantine,
    /// For so many days a volume that was swapped for an encrypted one is to be kept, as a tag on it says; nothing deletes it then.
    pub keep_replaced_days: u16,
    /// What is done with an instance that is cut off because the internet reaches it, besides.
    pub exposed_instances: ExposedInstances,
}

/// What is done with an instance once it is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ExposedInstances {
    /// Snapshots of all its volumes are made, for whoever looks into what happened.
    pub snapshot: bool,
    /// It is stopped then; what is in its memory, or on instance store, is lost.
    pub stop: bool,
}

/// How a volume that is not encrypted is set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum VolumeQuarantine {
    /// A tag says so.
    #[default]
    Tag,
    /// It is detached as well, unless an instance starts from it.
    Detach,
    /// The instances that it is attached to are stopped as well.
    Stop,
    /// A tag has it swapped for an encrypted one: its instance stops meanwhile.
    ReEncrypt,
}

impl Default for Ec2Settings {
    fn default() -> Self {
        Self {
            default_key: None,
            open_tcp_ports: vec![80, 443],
            open_udp_ports: Vec::new(),
            // Security Hub EC2.19, with Redis (6379), memcached (11211) and MongoDB (27017).
            critical_ports: vec![
                20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601,
                6379, 8080, 8088, 8888, 9200, 9300, 11211, 27017,
            ],
            unencrypted_volumes: VolumeQuarantine::Tag,
            keep_replaced_days: 30,
            exposed_instances: ExposedInstances::default(),
        }
    }
}

impl Section for Ec2Settings {
    const NAME: &'static str = "ec2";

    fn check(&self, _: &Settings) -> Result<(), Wrong> {
        if let Some(key) = &self.default_key {
            is_key(key).map_err(|what| ("default-key".to_owned(), what))?;
        }
        let both = self.open_tcp_ports.iter().enumerate();
        let mut both = both.filter(|(_, port)| self.critical_ports.contains(port));
        match both.next() {
            Some((at, port)) => Err((
                format!("open-tcp-ports[{at}]"),
                format!("port {port} is one of the critical-ports as well; take it out of one of the two"),
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::{Known, SettingsError};

    use super::*;

    fn read(yaml: &str) -> Result<Settings, SettingsError> {
        Settings::from_yaml(yaml, &Known::all(&[crate::service()]))
    }

    #[test]
    fn what_is_not_set_is_as_by_default() {
        let settings = read("ec2: {open-tcp-ports: [8080], critical-ports: [22]}").unwrap();
        let expected = Ec2Settings {
            open_tcp_ports: vec![8080],
            critical_ports: vec![22],
            ..Ec2Settings::default()
        };
        assert_eq!(*settings.section::<Ec2Settings>(), expected);
    }

    #[test]
    fn what_can_not_be_meant_is_refused_with_setting_place_and_what_to_write() {
        for (yaml, told) in [
            (
                "ec2: {open-tcp-ports: [443, http]}",
                "line 1 column 29: ec2.open-tcp-ports[1]: expected a whole number from 0 to 65535, found \"http\"; write it in digits",
            ),
            (
                "ec2: {open-tcp-ports: 443}",
                "line 1 column 7: ec2.open-tcp-ports: expected a list, found 443; write it as [a, b], or [] for none",
            ),
            (
                "ec2: {open-tcp-ports: [80, 22]}",
                "line 1 column 28: ec2.open-tcp-ports[1]: port 22 is one of the critical-ports as well; take it out of one of the two",
            ),
            (
                "ec2: {default-key: alias/aws/ebs}",
                "line 1 column 7: ec2.default-key: expected the ARN of a key, as in arn:…:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab, found \"alias/aws/ebs\"; an id or an alias is not enough: `aws kms describe-key --key-id ID-OR-ALIAS --query KeyMetadata.Arn` tells the ARN",
            ),
            (
                "ec2: {unencrypted-volumes: dettach}",
                "line 1 column 7: ec2.unencrypted-volumes: expected tag or detach or stop or re-encrypt, found \"dettach\"; did you mean detach?",
            ),
            (
                "ec2: {exposed-instances: {snapshots: true}}",
                "line 1 column 27: ec2.exposed-instances.snapshots: expected one of snapshot, stop, found no such setting; did you mean snapshot?",
            ),
        ] {
            let error = read(yaml).unwrap_err().to_string();
            assert_eq!(error, format!("the settings can't be used: {told}"), "{yaml}");
        }
    }
}
