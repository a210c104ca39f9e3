//! What is prevented of each control, by which statement, and what stays with its function.

use serde::Serialize;

use crate::declarative::{Declarative, EC2_POLICY, S3_POLICY};
use crate::guardrail::Guardrail;
use crate::kind::{Kind, Tier};
use crate::statements::guardrails;

/// What is prevented of a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prevention {
    /// The control.
    pub control: String,
    /// Whether its violation is prevented, repaired, or both.
    pub verdict: Verdict,
    /// By what, in the order of attachment.
    pub prevented_by: Vec<PreventedBy>,
    /// What nothing prevents, which stays with the function; empty where nothing is left.
    pub stays: &'static str,
}

/// Whether a violation is prevented, repaired, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No call can lead to it while the guardrails hold.
    Prevented,
    /// No policy can tell right from wrong.
    Repaired,
    /// Some ways are closed, others are not.
    Both,
}

impl Verdict {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prevented => "prevented",
            Self::Repaired => "repaired",
            Self::Both => "both",
        }
    }
}

/// One thing that prevents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreventedBy {
    /// The statement's Sid, or the declarative policy's name.
    pub name: &'static str,
    /// The kind of policy.
    pub policy: &'static str,
    /// The tier that has to be asked for.
    pub tier: Tier,
    /// What it may break; empty for nothing.
    pub breaks: &'static str,
}

/// What is prevented of a control; `None` where nobody has said what stays with its function.
pub fn prevention(control: &str) -> Option<Prevention> {
    let (_, stays) = STAYS.iter().find(|(id, _)| *id == control)?;
    let declared = |policy: &'static Declarative, kind: &'static str| {
        let names = policy.controls.contains(&control);
        names.then_some(PreventedBy {
            name: policy.name,
            policy: kind,
            tier: Tier::Default,
            breaks: policy.breaks,
        })
    };
    let of = |guardrail: &'static Guardrail| PreventedBy {
        name: guardrail.sid,
        policy: match guardrail.kind {
            Kind::ServiceControl => "service control policy",
            Kind::ResourceControl => "resource control policy",
        },
        tier: guardrail.tier,
        breaks: guardrail.breaks,
    };
    let statements = guardrails().filter(|guardrail| guardrail.controls.contains(&control));
    let prevented_by: Vec<_> = declared(&EC2_POLICY, "EC2 policy")
        .into_iter()
        .chain(declared(&S3_POLICY, "S3 policy"))
        .chain(statements.map(of))
        .collect();
    Some(Prevention {
        control: control.to_owned(),
        verdict: match (prevented_by.is_empty(), stays.is_empty()) {
            (true, _) => Verdict::Repaired,
            (false, true) => Verdict::Prevented,
            (false, false) => Verdict::Both,
        },
        prevented_by,
        stays,
    })
}

/// The controls for which it is said what stays with their function.
pub fn controls_with_a_line() -> impl Iterator<Item = &'static str> {
    STAYS.iter().map(|(control, _)| *control)
}

