//! A worker in the background of another program, on a thread and a runtime of its own.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use tokio::sync::watch;

use super::{Report, Worker};
use crate::error::{Error, Kind, Result};
use crate::shutdown::Shutdown;

type Ended = Option<std::result::Result<Report, Arc<Error>>>;

/// A worker that runs in the background of this program.
///
/// Dropping it starts the same drain as [`stop`](Self::stop) and does not wait for it.
#[derive(Debug)]
pub struct Running {
    shutdown: Shutdown,
    ended: watch::Receiver<Ended>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    pub(super) fn start(worker: Worker) -> Result<Self> {
        let shutdown = Shutdown::new();
        let stopping = shutdown.clone();
        let (tell, ended) = watch::channel(None);
        let (tell_started, started) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("longshore".to_owned())
            .spawn(move || {
                let result = run(worker, stopping, move || {
                    // Nobody waits any more only if this thread's starter has panicked.
                    tell_started.send(()).ok();
                });
                tell.send_replace(Some(result.map_err(Arc::new)));
            })
            .map_err(|error| Error::new(Kind::Bug, "starting a thread").because(error))?;
        let running = Self { shutdown, ended, thread: Mutex::new(Some(thread)) };
        match started.recv() {
            Ok(()) => Ok(running),
            // It ended before it had started.
            Err(_) => match running.stop() {
                Err(error) => Err(error),
                Ok(_) => Ok(running),
            },
        }
    }

    /// Drains and waits until every task has ended; blocks this thread, at most for the time to
    /// drain and a few seconds. In async code use [`stopped`](Self::stopped). May be called again,
    /// and tells the same.
    ///
    /// # Errors
    /// What the worker ended with: see [`Worker::run`].
    pub fn stop(&self) -> Result<Report> {
        self.shutdown.drain();
        // Held while joining: a second call waits here for the first.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let panicked = thread.take().is_some_and(|thread| thread.join().is_err());
        match self.result() {
            Some(result) if !panicked => result,
            _ => Err(Error::new(Kind::Bug, "the worker's thread panicked")),
        }
    }

    /// Drains and waits until every task has ended; the async twin of [`stop`](Self::stop). May be
    /// called again, and tells the same. Dropped midway, the drain goes on.
    ///
    /// # Errors
    /// What the worker ended with: see [`Worker::run`].
    pub async fn stopped(&self) -> Result<Report> {
        self.shutdown.drain();
        let mut ended = self.ended.clone();
        if ended.wait_for(Option::is_some).await.is_err() {
            return Err(Error::new(Kind::Bug, "the worker's thread panicked"));
        }
        self.result().unwrap_or_else(|| Err(Error::new(Kind::Bug, "the worker told no end")))
    }

    /// True once the worker has ended, by itself or because it was stopped.
    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    fn result(&self) -> Option<Result<Report>> {
        let ended = self.ended.borrow();
        let result = ended.as_ref()?;
        Some(match result {
            Ok(report) => Ok(report.clone()),
            Err(error) => Err(error.again()),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.drain();
    }
}

fn run(worker: Worker, shutdown: Shutdown, started: impl FnOnce()) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("longshore-worker")
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Bug, "starting the runtime").because(error))?;
    let result = runtime.block_on(worker.run_and_tell(shutdown, started));
    // A handler that blocks its thread must not block this program's end.
    runtime.shutdown_background();
    result
}
