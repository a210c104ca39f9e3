use jiff::Timestamp;

use super::*;
use crate::Resource;

const KNOWN: [&str; 2] = ["s3-bucket-versioning", "s3-bucket-acl"];

fn read(yaml: &str) -> Result<Settings, SettingsError> {
    Settings::from_yaml(yaml, &Known::All(&KNOWN))
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
fn what_is_wrong_is_named_with_its_line() {
    let cases = [
        ("mode: notify\nmodus: enforce\n", "modus"),
        ("mode: sometimes", "sometimes"),
        (
            "controls: {s3-bucket-versionning: {mode: off}}",
            "did you mean s3-bucket-versioning?",
        ),
        ("classification: {untagged: secret}", "secret"),
        (
            "classification: {levels: {internal: {key: k}}}",
            "encryption does not ask",
        ),
        (
            "exemptions: [{control: s3-bucket-acl, resource: '*', reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
            "everything",
        ),
        (
            "exemptions: [{control: s3-bucket-acl, resource: x, reason: r, owner: o}]",
            "until",
        ),
        (
            "exemptions: [{control: s3-bucket-acl, resource: x, reason: '', owner: o, until: 2027-01-01T00:00:00Z}]",
            "reason",
        ),
        ("kms: {rotation-days: 30}", "kms.rotation-days"),
        ("kms: {retirement-tag: ''}", "kms.retirement-tag"),
        ("kms: {via-service-levels: [secret]}", "secret"),
        ("kms: {required-aliases: {app: '1234'}}", "kms.required-aliases"),
        (
            "kms: {required-aliases: {alias/app: alias/other}}",
            "kms.required-aliases",
        ),
        ("kms: {rotation: 365}", "rotation"),
        ("ec2: {default-key: alias/aws/ebs}", "ec2.default-key"),
        ("[", "can't be read"),
    ];
    for (yaml, named) in cases {
        let error = read(yaml).unwrap_err().to_string();
        assert!(error.contains(named), "{yaml}: {error}");
    }
    for (yaml, place) in [
        (
            "mode: notify\nmodus: enforce\n",
            "line 2 column 1: unknown field `modus`",
        ),
        ("mode: notify\nmodus: enforce\n", "did you mean mode?"),
        (
            "mode: notify\nflips:\n  count: 11\n",
            "line 3 column 3: flips.count: expected 2 to 10",
        ),
        (
            "exemptions:\n- {control: x, resource: a, reason: r, owner: o, until: 2027-01-01T00:00:00Z}\n",
            "line 2 column 4: exemptions[0].control",
        ),
    ] {
        let error = read(yaml).unwrap_err().to_string();
        assert!(error.contains(place), "{yaml}: {error}");
    }
}

#[test]
fn a_function_leaves_the_controls_of_others_alone() {
    let of = |yaml| Settings::from_yaml(yaml, &Known::Own(&KNOWN));
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
