//! A spool: one directory whose files land in a bucket, or, as an outbox, become messages of a queue
//! or topic. *Watch, scan, admit, upload, settle.*
//!
//! A file keeps its name until S3 has it, is read only through the descriptor that was opened, and
//! leaves only after S3 confirmed exactly those bytes; a newer file under the same name stays.
//! Nothing is written down about a file that waits: what is known of it between attempts is in
//! memory, and after a restart every file is simply due.

mod attempt;
mod backlog;
mod candidate;
mod check;
mod deliver;
mod directory;
mod judge;
mod lane;
mod look;
mod open;
mod pause;
mod quarantine;
pub mod rules;
mod say;
mod scan;
mod serve;
mod settle;
mod sidecar;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use check::check;

use attempt::Bench;
use candidate::{Candidate, Hint};
use deliver::Means;
use directory::Directory;
use pause::TELL_EVERY;
use serve::{Serving, Why};
use settle::Aside;
use watch::Watch;

use crate::aws::Aws;
use crate::config::{self, Destination};
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;
use crate::flow::permits::Bytes;
use crate::shutdown::Shutdown;
use crate::telemetry::health::Latch;

/// So often is a lock that another holds asked for again. One that was just killed may leave it for
/// a moment to a child between fork and exec.
const LOCK_ATTEMPTS: u32 = 5;
const LOCK_AGAIN: Duration = Duration::from_millis(100);

/// One spool, opened and locked, not yet running.
#[derive(Debug)]
pub struct Spool {
    name: String,
    settings: config::Spool,
    means: Means,
    directory: std::result::Result<Directory, Error>,
}

impl Spool {
    /// Opens and locks the directory and tries what settling will need: write, rename, the sticky
    /// bit. A directory that is missing or not allowed is no error here: [`run`](Self::run) tries
    /// it again until it can be used.
    ///
    /// Dropped midway, nothing stays locked.
    ///
    /// # Errors
    /// `Kind::Busy` while another daemon uses the spool, for half a second at least.
    pub async fn open(name: &str, settings: config::Spool) -> Result<Self> {
        handle_lease_signals();
        let means = Means {
            bytes: Bytes::new(settings.buffer),
            blocking: Blocking::new(settings.threads.saturating_add(4)),
        };
        let mut attempt = 0;
        let directory = loop {
            match establish(&means, &settings).await {
                Err(error) if error.kind() == Kind::Busy && attempt == LOCK_ATTEMPTS => {
                    return Err(error);
                }
                Err(error) if error.kind() == Kind::Busy => attempt += 1,
                established => break established,
            }
            tokio::time::sleep(LOCK_AGAIN).await;
        };
        Ok(Self { name: name.to_owned(), settings, means, directory })
    }

    /// Uploads what is there and what comes, until draining; running uploads then finish, and are
    /// cut off when aborting: their files stay. `ready` is dropped once the bucket was reached.
    ///
    /// With `once` it ends when every file that was there has landed, is in quarantine, or would
    /// not land soon.
    ///
    /// Dropped midway, files that are being uploaded stay, and the parts of large ones may be left
    /// in the bucket.
    ///
    /// # Errors
    /// A bug; with `once` also what did not land, and why.
    pub async fn run(
        mut self,
        aws: Aws,
        shutdown: Shutdown,
        ready: Latch,
        once: bool,
    ) -> Result<()> {
        let mut ready = Some(ready);
        let mut trouble = Trouble::default();
        let mut established = std::mem::replace(&mut self.directory, Err(nothing_yet()));
        loop {
            let error = match established {
                Ok(directory) => {
                    trouble.over(&self.name);
                    let (why, latch) =
                        self.serve(directory, &aws, &shutdown, (ready, once)).await?;
                    ready = latch;
                    match why {
                        Why::Stopped => return Ok(()),
                        Why::Gone(error) => error,
                    }
                }
                Err(error) => error,
            };
            if once {
                return Err(error);
            }
            trouble.tell(&self.name, &error);
            tokio::select! {
                () = tokio::time::sleep(judge::DIRECTORY_AGAIN) => {}
                () = shutdown.draining() => return Ok(()),
            }
            established = establish(&self.means, &self.settings).await;
        }
    }

