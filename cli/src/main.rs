//! `portcullis`: what the functions would do, seen from a desk. It links no SDK; only `guardrails check --live` calls
//! AWS, by the AWS CLI.

mod controls;
mod docs;
mod error;
mod guardrails;
mod lists;
mod policy;
mod records;
mod settings;
mod template;
mod triage;
mod trusted;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use error::{Error, REFUSED};

#[derive(Parser)]
#[command(
    name = "portcullis",
    version,
    max_term_width = 120,
    about = "Says what Portcullis does with an event, a setting or a resource, without AWS",
    after_help = "Exit status: 0, or 2 when something was refused, or 3 when there are warnings (settings check), or 1 when the command itself failed (policy: or a policy lets others in; guardrails evaluate: or a verdict is not the expected one)."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say where events lead: one JSON line an event, with its resources and the controls that it can break
    Triage(triage::Arguments),
    /// List all controls, or show the page of one
    Controls(controls::Arguments),
    /// Check settings, or explain what they mean for a resource
    #[command(subcommand)]
    Settings(settings::Command),
    /// Say whom resource policies, ACLs and sharing lists let in, why, and what would undo it: one JSON line a policy
    Policy(policy::Arguments),
    /// Write policies that prevent what would have to be put right: of an organisation, of IAM, of VPC endpoints
    Guardrails(Box<guardrails::Arguments>),
    /// Write docs/controls.md, the JSON schemas, template.yaml and lists from the code (for `make docs`)
    Docs(docs::Arguments),
    /// Print the completions of a shell, as in: source <(portcullis completion bash)
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Print template.yaml, put together from deploy/, functions/*/stack.yaml and the controls
    Template(template::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = match arguments.command {
        Command::Triage(arguments) => triage::run(&arguments, &mut out),
        Command::Controls(arguments) => controls::run(&arguments, &mut out),
        Command::Settings(command) => settings::run(&command, &mut out),
        Command::Policy(arguments) => policy::run(arguments, &mut out),
        Command::Guardrails(arguments) => guardrails::run(&arguments, &mut out),
        Command::Docs(arguments) => docs::run(&arguments, &mut out),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "portcullis", &mut script);
            out.write_all(&script).map(|()| ExitCode::SUCCESS).map_err(Error::from)
        }
        Command::Template(arguments) => template::run(&arguments, &mut out),
    };
    let done = done.and_then(|code| out.flush().map(|()| code).map_err(Error::from));
    match done {
        Ok(code) => code,
        // Whoever reads has read enough, as `head` does.
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Error::Json(error)) if error.io_error_kind() == Some(io::ErrorKind::BrokenPipe) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "portcullis: {error}");
            ExitCode::from(if matches!(error, Error::Refused(_)) { REFUSED } else { 1 })
        }
    }
}
