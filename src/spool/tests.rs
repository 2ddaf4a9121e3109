//! The spool as a whole, against an S3 in this process that answers by script.

mod crowd;
mod delivery;
mod directory;
mod quarantine;
mod readiness;
mod refusals;
mod replaced;
mod s3;
mod sidecars;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::backoff::Backoff;
use crate::config::{Ignore, Texts};
use crate::telemetry::health::Readiness;
use s3::S3;

/// Longer than anything here takes, and far shorter than an hour, the poll interval of most tests.
const SOON: Duration = Duration::from_mins(1);

struct Yard {
    root: TempDir,
    s3: Arc<S3>,
    settings: config::Spool,
}

struct Running {
    shutdown: Shutdown,
    readiness: Readiness,
    task: JoinHandle<Result<()>>,
}

impl Yard {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("spool");
        fs::create_dir(&directory).unwrap();
        let settings = config::Spool {
            quarantine_directory: config::own_directory(&directory).join("quarantine"),
            directory,
            destination: Destination::Bucket("testbucket".to_owned()),
            aws: config::Aws {
                endpoint_url: Some("http://127.0.0.1:9".to_owned()),
                sealed: true,
                ..config::Aws::default()
            },
            threads: 3,
            poll_interval: Duration::from_hours(1),
            min_age: Duration::ZERO,
            ignore: Ignore::Temporary(Vec::new()),
            retry: Backoff::doubling(Duration::from_millis(20), Duration::from_millis(200)),
            buffer: 64 << 20,
            texts: Texts::Longshore,
        };
        Self { root, s3: Arc::new(S3::default()), settings }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.settings.directory.join(name)
    }

    /// Writes elsewhere and renames into the spool.
    fn deliver(&self, name: &str, contents: &[u8]) {
        let draft = self.root.path().join("draft");
        fs::write(&draft, contents).unwrap();
        rustix::fs::rename(&draft, self.path(name)).unwrap();
    }

    async fn start(&self) -> Running {
        let spool = Spool::open("reports", self.settings.clone()).await.unwrap();
        let (shutdown, readiness) = (Shutdown::new(), Readiness::new());
        let latch = readiness.wait_for("spool/reports");
        let (aws, stop) = (Aws::through(s3::client(&self.s3)), shutdown.clone());
        let task = JoinHandleOf(async move { spool.run(aws, stop, latch, false).await }).spawn();
        Running { shutdown, readiness, task }
    }

    async fn once(&self) -> Result<()> {
        let spool = Spool::open("reports", self.settings.clone()).await?;
        let latch = Readiness::new().wait_for("spool/reports");
        let aws = Aws::through(s3::client(&self.s3));
        tokio::time::timeout(SOON, spool.run(aws, Shutdown::new(), latch, true)).await.unwrap()
    }

    /// Every name in the spool but our own.
    fn names(&self) -> Vec<String> {
        listed(&self.settings.directory)
    }

    fn quarantined(&self) -> Vec<String> {
        listed(&self.settings.quarantine_directory)
    }

    /// Waits until nothing is left, half-way out of it neither.
    async fn is_empty(&self) {
        let empty = || self.names().is_empty() && self.settling_is_empty();
        until("the spool is empty", || empty() && self.names().is_empty()).await;
    }

    fn settling_is_empty(&self) -> bool {
        let settling = config::own_directory(&self.settings.directory).join("settling");
        let mut places = fs::read_dir(settling).into_iter().flatten();
        places.all(|place| fs::read_dir(place.unwrap().path()).unwrap().next().is_none())
    }
}

impl Running {
    async fn stop(self) {
        self.shutdown.drain();
        tokio::time::timeout(SOON, self.task).await.unwrap().unwrap().unwrap();
    }
}

struct JoinHandleOf<F>(F);

impl<F: Future<Output = Result<()>> + Send + 'static> JoinHandleOf<F> {
    #[expect(clippy::disallowed_methods, reason = "a test waits for it by its handle")]
    fn spawn(self) -> JoinHandle<Result<()>> {
        tokio::spawn(self.0)
    }
}

fn listed(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with(".longshore"))
        .collect();
    names.sort();
    names
}

/// Waits, within bounds, until something is so.
async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !so() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
