//! The real Lambda binary, run as Lambda runs it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::local_aws::REGION;
use crate::{Answer, Call, Deployment, Endpoint, FunctionError, LambdaRuntime, LocalAws, Payload, random};

/// How long a function may take to ask for its first event: Lambda's own limit.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// Says how a function is to be started: [`Function::new`] begins, [`FunctionBuilder::start`] ends.
#[derive(Debug, Clone)]
#[must_use = "nothing runs before start()"]
pub struct FunctionBuilder {
    name: String,
    aws: LocalAws,
    binary: Option<PathBuf>,
    region: String,
    memory_mb: u32,
    timeout: Duration,
    environment: BTreeMap<String, Option<String>>,
}

impl FunctionBuilder {
    /// Runs this binary, such as a release build, instead of the one that was built with the tests.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// Uses this ledger and this topic.
    pub fn deployment(self, deployment: &Deployment) -> Self {
        self.env("PORTCULLIS_LEDGER_TABLE", &deployment.table)
            .env("PORTCULLIS_TOPIC_ARN", &deployment.topic_arn)
    }

    /// The mode that the stack sets: `notify` or `enforce`.
    pub fn mode(self, mode: &str) -> Self {
        self.env("PORTCULLIS_MODE", mode)
    }

    /// Runs in this region instead of us-east-1.
    pub fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// What Lambda says the memory size is; nothing limits the process to it.
    pub fn memory_mb(mut self, memory_mb: u32) -> Self {
        self.memory_mb = memory_mb;
        self
    }

    /// How long one invocation may take before Lambda kills the function; 30 seconds unless told otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets a variable of the environment, over what the kit sets.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), Some(value.into()));
        self
    }

    /// Takes a variable out of the environment that the kit sets.
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.insert(name.to_owned(), None);
        self
    }

    /// Starts the function and waits until it asks for its first event.
    ///
    /// # Panics
    /// If it does not come so far; the message holds what it printed.
    pub async fn start(self) -> Function {
        self.try_start().await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// As [`FunctionBuilder::start`], for tests of functions that refuse to start.
    pub async fn try_start(self) -> Result<Function, FunctionError> {
        let binary = self.binary.clone().unwrap_or_else(|| built_binary(&self.name));
        assert!(
            binary.is_file(),
            "{} is missing: `cargo build --workspace --bins` builds it (with --release for a release test), or name its \
             directory in PORTCULLIS_BIN_DIR",
            binary.display()
        );
        let function = Function {
            environment: self.environment(),
            arn: format!(
                "arn:aws:lambda:{}:{}:function:{}",
                self.region,
                self.aws.account(),
                self.name
            ),
            aws: self.aws,
            binary,
            timeout: self.timeout,
            log: Log::open(),
            turn: tokio::sync::Mutex::default(),
            sandbox: Mutex::default(),
        };
        function.ready().await?;
        Ok(function)
    }

    /// Lambda's environment, then ours, then the caller's.
    ///
    /// # Panics
    /// If the function could reach another AWS than the local one.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let keys = self.aws.function_keys();
        let mut environment: BTreeMap<String, String> = [
            ("AWS_LAMBDA_FUNCTION_NAME", self.name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory_mb.to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.name)),
            (
                "AWS_LAMBDA_LOG_STREAM_NAME",
                "2026/01/01/[$LATEST]0123456789abcdef".to_owned(),
            ),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_ACCESS_KEY_ID", keys.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", keys.secret.clone()),
            ("AWS_SESSION_TOKEN", keys.token.clone()),
            ("AWS_ENDPOINT_URL", self.aws.endpoint().to_string()),
            // Not Lambda's: no credentials are looked for anywhere but in these variables.
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("TZ", ":UTC".to_owned()),
            ("PORTCULLIS_MODE", "notify".to_owned()),
            ("PORTCULLIS_ROLE_ARN", self.aws.role_arn()),
            // The group that every account has.
            ("PORTCULLIS_SCHEDULE_GROUP", "default".to_owned()),
            (
                "PORTCULLIS_SCHEDULE_ROLE_ARN",
                format!("arn:aws:iam::{}:role/scheduler", self.aws.account()),
            ),
            (
                "PORTCULLIS_QUEUE_URL",
                format!(
                    "https://sqs.{}.amazonaws.com/{}/events",
                    self.region,
                    self.aws.account()
                ),
            ),
            (
                "PORTCULLIS_QUEUE_DEAD_LETTERS_URL",
                format!(
                    "https://sqs.{}.amazonaws.com/{}/events-dead-letters",
                    self.region,
                    self.aws.account()
                ),
            ),
            (
                "PORTCULLIS_DEAD_LETTERS_ARN",
                format!("arn:aws:sqs:{}:{}:dead-letters", self.region, self.aws.account()),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in &self.environment {
            match value {
                Some(value) => environment.insert(name.clone(), value.clone()),
                None => environment.remove(name),
            };
        }
        refuse_real_aws(&environment);
        environment
    }
}

