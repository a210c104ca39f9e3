//! The resources on which a call was authorised.
//!
//! Source: Service Authorization Reference, the resource types of each action.

use portcullis_core::event::{field, string};
use portcullis_core::{Call, partition_of};

/// The ARNs; `*` where the record names none, or the call has none.
pub(super) fn of(call: &Call, action: &str) -> Vec<String> {
    let partition = partition_of(&call.region);
    let (region, account) = (&call.region, &call.account);
    let parameter = |name: &str| {
        field(&call.parameters, name)
            .and_then(string)
            .filter(|text| !text.is_empty())
    };
    let regional = |service: &str, rest: String| format!("arn:{partition}:{service}:{region}:{account}:{rest}");
    let named = |name: &str, make: &dyn Fn(String) -> String| {
        let text = parameter(name)?;
        Some(vec![if text.starts_with("arn:") { text } else { make(text) }])
    };
    let service = action.split(':').next().unwrap_or_default();
    let found = match (service, action) {
        // A volume that does not exist yet: the call is authorised on all of them.
        (_, "ec2:CreateVolume" | "ec2:ImportVolume") => Some(vec![regional("ec2", "volume/*".into())]),
        (_, "ec2:RunInstances") => {
            let kinds = ["instance", "volume", "network-interface"].into_iter();
            Some(kinds.map(|kind| regional("ec2", format!("{kind}/*"))).collect())
        }
        (_, "ec2:AttachVolume") => named("volumeId", &|id| regional("ec2", format!("volume/{id}"))),
        (_, "ec2:ModifySnapshotAttribute") => named("snapshotId", &|id| {
            format!("arn:{partition}:ec2:{region}::snapshot/{id}")
        }),
        (_, "s3:PutAccountPublicAccessBlock") => None,
        ("s3", _) => match parameter("bucketName") {
            None => named_by_record(call),
            Some(access_point) if access_point.starts_with("arn:") => Some(vec![access_point]),
            Some(bucket) => {
                let object = parameter("key").map(|key| format!("/{key}")).unwrap_or_default();
                let keys = if object.is_empty() && is_of_objects(action) {
                    "/*"
                } else {
                    &object
                };
                Some(vec![format!("arn:{partition}:s3:::{bucket}{keys}")])
            }
        },
        ("iam", _) => {
            let path = parameter("path").unwrap_or_else(|| "/".into());
            let iam = |kind: &str, name: String| format!("arn:{partition}:iam::{account}:{kind}{path}{name}");
            named("roleName", &|name| iam("role", name)).or_else(|| named("userName", &|name| iam("user", name)))
        }
        ("lambda", _) => named("functionName", &|name| {
            let name = name
                .split_once(":function:")
                .map_or(name.clone(), |(_, name)| name.to_owned());
            regional("lambda", format!("function:{name}"))
        }),
        ("events", _) => {
            let bus = parameter("eventBusName").filter(|bus| bus != "default");
            let bus = bus.map(|bus| format!("{bus}/")).unwrap_or_default();
            let rule = |name: String| regional("events", format!("rule/{bus}{name}"));
            named("name", &rule).or_else(|| named("rule", &rule))
        }
        ("ssm", _) => named("settingId", &|id| {
            regional("ssm", format!("servicesetting/{}", id.trim_start_matches('/')))
        }),
        ("kms", _) => named_by_record(call).or_else(|| named("keyId", &|id| regional("kms", format!("key/{id}")))),
        ("sqs", _) => named_by_record(call).or_else(|| {
            let url = parameter("queueUrl")?;
            let mut parts = url.rsplit('/');
            let (name, owner) = (parts.next()?, parts.next()?);
            Some(vec![format!("arn:{partition}:sqs:{region}:{owner}:{name}")])
        }),
        _ => named_by_record(call),
    };
    found.unwrap_or_else(|| vec!["*".to_owned()])
}

fn named_by_record(call: &Call) -> Option<Vec<String>> {
    (!call.resources.is_empty()).then(|| call.resources.clone())
}

/// Whether an action of S3 is one on objects.
fn is_of_objects(action: &str) -> bool {
    ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        .iter()
        .any(|of| action.starts_with(of))
}
