//! File systems: what is read and changed of them, and which events name them.

use std::collections::BTreeMap;

use portcullis_controls::ResourcePolicy;
use portcullis_controls::encryption::Key;
use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Location, Observed, Resource, ResourceType, Settings, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The event source of EFS's calls.
pub const SOURCE: &str = "elasticfilesystem.amazonaws.com";

/// What clients that mount a file system do with it. Source: EFS User Guide, "Using IAM to control file system data access".
pub const CLIENT_ACTIONS: [&str; 3] = [
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientRootAccess",
    "elasticfilesystem:ClientWrite",
];

/// A file system as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct FileSystem {
    /// Its tags; none reads as an empty map.
    #[fact(tags, read("elasticfilesystem:DescribeFileSystems"))]
    pub tags: Observed<Tags>,
    /// Its state, as in `available`.
    #[fact(name = Tags, read("elasticfilesystem:DescribeFileSystems"))]
    pub life_cycle: Observed<String>,
    /// Its policy, byte for byte; absent where it has the default one, which lets in whoever reaches a mount target.
    #[fact(
        read("elasticfilesystem:DescribeFileSystemPolicy"),
        write("elasticfilesystem:DeleteFileSystemPolicy", "elasticfilesystem:PutFileSystemPolicy"),
        policy
    )]
    pub policy: Observed<String>,
    /// The key that it is encrypted with; absent where it is not encrypted.
    #[fact(name = Encryption, read("elasticfilesystem:DescribeFileSystems", "kms:DescribeKey"))]
    pub key: Observed<Key>,
    /// Its mount targets in subnets that give addresses of the internet to what is started there: their ids with the subnets'.
    #[fact(read("elasticfilesystem:DescribeMountTargets", "ec2:DescribeSubnets"))]
    pub public_mount_targets: Observed<BTreeMap<String, String>>,
    /// Its access points, by their ids.
    #[fact(read("elasticfilesystem:DescribeAccessPoints"))]
    pub access_points: Observed<BTreeMap<String, AccessPoint>>,
}

/// What an access point makes of its clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPoint {
    /// The directory that they see as the root.
    pub root: String,
    /// Whether each of them acts as the user that the access point names.
    pub has_user: bool,
}

impl FileSystem {
    /// Its policy as it is judged.
    pub fn policy_in<'a>(&'a self, context: &'a portcullis_core::JudgeContext<'a>) -> ResourcePolicy<'a> {
        ResourcePolicy::of(portcullis_access::Service::Efs, &self.policy, context)
    }
}

/// A policy with one more statement. A first policy takes the place of the default one: it grants what that grants, so that nobody is
/// locked out by it. Source: EFS User Guide, "Default EFS file system policy".
pub fn with_statement(policy: ResourcePolicy<'_>, statement: Value) -> Result<Option<String>, String> {
    if policy.text.is_some() {
        return policy.with_statement(statement).map(Some);
    }
    let default = json!({
        "Sid": "PortcullisDefault",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": CLIENT_ACTIONS,
        "Resource": policy.context.resource.arn,
        "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}},
    });
    Ok(Some(
        json!({"Version": "2012-10-17", "Statement": [default, statement]}).to_string(),
    ))
}

/// Whether a statement is about all that clients do.
pub fn covers_clients(statement: &Value) -> bool {
    let actions = portcullis_core::event::strings(&statement["Action"]);
    let named = |wanted: &str| {
        actions.iter().any(|action| {
            let all = ["*", "elasticfilesystem:*", "elasticfilesystem:Client*"];
            all.iter().any(|all| action.eq_ignore_ascii_case(all)) || action.eq_ignore_ascii_case(wanted)
        })
    };
    CLIENT_ACTIONS.into_iter().all(named)
}

/// File systems. The classification of the data is in their tags.
pub const TYPE: ResourceType<FileSystem> = ResourceType {
    name: "AWS::EFS::FileSystem",
    arn_form: "elasticfilesystem:{r}:{a}:file-system/fs-{i}",
    source: SOURCE,
    always: &[FileSystemFact::Tags],
    list_actions: &["elasticfilesystem:DescribeFileSystems"],
    creates: &["CreateFileSystem"],
    named,
    identified: |id, location| parsed(id, location).filter(|found| found.place() == *location),
    matters,
    is_deleted: |found| found.life_cycle.get().is_some_and(|state| state == "deleted"),
    busy,
    comparable: |found| FileSystem {
        life_cycle: Observed::Unread,
        ..found.clone()
    },
    ..ResourceType::REGIONAL
};

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    let (parameter, id) = match call.name.as_str() {
        "CreateFileSystem" => (
            "responseElements.fileSystemId",
            field(&call.response, "fileSystemId").and_then(string),
        ),
        "TagResource" | "UntagResource" => ("requestParameters.resourceId", call.parameter("resourceId")?),
        _ => ("requestParameters.fileSystemId", call.parameter("fileSystemId")?),
    };
    let id = id.or_else(|| call.resources.first().cloned());
    let id = id.ok_or_else(|| EventError::Missing(parameter.into()))?;
    // Access points have tags of their own.
    if id.rsplit('/').next().is_some_and(|id| id.starts_with("fsap-")) {
        return Ok(Vec::new());
    }
    let found = parsed(&id, &call.place());
    let found = found.ok_or_else(|| EventError::parameter(parameter, "a file system's id or ARN", &id.into()))?;
    Ok([found]
        .into_iter()
        .filter(|found| found.place() == call.place())
        .collect())
}

