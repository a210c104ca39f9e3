//! The services whose resource policies are judged, and what differs between them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of resource with a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Service {
    /// S3 general purpose bucket.
    S3Bucket,
    /// S3 access point.
    S3AccessPoint,
    /// KMS key.
    Kms,
    /// SNS topic.
    Sns,
    /// SQS queue.
    Sqs,
    /// Lambda function.
    Lambda,
    /// Secrets Manager secret.
    SecretsManager,
    /// ECR repository.
    Ecr,
    /// EFS file system.
    Efs,
    /// OpenSearch domain.
    OpenSearch,
    /// DynamoDB table or stream.
    DynamoDb,
    /// SSM document.
    SsmDocument,
    /// Backup vault.
    BackupVault,
    /// EventBridge event bus.
    EventBus,
    /// IAM role trust policy.
    IamTrust,
}

/// No service has that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown service \"{0}\"; expected one of s3, s3-access-point, kms, sns, sqs, lambda, secretsmanager, ecr, efs, \
     opensearch, dynamodb, ssm-document, backup, events, iam-trust"
)]
pub struct UnknownService(pub String);

impl Service {
    /// Every service.
    pub const ALL: [Self; 15] = [
        Self::S3Bucket,
        Self::S3AccessPoint,
        Self::Kms,
        Self::Sns,
        Self::Sqs,
        Self::Lambda,
        Self::SecretsManager,
        Self::Ecr,
        Self::Efs,
        Self::OpenSearch,
        Self::DynamoDb,
        Self::SsmDocument,
        Self::BackupVault,
        Self::EventBus,
        Self::IamTrust,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3Bucket => "s3",
            Self::S3AccessPoint => "s3-access-point",
            Self::Kms => "kms",
            Self::Sns => "sns",
            Self::Sqs => "sqs",
            Self::Lambda => "lambda",
            Self::SecretsManager => "secretsmanager",
            Self::Ecr => "ecr",
            Self::Efs => "efs",
            Self::OpenSearch => "opensearch",
            Self::DynamoDb => "dynamodb",
            Self::SsmDocument => "ssm-document",
            Self::BackupVault => "backup",
            Self::EventBus => "events",
            Self::IamTrust => "iam-trust",
        }
    }

    /// The prefix of its actions.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::S3Bucket | Self::S3AccessPoint => "s3",
            Self::Efs => "elasticfilesystem",
            Self::OpenSearch => "es",
            Self::SsmDocument => "ssm",
            Self::IamTrust => "sts",
            other => other.name(),
        }
    }

    /// Whether an ARN is of one of the account's resources of this kind.
    pub fn is_its(self, arn: &str, owner: &str) -> bool {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [start, _, service, _, account, name] = parts[..] else {
            return false;
        };
        let own = match self {
            Self::IamTrust => "iam",
            other => other.prefix(),
        };
        start == "arn" && service == own && (account.is_empty() || account == owner) && !name.is_empty()
    }

    /// Whether it answers requests that nobody signed. The others refuse them before any policy is read.
    pub(crate) fn takes_anonymous(self) -> bool {
        matches!(
            self,
            Self::S3Bucket | Self::S3AccessPoint | Self::Sns | Self::Sqs | Self::Lambda | Self::Efs | Self::OpenSearch
        )
    }

    /// The most bytes its policy may have.
    ///
    /// Source: KMS Developer Guide "Resource quotas" (32 KB); SNS Developer Guide "Policy quotas" (30 KB); SQS Developer
    /// Guide "Amazon SQS policy quotas"; IAM User Guide "IAM and AWS STS quotas" (a role's trust policy, by default); ECR
    /// API `SetRepositoryPolicy`; EventBridge quotas "Event bus policy size"; EFS API `PutFileSystemPolicy`.
    pub fn policy_limit(self) -> usize {
        match self {
            Self::Kms => 32 * 1024,
            Self::Sns => 30 * 1024,
            Self::Sqs => 8_192,
            Self::Efs => 20_000,
            Self::IamTrust => 2_048,
            Self::EventBus | Self::Ecr => 10 * 1024,
            Self::OpenSearch => 100 * 1024,
            _ => 20 * 1024,
        }
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

    /// A resource to speak of where the policy names none.
    pub(crate) fn example(self, partition: &str, owner: &str) -> String {
        let name = match self {
            Self::S3Bucket => return format!("arn:{partition}:s3:::bucket"),
            Self::S3AccessPoint => "accesspoint/access-point",
            Self::Kms => "key/1234abcd-12ab-34cd-56ef-1234567890ab",
            Self::Sns => "topic",
            Self::Sqs => "queue",
            Self::Lambda => "function:function",
            Self::SecretsManager => "secret:secret-AbCdEf",
            Self::Ecr => "repository/repository",
            Self::Efs => "file-system/fs-0123456789abcdef0",
            Self::OpenSearch => "domain/domain",
            Self::DynamoDb => "table/table",
            Self::SsmDocument => "document/document",
            Self::BackupVault => "backup-vault:vault",
            Self::EventBus => "event-bus/default",
            Self::IamTrust => return format!("arn:{partition}:iam::{owner}:role/role"),
        };
        format!("arn:{partition}:{}:us-east-1:{owner}:{name}", self.prefix())
    }

    /// What the ARNs of what belongs to a resource begin with.
    pub(crate) fn parts_of(self, root: &str) -> Option<String> {
        match self {
            Self::S3Bucket | Self::DynamoDb | Self::OpenSearch => Some(format!("{root}/")),
            Self::S3AccessPoint => Some(format!("{root}/object/")),
            Self::Lambda => Some(format!("{root}:")),
            // Its rules, whose ARNs name the bus unless it is the default one (EventBridge User Guide, "Permissions for
            // event buses").
            Self::EventBus => {
                let (start, bus) = root.split_once(":event-bus/")?;
                Some(if bus == "default" {
                    format!("{start}:rule/")
                } else {
                    format!("{start}:rule/{bus}/")
                })
            }
            _ => None,
        }
    }

    /// Actions that people grant on it. Not complete, and need not be: an action that a policy names is counted too.
    #[expect(clippy::too_many_lines, reason = "data")]
    pub(crate) fn actions(self) -> &'static [&'static str] {
        match self {
            Self::S3Bucket | Self::S3AccessPoint => &[],
            Self::Kms => &[
                "kms:Decrypt",
                "kms:Encrypt",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:GenerateDataKeyPair",
                "kms:Sign",
                "kms:Verify",
                "kms:DescribeKey",
                "kms:CreateGrant",
                "kms:ListGrants",
                "kms:RevokeGrant",
                "kms:PutKeyPolicy",
                "kms:GetKeyPolicy",
                "kms:ScheduleKeyDeletion",
                "kms:DisableKey",
                "kms:DeleteAlias",
                "kms:DeleteImportedKeyMaterial",
                "kms:GetPublicKey",
                "kms:UpdateKeyDescription",
            ],
            Self::Sns => &[
                "sns:Publish",
                "sns:Subscribe",
                "sns:Receive",
                "sns:GetTopicAttributes",
                "sns:SetTopicAttributes",
                "sns:AddPermission",
                "sns:RemovePermission",
                "sns:DeleteTopic",
                "sns:ListSubscriptionsByTopic",
            ],
            Self::Sqs => &[
                "sqs:SendMessage",
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueUrl",
                "sqs:GetQueueAttributes",
                "sqs:SetQueueAttributes",
                "sqs:PurgeQueue",
                "sqs:DeleteQueue",
                "sqs:ChangeMessageVisibility",
                "sqs:AddPermission",
                "sqs:ListDeadLetterSourceQueues",
            ],
            Self::Lambda => &[
                "lambda:InvokeFunction",
                "lambda:InvokeFunctionUrl",
                "lambda:GetFunction",
                "lambda:UpdateFunctionCode",
                "lambda:GetFunctionConfiguration",
                "lambda:UpdateFunctionConfiguration",
                "lambda:DeleteFunction",
                "lambda:AddPermission",
                "lambda:ListVersionsByFunction",
                "lambda:GetLayerVersion",
            ],
            Self::SecretsManager => &[
                "secretsmanager:GetSecretValue",
                "secretsmanager:DescribeSecret",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecret",
                "secretsmanager:DeleteSecret",
                "secretsmanager:PutResourcePolicy",
                "secretsmanager:GetResourcePolicy",
                "secretsmanager:ListSecretVersionIds",
            ],
            Self::Ecr => &[
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchCheckLayerAvailability",
                "ecr:PutImage",
                "ecr:InitiateLayerUpload",
                "ecr:UploadLayerPart",
                "ecr:CompleteLayerUpload",
                "ecr:DescribeImages",
                "ecr:ListImages",
                "ecr:BatchDeleteImage",
                "ecr:SetRepositoryPolicy",
                "ecr:DeleteRepository",
            ],
            Self::Efs => &[
                "elasticfilesystem:ClientMount",
                "elasticfilesystem:ClientWrite",
                "elasticfilesystem:ClientRootAccess",
                "elasticfilesystem:DescribeFileSystems",
                "elasticfilesystem:Backup",
                "elasticfilesystem:Restore",
            ],
            Self::OpenSearch => &[
                "es:ESHttpGet",
                "es:ESHttpPut",
                "es:ESHttpPost",
                "es:ESHttpDelete",
                "es:ESHttpHead",
                "es:ESHttpPatch",
                "es:DescribeDomain",
                "es:UpdateDomainConfig",
                "es:DeleteDomain",
            ],
            Self::DynamoDb => &[
                "dynamodb:GetItem",
                "dynamodb:Query",
                "dynamodb:Scan",
                "dynamodb:BatchGetItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
                "dynamodb:DeleteItem",
                "dynamodb:DescribeTable",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:DescribeStream",
                "dynamodb:DeleteTable",
            ],
            Self::SsmDocument => &[
                "ssm:GetDocument",
                "ssm:DescribeDocument",
                "ssm:StartAutomationExecution",
            ],
            Self::BackupVault => &[
                "backup:CopyIntoBackupVault",
                "backup:CopyFromBackupVault",
                "backup:StartRestoreJob",
                "backup:DeleteRecoveryPoint",
                "backup:UpdateRecoveryPointLifecycle",
                "backup:DeleteBackupVault",
                "backup:PutBackupVaultAccessPolicy",
                "backup:DeleteBackupVaultAccessPolicy",
                "backup:DescribeRecoveryPoint",
            ],
            Self::EventBus => &[
                "events:PutEvents",
                "events:PutRule",
                "events:PutTargets",
                "events:DeleteRule",
                "events:RemoveTargets",
                "events:EnableRule",
                "events:DisableRule",
                "events:DescribeRule",
                "events:ListTargetsByRule",
                "events:DescribeEventBus",
            ],
            Self::IamTrust => &[
                "sts:AssumeRole",
                "sts:AssumeRoleWithWebIdentity",
                "sts:AssumeRoleWithSAML",
            ],
        }
    }
}