/// A function without an endpoint, or with one elsewhere, would talk to AWS.
fn refuse_real_aws(environment: &BTreeMap<String, String>) {
    assert!(
        environment.contains_key("AWS_ENDPOINT_URL"),
        "refused: without AWS_ENDPOINT_URL the function would call AWS"
    );
    for (name, url) in environment
        .iter()
        .filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL"))
    {
        if let Err(refused) = url.parse::<Endpoint>() {
            panic!("{name}: {refused}");
        }
    }
}

/// Where cargo puts a binary: beside the directory of the test executables.
fn built_binary(name: &str) -> PathBuf {
    if let Ok(directory) = std::env::var("PORTCULLIS_BIN_DIR") {
        return Path::new(&directory).join(name);
    }
    let this = std::env::current_exe().expect("the path of the test executable");
    let directory = this.parent().expect("an executable has a directory");
    // Tests lie in `deps` (or `examples`) of the directory where binaries lie.
    let directory = if directory.ends_with("deps") || directory.ends_with("examples") {
        directory.parent().expect("deps has a parent")
    } else {
        directory
    };
    directory.join(name)
}

/// One Lambda function: the real binary in a sandbox, one event at a time.
///
/// As in Lambda, a process that ended is replaced when the next event comes. Dropping the function kills its process.
/// For two sandboxes of one function, start two in the same [`LocalAws`]; they share a list of calls.
#[derive(Debug)]
pub struct Function {
    aws: LocalAws,
    arn: String,
    binary: PathBuf,
    environment: BTreeMap<String, String>,
    timeout: Duration,
    log: Log,
    turn: tokio::sync::Mutex<()>,
    sandbox: Mutex<Option<Arc<Sandbox>>>,
}

/// What came of one invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What the function answered, or how it failed.
    pub result: Answer,
    /// The request id that it was invoked with.
    pub request_id: String,
    /// From handing the event out to its answer.
    pub duration: Duration,
    /// The calls that the function made meanwhile.
    pub calls: Vec<Call>,
    /// The lines that the function printed meanwhile.
    pub logs: Vec<String>,
    /// What it was invoked with, for [`Function::retry`].
    payload: Payload,
}

/// How long a process took to come to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColdStart {
    /// From starting the process to its asking for the first event.
    pub to_next: Duration,
    /// The same plus the first invocation's duration, once there was one.
    pub to_first_answer: Option<Duration>,
}

impl Function {
    /// Describes the function whose binary has this name, in this account. In notify mode unless told otherwise.
    #[expect(clippy::new_ret_no_self, reason = "Function::new(…).start() reads as what it does")]
    pub fn new(name: &str, aws: &LocalAws) -> FunctionBuilder {
        FunctionBuilder {
            name: name.to_owned(),
            aws: aws.clone(),
            binary: None,
            region: REGION.to_owned(),
            memory_mb: 256,
            timeout: Duration::from_secs(30),
            environment: BTreeMap::new(),
        }
    }

