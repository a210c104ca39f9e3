//! Who is measured: our release binaries, and Cloud Custodian as its own Lambda builder packages it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use portcullis_testkit::{Function, FunctionBuilder};

use crate::scenes::Scene;

/// As long as Cloud Custodian gives its functions: no event is cut off.
const TIMEOUT: Duration = Duration::from_mins(15);
/// One bundle instead of a walk through a directory of certificates, as the template sets it.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// What is set but the defaults: more remedies an hour than a bench makes, counted all the same.
const SETTINGS: &str = "budget: {disruptive-per-hour: 1000000}";

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Ours,
    Theirs,
}

/// Where everything lies.
#[derive(Debug)]
pub struct Places {
    /// The folder of our release binaries.
    pub release: PathBuf,
    /// The root of the repository.
    pub root: PathBuf,
    /// A folder for packages, of this run alone.
    pub work: PathBuf,
}

impl Places {
    /// An environment that has Cloud Custodian, and AWS's client of the runtime API.
    pub fn python(&self) -> PathBuf {
        self.root.join(".tools/bench/bin/python")
    }

    /// Our function for a scene.
    pub fn ours(&self, scene: &Scene) -> FunctionBuilder {
        let name = scene.function();
        Function::new(&name, &scene.world.aws)
            .deployment(&scene.world.stack)
            .mode("enforce")
            .timeout(TIMEOUT)
            .binary(self.release.join(name))
            .env("PORTCULLIS_SETTINGS", SETTINGS)
            .env("SSL_CERT_FILE", BUNDLE)
    }

    /// The least function of the same runtime.
    pub fn hello(&self, scene: &Scene) -> FunctionBuilder {
        Function::new("portcullis-hello", &scene.world.aws).binary(self.release.join("portcullis-hello"))
    }

    /// Packages Cloud Custodian with the policy of a scene.
    pub fn package(&self, scene: &Scene) -> Package {
        let folder = self.work.join(scene.world.aws.unique("task"));
        fs::create_dir_all(&folder).expect("bench: a folder for the package");
        let mut builder = Command::new(self.python())
            .arg(self.root.join("tools/bench_package.py"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bench: expected `tools/install bench` to have been run");
        let policy = scene.policy(&folder.join("output")).to_string();
        builder
            .stdin
            .take()
            .expect("piped")
            .write_all(policy.as_bytes())
            .expect("bench: the builder reads the policy");
        let built = builder.wait_with_output().expect("bench: the builder ends");
        assert!(built.status.success(), "bench: Cloud Custodian refused {policy}");
        // As on Lambda: AWS's client runs in the folder of the package, which is on Python's path.
        let bootstrap = folder.join("bootstrap");
        let script = format!(
            "#!/bin/sh\ncd '{}' && exec '{}' -m awslambdaric custodian_policy.run\n",
            folder.display(),
            self.python().display()
        );
        fs::write(&bootstrap, script).expect("bench: the bootstrap can be written");
        fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).expect("bench: … and made executable");
        let bytes = String::from_utf8_lossy(&built.stdout)
            .trim()
            .parse()
            .unwrap_or_default();
        Package { folder, bytes }
    }
}

/// An unpacked package of Cloud Custodian.
#[derive(Debug)]
pub struct Package {
    folder: PathBuf,
    /// The size of the archive.
    pub bytes: u64,
}

impl Package {
    /// Cloud Custodian's function for a scene. Its builder packs no bytecode, and where Lambda unpacks it nothing can be
    /// written: each cold start compiles it. `compiled` lets it find bytecode, which its builder does not offer.
    pub fn function(&self, scene: &Scene, compiled: bool) -> FunctionBuilder {
        let task = self.folder.display().to_string();
        let function = Function::new("custodian-bench", &scene.world.aws)
            .timeout(TIMEOUT)
            .memory_mb(512)
            .binary(self.folder.join("bootstrap"))
            .env("LAMBDA_TASK_ROOT", &task)
            .env("_HANDLER", "custodian_policy.run")
            .env("PYTHONPATH", &task)
            // Its best: the event is not printed.
            .env("C7N_DEBUG_EVENT", "no");
        if compiled {
            function.env(
                "PYTHONPYCACHEPREFIX",
                self.folder.join("bytecode").display().to_string(),
            )
        } else {
            function.env("PYTHONDONTWRITEBYTECODE", "1")
        }
    }
}

/// The CPU time of a process, its threads together.
pub fn cpu_of(function: &Function) -> Duration {
    let clock = cpu_clock(function.pid().expect("bench: the process runs"));
    clock.now().expect("bench: the CPU clock can be read").into()
}

/// What counts it.
pub fn cpu_clock(pid: u32) -> ClockId {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    clock_getcpuclockid(pid).expect("bench: the CPU clock of a process")
}

/// The size of a file.
pub fn size(file: &Path) -> u64 {
    fs::metadata(file).expect("bench: a release binary is missing").len()
}
