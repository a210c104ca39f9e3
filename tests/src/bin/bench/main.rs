//! Speed and cost beside Cloud Custodian's: `make bench`.
//!
//! Both run as processes under the same Lambda runtime API against the same local AWS, in turn, on the same events, each on
//! a new resource; an event counts only if it was handled. `BENCH_QUICK=1` takes few runs and writes nothing.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::panic,
    reason = "it prints figures, or why there are none"
)]

mod figures;
mod machine;
mod picture;
mod report;
mod scenes;
mod share;
mod sides;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use figures::{Pair, Runs, cold, compared, event, measure, median, ms, rounded, start, turns, warm};
use portcullis_testkit::CloudTrail;
use scenes::{Kind, Scene};
use serde_json::{Value, json};
use share::Share;
use sides::{Places, Side, size};

/// A real network's order.
const NETWORK: Duration = Duration::from_millis(20);
/// Memory sizes whose CPU share is tried.
const MEMORY_MB: [u32; 4] = [128, 256, 512, 1_769];
/// Other buckets in the account.
const OTHERS: [usize; 4] = [10, 100, 1_000, 5_000];

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let mut argument = |what| arguments.next().unwrap_or_else(|| panic!("bench: expected {what}"));
    let release = argument("the folder of the release binaries");
    let folder = argument("the folder for the results");
    let quick = std::env::var_os("BENCH_QUICK").is_some();
    let places = Places {
        release: release
            .canonicalize()
            .expect("bench: the folder of the release binaries"),
        root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."),
        work: std::env::temp_dir().join(format!("portcullis-bench-{}", std::process::id())),
    };
    let root = places.root.canonicalize().expect("bench: the root of the repository");
    let places = Places { root, ..places };
    let began = Instant::now();
    let machine = machine::machine(&places);
    let results = all(&places, quick, machine).await;
    std::fs::remove_dir_all(&places.work).expect("bench: the packages can be removed");
    println!("{}", report::text(&results));
    eprintln!("{:.0} s, load {}", began.elapsed().as_secs_f64(), machine::load());
    if !quick {
        report::write(&folder, &results);
    }
}

/// Everything, in the order in which it is measured.
async fn all(places: &Places, quick: bool, machine: Value) -> Value {
    let runs = |cold, warm| {
        if quick {
            Runs { cold: 2, warm: 3 }
        } else {
            Runs { cold, warm }
        }
    };
    let say = |what: &str| eprintln!("bench: {what}");
    let mut scenarios = serde_json::Map::new();

    say("a bare bucket");
    let scene = Scene::new("bare-bucket", Kind::BareBucket).await;
    let bare = measure(places, &scene, runs(11, 40), Duration::ZERO).await;
    scenarios.insert(scene.name.clone(), compared(&bare, scene.kind));
    say("starts alone");
    let starts = starts(places, &scene, runs(15, 0).cold).await;
    let slower = async |scene: &Scene| {
        say("… with 20 ms more for each AWS call");
        let pair = measure(places, scene, runs(3, 8), NETWORK).await;
        (format!("{}-20ms", scene.name), compared(&pair, scene.kind))
    };
    let (name, row) = slower(&scene).await;
    scenarios.insert(name, row);
    for (name, kind) in [
        ("compliant-bucket", Kind::CompliantBucket),
        ("open-security-group", Kind::OpenGroup),
        ("kms-key-without-rotation", Kind::UnrotatedKey),
        ("run-10-instances", Kind::TenInstances),
    ] {
        say(name);
        let scene = Scene::new(name, kind).await;
        let pair = measure(places, &scene, runs(5, 15), Duration::ZERO).await;
        scenarios.insert(name.to_owned(), compared(&pair, kind));
        let (name, row) = slower(&scene).await;
        scenarios.insert(name, row);
    }
    say("CPU shares");
    let shares = shares(places, if quick { 1 } else { 3 }).await;
    let growth = growth(places, quick, runs(5, 10), &mut scenarios).await;

    let of = |of: fn(&Pair) -> f64| rounded(of(&bare));
    json!({
        "machine": machine,
        "load_after": machine::load(),
        "cold_over_floor": starts["over_floor"],
        "cpu_ratio": of(|pair| median(&pair.theirs.cpu) / median(&pair.ours.cpu)),
        "memory_ratio": of(|pair| pair.theirs.memory / pair.ours.memory),
        "warm_ratio": of(|pair| median(&pair.theirs.warm) / median(&pair.ours.warm)),
        "cold_ratio": of(|pair| median(&pair.theirs.cold) / median(&pair.ours.cold)),
        "calls": bare.ours.calls,
        "sequential_calls": bare.ours.chain_to_alert,
        "starts": starts,
        "scenarios": scenarios,
        "cpu_shares": shares,
        "growth": growth,
    })
}

