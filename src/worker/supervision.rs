//! From the first pipeline to the last that ends: drain, then abort, then cut off. Nothing that
//! ends does so unseen.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Ran, Report};
use crate::error::{Error, Kind, Result};
use crate::shutdown::{ABORT_GRACE, Shutdown, systemd};
use crate::supervisor::{End, Ended, Tasks};

/// How long pipelines may take to end once aborted; after that they are cancelled.
const ABORT_LIMIT: Duration = ABORT_GRACE.saturating_mul(2);

/// Waits for every pipeline, and hurries them when the time to drain is over.
pub(super) struct Supervision {
    pub(super) pipelines: Tasks<Ran>,
    /// What ends last, cut off: the status listener and the watchdog.
    pub(super) beside: Tasks<()>,
    pub(super) shutdown: Shutdown,
    pub(super) drain_timeout: Duration,
}

impl Supervision {
    pub(super) async fn wait(mut self) -> Result<Report> {
        let mut report = Report::default();
        let mut failure: Option<Error> = None;
        let mut abort_at: Option<Instant> = None;
        let mut cancel_at: Option<Instant> = None;
        let mut cut_off = false;
        while !self.pipelines.is_empty() {
            let alarm = cancel_at.or(abort_at);
            let ended = tokio::select! {
                Some(ended) = self.pipelines.next() => note(ended, &mut report),
                Some(ended) = self.beside.next() => died(&ended.name, ended.end).map(|_ended| ()),
                () = self.shutdown.draining(), if abort_at.is_none() => {
                    systemd::stopping();
                    abort_at = Some(Instant::now() + self.drain_timeout);
                    Ok(())
                }
                () = self.shutdown.aborting(), if cancel_at.is_none() => {
                    cancel_at = Some(Instant::now() + ABORT_LIMIT);
                    Ok(())
                }
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() && !cut_off => {
                    cut_off = cancel_at.is_some();
                    self.hurry(cut_off);
                    Ok(())
                }
            };
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the worker failed, everything stops");
                self.shutdown.drain();
                failure.get_or_insert(error);
            }
        }
        if abort_at.is_none() {
            // It ended by itself, or before the loop above came to it.
            systemd::stopping();
        }
        report.aborted = self.shutdown.is_aborting();
        match failure {
            Some(error) => Err(error),
            None => Ok(report),
        }
    }

    fn hurry(&mut self, aborted: bool) {
        if aborted {
            tracing::error!("parts of the worker did not end in time and are cut off");
            self.pipelines.cancel_all();
        } else {
            tracing::warn!("the time to drain is over, running work is cut off and given back");
            self.shutdown.abort();
        }
    }
}

/// Notes what a pipeline did; how it failed is an error.
fn note(ended: Ended<Ran>, report: &mut Report) -> Result<()> {
    match died(&ended.name, ended.end)? {
        Some(Ran::Queue(name, result)) => {
            report.queues.insert(name, result?);
            Ok(())
        }
        Some(Ran::Spool(result) | Ran::Component(result)) => result,
        None => Ok(()),
    }
}

/// What a task returned, unless it was cancelled; its panic is an error.
fn died<T>(name: &str, end: End<T>) -> Result<Option<T>> {
    match end {
        End::Returned(value) => Ok(Some(value)),
        End::Cancelled => Ok(None),
        End::Panicked(text) => Err(Error::new(Kind::Bug, format!("{name} panicked")).because(text)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::queue;

    #[tokio::test]
    async fn a_panic_beside_the_pipelines_lets_them_drain() {
        let shutdown = Shutdown::new();
        let ended = Arc::new(AtomicBool::new(false));
        let (stopping, told) = (shutdown.clone(), Arc::clone(&ended));
        let mut pipelines = Tasks::new();
        pipelines.spawn("queue/orders", async move {
            stopping.draining().await;
            tokio::task::yield_now().await;
            told.store(true, Ordering::SeqCst);
            Ran::Queue("orders".to_owned(), Ok(queue::Report::default()))
        });
        let mut beside = Tasks::new();
        beside.spawn("status", async { panic!("no such luck") });
        let drain_timeout = Duration::from_secs(25);
        let supervision = Supervision { pipelines, beside, shutdown, drain_timeout };
        let error = supervision.wait().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Bug);
        assert_eq!(error.to_string(), "status panicked: no such luck");
        assert!(ended.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn an_abort_is_reported_however_soon_everything_ends() {
        let shutdown = Shutdown::new();
        shutdown.abort();
        let supervision = Supervision {
            pipelines: Tasks::new(),
            beside: Tasks::new(),
            shutdown,
            drain_timeout: Duration::ZERO,
        };
        assert!(supervision.wait().await.unwrap().aborted);
    }
}
