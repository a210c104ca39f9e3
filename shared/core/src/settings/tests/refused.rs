//! What is refused, and in which words.

use super::{known, read, refused};
use crate::Settings;

/// A text; then what its refusal holds: the place, the setting, and what was expected, was found, and is to be written.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// Words of programmers.
const INTERNALS: [&str; 9] = [
    "jiff",
    "Options",
    "DuplicateKeyPolicy",
    "from_str",
    "serde",
    "u16",
    "mapping start",
    "struct ",
    "variant",
];

const UNFIT: &[Case] = &[
    (
        "controls:\n  s3-bucket-acl:\n    grace: 1d\n",
        "line 3 column 5",
        "controls.s3-bucket-acl.grace",
        &["a duration in hours and minutes", "found \"1d\"", "write 24h"],
    ),
    (
        "controls:\n  s3-bucket-acl:\n    grace: soon\n",
        "line 3 column 5",
        "controls.s3-bucket-acl.grace",
        &["a duration", "found \"soon\"", "write 24h, 90m"],
    ),
    (
        "controls:\n  s3-bucket-acl:\n    grace: 24\n",
        "line 3 column 5",
        "controls.s3-bucket-acl.grace",
        &["a duration", "found 24", "write 24h"],
    ),
    (
        "flips: {window: 1 day}",
        "line 1 column 9",
        "flips.window",
        &["a duration", "found \"1 day\""],
    ),
    (
        "mode: enforce\nexemptions:\n- {control: s3-bucket-acl, resource: 'arn:aws:s3:::a', reason: r, owner: o, until: 2027-03-01}\n",
        "line 3 column ",
        "exemptions[0].until",
        &[
            "a moment with its time zone",
            "found \"2027-03-01\"",
            "write 2027-03-01T00:00:00Z",
        ],
    ),
    (
        "mode: enforce\nexemptions:\n- {control: s3-bucket-acl, resource: 'arn:aws:s3:::a', reason: r, owner: o, until: next year}\n",
        "line 3 column ",
        "exemptions[0].until",
        &["a moment", "found \"next year\"", "write 2027-03-01T00:00:00Z"],
    ),
    (
        "mode: enforce\nexemptions:\n- {control: s3-bucket-acl, resource: 'arn:aws:s3:::a', reason: r, owner: o, until: 2027-03-01T00:00:00}\n",
        "line 3 column ",
        "exemptions[0].until",
        &["a moment with its time zone", "write 2027-03-01T00:00:00Z"],
    ),
    (
        "exemptions:\n- {control: s3-bucket-acl, resource: 'arn:aws:s3:::a', reason: r, owner: o}\n",
        "line 2 column 3",
        "exemptions[0].until",
        &["found nothing", "write until: 2027-03-01T00:00:00Z"],
    ),
    (
        "exemptions:\n- {control: s3-bucket-acl, resource: 'arn:aws:s3:::a', reason: r, until: 2027-01-01T00:00:00Z}\n",
        "line 2 column 3",
        "exemptions[0].owner",
        &["found nothing", "write owner: ana"],
    ),
    (
        "mode: notify\nmodus: enforce\n",
        "line 2 column 1",
        "modus",
        &["found no such setting", "did you mean mode?"],
    ),
    (
        "trustd: {accounts: ['444455556666']}\n",
        "line 1 column 1",
        "trustd",
        &["found no such setting", "did you mean trusted?"],
    ),
    (
        "mode: notify\ndepott: {}\n",
        "line 2 column 1",
        "depott",
        &["ledger, depot, found no such setting", "did you mean depot?"],
    ),
    (
        "depot:\n  shelfs: 365\n",
        "line 2 column 3",
        "depot.shelfs",
        &["one of shelves, doors", "found no such setting; did you mean shelves?"],
    ),
    (
        "depot:\n  mode: notify\n",
        "line 2 column 3",
        "depot.mode",
        &["one of shelves, doors, found no such setting"],
    ),
    (
        "flips: {flips: 3}",
        "line 1 column 9",
        "flips.flips",
        &["one of count, window, then, found no such setting"],
    ),
    (
        "mode: sometimes",
        "line 1 column 1",
        "mode",
        &["notify or enforce", "found \"sometimes\""],
    ),
    (
        "controls: {s3-bucket-acl: {mode: on}}",
        "line 1 column 28",
        "controls.s3-bucket-acl.mode",
        &["off or notify or enforce", "found \"on\""],
    ),
    (
        "controls: {s3-bucket-acl: {quarantine: always}}",
        "line 1 column 28",
        "controls.s3-bucket-acl.quarantine",
        &["true or false", "found \"always\""],
    ),
    (
        "notifications:\n  reminder-days: weekly\n",
        "line 2 column 3",
        "notifications.reminder-days",
        &["a whole number from 0 to 65535", "found \"weekly\""],
    ),
    (
        "notifications:\n  reminder-days: 70000\n",
        "line 2 column 3",
        "notifications.reminder-days",
        &["a whole number from 0 to 65535", "found 70000"],
    ),
    (
        "depot: {doors: [443, http]}",
        "line 1 column 22",
        "depot.doors[1]",
        &["a whole number from 0 to 65535", "found \"http\""],
    ),
    (
        "depot: {doors: 443}",
        "line 1 column 9",
        "depot.doors",
        &["a list", "found 443"],
    ),
    (
        "depot: 5",
        "line 1 column 1",
        "depot",
        &["settings by their names", "found 5"],
    ),
    (
        "depot: [a]",
        "line 1 column 1",
        "depot",
        &["settings by their names", "found a list"],
    ),
    (
        "exemptions: {control: a}",
        "line 1 column 1",
        "exemptions",
        &["a list of exemptions", "found settings by names"],
    ),
    (
        "exemptions: [all]",
        "line 1 column 14",
        "exemptions[0]",
        &["an exemption", "found \"all\""],
    ),
    (
        "classification: {tag: [a]}",
        "line 1 column 18",
        "classification.tag",
        &["a text", "found a list"],
    ),
    (
        "mode: notify\ndepot: {}\nmode: enforce\n",
        "line 3 column 1",
        "mode",
        &["each setting once", "take out one"],
    ),
    (
        "mode: notify\n---\nmode: enforce\n",
        "line 3",
        "",
        &["one YAML document", "take out the line ---"],
    ),
    ("mode: [notify\n", "line ", "", &["can't be read", "expected YAML"]),
    ("mode: 'notify\n", "line 1", "", &["can't be read", "expected YAML"]),
];

