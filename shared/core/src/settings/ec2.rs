use serde::{Deserialize, Serialize};

use super::error::{Wrong, is_key};

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

impl Ec2Settings {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        if let Some(key) = &self.default_key {
            is_key(key).map_err(|what| ("ec2.default-key".to_owned(), what))?;
        }
        let both = self.open_tcp_ports.iter().enumerate();
        let mut both = both.filter(|(_, port)| self.critical_ports.contains(port));
        match both.next() {
            Some((at, port)) => Err((
                format!("ec2.open-tcp-ports[{at}]"),
                format!("port {port} is one of the critical-ports as well; take it out of one of the two"),
            )),
            None => Ok(()),
        }
    }
}
