//! What is no statement: declarative policies of EC2 and S3, by which the services themselves refuse, and endpoint policies.
//!
//! Sources: Organizations User Guide, "EC2 policy syntax and examples" and "Amazon S3 policy syntax and examples"; VPC User Guide,
//! "Control access to VPC endpoints using endpoint policies".

use portcullis_access::Request;
use serde_json::{Map, Value, json};

use crate::clause::one_or_many;
use crate::kind::DocumentKind;
use crate::values::Values;

/// A declarative policy as something that prevents.
pub struct Declarative {
    /// Its name, as `map.json` has it.
    pub name: &'static str,
    /// The controls that it prevents the violation of.
    pub controls: &'static [&'static str],
    /// What it may break.
    pub breaks: &'static str,
}

/// The EC2 policy, its VPC block aside.
pub const EC2_POLICY: Declarative = Declarative {
    name: "Ec2Policy",
    controls: &[
        "ec2-snapshot-block-public-access",
        "ec2-snapshot-public",
        "ec2-image-block-public-access",
        "ec2-image-public",
        "ec2-instance-metadata-defaults",
        "ec2-instance-imdsv2",
        "ec2-launch-template-imdsv2",
    ],
    breaks: "launches with IMDSv1, whatever the template says, and public snapshots and images; it binds break-glass and Portcullis, too",
};

/// The S3 policy.
pub const S3_POLICY: Declarative = Declarative {
    name: "S3Policy",
    controls: &[
        "s3-account-public-access-block",
        "s3-bucket-public-access-block",
        "s3-bucket-public-acl",
        "s3-bucket-public-policy",
        "s3-access-point-public-policy",
        "s3-access-point-public-access-block",
    ],
    breaks: "public buckets and websites of the OU; it binds break-glass and Portcullis, too",
};

/// What a person reads whom the EC2 policy stops.
const MESSAGE: &str = "Blocked by the organisation's EC2 policy (Portcullis guardrails). Ask your security team.";

/// The EC2 policy; `None` where all its controls are off. The block of what the internet reaches is a strict part of it.
pub fn ec2_policy(values: &Values, strict: bool) -> Option<Value> {
    let on = |controls: &[&str]| controls.iter().any(|&control| !values.off.contains(control));
    let assign = |value: &str| json!({"@@assign": value});
    let mut attributes = Map::new();
    if on(&["ec2-snapshot-block-public-access", "ec2-snapshot-public"]) {
        let state = json!({"state": assign("block_all_sharing")});
        attributes.insert("snapshot_block_public_access".into(), state);
    }
    if on(&["ec2-image-block-public-access", "ec2-image-public"]) {
        let state = json!({"state": assign("block_new_sharing")});
        attributes.insert("image_block_public_access".into(), state);
    }
    if on(&[
        "ec2-instance-metadata-defaults",
        "ec2-instance-imdsv2",
        "ec2-launch-template-imdsv2",
    ]) {
        let defaults = json!({"http_tokens": assign("required"), "http_tokens_enforced": assign("enabled")});
        attributes.insert("instance_metadata_defaults".into(), defaults);
    }
    if strict && on(&["ec2-instance-exposed", "ec2-security-group-open-ingress"]) {
        let block = json!({"mode": assign("block_ingress"), "exclusions_allowed": assign("enabled")});
        attributes.insert(
            "vpc_block_public_access".into(),
            json!({"internet_gateway_block": block}),
        );
    }
    if attributes.is_empty() {
        return None;
    }
    attributes.insert("exception_message".into(), assign(MESSAGE));
    Some(json!({"ec2_attributes": attributes}))
}

/// The S3 policy; `None` where all its controls are off.
pub fn s3_policy(values: &Values) -> Option<Value> {
    let on = S3_POLICY.controls.iter().any(|&control| !values.off.contains(control));
    on.then(|| json!({"s3_attributes": {"public_access_block_configuration": {"@@assign": "all"}}}))
}

