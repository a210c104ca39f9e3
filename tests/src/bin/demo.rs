//! A short tour: insecure buckets, snapshots and security groups become safe. `make demo` runs it on a local AWS; it refuses to run against any other.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::process::ExitCode;

use portcullis_testkit::{Arranged, Endpoint, Function, Invocation, Message, Snapshot, World, samples};
use portcullis_tests::service_of;
use serde_json::{Value, json};

/// The scenes: the control that is violated, what happened, and whether the alert is shown as a whole.
const SCENES: [(&str, &str, bool); 8] = [
    (
        "s3-bucket-public-access-block",
        "a bucket without a public access block, open to uploads under keys that only the uploader has (SSE-C)",
        false,
    ),
    (
        TO_UNDO,
        "one statement for a partner, as it should be, and one that lets everybody read",
        false,
    ),
    (
        "s3-bucket-public-acl",
        "an access control list that lets everybody list the bucket",
        false,
    ),
    (
        "s3-bucket-default-encryption",
        "tagged DataClassification=confidential, encrypted with less than the settings ask for that",
        true,
    ),
    (
        "s3-bucket-quarantine",
        "restricted data, open to everybody: closed off at once, for people to look at",
        false,
    ),
    (
        "ec2-snapshot-public",
        "a copy of a disk, shared with a partner and then with everybody",
        false,
    ),
    (
        "ec2-security-group-open-ingress",
        "HTTPS for everybody and SSH for the office, as it should be, and SSH for everybody",
        false,
    ),
    (
        "ec2-ebs-encryption-by-default",
        "new volumes of the whole region would be unencrypted",
        false,
    ),
];

/// The scene that is undone at the end.
const TO_UNDO: &str = "s3-bucket-public-policy";

/// What a scene came to, for the table at the end.
struct Row {
    event: String,
    finding: String,
    action: String,
    verified: bool,
    calls: usize,
    milliseconds: u128,
}

/// Colours, where somebody looks who wants them.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

struct Tour {
    world: World,
    paint: Paint,
    rows: Vec<Row>,
    functions: BTreeMap<&'static str, Function>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let endpoint = match std::env::var("PORTCULLIS_LOCAL_AWS") {
        Ok(url) => url.parse::<Endpoint>().map_err(|refused| refused.to_string()),
        Err(_) => Err("it runs on a local AWS, which `make demo` starts".to_owned()),
    };
    let endpoint = match endpoint {
        Ok(endpoint) => endpoint,
        Err(why) => {
            eprintln!("demo: {why}");
            return ExitCode::from(2);
        }
    };
    let world = World::in_region(samples::REGION).await;
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let mut tour = Tour {
        world,
        paint: Paint(colours),
        rows: Vec::new(),
        functions: BTreeMap::new(),
    };
    println!("{}", tour.paint.bold("Portcullis: what was left open becomes safe"));
    println!(
        "A local AWS at {endpoint}; the real Lambda binaries, in enforce mode; CloudTrail events as EventBridge delivers them."
    );

    let mut undo = None;
    for (control, wrong, whole_alert) in SCENES {
        let (arranged, alert) = tour.scene(control, wrong, whole_alert).await;
        if control == TO_UNDO {
            undo = Some((arranged, alert));
        }
    }
    if let Some((arranged, alert)) = undo {
        tour.restore(&arranged, &alert).await;
    }
    tour.summary()
}

impl Tour {
    /// The function of a control's service, with the packed settings in enforce mode.
    async fn start(&mut self, control: &str) -> &Function {
        let service = service_of(control);
        if !self.functions.contains_key(service.name()) {
            let function = service.function(&self.world).start().await;
            self.functions.insert(service.name(), function);
        }
        &self.functions[service.name()]
    }

    /// Makes a violation, sends its event, and shows what came of it.
    async fn scene(&mut self, control: &str, wrong: &str, whole_alert: bool) -> (Arranged, Message) {
        let arranged = (service_of(control).violation(control).arrange)(self.world.clone()).await;
        let event = arranged.event();
        let call = event["detail"]["eventName"].as_str().unwrap_or_default().to_owned();
        let before = arranged.snapshot().await;
        let invocation = self.start(control).await.invoke(event).await;
        let after = arranged.snapshot().await;
        self.show(&call, wrong, &before, &after);
        let alert = self.told().await;
        if whole_alert {
            for line in alert.text.lines().filter(|line| !line.is_empty()) {
                println!("    {} {line}", self.paint.dim("|"));
            }
        }
        self.row(&call, &invocation, &alert, arranged.is_right(&after));
        (arranged, alert)
    }

