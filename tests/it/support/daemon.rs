//! The real binary as a child: started in a clean environment, watched, stopped, killed.
//!
//! Dropping a `Daemon` kills it, so that a failed assertion leaves nothing running.

use super::{eventually, lines::Lines};
use std::{
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// The user and group `nobody` of Debian: root passes every check of permission, nobody does not.
pub(crate) const NOBODY: u32 = 65_534;

/// A command line for the binary, before it runs.
pub(crate) struct Launch {
    command: Command,
    directory: TempDir,
}

/// A running (or ended) binary with a directory of its own.
pub(crate) struct Daemon {
    child: Child,
    directory: Option<TempDir>,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

/// What a program that has ended left behind.
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    directory: TempDir,
}

impl Finished {
    /// Its working directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Everything it wrote.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Asserts how it ended, that it told all of this, and that it neither panicked nor showed the
    /// inside of an error.
    pub(crate) fn expect(self, code: i32, told: &[&str]) -> Finished {
        let said = self.said();
        assert_eq!(self.code, code, "{said}");
        for told in told {
            assert!(said.contains(told), "{told:?} is not in:\n{said}");
        }
        assert_is_for_people(&said);
        self
    }
}

/// No text for a person holds a backtrace, or an error as its programmer sees it.
pub(crate) fn assert_is_for_people(said: &str) {
    for inside in ["panicked", "backtrace", "DispatchFailure", "Some(", "{ "] {
        assert!(!said.contains(inside), "{inside:?} is in:\n{said}");
    }
}

/// Prepares `longshore ARGS…` with nothing of this process's environment but PATH, with a fresh
/// working directory that is also its HOME and state directory, and with AWS test credentials.
pub(crate) fn longshore<const N: usize>(args: [&str; N]) -> Launch {
    program(Path::new(env!("CARGO_BIN_EXE_longshore")), args)
}

/// The same for any program.
pub(crate) fn program<const N: usize>(path: &Path, args: [&str; N]) -> Launch {
    let directory = TempDir::new().unwrap();
    let mut command = Command::new(path);
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LANG", "C.UTF-8")
        .env("HOME", directory.path())
        .env("STATE_DIRECTORY", directory.path().join("state"))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Launch { command, directory }
}

impl Launch {
    /// The directory the program will run in.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Adds arguments behind those it has.
    pub(crate) fn args(mut self, args: &[&str]) -> Launch {
        self.command.args(args);
        self
    }

    /// Adds or replaces one variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Launch {
        self.command.env(name, value);
        self
    }

    /// Takes one variable out of its environment.
    pub(crate) fn without(mut self, name: &str) -> Launch {
        self.command.env_remove(name);
        self
    }

    /// Runs it in this directory instead of its own.
    pub(crate) fn at(mut self, directory: &Path) -> Launch {
        self.command.current_dir(directory);
        self
    }

    /// Writes a file into its own directory first.
    pub(crate) fn file(self, name: &str, text: &str) -> Launch {
        std::fs::write(self.directory.path().join(name), text).unwrap();
        self
    }

    /// Gives it a standard input; `Daemon::input` writes to it.
    pub(crate) fn piped(mut self) -> Launch {
        self.command.stdin(Stdio::piped());
        self
    }

    /// Runs it to its end.
    pub(crate) fn finish(mut self) -> Finished {
        let output = self.command.output().expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Finished {
            code: code(output.status),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            directory: self.directory,
        }
    }

    /// Sends its AWS requests to `endpoint`.
    pub(crate) fn endpoint(self, endpoint: &str) -> Launch {
        self.env("AWS_ENDPOINT_URL", endpoint)
    }

    /// Runs it as `nobody` if this process is root; the directory becomes nobody's.
    pub(crate) fn nobody(mut self) -> Launch {
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(self.directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            self.command.uid(NOBODY).gid(NOBODY);
        }
        self
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Daemon {
        let mut child = self.command.spawn().expect("the program starts");
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Daemon { child, directory: Some(self.directory), stdout, stderr }
    }
}

impl Daemon {
    /// Its own directory, removed with it.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.as_ref().expect("not taken").path()
    }

    /// Ends it and leaves its directory, for the one that comes after it.
    pub(crate) fn into_directory(mut self) -> TempDir {
        self.directory.take().expect("not taken")
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of log (stderr or stdout) that `wanted` accepts.
    pub(crate) fn wait_for_line(&self, wanted: impl Fn(&str) -> bool, timeout: Duration) -> String {
        let mut found = None;
        let look = Duration::from_millis(1);
        eventually(&format!("a wanted line; so far:\n{}", self.output()), timeout, || {
            found = [&self.stderr, &self.stdout].iter().find_map(|of| of.wait(&wanted, look).ok());
            found.is_some()
        });
        found.unwrap()
    }

    /// Everything it has written so far, for messages of failed tests.
    pub(crate) fn output(&self) -> String {
        [self.stdout.all(), self.stderr.all()].concat().join("\n")
    }

    /// Its standard input, if it was `piped`; dropping it is the end of the input.
    pub(crate) fn input(&mut self) -> std::process::ChildStdin {
        self.child.stdin.take().expect("piped, and not taken yet")
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Sends SIGINT.
    pub(crate) fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) fn kill9(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Waits for its end, and for all that it wrote: the exit code, or 128 + the signal that ended it, as shells say it.
    pub(crate) fn wait(&mut self, timeout: Duration) -> i32 {
        eventually("the end of the program", timeout, || self.ended().is_some());
        // What it wrote last may still be on its way.
        for stream in [&self.stdout, &self.stderr] {
            stream.wait_for_end(Duration::from_secs(5));
        }
        self.ended().unwrap()
    }

    /// The same without waiting; `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.try_wait().unwrap().map(code)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the program still runs");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Has it ended and been waited for, kill does nothing.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}
