//! What a call that CloudTrail recorded asked of the policies: its action, its resources, its condition keys.
//!
//! A record tells less than a request has. A key of which it says nothing is unknown, and what depends on it is undecided.

mod keys;
mod resources;

use std::collections::{BTreeMap, BTreeSet};

use portcullis_access::{Caller, OrganizationAccounts, OrganizationRequest, Request};
use portcullis_core::Call;
use serde_json::Value;

use crate::actions::actions;
use crate::request::{account_of, complete};
use keys::Known;

/// Whose log it is.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    /// The own organisation's id, and the trusted ones.
    pub organizations: Vec<String>,
    /// The accounts of the organisation, where they are listed; else the account of each record counts as one.
    pub accounts: BTreeSet<String>,
    /// The management account.
    pub management: Option<String>,
}

impl Owners {
    /// The accounts as they count for one call.
    pub fn accounts(&self, call: &Call) -> OrganizationAccounts {
        let mut members = self.accounts.clone();
        if members.is_empty() {
            members.insert(call.account.clone());
        }
        OrganizationAccounts {
            management: self.management.clone(),
            members: Some(members),
        }
    }

    /// The organisation of an account: that of a member is known, that of anybody else only where all members are.
    fn organization(&self, account: &str, call: &Call) -> Known {
        let ours = self.accounts.contains(account) || self.management.as_deref() == Some(account);
        if ours || self.accounts.is_empty() && account == call.account {
            return Known::Is(self.organizations.iter().take(1).cloned().collect());
        }
        if self.accounts.is_empty() {
            Known::Unknown
        } else {
            Known::Absent
        }
    }
}

/// The requests that a call made of the policies, one for each resource on which it was authorised; none where nobody asked: AWS
/// itself acted, or the record does not tell who. `keys` are the condition keys, in lower case, that the policies ask for.
pub fn requests(call: &Call, record: &Value, keys: &BTreeSet<String>, owners: &Owners) -> Vec<OrganizationRequest> {
    let record = record.get("detail").unwrap_or(record);
    let Some(caller) = caller(call).filter(|_| record["eventType"] != "AwsServiceEvent") else {
        return Vec::new();
    };
    let action = action(call);
    let mut known = BTreeMap::new();
    let mut unknown = BTreeSet::new();
    for key in keys {
        match of_caller(call, &caller, &action, record, key, owners)
            .unwrap_or_else(|| keys::of_call(call, &action, key))
        {
            Known::Is(values) => {
                known.insert(key.clone(), values);
            }
            Known::Absent => {}
            Known::Unknown => {
                unknown.insert(key.clone());
            }
        }
    }
    resources::of(call, &action)
        .into_iter()
        .map(|resource| {
            let mut request = Request {
                caller: caller.clone(),
                action: action.clone(),
                context: known.clone(),
                resource: resource.clone(),
            };
            complete(&mut request);
            // What complete() adds stands only for what is known.
            for key in &unknown {
                request.context.remove(key);
            }
            let owner = call.owners.get(&resource).cloned().or_else(|| account_of(&resource));
            OrganizationRequest {
                request,
                owner: owner.unwrap_or_else(|| call.account.clone()),
                unknown: unknown.clone(),
            }
        })
        .collect()
}

fn caller(call: &Call) -> Option<Caller> {
    let actor = &call.actor;
    if actor.service == "AWS Internal" || actor.address == "AWS Internal" {
        return None;
    }
    if is_service(call) {
        let name = [&actor.service, &call.source].into_iter().find(|name| !name.is_empty());
        return name.cloned().map(|name| Caller::Service { name });
    }
    // S3 User Guide, "CloudTrail log file entries": who signed nothing.
    if matches!(actor.account.as_str(), "ANONYMOUS_PRINCIPAL" | "anonymous") {
        return Some(Caller::Anonymous);
    }
    let arn = if actor.role.is_empty() { &actor.arn } else { &actor.role };
    let account = account_of(arn).or_else(|| Some(actor.account.clone()))?;
    (account.len() == 12).then(|| Caller::Account {
        account,
        arn: arn.clone(),
    })
}

fn is_service(call: &Call) -> bool {
    call.actor.kind == "AWSService" || call.actor.kind.is_empty() && !call.actor.service.is_empty()
}

