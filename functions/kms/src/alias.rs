//! Aliases that settings require: which events name them, what is read of them, what can be changed.

use portcullis_core::event::{Call, EventError};
use portcullis_core::{Control, Guard, Location, Observed, Resource, Settings, Tags};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use crate::naming::{identified, is_alias, resource};
use crate::{SOURCE, controls};

/// The guard of aliases.
pub struct Alias;

/// What can be read of an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `DescribeKey` of the alias.
    Target,
}

/// An alias as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The id of the key that it stands for; none where there is no such alias.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub target: Observed<String>,
}

/// A change to an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// `UpdateAlias`, or `CreateAlias` where there is none, or `DeleteAlias`
    SetAlias(Option<String>),
}

impl portcullis_core::State for State {
    type Remedy = Remedy;

    fn after(&self, Remedy::SetAlias(target): &Remedy) -> Self {
        Self {
            target: target.clone().into(),
        }
    }

    fn inverse(&self, _: &Remedy) -> Option<Remedy> {
        (!self.target.is_unread()).then(|| Remedy::SetAlias(self.target.get().cloned()))
    }

    fn tags(&self) -> Option<&Tags> {
        None
    }
}

impl portcullis_core::Remedy for Remedy {
    fn target(&self) -> Cow<'static, str> {
        "target".into()
    }

    fn writes(&self) -> &'static [&'static str] {
        &["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
    }
}

impl Guard for Alias {
    const KIND: &'static str = "AWS::KMS::Alias";
    const SOURCE: &'static str = SOURCE;
    type Fact = Fact;
    type State = State;
    type Remedy = Remedy;

    fn controls() -> &'static [Control<Self>] {
        controls::ALIAS
    }

    fn reads(_: Fact) -> &'static [&'static str] {
        &["kms:DescribeKey"]
    }

    fn touches(_: &Remedy) -> Fact {
        Fact::Target
    }

    fn resources(call: &Call) -> Result<Vec<Resource>, EventError> {
        let recorded = || {
            let names = call.resources.iter().filter_map(|arn| arn.split_once(":alias/"));
            names.map(|(_, name)| format!("alias/{name}")).next()
        };
        let name = call.parameter("aliasName")?.or_else(recorded);
        let name = name.ok_or_else(|| EventError::Missing("requestParameters.aliasName".into()))?;
        if !is_alias(&name) {
            return Err(EventError::parameter("aliasName", "an alias (alias/…)", &name.into()));
        }
        Ok(vec![resource(&name, &call.region, &call.account)])
    }

    fn identified(id: &str, place: &Location) -> Option<Resource> {
        identified(id, place).filter(|found| found.kind == Self::KIND)
    }

    /// Only those that settings require are judged, and those need not be found by listing.
    fn lists() -> &'static [&'static str] {
        &[]
    }

    fn required(settings: &Settings, place: &Location) -> Vec<Resource> {
        let aliases = settings.kms.required_aliases.keys();
        aliases
            .map(|alias| resource(alias, &place.region, &place.account))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::State as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::naming::tests::call;

    #[test]
    fn an_alias_is_named_or_recorded() {
        let arn = "arn:aws:kms:eu-west-1:111122223333:alias/app";
        let named = call("UpdateAlias", &json!({"aliasName": "alias/app"}), &Value::Null, &[]);
        let omitted = call("UpdateAlias", &json!({"omitted": true}), &Value::Null, &[arn]);
        for call in [named, omitted] {
            assert_eq!(Alias::resources(&call).unwrap()[0].arn, arn);
        }
        for name in [
            json!("app"),
            json!("alias/"),
            json!("alias/a b"),
            json!({"a": 1}),
            Value::Null,
        ] {
            let call = call("UpdateAlias", &json!({"aliasName": name}), &Value::Null, &[]);
            assert!(Alias::resources(&call).unwrap_err().to_string().contains("aliasName"));
        }
    }

    #[test]
    fn a_move_can_be_undone() {
        for was in [Observed::Absent, Observed::Is("old".to_owned())] {
            let before = State { target: was };
            let moved = Remedy::SetAlias(Some("new".into()));
            let inverse = before.inverse(&moved).unwrap();
            assert_eq!(before.after(&moved).after(&inverse), before);
        }
    }
}
