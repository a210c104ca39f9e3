//! Trails: what is read and changed of them, and which events name them.

use std::collections::BTreeSet;

use portcullis_controls::encryption::Key;
use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Location, Observed, Resource, ResourceType, Settings, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

/// The event source of CloudTrail's own calls.
pub const SOURCE: &str = "cloudtrail.amazonaws.com";

/// A trail as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
// That the trail is gone is an answer, too.
#[facts(also(Existence, read("cloudtrail:DescribeTrails")))]
pub struct Trail {
    /// Whether it records.
    #[fact(
        read("cloudtrail:GetTrailStatus"),
        write("cloudtrail:StartLogging", "cloudtrail:StopLogging"),
        required
    )]
    pub logging: Observed<bool>,
    /// What it is: `DescribeTrails`; absent where the trail is gone.
    #[fact(read("cloudtrail:DescribeTrails"))]
    pub description: Observed<Description>,
    /// Whether digests of its log files are written, by which a change to one is seen.
    #[fact(read("cloudtrail:DescribeTrails"), write("cloudtrail:UpdateTrail"), required)]
    pub validation: Observed<bool>,
    /// The key of KMS that its log files are encrypted with; absent where S3's own does.
    #[fact(
        read("cloudtrail:DescribeTrails", "kms:DescribeKey"),
        write("cloudtrail:UpdateTrail")
    )]
    pub encryption: Observed<Encryption>,
    /// What kept its last log file from being delivered.
    #[fact(name = Delivery, read("cloudtrail:GetTrailStatus"))]
    pub delivery_error: Observed<String>,
    /// What it records of management events.
    #[fact(name = Recorded, read("cloudtrail:GetEventSelectors"))]
    pub selectors: Observed<Vec<Selector>>,
    /// What other trails record here that are not stopped.
    #[fact(name = Recorded, read("cloudtrail:GetTrailStatus"))]
    pub elsewhere: Observed<Elsewhere>,
    /// Its tags; none reads as an empty map.
    #[fact(tags, read("cloudtrail:ListTags"))]
    pub tags: Observed<Tags>,
}

/// Source: CloudTrail API Reference, `Trail`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The bucket of its log files.
    pub bucket: String,
    /// Whether it records in all regions.
    pub multi_region: bool,
    /// Whether it records what services without a region do, such as IAM.
    pub global_services: bool,
}

/// The encryption of log files with a key of KMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// The key as the trail names it.
    pub name: String,
    /// The one that the name stands for.
    pub key: Key,
}

/// What a selector takes of management events. Source: CloudTrail API Reference, `EventSelector`, `AdvancedFieldSelector`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// Those that only read.
    pub reads: bool,
    /// Those that change something.
    pub writes: bool,
    /// The event sources whose events it leaves out, such as `kms.amazonaws.com`.
    pub without: BTreeSet<String>,
}

/// The trails beside the one that is judged that record here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// Their names.
    pub trails: BTreeSet<String>,
    /// What they record of management events.
    pub selectors: Vec<Selector>,
    /// Whether one of them records management events in all regions.
    pub multi_region: bool,
}

/// The field of an advanced selector and what it may be: its name, the values that it equals, those that it does not equal, and whether
/// it is asked for in another way.
pub struct Field<'a> {
    /// The name.
    pub name: &'a str,
    /// What it equals.
    pub equals: &'a [String],
    /// What it does not equal.
    pub not_equals: &'a [String],
    /// Whether another operator is there.
    pub otherwise: bool,
}

impl Selector {
    /// What a trail without selectors of its own records. Source: CloudTrail User Guide, "Logging management events".
    pub fn all() -> Self {
        Self {
            reads: true,
            writes: true,
            without: BTreeSet::new(),
        }
    }

    /// What an advanced selector takes of management events; none where it takes none, or only some that can't be told apart here.
    pub fn advanced<'a>(fields: impl IntoIterator<Item = Field<'a>>) -> Option<Self> {
        let mut taken = Self::all();
        let mut is_management = false;
        for field in fields {
            match field.name {
                _ if field.otherwise => return None,
                "eventCategory" => is_management = field.equals.iter().any(|one| one == "Management"),
                "readOnly" => {
                    let asked = |value: &str| field.equals.iter().any(|one| one == value);
                    (taken.reads, taken.writes) = (asked("true"), asked("false"));
                }
                "eventSource" if field.equals.is_empty() => taken.without.extend(field.not_equals.iter().cloned()),
                _ => return None,
            }
        }
        is_management.then_some(taken)
    }
}

