use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::read::Text;
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
        all_forms: vec!["s3:::{n}".into()],
        forms_by_control: [&VERSIONING, &ACL]
            .map(|meta| (meta.id, vec!["s3:::{n}".into()]))
            .into(),
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

/// Whatever is a map in the defaults, by its path, with how deep it is.
fn maps(value: &Value, path: &[String], found: &mut Vec<Vec<String>>) {
    let Some(entries) = value.as_object() else { return };
    found.push(path.to_vec());
    for (name, inner) in entries {
        maps(inner, &[path, std::slice::from_ref(name)].concat(), found);
    }
}

/// Another value of the same form.
fn another(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Bool(yes) => json!(!yes),
        Value::Number(number) => json!(number.as_u64()? + 1),
        Value::String(word) => json!(match word.as_str() {
            "enforce" => "notify",
            "any" | "aws-managed-key" => "customer-managed-key",
            "customer-managed-key" => "dual-layer",
            "tell" => "stop",
            "24h" => "25h",
            "internal" => "restricted",
            other => return Some(json!(format!("{other}2"))),
        }),
        Value::Array(list) if list.first().is_some_and(Value::is_string) => json!(["other"]),
        Value::Array(_) => json!([]),
        _ => return None,
    })
}

fn with(value: &Value, path: &[String], put: &Value) -> Value {
    let Some((first, rest)) = path.split_first() else {
        return put.clone();
    };
    let mut changed = value.clone();
    changed[first] = with(&value[first], rest, put);
    changed
}

fn all_of(settings: &Settings) -> Value {
    let mut all = serde_json::to_value(settings).unwrap();
    all[Depot::NAME] = serde_json::to_value(settings.section::<Depot>()).unwrap();
    all
}

#[test]
fn whatever_an_override_names_in_a_map_the_rest_of_it_stays() {
    let defaults = all_of(&Settings::default());
    let mut paths = Vec::new();
    maps(&defaults, &[], &mut paths);
    assert!(paths.contains(&["classification", "levels", "restricted"].map(str::to_owned).into()));
    let mut named = 0;
    for map in paths {
        let here = map.iter().fold(&defaults, |value, key| &value[key]);
        for (key, value) in here.as_object().unwrap() {
            let Some(other) = another(value) else { continue };
            let path = [map.clone(), vec![key.clone()]].concat();
            let only = path.iter().rev().fold(other.clone(), |inner, key| json!({key: inner}));
            let text = Text::of(&only.to_string()).map(|text| Settings::default().read(&text, &known(true)));
            let read = text.unwrap().unwrap_or_else(|error| panic!("{only}: {error}"));
            assert_eq!(all_of(&read), with(&defaults, &path, &other), "{only}");
            named += 1;
        }
    }
    assert!(named > 30, "{named}");
}

#[test]
fn one_key_of_one_level_leaves_its_others_and_the_other_levels() {
    let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let settings = read(&format!("classification: {{levels: {{restricted: {{key: '{key}'}}}}}}")).unwrap();
    let mut expected = Settings::default();
    expected.classification.levels.get_mut("restricted").unwrap().key = Some(key.into());
    assert_eq!(settings, expected);
}

#[test]
fn an_entry_is_added_by_its_name_and_taken_out_by_null_and_a_setting_is_not() {
    let settings =
        read("classification: {untagged: own, levels: {internal: null, own: {values: [internal]}}}").unwrap();
    let levels: Vec<_> = settings.classification.levels.keys().map(String::as_str).collect();
    assert_eq!(levels, ["confidential", "own", "public", "restricted"]);
    let error = refused("classification: {levels: {none: null}}");
    assert!(error.contains("classification.levels.none"), "{error}");
    for section in ["classification", "flips", "depot", "controls"] {
        let error = refused(&format!("{section}: null"));
        assert!(error.contains(&format!(": {section}: ")), "{error}");
    }
    assert_eq!(
        read("budget: {disruptive-per-hour: null}")
            .unwrap()
            .budget
            .disruptive_per_hour,
        None
    );
}

#[test]
fn settings_are_overridden_by_others_in_what_these_name_alone() {
    let packed = read(
        "controls: {s3-bucket-acl: {grace: 24h}}\ndepot: {shelves: 3, doors: [1]}\ntrusted: {accounts: ['444455556666']}\n\
         exemptions: [{control: s3-bucket-acl, resource: 'arn:aws:s3:::logs', reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
    )
    .unwrap();
    let over = |yaml| packed.overridden_by(yaml, &known(true)).unwrap();
    assert_eq!(over("{}"), packed);
    let paused = over("mode: notify");
    assert_eq!((paused.mode, &paused.exemptions), (Mode::Notify, &packed.exemptions));
    let more = over("controls: {s3-bucket-versioning: {mode: enforce}}\ndepot: {doors: [2]}\nexemptions: []");
    assert_eq!(more.controls.len(), 2);
    let depot = Depot {
        shelves: 3,
        doors: vec![2],
    };
    assert_eq!(*more.section::<Depot>(), depot);
    assert_eq!(more.exemptions, []);
    assert_eq!(over("controls: {s3-bucket-acl: null}").controls.len(), 0);
}

#[test]
fn the_settings_that_are_packed_are_read_without_another_look_at_their_text() {
    let yaml = include_str!("../../../../portcullis.yaml");
    let mut known = known(true);
    known.section_names.extend(["kms", "ec2", "secretsmanager", "trail"]);
    let text = Text::of(yaml).unwrap();
    let settings = Settings::default().read(&text, &known).unwrap();
    settings.approved(&text, &known).unwrap();
    assert!(!text.was_looked_at_again());
    assert_eq!(settings, Settings::default());
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
        assert_eq!(pattern::matches(pattern, text), fits, "{pattern} {text}");
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
