use crate::clause::{Clause, Resources, Variant};
use crate::guardrail::{Guardrail, scp};
use crate::kind::{Group, Tier};
use crate::values::Values;

const GROUP: Group = Group::Data;

pub(super) const ALL: &[Guardrail] = &[
    // Members of a cluster inherit its encryption: their own flag says nothing. Restores from snapshots have no such key.
    scp(
        GROUP,
        "RdsInstance",
        &["rds-instance-encrypted"],
        &["rds:CreateDBInstance", "rds:RestoreDBInstanceFromS3"],
    )
    .when(&[
        ("Bool", "rds:StorageEncrypted", &["false"]),
        (
            "StringNotLike",
            "rds:DatabaseEngine",
            &["aurora*", "docdb*", "neptune*"],
        ),
    ]),
    scp(
        GROUP,
        "RdsCluster",
        &["rds-cluster-encrypted"],
        &["rds:CreateDBCluster", "rds:RestoreDBClusterFromS3"],
    )
    .when(&[("Bool", "rds:StorageEncrypted", &["false"])]),
    // ModifyDBInstance has no rds:PubliclyAccessible.
    scp(
        GROUP,
        "RdsPublic",
        &["rds-instance-public"],
        &[
            "rds:CreateDBInstance",
            "rds:CreateDBInstanceReadReplica",
            "rds:RestoreDBInstanceFromDBSnapshot",
            "rds:RestoreDBInstanceFromS3",
            "rds:RestoreDBInstanceToPointInTime",
        ],
    )
    .when(&[("Bool", "rds:PubliclyAccessible", &["true"])]),
    scp(
        GROUP,
        "RdsShare",
        &["rds-snapshot-public"],
        &["rds:ModifyDBClusterSnapshotAttribute", "rds:ModifyDBSnapshotAttribute"],
    )
    .breaks("sharing database snapshots with single accounts too: no key tells them from everybody"),
    // A file system is unencrypted unless the call says otherwise, so that silence is denied.
    scp(
        GROUP,
        "EfsUnencrypted",
        &["efs-file-system-encrypted"],
        &["elasticfilesystem:CreateFileSystem"],
    )
    .when(&[("BoolIfExists", "elasticfilesystem:Encrypted", &["false"])]),
    scp(
        GROUP,
        "EfsPolicy",
        &["efs-file-system-public-policy"],
        &[
            "elasticfilesystem:DeleteFileSystemPolicy",
            "elasticfilesystem:PutFileSystemPolicy",
        ],
    )
    .tier(Tier::Strict)
    .breaks("any policy of a file system, a stricter one too"),
    scp(GROUP, "SnsPlain", &["sns-topic-tls-only"], &["sns:Subscribe"])
        .when(&[("StringEquals", "sns:Protocol", &["http"])])
        .breaks("subscribers over plain HTTP"),
    // Positive: an update of CORS alone says nothing of the type.
    scp(
        GROUP,
        "LambdaUrl",
        &["lambda-function-url"],
        &[
            "lambda:AddPermission",
            "lambda:CreateFunctionUrlConfig",
            "lambda:UpdateFunctionUrlConfig",
        ],
    )
    .when(&[("StringEquals", "lambda:FunctionUrlAuthType", &["NONE"])])
    .breaks("web functions and webhooks that are meant for everybody"),
    scp(
        GROUP,
        "LambdaPublic",
        &["lambda-function-public-policy"],
        &["lambda:AddPermission", "lambda:PutResourcePolicy"],
    )
    .when(&[("ForAnyValue:StringEquals", "lambda:Principal", &["*"])])
    .breaks("permissions for the whole organisation, which name * beside its id"),
    scp(
        GROUP,
        "LambdaLayer",
        &["lambda-layer-public"],
        &["lambda:AddLayerVersionPermission"],
    )
    .tier(Tier::Strict)
    .breaks("sharing layers with anybody"),
    // Secrets Manager refuses a broad policy itself if it is asked to; who does not ask is denied.
    scp(
        GROUP,
        "SecretPolicy",
        &["secretsmanager-secret-public-policy"],
        &["secretsmanager:PutResourcePolicy"],
    )
    .when(&[("BoolIfExists", "secretsmanager:BlockPublicPolicy", &["false"])])
    .breaks("calls that leave BlockPublicPolicy out, as Terraform does by default"),
    scp(
        GROUP,
        "SecretDestroy",
        &["secretsmanager-secret-scheduled-deletion"],
        &["secretsmanager:DeleteSecret"],
    )
    .when(&[("Bool", "secretsmanager:ForceDeleteWithoutRecovery", &["true"])])
    .breaks("tests and tools that remove secrets at once"),
    // CreateSecret only: an update of the value names no key, and a negated operator would match that.
    scp(
        GROUP,
        "SecretKey",
        &["secretsmanager-secret-encryption-key"],
        &["secretsmanager:CreateSecret"],
    )
    .tier(Tier::Levels)
    .made(secret_key),
    scp(GROUP, "EcrPublic", &[], &["ecr-public:CreateRepository"]).breaks("public galleries"),
    scp(
        GROUP,
        "EncryptionOff",
        &[
            "kinesis-stream-encrypted",
            "firehose-stream-encrypted",
            "logs-group-encrypted",
        ],
        &[
            "firehose:StopDeliveryStreamEncryption",
            "kinesis:StopStreamEncryption",
            "logs:DisassociateKmsKey",
        ],
    ),
    scp(
        GROUP,
        "CacheAtRest",
        &["elasticache-replication-group-encrypted"],
        &["elasticache:CreateReplicationGroup"],
    )
    .when(&[("Bool", "elasticache:AtRestEncryptionEnabled", &["false"])]),
    scp(
        GROUP,
        "CacheInTransit",
        &["elasticache-replication-group-tls-only"],
        &[
            "elasticache:CreateReplicationGroup",
            "elasticache:ModifyReplicationGroup",
        ],
    )
    .when(&[("Bool", "elasticache:TransitEncryptionEnabled", &["false"])])
    .breaks("clients that can't speak TLS"),
    scp(
        GROUP,
        "MskPublic",
        &["kafka-cluster-public"],
        &["kafka:UpdateConnectivity"],
    )
    .when(&[("Bool", "kafka:publicAccessEnabled", &["true"])]),
    scp(
        GROUP,
        "EksPublic",
        &["eks-cluster-public-endpoint"],
        &["eks:CreateCluster", "eks:UpdateClusterConfig"],
    )
    .tier(Tier::Strict)
    .when(&[("Bool", "eks:endpointPublicAccess", &["true"])])
    .breaks("clusters that people reach from outside the VPC, if only from some networks"),
    scp(
        GROUP,
        "SsmPublic",
        &["ssm-document-public"],
        &["ssm:ResetServiceSetting", "ssm:UpdateServiceSetting"],
    )
    .on(&["arn:*:ssm:*:*:servicesetting/ssm/documents/console/public-sharing-permission"])
    .breaks("turning the block of public documents on, by others than the exempt roles"),
    scp(
        GROUP,
        "NotebookInternet",
        &["sagemaker-notebook-public"],
        &["sagemaker:CreateNotebookInstance"],
    )
    .when(&[("StringEquals", "sagemaker:DirectInternetAccess", &["Enabled"])]),
];

/// Both keys in one operator: a secret without the level's key, made by who is not exempt.
fn secret_key(values: &Values) -> Result<Vec<Variant>, String> {
    values.each_level(
        "a key: classification.levels.….key",
        |level| level.key.as_ref().filter(|_| !level.values.is_empty()),
        |level, key| Variant {
            suffix: level.suffix(),
            resources: Resources::AllBut(Vec::new()),
            conditions: vec![
                values.tagged_at_creation(level),
                Clause::new("ArnNotLike", "secretsmanager:KmsKeyArn", [key]),
            ],
        },
    )
}