/// The management events that none of these takes, in words; what several take adds up.
pub fn left_out(selectors: &[&Selector]) -> Vec<String> {
    type Takes = fn(&Selector) -> bool;
    let kinds: [(&str, Takes); 2] = [
        ("events that change something", |one| one.writes),
        ("events that only read", |one| one.reads),
    ];
    let mut left_out = Vec::new();
    for (kind, takes) in kinds {
        let taking: Vec<_> = selectors.iter().filter(|one| takes(one)).collect();
        let Some((first, rest)) = taking.split_first() else {
            left_out.push(kind.to_owned());
            continue;
        };
        // What all leave out that take any.
        let without = first.without.iter();
        let without = without.filter(|source| rest.iter().all(|one| one.without.contains(*source)));
        left_out.extend(without.map(|source| format!("{kind} of {source}")));
    }
    left_out
}

/// Trails.
pub const TYPE: ResourceType<Trail> = ResourceType {
    name: "AWS::CloudTrail::Trail",
    arn_form: "cloudtrail:{r}:{a}:trail/{n}",
    source: SOURCE,
    always: &[TrailFact::Description, TrailFact::Tags],
    list_actions: &["cloudtrail:DescribeTrails"],
    creates: &["CreateTrail"],
    named,
    identified: |id, location| parsed(id, location).filter(|trail| trail.place() == *location),
    matters,
    is_deleted: |trail| trail.description == Observed::Absent,
    ..ResourceType::REGIONAL
};

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    let arn = field(&call.response, "trailARN").and_then(string);
    let names = ["name", "trailName", "resourceId"].into_iter();
    let mut trail = arn;
    for name in names {
        trail = trail.or(call.parameter(name)?);
    }
    let trail = trail.ok_or_else(|| EventError::Missing("requestParameters.name".into()))?;
    if trail.contains(":eventdatastore/") || trail.contains(":channel/") {
        return Ok(Vec::new());
    }
    let found = parsed(&trail, &call.place());
    let found = found.ok_or_else(|| EventError::parameter("name", "a trail's name or ARN", &trail.into()))?;
    // One of the organisation is its management account's.
    Ok([found]
        .into_iter()
        .filter(|trail| trail.account == call.account)
        .collect())
}

/// The trail that a name or an ARN stands for. Source: CloudTrail User Guide, "Naming requirements for CloudTrail resources".
fn parsed(text: &str, location: &Location) -> Option<Resource> {
    let trail = Resource::named(TYPE.name, "cloudtrail", "trail/", text, location)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name = (3..=128).contains(&trail.id.len()) && trail.id.bytes().all(allowed);
    is_name.then_some(trail)
}

/// Most tags change nothing that is judged.
fn matters(call: &Call, settings: &Settings) -> bool {
    match call.name.as_str() {
        "AddTags" | "RemoveTags" => call
            .names("tagsList")
            .is_none_or(|names| names.iter().any(|key| settings.knows_tag(key))),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_is_named_by_name_and_by_arn() {
        let (account, region) = ("111122223333".to_owned(), "eu-west-1".to_owned());
        let location = Location { account, region };
        let found = |text: &str| parsed(text, &location).map(|trail| trail.arn);
        let arn = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/audit";
        for text in ["audit", arn] {
            assert_eq!(found(text).as_deref(), Some(arn));
        }
        let store = "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/1234abcd";
        for text in ["", "ab", "a/b/c", store] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    fn field<'a>(name: &'a str, equals: &'a [String], not_equals: &'a [String]) -> Field<'a> {
        Field {
            name,
            equals,
            not_equals,
            otherwise: false,
        }
    }

    #[test]
    fn what_several_selectors_take_adds_up() {
        let text = |one: &str| vec![one.to_owned()];
        let (management, data, yes, kms) = (
            text("Management"),
            text("Data"),
            text("true"),
            text("kms.amazonaws.com"),
        );
        let category = |value| field("eventCategory", value, &[]);
        let all = Selector::advanced([category(&management)]).unwrap();
        assert_eq!(all, Selector::all());
        assert_eq!(Selector::advanced([category(&data)]), None);
        let reads = Selector::advanced([category(&management), field("readOnly", &yes, &[])]).unwrap();
        let no_kms = Selector::advanced([category(&management), field("eventSource", &[], &kms)]).unwrap();
        // Some calls of one service are not all management events.
        let some = Selector::advanced([category(&management), field("eventName", &yes, &[])]);
        assert_eq!(some, None);
        assert_eq!(left_out(&[&all]), [""; 0]);
        assert_eq!(left_out(&[&reads]), ["events that change something"]);
        assert_eq!(
            left_out(&[&no_kms, &reads]),
            ["events that change something of kms.amazonaws.com"]
        );
        assert_eq!(left_out(&[&no_kms, &all]), [""; 0]);
        assert_eq!(left_out(&[]).len(), 2);
    }
}
