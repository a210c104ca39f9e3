//! Runs events, each on a new resource, and takes the figures.

use std::time::Duration;

use portcullis_testkit::{Call, Function, Invocation, rounds};
use serde_json::{Value, json};

use crate::scenes::{Kind, Scene};
use crate::sides::{Package, Places, Side, cpu_of};

/// Long enough that calls sent together surely overlap: only so is the longest chain exact.
const APART: Duration = Duration::from_millis(60);

/// What was measured of one side, a value a run.
#[derive(Debug, Default)]
pub struct Figures {
    /// From the start of the process to the first answer.
    pub cold: Vec<f64>,
    /// The CPU time of that.
    pub cold_cpu: Vec<f64>,
    /// From an event to its answer.
    pub warm: Vec<f64>,
    /// The same without the time in which the local AWS worked on a call.
    pub own: Vec<f64>,
    /// The CPU time of a warm event.
    pub cpu: Vec<f64>,
    /// The most memory that the process held, in MiB.
    pub memory: f64,
    /// AWS calls of a warm event.
    pub calls: usize,
    /// The longest chain of them in sequence.
    pub chain: usize,
    /// The same up to the alert.
    pub chain_to_alert: Option<usize>,
}

/// How often.
#[derive(Debug, Clone, Copy)]
pub struct Runs {
    pub cold: usize,
    pub warm: usize,
}

/// Both sides.
#[derive(Debug, Default)]
pub struct Pair {
    pub ours: Figures,
    pub theirs: Figures,
}

impl Pair {
    pub fn of(&mut self, side: Side) -> &mut Figures {
        match side {
            Side::Ours => &mut self.ours,
            Side::Theirs => &mut self.theirs,
        }
    }
}

/// Which side begins alternates, so that a load from elsewhere meets both.
pub fn turns(run: usize) -> [Side; 2] {
    if run.is_multiple_of(2) {
        [Side::Ours, Side::Theirs]
    } else {
        [Side::Theirs, Side::Ours]
    }
}

/// Starts one side and waits until it asks for an event.
pub async fn start(places: &Places, scene: &Scene, package: &Package, side: Side) -> Function {
    match side {
        Side::Ours => places.ours(scene).start().await,
        Side::Theirs => package.function(scene, false).start().await,
    }
}

/// One event on a new resource, proven to be handled, and the CPU time that it took.
pub async fn event(function: &Function, scene: &Scene) -> (Invocation, Duration) {
    let case = scene.case().await;
    scene.world.aws.clear_calls().await;
    let before = cpu_of(function);
    let done = function.invoke(&case.event).await;
    let cpu = cpu_of(function).saturating_sub(before);
    scene.prove(&case, &done).await;
    scene.remove(case).await;
    (done, cpu)
}

/// Cold and warm, both sides in turn, with so much time added to each AWS call.
pub async fn measure(places: &Places, scene: &Scene, runs: Runs, delay: Duration) -> Pair {
    let package = places.package(scene);
    let mut pair = Pair::default();
    scene.world.aws.slow(delay).await;
    for run in 0..runs.cold {
        for side in turns(run) {
            let function = start(places, scene, &package, side).await;
            event(&function, scene).await;
            let cpu = cpu_of(&function);
            let figures = pair.of(side);
            figures.cold.push(ms(cold(&function)));
            figures.cold_cpu.push(ms(cpu));
        }
    }
    let ours = start(places, scene, &package, Side::Ours).await;
    let theirs = start(places, scene, &package, Side::Theirs).await;
    warm(scene, &ours, &theirs, runs.warm, &mut pair).await;
    scene.world.aws.slow(APART).await;
    for (side, function) in [(Side::Ours, &ours), (Side::Theirs, &theirs)] {
        let (done, _) = event(function, scene).await;
        let figures = pair.of(side);
        figures.memory = mebibytes(function.peak_memory_kib().unwrap_or_default());
        figures.calls = done.calls.len();
        figures.chain = rounds(&done.calls);
        let alert = done.calls.iter().rposition(|call| call.name() == "sns:Publish");
        figures.chain_to_alert = alert.map(|at| rounds(&done.calls[..=at]));
    }
    scene.world.aws.clear_faults().await;
    pair
}