/// What no policy of an organisation can prevent, by control. A new control has its line here.
const STAYS: &[(&str, &str)] = &[
    (
        "s3-bucket-quarantine",
        "all of it: it answers what other controls found",
    ),
    (
        "s3-bucket-public-acl",
        "grants in headers and in the body of the call, of which policies see nothing, and ACLs from before",
    ),
    (
        "s3-bucket-public-policy",
        "the policy itself can be written and stays, without effect for those outside; buckets that are left out",
    ),
    (
        "s3-bucket-external-access",
        "policies and ACLs that name others stay, without effect for those who are not in trust",
    ),
    (
        "s3-bucket-acls-disabled",
        "PutBucketOwnershipControls afterwards, whose rule has no key, and buckets from before April 2023",
    ),
    ("s3-bucket-tls-only", ""),
    (
        "s3-bucket-encrypted-writes",
        "buckets whose level is known by their tag only, and writes with another key of KMS",
    ),
    (
        "s3-bucket-vpc-endpoints-only",
        "buckets whose level is known by their tag only",
    ),
    (
        "s3-bucket-public-access-block",
        "a block that is taken off or never set: the flags have no key, and only a strict statement stops the call as such",
    ),
    (
        "s3-bucket-default-encryption",
        "the default of each bucket: which one its level asks for is not known when it is made",
    ),
    (
        "s3-bucket-sse-c-blocked",
        "the setting of the bucket, as a second fence, and objects that are there already",
    ),
    (
        "s3-bucket-versioning",
        "all of it by default: no key tells suspended from enabled",
    ),
    ("s3-bucket-website", "all of it by default: the call has no key"),
    (
        "s3-account-public-access-block",
        "accounts in which the block was never turned on, outside of the OUs of an S3 policy",
    ),
    (
        "s3-access-point-public-policy",
        "the policy itself can be written and stays, without effect for those outside",
    ),
    (
        "s3-access-point-public-access-block",
        "access points that are made without their block: the flags have no key",
    ),
    (
        "kms-key-scheduled-deletion",
        "keys with the retirement tag: whoever may tag keys may retire them",
    ),
    (
        "kms-key-disabled",
        "keys with the retirement tag, and keys that are disabled already",
    ),
    (
        "kms-key-rotation",
        "keys that are made without: CreateKey can't ask for rotation",
    ),
    (
        "kms-key-public-policy",
        "the policy itself can be written and stays, without effect for those outside; the management account's keys",
    ),
    (
        "kms-key-external-access",
        "the policy itself can be written and stays, without effect for those who are not in trust",
    ),
    (
        "kms-key-policy-practice",
        "whose duties are whose, MFA, the account root: a policy's text is in no key",
    ),
    (
        "kms-key-grants",
        "grants for AWS resources and to service-linked roles, and grants from before",
    ),
    (
        "kms-key-imported-material",
        "material that is there already and expires",
    ),
    ("kms-key-region", "replicas that are there already"),
    (
        "kms-key-required",
        "all of it: it tells what follows from other controls",
    ),
    ("kms-key-destroyed", "all of it: nobody can bring a key back"),
    ("kms-alias-moved", "aliases that are missing already"),
    (
        "ec2-ebs-encryption-by-default",
        "turning it on: no policy of an organisation has that attribute",
    ),
    (
        "ec2-snapshot-block-public-access",
        "accounts outside of the EC2 policy's targets",
    ),
    (
        "ec2-image-block-public-access",
        "accounts outside of the EC2 policy's targets",
    ),
    (
        "ec2-instance-metadata-defaults",
        "accounts outside of the EC2 policy's targets",
    ),
    (
        "ec2-volume-encrypted",
        "what Auto Scaling, Spot and Fleet launch as service-linked roles, which no policy binds; CopyVolumes; volumes from before",
    ),
    ("ec2-volume-marked", "all of it: it answers what was found"),
    ("ec2-volume-quarantine", "all of it: it answers what was found"),
    (
        "ec2-snapshot-public",
        "snapshots that are public already: the block hides them, and does not take the share off",
    ),
    (
        "ec2-snapshot-external-access",
        "all of it without the list of accounts: no key asks whether an account is in the organisation",
    ),
    (
        "ec2-snapshot-encrypted",
        "all of it: denying snapshots of unencrypted volumes would stop the backups of old ones",
    ),
    ("ec2-image-public", "images that are public already"),
    (
        "ec2-image-external-access",
        "sharing with single accounts by default: images have no keys for whom they are shared with",
    ),
    (
        "ec2-image-encrypted",
        "all of it: no key tells how an image's snapshots are encrypted",
    ),
    (
        "ec2-security-group-open-ingress",
        "all of it: no key has a rule's network or port. An EC2 policy with VPC Block Public Access is its twin, for all ingress at once",
    ),
    (
        "ec2-security-group-default",
        "all of it: no key has a rule's network or port",
    ),
    (
        "ec2-security-group-quarantine",
        "all of it: a policy can't tell a quarantine group from others by its name",
    ),
    (
        "ec2-instance-exposed",
        "subnets that give public addresses by themselves, and groups that are opened later",
    ),
    (
        "ec2-instance-imdsv2",
        "instances that run already, outside of the EC2 policy's targets",
    ),
    (
        "ec2-launch-template-encrypted",
        "the template itself can be written; what is launched from it is denied, but not as a service-linked role",
    ),
    (
        "ec2-launch-template-imdsv2",
        "the template itself can be written; what is launched from it fails",
    ),
    (
        "ec2-launch-template-public-address",
        "the template itself can be written; without the strict statement all of it",
    ),
    (
        "sqs-queue-public-policy",
        "the policy itself can be written and stays, without effect for those outside",
    ),
    (
        "sqs-queue-external-access",
        "the policy itself can be written and stays, without effect for those who are not in trust",
    ),
    ("sqs-queue-tls-only", ""),
    (
        "sqs-queue-encrypted",
        "all of it: SetQueueAttributes has no key for what it sets",
    ),
    (
        "sqs-queue-encryption-key",
        "all of it: SetQueueAttributes has no key for what it sets",
    ),
    ("rds-snapshot-public", "snapshots that are public already"),
    (
        "rds-snapshot-external-access",
        "all of it: the accounts of a share list are not to be compared with a list of those in trust",
    ),
    (
        "rds-snapshot-encrypted",
        "snapshots of databases that are unencrypted already",
    ),
    ("rds-cluster-snapshot-public", "snapshots that are public already"),
    (
        "rds-cluster-snapshot-external-access",
        "all of it: the accounts of a share list are not to be compared with a list of those in trust",
    ),
    (
        "rds-cluster-snapshot-encrypted",
        "snapshots of clusters that are unencrypted already",
    ),
    (
        "rds-instance-public",
        "databases that are public already, and subnet groups of public subnets",
    ),
    (
        "rds-instance-encrypted",
        "databases that are there already, and which key",
    ),
    (
        "rds-instance-marked",
        "all of it: it says on a resource what another control found",
    ),
    (
        "rds-instance-quarantine",
        "all of it: it answers what other controls found",
    ),
    (
        "rds-instance-deletion-protection",
        "all of it: no key says whether it is on",
    ),
    ("rds-cluster-public", "clusters that are public already"),
    (
        "rds-cluster-encrypted",
        "clusters that are there already, and which key",
    ),
    (
        "rds-cluster-marked",
        "all of it: it says on a resource what another control found",
    ),
    (
        "rds-cluster-quarantine",
        "all of it: it answers what other controls found",
    ),
    (
        "rds-cluster-deletion-protection",
        "all of it: no key says whether it is on",
    ),
    (
        "dynamodb-table-encryption",
        "all of it: no key of the service says which key a table gets",
    ),
    (
        "dynamodb-table-public-policy",
        "the policy itself can be written and stays, without effect for those outside",
    ),
    (
        "dynamodb-table-external-access",
        "the policy itself can be written and stays, without effect for those who are not in trust",
    ),
    (
        "dynamodb-table-point-in-time-recovery",
        "all of it: no key says whether it is on",
    ),
    (
        "dynamodb-table-deletion-protection",
        "all of it: no key says whether it is on",
    ),
    (
        "dynamodb-stream-public-policy",
        "the policy itself can be written and stays, without effect for those outside",
    ),
    (
        "dynamodb-stream-external-access",
        "the policy itself can be written and stays, without effect for those who are not in trust",
    ),
    (
        "efs-file-system-public-policy",
        "all of it: PutFileSystemPolicy has no key for what it sets",
    ),
    (
        "efs-file-system-external-access",
        "all of it: PutFileSystemPolicy has no key for what it sets",
    ),
    (
        "efs-file-system-tls-only",
        "all of it: PutFileSystemPolicy has no key for what it sets",
    ),
    (
        "efs-file-system-encrypted",
        "file systems that are there already, and which key",
    ),
    (
        "efs-file-system-quarantine",
        "all of it: it answers what other controls found",
    ),
    (
        "efs-mount-target-public-subnet",
        "all of it: no key says which subnet is public",
    ),
    (
        "efs-access-point-root-directory",
        "all of it: no key says which directory",
    ),
    (
        "efs-access-point-user-identity",
        "all of it: no key says which identity",
    ),
    (
        "sns-topic-public-policy",
        "all of it: SetTopicAttributes has no key for what it sets",
    ),
    (
        "sns-topic-external-access",
        "all of it: SetTopicAttributes has no key for what it sets",
    ),
    ("sns-topic-tls-only", "the policy itself, and publishing"),
    (
        "sns-topic-encrypted",
        "all of it: SetTopicAttributes has no key for what it sets",
    ),
    (
        "secretsmanager-secret-scheduled-deletion",
        "deletions with a recovery window, which can be taken back",
    ),
    (
        "secretsmanager-secret-public-policy",
        "the policy itself can be written and stays, without effect for those outside",
    ),
    (
        "secretsmanager-secret-external-access",
        "policies that name others stay, without effect for those who are not in trust",
    ),
    (
        "secretsmanager-secret-encryption-key",
        "secrets whose key is changed later, and those from before",
    ),
    (
        "secretsmanager-secret-rotation",
        "all of it: nothing says whether a secret will be rotated",
    ),
    (
        "cloudtrail-trail-logging",
        "trails of the management account, which no policy binds",
    ),
    (
        "cloudtrail-trail-deleted",
        "trails of the management account, which no policy binds",
    ),
    (
        "cloudtrail-trail-selectors",
        "trails of the management account, which no policy binds",
    ),
    (
        "cloudtrail-trail-delivery",
        "the bucket and the key, which have policies of their own",
    ),
    (
        "cloudtrail-trail-validation",
        "trails of the management account, which no policy binds",
    ),
    (
        "cloudtrail-trail-encrypted",
        "all of it: UpdateTrail has no key for what it sets",
    ),
    (
        "ecr-repository-public-policy",
        "the policy itself can be written and stays, without effect for those outside",
    ),
    (
        "ecr-repository-external-access",
        "policies that name others stay, without effect for those who are not in trust",
    ),
    (
        "ecr-repository-scan-on-push",
        "all of it: ECR has no key for what its calls set",
    ),
    (
        "ecr-repository-immutable-tags",
        "all of it: ECR has no key for what its calls set",
    ),
    (
        "ecr-repository-encrypted",
        "all of it: ECR has no key for what its calls set",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_has_no_statement_says_what_stays_and_no_control_is_there_twice() {
        let ids: BTreeSet<_> = controls_with_a_line().collect();
        assert_eq!(ids.len(), STAYS.len());
        for id in ids {
            let found = prevention(id).unwrap();
            assert!(!found.stays.is_empty() || !found.prevented_by.is_empty(), "{id}");
        }
        assert_eq!(prevention("s3-bucket-nothing"), None);
    }

    #[test]
    fn a_control_is_prevented_repaired_or_both() {
        for (control, verdict, by) in [
            ("s3-bucket-tls-only", Verdict::Prevented, vec!["Tls", "S3TlsVersion"]),
            ("ec2-security-group-default", Verdict::Repaired, vec![]),
            (
                "ec2-snapshot-public",
                Verdict::Both,
                vec!["Ec2Policy", "SnapshotPublic"],
            ),
        ] {
            let found = prevention(control).unwrap();
            let names: Vec<_> = found.prevented_by.iter().map(|by| by.name).collect();
            assert_eq!((found.verdict, names), (verdict, by), "{control}");
        }
    }
}