/// The file system that an id or an ARN stands for. Source: EFS API Reference, `DescribeFileSystems`, `FileSystemId`.
fn parsed(text: &str, location: &Location) -> Option<Resource> {
    let found = Resource::named(TYPE.name, "elasticfilesystem", "file-system/", text, location)?;
    let digits = found.id.strip_prefix("fs-")?;
    let is_id = (8..=40).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(found)
}

/// Most tags change nothing that is judged.
fn matters(call: &Call, settings: &Settings) -> bool {
    let any = |name: &str, key: &dyn Fn(&Value) -> Option<String>| {
        let tags = field(&call.parameters, name).and_then(Value::as_array);
        tags.is_none_or(|tags| {
            tags.iter()
                .any(|tag| key(tag).is_none_or(|key| settings.knows_tag(&key)))
        })
    };
    match call.name.as_str() {
        "CreateTags" | "TagResource" => any("tags", &|tag| field(tag, "key").and_then(string)),
        "DeleteTags" | "UntagResource" => any("tagKeys", &string),
        _ => true,
    }
}

/// Source: EFS API Reference, `FileSystemDescription`, `LifeCycleState`; `PutFileSystemPolicy` takes one that is available only.
fn busy(found: &FileSystem) -> Option<String> {
    let doing = match found.life_cycle.get()?.as_str() {
        "creating" => "created",
        "updating" => "updated",
        "deleting" => "deleted",
        _ => return None,
    };
    Some(format!("it is being {doing}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use portcullis_core::testing::{ACCOUNT, REGION, judging, resource};
    use portcullis_core::{Control, Judgement};

    use super::*;

    pub const ARN: &str = "arn:aws:elasticfilesystem:eu-west-1:111122223333:file-system/fs-0123456789abcdef0";

    /// What a control says of a file system under settings.
    pub fn judged(
        control: &Control<FileSystem>,
        found: &FileSystem,
        settings: &Settings,
    ) -> Judgement<FileSystemChange> {
        let of = resource(TYPE.name, ARN);
        judging(&of, settings, |context| (control.judge)(found, context))
    }

    pub fn with_policy(statements: &[Value]) -> FileSystem {
        FileSystem {
            policy: Observed::Is(json!({"Version": "2012-10-17", "Statement": statements}).to_string()),
            ..FileSystem::default()
        }
    }

    fn call(name: &str, parameters: &Value, response: &Value) -> Call {
        let record = json!({"eventSource": SOURCE, "eventName": name, "recipientAccountId": ACCOUNT, "awsRegion": REGION,
            "requestParameters": parameters, "responseElements": response});
        match portcullis_core::Event::from_slice(record.to_string().as_bytes(), &[]) {
            Ok(portcullis_core::Event::Call(call)) => *call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_call_names_its_file_system_wherever_cloudtrail_says_it() {
        let id = "fs-0123456789abcdef0";
        for (name, parameters, response) in [
            (
                "CreateFileSystem",
                json!({"creationToken": "t"}),
                json!({"fileSystemId": id}),
            ),
            ("PutFileSystemPolicy", json!({"fileSystemId": ARN}), Value::Null),
            ("CreateMountTarget", json!({"fileSystemId": id}), Value::Null),
            ("TagResource", json!({"resourceId": ARN}), Value::Null),
            ("CreateTags", json!({"fileSystemId": id}), Value::Null),
        ] {
            let found = named(&call(name, &parameters, &response)).unwrap();
            assert_eq!(
                found.iter().map(|found| found.arn.as_str()).collect::<Vec<_>>(),
                [ARN],
                "{name}"
            );
        }
        for other in [
            "fsap-0123456789abcdef0",
            "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-0123456789abcdef0",
            "arn:aws:elasticfilesystem:eu-west-1:444455556666:file-system/fs-0123456789abcdef0",
        ] {
            let found = named(&call("TagResource", &json!({"resourceId": other}), &Value::Null)).unwrap();
            assert_eq!(found, [], "{other}");
        }
        for bad in [
            json!({}),
            json!({"fileSystemId": "fs-1"}),
            json!({"fileSystemId": "x".repeat(200)}),
        ] {
            named(&call("PutFileSystemPolicy", &bad, &Value::Null)).unwrap_err();
        }
    }

    #[test]
    fn tags_of_which_the_settings_know_nothing_do_not_matter() {
        let looked_at =
            |name: &str, parameters: Value| matters(&call(name, &parameters, &Value::Null), &Settings::default());
        assert!(!looked_at(
            "TagResource",
            json!({"tags": [{"key": "team", "value": "a"}]})
        ));
        assert!(looked_at(
            "CreateTags",
            json!({"tags": [{"key": "DataClassification", "value": "a"}]})
        ));
        assert!(!looked_at("UntagResource", json!({"tagKeys": ["team"]})));
        assert!(looked_at("PutFileSystemPolicy", json!({})));
    }

    #[test]
    fn a_first_policy_grants_what_the_default_one_does() {
        let settings = Settings::default();
        let of = resource(TYPE.name, ARN);
        let none = FileSystem {
            policy: Observed::Absent,
            ..FileSystem::default()
        };
        let first = judging(&of, &settings, |context| {
            with_statement(none.policy_in(context), json!({"Sid": "Mine", "Effect": "Deny"}))
        });
        let first: Value = serde_json::from_str(&first.unwrap().unwrap()).unwrap();
        let granted = &first["Statement"][0];
        assert!(covers_clients(granted));
        assert_eq!(
            granted["Condition"]["Bool"]["elasticfilesystem:AccessedViaMountTarget"],
            "true"
        );
        assert_eq!(first["Statement"][1]["Sid"], "Mine");
    }
}
