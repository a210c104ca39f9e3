use std::fmt;
use std::str::FromStr;

/// An Amazon Resource Name. Source: IAM User Guide, "Identify AWS resources with ARNs".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// `aws`, `aws-us-gov`, `aws-cn` or a newer one.
    pub partition: String,
    /// The service's namespace, as in `s3`.
    pub service: String,
    /// Empty for resources that are global or, as buckets, unique in a partition.
    pub region: String,
    /// Twelve digits, or empty.
    pub account: String,
    /// All that follows the account.
    pub resource: String,
}

/// What keeps a text from being an ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an ARN (arn:partition:service:region:account:resource), found {found:?}")]
pub struct ArnError {
    /// The text, cut to a length that fits a log line.
    pub found: String,
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (prefix, partition, service, region, account, resource) = (next(), next(), next(), next(), next(), next());
        if prefix != "arn" || partition.is_empty() || service.is_empty() || resource.is_empty() {
            return Err(ArnError {
                found: text.chars().take(120).collect(),
            });
        }
        Ok(Self {
            partition,
            service,
            region,
            account,
            resource,
        })
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// The partition that a region belongs to. Source: AWS General Reference, "Regions and partitions".
pub fn partition_of(region: &str) -> &'static str {
    const BY_PREFIX: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    BY_PREFIX
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix))
        .map_or("aws", |(_, partition)| partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_survives_the_round_trip() {
        for text in [
            "arn:aws:s3:::a-bucket",
            "arn:aws-cn:kms:cn-north-1:111122223333:key/1:2",
        ] {
            assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
        assert!("arn:aws:s3".parse::<Arn>().is_err());
        assert!("bucket".parse::<Arn>().is_err());
    }

    #[test]
    fn regions_have_their_partition() {
        assert_eq!(partition_of("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition_of("cn-north-1"), "aws-cn");
        assert_eq!(partition_of("eu-west-1"), "aws");
    }
}