/// The keys that the caller and the network tell, whatever the call.
fn of_caller(call: &Call, caller: &Caller, action: &str, record: &Value, key: &str, owners: &Owners) -> Option<Known> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let is = |value: &str| Known::Is(vec![value.to_owned()]);
    let services = is_service(call);
    let version = text("/tlsDetails/tlsVersion");
    Some(match key {
        "aws:principalarn" => match caller {
            // The role of a session is in the record, its path included.
            Caller::Account { arn, .. } if !arn.contains(":assumed-role/") => is(arn),
            Caller::Account { arn, .. } => is(&crate::request::principal_arn(arn)),
            _ => Known::Absent,
        },
        "aws:principalaccount" => match caller {
            Caller::Account { account, .. } => is(account),
            _ => Known::Absent,
        },
        "aws:principalorgid" => match caller {
            Caller::Account { account, .. } => owners.organization(account, call),
            _ => Known::Absent,
        },
        "aws:principalorgpaths" => match caller {
            Caller::Account { .. } => Known::Unknown,
            _ => Known::Absent,
        },
        "aws:principalisawsservice" => is(if services { "true" } else { "false" }),
        // CloudTrail leaves tlsDetails out of calls that a service makes for somebody, too; and few services answer plain HTTP.
        "aws:securetransport" if version.is_some() || services || !call.actor.service.is_empty() => is("true"),
        "aws:securetransport"
            if !["s3.", "sqs.", "dynamodb."]
                .iter()
                .any(|of| call.source.starts_with(of)) =>
        {
            is("true")
        }
        "aws:securetransport" => Known::Unknown,
        "s3:tlsversion" => match version.and_then(|version| version.strip_prefix("TLSv")) {
            Some(number) => is(if number == "1" { "1.0" } else { number }),
            None => Known::Absent,
        },
        "aws:sourceip" if call.actor.address.parse::<std::net::IpAddr>().is_ok() => is(&call.actor.address),
        "aws:sourcevpce" => text("/vpcEndpointId").map_or(Known::Absent, is),
        "aws:sourcevpc" if text("/vpcEndpointId").is_some() => Known::Unknown,
        "aws:viaawsservice" => is(if call.actor.service.is_empty() || services {
            "false"
        } else {
            "true"
        }),
        "aws:sourceaccount" | "aws:sourceorgid" | "aws:sourceorgpaths" if services => Known::Unknown,
        "aws:sourceip" | "aws:sourcevpc" | "aws:sourceaccount" | "aws:sourceorgid" | "aws:sourceorgpaths" => {
            Known::Absent
        }
        "aws:currenttime" => match call.time.as_str() {
            "" => Known::Unknown,
            time => is(time),
        },
        // What has no tags can't have this one.
        _ if key.starts_with("aws:resourcetag/") && actions().carries(action, key) == Some(false) => Known::Absent,
        _ if key.starts_with("aws:resourcetag/") => Known::Unknown,
        _ => return None,
    })
}

/// Calls whose IAM action has another name.
///
/// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3", and S3 User Guide, "Amazon S3
/// CloudTrail events".
const RENAMED: [(&str, &str, &str); 17] = [
    ("s3", "PutBucketEncryption", "PutEncryptionConfiguration"),
    ("s3", "DeleteBucketEncryption", "PutEncryptionConfiguration"),
    ("s3", "DeleteBucketOwnershipControls", "PutBucketOwnershipControls"),
    ("s3", "DeleteBucketPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("s3", "DeleteAccountPublicAccessBlock", "PutAccountPublicAccessBlock"),
    ("s3", "PutPublicAccessBlock", "PutAccountPublicAccessBlock"),
    ("s3", "CopyObject", "PutObject"),
    ("s3", "PostObject", "PutObject"),
    ("s3", "CreateMultipartUpload", "PutObject"),
    ("s3", "UploadPart", "PutObject"),
    ("s3", "UploadPartCopy", "PutObject"),
    ("s3", "CompleteMultipartUpload", "PutObject"),
    ("s3", "HeadObject", "GetObject"),
    ("s3", "DeleteObjects", "DeleteObject"),
    ("s3", "HeadBucket", "ListBucket"),
    ("s3", "ListObjects", "ListBucket"),
    ("s3", "ListObjectsV2", "ListBucket"),
];

/// The IAM action of a call.
pub fn action(call: &Call) -> String {
    let service = call.source.split('.').next().unwrap_or_default();
    // Lambda's names carry the version of its API, as in AddPermission20150331v2.
    let name = match service {
        "lambda" => call
            .name
            .split(|letter: char| letter.is_ascii_digit())
            .next()
            .unwrap_or(&call.name),
        _ => &call.name,
    };
    let renamed = RENAMED
        .iter()
        .find(|(of, recorded, _)| *of == service && *recorded == name);
    let versioned = service == "s3" && name == "PutObjectAcl" && call.parameters.get("versionId").is_some();
    let name = match renamed {
        Some((_, _, action)) => action,
        None if versioned => "PutObjectVersionAcl",
        None => name,
    };
    format!("{service}:{name}")
}

#[cfg(test)]
mod tests;
