//! Lets everything go wrong, once at each call of each control's path, and prints what survived: `make faults`.
//!
//! `FAULTS_ONLY=s3-bucket-public` takes the controls whose id contains that, `FAULTS_SEED=7` other random runs,
//! `FAULTS_RANDOM=1000` more of them, `FAULTS_SHARE=20` each twentieth run only. Figures go to the file that is named as the only argument.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "it prints figures, or why there are none"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;
use portcullis_tests::faults::{Clean, Path, Trouble, Verdict, Wrong, at_once, clean, paths, run};
use serde_json::json;

/// Runs beside each other: most of a run is waiting for retries.
const BESIDE: usize = 12;
/// What lasts to the end of the first try, at each call.
const LASTING: [Wrong; 5] = [
    Wrong::InternalError,
    Wrong::ResetBefore,
    Wrong::AccessDenied,
    Wrong::Conflict,
    Wrong::Malformed,
];

/// Figures of one kind of trouble.
#[derive(Debug, Default)]
struct Row {
    tried: usize,
    survived: usize,
    retried: usize,
    dead_letters: usize,
    lost: usize,
    unrecorded: usize,
    wider: usize,
    untrue: usize,
    double_alerts: usize,
    panics: usize,
}

impl Row {
    fn add(&mut self, verdict: &Verdict) {
        self.tried += 1;
        self.survived += usize::from(verdict.survived());
        self.retried += usize::from(verdict.tries > 1);
        self.dead_letters += usize::from(verdict.dead_letter);
        self.lost += usize::from(verdict.lost);
        self.unrecorded += verdict.unrecorded;
        self.wider += verdict.wider;
        self.untrue += usize::from(verdict.untrue);
        self.double_alerts += verdict.double_alerts;
        self.panics += usize::from(verdict.panicked);
    }

    fn cells(&self) -> [usize; 10] {
        [
            self.tried,
            self.survived,
            self.retried,
            self.dead_letters,
            self.lost,
            self.unrecorded,
            self.wider,
            self.untrue,
            self.double_alerts,
            self.panics,
        ]
    }
}

/// One run to come: under which heading, of which path, with what trouble; none is the event ten times at once.
struct Job {
    heading: String,
    path: Path,
    clean: Clean,
    troubles: Vec<Trouble>,
}

#[tokio::main]
async fn main() {
    let began = Instant::now();
    let wanted = std::env::var("FAULTS_ONLY").unwrap_or_default();
    let mut chosen = paths();
    chosen.retain(|path| path.violation.control.contains(&wanted));

    let cleans: Vec<(Path, Clean)> = stream::iter(chosen)
        .map(|path| async move { (path, clean(path).await) })
        .buffered(4)
        .collect()
        .await;
    let share = usize::try_from(number("FAULTS_SHARE", 1)).unwrap_or(1).max(1);
    let jobs: Vec<_> = plan(&cleans).into_iter().step_by(share).collect();
    println!("{} controls, {} runs", cleans.len(), jobs.len());

    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut total = Row::default();
    let mut amiss = Vec::new();
    let mut runs = stream::iter(jobs)
        .map(|job| async move {
            let verdict = if job.troubles.is_empty() {
                at_once(job.path, &job.clean, 10).await
            } else {
                run(job.path, &job.clean, &job.troubles).await
            };
            (job, verdict)
        })
        .buffer_unordered(BESIDE);
    while let Some((job, verdict)) = runs.next().await {
        if total.tried % 500 == 499 {
            eprintln!(
                "{} runs, {} survived",
                total.tried + 1,
                total.survived + usize::from(verdict.survived())
            );
        }
        rows.entry(job.heading.clone()).or_default().add(&verdict);
        total.add(&verdict);
        if !verdict.why.is_empty() {
            let troubles: Vec<_> = job
                .troubles
                .iter()
                .map(|trouble| {
                    let call = job
                        .clean
                        .calls
                        .get(trouble.at)
                        .map_or_else(String::new, portcullis_testkit::Call::name);
                    format!("{} at call {} ({call})", trouble.wrong.name(), trouble.at + 1)
                })
                .collect();
            let line = format!(
                "{}: {}: {}: {}",
                job.heading,
                job.path.violation.control,
                troubles.join(", "),
                verdict.why.join("; ")
            );
            eprintln!("{line}");
            amiss.push(line);
        }
    }
    print(&rows, &total, &mut amiss);
    println!("\n{:.0} minutes", began.elapsed().as_secs_f64() / 60.0);
    if let Some(file) = std::env::args().nth(1) {
        let figures = json!({
            "faults_tried": total.tried,
            "faults_survived": total.survived,
            "events_lost": total.lost,
            "unrecorded_changes": total.unrecorded,
            "wider_changes": total.wider,
            "double_alerts": total.double_alerts,
            "untrue_outcomes": total.untrue,
            "panics": total.panics,
        });
        std::fs::write(&file, format!("{figures:#}\n")).expect("faults: the file of figures can't be written");
    }
    if total.survived < total.tried {
        println!("{} of {} runs went amiss", total.tried - total.survived, total.tried);
        std::process::exit(1);
    }
}

