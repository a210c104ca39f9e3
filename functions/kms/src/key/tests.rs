//! Helpers for the tests of controls, and the tests of the type itself.

use std::collections::BTreeMap;

use portcullis_access::{Caller, Policy, Request, Service, Trust, Truth, evaluate};
use portcullis_core::testing::judging;
use portcullis_core::{Finding, History, JudgeContext, Judgement, Settings, State as _};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::lockout::{Manager, manager};
use crate::naming::tests::call;

pub fn resource_k1() -> Resource {
    naming::resource("k-1", "eu-west-1", "111122223333")
}

/// Runs under given settings, with what the ledger knows.
pub fn scoped<T>(settings: &Settings, memory: &History, run: impl FnOnce(&JudgeContext<'_>) -> T) -> T {
    judging(&resource_k1(), settings, |context| {
        run(&JudgeContext {
            history: memory,
            ..*context
        })
    })
}

/// Runs under given settings.
pub fn with_settings<T>(settings: &Settings, run: impl FnOnce(&JudgeContext<'_>) -> T) -> T {
    scoped(settings, &History::default(), run)
}

/// Runs with what the ledger knows.
pub fn remembering<T>(memory: &History, run: impl FnOnce(&JudgeContext<'_>) -> T) -> T {
    scoped(&Settings::default(), memory, run)
}

/// What a control finds under the default settings.
pub fn finding(
    judge: impl Fn(&Key, &JudgeContext<'_>) -> Judgement<KeyChange>,
    state: &Key,
) -> Option<Finding<KeyChange>> {
    with_settings(&Settings::default(), |context| judge(state, context).finding())
}

/// A customer's symmetric key.
pub fn in_state(state: KeyState) -> Key {
    Key {
        key_state: Observed::Is(state),
        deletion: state
            .is_pending_deletion()
            .then(|| Deletion {
                date: Some("2026-12-24T00:00:00Z".into()),
                days: 12,
            })
            .into(),
        metadata: Observed::Is(Metadata {
            manager: "CUSTOMER".into(),
            spec: "SYMMETRIC_DEFAULT".into(),
            usage: "ENCRYPT_DECRYPT".into(),
            origin: "AWS_KMS".into(),
            ..Metadata::default()
        }),
        ..Key::default()
    }
}

pub fn with_policy(policy: &str) -> Key {
    Key {
        policy: Observed::Is(policy.into()),
        ..in_state(KeyState::Enabled)
    }
}

pub fn policy(statements: &[&str]) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

/// What AWS gives a key that is made by a program.
pub const ROOT: &str = r#"{"Sid":"Account","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}"#;

/// What the console gives a key with an administrator and users. Source: KMS Developer Guide, "Default key policy".
pub const EXAMPLE: &str = r#"{"Version":"2012-10-17","Id":"key-consolepolicy-3","Statement":[
{"Sid":"Account","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},
{"Sid":"Administer","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/KeyAdmin"},"Action":["kms:Create*","kms:Describe*","kms:Enable*","kms:List*","kms:Put*","kms:Update*","kms:Revoke*","kms:Disable*","kms:Get*","kms:Delete*","kms:TagResource","kms:UntagResource","kms:ScheduleKeyDeletion","kms:CancelKeyDeletion"],"Resource":"*"},
{"Sid":"Use","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/App","arn:aws:iam::111122223333:user/Ana"]},"Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*"},
{"Sid":"Attach","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/App","arn:aws:iam::111122223333:user/Ana"]},"Action":["kms:CreateGrant","kms:ListGrants","kms:RevokeGrant"],"Resource":"*","Condition":{"Bool":{"kms:GrantIsForAWSResource":true}}}]}"#;

const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn named(name: &str, parameters: &Value, response: &Value, resources: &[&str]) -> Vec<String> {
    let found = (TYPE.named)(&call(name, parameters, response, resources)).unwrap();
    found.into_iter().map(|key| key.arn).collect()
}

#[test]
fn a_new_key_is_named_by_the_answer() {
    for metadata in [json!({"keyId": ID, "arn": ARN}), json!({"KeyId": ID})] {
        let response = json!({"keyMetadata": metadata});
        assert_eq!(named("CreateKey", &json!({"origin": "AWS_KMS"}), &response, &[]), [ARN]);
    }
    assert_eq!(named("CreateKey", &json!({}), &Value::Null, &[ARN]), [ARN]);
}