const NOT_MEANT: &[Case] = &[
    (
        "controls: {s3-bucket-versionning: {mode: off}}",
        "line 1 column 12",
        "controls.s3-bucket-versionning",
        &["there is no such control; did you mean s3-bucket-versioning?"],
    ),
    (
        "exemptions:\n- {control: x, resource: a, reason: r, owner: o, until: 2027-01-01T00:00:00Z}\n",
        "line 2 column 4",
        "exemptions[0].control",
        &["there is no control \"x\""],
    ),
    (
        "exemptions: [{control: s3-bucket-acl, resource: '*aws*', reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
        "line 1 column 39",
        "exemptions[0].resource",
        &["everything of some type", "i-mean-everything: true"],
    ),
    (
        "exemptions: [{control: s3-bucket-acl, resource: my-website, reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
        "line 1 column 39",
        "exemptions[0].resource",
        &[
            "s3-bucket-acl looks at, as in arn:aws:s3:::legacy-*",
            "found \"my-website\"",
            "write arn:aws:s3:::my-website",
        ],
    ),
    (
        "exemptions: [{control: '*', resource: 'arn:aws:s3::logs', reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
        "line 1 column 29",
        "exemptions[0].resource",
        &["none of them can have", "write arn:aws:s3:::logs"],
    ),
    (
        "exemptions: [{control: s3-bucket-acl, resource: 'arn:aws:kms:*:*:key/a', tag: {key: a, value: b}, reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
        "line 1 column 39",
        "exemptions[0].resource",
        &["none of them can have"],
    ),
    (
        "exemptions: [{control: s3-bucket-acl, tag: {key: ' ', value: a}, reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
        "line 1 column 45",
        "exemptions[0].tag.key",
        &["the key of a tag"],
    ),
    (
        "exemptions: [{control: s3-bucket-acl, tag: {key: a, value: ' '}, reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
        "line 1 column 53",
        "exemptions[0].tag.value",
        &["expected a value, found none"],
    ),
    (
        "budget:\n  disruptive-per-hour:\n",
        "line 2 column 3",
        "budget.disruptive-per-hour",
        &["found none", "null for none", "take the line out"],
    ),
    (
        "classification: {levels: {internal: {values: ['']}}}",
        "line 1 column 47",
        "classification.levels.internal.values[0]",
        &["found none"],
    ),
    (
        "exemptions: [{control: s3-bucket-acl, resource: x, reason: '', owner: o, until: 2027-01-01T00:00:00Z}]",
        "line 1 column 52",
        "exemptions[0].reason",
        &["some words"],
    ),
    (
        "classification: {untagged: secret}",
        "line 1 column 18",
        "classification.untagged",
        &["one of the levels", "\"secret\""],
    ),
    (
        "classification:\n  levels:\n    internal: {encryption: customer-managed-key, key: hello}\n",
        "line 3 column ",
        "classification.levels.internal.key",
        &["the ARN of a key, as in arn:…:kms:", "found \"hello\"", "describe-key"],
    ),
    (
        "classification:\n  levels:\n    internal: {encryption: customer-managed-key, key: alias/app}\n",
        "line 3 column ",
        "classification.levels.internal.key",
        &["an id or an alias is not enough"],
    ),
    (
        "classification:\n  levels:\n    internal: {encryption: customer-managed-key, key: arn:aws:kms:eu-west-1:111122223333:alias/app}\n",
        "line 3 column ",
        "classification.levels.internal.key",
        &["the ARN of a key"],
    ),
    (
        "classification: {levels: {internal: {key: 'arn:aws:kms:eu-west-1:111122223333:key/k-1'}}}",
        "line 1",
        "classification.levels.internal.key",
        &["encryption does not ask"],
    ),
    (
        "classification: {levels: {internal: {vpc-endpoints: ['*']}}}",
        "line 1",
        "classification.levels.internal.vpc-endpoints[0]",
        &["one id that begins with vpce-"],
    ),
    (
        "trusted: {networks: [0.0.0.0/0]}",
        "line 1 column 22",
        "trusted.networks[0]",
        &["a network of yours", "found \"0.0.0.0/0\"", "count as private"],
    ),
    (
        "trusted: {networks: ['::/0']}",
        "line 1 column 22",
        "trusted.networks[0]",
        &["found \"::/0\"", "narrower"],
    ),
    (
        "trusted: {networks: [203.0.113.0/24, 0.0.0.0/1]}",
        "line 1 column 38",
        "trusted.networks[1]",
        &["narrower"],
    ),
    (
        "trusted: {networks: [office]}",
        "line 1 column 22",
        "trusted.networks[0]",
        &["CIDR", "found \"office\""],
    ),
    (
        "trusted: {networks: [10.0.0.0/33]}",
        "line 1 column 22",
        "trusted.networks[0]",
        &["CIDR"],
    ),
    (
        "trusted: {accounts: ['12']}",
        "line 1 column 22",
        "trusted.accounts[0]",
        &["twelve digits", "found \"12\""],
    ),
    (
        "trusted: {accounts: ['*']}",
        "line 1 column 22",
        "trusted.accounts[0]",
        &["twelve digits"],
    ),
    (
        "trusted: {organizations: ['*']}",
        "line 1 column 27",
        "trusted.organizations[0]",
        &["one id that begins with o-"],
    ),
    (
        "trusted: {organization-paths: ['*/r-root']}",
        "line 1 column 32",
        "trusted.organization-paths[0]",
        &["o-exampleorgid/r-root/ou-unit/*"],
    ),
    (
        "trusted: {vpcs: [vpc-*]}",
        "line 1 column 18",
        "trusted.vpcs[0]",
        &["begins with vpc-"],
    ),
    (
        "trusted: {vpc-endpoints: [vpc-1]}",
        "line 1 column 27",
        "trusted.vpc-endpoints[0]",
        &["begins with vpce-"],
    ),
    (
        "break-glass: ['*']",
        "line 1 column 15",
        "break-glass[0]",
        &["the ARN of a role or a user", "found \"*\""],
    ),
    (
        "break-glass: ['arn:aws:iam::*:role/Admin']",
        "line 1 column 15",
        "break-glass[0]",
        &["the ARN of a role"],
    ),
    (
        "break-glass: ['arn:aws:iam::111122223333:role/*']",
        "line 1 column 15",
        "break-glass[0]",
        &["the ARN of a role"],
    ),
    (
        "mode: notify\ndepot: {shelves: 9}",
        "line 2 column 9",
        "depot.shelves",
        &["at most 7 while the mode is notify, found 9"],
    ),
    (
        "restore: {hold-days: 500}",
        "line 1 column 11",
        "restore.hold-days",
        &["ledger.retention-days (400)", "found 500"],
    ),
    (
        "controls: {s3-bucket-acl: {mode: notify, grace: 24h}}",
        "line 1 column 42",
        "controls.s3-bucket-acl.grace",
        &["its mode is notify", "mode: enforce"],
    ),
    (
        "controls: {s3-bucket-versioning: {grace: 24h}}",
        "line 1 column 35",
        "controls.s3-bucket-versioning.grace",
        &["its default mode is notify", "mode: enforce"],
    ),
    (
        "controls: {s3-bucket-versioning: {quarantine: true}}",
        "line 1 column 35",
        "controls.s3-bucket-versioning.quarantine",
        &["no quarantine for this control", "s3-bucket-acl"],
    ),
    (
        "mode: notify\nflips:\n  count: 11\n",
        "line 3 column 3",
        "flips.count",
        &["2 to 10"],
    ),
];

