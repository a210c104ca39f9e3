//! Launch templates: what the instances that are launched from them will be like.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_controls::encryption::Key;
use portcullis_core::event::{Call, EventError};
use portcullis_core::{Observed, Resource, ResourceType, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::instance::Tokens;
use crate::naming::SOURCE;
use crate::naming::{self, Id, Naming, at};

/// How it is named.
pub(crate) const NAMING: Naming = Naming {
    kind: "AWS::EC2::LaunchTemplate",
    path: "launch-template",
    id: Id {
        prefix: "lt",
        expected: "a launch template's id (lt-…)",
    },
    owned: true,
};

/// A template as read. No change is made to one: a new version would be a decision about a product. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct LaunchTemplate {
    /// Its tags; none reads as an empty map.
    #[fact(tags, name = Description, read("ec2:DescribeLaunchTemplates"))]
    pub tags: Observed<Tags>,
    /// Its default version and its latest, by number: `DescribeLaunchTemplateVersions`.
    #[fact(read("ec2:DescribeLaunchTemplateVersions"))]
    pub versions: Observed<BTreeMap<i64, Version>>,
    /// The keys that those versions name, by version and device.
    #[fact(read("ec2:DescribeLaunchTemplateVersions", "kms:DescribeKey"))]
    pub keys: Observed<BTreeMap<i64, BTreeMap<String, Key>>>,
}

/// What a version says of the instances launched from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The devices whose volumes it wants unencrypted.
    pub plain: BTreeSet<String>,
    /// How metadata are asked for; absent where there are none, or where it leaves that to the region's default.
    pub tokens: Option<Tokens>,
    /// Whether a network interface gets a public IPv4 address.
    pub public: bool,
    /// Whether a network interface gets an IPv6 address: those are global.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ipv6: bool,
}

/// Launch templates. The classification of the data is in their tags.
pub const TYPE: ResourceType<LaunchTemplate> = ResourceType {
    name: NAMING.kind,
    arn_form: "ec2:{r}:{a}:launch-template/lt-{i}",
    source: SOURCE,
    always: &[LaunchTemplateFact::Description],
    list_actions: &["ec2:DescribeLaunchTemplates"],
    creates: &["CreateLaunchTemplate"],
    named,
    matters: naming::matters,
    identified: |id, location| NAMING.identified(id, location),
    ..ResourceType::REGIONAL
};

impl LaunchTemplate {
    /// The versions of which something holds, in words.
    pub fn versions_that(&self, is_wrong: impl Fn(&Version) -> bool) -> Option<String> {
        let versions = self.versions.get()?.iter().filter(|(_, version)| is_wrong(version));
        versions_in_words(versions.map(|(number, _)| *number))
    }
}

/// Versions by their numbers, in words; none where there is none.
pub fn versions_in_words(numbers: impl Iterator<Item = i64>) -> Option<String> {
    let numbers: Vec<_> = numbers.map(|number| number.to_string()).collect();
    (!numbers.is_empty()).then(|| format!("version {}", numbers.join(" and ")))
}

/// A call may name it by its name; the answer says its id.
fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    const PATHS: [[&str; 3]; 3] = [
        ["CreateLaunchTemplateResponse", "launchTemplate", "launchTemplateId"],
        [
            "CreateLaunchTemplateVersionResponse",
            "launchTemplateVersion",
            "launchTemplateId",
        ],
        ["ModifyLaunchTemplateResponse", "launchTemplate", "launchTemplateId"],
    ];
    NAMING.resources(call, || {
        let answered = PATHS.iter().find_map(|path| at(&call.response, path));
        let asked = || {
            let request = format!("{}Request", call.name);
            at(&call.parameters, &[&request, "LaunchTemplateId"])
        };
        if let Some(value) = answered.or_else(asked) {
            return Ok(vec![NAMING.id.read("launchTemplateId", value)?]);
        }
        let named = NAMING.id.among(call);
        if named.is_empty() {
            let expected = "responseElements.…Response.launchTemplate.launchTemplateId";
            return Err(EventError::Missing(expected.into()));
        }
        Ok(named)
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::event::Event;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_answer_says_the_id_and_what_has_none_is_refused_by_name() {
        let id = "lt-0780d55503d605988";
        let template = json!({"launchTemplateId": id, "launchTemplateName": "web"});
        for (name, parameters, response, expected) in [
            (
                "CreateLaunchTemplate",
                json!({"CreateLaunchTemplateRequest": {"LaunchTemplateName": "web"}}),
                json!({"CreateLaunchTemplateResponse": {"launchTemplate": template}}),
                Ok(id),
            ),
            (
                "CreateLaunchTemplateVersion",
                json!({"CreateLaunchTemplateVersionRequest": {"LaunchTemplateId": id}}),
                Value::Null,
                Ok(id),
            ),
            (
                "ModifyLaunchTemplate",
                json!({"ModifyLaunchTemplateRequest": {"LaunchTemplateName": "web", "SetDefaultVersion": 2}}),
                json!({"ModifyLaunchTemplateResponse": {"launchTemplate": template}}),
                Ok(id),
            ),
            (
                "ModifyLaunchTemplate",
                json!({"ModifyLaunchTemplateRequest": {"LaunchTemplateName": "web"}}),
                Value::Null,
                Err("launchTemplateId"),
            ),
            (
                "CreateLaunchTemplateVersion",
                json!({"CreateLaunchTemplateVersionRequest": {"LaunchTemplateId": "web"}}),
                Value::Null,
                Err("lt-…"),
            ),
        ] {
            let record = json!({
                "eventSource": SOURCE, "eventName": name, "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
                "requestParameters": parameters, "responseElements": response,
            });
            let Event::Call(call) = Event::parse(&record).unwrap() else {
                panic!()
            };
            match ((TYPE.named)(&call), expected) {
                (Ok(found), Ok(id)) => assert_eq!(found[0].id, id),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }
}
