use crate::clause::{Clause, Resources, Variant};
use crate::guardrail::{Guardrail, rcp};
use crate::kind::Tier;
use crate::values::Values;

/// The services of ours that have resource control policies; `actions.txt` has all of them, with its date.
const SERVICES: &[&str] = &[
    "aoss:*",
    "dynamodb:*",
    "ecr:*",
    "kms:*",
    "logs:*",
    "s3:*",
    "secretsmanager:*",
    "sqs:*",
];

const NO_ORGANIZATION: &str = "the organisation's id: trusted.organizations, or --organization";

pub(super) const ALL: &[Guardrail] = &[
    rcp(
        "Perimeter",
        &[
            "s3-bucket-public-policy",
            "s3-bucket-public-acl",
            "s3-bucket-external-access",
            "s3-access-point-public-policy",
            "kms-key-public-policy",
            "kms-key-external-access",
            "kms-key-grants",
            "sqs-queue-public-policy",
            "sqs-queue-external-access",
            "dynamodb-table-public-policy",
            "ecr-repository-public-policy",
            "ecr-repository-external-access",
            "secretsmanager-secret-public-policy",
            "secretsmanager-secret-external-access",
        ],
        SERVICES,
    )
    .made(perimeter)
    .breaks(
        "whoever is not in trust: partners, anonymous readers, CloudFront with an origin access identity (not origin access \
         control), load balancers' log accounts of old regions",
    ),
    rcp(
        "Deputy",
        &[
            "s3-bucket-external-access",
            "kms-key-external-access",
            "sqs-queue-external-access",
        ],
        SERVICES,
    )
    .made(deputy)
    .breaks("services that act for accounts that are not in trust"),
    rcp(
        "Tls",
        &["s3-bucket-tls-only", "sqs-queue-tls-only"],
        SERVICES,
    )
    .made(|_| Ok(vec![everywhere(vec![Clause::new("Bool", "aws:SecureTransport", ["false"])])]))
    .breaks("clients over plain HTTP"),
    rcp("S3TlsVersion", &["s3-bucket-tls-only"], &["s3:*"])
        .made(|_| Ok(vec![everywhere(vec![Clause::new("NumericLessThan", "s3:TlsVersion", ["1.2"])])]))
        .breaks("clients over TLS 1.0 and 1.1"),
    // Null: what is denied is the header, not its absence.
    rcp("S3SseC", &["s3-bucket-sse-c-blocked"], &["s3:PutObject"])
        .made(|_| {
            let header = "s3:x-amz-server-side-encryption-customer-algorithm";
            Ok(vec![everywhere(vec![Clause::new("Null", header, ["false"])])])
        })
        .breaks("uploads with keys of the client's own; what is there can still be read"),
    // Never the missing header: that would break each client that relies on the bucket's default.
    rcp("S3WeakerWrite", &["s3-bucket-encrypted-writes"], &["s3:PutObject"])
        .tier(Tier::Levels)
        .made(weaker_write)
        .breaks("clients that name a weaker encryption than the level asks for"),
    rcp(
        "S3Network",
        &["s3-bucket-vpc-endpoints-only"],
        &["s3:DeleteObject*", "s3:GetObject*", "s3:PutObject*"],
    )
    .tier(Tier::Networks)
    .made(network)
    .breaks("the console, and services that act from outside the VPC with a role of theirs"),
];

fn everywhere(conditions: Vec<Clause>) -> Variant {
    Variant {
        suffix: String::new(),
        resources: Resources::AllBut(Vec::new()),
        conditions,
    }
}

/// Keys of one operator must all mismatch for a deny, so that each is one more way to be trusted.
fn perimeter(values: &Values) -> Result<Vec<Variant>, String> {
    if values.organizations.is_empty() {
        return Err(NO_ORGANIZATION.into());
    }
    let ways = [
        ("StringNotEqualsIfExists", "aws:PrincipalOrgID", &values.organizations),
        ("StringNotEqualsIfExists", "aws:PrincipalAccount", &values.accounts),
        ("StringNotEqualsIfExists", "aws:SourceVpc", &values.vpcs),
        ("StringNotEqualsIfExists", "aws:SourceVpce", &values.vpc_endpoints),
        ("NotIpAddressIfExists", "aws:SourceIp", &values.networks),
        // Of a caller without an organisation this holds, too: he is to be denied.
        (
            "ForAllValues:StringNotLike",
            "aws:PrincipalOrgPaths",
            &values.organization_paths,
        ),
    ];
    let mut conditions = trusted(&ways);
    conditions.push(Clause::new("BoolIfExists", "aws:PrincipalIsAWSService", ["false"]));
    let public = values.buckets(|level| level.public);
    let objects = public
        .iter()
        .flat_map(|name| [format!("arn:*:s3:::{name}"), format!("arn:*:s3:::{name}/*")]);
    Ok(vec![Variant {
        suffix: String::new(),
        resources: Resources::AllBut(objects.collect()),
        conditions,
    }])
}

/// What a service does for a stranger. Some integrations send no source at all: those must go on.
fn deputy(values: &Values) -> Result<Vec<Variant>, String> {
    if values.organizations.is_empty() {
        return Err(NO_ORGANIZATION.into());
    }
    let ways = [
        ("StringNotEqualsIfExists", "aws:SourceOrgID", &values.organizations),
        ("StringNotEqualsIfExists", "aws:SourceAccount", &values.accounts),
        (
            "ForAllValues:StringNotLike",
            "aws:SourceOrgPaths",
            &values.organization_paths,
        ),
    ];
    let mut conditions = trusted(&ways);
    conditions.push(Clause::new("Null", "aws:SourceAccount", ["false"]));
    conditions.push(Clause::new("Bool", "aws:PrincipalIsAWSService", ["true"]));
    Ok(vec![everywhere(conditions)])
}

fn trusted(ways: &[(&'static str, &str, &Vec<String>)]) -> Vec<Clause> {
    let some = ways.iter().filter(|(_, _, values)| !values.is_empty());
    some.map(|(operator, key, values)| Clause::new(operator, *key, *values))
        .collect()
}

const NO_BUCKETS: &str = "the buckets of a level that asks for more than SSE-S3: --buckets LEVEL=PATTERN";

fn weaker_write(values: &Values) -> Result<Vec<Variant>, String> {
    values.each_level(
        NO_BUCKETS,
        |level| (!level.weaker.is_empty() && !level.buckets.is_empty()).then_some(level),
        |level, _| Variant {
            suffix: level.suffix(),
            resources: Resources::These(level.objects()),
            conditions: vec![Clause::new(
                "StringEquals",
                "s3:x-amz-server-side-encryption",
                level.weaker.iter().copied(),
            )],
        },
    )
}

fn network(values: &Values) -> Result<Vec<Variant>, String> {
    values.each_level(
        "the buckets of a level with vpc-endpoints: --buckets LEVEL=PATTERN",
        |level| (!level.endpoints.is_empty() && !level.buckets.is_empty()).then_some(level),
        |level, _| Variant {
            suffix: level.suffix(),
            resources: Resources::These(level.objects()),
            conditions: vec![
                Clause::new("StringNotEqualsIfExists", "aws:SourceVpce", &level.endpoints),
                Clause::new("BoolIfExists", "aws:PrincipalIsAWSService", ["false"]),
                Clause::new("BoolIfExists", "aws:ViaAWSService", ["false"]),
                Clause::new("ArnNotLikeIfExists", "aws:PrincipalArn", values.exempt()),
            ],
        },
    )
}
