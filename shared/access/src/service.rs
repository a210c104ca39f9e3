//! The services whose resource policies are judged: one entry of data each.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::reference;

/// How the parts of a resource are named: what its policy is about beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parts {
    /// It has none.
    None,
    /// It is so many pieces, set apart by that character; its parts have more.
    After(usize, char),
    /// Its parts have this, and a name, after its own.
    Below(&'static str),
    /// An event bus: its rules, whose ARNs name the bus unless it is the default one (EventBridge User Guide, "Permissions for
    /// event buses").
    Rules,
    /// A data catalog: all that the account has in it (Glue Developer Guide, "Resource-based policies").
    Catalog,
}

/// What the analyser knows of a service.
struct Facts {
    name: &'static str,
    /// Other names on the command line, in lower case and without marks.
    also: &'static [&'static str],
    /// The prefix of its actions.
    prefix: &'static str,
    /// The service in its ARNs.
    arn: &'static str,
    /// What an ARN of such a resource has after the region: `@` stands for the account.
    example: &'static str,
    parts: Parts,
    /// Types of resource in the Service Authorization Reference whose actions count: those of the parts, and of itself.
    part_types: &'static [&'static str],
    types: &'static [&'static str],
    /// It answers requests that nobody signed. The others refuse them before any policy is read.
    anonymous: bool,
    /// The most bytes its policy may have, and how many it can be raised to.
    limit: usize,
    most: usize,
    /// No action can be added to those that there are.
    closed: bool,
    /// What people look for first.
    known: &'static [&'static str],
}

/// A service with what most have: no parts, no unsigned requests, a policy of 20 KB.
const USUAL: Facts = Facts {
    name: "",
    also: &[],
    prefix: "",
    arn: "",
    example: "",
    parts: Parts::None,
    part_types: &[],
    types: &[],
    anonymous: false,
    limit: 20 * 1024,
    most: 20 * 1024,
    closed: false,
    known: &[],
};

/// No service takes more: OpenSearch Service Developer Guide, "Amazon OpenSearch Service quotas", domain access policy.
pub(crate) const MOST_BYTES: usize = 100 * 1024;

/// What a vault's policy can let another account do, in lower case.
pub(crate) const COPY_INTO_VAULT: &str = "backup:copyintobackupvault";