    /// The ARN under which the function is invoked.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Sends an event and waits for the answer.
    pub async fn invoke(&self, payload: impl Into<Payload>) -> Invocation {
        self.invoke_as(&random::uuid(), payload).await
    }

    /// Sends the same event under the same request id again, as Lambda does when an asynchronous invocation failed.
    pub async fn retry(&self, invocation: &Invocation) -> Invocation {
        self.invoke_as(&invocation.request_id, invocation.payload.clone()).await
    }

    /// Sends an event under a request id of the caller's choice.
    pub async fn invoke_as(&self, request_id: &str, payload: impl Into<Payload>) -> Invocation {
        let _turn = self.turn.lock().await;
        let payload = payload.into();
        let calls_before = self.aws.calls().await.len();
        let log_before = self.log.length();
        let (result, duration) = match self.ready().await {
            Ok(sandbox) => sandbox.run(request_id, &payload, self.timeout).await,
            Err(why) => (Err(why), Duration::ZERO),
        };
        Invocation {
            result,
            request_id: request_id.to_owned(),
            duration,
            calls: self.aws.calls_after(calls_before).await,
            logs: self.log.lines_from(log_before),
            payload,
        }
    }

    /// Kills the process (SIGKILL), also in the middle of an invocation, and waits until it is gone.
    pub async fn kill(&self) {
        let sandbox = self.sandbox.lock().unwrap().take();
        if let Some(sandbox) = sandbox {
            sandbox.kill().await;
        }
    }

    /// How long the present process took to come to work.
    pub fn cold_start(&self) -> Option<ColdStart> {
        self.sandbox.lock().unwrap().as_ref()?.cold_start()
    }

    /// The id of the present process.
    pub fn pid(&self) -> Option<u32> {
        Some(self.sandbox.lock().unwrap().as_ref()?.pid)
    }

    /// The most memory that the present process has held, in KiB, where the system tells (Linux).
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let pid = self.pid()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    /// All lines that the function printed so far.
    pub fn logs(&self) -> Vec<String> {
        self.log.lines_from(0)
    }

    /// The living sandbox, or a new one that has asked for its first event.
    async fn ready(&self) -> Result<Arc<Sandbox>, FunctionError> {
        let present = self.sandbox.lock().unwrap().clone();
        if let Some(sandbox) = present.filter(|sandbox| sandbox.exited.borrow().is_none()) {
            return Ok(sandbox);
        }
        let log_before = self.log.length();
        let sandbox = Arc::new(Sandbox::start(&self.binary, &self.arn, &self.environment, &self.log).await);
        *self.sandbox.lock().unwrap() = Some(Arc::clone(&sandbox));
        sandbox.initialised().await.map_err(|mut why| {
            let printed = self.log.lines_from(log_before).join("\n");
            why.message = format!("{}; it printed:\n{printed}", why.message);
            why
        })?;
        Ok(sandbox)
    }
}

/// One process of the function, with a runtime API of its own: a stale connection can't take the next one's event.
#[derive(Debug)]
struct Sandbox {
    runtime: LambdaRuntime,
    spawned: Instant,
    pid: u32,
    first_run: Mutex<Option<Duration>>,
    exited: watch::Receiver<Option<String>>,
    kill: Arc<Notify>,
    keeper: JoinHandle<()>,
}

impl Sandbox {
    async fn start(binary: &Path, arn: &str, environment: &BTreeMap<String, String>, log: &Log) -> Self {
        let runtime = LambdaRuntime::start(arn).await;
        let spawned = Instant::now();
        let child = Command::new(binary)
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", runtime.address().to_string())
            .stdin(Stdio::null())
            .stdout(log.writer())
            .stderr(log.writer())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", binary.display()));
        let pid = child.id().expect("not yet waited for");
        let kill = Arc::new(Notify::new());
        let (exit, exited) = watch::channel(None);
        let keeper = tokio::spawn(keep(child, Arc::clone(&kill), exit));
        Self {
            runtime,
            spawned,
            pid,
            first_run: Mutex::default(),
            exited,
            kill,
            keeper,
        }
    }

