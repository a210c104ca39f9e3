use crate::clause::{Resources, Variant};
use crate::guardrail::{Exempt, Guardrail, scp};
use crate::kind::Group;

const GROUP: Group = Group::Protect;

/// An exemption by name is worth what protects the name; and who may change a function has its role.
pub(super) const ALL: &[Guardrail] = &[
    scp(
        GROUP,
        "ProtectRoles",
        &[],
        &[
            "iam:AcquireRole",
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:Delete*Role*",
            "iam:DetachRolePolicy",
            "iam:PutRole*",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
        ],
    )
    .sparing(Exempt::Deployers)
    .made(|values| {
        let roles = values.protected().into_iter().filter(|arn| arn.contains(":role/"));
        Ok(vec![on(roles.collect())])
    })
    .breaks("who deploys Portcullis by hand: name the role with --exempt"),
    scp(
        GROUP,
        "ProtectUsers",
        &[],
        &[
            "iam:AttachUserPolicy",
            "iam:CreateAccessKey",
            "iam:CreateLoginProfile",
            "iam:CreateUser",
            "iam:DeactivateMFADevice",
            "iam:Delete*User*",
            "iam:DetachUserPolicy",
            "iam:PutUser*",
            "iam:UpdateLoginProfile",
            "iam:UpdateUser",
        ],
    )
    .sparing(Exempt::Deployers)
    .made(|values| {
        let users: Vec<_> = values
            .protected()
            .into_iter()
            .filter(|arn| arn.contains(":user/"))
            .collect();
        Ok(if users.is_empty() { Vec::new() } else { vec![on(users)] })
    }),
    scp(
        GROUP,
        "ProtectFunctions",
        &[],
        &[
            "lambda:DeleteFunction*",
            "lambda:PutFunction*",
            "lambda:UpdateFunction*",
        ],
    )
    .sparing(Exempt::Deployers)
    .made(|values| Ok(vec![on(vec![format!("arn:*:lambda:*:*:function:{}-*", values.stack)])]))
    .breaks("who deploys Portcullis by hand: name the role with --exempt"),
    scp(
        GROUP,
        "ProtectRules",
        &[],
        &[
            "events:DeleteRule",
            "events:DisableRule",
            "events:PutRule",
            "events:RemoveTargets",
        ],
    )
    .sparing(Exempt::Deployers)
    .made(|values| Ok(vec![on(vec![format!("arn:*:events:*:*:rule/{}-*", values.stack)])]))
    .breaks("who deploys Portcullis by hand: name the role with --exempt"),
    scp(
        GROUP,
        "ProtectTrail",
        &[
            "cloudtrail-trail-logging",
            "cloudtrail-trail-deleted",
            "cloudtrail-trail-selectors",
            "cloudtrail-trail-delivery",
            "cloudtrail-trail-validation",
        ],
        &[
            "cloudtrail:DeleteTrail",
            "cloudtrail:PutEventSelectors",
            "cloudtrail:StopLogging",
            "cloudtrail:UpdateTrail",
        ],
    )
    .breaks("changes of trails in member accounts by others than the exempt roles"),
];

fn on(resources: Vec<String>) -> Variant {
    Variant {
        suffix: String::new(),
        resources: Resources::These(resources),
        conditions: Vec::new(),
    }
}