#[test]
fn a_replicated_key_is_its_primary_here() {
    let replica = json!({"replicaKeyMetadata": {"keyId": ID, "arn": ARN.replace("eu-west-1", "us-east-1")}});
    assert_eq!(
        named(
            "ReplicateKey",
            &json!({"keyId": ID, "replicaRegion": "us-east-1"}),
            &replica,
            &[]
        ),
        [ARN]
    );
}

#[test]
fn what_kms_does_by_itself_names_the_key_elsewhere() {
    assert_eq!(named("DeleteKey", &Value::Null, &Value::Null, &[ARN]), [ARN]);
    let mut event = call("DeleteKey", &Value::Null, &Value::Null, &[]);
    event.details = json!({"keyId": ID});
    assert_eq!((TYPE.named)(&event).unwrap()[0].arn, ARN);
}

#[test]
fn an_alias_is_its_recorded_key_or_is_left_to_kms() {
    let alias = "arn:aws:kms:eu-west-1:111122223333:alias/app";
    let parameters = json!({"keyId": "alias/app"});
    assert_eq!(named("DisableKey", &parameters, &Value::Null, &[alias, ARN]), [ARN]);
    assert_eq!(named("DisableKey", &parameters, &Value::Null, &[]), [alias]);
}

#[test]
fn keys_of_other_accounts_are_none_of_ours() {
    let theirs = ARN.replace("111122223333", "444455556666");
    let nobody: [&str; 0] = [];
    assert_eq!(
        named("CreateGrant", &json!({"keyId": theirs}), &Value::Null, &[]),
        nobody
    );
    assert_eq!(named("CreateGrant", &Value::Null, &Value::Null, &[&theirs]), nobody);
}

#[test]
fn what_names_no_key_is_refused_by_name() {
    for key in [
        json!(""),
        json!("a b"),
        json!({"a": 1}),
        json!(["k-1", "k-2"]),
        Value::Null,
    ] {
        let call = call("DisableKey", &json!({"keyId": key}), &Value::Null, &[""]);
        let error = (TYPE.named)(&call).unwrap_err().to_string();
        assert!(error.contains("keyId"), "{error}");
    }
}

#[test]
fn a_grantee_is_a_service_or_of_an_account() {
    let grant = |grantee: &str| Grant {
        grantee: grantee.into(),
        ..Grant::default()
    };
    for (grantee, account, service) in [
        ("arn:aws:iam::111122223333:role/App", Some("111122223333"), false),
        ("111122223333:aws:ec2-infrastructure:i-1", Some("111122223333"), false),
        ("111122223333", Some("111122223333"), false),
        ("dynamodb.us-west-2.amazonaws.com", None, true),
        ("AROAEXAMPLE", None, false),
        ("arn:aws:iam::x:role/amazonaws.com", None, false),
    ] {
        assert_eq!(
            (grant(grantee).account(), grant(grantee).is_for_service()),
            (account, service),
            "{grantee}"
        );
    }
}

fn any_state() -> impl Strategy<Value = Key> {
    let states = prop::sample::select(vec![
        KeyState::Enabled,
        KeyState::Disabled,
        KeyState::PendingDeletion,
        KeyState::PendingReplicaDeletion,
        KeyState::PendingImport,
    ]);
    let rotation = prop_oneof![Just(Observed::Absent), (90_u16..2561).prop_map(Observed::Is)];
    (states, rotation, any_policy()).prop_map(|(state, rotation, policy)| Key {
        rotation: if state.tells_rotation() {
            rotation
        } else {
            Observed::Unread
        },
        policy: Observed::Is(policy),
        ..in_state(state)
    })
}

