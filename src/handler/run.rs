//! One run of a handler, which always ends: by itself, or because its time is over, its lease is
//! lost or the daemon aborts. A panic is a failed run, never a dead worker.
//!
//! Surprising: a run that is told to end may still end *done* within the grace, and that counts.
//! Only a handler that blocks its thread cannot be cut off; async code must not do that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{BoxHandler, Delivery, Run, Verdict};
use crate::outcome::Outcome;
use crate::shutdown::ABORT_GRACE;
use crate::supervisor::panic_text;
use crate::units;

/// What came of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// What to do with the message.
    pub verdict: Verdict,
    /// Why the run ended.
    pub ending: Ending,
    /// How long it took.
    pub duration: Duration,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// By itself, a panic included.
    Finished,
    /// It took longer than its queue allows.
    TimedOut,
    /// The daemon stops and could not wait any longer.
    Aborted,
    /// Somebody else may have the message by now.
    LeaseLost,
}

impl Ending {
    /// The word under which logs and metrics count it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::TimedOut => "timed_out",
            Self::Aborted => "aborted",
            Self::LeaseLost => "lease_lost",
        }
    }
}

/// Runs a handler once on a message, within a tracing span of its own.
///
/// A run that has to end is told so through its lease and has [`ABORT_GRACE`] to do it; then it is
/// dropped. Dropping this future drops the run at once, without grace.
pub async fn run(
    handler: &BoxHandler,
    delivery: Delivery,
    timeout: Duration,
    abort: &CancellationToken,
) -> Ran {
    let message = &delivery.message;
    let span = tracing::info_span!(
        "handle",
        queue = %message.queue,
        message_id = %message.id,
        attempt = message.receive_count(),
    );
    let started = Instant::now();
    let (verdict, ending) = bounded(handler, delivery, timeout, abort).instrument(span).await;
    Ran { verdict, ending, duration: started.elapsed() }
}

async fn bounded(
    handler: &BoxHandler,
    delivery: Delivery,
    timeout: Duration,
    abort: &CancellationToken,
) -> (Verdict, Ending) {
    let lease = delivery.lease.clone();
    if lease.is_lost() {
        return (Ok(cut_off(Ending::LeaseLost, timeout)), Ending::LeaseLost);
    }
    if abort.is_cancelled() {
        return (Ok(cut_off(Ending::Aborted, timeout)), Ending::Aborted);
    }
    let mut running = Running::start(handler, delivery);
    let ending = tokio::select! {
        // The reasons to end come first: a run that ends at once when told has not just finished.
        biased;
        () = lease.ended() => if lease.is_lost() { Ending::LeaseLost } else { Ending::Aborted },
        () = abort.cancelled() => Ending::Aborted,
        () = tokio::time::sleep(timeout) => Ending::TimedOut,
        verdict = running.verdict() => return (verdict, Ending::Finished),
    };
    lease.end();
    match tokio::time::timeout(ABORT_GRACE, running.verdict()).await {
        Ok(Ok(Outcome::Done)) => (Ok(Outcome::Done), ending),
        Ok(_) | Err(_) => (Ok(cut_off(ending, timeout)), ending),
    }
}

/// The verdict on a message whose run was cut off.
fn cut_off(ending: Ending, timeout: Duration) -> Outcome {
    match ending {
        Ending::TimedOut => Outcome::retry(format!("took longer than {}", units::show(timeout))),
        Ending::LeaseLost => Outcome::retry("the lease was lost"),
        Ending::Finished | Ending::Aborted => Outcome::retry_after(Duration::ZERO, "aborted"),
    }
}

/// A run under way, which cannot panic through: neither when called, nor while it runs, nor when
/// it is dropped.
struct Running(Option<Result<Run, Outcome>>);

impl Running {
    fn start(handler: &BoxHandler, delivery: Delivery) -> Self {
        let called = catch_unwind(AssertUnwindSafe(|| handler.call(delivery)));
        Self(Some(called.map_err(|panic| panicked(panic.as_ref()))))
    }

    /// What came of it. Cancel-safe; once it has ended there is nothing more to ask for.
    async fn verdict(&mut self) -> Verdict {
        match &mut self.0 {
            Some(Ok(run)) => match AssertUnwindSafe(run).catch_unwind().await {
                Ok(verdict) => verdict,
                Err(panic) => Ok(panicked(panic.as_ref())),
            },
            Some(Err(outcome)) => Ok(outcome.clone()),
            None => std::future::pending().await,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let run = self.0.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(run))) {
            tracing::error!(error = %panic_text(panic.as_ref()), "handler panicked while it was dropped");
        }
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Outcome {
    let text = panic_text(panic);
    tracing::error!(error = %text, "handler panicked");
    Outcome::retry(format!("handler panicked: {text}"))
}

#[cfg(test)]
mod tests;
