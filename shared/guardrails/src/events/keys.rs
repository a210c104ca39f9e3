//! Which parameter of a call a condition key is of.
//!
//! Sources: Service Authorization Reference (what each key means), and CloudTrail's records of the calls.

use portcullis_core::Call;
use portcullis_core::event::field;
use serde_json::Value;

/// What a record tells of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// The request has it, with these values.
    Is(Vec<String>),
    /// The request does not have it.
    Absent,
    /// The record does not tell.
    Unknown,
}

/// What it means that the parameter is not there.
#[derive(Clone, Copy)]
enum Silent {
    /// The key is not there either.
    Absent,
    /// The key is a default of the service, or of the account, which the record does not tell.
    Unknown,
}

/// A key, the calls that it is of (all where empty), where its value is, what silence means. The answer's fields begin with `<`.
const SOURCES: &[(&str, &[&str], &[&str], Silent)] = &[
    ("s3:x-amz-acl", &[], &["x-amz-acl"], Silent::Absent),
    (
        "s3:x-amz-object-ownership",
        &[],
        &["x-amz-object-ownership", "objectOwnership"],
        Silent::Absent,
    ),
    (
        "s3:x-amz-server-side-encryption",
        &["s3:PutObject"],
        &["x-amz-server-side-encryption"],
        Silent::Absent,
    ),
    (
        "s3:x-amz-server-side-encryption",
        &["s3:UpdateObjectEncryption"],
        &["x-amz-server-side-encryption"],
        Silent::Unknown,
    ),
    (
        "s3:x-amz-server-side-encryption-customer-algorithm",
        &[],
        &["x-amz-server-side-encryption-customer-algorithm"],
        Silent::Absent,
    ),
    // With encryption by default a call that says nothing makes an encrypted volume: the answer tells.
    (
        "ec2:encrypted",
        &["ec2:CreateVolume"],
        &["encrypted", "<encrypted"],
        Silent::Unknown,
    ),
    (
        "ec2:encrypted",
        &["ec2:RunInstances"],
        &["blockDeviceMapping.ebs.encrypted"],
        Silent::Unknown,
    ),
    (
        "ec2:encrypted",
        &["ec2:ImportVolume", "ec2:AttachVolume"],
        &["encrypted"],
        Silent::Unknown,
    ),
    ("ec2:kmskeyid", &["ec2:CreateVolume"], &["kmsKeyId"], Silent::Absent),
    (
        "ec2:kmskeyid",
        &["ec2:RunInstances"],
        &["blockDeviceMapping.ebs.kmsKeyId"],
        Silent::Absent,
    ),
    (
        "ec2:add/group",
        &[],
        &["createVolumePermission.add.group"],
        Silent::Absent,
    ),
    (
        "ec2:add/userid",
        &[],
        &["createVolumePermission.add.userId"],
        Silent::Absent,
    ),
    (
        "ec2:attribute/httptokens",
        &[],
        &["ModifyInstanceMetadataOptionsRequest.HttpTokens", "httpTokens"],
        Silent::Absent,
    ),
    (
        "ec2:associatepublicipaddress",
        &[],
        &["networkInterfaceSet.associatePublicIpAddress"],
        Silent::Absent,
    ),
    (
        "kms:schedulekeydeletionpendingwindowindays",
        &[],
        &["pendingWindowInDays"],
        Silent::Absent,
    ),
    (
        "kms:rotationperiodindays",
        &[],
        &["rotationPeriodInDays"],
        Silent::Absent,
    ),
    (
        "kms:bypasspolicylockoutsafetycheck",
        &[],
        &["bypassPolicyLockoutSafetyCheck"],
        Silent::Absent,
    ),
    ("kms:granteeprincipal", &[], &["granteePrincipal"], Silent::Absent),
    ("kms:expirationmodel", &[], &["expirationModel"], Silent::Absent),
    ("kms:replicaregion", &[], &["replicaRegion"], Silent::Absent),
    ("kms:primaryregion", &[], &["primaryRegion"], Silent::Absent),
    ("ram:resourcearn", &[], &["resourceArns"], Silent::Absent),
    (
        "ram:requestedallowsexternalprincipals",
        &[],
        &["allowExternalPrincipals"],
        Silent::Unknown,
    ),
    ("rds:storageencrypted", &[], &["storageEncrypted"], Silent::Unknown),
    ("rds:databaseengine", &[], &["engine", "<engine"], Silent::Unknown),
    ("rds:publiclyaccessible", &[], &["publiclyAccessible"], Silent::Unknown),
    ("elasticfilesystem:encrypted", &[], &["encrypted"], Silent::Absent),
    ("sns:protocol", &[], &["protocol"], Silent::Absent),
    (
        "lambda:functionurlauthtype",
        &[],
        &["functionUrlAuthType", "authType"],
        Silent::Absent,
    ),
    (
        "lambda:principal",
        &["lambda:AddPermission"],
        &["principal"],
        Silent::Absent,
    ),
    (
        "secretsmanager:blockpublicpolicy",
        &[],
        &["blockPublicPolicy"],
        Silent::Absent,
    ),
    (
        "secretsmanager:forcedeletewithoutrecovery",
        &[],
        &["forceDeleteWithoutRecovery"],
        Silent::Absent,
    ),
    (
        "elasticache:atrestencryptionenabled",
        &[],
        &["atRestEncryptionEnabled"],
        Silent::Unknown,
    ),
    (
        "elasticache:transitencryptionenabled",
        &[],
        &["transitEncryptionEnabled"],
        Silent::Unknown,
    ),
    (
        "eks:endpointpublicaccess",
        &[],
        &["resourcesVpcConfig.endpointPublicAccess"],
        Silent::Unknown,
    ),
    (
        "sagemaker:directinternetaccess",
        &[],
        &["directInternetAccess"],
        Silent::Unknown,
    ),
];

