//! The CPU share that Lambda gives: one vCPU at 1,769 MB, in proportion below
//! (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>).

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sides::cpu_clock;

/// The scheduler's period. Short, so that a process is slowed down evenly.
const PERIOD: Duration = Duration::from_millis(20);

/// A limit on the CPU of processes.
#[derive(Debug)]
pub enum Share {
    /// A control group. It goes when this is dropped.
    Group(PathBuf),
    /// Where there can be none: so much CPU a period, beyond which a process is stopped until the next; and why.
    Emulated(Duration, String),
}

impl Share {
    /// The share of this memory size.
    pub fn of(memory_mb: u32) -> Self {
        let quota = PERIOD * memory_mb / 1_769;
        Self::group(memory_mb, quota).unwrap_or_else(|why| Self::Emulated(quota, why))
    }

    /// How it is limited.
    pub fn how(&self) -> String {
        match self {
            Self::Group(_) => "by a control group".to_owned(),
            Self::Emulated(_, why) => format!("emulated, by stopping the process when its share is used up ({why})"),
        }
    }

    fn group(memory_mb: u32, quota: Duration) -> Result<Self, String> {
        let name = format!("portcullis-bench-{}-{memory_mb}", std::process::id());
        let (quota, period) = (quota.as_micros().to_string(), PERIOD.as_micros().to_string());
        let v1 = Path::new("/sys/fs/cgroup/cpu");
        let (folder, settings) = if v1.is_dir() {
            let settings = vec![("cpu.cfs_period_us", period), ("cpu.cfs_quota_us", quota)];
            (v1.join(name), settings)
        } else {
            let settings = vec![("cpu.max", format!("{quota} {period}"))];
            (Path::new("/sys/fs/cgroup").join(name), settings)
        };
        let refused = |e: std::io::Error| format!("no control group for the CPU: {e}");
        fs::create_dir(&folder).map_err(refused)?;
        let share = Self::Group(folder.clone());
        for (file, value) in settings {
            fs::write(folder.join(file), value).map_err(refused)?;
        }
        Ok(share)
    }

    /// Puts a process under it.
    pub fn limit(&self, pid: u32) {
        match self {
            Self::Group(folder) => fs::write(folder.join("cgroup.procs"), pid.to_string())
                .expect("bench: a process joins the control group"),
            Self::Emulated(quota, _) => {
                let quota = *quota;
                // Ends with the process.
                thread::spawn(move || emulate(pid, quota));
            }
        }
    }
}

/// Stops a process for the rest of each period in which it has used up its share; what it took too much is owed.
fn emulate(pid: u32, quota: Duration) {
    let process = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    let clock = cpu_clock(pid);
    let used = || clock.now().ok().map(Duration::from);
    let mut allowed = Duration::ZERO;
    while let Some(at_first) = used() {
        allowed = if allowed.is_zero() {
            at_first
        } else {
            allowed.min(at_first)
        } + quota;
        let end = Instant::now() + PERIOD;
        while Instant::now() < end {
            if used().is_some_and(|used| used >= allowed) && kill(process, Signal::SIGSTOP).is_ok() {
                thread::sleep(end.saturating_duration_since(Instant::now()));
                // It may have been killed meanwhile.
                kill(process, Signal::SIGCONT).ok();
            } else {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Self::Group(folder) = self else { return };
        // A process that was just killed may be in it a moment longer.
        for _ in 0..100 {
            if fs::remove_dir(&folder).is_ok() {
                break;
            }
            thread::sleep(PERIOD);
        }
    }
}