    /// Undoes a scene, and shows that its event does not redo it.
    async fn restore(&mut self, arranged: &Arranged, alert: &Message) {
        let (before, event) = (arranged.snapshot().await, arranged.event());
        let function = &self.functions[service_of(TO_UNDO).name()];
        let undo = json!({"restore": alert.json["ledger_id"], "by": "ana"});
        let invocation = function.invoke(undo).await;
        let after = arranged.snapshot().await;
        let wrong = "somebody needs the public statement of scene 2 back, and answers for it";
        self.show("restore", wrong, &before, &after);
        let alert = self.told().await;
        let again = function.invoke(event).await;
        let held = arranged.snapshot().await == after;
        println!(
            "  {:<11} the same event again: {}",
            "then",
            self.paint.green(if held {
                "held for 7 days, nothing changed"
            } else {
                "changed again"
            })
        );
        let undone = !arranged.is_right(&after) && again.result.is_ok();
        self.row("restore", &invocation, &alert, held && undone);
    }

    fn show(&self, call: &str, wrong: &str, before: &Snapshot, after: &Snapshot) {
        let title = format!("{}. {call}", self.rows.len() + 1);
        println!("{}: {wrong}", self.paint.bold(&title));
        for (fact, now) in after.0.iter().filter(|(fact, now)| before[fact] != **now) {
            let (was, is) = (shown(fact, &before[fact]), shown(fact, now));
            println!("  {fact:<11} {} -> {}", self.paint.red(&was), self.paint.green(&is));
        }
    }

    /// The newest alert, with its subject printed.
    async fn told(&self) -> Message {
        let alert = self.world.alerts().await.pop().unwrap_or_else(nothing_told);
        println!("  {:<11} {}", "alert", alert.subject);
        alert
    }

    fn row(&mut self, event: &str, invocation: &Invocation, alert: &Message, verified: bool) {
        // The worst of it, as in the subject.
        let told = alert.json["controls"].as_array().map(Vec::as_slice).unwrap_or_default();
        let severity = |one: &Value| {
            ["LOW", "MEDIUM", "HIGH", "CRITICAL"]
                .iter()
                .position(|&name| one["severity"] == name)
        };
        let worst = told
            .iter()
            .rev()
            .max_by_key(|one| severity(one))
            .cloned()
            .unwrap_or_default();
        let finding = worst["summary"]
            .as_str()
            .and_then(|text| text.split(':').next())
            .unwrap_or_default();
        let more = match told.len() {
            0 | 1 => String::new(),
            all => format!(" (+{})", all - 1),
        };
        self.rows.push(Row {
            event: event.to_owned(),
            finding: format!("{finding}{more}"),
            action: worst["outcome"].as_str().unwrap_or_default().to_owned(),
            verified: verified && invocation.result.is_ok(),
            calls: invocation.calls.len(),
            milliseconds: invocation.duration.as_millis(),
        });
    }

    fn summary(&self) -> ExitCode {
        let head = format!(
            "\n{:<29} {:<52} {:<12} {:<8} {:>9} {:>5}",
            "event", "finding", "action", "verified", "AWS calls", "ms"
        );
        println!("{}", self.paint.bold(&head));
        for row in &self.rows {
            let verified = format!("{:<8}", if row.verified { "yes" } else { "NO" });
            let verified = if row.verified {
                self.paint.green(&verified)
            } else {
                self.paint.red(&verified)
            };
            let finding: String = row.finding.chars().take(52).collect();
            println!(
                "{:<29} {finding:<52} {:<12} {verified} {:>9} {:>5}",
                row.event, row.action, row.calls, row.milliseconds
            );
        }
        if self.rows.iter().all(|row| row.verified) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// A fact in a few words: of a policy, the names of its statements.
fn shown(fact: &str, text: &str) -> String {
    let policy: Option<Value> = (fact == "policy").then(|| serde_json::from_str(text).ok()).flatten();
    let Some(policy) = policy else {
        return text.to_owned();
    };
    let name = |statement: &Value| {
        let (effect, sid) = (statement["Effect"].as_str(), statement["Sid"].as_str());
        format!("{} {}", effect.unwrap_or_default(), sid.unwrap_or("(unnamed)"))
    };
    let names: Vec<_> = policy["Statement"].as_array().into_iter().flatten().map(name).collect();
    names.join(", ")
}

fn nothing_told() -> Message {
    eprintln!("demo: expected an alert, and none came");
    std::process::exit(1)
}
