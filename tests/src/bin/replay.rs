//! Replays one event into the real function under cargo-lambda, on a local AWS, and shows what it did:
//! `make replay EVENT=events/s3/CreateBucket.json`.
//!
//! What the event names is made first, as insecure as the sample of its call has it, and the event names that. Everything listens
//! on loopback.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Seek as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use portcullis_testkit::{Endpoint, FunctionBuilder, LocalAws, Snapshot, World};
use portcullis_tests::{SERVICES, template};
use serde_json::Value;

/// How long `cargo lambda watch` may take to listen.
const LISTENING: Duration = Duration::from_secs(30);

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match replay().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("replay: {why}");
            ExitCode::from(2)
        }
    }
}

async fn replay() -> Result<(), Failure> {
    let endpoint = std::env::var("PORTCULLIS_LOCAL_AWS");
    let endpoint = endpoint.map_err(|_| "it runs on a local AWS, which `make replay` starts")?;
    let endpoint: Endpoint = endpoint.parse().map_err(|refused| format!("{refused}"))?;
    let path = std::env::args().nth(1).filter(|path| !path.is_empty());
    let path = path.ok_or("expected an event: make replay EVENT=events/s3/CreateBucket.json [MODE=notify]")?;
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let event: Value = serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    let record = event.get("detail").unwrap_or(&event);
    let source = record["eventSource"].as_str().unwrap_or_default();
    let service = SERVICES.iter().find(|service| service.source() == source);
    let service = service.ok_or_else(|| {
        let sources: Vec<_> = SERVICES
            .iter()
            .map(portcullis_testkit::ServiceUnderTest::source)
            .collect();
        format!("expected an event of {}, found one of {source:?}", sources.join(", "))
    })?;
    let account = event["account"].as_str().or(record["recipientAccountId"].as_str());
    let account = account.ok_or("expected the event's account, found none")?;
    let region = record["awsRegion"]
        .as_str()
        .ok_or("expected the event's awsRegion, found none")?;

    let world = World::of(LocalAws::of_account(endpoint, account).await, region).await;
    let (arranged, event) = service.staged(&world, &event).await?;
    title(&format!(
        "{} ({path})",
        record["eventName"].as_str().unwrap_or_default()
    ));
    let mut before = Vec::new();
    for one in &arranged {
        let (noun, id) = one.described();
        println!("  {noun} {id}");
        let snapshot = one.snapshot().await;
        show(&snapshot, |_, _| true);
        before.push(snapshot);
    }

    let name = service.function_name();
    let mode = std::env::var("MODE").unwrap_or_else(|_| "enforce".to_owned());
    // The same selection of packages, and so of features, as `cargo lambda watch` builds: it will find nothing left to do.
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--bin", &name])
        .current_dir(template::root())
        .status()?;
    if !built.success() {
        return Err(format!("{name} can't be built").into());
    }
    let mut watch = Watch::start(&world.function_of(&name).mode(&mode))?;
    let answer = watch.invoke(&name, &event)?;
    title("The function answered");
    let said = if answer.stdout.is_empty() {
        &answer.stderr
    } else {
        &answer.stdout
    };
    println!("{}", String::from_utf8_lossy(said).trim());
    if !answer.status.success() {
        return Err(watch.said().into());
    }

    title("What changed");
    let mut changed = 0;
    for (one, before) in arranged.iter().zip(&before) {
        let after = one.snapshot().await;
        changed += show(&after, |fact, value| before[fact] != *value);
    }
    if changed == 0 {
        println!("  nothing");
    }
    title("AWS calls");
    for call in world.aws.calls().await {
        let status = call
            .status
            .map_or_else(|| "---".to_owned(), |status| status.to_string());
        println!(
            "  {:38} {status}  {:5.1} ms",
            call.name(),
            call.ended_ms - call.started_ms
        );
    }
    for alert in world.alerts().await {
        title(&format!("Alert: {}", alert.subject));
        println!("  {}", alert.text.replace('\n', "\n  "));
    }
    Ok(())
}

/// Prints the facts that are wanted, and says how many there were.
fn show(snapshot: &Snapshot, wanted: impl Fn(&str, &String) -> bool) -> usize {
    let facts = snapshot.0.iter().filter(|(fact, value)| wanted(fact, value));
    facts.map(|(fact, value)| println!("  {fact:24} {value}")).count()
}

fn title(text: &str) {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()) {
        println!("\n\x1b[1m{text}\x1b[0m");
    } else {
        println!("\n{text}");
    }
}

/// `cargo lambda watch`, with the function in the event's account. Dropping it ends it.
struct Watch {
    process: Child,
    port: String,
    log: File,
}

impl Watch {
    fn start(function: &FunctionBuilder) -> Result<Self, Failure> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("portcullis-replay-{}", std::process::id()));
        let log = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&folder)?;
        std::fs::remove_file(&folder)?;
        // What Lambda sets is cargo-lambda's to set.
        let environment = function.environment().into_iter();
        let environment = environment.filter(|(name, _)| !name.starts_with("AWS_LAMBDA_") && name != "TZ");
        let process = Command::new("cargo")
            .args([
                "lambda",
                "watch",
                "--quiet",
                "--ignore-changes",
                "--wait",
                "--invoke-address",
                "127.0.0.1",
            ])
            .args(["--invoke-port", &port.to_string()])
            .current_dir(template::root())
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .spawn()?;
        let mut watch = Self {
            process,
            port: port.to_string(),
            log,
        };
        let began = Instant::now();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        while began.elapsed() < LISTENING && watch.process.try_wait()?.is_none() {
            if TcpStream::connect(address).is_ok() {
                return Ok(watch);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("cargo lambda watch did not start:\n{}", watch.said()).into())
    }

    fn said(&mut self) -> String {
        let mut text = Vec::new();
        let read = self.log.rewind().and_then(|()| self.log.read_to_end(&mut text));
        read.map_or_else(
            |error| error.to_string(),
            |_| String::from_utf8_lossy(&text).into_owned(),
        )
    }

    fn invoke(&self, function: &str, event: &Value) -> Result<Output, Failure> {
        let path = std::env::temp_dir().join(format!("portcullis-event-{}.json", std::process::id()));
        std::fs::write(&path, event.to_string())?;
        let answer = invoke(function, &path, &self.port);
        std::fs::remove_file(&path)?;
        Ok(answer?)
    }
}

fn invoke(function: &str, event: &Path, port: &str) -> std::io::Result<Output> {
    Command::new("cargo")
        .args(["lambda", "invoke", function, "--data-file"])
        .arg(event)
        .args(["--invoke-address", "127.0.0.1", "--invoke-port", port])
        .current_dir(template::root())
        .output()
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It passes the signal on to the function that it runs.
        let id = nix::unistd::Pid::from_raw(self.process.id().cast_signed());
        let ended = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        if ended.is_ok() {
            let _ = self.process.wait();
        }
    }
}