macro_rules! services {
    ($($(#[$doc:meta])+ $variant:ident { $($field:ident: $value:expr),+ $(,)? })+) => {
        /// A kind of resource with a policy.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum Service {
            $($(#[$doc])+ $variant,)+
        }

        const FACTS: &[Facts] = &[$(Facts { $($field: $value,)+ ..USUAL },)+];

        impl Service {
            /// Every service.
            pub const ALL: [Self; FACTS.len()] = [$(Self::$variant,)+];
        }
    };
}

services! {
    /// S3 general purpose bucket.
    S3Bucket {
        name: "s3",
        also: &["s3bucket"],
        prefix: "s3",
        arn: "s3",
        example: "bucket",
        parts: Parts::After(1, '/'),
        part_types: &["object"],
        types: &["bucket"],
        anonymous: true,
        known: &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion", "s3:PutObjectAcl", "s3:ListBucket", "s3:GetBucketLocation", "s3:PutBucketPolicy"],
    }
    /// S3 access point.
    S3AccessPoint {
        name: "s3-access-point",
        also: &["accesspoint", "s3ap"],
        prefix: "s3",
        arn: "s3",
        example: "@:accesspoint/access-point",
        parts: Parts::Below("/object/"),
        part_types: &["object", "accesspointobject"],
        types: &["bucket", "accesspoint"],
        anonymous: true,
        known: &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion", "s3:PutObjectAcl", "s3:ListBucket"],
    }
    /// S3 Multi-Region Access Point.
    S3MultiRegionAccessPoint {
        name: "s3-multi-region-access-point",
        also: &["multiregionaccesspoint", "mrap", "s3mrap"],
        prefix: "s3",
        arn: "s3",
        example: "@:accesspoint/alias.mrap",
        parts: Parts::Below("/object/"),
        part_types: &["object", "accesspointobject"],
        types: &["bucket", "accesspoint", "multiregionaccesspoint"],
        known: &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"],
    }
    /// S3 Object Lambda access point.
    S3ObjectLambda {
        name: "s3-object-lambda",
        also: &["objectlambda"],
        prefix: "s3-object-lambda",
        arn: "s3-object-lambda",
        example: "@:accesspoint/access-point",
        types: &["objectlambdaaccesspoint"],
        known: &["s3-object-lambda:GetObject", "s3-object-lambda:PutObject"],
    }
    /// Bucket or access point of S3 on Outposts.
    S3Outposts {
        name: "s3-outposts",
        also: &["outposts"],
        prefix: "s3-outposts",
        arn: "s3-outposts",
        example: "@:outpost/op-0123456789abcdef0/bucket/bucket",
        parts: Parts::Below("/object/"),
        part_types: &["object"],
        types: &["bucket", "accesspoint"],
        known: &["s3-outposts:GetObject", "s3-outposts:PutObject", "s3-outposts:DeleteObject", "s3-outposts:ListBucket"],
    }
    /// S3 directory bucket, or an access point of one.
    S3Express {
        name: "s3-express",
        also: &["directorybucket", "s3expressaccesspoint"],
        prefix: "s3express",
        arn: "s3express",
        example: "@:bucket/bucket--use1-az4--x-s3",
        types: &["bucket", "accesspoint"],
        known: &["s3express:CreateSession"],
    }
    /// S3 table bucket or table.
    S3Tables {
        name: "s3-tables",
        also: &["tablebucket", "s3table"],
        prefix: "s3tables",
        arn: "s3tables",
        example: "@:bucket/bucket",
        parts: Parts::After(2, '/'),
        part_types: &["Table"],
        types: &["TableBucket"],
        known: &["s3tables:GetTableData", "s3tables:PutTableData", "s3tables:DeleteTable", "s3tables:PutTablePolicy", "s3tables:ListTables"],
    }
    /// S3 vector bucket.
    S3Vectors {
        name: "s3-vectors",
        also: &["vectorbucket"],
        prefix: "s3vectors",
        arn: "s3vectors",
        example: "@:bucket/bucket",
        parts: Parts::After(2, '/'),
        part_types: &["Index"],
        types: &["VectorBucket"],
        known: &["s3vectors:QueryVectors", "s3vectors:GetVectors", "s3vectors:PutVectors", "s3vectors:DeleteVectors"],
    }
    /// S3 Glacier vault.
    Glacier {
        name: "glacier",
        also: &["vault", "glaciervault"],
        prefix: "glacier",
        arn: "glacier",
        example: "@:vaults/vault",
        types: &["vault"],
        known: &["glacier:InitiateJob", "glacier:GetJobOutput", "glacier:UploadArchive", "glacier:DeleteArchive"],
    }
    /// KMS key.
    ///
    /// Source of its limit: KMS Developer Guide, "Resource quotas".
    Kms {
        name: "kms",
        also: &["kmskey"],
        prefix: "kms",
        arn: "kms",
        example: "@:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        types: &["key"],
        limit: 32 * 1024,
        most: 32 * 1024,
        known: &["kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:Sign", "kms:DescribeKey", "kms:CreateGrant", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"],
    }
    /// SNS topic.
    ///
    /// Source of its limit: SNS Developer Guide, "Policy quotas".
    Sns {
        name: "sns",
        also: &["snstopic"],
        prefix: "sns",
        arn: "sns",
        example: "@:topic",
        types: &["topic"],
        anonymous: true,
        limit: 30 * 1024,
        most: 30 * 1024,
        known: &["sns:Publish", "sns:Subscribe", "sns:Receive", "sns:GetTopicAttributes", "sns:SetTopicAttributes"],
    }
    /// SQS queue.
    ///
    /// Source of its limit: SQS Developer Guide, "Amazon SQS policy quotas".
    Sqs {
        name: "sqs",
        also: &["sqsqueue"],
        prefix: "sqs",
        arn: "sqs",
        example: "@:queue",
        types: &["queue"],
        anonymous: true,
        limit: 8_192,
        most: 8_192,
        known: &["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"],
    }
    /// Lambda function.
    Lambda {
        name: "lambda",
        also: &["lambdafunction"],
        prefix: "lambda",
        arn: "lambda",
        example: "@:function:function",
        parts: Parts::After(2, ':'),
        part_types: &["function-alias", "function-version", "durable-execution"],
        types: &["function"],
        anonymous: true,
        known: &["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:GetFunction", "lambda:UpdateFunctionCode"],
    }
    /// Version of a Lambda layer.
    LambdaLayer {
        name: "lambda-layer",
        also: &["layer", "layerversion"],
        prefix: "lambda",
        arn: "lambda",
        example: "@:layer:layer:1",
        types: &["layerVersion"],
        known: &["lambda:GetLayerVersion"],
    }
    /// Secrets Manager secret.
    SecretsManager {
        name: "secretsmanager",
        also: &["secret"],
        prefix: "secretsmanager",
        arn: "secretsmanager",
        example: "@:secret:secret-AbCdEf",
        types: &["Secret"],
        known: &["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue"],
    }
    /// ECR repository.
    ///
    /// Source of its limit: ECR API Reference, `SetRepositoryPolicy`.
    Ecr {
        name: "ecr",
        also: &["ecrrepository"],
        prefix: "ecr",
        arn: "ecr",
        example: "@:repository/repository",
        types: &["repository"],
        limit: 10 * 1024,
        most: 10 * 1024,
        known: &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:PutImage"],
    }
    /// ECR private registry.
    ///
    /// Source of its limit: ECR API Reference, `PutRegistryPolicy`.
    EcrRegistry {
        name: "ecr-registry",
        also: &["registry"],
        prefix: "ecr",
        arn: "ecr",
        example: "@:repository/repository",
        types: &["repository"],
        limit: 10 * 1024,
        most: 10 * 1024,
        known: &["ecr:ReplicateImage", "ecr:CreateRepository", "ecr:BatchImportUpstreamImage"],
    }
    /// EFS file system.
    ///
    /// Source of its limit: EFS API Reference, `PutFileSystemPolicy`.
    Efs {
        name: "efs",
        also: &["elasticfilesystem"],
        prefix: "elasticfilesystem",
        arn: "elasticfilesystem",
        example: "@:file-system/fs-0123456789abcdef0",
        types: &["file-system"],
        anonymous: true,
        limit: 20_000,
        most: 20_000,
        known: &["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "elasticfilesystem:ClientRootAccess"],
    }
    /// OpenSearch domain.
    OpenSearch {
        name: "opensearch",
        also: &["es", "elasticsearch"],
        prefix: "es",
        arn: "es",
        example: "@:domain/domain",
        parts: Parts::After(2, '/'),
        types: &["domain"],
        anonymous: true,
        limit: 100 * 1024,
        most: 100 * 1024,
        known: &["es:ESHttpGet", "es:ESHttpPut", "es:ESHttpPost", "es:ESHttpDelete", "es:ESHttpHead", "es:ESHttpPatch"],
    }
    /// DynamoDB table or stream.
    DynamoDb {
        name: "dynamodb",
        prefix: "dynamodb",
        arn: "dynamodb",
        example: "@:table/table",
        parts: Parts::After(2, '/'),
        part_types: &["index", "stream"],
        types: &["table"],
        known: &["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:BatchGetItem", "dynamodb:PutItem"],
    }
    /// SSM document.
    SsmDocument {
        name: "ssm-document",
        also: &["ssm"],
        prefix: "ssm",
        arn: "ssm",
        example: "@:document/document",
        types: &["document"],
        known: &["ssm:GetDocument", "ssm:DescribeDocument"],
    }
    /// Backup vault.
    BackupVault {
        name: "backup",
        also: &["backupvault"],
        prefix: "backup",
        arn: "backup",
        example: "@:backup-vault:vault",
        part_types: &["recoveryPoint"],
        types: &["backupVault"],
        known: &["backup:CopyIntoBackupVault", "backup:CopyFromBackupVault", "backup:StartRestoreJob", "backup:DeleteRecoveryPoint"],
    }
    /// EventBridge event bus.
    ///
    /// Source of its limit: EventBridge User Guide, "EventBridge quotas" (event bus policy size, adjustable).
    EventBus {
        name: "events",
        also: &["eventbridge", "eventbus"],
        prefix: "events",
        arn: "events",
        example: "@:event-bus/default",
        parts: Parts::Rules,
        part_types: &["rule-on-custom-event-bus", "rule-on-default-event-bus"],
        types: &["event-bus"],
        limit: 10 * 1024,
        most: MOST_BYTES,
        known: &["events:PutEvents", "events:PutRule", "events:PutTargets"],
    }
    /// Kinesis data stream or consumer.
    Kinesis {
        name: "kinesis",
        also: &["kinesisstream"],
        prefix: "kinesis",
        arn: "kinesis",
        example: "@:stream/stream",
        parts: Parts::After(2, '/'),
        part_types: &["consumer"],
        types: &["stream"],
        known: &["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:PutRecord", "kinesis:SubscribeToShard"],
    }
    /// `CodeArtifact` domain or repository.
    CodeArtifact {
        name: "codeartifact",
        also: &["codeartifactdomain", "codeartifactrepository"],
        prefix: "codeartifact",
        arn: "codeartifact",
        example: "@:domain/domain",
        types: &["domain", "repository", "package", "package-group"],
        known: &["codeartifact:ReadFromRepository", "codeartifact:GetAuthorizationToken", "codeartifact:PublishPackageVersion"],
    }
    /// CloudWatch Logs log groups, or a destination of subscriptions.
    ///
    /// Source of its limit: CloudWatch Logs API Reference, `PutResourcePolicy`, `PutDestinationPolicy`.
    Logs {
        name: "logs",
        also: &["cloudwatchlogs", "loggroup", "logsdestination"],
        prefix: "logs",
        arn: "logs",
        example: "@:log-group:group",
        parts: Parts::After(2, ':'),
        part_types: &["log-stream"],
        types: &["log-group", "destination", "delivery-destination"],
        limit: 5_120,
        most: 5_120,
        known: &["logs:PutLogEvents", "logs:CreateLogStream", "logs:PutSubscriptionFilter"],
    }
    /// Glue Data Catalog.
    ///
    /// Source of its limit: Glue API Reference, `PutResourcePolicy`.
    Glue {
        name: "glue",
        also: &["gluecatalog", "datacatalog"],
        prefix: "glue",
        arn: "glue",
        example: "@:catalog",
        parts: Parts::Catalog,
        types: &["rootcatalog", "catalog", "database", "table", "userdefinedfunction", "connection"],
        limit: 10 * 1024,
        most: 10 * 1024,
        known: &["glue:GetTable", "glue:GetTables", "glue:GetDatabase", "glue:GetPartitions", "glue:CreateTable", "glue:UpdateTable"],
    }
    /// SES identity.
    ///
    /// Source of its limit: SES Developer Guide, "Anatomy of an Amazon SES policy" (4 KB a policy).
    Ses {
        name: "ses",
        also: &["sesidentity"],
        prefix: "ses",
        arn: "ses",
        example: "@:identity/example.com",
        types: &["identity"],
        limit: 4 * 1024,
        most: 4 * 1024,
        known: &["ses:SendEmail", "ses:SendRawEmail"],
    }
    /// API Gateway REST API.
    ///
    /// Source of its limit: API Gateway Developer Guide, "Quotas for configuring and running a REST API" (adjustable).
    ApiGateway {
        name: "apigateway",
        also: &["executeapi", "restapi"],
        prefix: "execute-api",
        arn: "execute-api",
        example: "@:abcdef0123",
        parts: Parts::After(1, '/'),
        part_types: &["execute-api-general"],
        anonymous: true,
        limit: 8_192,
        most: MOST_BYTES,
        closed: true,
        known: &["execute-api:Invoke"],
    }
    /// VPC Lattice service.
    ///
    /// Source of its limit: VPC Lattice User Guide, "Quotas" (auth policy size).
    VpcLattice {
        name: "vpc-lattice",
        also: &["lattice", "vpclatticesvcs"],
        prefix: "vpc-lattice-svcs",
        arn: "vpc-lattice-svcs",
        example: "@:service/svc-0123456789abcdef0",
        parts: Parts::After(2, '/'),
        part_types: &["Service"],
        types: &["TCP-Service"],
        anonymous: true,
        limit: 10 * 1024,
        most: 10 * 1024,
        known: &["vpc-lattice-svcs:Invoke"],
    }
    /// `MediaStore` container.
    MediaStore {
        name: "mediastore",
        prefix: "mediastore",
        arn: "mediastore",
        example: "@:container/container",
        parts: Parts::After(2, '/'),
        part_types: &["object", "folder"],
        types: &["container"],
        anonymous: true,
        known: &["mediastore:GetObject", "mediastore:PutObject", "mediastore:ListItems"],
    }
    /// Private certificate authority.
    PrivateCa {
        name: "acm-pca",
        also: &["privateca"],
        prefix: "acm-pca",
        arn: "acm-pca",
        example: "@:certificate-authority/11111111-2222-3333-4444-555555555555",
        types: &["certificate-authority"],
        known: &["acm-pca:IssueCertificate", "acm-pca:GetCertificate"],
    }
    /// MSK cluster.
    Kafka {
        name: "kafka",
        also: &["msk"],
        prefix: "kafka",
        arn: "kafka",
        example: "@:cluster/cluster/11111111-2222-3333-4444-555555555555-1",
        types: &["cluster"],
        known: &["kafka:CreateVpcConnection", "kafka:GetBootstrapBrokers"],
    }
    /// IAM role trust policy.
    ///
    /// Source of its limit: IAM User Guide, "IAM and AWS STS quotas" (a role's trust policy, and how far it can be raised).
    IamTrust {
        name: "iam-trust",
        also: &["iam", "sts", "iamrole", "trust"],
        prefix: "sts",
        arn: "iam",
        example: "@:role/role",
        limit: 2_048,
        most: 4_096,
        closed: true,
        known: &["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"],
    }
    /// VPC endpoint: its policy lets nobody in, it limits what is asked for through it.
    ///
    /// Source of its limit: VPC User Guide, "Control access to VPC endpoints using endpoint policies".
    VpcEndpoint {
        name: "vpc-endpoint",
        also: &["vpce", "endpoint"],
        prefix: "*",
        arn: "ec2",
        example: "@:vpc-endpoint/vpce-0123456789abcdef0",
        limit: 20_480,
        most: 20_480,
    }
}

/// No service has that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown service \"{0}\"; expected one of {names}", names = names())]
pub struct UnknownService(pub String);

/// The services' names on the command line.
fn names() -> String {
    FACTS.iter().map(|facts| facts.name).collect::<Vec<_>>().join(", ")
}

/// An action of a service that its policies can be about.
#[derive(Debug)]
pub(crate) struct KnownAction {
    pub name: String,
    /// In lower case.
    pub lower: String,
    /// It is asked for on a part of the resource, such as an object.
    pub of_part: bool,
    /// Its place among those that people look for first.
    pub rank: usize,
}

impl Service {
    fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The prefix of its actions.
    pub fn prefix(self) -> &'static str {
        self.facts().prefix
    }

    /// The service that its ARNs name.
    pub(crate) fn arn_service(self) -> &'static str {
        self.facts().arn
    }

    /// Whether an ARN is of one of the account's resources of this kind.
    pub fn is_its(self, arn: &str, owner: &str) -> bool {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [start, _, service, _, account, name] = parts[..] else {
            return false;
        };
        start == "arn" && service == self.facts().arn && (account.is_empty() || account == owner) && !name.is_empty()
    }

    /// Whether it answers requests that nobody signed.
    pub(crate) fn takes_anonymous(self) -> bool {
        self.facts().anonymous
    }

    /// Whether AWS adds no action to those that there are.
    pub(crate) fn is_closed(self) -> bool {
        self.facts().closed
    }

    /// The most bytes its policy may have, unless the quota was raised.
    pub fn policy_limit(self) -> usize {
        self.facts().limit
    }

    /// The most bytes its policy may ever have.
    pub fn most_bytes(self) -> usize {
        self.facts().most
    }

    /// What counts of a policy's text: IAM leaves white space out (IAM User Guide, "IAM and AWS STS quotas").
    pub(crate) fn size(self, text: &str) -> usize {
        match self {
            Self::IamTrust => text.chars().filter(|one| !one.is_whitespace()).count(),
            _ => text.len(),
        }
    }

    /// How many conditions its policy may have (SQS Developer Guide, "Amazon SQS policy quotas").
    pub(crate) fn conditions_limit(self) -> Option<usize> {
        (self == Self::Sqs).then_some(10)
    }

    /// Whether the last statement can't go: a key and a role always have a policy, and a file system without one has the
    /// default that lets in every client that reaches it (EFS User Guide, "Default EFS file system policy").
    pub fn needs_policy(self) -> bool {
        matches!(self, Self::Kms | Self::IamTrust | Self::Efs)
    }

    /// Whether a bucket or access point: the two that S3's own definition of public is about.
    pub(crate) fn is_s3(self) -> bool {
        matches!(self, Self::S3Bucket | Self::S3AccessPoint)
    }

    /// Whether its actions are on the resource or on its parts, and never on both.
    pub(crate) fn has_levels(self) -> bool {
        self.is_s3() || self == Self::S3MultiRegionAccessPoint
    }

    /// Whether a resource is a part of one, such as an object.
    pub(crate) fn is_part(self, resource: &str) -> bool {
        match self.facts().parts {
            Parts::Below(start) => resource.contains(start),
            Parts::After(_, mark) => resource.contains(mark),
            Parts::None | Parts::Rules | Parts::Catalog => false,
        }
    }

    /// A resource to speak of where the policy names none.
    pub(crate) fn example(self, partition: &str, owner: &str) -> String {
        let Facts { arn, example, .. } = self.facts();
        let region = match self {
            Self::S3Bucket => return format!("arn:{partition}:{arn}:::{example}"),
            Self::IamTrust | Self::S3MultiRegionAccessPoint => "",
            _ => "us-east-1",
        };
        format!("arn:{partition}:{arn}:{region}:{}", example.replacen('@', owner, 1))
    }

    /// What the ARNs of what belongs to a resource begin with.
    pub(crate) fn parts_of(self, root: &str) -> Option<String> {
        match self.facts().parts {
            Parts::None => None,
            Parts::After(_, mark) => Some(format!("{root}{mark}")),
            Parts::Below(start) => Some(format!("{root}{start}")),
            Parts::Catalog => Some(root.strip_suffix("catalog").unwrap_or(root).to_owned()),
            Parts::Rules => {
                let (start, bus) = root.split_once(":event-bus/")?;
                Some(if bus == "default" {
                    format!("{start}:rule/")
                } else {
                    format!("{start}:rule/{bus}/")
                })
            }
        }
    }

    /// Of what an ARN has after the account, the resource that it is or is a part of.
    pub(crate) fn root_of(self, name: &str) -> String {
        match self.facts().parts {
            Parts::None => name.to_owned(),
            Parts::After(pieces, mark) => {
                let mut ends = name.match_indices(mark).map(|(at, _)| at);
                name[..ends.nth(pieces - 1).unwrap_or(name.len())].to_owned()
            }
            Parts::Below(start) => name.split(start).next().unwrap_or(name).to_owned(),
            Parts::Catalog => "catalog".to_owned(),
            // A rule belongs to its bus.
            Parts::Rules => match name.strip_prefix("rule/") {
                Some(rule) => format!("event-bus/{}", rule.split_once('/').map_or("default", |(bus, _)| bus)),
                None => name.to_owned(),
            },
        }
    }

    /// The actions that its policies can be about, by name in lower case.
    pub(crate) fn actions(self) -> &'static [KnownAction] {
        static LISTS: [OnceLock<Vec<KnownAction>>; FACTS.len()] = [const { OnceLock::new() }; FACTS.len()];
        LISTS[self as usize].get_or_init(|| {
            let Facts {
                prefix,
                part_types,
                types,
                known,
                ..
            } = self.facts();
            let listed = reference::actions(prefix).filter_map(|(name, mut of)| {
                let of_part = of.clone().any(|one| part_types.contains(&one));
                (of_part || of.any(|one| types.contains(&one))).then(|| (format!("{prefix}:{name}"), of_part))
            });
            let mut all: Vec<(String, bool)> = listed.collect();
            // What only other services call, or who signs in with, is in the list under no such type.
            for name in *known {
                if all.iter().all(|(listed, _)| listed != name) {
                    all.push(((*name).to_owned(), false));
                }
            }
            let whole = |(name, of_part): (String, bool)| KnownAction {
                lower: name.to_ascii_lowercase(),
                of_part,
                rank: known.iter().position(|one| *one == name).unwrap_or(known.len()),
                name,
            };
            let mut all: Vec<KnownAction> = all.into_iter().map(whole).collect();
            all.sort_by(|one, other| one.lower.cmp(&other.lower));
            all
        })
    }

    /// Whether an action (in lower case) is asked for on parts of the resource; `None` if it is not in the list.
    pub(crate) fn is_of_part(self, lower: &str) -> Option<bool> {
        let actions = self.actions();
        let found = actions.binary_search_by(|one| one.lower.as_str().cmp(lower));
        found.ok().map(|at| actions[at].of_part)
    }
}

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let plain = |name: &str| -> String {
            let letters = name.chars().filter(char::is_ascii_alphanumeric);
            letters.map(|one| one.to_ascii_lowercase()).collect()
        };
        let key = plain(name);
        let is_it = |service: &&Self| plain(service.name()) == key || service.facts().also.contains(&key.as_str());
        Self::ALL
            .iter()
            .find(is_it)
            .copied()
            .ok_or_else(|| UnknownService(name.to_owned()))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl TryFrom<String> for Service {
    type Error = UnknownService;
    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<Service> for String {
    fn from(service: Service) -> Self {
        service.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_whole() {
        for service in Service::ALL {
            let facts = service.facts();
            assert!(facts.limit <= facts.most && facts.most <= MOST_BYTES, "{service}");
            assert_eq!(service.name().parse(), Ok(service));
            for other in facts.also {
                assert_eq!(other.parse(), Ok(service), "{other}");
            }
            let example = service.example("aws", "111122223333");
            assert!(service.is_its(&example, "111122223333"), "{example}");
            // What the list does not have is not looked for.
            let actions = service.actions();
            assert!(service == Service::VpcEndpoint || !actions.is_empty(), "{service}");
            for action in facts.known {
                assert!(actions.iter().any(|one| one.name == *action), "{action}");
            }
            let listed: Vec<&str> = reference::actions(facts.prefix).flat_map(|(_, of)| of).collect();
            for one in facts.types.iter().chain(facts.part_types) {
                assert!(listed.contains(one), "{service}: {one}");
            }
        }
    }

    // Service Authorization Reference, resource types of each service.
    #[test]
    fn a_part_belongs_to_its_resource() {
        for (service, name, root) in [
            (Service::S3Bucket, "b/a/c", "b"),
            (Service::S3AccessPoint, "accesspoint/ap/object/a/b", "accesspoint/ap"),
            (Service::DynamoDb, "table/t/index/i", "table/t"),
            (Service::Lambda, "function:f:live", "function:f"),
            (Service::Logs, "log-group:/aws/x:log-stream:s", "log-group:/aws/x"),
            (Service::EventBus, "rule/own/r", "event-bus/own"),
            (Service::EventBus, "rule/r", "event-bus/default"),
            (Service::Glue, "table/db/t", "catalog"),
            (Service::ApiGateway, "abc/prod/GET/pets", "abc"),
            (Service::S3Tables, "bucket/b/table/1", "bucket/b"),
            (Service::Sns, "topic", "topic"),
        ] {
            assert_eq!(service.root_of(name), root, "{service}");
            let parts = service.parts_of(&format!("arn:aws:x:r:1:{root}"));
            assert!(name == root || parts.is_some_and(|parts| format!("arn:aws:x:r:1:{name}").starts_with(&parts)));
        }
    }
}