#[test]
fn a_text_that_is_no_settings_is_refused_with_setting_place_and_what_to_write() {
    for (yaml, found) in [
        ("5", "found 5"),
        ("- mode", "found a list"),
        ("~", "found nothing"),
        ("", "found an empty text"),
        ("# mode: notify\n\n", "found an empty text"),
    ] {
        let error = refused(yaml);
        assert!(
            error.contains("settings by their names") && error.contains(found),
            "{yaml}: {error}"
        );
    }
    let mut wrong = Vec::new();
    for (yaml, place, path, parts) in UNFIT {
        let error = refused(yaml);
        let says = [place].into_iter().chain(*parts).all(|part| error.contains(part));
        let names = error.contains(&format!(": {path}"));
        let once = error.matches("column").count() == 1 && !error.contains('\n');
        let internal = INTERNALS.iter().any(|word| error.contains(word)) || error.contains("contradict");
        if !says || !names || !once || internal {
            wrong.push(format!("{yaml:?} at {place}\n  {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_can_not_be_meant_is_refused_with_setting_place_and_what_to_write() {
    let mut wrong = Vec::new();
    for (yaml, place, path, parts) in NOT_MEANT {
        let error = refused(yaml);
        let says = [place].into_iter().chain(*parts).all(|part| error.contains(part));
        if !says || !error.contains(&format!(": {path}: ")) {
            wrong.push(format!("{yaml:?} at {place}\n  {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_text() {
    let yaml = "\
mode: sometimes
controls:
  s3-bucket-acl: {grace: 1d, quarantine: always}
  s3-bucket-versionning: {mode: off}
classification:
  untagged: secret
  levels:
    restricted: {encryption: best, key: hello}
trusted: {accounts: ['12', '444455556666', '13'], networks: [office]}
exemptions:
- {control: s3-bucket-acl, resource: my-website, reason: r, until: 2027-01-01T00:00:00Z}
- {control: s3-bucket-acl, resource: my-website, reason: r, owner: o, until: 2027-01-01T00:00:00Z}
- {control: s3-bucket-acl, resource: 'arn:aws:s3:::logs', reason: '', owner: o, until: never}
- {control: s3-bucket-akl, resource: 'arn:aws:s3:::logs', reason: r, owner: o, until: 2027-01-01T00:00:00Z}
depot: {shelves: many, windows: 3}
flips: {count: 11}
";
    let mistakes = Settings::mistakes(yaml, &known(true));
    let found: Vec<_> = mistakes
        .iter()
        .map(|mistake| {
            (
                mistake.place().line.unwrap_or_default(),
                mistake.path().unwrap_or_default(),
            )
        })
        .collect();
    // What may follow from another mistake is not told: the level of data, where one of them can't be read.
    let expected = [
        (1, "mode"),
        (3, "controls.s3-bucket-acl.grace"),
        (3, "controls.s3-bucket-acl.quarantine"),
        (4, "controls.s3-bucket-versionning"),
        (8, "classification.levels.restricted.encryption"),
        (9, "trusted.accounts[0]"),
        (9, "trusted.accounts[2]"),
        (9, "trusted.networks[0]"),
        (11, "exemptions[0].owner"),
        (12, "exemptions[1].resource"),
        (13, "exemptions[2].until"),
        (14, "exemptions[3].control"),
        (15, "depot.shelves"),
        (15, "depot.windows"),
        (16, "flips.count"),
    ];
    assert_eq!(found, expected);
    assert_eq!(Settings::mistakes("{}", &known(true)), []);
    for yaml in ["", "mode: [", "5", "mode: notify\nmode: enforce"] {
        assert_eq!(Settings::mistakes(yaml, &known(true)).len(), 1, "{yaml}");
    }
    for (yaml, ..) in UNFIT.iter().chain(NOT_MEANT) {
        assert_eq!(
            Settings::mistakes(yaml, &known(true)),
            [read(yaml).unwrap_err()],
            "{yaml}"
        );
    }
}

#[test]
fn a_value_that_was_left_out_is_refused_however_that_is_written() {
    for yaml in [
        "budget: {disruptive-per-hour: }",
        "budget: {disruptive-per-hour:}",
        "budget: {disruptive-per-hour}",
        "budget: { disruptive-per-hour , }",
        "budget: {disruptive-per-hour: , }",
        "budget: {'disruptive-per-hour': }",
        "budget:\n  \"disruptive-per-hour\" :\n",
        "budget:\n  disruptive-per-hour:",
        "budget:\n  disruptive-per-hour:\r\nmode: notify\r\n",
        "budget:\n  disruptive-per-hour:   # as many as it takes\nmode: notify",
        "# disruptive-per-hour: null\nbudget:\n  # how many\n  disruptive-per-hour: &none\n",
        "exemptions: [{control: s3-bucket-acl, resource: , tag: {key: a, value: b}, reason: r, owner: o, until: 2027-01-01T00:00:00Z}]",
        "classification: {levels: {internal: {values: [internal, ' ']}}}",
        "classification:\n  levels:\n    internal:\n      values:\n      - internal\n      - ''\n",
        "classification:\n  levels:\n    internal:\n",
        "trusted: {canonical-users: ['']}",
    ] {
        let error = read(yaml).expect_err(yaml).to_string();
        let said = ["expected a value, found none", "by their names, found nothing"];
        assert!(said.iter().any(|words| error.contains(words)), "{yaml}: {error}");
    }
    for yaml in [
        "budget: {disruptive-per-hour: null}",
        "budget: {disruptive-per-hour: ~}",
        "budget:\n  disruptive-per-hour: Null # as many as it takes\n",
        "budget:\n  disruptive-per-hour: 5\n# disruptive-per-hour:\n",
    ] {
        assert!(read(yaml).is_ok(), "{yaml}");
    }
}
