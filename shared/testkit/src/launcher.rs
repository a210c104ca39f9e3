//! Starts a local AWS where nobody has started one.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::Endpoint;

/// How long the launcher may take to be ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// A local AWS that lives as long as this process: it ends when its standard input does, and the system closes that
/// even if the test is killed.
#[derive(Debug)]
struct Launched {
    endpoint: Endpoint,
    #[expect(dead_code, reason = "held for its standard input")]
    process: Child,
}

/// The local AWS of this process, started by whoever asks first.
static SHARED: OnceCell<Launched> = OnceCell::const_new();

/// The endpoint that `PORTCULLIS_LOCAL_AWS` names, or that of a local AWS started for this process.
pub async fn endpoint() -> Result<Endpoint, String> {
    if let Ok(url) = std::env::var("PORTCULLIS_LOCAL_AWS") {
        return url
            .parse()
            .map_err(|refused| format!("PORTCULLIS_LOCAL_AWS: {refused}"));
    }
    let launched = SHARED
        .get_or_try_init(|| async {
            let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            let (python, script) = (
                workspace.join(".tools/venv/bin/python"),
                workspace.join("tools/moto_launch.py"),
            );
            let starting = tokio::task::spawn_blocking(move || launch(&python, &script));
            starting.await.map_err(|e| format!("starting the local AWS: {e}"))?
        })
        .await?;
    Ok(launched.endpoint)
}

fn launch(python: &Path, script: &Path) -> Result<Launched, String> {
    for needed in [python, script] {
        if !needed.exists() {
            return Err(format!(
                "no local AWS: {} is missing. `tools/install test` installs it; or name a running one in \
                 PORTCULLIS_LOCAL_AWS=http://127.0.0.1:PORT",
                needed.display()
            ));
        }
    }
    let mut process = Command::new(python)
        .arg(script)
        .args(["0", "--with-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{}: {e}", python.display()))?;

    let (send, lines) = mpsc::channel();
    let stdout = BufReader::new(process.stdout.take().expect("piped"));
    let stderr = BufReader::new(process.stderr.take().expect("piped"));
    // Both pipes are read to their end, so that the launcher never blocks on a full one.
    forward(stdout, send.clone());
    forward(stderr, send);

    let mut said = Vec::new();
    while let Ok(line) = lines.recv_timeout(PATIENCE) {
        if let Some(Ok(port)) = line.strip_prefix("ready ").map(|port| port.trim().parse()) {
            return Ok(Launched {
                endpoint: Endpoint::local(port),
                process,
            });
        }
        said.push(line);
    }
    let _ = process.kill();
    let _ = process.wait();
    Err(format!("the local AWS did not start; it said:\n{}", said.join("\n")))
}

/// Passes lines on while somebody listens, and goes on reading when nobody does.
fn forward(from: BufReader<impl Read + Send + 'static>, to: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in from.lines().map_while(Result::ok) {
            let _ = to.send(line);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Launches this shell script in place of the launcher.
    fn launch_script(text: &str) -> Result<Launched, String> {
        let script = std::env::temp_dir().join(format!("portcullis-{}.sh", crate::random::uuid()));
        std::fs::write(&script, text).unwrap();
        let launched = launch(Path::new("/bin/sh"), &script);
        std::fs::remove_file(&script).unwrap();
        launched
    }

    #[test]
    fn the_port_is_read_from_among_other_lines_and_the_end_of_input_is_the_end() {
        let end = std::env::temp_dir().join(format!("portcullis-{}", crate::random::uuid()));
        let script = format!("echo warning >&2; echo ready 4567; read line; touch {}", end.display());
        let launched = launch_script(&script).unwrap();
        assert_eq!(launched.endpoint, Endpoint::local(4567));
        assert!(!end.exists());
        drop(launched);
        while !end.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::fs::remove_file(&end).unwrap();
    }

    #[test]
    fn a_failed_start_tells_what_was_said() {
        let why = launch_script("echo no such module >&2; exit 1").unwrap_err();
        assert!(why.contains("did not start") && why.contains("no such module"), "{why}");
        let why = launch(Path::new("/nonexistent/python"), Path::new("/")).unwrap_err();
        assert!(
            why.contains("/nonexistent/python is missing") && why.contains("PORTCULLIS_LOCAL_AWS"),
            "{why}"
        );
    }
}