/// S3 actions on objects.
///
/// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
pub(crate) const S3_OBJECT_ACTIONS: &[&str] = &[
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:GetObjectVersion",
    "s3:DeleteObjectVersion",
    "s3:PutObjectAcl",
    "s3:GetObjectAcl",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:BypassGovernanceRetention",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersionTagging",
    "s3:GetObjectAttributes",
    "s3:GetObjectLegalHold",
    "s3:GetObjectRetention",
    "s3:GetObjectTagging",
    "s3:GetObjectTorrent",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionAttributes",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionTagging",
    "s3:GetObjectVersionTorrent",
    "s3:InitiateReplication",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionAcl",
    "s3:PutObjectVersionTagging",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
    "s3:RestoreObject",
    "s3:UpdateObjectEncryption",
];

/// S3 actions on buckets (and, some of them, on access points).
pub(crate) const S3_BUCKET_ACTIONS: &[&str] = &[
    "s3:ListBucket",
    "s3:GetBucketLocation",
    "s3:PutBucketPolicy",
    "s3:DeleteBucketPolicy",
    "s3:GetBucketPolicy",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:DeleteBucketWebsite",
    "s3:GetAccelerateConfiguration",
    "s3:GetAnalyticsConfiguration",
    "s3:GetBucketAcl",
    "s3:GetBucketCORS",
    "s3:GetBucketLogging",
    "s3:GetBucketNotification",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketRequestPayment",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:GetEncryptionConfiguration",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetMetricsConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:PutAccelerateConfiguration",
    "s3:PutAnalyticsConfiguration",
    "s3:PutBucketAcl",
    "s3:PutBucketCORS",
    "s3:PutBucketLogging",
    "s3:PutBucketNotification",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketRequestPayment",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutBucketWebsite",
    "s3:PutEncryptionConfiguration",
    "s3:PutIntelligentTieringConfiguration",
    "s3:PutInventoryConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutMetricsConfiguration",
    "s3:PutReplicationConfiguration",
];

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let key: String = name
            .to_ascii_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        Ok(match key.as_str() {
            "s3" | "s3bucket" => Self::S3Bucket,
            "s3accesspoint" | "accesspoint" | "s3ap" => Self::S3AccessPoint,
            "kms" | "kmskey" => Self::Kms,
            "sns" | "snstopic" => Self::Sns,
            "sqs" | "sqsqueue" => Self::Sqs,
            "lambda" | "lambdafunction" => Self::Lambda,
            "secretsmanager" | "secret" => Self::SecretsManager,
            "ecr" | "ecrrepository" => Self::Ecr,
            "efs" | "elasticfilesystem" => Self::Efs,
            "opensearch" | "es" | "elasticsearch" => Self::OpenSearch,
            "dynamodb" => Self::DynamoDb,
            "ssm" | "ssmdocument" => Self::SsmDocument,
            "backup" | "backupvault" => Self::BackupVault,
            "events" | "eventbridge" | "eventbus" => Self::EventBus,
            "iamtrust" | "iam" | "sts" | "iamrole" | "trust" => Self::IamTrust,
            _ => return Err(UnknownService(name.to_owned())),
        })
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
