//! Launch templates: what the instances that are launched from them will be like.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use portcullis_core::event::{Call, EventError};
use portcullis_core::{Control, Guard, Location, Observed, Resource, Settings, Tags};
use serde::{Deserialize, Serialize};

use crate::encryption::Key;
use crate::instance::Tokens;
use crate::naming::{self, Id, Type, at};
use crate::{SOURCE, controls};

/// The guard of launch templates.
pub struct LaunchTemplate;

/// How it is named.
pub(crate) const TYPE: Type = Type {
    kind: LaunchTemplate::KIND,
    path: "launch-template",
    id: Id {
        prefix: "lt",
        expected: "a launch template's id (lt-…)",
    },
    owned: true,
};

/// What can be read of a template, one API call each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `DescribeLaunchTemplates`: tags.
    Description,
    /// `DescribeLaunchTemplateVersions`: the default version and the latest.
    Versions,
    /// The same, and `kms:DescribeKey` of the keys that they name.
    Keys,
}

/// A template as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Its tags; none reads as an empty map.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub tags: Observed<Tags>,
    /// Its default version and its latest, by number.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub versions: Observed<BTreeMap<i64, Version>>,
    /// The keys that those versions name, by version and device.
    #[serde(skip_serializing_if = "Observed::is_unread")]
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
}

/// No change is made to a template: a new version would be a decision about a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remedy {}

impl State {
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

impl portcullis_core::State for State {
    type Remedy = Remedy;

    fn after(&self, remedy: &Remedy) -> Self {
        match *remedy {}
    }

    fn inverse(&self, remedy: &Remedy) -> Option<Remedy> {
        match *remedy {}
    }

    fn tags(&self) -> Option<&Tags> {
        self.tags.get()
    }
}

impl portcullis_core::Remedy for Remedy {
    fn target(&self) -> Cow<'static, str> {
        match *self {}
    }

    fn writes(&self) -> &'static [&'static str] {
        match *self {}
    }
}

impl Guard for LaunchTemplate {
    const KIND: &'static str = "AWS::EC2::LaunchTemplate";
    const SOURCE: &'static str = SOURCE;
    type Fact = Fact;
    type State = State;
    type Remedy = Remedy;

    fn controls() -> &'static [Control<Self>] {
        controls::LAUNCH_TEMPLATE
    }

    /// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
    fn reads(fact: Fact) -> &'static [&'static str] {
        match fact {
            Fact::Description => &["ec2:DescribeLaunchTemplates"],
            Fact::Versions => &["ec2:DescribeLaunchTemplateVersions"],
            Fact::Keys => &["ec2:DescribeLaunchTemplateVersions", "kms:DescribeKey"],
        }
    }

    /// The classification of the data is in its tags.
    fn always() -> &'static [Fact] {
        &[Fact::Description]
    }

    fn touches(remedy: &Remedy) -> Fact {
        match *remedy {}
    }

    /// A call may name it by its name; the answer says its id.
    fn resources(call: &Call) -> Result<Vec<Resource>, EventError> {
        const PATHS: [[&str; 3]; 3] = [
            ["CreateLaunchTemplateResponse", "launchTemplate", "launchTemplateId"],
            [
                "CreateLaunchTemplateVersionResponse",
                "launchTemplateVersion",
                "launchTemplateId",
            ],
            ["ModifyLaunchTemplateResponse", "launchTemplate", "launchTemplateId"],
        ];
        TYPE.resources(call, || {
            let answered = PATHS.iter().find_map(|path| at(&call.response, path));
            let asked = || {
                let request = format!("{}Request", call.name);
                at(&call.parameters, &[&request, "LaunchTemplateId"])
            };
            if let Some(value) = answered.or_else(asked) {
                return Ok(vec![TYPE.id.read("launchTemplateId", value)?]);
            }
            let named = TYPE.id.among(call);
            if named.is_empty() {
                let expected = "responseElements.…Response.launchTemplate.launchTemplateId";
                return Err(EventError::Missing(expected.into()));
            }
            Ok(named)
        })
    }

    fn matters(call: &Call, settings: &Settings) -> bool {
        naming::matters(call, settings)
    }

    fn identified(id: &str, place: &Location) -> Option<Resource> {
        TYPE.identified(id, place)
    }

    fn lists() -> &'static [&'static str] {
        &["ec2:DescribeLaunchTemplates"]
    }
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
            match (LaunchTemplate::resources(&call), expected) {
                (Ok(found), Ok(id)) => assert_eq!(found[0].id, id),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }
}