/// Policies put together of what matters for who gets in and who manages.
fn any_policy() -> impl Strategy<Value = String> {
    let principals = prop::sample::select(vec![
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": ["*", "arn:aws:iam::111122223333:role/App"]}),
        json!({"AWS": "arn:aws:iam::111122223333:root"}),
        json!({"AWS": "111122223333"}),
        json!({"AWS": "arn:aws:iam::111122223333:role/Admin"}),
        json!({"AWS": "arn:aws:iam::444455556666:root"}),
        json!({"AWS": ["arn:aws:iam::444455556666:role/X", "arn:aws:iam::111122223333:root"]}),
        json!({"Service": "logs.eu-west-1.amazonaws.com"}),
    ]);
    let actions = prop::sample::select(vec![
        json!("kms:*"),
        json!(["kms:Decrypt"]),
        json!(["kms:Put*", "kms:Get*"]),
    ]);
    let conditions = prop::sample::select(vec![
        Value::Null,
        Value::Null,
        json!({"StringEquals": {"kms:CallerAccount": "111122223333"}}),
        json!({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}),
        json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
        json!({"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}}),
        json!({"StringNotEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}),
        json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-elsewhere"}}),
        json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/Admin"}}),
    ]);
    let effects = prop::sample::select(vec!["Allow", "Allow", "Allow", "Deny"]);
    let spared = prop::sample::select(vec![false, false, false, true]);
    let parts = (effects, principals, actions, conditions, spared);
    let statement = parts.prop_map(|(effect, principal, action, condition, spared)| {
        let mut statement = json!({"Effect": effect, "Action": action, "Resource": "*"});
        statement[if spared { "NotPrincipal" } else { "Principal" }] = principal;
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        statement
    });
    prop::collection::vec(statement, 1..5)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}).to_string())
}

/// Whether the root user, who signed in with MFA, may put another policy, as AWS evaluates this one; no for "who knows".
fn root_manages(policy: &str) -> bool {
    let root = "arn:aws:iam::111122223333:root";
    let context = [
        ("aws:multifactorauthpresent", "true"),
        ("aws:principalaccount", "111122223333"),
        ("aws:principalarn", root),
        ("kms:calleraccount", "111122223333"),
    ];
    let request = Request {
        caller: Caller::Account {
            account: "111122223333".into(),
            arn: root.into(),
        },
        action: "kms:PutKeyPolicy".into(),
        resource: resource_k1().arn,
        context: BTreeMap::from(context.map(|(key, value)| (key.to_owned(), vec![value.to_owned()]))),
    };
    evaluate(&Policy::parse(policy).unwrap(), Service::Kms, &request) == Truth::Yes
}

proptest! {
    /// Whoever is said to manage the key surely does.
    #[test]
    fn nobody_is_said_to_manage_the_key_who_does_not(policy in any_policy()) {
        if manager(&policy, &resource_k1(), &Trust::default()) == Manager::Root {
            prop_assert!(root_manages(&policy), "{policy}");
        }
    }

    /// Whatever is remedied, the account root can manage the key afterwards; where it surely could not before, which is told, all that
    /// let anybody of the account manage it is still there.
    #[test]
    fn no_remedy_locks_the_account_out(policy in any_policy()) {
        let before = manager(&policy, &resource_k1(), &Trust::default());
        if before != Manager::Root {
            let practice = crate::controls::KEY.iter().find(|control| control.meta.id == "kms-key-policy-practice").unwrap();
            let told = finding(practice.judge, &with_policy(&policy));
            prop_assert!(told.is_some_and(|told| told.summary.is.contains("manage the key")), "{policy}");
        }
        for control in crate::controls::KEY {
            let Some(found) = finding(control.judge, &with_policy(&policy)) else { continue };
            for remedy in &found.remedies {
                if let KeyChange::SetPolicy(new) = remedy {
                    let after = manager(new, &resource_k1(), &Trust::default());
                    let kept = crate::lockout::keeps_managers(&policy, new, &resource_k1());
                    prop_assert!(after == Manager::Root || after >= before && before == Manager::Principal || kept, "{policy} became {new}");
                    prop_assert!(after != Manager::Root || root_manages(new), "{policy} became {new}");
                }
            }
        }
    }

    /// What a control wants is what satisfies it.
    #[test]
    fn remedies_converge(state in any_state()) {
        for control in crate::controls::KEY {
            let Some(found) = finding(control.judge, &state) else { continue };
            if found.remedies.is_empty() || found.only_notify.is_some() {
                continue;
            }
            let after = found.remedies.iter().fold(state.clone(), |state, remedy| state.after(remedy));
            prop_assert_eq!(finding(control.judge, &after), None, "{}", control.meta.id);
        }
    }

    /// What is done can be undone, but for grants.
    #[test]
    fn remedies_can_be_undone(state in any_state()) {
        for control in crate::controls::KEY {
            let Some(found) = finding(control.judge, &state) else { continue };
            let after = found.remedies.iter().fold(state.clone(), |state, remedy| state.after(remedy));
            let mut inverses: Vec<_> = found.remedies.iter().rev().map(|remedy| state.inverse(remedy).unwrap()).collect();
            inverses.sort_by_key(portcullis_core::Change::restore_order);
            let back = inverses.iter().fold(after, |state, remedy| state.after(remedy));
            // A key that waits for its replicas is seen to do so again only where the replicas are known.
            let pending = state.key_state.get().is_some_and(|state| state.is_pending_deletion());
            prop_assert_eq!(&back.policy, &state.policy);
            prop_assert_eq!(&back.rotation, &state.rotation);
            prop_assert!(back == state || pending && back.key_state.get().is_some_and(|state| state.is_pending_deletion()));
        }
    }

    /// A control declares the facts that its remedies change, and those that undo them: by these the role is judged.
    #[test]
    fn a_control_declares_what_its_remedies_change(state in any_state()) {
        for control in crate::controls::KEY {
            let Some(found) = finding(control.judge, &state) else { continue };
            for made in found.remedies.iter().flat_map(|remedy| [Some(remedy.clone()), state.inverse(remedy)]).flatten() {
                prop_assert!(control.changes.contains(&made.fact()), "{}: {made:?}", control.meta.id);
            }
        }
    }

    /// No keyId makes it panic, and what it accepts has the form of an ARN.
    #[test]
    fn any_key_id_is_read_or_refused(text in "\\PC{0,60}") {
        if let Ok(found) = (TYPE.named)(&call("DisableKey", &json!({"keyId": text}), &Value::Null, &[])) {
            prop_assert!(found.iter().all(|key| key.arn.parse::<portcullis_core::Arn>().is_ok()));
        }
    }
}

#[test]
fn the_keys_that_settings_name_are_known() {
    let mut settings = Settings::default();
    let elsewhere = ARN.replace("eu-west-1", "eu-central-1");
    for (level, key) in [
        ("internal", elsewhere.as_str()),
        ("confidential", "alias/not-an-arn"),
        ("restricted", ARN),
    ] {
        settings.classification.levels.get_mut(level).unwrap().key = Some(key.into());
    }
    let place = Location {
        account: "111122223333".into(),
        region: "eu-west-1".into(),
    };
    let required = (TYPE.required)(&settings, &place);
    assert_eq!(required.iter().map(|key| key.arn.as_str()).collect::<Vec<_>>(), [ARN]);
}

#[test]
fn a_preflight_looks_at_each_key_once_wherever_it_is_and_refuses_what_is_none() {
    let named = |names: &[(&str, &str)]| {
        let mut settings = Settings::default();
        for (level, key) in names {
            settings.classification.levels.get_mut(*level).unwrap().key = Some((*key).into());
        }
        let required = (TYPE.preflight)(&settings)?;
        Ok(required.into_iter().map(|(key, _)| key.arn).collect::<Vec<_>>())
    };
    let arns = |names: &[&str]| Ok::<_, String>(names.iter().map(|&arn| arn.to_owned()).collect::<Vec<_>>());
    assert_eq!(named(&[]), arns(&[]));
    assert_eq!(named(&[("confidential", ARN), ("restricted", ARN)]), arns(&[ARN]));
    for wrong in ["alias/app", "arn:aws:kms:eu-west-1:111122223333:alias/app", ID] {
        let why = named(&[("restricted", wrong)]).unwrap_err();
        assert!(why.contains("levels.restricted.key") && why.contains(wrong), "{why}");
    }
}

#[test]
fn a_state_survives_the_ledger() {
    let state = Key {
        grants: Observed::Is(Grants::new(vec![Grant::default()], "111122223333", true)),
        ..with_policy(EXAMPLE)
    };
    let kept = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<Key>(&kept).unwrap(), state);
    let strange: KeyState = serde_json::from_value(json!("Frozen")).unwrap();
    assert_eq!(strange, KeyState::Other);
}
