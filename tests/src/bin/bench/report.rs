//! The table on the terminal, `results.json`, the picture and the part of `README.md` that is measured.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::picture;

/// The figures that `make faults` found, under these names of its own.
const FAULTS: [&str; 4] = ["faults_tried", "events_lost", "unrecorded_changes", "double_alerts"];
/// Between these, `README.md` is written anew.
const MARKS: (&str, &str) = ("<!-- make bench begins -->\n", "<!-- make bench ends -->");

/// The tables, in Markdown, which reads well on a terminal too.
pub fn text(results: &Value) -> String {
    let machine = &results["machine"];
    let word = |name: &str| machine[name].as_str().unwrap_or_default().to_owned();
    let mut text = format!(
        "{}, {} cores of {}, {}, Linux {}; load {} before, {} after. Cloud Custodian {} with boto3 {}, Python {} and \
         awslambdaric {}.\n\nCloud Custodian's figure over ours:\n\n",
        word("date"),
        machine["cores"],
        word("cpu"),
        word("memory"),
        word("kernel"),
        word("load"),
        results["load_after"].as_str().unwrap_or_default(),
        word("cloud_custodian"),
        word("boto3"),
        word("python"),
        word("awslambdaric"),
    );
    text += "| Event | cold start | warm event | … less AWS's time | CPU | memory | AWS calls | … in sequence |\n";
    text += "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    for (name, row) in members(&results["scenarios"]) {
        let ratios = &row["ratios"];
        let against = |what: &str| {
            format!(
                "{} : {}",
                count(&row["cloud_custodian"][what]),
                count(&row["portcullis"][what])
            )
        };
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            times(&ratios["cold_ratio"]),
            times(&ratios["warm_ratio"]),
            times(&ratios["warm_without_aws_ratio"]),
            times(&ratios["cpu_ratio"]),
            times(&ratios["memory_ratio"]),
            against("calls"),
            against("sequential_calls"),
        )
        .expect("writing to a string");
    }
    text += &figures(&results["scenarios"]);
    text += &starts(results);
    text += &shares(&results["cpu_shares"]);
    text += &growth(&results["growth"]);
    text
}

/// What the ratios are made of.
fn figures(scenarios: &Value) -> String {
    let mut text = "\nThe figures behind them, Cloud Custodian : ours:\n\n\
                    | Event | cold start, ms | warm event, ms | … less AWS's time | CPU, ms | memory, MiB | events a second | \
                    … a CPU second |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    let all = [
        "cold_ms",
        "warm_ms",
        "warm_without_aws_ms",
        "warm_cpu_ms",
        "memory_mib",
        "events_per_second",
        "events_per_cpu_second",
    ];
    for (name, row) in members(scenarios) {
        let of = |side: &str, what: &str| digits(row[side][what].as_f64());
        let cells = all.map(|what| format!("{} : {}", of("cloud_custodian", what), of("portcullis", what)));
        writeln!(text, "| {name} | {} |", cells.join(" | ")).expect("writing to a string");
    }
    text
}

fn starts(results: &Value) -> String {
    let starts = &results["starts"];
    let bare = &results["scenarios"]["bare-bucket"];
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    format!(
        "\nA start without work takes {} a hello-world's of the same runtime. With bytecode in its package, which its builder \
         leaves out, Cloud Custodian's cold start is {} ours. From a bare bucket's event to the alert: {} AWS calls in \
         sequence, where the least is 3 (look, change, tell) and the record ahead and the look afterwards make it 5.\n",
        times(&starts["over_floor"]),
        times(&json!(
            number(&starts["cloud_custodian_with_bytecode_ms"]) / number(&bare["portcullis"]["cold_ms"])
        )),
        results["sequential_calls"],
    )
}

fn shares(shares: &Value) -> String {
    let mut text = format!(
        "\nWith the CPU share that Lambda gives to a memory size, {}:\n\n| CPU share of | start and first bare bucket | warm \
         bare bucket |\n| --- | ---: | ---: |\n",
        shares["limited"].as_str().unwrap_or_default()
    );
    for (memory, row) in members(&shares["sizes"]) {
        let ratios = &row["ratios"];
        let (cold, warm) = (times(&ratios["cold_ratio"]), times(&ratios["warm_ratio"]));
        writeln!(text, "| {} | {cold} | {warm} |", memory.replace("_mb", " MB")).expect("writing to a string");
    }
    text
}

fn growth(rows: &Value) -> String {
    let mut text = "\n| Other buckets | ours: CPU of a bare bucket, over that at the fewest | … AWS calls | Cloud Custodian's CPU | \
                    … AWS calls |\n| ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    let cpu = |row: &Value, side: &str| row[side]["warm_cpu_ms"].as_f64().unwrap_or(f64::NAN);
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    for row in rows {
        let over = |side| times(&json!(cpu(row, side) / cpu(&rows[0], side)));
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            row["other_buckets"],
            over("portcullis"),
            count(&row["portcullis"]["calls"]),
            over("cloud_custodian"),
            count(&row["cloud_custodian"]["calls"]),
        )
        .expect("writing to a string");
    }
    text
}

/// Writes what was found into the folder.
pub fn write(folder: &Path, results: &Value) {
    let mut all = results.clone();
    let faults: Value = fs::read_to_string(folder.join("faults.json"))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    for name in FAULTS {
        // Null until `make faults` has been run.
        all[name] = faults[name].clone();
    }
    save(folder, "results.json", &format!("{all:#}\n"));
    save(folder, "side-by-side.svg", &picture::draw(results));
    let readme = fs::read_to_string(folder.join("README.md")).expect("bench: the README beside the results");
    let (before, rest) = readme.split_once(MARKS.0).expect("bench: the README's first mark");
    let (_, after) = rest.split_once(MARKS.1).expect("bench: the README's second mark");
    let measured = text(results);
    save(
        folder,
        "README.md",
        &format!("{before}{}{measured}{}{after}", MARKS.0, MARKS.1),
    );
}

fn save(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    fs::write(&file, text).unwrap_or_else(|e| panic!("bench: {}: {e}", file.display()));
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// A ratio for people.
pub fn times(ratio: &Value) -> String {
    match ratio.as_f64() {
        None => "–".to_owned(),
        Some(ratio) if ratio < 9.95 => format!("{ratio:.1}×"),
        Some(ratio) => format!("{ratio:.0}×"),
    }
}

/// A figure for people, in no more digits than it is worth.
fn digits(figure: Option<f64>) -> String {
    match figure {
        None => "–".to_owned(),
        Some(figure) if figure < 9.95 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.0}"),
    }
}

fn count(value: &Value) -> String {
    if value.is_null() {
        "–".to_owned()
    } else {
        value.to_string()
    }
}
