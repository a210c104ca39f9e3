//! Aliases that settings require: which events name them, what is read of them, what can be changed.

use portcullis_core::event::{Call, EventError};
use portcullis_core::{Location, Observed, Resource, ResourceType, Settings};
use portcullis_derive::Facts;

use crate::naming::SOURCE;
use crate::naming::{self, is_alias, resource};
use crate::settings::KmsSettings;

/// An alias as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct Alias {
    /// The id of the key that it stands for, by `DescribeKey` of the alias; none where there is no such alias. It is made, moved
    /// or deleted.
    #[fact(
        read("kms:DescribeKey"),
        write("kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"),
        change = SetAlias
    )]
    pub target: Observed<String>,
}

/// Aliases. Only those that settings require are judged, and those need not be found by listing.
pub const TYPE: ResourceType<Alias> = ResourceType {
    name: naming::ALIAS,
    arn_form: "kms:{r}:{a}:alias/{n}",
    source: SOURCE,
    creates: &["CreateAlias"],
    named,
    identified: |id, location| naming::identified(id, location).filter(|found| found.kind == naming::ALIAS),
    required,
    ..ResourceType::REGIONAL
};

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
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

fn required(settings: &Settings, location: &Location) -> Vec<Resource> {
    let settings = settings.section::<KmsSettings>();
    let aliases = settings.required_aliases.keys();
    aliases
        .map(|alias| resource(alias, &location.region, &location.account))
        .collect()
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
        let told = call("UpdateAlias", &json!({"aliasName": "alias/app"}), &Value::Null, &[]);
        let omitted = call("UpdateAlias", &json!({"omitted": true}), &Value::Null, &[arn]);
        for call in [told, omitted] {
            assert_eq!(named(&call).unwrap()[0].arn, arn);
        }
        for name in [
            json!("app"),
            json!("alias/"),
            json!("alias/a b"),
            json!({"a": 1}),
            Value::Null,
        ] {
            let call = call("UpdateAlias", &json!({"aliasName": name}), &Value::Null, &[]);
            assert!(named(&call).unwrap_err().to_string().contains("aliasName"));
        }
    }

    #[test]
    fn a_move_can_be_undone() {
        for was in [Observed::Absent, Observed::Is("old".to_owned())] {
            let before = Alias { target: was };
            let moved = AliasChange::SetAlias(Some("new".into()));
            let inverse = before.inverse(&moved).unwrap();
            assert_eq!(before.after(&moved).after(&inverse), before);
        }
    }
}
