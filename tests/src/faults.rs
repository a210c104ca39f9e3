//! What becomes of an event when AWS, the network or the process fails in the middle of it.
//!
//! A run makes a violation in an account of its own, lets one thing go wrong at one call of the function, retries as Lambda
//! does, and judges the end: it may take as long as it takes, but nothing may be lost, unrecorded, wider or told twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portcullis_testkit::{Arranged, Call, Fault, Function, Invocation, Message, ServiceUnderTest, Violation, World};
use serde_json::Value;

use crate::SERVICES;

/// Lambda tries an asynchronous invocation three times. Source: Lambda Developer Guide, "Error handling for asynchronous
/// invocation".
const TRIES: usize = 3;
/// How long a call takes that times out: more than the function waits for one attempt.
const TIMEOUT: Duration = Duration::from_millis(6_500);

/// What goes wrong at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wrong {
    /// Too many calls.
    Throttled,
    /// HTTP 500.
    InternalError,
    /// HTTP 503, as S3 asks for fewer calls.
    SlowDown,
    /// No answer in time; the call is carried out all the same, later.
    Timeout,
    /// The connection breaks before the call is carried out.
    ResetBefore,
    /// The connection breaks after the call was carried out.
    ResetAfter,
    /// The caller may not do this.
    AccessDenied,
    /// What the call is about is not there.
    NotFound,
    /// Somebody else changes it at the same time.
    Conflict,
    /// An answer that is no document.
    Malformed,
    /// SIGKILL while the call is on its way.
    KilledBefore,
    /// SIGKILL once the call was carried out, before its answer.
    KilledAfter,
}

impl Wrong {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Throttled,
        Self::InternalError,
        Self::SlowDown,
        Self::Timeout,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::AccessDenied,
        Self::NotFound,
        Self::Conflict,
        Self::Malformed,
        Self::KilledBefore,
        Self::KilledAfter,
    ];

    /// As it is named in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::InternalError => "500 InternalError",
            Self::SlowDown => "503 SlowDown",
            Self::Timeout => "timeout, done later",
            Self::ResetBefore => "reset, call not done",
            Self::ResetAfter => "reset, call done",
            Self::AccessDenied => "access denied",
            Self::NotFound => "not found",
            Self::Conflict => "409 conflict",
            Self::Malformed => "malformed body",
            Self::KilledBefore => "SIGKILL, call not done",
            Self::KilledAfter => "SIGKILL, call done",
        }
    }

    /// Whether it is the process that dies.
    pub fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }

    /// The fault that does it to one call; `service` says in whose words.
    fn fault(self, service: &str) -> Fault {
        let fault = Fault::on_all();
        match self {
            Self::Throttled => fault.status(400, "ThrottlingException"),
            Self::InternalError => fault.status(500, "InternalError"),
            Self::SlowDown => fault.status(503, "SlowDown"),
            Self::Timeout => fault.delay(TIMEOUT),
            Self::ResetBefore => fault.drop_connection(),
            Self::ResetAfter => fault.once_done().drop_connection(),
            Self::AccessDenied => match service {
                "s3" | "s3control" => fault.denied(),
                "sns" => fault.status(403, "AuthorizationError"),
                _ => fault.status(400, "AccessDeniedException"),
            },
            Self::NotFound => match service {
                "s3" => fault.status(404, "NoSuchBucket"),
                "s3control" => fault.status(404, "NoSuchAccessPoint"),
                "dynamodb" => fault.status(400, "ResourceNotFoundException"),
                "sns" => fault.status(404, "NotFound"),
                _ => fault.status(400, "NotFoundException"),
            },
            Self::Conflict => match service {
                "s3" | "s3control" => fault.status(409, "OperationAborted"),
                "dynamodb" => fault.status(400, "TransactionConflictException"),
                "kms" => fault.status(400, "KMSInvalidStateException"),
                _ => fault.status(409, "ConflictException"),
            },
            Self::Malformed => fault.malformed(),
            Self::KilledBefore => fault.delay(Duration::from_millis(400)).drop_connection(),
            Self::KilledAfter => fault.once_done().delay(Duration::from_millis(400)).drop_connection(),
        }
    }
}