    async fn serve(
        &self,
        directory: Directory,
        aws: &Aws,
        shutdown: &Shutdown,
        (ready, once): (Option<Latch>, bool),
    ) -> Result<(Why, Option<Latch>)> {
        let directory = Arc::new(directory);
        let watch = self.watch(&directory).await?;
        let (at, settings) = (Arc::clone(&directory), self.settings.clone());
        let settling = self.means.blocking.run(move || {
            let mut left = settle::leftovers(&at)?;
            if matches!(settings.destination, Destination::Messages(_)) {
                sidecar::set_apart(&at, &mut left)?;
            }
            let aside = Aside::prepare(&at, &left, settings.threads);
            let candidate = |(id, stamp)| {
                let lane = lane::of(&settings, &at, &id);
                Candidate { id, stamp, hint: Hint::Closed, lane }
            };
            Ok((aside, left.files.into_iter().map(candidate).collect()))
        });
        let settling: std::io::Result<_> = settling.await?;
        let (aside, left) = match settling {
            Ok(settling) => settling,
            Err(error) => {
                let path = config::own_directory(&self.settings.directory);
                return Ok((Why::Gone(directory::unusable("reading", &path, error)), ready));
            }
        };
        let cut = CancellationToken::new();
        let bench = Bench {
            name: self.name.clone(),
            settings: self.settings.clone(),
            directory,
            aside: Arc::new(aside),
            means: self.means.clone(),
            aws: aws.clone(),
            over_tls: Arc::new(AtomicBool::new(false)),
            queue: std::sync::Mutex::default(),
            cut: cut.clone(),
        };
        let mut serving = Serving::begin(Arc::new(bench), watch, ready);
        serving.take_up(left);
        // Cutting off must reach the attempts even while the loop below waits for them.
        let abort = shutdown.abort_token();
        let why = tokio::select! {
            why = serving.serve(shutdown, once) => why?,
            () = async { abort.cancelled().await; cut.cancel(); std::future::pending().await } => {
                return Ok((Why::Stopped, None));
            }
        };
        if once && matches!(why, Why::Stopped) && !shutdown.is_draining() {
            serving.remainder()?;
        }
        Ok((why, serving.ready.take()))
    }

    async fn watch(&self, directory: &Directory) -> Result<Watch> {
        let spool = &self.name;
        if let Some(kind) = directory.network {
            tracing::info!(spool, filesystem = kind, "no file events here, the spool is polled");
            return Ok(Watch::none());
        }
        let path = directory.path.clone();
        Ok(match self.means.blocking.run(move || Watch::begin(&path)).await? {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(spool, %error, "no file events to be had, the spool is polled");
                Watch::none()
            }
        })
    }
}

/// What is wrong with the directory: told at once, when it changes, and every five minutes.
#[derive(Debug, Default)]
struct Trouble {
    told: Option<(String, Instant)>,
}

impl Trouble {
    fn tell(&mut self, spool: &str, error: &Error) {
        if self.is_news(error.to_string(), Instant::now()) {
            tracing::warn!(spool, %error, "spool waits for its directory");
        }
    }

    fn is_news(&mut self, text: String, now: Instant) -> bool {
        let known = self.told.as_ref();
        if known.is_some_and(|(told, when)| *told == text && now < *when + TELL_EVERY) {
            return false;
        }
        self.told = Some((text, now));
        true
    }

    fn over(&mut self, spool: &str) {
        if self.told.take().is_some() {
            tracing::info!(spool, "spool has its directory again");
        }
    }
}

async fn establish(means: &Means, settings: &config::Spool) -> Result<Directory> {
    let settings = settings.clone();
    means.blocking.run(move || Directory::establish(&settings)).await.and_then(|made| made)
}

/// The kernel sends SIGIO to the holder of a lease whose file somebody wants to write; its default
/// action would end the process. The handler stays for good once it is installed.
fn handle_lease_signals() {
    if let Err(error) = signal(SignalKind::io()) {
        tracing::warn!(%error, "no handler for the signal of file leases");
    }
}

fn nothing_yet() -> Error {
    Error::new(Kind::File, "the directory was not opened yet")
}
