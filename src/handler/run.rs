//! One run of a handler on one message or several, which always ends: by itself, or because its time
//! is over, its leases are lost or the daemon aborts. A panic is a failed run, never a dead worker.
//!
//! Surprising: a run that is told to end may still end *done* within the grace, and that counts.
//! Only a handler that blocks its thread cannot be cut off; async code must not do that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{BoxHandler, Delivery, Lease, Run, Verdict};
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

/// Runs a handler once on a message: [`run_all`] for one.
pub async fn run(
    handler: &BoxHandler,
    delivery: Delivery,
    timeout: Duration,
    abort: &CancellationToken,
) -> Ran {
    let mut ran = run_all(handler, vec![delivery], timeout, abort).await;
    ran.pop().unwrap_or_else(|| Ran {
        verdict: Ok(cut_off(Ending::Aborted, timeout)),
        ending: Ending::Aborted,
        duration: Duration::ZERO,
    })
}

/// Runs a handler once on all of these messages, within a tracing span of its own; what came of
/// each, in their order.
///
/// A message whose lease is lost meanwhile counts as lost, and the run goes on for the others; with
/// the last of them it has to end. A run that has to end is told so through its leases and has
/// [`ABORT_GRACE`] to do it; then it is dropped. Dropping this future drops the run at once, without
/// grace. A message that the handler gave no verdict on is *retry*.
pub async fn run_all(
    handler: &BoxHandler,
    deliveries: Vec<Delivery>,
    timeout: Duration,
    abort: &CancellationToken,
) -> Vec<Ran> {
    let started = Instant::now();
    let leases: Vec<Lease> = deliveries.iter().map(|delivery| delivery.lease.clone()).collect();
    // What is lost already is not handed over.
    let lost: Vec<bool> = leases.iter().map(Lease::is_lost).collect();
    let kept = deliveries.into_iter().zip(&lost).filter(|(_, lost)| !**lost);
    let whole = kept.map(|(delivery, _)| delivery).collect();
    let (verdicts, ending) = bounded(handler, whole, timeout, abort).await;
    let duration = started.elapsed();
    let mut verdicts = verdicts.into_iter();
    let of_message = |(lease, lost_before): (Lease, bool)| {
        let verdict = if lost_before { None } else { verdicts.next() };
        let lost = lost_before || (ending == Ending::Finished && lease.is_lost());
        let ending = if lost { Ending::LeaseLost } else { ending };
        let verdict = match (verdict, ending) {
            (Some(verdict), Ending::Finished) => verdict,
            (None, Ending::Finished) => Ok(Outcome::missing()),
            (Some(Ok(Outcome::Done)), _) => Ok(Outcome::Done),
            (_, ending) => Ok(cut_off(ending, timeout)),
        };
        Ran { verdict, ending, duration }
    };
    leases.into_iter().zip(lost).map(of_message).collect()
}

/// The span of a run; that of a batch names its first message.
fn span(deliveries: &[Delivery]) -> Span {
    let Some(Delivery { message, .. }) = deliveries.first() else { return Span::none() };
    let (queue, message_id, attempt) = (&message.queue, &message.id, message.receive_count());
    match deliveries.len() {
        1 => tracing::info_span!("handle", %queue, %message_id, attempt),
        messages => tracing::info_span!("handle", %queue, %message_id, attempt, messages),
    }
}

/// The verdicts in the order of the messages, be they too few, and why the run ended.
async fn bounded(
    handler: &BoxHandler,
    deliveries: Vec<Delivery>,
    timeout: Duration,
    abort: &CancellationToken,
) -> (Vec<Verdict>, Ending) {
    if deliveries.is_empty() {
        return (Vec::new(), Ending::LeaseLost);
    }
    if abort.is_cancelled() {
        return (Vec::new(), Ending::Aborted);
    }
    let leases: Vec<Lease> = deliveries.iter().map(|delivery| delivery.lease.clone()).collect();
    let span = span(&deliveries);
    let run = async {
        let mut running = Running::start(handler, deliveries);
        let ending = tokio::select! {
            // The reasons to end come first: a run that ends at once when told has not just
            // finished.
            biased;
            () = all_lost(&leases) => Ending::LeaseLost,
            () = abort.cancelled() => Ending::Aborted,
            () = tokio::time::sleep(timeout) => Ending::TimedOut,
            verdicts = running.verdicts() => return (verdicts, Ending::Finished),
        };
        leases.iter().for_each(Lease::end);
        let grace = tokio::time::timeout(ABORT_GRACE, running.verdicts()).await;
        (grace.unwrap_or_default(), ending)
    };
    run.instrument(span).await
}

/// Ends when nobody needs the run any more. Cancel-safe.
async fn all_lost(leases: &[Lease]) {
    for lease in leases {
        lease.lost().await;
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
struct Running {
    run: Option<Result<Run, Outcome>>,
    name: String,
    messages: usize,
}

impl Running {
    fn start(handler: &BoxHandler, deliveries: Vec<Delivery>) -> Self {
        let messages = deliveries.len();
        let called = catch_unwind(AssertUnwindSafe(|| handler.call_all(deliveries)));
        let run = called.map_err(|panic| panicked(panic.as_ref()));
        Self { run: Some(run), name: handler.name().to_owned(), messages }
    }

    /// What came of it. Cancel-safe; once it has ended there is nothing more to ask for.
    async fn verdicts(&mut self) -> Vec<Verdict> {
        let ended = match &mut self.run {
            Some(Ok(run)) => {
                AssertUnwindSafe(run).catch_unwind().await.map_err(|panic| panicked(panic.as_ref()))
            }
            Some(Err(outcome)) => Err(outcome.clone()),
            None => std::future::pending().await,
        };
        let mut verdicts = ended.unwrap_or_else(|outcome| vec![Ok(outcome); self.messages]);
        if verdicts.len() > self.messages {
            let (handler, verdicts, messages) = (&*self.name, verdicts.len(), self.messages);
            tracing::warn!(handler, verdicts, messages, "handler gave more outcomes than messages");
        }
        verdicts.truncate(self.messages);
        verdicts
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let run = self.run.take();
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