/// What a run without any fault comes to: what all others are held against.
#[derive(Debug, Clone)]
pub struct Clean {
    /// The calls, in the order of their beginnings.
    pub calls: Vec<Call>,
    /// The changes, without what is the run's own.
    writes: BTreeSet<String>,
    /// The outcome of each control.
    outcomes: BTreeMap<String, String>,
    /// The alerts.
    alerts: usize,
}

/// What became of one run.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the table")]
pub struct Verdict {
    /// How many times Lambda had to try.
    pub tries: usize,
    /// It failed to the end, and is in the dead-letter queue.
    pub dead_letter: bool,
    /// It was answered as done, and was not.
    pub lost: bool,
    /// A change without a record before it, or a record left open.
    pub unrecorded: usize,
    /// A change that the clean run does not make.
    pub wider: usize,
    /// The same alert once more.
    pub double_alerts: usize,
    /// What a record says is not what was.
    pub untrue: bool,
    /// The process panicked.
    pub panicked: bool,
    /// In words, where anything is amiss.
    pub why: Vec<String>,
}

impl Verdict {
    /// Whether the end is right. An alert that comes twice is no such thing, yet none is lost by it.
    pub fn survived(&self) -> bool {
        !(self.lost || self.untrue || self.panicked || self.dead_letter) && self.unrecorded + self.wider == 0
    }
}

/// What goes wrong in a run: at which calls, counted from nought, and whether all later ones of the first try go wrong as well.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// What.
    pub wrong: Wrong,
    /// At which call.
    pub at: usize,
    /// Whether at all later ones, too.
    pub comparable: bool,
}

/// A control's violation, and the service whose function is told of it.
#[derive(Clone, Copy)]
pub struct Path {
    /// The service.
    pub service: &'static ServiceUnderTest,
    /// The violation.
    pub violation: &'static Violation,
}

/// What violates each control, service by service.
pub fn paths() -> Vec<Path> {
    let of = |service: &'static ServiceUnderTest| {
        service
            .violations
            .iter()
            .map(move |violation| Path { service, violation })
    };
    SERVICES.iter().flat_map(of).collect()
}

/// A violation that was made, with the function that is to be told of it.
struct Scene {
    world: World,
    arranged: Arranged,
    event: Value,
    settings: String,
    service: &'static ServiceUnderTest,
}

impl Path {
    /// Makes the violation afresh in an account of its own.
    async fn arranged(self) -> Scene {
        let world = World::new().await;
        let arranged = (self.violation.arrange)(world.clone()).await;
        Scene {
            event: arranged.event(),
            settings: self.service.settings(self.violation.control, &arranged),
            service: self.service,
            arranged,
            world,
        }
    }
}

impl Scene {
    async fn start(&self) -> Function {
        let function = self.service.function(&self.world);
        function.env("PORTCULLIS_SETTINGS", &self.settings).start().await
    }
}

/// A run without faults.
pub async fn clean(path: Path) -> Clean {
    let scene = path.arranged().await;
    let world = &scene.world;
    let invocation = scene.start().await.invoke(&scene.event).await;
    let (answer, control) = (invocation.result.as_ref(), path.violation.control);
    assert!(answer.is_ok(), "{control}: {answer:?}");
    let alerts = world.alerts().await.len();
    assert!(alerts > 0, "{control}: nothing was wrong: {answer:?}");
    Clean {
        writes: writes(&invocation.calls, &scene.arranged),
        outcomes: outcomes(world).await.1,
        calls: invocation.calls,
        alerts,
    }
}