    /// Waits until the process asks for an event.
    async fn initialised(&self) -> Result<(), FunctionError> {
        tokio::select! {
            biased;
            error = self.runtime.init_error() => Err(error),
            () = self.runtime.polled(1) => Ok(()),
            error = self.exit() => Err(error),
            () = tokio::time::sleep(INIT_LIMIT) => {
                self.kill().await;
                Err(FunctionError::new("Sandbox.Timedout", format!("not ready within {INIT_LIMIT:?}")))
            }
        }
    }

    /// Runs one event to its end, and says how long it took to be answered.
    async fn run(&self, request_id: &str, payload: &Payload, timeout: Duration) -> (Answer, Duration) {
        let polls = self.runtime.polls();
        let began = Instant::now();
        let answered = self
            .runtime
            .submit(request_id, payload.clone(), SystemTime::now() + timeout);
        let answer = tokio::select! {
            biased;
            Ok(answer) = answered => answer,
            error = self.exit() => Err(error),
            () = tokio::time::sleep(timeout) => {
                self.kill().await;
                let message = format!("{request_id} timed out after {timeout:?}");
                Err(FunctionError::new("Sandbox.Timedout", message))
            }
        };
        let duration = began.elapsed();
        self.first_run.lock().unwrap().get_or_insert(duration);
        // What the function does after its answer still belongs to this event; it is done when it asks for the next.
        tokio::select! {
            () = self.runtime.polled(polls + 1) => {}
            _ = self.exit() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        (answer, duration)
    }

    /// Waits until the process has ended, and tells it as Lambda does.
    async fn exit(&self) -> FunctionError {
        let mut exited = self.exited.clone();
        let status = exited
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|status| status.clone());
        FunctionError::new(
            "Runtime.ExitError",
            format!("the process ended: {}", status.unwrap_or_default()),
        )
    }

    async fn kill(&self) {
        self.kill.notify_one();
        self.exit().await;
    }

    fn cold_start(&self) -> Option<ColdStart> {
        let to_next = self.runtime.first_poll()? - self.spawned;
        let to_first_answer = self.first_run.lock().unwrap().map(|first| to_next + first);
        Some(ColdStart {
            to_next,
            to_first_answer,
        })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The keeper owns the process, which is killed when the keeper is dropped.
        self.keeper.abort();
    }
}

/// Owns the process, and tells when it has ended.
async fn keep(mut child: Child, kill: Arc<Notify>, exited: watch::Sender<Option<String>>) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.notified() => match child.kill().await {
            Ok(()) => child.wait().await,
            Err(e) => Err(e),
        },
    };
    exited.send_replace(Some(status.map_or_else(|e| e.to_string(), |status| status.to_string())));
}

/// What the processes of a function print. A file rather than a pipe: once an answer is there, everything printed before
/// it is too, and nothing is lost when a process is killed.
#[derive(Debug)]
struct Log(File);

impl Log {
    fn open() -> Self {
        let path = std::env::temp_dir().join(format!("portcullis-{}.log", random::uuid()));
        let file = File::options().create_new(true).read(true).append(true).open(&path);
        let file = file.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        // Only the open file is needed; without a name it goes with the last of its handles.
        std::fs::remove_file(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self(file)
    }

    fn writer(&self) -> File {
        self.0.try_clone().expect("another handle of the log")
    }

    fn length(&self) -> u64 {
        self.0.metadata().expect("the log's length").len()
    }

    fn lines_from(&self, offset: u64) -> Vec<String> {
        let mut bytes = vec![0; usize::try_from(self.length() - offset).expect("a log that fits into memory")];
        self.0.read_exact_at(&mut bytes, offset).expect("read the log");
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}