/// The VPC endpoints that settings name.
pub fn endpoints(values: &Values) -> Vec<String> {
    let of_levels = values.levels.iter().flat_map(|level| &level.endpoints);
    let mut all: Vec<_> = values.vpc_endpoints.iter().chain(of_levels).cloned().collect();
    all.sort();
    all.dedup();
    all
}

/// The policy of those endpoints: our principals to our resources, trusted accounts' included, and AWS services.
pub fn endpoint_policy(values: &Values) -> Value {
    let ours = one_or_many(&values.organizations);
    let allow = |sid: &str, condition: Value| json!({"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition});
    let mut statements = vec![allow(
        "OwnToOwn",
        json!({"StringEquals": {"aws:PrincipalOrgID": ours, "aws:ResourceOrgID": ours}}),
    )];
    if !values.accounts.is_empty() {
        let trusted = one_or_many(&values.accounts);
        statements.push(allow(
            "OwnToTrusted",
            json!({"StringEquals": {"aws:PrincipalOrgID": ours, "aws:ResourceAccount": trusted}}),
        ));
    }
    statements.push(allow(
        "Services",
        json!({"Bool": {"aws:PrincipalIsAWSService": "true"}}),
    ));
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The calls that the services refuse under each attribute of an EC2 policy, and of an S3 policy.
///
/// Sources: Organizations User Guide, "EC2 policy syntax and examples" (account administrators can't change the attribute); S3 Control API
/// Reference, `PutPublicAccessBlock` and `DeletePublicAccessBlock`.
const REFUSED: [(&str, &[&str]); 5] = [
    (
        "/ec2_attributes/snapshot_block_public_access",
        &[
            "ec2:EnableSnapshotBlockPublicAccess",
            "ec2:DisableSnapshotBlockPublicAccess",
        ],
    ),
    (
        "/ec2_attributes/image_block_public_access",
        &["ec2:EnableImageBlockPublicAccess", "ec2:DisableImageBlockPublicAccess"],
    ),
    (
        "/ec2_attributes/instance_metadata_defaults",
        &["ec2:ModifyInstanceMetadataDefaults"],
    ),
    (
        "/ec2_attributes/vpc_block_public_access",
        &["ec2:ModifyVpcBlockPublicAccessOptions"],
    ),
    (
        "/s3_attributes/public_access_block_configuration",
        &["s3:PutAccountPublicAccessBlock"],
    ),
];

/// The call that shares a snapshot.
const SHARES_SNAPSHOTS: &str = "ec2:ModifySnapshotAttribute";

/// By which declarative policy a service refuses a request itself, whoever makes it.
pub(crate) fn refused(kind: DocumentKind, content: &Value, request: &Request) -> Option<&'static str> {
    let named = |actions: &[&str]| {
        actions
            .iter()
            .any(|action| action.eq_ignore_ascii_case(&request.action))
    };
    let found = REFUSED
        .iter()
        .any(|(attribute, actions)| content.pointer(attribute).is_some() && named(actions));
    // What is blocked can't be shared with everybody in single steps either.
    let shares = request
        .context
        .get("ec2:add/group")
        .is_some_and(|groups| groups.iter().any(|group| group == "all"));
    let opened =
        shares && request.action.eq_ignore_ascii_case(SHARES_SNAPSHOTS) && content.pointer(REFUSED[0].0).is_some();
    (found || opened).then_some(match kind {
        DocumentKind::S3 => S3_POLICY.name,
        _ => EC2_POLICY.name,
    })
}

/// Whether a declarative policy may be about an action.
pub(crate) fn names_action(action: &str) -> bool {
    let mut all = REFUSED.iter().flat_map(|(_, actions)| actions.iter());
    all.any(|one| one.eq_ignore_ascii_case(action)) || action.eq_ignore_ascii_case(SHARES_SNAPSHOTS)
}