/// A run with trouble.
pub async fn run(path: Path, clean: &Clean, troubles: &[Trouble]) -> Verdict {
    let scene = path.arranged().await;
    let (world, event) = (&scene.world, &scene.event);
    let function = scene.start().await;
    let faults: Vec<_> = troubles
        .iter()
        .map(|trouble| {
            let service = clean.calls.get(trouble.at).map_or("", |call| call.service.as_str());
            let fault = trouble.wrong.fault(service).after(trouble.at);
            if trouble.comparable { fault.always() } else { fault }
        })
        .collect();
    world.aws.faults(&faults).await;
    let killing = troubles.iter().any(|trouble| trouble.wrong.kills());
    let mut last = if killing {
        let (invocation, ()) = tokio::join!(function.invoke(event), async {
            let hit = async {
                while !world.aws.faults_spent().await {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            if tokio::time::timeout(Duration::from_secs(15), hit).await.is_ok() {
                // Long enough for the call to be carried out, short of its answer.
                tokio::time::sleep(Duration::from_millis(120)).await;
                function.kill().await;
            }
        });
        // What was on its way when the process died still arrives.
        tokio::time::sleep(Duration::from_millis(450)).await;
        invocation
    } else {
        function.invoke(event).await
    };
    world.aws.clear_faults().await;
    let mut tries = 1;
    while last.result.is_err() && tries < TRIES {
        world.a_minute_later().await;
        last = function.retry(&last).await;
        tries += 1;
    }
    if troubles.iter().any(|trouble| trouble.wrong == Wrong::Timeout) {
        // What nobody waits for any more is still carried out.
        tokio::time::sleep(TIMEOUT).await;
    }
    judge(&scene, &function, clean, (last, tries), killing, troubles).await
}

/// The same event, from so many places at once.
pub async fn at_once(path: Path, clean: &Clean, times: usize) -> Verdict {
    let scene = path.arranged().await;
    let mut functions = Vec::new();
    for _ in 0..times {
        functions.push(scene.start().await);
    }
    let runs = functions.iter().map(|function| async {
        let mut last = function.invoke(&scene.event).await;
        let mut tries = 1;
        while last.result.is_err() && tries < TRIES {
            // Lambda waits for a minute, then for two; the lease is over by then, as it is here.
            tokio::time::sleep(Duration::from_secs(2)).await;
            last = function.retry(&last).await;
            tries += 1;
        }
        (last, tries)
    });
    let ends = futures_util::future::join_all(runs).await;
    let dead = ends.iter().any(|(last, _)| last.result.is_err());
    let Some((last, _)) = ends.into_iter().next() else {
        return Verdict::default();
    };
    let mut verdict = judge(&scene, &functions[0], clean, (last, 1), false, &[]).await;
    verdict.dead_letter |= dead;
    verdict
}

async fn judge(
    scene: &Scene,
    function: &Function,
    clean: &Clean,
    (last, tries): (Invocation, usize),
    killing: bool,
    troubles: &[Trouble],
) -> Verdict {
    let Scene { world, arranged, .. } = scene;
    let calls = world.aws.calls().await;
    let mut verdict = Verdict {
        tries,
        dead_letter: last.result.is_err(),
        panicked: function.logs().iter().any(|line| line.contains("panicked")),
        ..Verdict::default()
    };
    if let Err(error) = &last.result {
        verdict.why.push(format!("failed to the end: {error}"));
        if !killing && error.error_type.starts_with("Runtime.") {
            verdict.panicked = true;
        }
    }
    let befallen: Vec<_> = calls.iter().filter(|call| call.injected).map(Call::name).collect();
    for write in calls.iter().filter(|call| is_change(call)) {
        let recorded = calls
            .iter()
            .any(|call| call.service == "dynamodb" && call.is_own() && call.done && call.ended_ms <= write.started_ms);
        if !recorded {
            verdict.unrecorded += 1;
            verdict.why.push(format!("{} without a record before it", write.name()));
        }
    }
    let (open, told) = outcomes(world).await;
    if open && !verdict.dead_letter {
        verdict.unrecorded += 1;
        verdict.why.push("the record is still open".into());
    }
    let unforced = |write: &&String| !arranged.forced.contains(&write.as_str());
    for write in writes(&calls, arranged).difference(&clean.writes).filter(unforced) {
        verdict.wider += 1;
        verdict.why.push(format!("not made in a clean run: {write}"));
    }
    let alerts = world.alerts().await;
    // The same told of the same resource by the same event, whatever record it stands in.
    let what = |alert: &Message| {
        let told = ["resource", "event", "outcome"].map(|field| alert.json[field].to_string());
        let controls = alert.json["controls"].as_array().into_iter().flatten();
        let controls = controls.map(|one| format!("{} {}", one["control"], one["outcome"]));
        (told, controls.collect::<Vec<_>>())
    };
    let distinct: BTreeSet<_> = alerts.iter().map(what).collect();
    verdict.double_alerts = alerts.len() - distinct.len();
    if verdict.double_alerts > 0 {
        verdict.why.push(format!("{} alerts: {distinct:?}", alerts.len()));
    }
    // What AWS said was gone is believed; nothing is lost by that.
    let believed = troubles.iter().any(|trouble| trouble.wrong == Wrong::NotFound) && answered(&last, "gone");
    if !verdict.dead_letter && !believed {
        if alerts.len() < clean.alerts {
            verdict.lost = true;
            verdict.why.push(format!("no alert; it answered {:?}", last.result));
        }
        for (control, outcome) in &clean.outcomes {
            if told.get(control) != Some(outcome) {
                verdict.untrue = true;
                verdict
                    .why
                    .push(format!("{control}: told {:?}, not {outcome}", told.get(control)));
            }
        }
        // A later event must find nothing to do.
        let after = function.invoke(&scene.event).await;
        let more = after.calls.iter().filter(|call| is_change(call)).count();
        if after.result.is_err() || more > 0 || world.alerts().await.len() > alerts.len() {
            verdict.lost = true;
            verdict
                .why
                .push(format!("the next event found work: {:?}", after.result));
        }
    }
    if !verdict.why.is_empty() && befallen.len() < 6 {
        verdict.why.push(format!("befell {}", befallen.join(", ")));
    }
    verdict
}

fn answered(invocation: &Invocation, outcome: &str) -> bool {
    invocation
        .result
        .as_ref()
        .is_ok_and(|answer| answer.to_string().contains(&format!("\"outcome\":\"{outcome}\"")))
}

/// Whether a call changed something that is not the function's own, such as its ledger.
fn is_change(call: &Call) -> bool {
    call.done && !call.is_read() && !call.is_own()
}

/// The changes, without what is the run's own.
fn writes(calls: &[Call], arranged: &Arranged) -> BTreeSet<String> {
    let changes = calls.iter().filter(|call| is_change(call));
    changes
        .map(|call| {
            let text = format!(
                "{} {} {}",
                call.name(),
                call.path,
                call.body.as_deref().unwrap_or_default()
            );
            without_ids(&arranged.in_common_words(&text))
        })
        .collect()
}

/// Grants and owners have ids of hexadecimal digits, of which no two runs have the same.
fn without_ids(text: &str) -> String {
    let mut kept = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        if digits.len() >= 8 {
            kept.push_str("ID");
            kept.push_str(&word[digits.len()..]);
        } else {
            kept.push_str(word);
        }
    }
    kept
}

/// Whether a record is open, and what was told last of each control.
async fn outcomes(world: &World) -> (bool, BTreeMap<String, String>) {
    let (records, open) = world.records().await;
    let told = records
        .iter()
        .flat_map(|record| record["report"]["told"].as_array().into_iter().flatten());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = told.map(|told| (text(&told["control"]), text(&told["outcome"])));
    (open, told.collect())
}
