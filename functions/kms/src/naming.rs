//! How KMS names keys. Source: KMS Developer Guide, "Key identifiers".

use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Arn, Location, Resource, partition_of};

/// The event source of KMS's calls, and of what it does by itself.
pub const SOURCE: &str = "kms.amazonaws.com";
/// CloudFormation's name of a key.
pub const KEY: &str = "AWS::KMS::Key";
/// CloudFormation's name of an alias.
pub const ALIAS: &str = "AWS::KMS::Alias";

/// The longest id, name or ARN that KMS takes. Source: KMS API Reference, `DescribeKey`, `KeyId`.
const LONGEST: usize = 2048;
const EXPECTED: &str = "a key's id or ARN, or an alias or its ARN";

/// What a `KeyId` stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Named {
    /// A key, or the alias of one: then its id begins with `alias/`, and only KMS knows which.
    Here(Resource),
    /// Something of another account.
    Elsewhere,
}

/// Reads a key's id, ARN, alias or alias ARN, as a call gave it in the member `name` of its parameters.
pub fn named(name: &str, text: &str, call: &Call) -> Result<Named, EventError> {
    let refused = || EventError::parameter(name, EXPECTED, &text.into());
    if text.len() > LONGEST {
        return Err(refused());
    }
    if !text.starts_with("arn:") {
        let id = id_or_alias(text).ok_or_else(refused)?;
        return Ok(Named::Here(resource(id, &call.region, &call.account)));
    }
    let found = key_of_arn(text).ok_or_else(refused)?;
    Ok(if found.account == call.account {
        Named::Here(found)
    } else {
        Named::Elsewhere
    })
}

/// The key or alias of a place that an id, an alias or an ARN stands for.
pub fn identified(id: &str, place: &Location) -> Option<Resource> {
    let found = match id_or_alias(id) {
        Some(id) => resource(id, &place.region, &place.account),
        None => key_of_arn(id)?,
    };
    (found.account == place.account && found.region == place.region).then_some(found)
}

/// The key, or alias, that an ARN names.
pub fn key_of_arn(text: &str) -> Option<Resource> {
    let arn: Arn = text.parse().ok()?;
    let digits = arn.account.len() == 12 && arn.account.bytes().all(|byte| byte.is_ascii_digit());
    let region = !arn.region.is_empty()
        && arn
            .region
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if arn.service != "kms" || !digits || !region || arn.partition != partition_of(&arn.region) {
        return None;
    }
    let id = match arn.resource.strip_prefix("key/") {
        Some(id) => Some(id).filter(|id| is_id(id)),
        None => Some(arn.resource.as_str()).filter(|alias| is_alias(alias)),
    };
    Some(resource(id?, &arn.region, &arn.account))
}

/// The first key of the account that a record names by ARN.
pub fn recorded(call: &Call) -> Option<Resource> {
    let keys = call.resources.iter().filter_map(|arn| key_of_arn(arn));
    keys.filter(|key| key.account == call.account)
        .find(|key| !key.id.starts_with("alias/"))
}

/// Whether a record names keys, and only those of other accounts.
pub fn recorded_elsewhere(call: &Call) -> bool {
    let mut keys = call.resources.iter().filter_map(|arn| key_of_arn(arn)).peekable();
    keys.peek().is_some() && keys.all(|key| key.account != call.account)
}

/// The key that a new key's metadata in the answer names.
pub fn answered(call: &Call, member: &str) -> Option<Resource> {
    let metadata = field(&call.response, member)?;
    let arn = field(metadata, "arn").and_then(string);
    let by_arn = arn
        .and_then(|arn| key_of_arn(&arn))
        .filter(|key| key.account == call.account);
    by_arn.or_else(|| {
        let id = field(metadata, "keyId").and_then(string)?;
        is_id(&id).then(|| resource(&id, &call.region, &call.account))
    })
}

/// A key or an alias in a region of an account.
pub fn resource(id: &str, region: &str, account: &str) -> Resource {
    let (kind, path) = if id.starts_with("alias/") {
        (ALIAS, "")
    } else {
        (KEY, "key/")
    };
    let (account, region) = (account.into(), region.into());
    Resource::regional(kind, "kms", path, id, &Location { account, region })
}

/// `alias/…`. Source: KMS API Reference, `CreateAlias`, `AliasName`.
pub fn is_alias(text: &str) -> bool {
    text.len() <= 256
        && text.strip_prefix("alias/").is_some_and(|name| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte))
        })
}

/// A UUID, or `mrk-` and 32 hexadecimal digits; AWS does not promise either form, so only the characters are checked.
pub fn is_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn id_or_alias(text: &str) -> Option<&str> {
    (is_id(text) || is_alias(text)).then_some(text)
}

#[cfg(test)]
pub mod tests {
    use portcullis_core::Event;
    use serde_json::{Value, json};

    use super::*;

    pub fn call(name: &str, parameters: &Value, response: &Value, resources: &[&str]) -> Call {
        let resources: Vec<_> = resources.iter().map(|arn| json!({"ARN": arn})).collect();
        let record = json!({
            "eventSource": "kms.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
            "recipientAccountId": "111122223333", "requestParameters": parameters, "responseElements": response,
            "resources": resources,
        });
        match Event::parse(&record).unwrap() {
            Event::Call(call) => *call,
            _ => panic!(),
        }
    }

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
    const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn every_form_of_a_key_is_understood() {
        let call = call("DisableKey", &Value::Null, &Value::Null, &[]);
        let of = |text: &str| match named("keyId", text, &call) {
            Ok(Named::Here(found)) => (found.kind, found.arn, found.id),
            other => panic!("{text}: {other:?}"),
        };
        for text in [ID, ARN] {
            assert_eq!(of(text), ("AWS::KMS::Key".into(), ARN.into(), ID.into()));
        }
        let alias = "arn:aws:kms:eu-west-1:111122223333:alias/app/1";
        for text in ["alias/app/1", alias] {
            assert_eq!(of(text), ("AWS::KMS::Alias".into(), alias.into(), "alias/app/1".into()));
        }
        let replica = "mrk-1234abcd12ab34cd56ef1234567890ab";
        assert_eq!(
            of(replica).1,
            format!("arn:aws:kms:eu-west-1:111122223333:key/{replica}")
        );
        let elsewhere = named("keyId", &ARN.replace("111122223333", "444455556666"), &call);
        assert_eq!(elsewhere, Ok(Named::Elsewhere));
    }

    #[test]
    fn what_names_no_key_is_refused_by_name() {
        let call = call("DisableKey", &Value::Null, &Value::Null, &[]);
        for text in [
            "",
            "../etc/passwd",
            "alias/",
            "alias/a b",
            "alias/a:b",
            "key/1",
            "arn:aws:s3:::bucket",
            "arn:aws:kms:eu-west-1:111122223333:key/",
            "arn:aws:kms:eu-west-1:12:key/1",
            "arn:aws:kms::111122223333:key/1",
            "arn:aws-cn:kms:eu-west-1:111122223333:key/1",
            &"a".repeat(3000),
        ] {
            let error = named("keyId", text, &call).unwrap_err().to_string();
            assert!(
                error.contains("requestParameters.keyId") && error.contains(EXPECTED),
                "{error}"
            );
        }
    }
}