/// What the parameters of a call tell of a key.
pub(super) fn of_call(call: &Call, action: &str, key: &str) -> Known {
    if call.omitted {
        return Known::Unknown;
    }
    let parameters = &call.parameters;
    let is = |text: &str| Known::Is(vec![text.to_owned()]);
    if let Some(tag) = key.strip_prefix("aws:requesttag/") {
        return requested_tag(parameters, action, tag).map_or(Known::Absent, Known::Is);
    }
    match key {
        // The key of an access point that names a VPC.
        "s3:accesspointnetworkorigin" => {
            let vpc = field(parameters, "CreateAccessPointRequest").and_then(|asked| field(asked, "VpcConfiguration"));
            return is(if vpc.is_some() { "VPC" } else { "Internet" });
        }
        // KMS Developer Guide, "kms:GrantIsForAWSResource": true where a service asks for a user.
        "kms:grantisforawsresource" => return is(if call.actor.service.is_empty() { "false" } else { "true" }),
        "kafka:publicaccessenabled" => {
            let kinds = at(parameters, "connectivityInfo.publicAccess.type");
            return match kinds.first() {
                Some(kind) => is(if kind == "DISABLED" { "false" } else { "true" }),
                None => Known::Absent,
            };
        }
        // A launch without options takes them from its template, if it has one.
        "ec2:metadatahttptokens" => {
            let asked = at(parameters, "metadataOptions.httpTokens");
            return match (asked.is_empty(), field(parameters, "launchTemplate").is_some()) {
                (false, _) => Known::Is(asked),
                (true, true) => Known::Unknown,
                (true, false) => Known::Absent,
            };
        }
        // The caller may write an id or an alias, and the key is the ARN.
        "secretsmanager:kmskeyarn" => {
            let keys = at(parameters, "kmsKeyId");
            return match keys.first() {
                Some(key) if key.starts_with("arn:") && key.contains(":key/") => Known::Is(keys),
                Some(_) => Known::Unknown,
                None => Known::Absent,
            };
        }
        _ => {}
    }
    let mut sources = SOURCES.iter();
    let of_this = |(of, actions, _, _): &&(&str, &[&str], &[&str], Silent)| {
        *of == key && (actions.is_empty() || actions.contains(&action))
    };
    let Some((_, _, paths, silent)) = sources.find(of_this) else {
        return Known::Unknown;
    };
    let mut found = paths.iter().map(|path| match path.strip_prefix('<') {
        Some(path) => at(&call.response, path),
        None => at(parameters, path),
    });
    match (found.find(|values| !values.is_empty()), silent) {
        (Some(values), _) => Known::Is(values),
        (None, Silent::Absent) => Known::Absent,
        (None, Silent::Unknown) => Known::Unknown,
    }
}

/// The values at a path of members; lists, and their `items`, are gone through.
fn at(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Array(list) => return list.iter().flat_map(|one| at(one, path)).collect(),
        Value::Object(object) if object.contains_key("items") => return at(&object["items"], path),
        _ => {}
    }
    if path.is_empty() {
        return match value {
            Value::String(text) => vec![text.clone()],
            Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
            _ => Vec::new(),
        };
    }
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    field(value, first).map_or_else(Vec::new, |found| at(found, rest))
}

/// The value of a tag that a resource is made with.
fn requested_tag(parameters: &Value, action: &str, tag: &str) -> Option<Vec<String>> {
    let made = if action.starts_with("ec2:") { "volume" } else { "" };
    let list = |value: &Value| -> Vec<Value> {
        match value {
            Value::Array(list) => list.clone(),
            Value::Object(object) => object
                .get("items")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    };
    let specifications = field(parameters, "tagSpecificationSet").map(list).unwrap_or_default();
    let of_made = specifications
        .iter()
        .filter(|one| field(one, "resourceType").and_then(Value::as_str) == Some(made))
        .filter_map(|one| field(one, "tags"));
    let plain = field(parameters, "tags").into_iter();
    let mut tags = of_made.chain(plain).flat_map(list);
    tags.find_map(|one| {
        let key = field(&one, "key")?.as_str()?;
        let value = field(&one, "value")?.as_str()?;
        key.eq_ignore_ascii_case(tag).then(|| vec![value.to_owned()])
    })
}
