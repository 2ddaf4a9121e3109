//! Messages that are taken one by one and leave in batches: what waits for company, and what came of
//! what left.

use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::{Item, Outcome, Outlet, carry};
use crate::aws::batch::MOST_ENTRIES;
use crate::error::{Error, Kind, Result};
use crate::message::Outgoing;
use crate::toolkit::transport::SendReport;
use crate::units;

/// What waits for company leaves after this long.
const LINGER: Duration = Duration::from_millis(200);

/// An outlet that messages are gathered for.
pub(crate) trait Addressee: Outlet {
    /// As errors name it: `queue orders`.
    fn name(&self) -> String;

    /// True where the order of messages is kept.
    fn is_fifo(&self) -> bool;

    /// Why it would refuse a message, known before it is asked.
    fn unfit(&self, message: &Outgoing) -> Option<String>;
}

/// Messages for one outlet.
#[derive(Debug)]
pub(crate) struct Batches<O> {
    pub(crate) to: O,
    pending: Vec<(u64, Outgoing)>,
    bytes: usize,
    taken: u64,
    report: SendReport,
}

impl<O: Addressee> Batches<O> {
    /// Nothing taken yet.
    pub(crate) fn new(to: O) -> Self {
        Self { to, pending: Vec::new(), bytes: 0, taken: 0, report: SendReport::default() }
    }

    /// What came of everything so far.
    pub(crate) const fn report(&self) -> &SendReport {
        &self.report
    }

    /// Takes one more message; sends the batch first when it would not fit.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub(crate) async fn push(&mut self, message: Outgoing) -> Result<()> {
        if let Some(why) = self.to.unfit(&message) {
            self.refuse(why);
            return Ok(());
        }
        let number = self.number();
        let full = self.pending.len() == MOST_ENTRIES;
        if full || self.bytes + message.size() > self.to.most_bytes() || self.is_behind(&message) {
            self.flush().await?;
        }
        self.bytes += message.size();
        self.pending.push((number, message));
        Ok(())
    }

    /// Reports the next message as one that cannot be sent, and why.
    pub(crate) fn refuse(&mut self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        let number = self.number();
        let what = format!("message {} for {}", number + 1, self.to.name());
        self.report.failed.push((number, Error::new(Kind::Invalid, what).because(why)));
    }

    const fn number(&mut self) -> u64 {
        let number = self.taken;
        self.taken += 1;
        number
    }

    /// In one call the service may take a message and refuse the one before it, which then came
    /// after it.
    fn is_behind(&self, message: &Outgoing) -> bool {
        self.to.is_fifo() && self.pending.iter().any(|(_, before)| before.group == message.group)
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// What no other message would escape either; what concerns one alone stands in the report.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let load = std::mem::take(&mut self.pending).into_iter();
        let load = load.map(|(number, message)| Item::new(number, message)).collect();
        let carried = carry(&self.to, load).await;
        for (number, outcome) in carried.outcomes {
            match outcome {
                Outcome::Sent => self.report.sent += 1,
                Outcome::Failed(error) => self.report.failed.push((number, error)),
                Outcome::Behind | Outcome::Unsent => {}
            }
        }
        carried.fatal.map_or(Ok(()), Err)
    }

    /// Sends what waits and tells what came of everything.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub(crate) async fn finish(mut self) -> Result<SendReport> {
        self.flush().await?;
        Ok(self.report)
    }

    /// Sends all of a stream; what waits for company leaves after [`LINGER`].
    ///
    /// # Errors
    /// As [`flush`](Self::flush), and how many were sent before.
    pub(crate) async fn send_all(
        mut self,
        messages: impl Stream<Item = Outgoing> + Send,
    ) -> Result<SendReport> {
        let sent = self.push_all(messages).await;
        match sent {
            Err(error) if self.report.sent > 0 => {
                let sent = units::count(self.report.sent, "message");
                Err(Error::new(error.kind(), format!("only {sent} were sent")).because(error))
            }
            sent => sent.map(|()| self.report),
        }
    }

    async fn push_all(&mut self, messages: impl Stream<Item = Outgoing> + Send) -> Result<()> {
        let mut messages = pin!(messages);
        let mut flush_at: Option<Instant> = None;
        loop {
            let far = Instant::now() + Duration::from_hours(1);
            let Ok(next) = timeout_at(flush_at.unwrap_or(far), messages.next()).await else {
                self.flush().await?;
                flush_at = None;
                continue;
            };
            let Some(message) = next else { return self.flush().await };
            self.push(message).await?;
            flush_at.get_or_insert_with(|| Instant::now() + LINGER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what comes, and notes how many came together.
    #[derive(Default)]
    struct Willing {
        is_fifo: bool,
        calls: std::sync::Mutex<Vec<usize>>,
    }

    impl Outlet for Willing {
        fn most_bytes(&self) -> usize {
            100
        }

        async fn send_batch(&self, messages: &[&Outgoing]) -> Result<Vec<Option<Error>>> {
            self.calls.lock().unwrap().push(messages.len());
            Ok(messages.iter().map(|_| None).collect())
        }
    }

    impl Addressee for Willing {
        fn name(&self) -> String {
            "nobody".to_owned()
        }

        fn is_fifo(&self) -> bool {
            self.is_fifo
        }

        fn unfit(&self, message: &Outgoing) -> Option<String> {
            message.body.is_empty().then(|| "it is empty".to_owned())
        }
    }

    #[tokio::test]
    async fn messages_of_one_fifo_group_never_share_a_call() {
        for (is_fifo, calls) in [(true, &[2, 2][..]), (false, &[4])] {
            let mut batches = Batches::new(Willing { is_fifo, ..Willing::default() });
            for group in ["a", "b", "a", "c"] {
                let group = Some(group.to_owned());
                batches.push(Outgoing { group, ..Outgoing::text("x") }).await.unwrap();
            }
            batches.flush().await.unwrap();
            assert_eq!(*batches.to.calls.lock().unwrap(), calls);
        }
    }

    #[tokio::test]
    async fn batches_are_full_by_count_and_by_bytes_and_what_is_refused_has_its_number() {
        let mut batches = Batches::new(Willing::default());
        for length in [1, 0, 99, 1, 100, 100].into_iter().chain([1; 11]) {
            batches.push(Outgoing::text("x".repeat(length))).await.unwrap();
        }
        batches.flush().await.unwrap();
        assert_eq!(*batches.to.calls.lock().unwrap(), [2, 1, 1, 1, 10, 1]);
        let [(1, error)] = batches.report().failed.as_slice() else { panic!() };
        assert!(error.to_string().contains("message 2 for nobody: it is empty"), "{error}");
        assert_eq!(batches.finish().await.unwrap().sent, 16);
    }
}
