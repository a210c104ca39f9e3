use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::*;
use crate::Resource;

mod refused;

const fn control(id: &'static str, default: Switch) -> Meta {
    Meta {
        id,
        title: "",
        severity: crate::Severity::Low,
        impact: crate::Impact::Nothing,
        default,
        standards: &[],
        calls: &[],
    }
}

static VERSIONING: Meta = control("s3-bucket-versioning", Switch::Notify);
static ACL: Meta = control("s3-bucket-acl", Switch::Enforce);

/// The section of a service that there is only here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Depot {
    shelves: u16,
    doors: Vec<u16>,
}

impl Section for Depot {
    const NAME: &'static str = "depot";

    fn check(&self, settings: &Settings) -> Result<(), Wrong> {
        if self.shelves <= 7 || settings.mode == Mode::Enforce {
            return Ok(());
        }
        let what = format!("expected at most 7 while the mode is notify, found {}", self.shelves);
        Err(("shelves".into(), what))
    }
}

fn known(all: bool) -> Known {
    Known {
        controls: [&VERSIONING, &ACL].map(|meta: &'static Meta| (meta.id, meta)).into(),
        quarantines: vec![ACL.id],
        all,
        arn_forms: vec!["s3:::{n}"],
        sections: vec![SectionType::of::<Depot>()],
        section_names: vec![Depot::NAME],
    }
}

fn read(yaml: &str) -> Result<Settings, SettingsError> {
    Settings::from_yaml(yaml, &known(true))
}

fn refused(yaml: &str) -> String {
    read(yaml).expect_err(yaml).to_string()
}

#[test]
fn nothing_set_is_the_default() {
    assert_eq!(read("{}").unwrap(), Settings::default());
}

#[test]
fn a_service_gets_its_section_as_it_is_written_and_else_its_defaults() {
    let written = read("{depot: {doors: [3, 4]}, mode: notify}").unwrap();
    let depot = Depot {
        doors: vec![3, 4],
        ..Depot::default()
    };
    assert_eq!(*written.section::<Depot>(), depot);
    assert_eq!(written.mode, Mode::Notify);
    assert_eq!(*Settings::default().section::<Depot>(), Depot::default());
    let mut set = read("mode: notify").unwrap();
    assert_ne!(set, written);
    set.set(depot);
    assert_eq!(set, written);
}

#[test]
fn a_section_that_writes_out_its_defaults_is_as_none() {
    assert_eq!(read("depot: {shelves: 0, doors: []}").unwrap(), Settings::default());
    let mut settings = read("depot: {shelves: 3}").unwrap();
    assert_ne!(settings, Settings::default());
    settings.set(Depot::default());
    assert_eq!(settings, Settings::default());
}

#[test]
fn what_is_named_once_may_be_used_in_a_section_and_out_of_it() {
    let settings = read("depot: {doors: &few [1, 2]}\nnotifications: {reminder-days: &days 3}\n").unwrap();
    assert_eq!(settings.section::<Depot>().doors, [1, 2]);
    let settings = read("notifications: {reminder-days: &days 3}\ndepot: {shelves: *days}\n").unwrap();
    assert_eq!(settings.section::<Depot>().shelves, 3);
    let settings = read("depot: {shelves: &days 3}\nnotifications: {reminder-days: *days}\n").unwrap();
    assert_eq!(settings.notifications.reminder_days, 3);
}

#[test]
fn a_function_leaves_the_sections_of_others_alone_and_takes_no_unknown_one() {
    let mut own = known(false);
    own.section_names.push("barn");
    let of = |yaml| Settings::from_yaml(yaml, &own);
    let plain = of("barn: {hay: [1, {a: b}], doors: none}\ndepot: {shelves: 1}").unwrap();
    assert_eq!(plain, of("depot: {shelves: 1}").unwrap());
    let told = |yaml| of(yaml).unwrap_err().to_string();
    assert!(told("barn: 5").contains("line 1 column 1: barn: expected settings by their names, found 5"));
    assert!(told("barn: {}\ntrustd: {}").contains("line 2 column 1: trustd: "));
    assert!(told("barn: {}\ndepot: {shelfs: 1}").contains("line 2 column 9: depot.shelfs: "));
    let unknown = refused("barn: {}");
    assert!(unknown.contains("line 1 column 1: barn: "), "{unknown}");
}

#[test]
fn what_can_be_meant_is_taken() {
    for yaml in [
        "trusted: {networks: [10.0.0.0/8, 203.0.113.7, 'fd00::/8', '2001:db8::/32']}",
        "trusted: {accounts: [111122223333, '012345678901'], organization-paths: [o-exampleorgid/r-root/ou-unit/*]}",
        "break-glass: ['arn:aws:iam::111122223333:role/aws-reserved/sso/*_Admin_*', 'arn:aws-cn:iam::111122223333:root']",
        "controls: {s3-bucket-versioning: {mode: enforce, grace: 24h}, s3-bucket-acl: {grace: 90m}}",
        "controls: {s3-bucket-acl: {quarantine: true}}",
        "{depot: {shelves: 9}, restore: {hold-days: 400}}",
    ] {
        assert!(read(yaml).is_ok(), "{yaml}: {}", refused(yaml));
    }
}

#[test]
fn an_override_needs_only_what_differs() {
    let settings = read("flips: {count: 5}").unwrap();
    let mut expected = Settings::default();
    expected.flips.count = 5;
    assert_eq!(settings, expected);
}

#[test]
fn a_function_leaves_the_controls_of_others_alone() {
    let of = |yaml| Settings::from_yaml(yaml, &known(false));
    assert!(of("controls: {kms-key-rotation: {mode: enforce}}").is_ok());
    assert!(of("controls: {s3-bucket-rotation: {mode: enforce}}").is_err());
}

#[test]
fn an_exemption_ends_at_its_moment() {
    let settings = read(
        "exemptions: [{control: s3-bucket-acl, resource: 'arn:aws:s3:::logs-*', reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
    )
    .unwrap();
    let bucket = |name: &str| Resource {
        kind: "AWS::S3::Bucket".into(),
        arn: format!("arn:aws:s3:::{name}"),
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        id: name.into(),
    };
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let exempt = |control, name, now| settings.exemption(control, &bucket(name), None, at(now)).is_some();
    assert!(exempt("s3-bucket-acl", "logs-1", "2026-12-31T23:59:59Z"));
    assert!(!exempt("s3-bucket-acl", "logs-1", "2027-01-01T00:00:00Z"));
    assert!(!exempt("s3-bucket-versioning", "logs-1", "2026-12-31T23:59:59Z"));
    assert!(!exempt("s3-bucket-acl", "data", "2026-12-31T23:59:59Z"));
}

#[test]
fn patterns_match_whole_names() {
    for (pattern, text, fits) in [
        ("a*c", "abc", true),
        ("a*c", "abcd", false),
        ("abc", "abcd", false),
        ("*x*", "axb", true),
        ("a**", "a", true),
    ] {
        assert_eq!(exemption::matches(pattern, text), fits, "{pattern} {text}");
    }
}

#[test]
fn a_tag_names_the_level_and_a_strange_one_is_as_none() {
    let settings = Settings::default();
    let level = |value: &str| {
        settings
            .level(Some(&Tags::from([("DataClassification".into(), value.into())])))
            .0
            .to_owned()
    };
    assert_eq!(level("Restricted"), "restricted");
    assert_eq!(level("strange"), "internal");
    assert_eq!(settings.level(None).0, "internal");
}