fn plan(cleans: &[(Path, Clean)]) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut job = |heading: String, (path, clean): &(Path, Clean), troubles: Vec<Trouble>| {
        jobs.push(Job {
            heading,
            path: *path,
            clean: clean.clone(),
            troubles,
        });
    };
    for one in cleans {
        for at in 0..one.1.calls.len() {
            for wrong in Wrong::ALL {
                let once = Trouble {
                    wrong,
                    at,
                    comparable: false,
                };
                job(format!("once: {}", wrong.name()), one, vec![once]);
            }
            for wrong in LASTING {
                let comparable = Trouble {
                    wrong,
                    at,
                    comparable: true,
                };
                job(format!("from then on: {}", wrong.name()), one, vec![comparable]);
            }
        }
        job("the event ten times at once".into(), one, Vec::new());
    }
    let mut random = Random(number("FAULTS_SEED", 1));
    for _ in 0..number("FAULTS_RANDOM", 200) {
        let one = &cleans[random.below(cleans.len())];
        let troubles = (0..2 + random.below(2)).map(|_| {
            // A process that dies is a run of its own.
            let mut wrong = Wrong::ALL[random.below(Wrong::ALL.len())];
            while wrong.kills() || wrong == Wrong::NotFound || wrong == Wrong::Timeout {
                wrong = Wrong::ALL[random.below(Wrong::ALL.len())];
            }
            Trouble {
                wrong,
                at: random.below(one.1.calls.len() + 4),
                comparable: false,
            }
        });
        job("several at random".into(), one, troubles.collect());
    }
    jobs
}

/// A number of the environment.
fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(default)
}

/// Numbers that look random and are the same for the same seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or_default()
    }
}

fn print(rows: &BTreeMap<String, Row>, total: &Row, amiss: &mut [String]) {
    let heads = [
        "tried",
        "survived",
        "retried",
        "dead letter",
        "lost",
        "unrecorded",
        "wider",
        "untrue",
        "double alert",
        "panic",
    ];
    let line = |name: &str, cells: [String; 10]| {
        let cells: Vec<_> = cells
            .iter()
            .zip(heads)
            .map(|(cell, head)| format!("{cell:>width$}", width = head.len()))
            .collect();
        println!("{name:36}  {}", cells.join("  "));
    };
    line("", heads.map(str::to_owned));
    for (name, row) in rows {
        line(name, row.cells().map(|cell| cell.to_string()));
    }
    line("all", total.cells().map(|cell| cell.to_string()));
    amiss.sort();
    for line in amiss.iter().take(200) {
        println!("{}", line.chars().take(900).collect::<String>());
    }
}
