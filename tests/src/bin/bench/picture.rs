//! The picture for the README: Cloud Custodian's figure over ours as bars on a logarithmic scale, to the left where it is
//! the better one. Its colours follow the reader's: light or dark.

use std::fmt::Write as _;

use serde_json::Value;

use crate::report::times;

const WIDTH: f64 = 760.0;
/// Where the scale begins and how long it is.
const LEFT: f64 = 262.0;
const LENGTH: f64 = 430.0;
/// From bar to bar, and its thickness.
const STEP: f64 = 28.0;
const BAR: f64 = 16.0;
const TOP: f64 = 66.0;

const STYLE: &str = "\
text{font:14px -apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}\
.title{font-size:16px;font-weight:600}.small{font-size:12px;fill:#59636e}.value,.head{font-weight:600}\
.bar{fill:#0969da}.grid{stroke:#d1d9e0;stroke-width:1}.one{stroke:#59636e;stroke-width:1.5}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}.bar{fill:#4493f8}.grid{stroke:#3d444d}\
.one{stroke:#9198a1}}";

/// A bar: what it is called, its scenario, and one of the ratios of that.
type Bar = (&'static str, &'static str, &'static str);

/// The bars in their groups.
const GROUPS: [(&str, &[Bar]); 3] = [
    (
        "A bare bucket",
        &[
            ("Cold start to first answer", "bare-bucket", "cold_ratio"),
            ("CPU time of a warm event", "bare-bucket", "cpu_ratio"),
            ("Peak memory", "bare-bucket", "memory_ratio"),
        ],
    ),
    (
        "CPU time of a warm event",
        &[
            ("Compliant bucket", "compliant-bucket", "cpu_ratio"),
            ("Open security group", "open-security-group", "cpu_ratio"),
            ("KMS key without rotation", "kms-key-without-rotation", "cpu_ratio"),
            ("Launch of 10 instances", "run-10-instances", "cpu_ratio"),
        ],
    ),
    (
        "Time of a warm event, 20 ms to AWS",
        &[
            ("Bare bucket", "bare-bucket-20ms", "warm_ratio"),
            ("Compliant bucket", "compliant-bucket-20ms", "warm_ratio"),
            ("Open security group", "open-security-group-20ms", "warm_ratio"),
            (
                "KMS key without rotation",
                "kms-key-without-rotation-20ms",
                "warm_ratio",
            ),
            ("Launch of 10 instances", "run-10-instances-20ms", "warm_ratio"),
        ],
    ),
];

/// The picture as SVG.
pub fn draw(results: &Value) -> String {
    let ratio = |scenario: &str, ratio: &str| results["scenarios"][scenario]["ratios"][ratio].as_f64();
    let all = || GROUPS.iter().flat_map(|(_, bars)| bars.iter());
    let ratios: Vec<f64> = all().filter_map(|(_, scenario, of)| ratio(scenario, of)).collect();
    // Whole decades, of which 1 is always one end at least.
    let from = ratios.iter().copied().fold(1.0, f64::min).log10().floor();
    let to = ratios.iter().copied().fold(10.0, f64::max).log10().ceil();
    let x = |ratio: f64| LEFT + LENGTH * (ratio.log10() - from) / (to - from);

    let (mut bars, mut y) = (String::new(), TOP);
    for (head, group) in GROUPS {
        writeln!(bars, r#"<text class="head" x="16" y="{:.1}">{head}</text>"#, y + 13.0).expect("writing to a string");
        y += STEP;
        for (name, scenario, of) in group {
            let Some(ratio) = ratio(scenario, of) else { continue };
            let (shown, left, right) = (times(&Value::from(ratio)), x(ratio.min(1.0)), x(ratio.max(1.0)));
            writeln!(
                bars,
                r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{name}</text><rect class="bar" x="{left:.1}" y="{y:.1}" width="{:.1}" height="{BAR}" rx="2"><title>{name}: {shown}</title></rect><text class="value" x="{:.1}" y="{:.1}">{shown}</text>"#,
                LEFT - 12.0,
                y + 13.0,
                right - left,
                right + 8.0,
                y + 13.0,
            )
            .expect("writing to a string");
            y += STEP;
        }
        y += BAR / 2.0;
    }
    let (mut grid, mut decade) = (String::new(), from);
    while decade <= to {
        let (x, class) = (x(10_f64.powf(decade)), if decade == 0.0 { "one" } else { "grid" });
        writeln!(
            grid,
            r#"<line class="{class}" x1="{x:.1}" y1="{:.1}" x2="{x:.1}" y2="{y:.1}"/><text class="small" x="{x:.1}" y="{:.1}" text-anchor="middle">{}×</text>"#,
            TOP - 8.0,
            y + 16.0,
            10_f64.powf(decade),
        )
        .expect("writing to a string");
        decade += 1.0;
    }
    let machine = &results["machine"];
    let height = y + 48.0;
    let told: Vec<String> = all()
        .filter_map(|(name, scenario, of)| Some(format!("{name}: {}", times(&Value::from(ratio(scenario, of)?)))))
        .collect();
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" width="{WIDTH}" height="{height:.0}" role="img" aria-labelledby="t d">
<title id="t">What Cloud Custodian needs for an event, as a multiple of what Portcullis needs</title>
<desc id="d">{}</desc>
<style>{STYLE}</style>
<text class="title" x="16" y="26">What Cloud Custodian needs for an event, over what Portcullis needs</text>
<text class="small" x="16" y="46">Same machine, same local AWS, same events, in turn; a logarithmic scale, on which Portcullis is 1×</text>
{grid}{bars}<text class="small" x="16" y="{:.0}">make bench, {}; Cloud Custodian {}</text>
</svg>
"#,
        told.join("; "),
        height - 10.0,
        machine["date"].as_str().unwrap_or_default(),
        machine["cloud_custodian"].as_str().unwrap_or_default(),
    )
}