/// Warm events of two running processes in turn; the first of each is not counted.
pub async fn warm(scene: &Scene, ours: &Function, theirs: &Function, runs: usize, pair: &mut Pair) {
    for run in 0..=runs {
        for side in turns(run) {
            let function = if side == Side::Ours { ours } else { theirs };
            let (done, cpu) = event(function, scene).await;
            if run > 0 {
                let figures = pair.of(side);
                figures.warm.push(ms(done.duration));
                figures.own.push(ms(done.duration) - served(&done.calls));
                figures.cpu.push(ms(cpu));
                figures.calls = done.calls.len();
            }
        }
    }
}

/// From the start of the process to the first answer.
pub fn cold(function: &Function) -> Duration {
    let start = function.cold_start().and_then(|start| start.to_first_answer);
    start.expect("bench: the process has answered")
}

/// How long the local AWS worked on at least one of these calls, in milliseconds.
fn served(calls: &[Call]) -> f64 {
    let mut spans: Vec<(f64, f64)> = calls.iter().map(|call| (call.started_ms, call.ended_ms)).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut until = f64::NEG_INFINITY;
    let mut total = 0.0;
    for (start, end) in spans {
        total += (end - start.max(until)).max(0.0);
        until = until.max(end);
    }
    total
}

impl Figures {
    /// Medians, with their units.
    pub fn to_json(&self) -> Value {
        let mut all = json!({
            "cold_ms": rounded(median(&self.cold)),
            "cold_cpu_ms": rounded(median(&self.cold_cpu)),
            "warm_ms": rounded(median(&self.warm)),
            "warm_without_aws_ms": rounded(median(&self.own)),
            "warm_cpu_ms": rounded(median(&self.cpu)),
            "memory_mib": rounded(self.memory),
            "events_per_second": rounded(1_000.0 / mean(&self.warm)),
            "events_per_cpu_second": rounded(1_000.0 / mean(&self.cpu)),
            "calls": self.calls,
            "sequential_calls": self.chain,
            "sequential_calls_to_alert": self.chain_to_alert,
        });
        // What was not measured in this scene is left out.
        if let Some(members) = all.as_object_mut() {
            members.retain(|_, value| !value.is_null() && value.as_f64() != Some(0.0));
        }
        all
    }
}

/// Both sides and Cloud Custodian's figures over ours.
pub fn compared(pair: &Pair, kind: Kind) -> Value {
    let (ours, theirs) = (&pair.ours, &pair.theirs);
    let ratio = |of: fn(&Figures) -> f64| rounded(of(theirs) / of(ours));
    let mut ratios = json!({
        "cold_ratio": ratio(|side| median(&side.cold)),
        "warm_ratio": ratio(|side| median(&side.warm)),
        "warm_without_aws_ratio": ratio(|side| median(&side.own)),
        "cpu_ratio": ratio(|side| median(&side.cpu)),
        "memory_ratio": ratio(|side| side.memory),
    });
    if let Some(members) = ratios.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    json!({
        "event": match kind {
            Kind::BareBucket | Kind::CompliantBucket => "CreateBucket",
            Kind::UnrotatedKey => "DisableKeyRotation",
            Kind::OpenGroup => "AuthorizeSecurityGroupIngress",
            Kind::TenInstances => "RunInstances",
        },
        "portcullis": ours.to_json(),
        "cloud_custodian": theirs.to_json(),
        "ratios": ratios,
    })
}

/// The middle value; not a number if there is none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few runs")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Two digits after the point, which is more than such figures mean. What is no number becomes null.
pub fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "sizes for people")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1_024.0
}
