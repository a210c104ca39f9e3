use jiff::Timestamp;

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

fn known(all: bool) -> Known {
    Known {
        controls: [&VERSIONING, &ACL].map(|meta: &'static Meta| (meta.id, meta)).into(),
        quarantines: vec![ACL.id],
        all,
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
fn the_packed_settings_write_out_every_default() {
    let packed = include_str!("../../../../portcullis.yaml");
    assert_eq!(read(packed).unwrap(), Settings::default());
    let members: serde_json::Value = serde_json::to_value(Settings::default()).unwrap();
    for (section, values) in members.as_object().unwrap() {
        assert!(packed.contains(&format!("\n{section}:")), "{section}");
        for key in values.as_object().into_iter().flat_map(serde_json::Map::keys) {
            assert!(packed.contains(&format!("  {key}:")), "{section}.{key}");
        }
    }
}

#[test]
fn what_can_be_meant_is_taken() {
    for yaml in [
        "trusted: {networks: [10.0.0.0/8, 203.0.113.7, 'fd00::/8', '2001:db8::/32']}",
        "trusted: {accounts: [111122223333, '012345678901'], organization-paths: [o-exampleorgid/r-root/ou-unit/*]}",
        "break-glass: ['arn:aws:iam::111122223333:role/aws-reserved/sso/*_Admin_*', 'arn:aws-cn:iam::111122223333:root']",
        "controls: {s3-bucket-versioning: {mode: enforce, grace: 24h}, s3-bucket-acl: {grace: 90m}}",
        "controls: {s3-bucket-acl: {quarantine: true}}",
        "{ec2: {open-tcp-ports: [8080], critical-ports: [22]}, restore: {hold-days: 400}}",
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
