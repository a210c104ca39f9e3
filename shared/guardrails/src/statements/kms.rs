use crate::clause::{Clause, Resources, Variant};
use crate::guardrail::{Guardrail, scp};
use crate::kind::Group;
use crate::values::Values;

const GROUP: Group = Group::Kms;

pub(super) const ALL: &[Guardrail] = &[
    // No DeleteAlias: denying it breaks the deletion of each stack that has one.
    scp(
        GROUP,
        "KmsDestroy",
        &[
            "kms-key-scheduled-deletion",
            "kms-key-disabled",
            "kms-key-imported-material",
        ],
        &[
            "kms:DeleteCustomKeyStore",
            "kms:DeleteImportedKeyMaterial",
            "kms:DisableKey",
            "kms:DisconnectCustomKeyStore",
            "kms:ScheduleKeyDeletion",
        ],
    )
    .made(destroy)
    .breaks("the removal of stacks whose keys don't carry the retirement tag; custom key stores have no tags"),
    scp(
        GROUP,
        "KmsInUse",
        &["kms-key-scheduled-deletion", "kms-key-disabled"],
        &["kms:DisableKey", "kms:ScheduleKeyDeletion"],
    )
    .when(&[("NumericLessThan", "kms:TrailingDaysWithoutKeyUsage", &["30"])])
    .breaks("the retirement of a key within a month of its last use"),
    // A call that names no window gets 30 days, and a numeric operator does not match what is missing.
    scp(
        GROUP,
        "KmsWindow",
        &["kms-key-scheduled-deletion"],
        &["kms:ScheduleKeyDeletion"],
    )
    .when(&[("NumericLessThan", "kms:ScheduleKeyDeletionPendingWindowInDays", &["30"])])
    .breaks("deletions with a shorter window than 30 days"),
    scp(GROUP, "KmsRotation", &["kms-key-rotation"], &["kms:DisableKeyRotation"]),
    scp(
        GROUP,
        "KmsRotationPeriod",
        &["kms-key-rotation"],
        &["kms:EnableKeyRotation"],
    )
    .made(|values| {
        let most = values.rotation_days.clone();
        let clause = Clause::new("NumericGreaterThan", "kms:RotationPeriodInDays", [most]);
        Ok(vec![everywhere(vec![clause])])
    }),
    scp(
        GROUP,
        "KmsLockout",
        &["kms-key-policy-practice"],
        &["kms:CreateKey", "kms:PutKeyPolicy"],
    )
    .when(&[("Bool", "kms:BypassPolicyLockoutSafetyCheck", &["true"])]),
    // The second condition: Auto Scaling with a key of another account needs a grant to its service-linked role.
    scp(GROUP, "KmsGrants", &["kms-key-grants"], &["kms:CreateGrant"])
        .when(&[
            ("Bool", "kms:GrantIsForAWSResource", &["false"]),
            (
                "StringNotLikeIfExists",
                "kms:GranteePrincipal",
                &["arn:*:iam::*:role/aws-service-role/*"],
            ),
        ])
        .breaks("grants that applications make for themselves; a key policy or a role's policy does as well"),
    scp(
        GROUP,
        "KmsImport",
        &["kms-key-imported-material"],
        &["kms:ImportKeyMaterial"],
    )
    .when(&[("StringEquals", "kms:ExpirationModel", &["KEY_MATERIAL_EXPIRES"])]),
    scp(GROUP, "KmsReplicaRegion", &["kms-key-region"], &["kms:ReplicateKey"])
        .made(|values| regions(values, "kms:ReplicaRegion")),
    scp(
        GROUP,
        "KmsPrimaryRegion",
        &["kms-key-region"],
        &["kms:UpdatePrimaryRegion"],
    )
    .made(|values| regions(values, "kms:PrimaryRegion")),
    // The call is authorised on the alias and on the key: one deny is enough.
    scp(
        GROUP,
        "KmsAlias",
        &["kms-alias-moved"],
        &["kms:DeleteAlias", "kms:UpdateAlias"],
    )
    .made(|values| {
        let arns = values.aliases.iter().map(|alias| format!("arn:*:kms:*:*:{alias}"));
        let arns: Vec<_> = arns.collect();
        if arns.is_empty() {
            return Err("aliases: kms.required-aliases".into());
        }
        Ok(vec![Variant {
            suffix: String::new(),
            resources: Resources::These(arns),
            conditions: Vec::new(),
        }])
    })
    .breaks("the removal of the stacks that have these aliases"),
    scp(
        GROUP,
        "RamKeys",
        &["kms-key-external-access"],
        &["ram:AssociateResourceShare", "ram:CreateResourceShare"],
    )
    .when(&[("ForAnyValue:ArnLike", "ram:ResourceArn", &["arn:*:kms:*:*:key/*"])])
    .breaks("sharing keys through RAM, within the organisation too"),
    scp(
        GROUP,
        "RamExternal",
        &["ram-resource-share-external"],
        &["ram:CreateResourceShare", "ram:UpdateResourceShare"],
    )
    .when(&[("Bool", "ram:RequestedAllowsExternalPrincipals", &["true"])])
    .breaks("resource shares with partners"),
    scp(
        GROUP,
        "RamExternalShare",
        &["ram-resource-share-external"],
        &["ram:AssociateResourceShare"],
    )
    .when(&[("Bool", "ram:AllowsExternalPrincipals", &["true"])])
    .breaks("additions to resource shares with partners"),
];

fn everywhere(conditions: Vec<Clause>) -> Variant {
    Variant {
        suffix: String::new(),
        resources: Resources::AllBut(Vec::new()),
        conditions,
    }
}

/// Without a tag for retirement nobody but the exempt may destroy a key.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the makers of variants")]
fn destroy(values: &Values) -> Result<Vec<Variant>, String> {
    let tag = values.retirement_tag.iter();
    let clause = tag.map(|tag| Clause::new("Null", format!("aws:ResourceTag/{tag}"), ["true"]));
    Ok(vec![everywhere(clause.collect())])
}

fn regions(values: &Values, key: &str) -> Result<Vec<Variant>, String> {
    if values.regions.is_empty() {
        return Err("regions: kms.regions, or --region".into());
    }
    Ok(vec![everywhere(vec![Clause::new(
        "StringNotEquals",
        key,
        &values.regions,
    )])])
}
