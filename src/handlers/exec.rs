//! `exec`: runs a program per message, with the body as its standard input.
//!
//! The program is argv, never a shell. Its standard input is an anonymous file that holds the
//! whole body before it starts, so that it never sees half a message. Its run ends with its exit,
//! not with the end of its output: what it leaves behind in its process group has [`LINGER`] to
//! finish writing and is then killed, whatever the exit code was. A program that means to leave
//! something running gives it a session of its own (`setsid`).
//!
//! Exit code 0 is *done*, 65 (`EX_DATAERR`) *reject*, 75 (`EX_TEMPFAIL`) and everything else
//! *retry*; the last of its standard error goes into the reason. What the environment holds is
//! told in [`environment`], the file named by `LONGSHORE_MESSAGE` in [`input`].
//!
//! Its standard output is log, except for [`Program::collect`].

mod environment;
mod group;
mod input;
mod output;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Once};
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::config;
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;
use crate::handler::{BoxHandler, Delivery, Lease, Verdict};
use crate::message::{Body, Message};
use crate::outcome::{Outcome, Unavailable};
use crate::payload::Aside;
use environment::Environment;
use group::{Exited, Group};
use input::MessageFile;
use output::Output;

/// How long, after the exit, output of what is left of the process group is still waited for.
const LINGER: Duration = Duration::from_secs(1);
/// `EX_DATAERR`: the message itself is wrong.
const REJECT: i32 = 65;

pub(super) fn build(settings: &config::Exec, name: &str) -> Result<BoxHandler> {
    let program = Arc::new(Program::new(settings, Environment::of_daemon(settings), name)?);
    Ok(BoxHandler::new(name, move |delivery| run(Arc::clone(&program), delivery)))
}

/// A command that is run once per message.
pub(crate) struct Program {
    settings: config::Exec,
    environment: Environment,
    swept: Once,
}

/// One child, from its start to its end. Dropping it kills its process group; the runtime reaps.
struct Running {
    // Dropped first: while the child is not reaped, nobody else can have its process group's id.
    group: Group,
    child: Child,
    exited: Exited,
    output: (Option<ChildStdout>, Option<ChildStderr>),
    _file: MessageFile,
}

/// Dropping this future kills the process group at once.
async fn run(program: Arc<Program>, delivery: Delivery) -> Verdict {
    let running = program.started(&delivery).await?;
    Ok(match running {
        Ok(running) => running.finish(&delivery.lease, Output::new()).await.outcome(),
        Err(aborted) => aborted,
    })
}

impl Program {
    fn new(settings: &config::Exec, environment: Environment, name: &str) -> Result<Self> {
        if settings.command.first().is_none_or(String::is_empty) {
            let what = format!("the handler {name} has an empty command");
            return Err(Error::new(Kind::Settings, what)
                .hint("write command = [\"/path/to/program\", \"argument\"]"));
        }
        Ok(Self { settings: settings.clone(), environment, swept: Once::new() })
    }

    /// A command whose environment is this, and what the message adds.
    ///
    /// # Errors
    /// [`Kind::Settings`] for an empty command.
    pub(crate) fn within(
        command: Vec<String>,
        environment: Vec<(OsString, OsString)>,
    ) -> Result<Self> {
        let settings = config::Exec { command, environment: Vec::new(), directory: None };
        let environment = Environment::of(&settings, environment);
        Self::new(&settings, environment, "")
    }

    /// Runs it once; its standard output is log.
    ///
    /// Dropped midway, it is killed with its process group.
    pub(crate) async fn run(self: &Arc<Self>, delivery: Delivery) -> Verdict {
        run(Arc::clone(self), delivery).await
    }

    /// Runs it once, and gives what it printed on standard output if it was *done* and had come to
    /// an end with that; otherwise the outcome. Up to `most` bytes are held, in a file without a
    /// name, and nobody looks at them before.
    ///
    /// Dropped midway, it is killed with its process group.
    ///
    /// # Errors
    /// Where it could not be started.
    pub(crate) async fn collect(
        self: &Arc<Self>,
        delivery: &Delivery,
        most: u64,
        blocking: Blocking,
    ) -> std::result::Result<std::result::Result<Body, Outcome>, Unavailable> {
        let running = match self.started(delivery).await? {
            Ok(running) => running,
            Err(aborted) => return Ok(Err(aborted)),
        };
        let output = Output::holding(Aside::new(most, blocking));
        let ended = running.finish(&delivery.lease, output).await;
        Ok(match (ended.outcome(), ended.printed) {
            // It may have failed only because nobody took what it printed.
            (Outcome::Done | Outcome::Retry { .. }, Some(Err(error))) => {
                Err(Outcome::retry(format!("what it printed cannot be used: {error}")))
            }
            (Outcome::Done, Some(Ok(_)) | None) if !ended.is_whole => Err(Outcome::retry(
                "it left something running that could still print; what it printed is not whole",
            )),
            (Outcome::Done, printed) => Ok(printed.and_then(Result::ok).unwrap_or(Body::from(""))),
            (outcome, _) => Err(outcome),
        })
    }

