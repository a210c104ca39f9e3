//! # What it requires
//! A key that a level of classification names (`classification.levels.….key`) can do what it is named for: it is in this
//! region, exists, is enabled, customer managed, symmetric and for encryption, and its policy lets in the services that
//! settings name (`kms.required-services`). Also asked for by a preflight after a deploy: `{"preflight": {}}`.
//!
//! # Why
//! Where every new resource of a level is encrypted under one key, that key out of order stops them all.
//!
//! # What it changes
//! Nothing by itself: the controls of its state and its policy do.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! KMS Developer Guide, "Key states of AWS KMS keys", "Permissions for AWS services in key policies".

use portcullis_core::event::{field, strings};
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Observed, Severity};
use serde_json::Value;

use crate::key::{Key, KeyChange, KeyFact, KeyState};
use crate::settings::KmsSettings;

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-required",
        title: "A key that settings name can be used",
        severity: Severity::Critical,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["KMS Developer Guide: key states"],
        calls: &[
            "CancelKeyDeletion",
            "CreateKey",
            "DeleteExpiredKeyMaterial",
            "DeleteImportedKeyMaterial",
            "DeleteKey",
            "DisableKey",
            "EnableKey",
            "ImportKeyMaterial",
            "PutKeyPolicy",
            "ScheduleKeyDeletion",
        ],
    },
    reads: &[KeyFact::Metadata, KeyFact::Existence, KeyFact::Policy],
    changes: &[],
    judge: &judge,
};

fn judge(key: &Key, context: &JudgeContext<'_>) -> Judgement<KeyChange> {
    let arn = context.resource.arn.as_str();
    let levels = &context.settings.classification.levels;
    let named: Vec<_> = levels
        .iter()
        .filter(|(_, level)| level.key.as_deref() == Some(arn))
        .map(|(name, _)| name.as_str())
        .collect();
    if named.is_empty() {
        return Judgement::Compliant;
    }
    let wrong = wrongs(key, context);
    if wrong.is_empty() {
        return Judgement::Compliant;
    }
    let summary = Clause::is(format!(
        "the key of {} data, but {}",
        named.join(" and "),
        wrong.join("; ")
    ));
    Finding::new(Severity::Critical, summary, "", Vec::new())
        .only_notify("put the key right, or name another in the settings")
        .into()
}

/// What keeps a key from being of use.
fn wrongs(key: &Key, context: &JudgeContext<'_>) -> Vec<String> {
    let (place, settings) = (&context.resource.region, context.settings.section::<KmsSettings>());
    if place != context.region {
        let here = context.region;
        return vec![format!(
            "is in {place}, so that nothing in {here} can be encrypted with it: name one of {here}"
        )];
    }
    if key.key_state == Observed::Absent {
        return vec!["is no more".into()];
    }
    let mut wrong = Vec::new();
    if let Some(state) = key.key_state.get().filter(|state| **state != KeyState::Enabled) {
        wrong.push(format!("is in the state {state:?}"));
    }
    if let Some(metadata) = key.metadata.get() {
        if metadata.manager != "CUSTOMER" {
            wrong.push("is not managed by the customer".into());
        }
        if metadata.usage != "ENCRYPT_DECRYPT" || metadata.spec != "SYMMETRIC_DEFAULT" {
            wrong.push(format!("is made for {} with {}", metadata.usage, metadata.spec));
        }
    }
    let policy = key
        .policy
        .get()
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let missing = settings
        .required_services
        .iter()
        .filter(|service| policy.as_ref().is_some_and(|policy| !lets_in(policy, service)));
    wrong.extend(missing.map(|service| format!("its policy does not let in {service}")));
    wrong
}

/// Whether some statement lets a service use the key.
fn lets_in(policy: &Value, service: &str) -> bool {
    let statements = match field(policy, "Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        other => other.into_iter().collect::<Vec<_>>(),
    };
    statements.into_iter().any(|statement| {
        let services = field(statement, "Principal").and_then(|principal| field(principal, "Service"));
        let actions = field(statement, "Action").map(strings).unwrap_or_default();
        let uses = |action: &String| {
            let action = action.to_ascii_lowercase();
            ["*", "kms:*"].contains(&action.as_str())
                || ["kms:encrypt", "kms:decrypt", "kms:generatedatakey"]
                    .iter()
                    .any(|used| action.starts_with(used))
        };
        field(statement, "Effect").and_then(Value::as_str) == Some("Allow")
            && services
                .map(strings)
                .unwrap_or_default()
                .iter()
                .any(|name| name == service)
            && actions.iter().any(uses)
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::Settings;
    use portcullis_core::settings::Encryption;

    use super::*;
    use crate::key::tests::{ROOT, finding, in_state, policy, resource_k1, with_policy, with_settings};

    fn required(services: &[&str]) -> Settings {
        let mut settings = Settings::default();
        let level = settings.classification.levels.get_mut("restricted").unwrap();
        (level.encryption, level.key) = (Encryption::CustomerManagedKey, Some(resource_k1().arn));
        settings.set(KmsSettings {
            required_services: services.iter().map(|&name| name.to_owned()).collect(),
            ..KmsSettings::default()
        });
        settings
    }

    fn found(key: &Key, settings: &Settings) -> Option<String> {
        with_settings(settings, |context| {
            judge(key, context).finding().map(|finding| finding.summary.is)
        })
    }

    #[test]
    fn only_keys_that_are_named_are_asked_for_more() {
        let disabled = in_state(KeyState::Disabled);
        assert_eq!(finding(judge, &disabled), None);
        let summary = found(&disabled, &required(&[])).unwrap();
        assert!(
            summary.contains("restricted") && summary.contains("Disabled"),
            "{summary}"
        );
        assert_eq!(found(&in_state(KeyState::Enabled), &required(&[])), None);
        let gone = Key {
            key_state: Observed::Absent,
            ..Key::default()
        };
        assert!(found(&gone, &required(&[])).unwrap().contains("is no more"));
    }

    #[test]
    fn it_has_to_be_where_the_function_is() {
        let settings = required(&[]);
        let summary = with_settings(&settings, |context| {
            let context = JudgeContext {
                region: "us-east-1",
                ..*context
            };
            judge(&Key::default(), &context)
                .finding()
                .map(|finding| finding.summary.is)
        });
        assert!(
            summary
                .unwrap()
                .contains("is in eu-west-1, so that nothing in us-east-1")
        );
    }

    #[test]
    fn its_policy_has_to_let_in_the_services() {
        let logs = r#"{"Effect":"Allow","Principal":{"Service":"logs.eu-west-1.amazonaws.com"},"Action":["kms:Encrypt*"],"Resource":"*"}"#;
        let settings = required(&["logs.eu-west-1.amazonaws.com"]);
        let with = |statements: &[&str]| found(&with_policy(&policy(statements)), &settings);
        assert!(with(&[ROOT]).unwrap().contains("logs.eu-west-1"));
        assert_eq!(with(&[ROOT, logs]), None);
    }
}