/// Starts without work: ours on an event that needs no AWS call, the least function of the same runtime; and Cloud
/// Custodian on a bare bucket if its builder packed bytecode.
async fn starts(places: &Places, scene: &Scene, runs: usize) -> Value {
    let package = places.package(scene);
    let nothing_to_do = CloudTrail::call("s3.amazonaws.com", "ListBuckets")
        .account(scene.world.aws.account())
        .event();
    let (mut hello, mut ours, mut compiled) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..runs {
        for side in turns(run) {
            let (builder, times) = match side {
                Side::Ours => (places.ours(scene), &mut ours),
                Side::Theirs => (places.hello(scene), &mut hello),
            };
            let function = builder.start().await;
            let done = function.invoke(&nothing_to_do).await;
            done.result.expect("bench: an event without work");
            times.push(ms(cold(&function)));
        }
        // The first writes the bytecode.
        if run < 6 {
            let function = package.function(scene, true).start().await;
            event(&function, scene).await;
            if run > 0 {
                compiled.push(ms(cold(&function)));
            }
        }
    }
    let binary = size(&places.release.join("portcullis-s3"));
    json!({
        "hello_world_ms": rounded(median(&hello)),
        "portcullis_ms": rounded(median(&ours)),
        "over_floor": rounded(median(&ours) / median(&hello)),
        "cloud_custodian_with_bytecode_ms": rounded(median(&compiled)),
        "portcullis_bytes": binary,
        "cloud_custodian_package_bytes": package.bytes,
    })
}

/// Bare buckets with less than a CPU. The share begins with the first event: Lambda gives more while a function starts.
async fn shares(places: &Places, runs: usize) -> Value {
    let scene = Scene::new("cpu-share", Kind::BareBucket).await;
    let package = places.package(&scene);
    let (mut all, mut how) = (serde_json::Map::new(), String::new());
    for memory in MEMORY_MB {
        let share = Share::of(memory);
        how = share.how();
        let mut pair = Pair::default();
        for side in [Side::Ours, Side::Theirs] {
            let function = start(places, &scene, &package, side).await;
            share.limit(function.pid().expect("bench: the process runs"));
            event(&function, &scene).await;
            pair.of(side).cold.push(ms(cold(&function)));
            for _ in 0..runs {
                let (done, _) = event(&function, &scene).await;
                pair.of(side).warm.push(ms(done.duration));
            }
            function.kill().await;
        }
        all.insert(format!("{memory}_mb"), compared(&pair, scene.kind));
    }
    json!({"limited": how, "sizes": all})
}

/// What a warm event costs in accounts of more and more buckets.
async fn growth(places: &Places, quick: bool, runs: Runs, scenarios: &mut serde_json::Map<String, Value>) -> Value {
    let mut scene = Scene::new("1000-other-buckets", Kind::BareBucket).await;
    let package = places.package(&scene);
    let ours = start(places, &scene, &package, Side::Ours).await;
    let theirs = start(places, &scene, &package, Side::Theirs).await;
    let mut growth = Vec::new();
    for others in OTHERS {
        let others = if quick { others / 10 } else { others };
        eprintln!("bench: {others} other buckets");
        scene.grow(others).await;
        let mut pair = Pair::default();
        warm(&scene, &ours, &theirs, runs.warm, &mut pair).await;
        let mut row = compared(&pair, scene.kind);
        row["other_buckets"] = json!(others);
        growth.push(row);
        if others == 1_000 {
            let pair = measure(places, &scene, runs, Duration::ZERO).await;
            scenarios.insert(scene.name.clone(), compared(&pair, scene.kind));
        }
    }
    Value::Array(growth)
}