    /// The command at work; or the outcome where the daemon goes down.
    async fn started(
        self: &Arc<Self>,
        delivery: &Delivery,
    ) -> std::result::Result<std::result::Result<Running, Outcome>, Unavailable> {
        let (program, message) = (Arc::clone(self), Arc::clone(&delivery.message));
        match tokio::task::spawn_blocking(move || program.start(&message)).await {
            Ok(started) => started.map(Ok),
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => Ok(Err(Outcome::retry_after(Duration::ZERO, "aborted"))),
            },
        }
    }

    /// Blocks for the few file-system calls that it needs; inside a runtime only.
    fn start(&self, message: &Message) -> std::result::Result<Running, Unavailable> {
        self.swept.call_once(input::sweep);
        let cannot = |what: &str, error: io::Error| {
            Unavailable::new(format!("cannot start {}: {what}: {error}", self.name()))
        };
        let body = input::of_body(&message.body)
            .map_err(|error| cannot("the anonymous file for its standard input", error))?;
        let file = MessageFile::write(message)
            .map_err(|error| cannot("the file for LONGSHORE_MESSAGE", error))?;
        let mut command = self.command(message, &file);
        let mut child = command.stdin(body).spawn().map_err(|error| self.not_started(&error))?;
        let (group, exited) = group::watch(&child).map_err(|error| cannot("its end", error))?;
        let output = (child.stdout.take(), child.stderr.take());
        Ok(Running { group, child, exited, output, _file: file })
    }

    fn command(&self, message: &Message, file: &MessageFile) -> Command {
        let mut command = Command::new(self.name());
        command
            .args(self.settings.command.iter().skip(1))
            .env_clear()
            .envs(self.environment.of_message(message, file.path()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(directory) = &self.settings.directory {
            command.current_dir(directory);
        }
        command
    }

    /// Whatever the reason, it is the handler's fault or the host's, never the message's.
    fn not_started(&self, error: &io::Error) -> Unavailable {
        let hint = match &self.settings.directory {
            Some(directory) if !directory.is_dir() => {
                format!("; its directory {} is not there", directory.display())
            }
            _ if error.kind() == ErrorKind::NotFound && self.name().contains('/') => {
                "; the file, or the interpreter named in its first line, is missing".to_owned()
            }
            _ => String::new(),
        };
        Unavailable::new(format!("cannot start {}: {error}{hint}", self.name()))
    }

    fn name(&self) -> &str {
        self.settings.command.first().map_or("", String::as_str)
    }
}

impl Running {
    async fn finish(mut self, lease: &Lease, mut output: Output) -> Ended {
        let mut is_whole = true;
        {
            let (stdout, stderr) = self.output;
            let drained = output.drain(stdout, stderr);
            tokio::pin!(drained);
            let (mut is_told, mut is_dry) = (false, false);
            loop {
                tokio::select! {
                    biased;
                    () = self.exited.wait() => break,
                    () = &mut drained, if !is_dry => is_dry = true,
                    () = lease.ended(), if !is_told => {
                        is_told = true;
                        self.group.signal(Signal::TERM);
                    }
                }
            }
            if !is_dry {
                // What holds the pipe open longer than that is killed below.
                is_whole = tokio::time::timeout(LINGER, drained).await.is_ok();
            }
        }
        self.group.kill();
        let status = self.child.wait().await;
        let printed = output.take_aside();
        Ended { status, printed, is_whole, last_words: output.finish() }
    }
}

/// How a run ended.
struct Ended {
    status: io::Result<ExitStatus>,
    /// Its standard output, where that is data.
    printed: Option<Result<Body>>,
    /// Nobody could print any more.
    is_whole: bool,
    last_words: String,
}

impl Ended {
    fn outcome(&self) -> Outcome {
        match &self.status {
            Ok(status) => outcome(*status, &self.last_words),
            Err(error) => Outcome::retry(format!("how the command ended is not known: {error}")),
        }
    }
}

fn outcome(status: ExitStatus, last_words: &str) -> Outcome {
    let ended = match status.code() {
        Some(0) => return Outcome::Done,
        Some(code) => format!("exited with {code}"),
        None => format!("was ended by {status}"),
    };
    let reason = if last_words.is_empty() { ended } else { format!("{ended}: {last_words}") };
    match status.code() {
        Some(REJECT) => Outcome::reject(reason),
        _ => Outcome::retry(reason),
    }
}

#[cfg(test)]
mod tests;
