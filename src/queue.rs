//! One queue: poll → lease → admit → dispatch → settle.
//!
//! One task owns all that is known of the queue's messages and decides everything; whatever takes
//! time (receives, handlers, deletes, renewals) runs as a task of its own and comes back as an
//! event. So there is no lock, and what is decided can be tested without a network.

mod check;
mod conclude;
mod decode;
mod dispatch;
mod finished;
mod gather;
mod groups;
mod guard;
mod intake;
mod item;
mod lease;
mod order;
mod pause;
mod poll;
mod reject;
mod renew;
mod report;
mod settle;
mod source;
mod unpack;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::decode::Received;
use self::finished::Finished;
use self::gather::Gather;
use self::guard::Guard;
use self::item::{Item, Stage};
use self::lease::{Leases, Renewal, Ticket};
use self::order::Order;
use self::pause::Pause;
use self::poll::{Admission, Polls};
use self::settle::{Results, Settle};
use self::source::Source;
use crate::aws::Aws;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::handler::{Ran, Routes};
use crate::lock::Store;
use crate::payload::{Unpacked, Unpacker};
use crate::shutdown::{ABORT_GRACE, Shutdown};
use crate::supervisor::{End, Tasks};
use crate::telemetry::health::Latch;
use crate::telemetry::metrics;
use crate::telemetry::repeat::Repeat;

pub use self::check::check;
pub use self::report::Report;

/// After handlers had their grace, what remains of the time to give messages back.
const LAST_CALLS: Duration = Duration::from_secs(2);
/// A wait without end, for a loop that always waits for something.
const LONG: Duration = Duration::from_hours(1);

/// One queue, ready to run.
#[derive(Debug)]
pub struct Queue {
    name: Arc<str>,
    settings: config::Queue,
    routes: Routes,
    aws: Aws,
    guard: Option<Guard>,
}

/// What a task brought back.
#[derive(Debug)]
enum Event {
    Found(Result<Arc<Source>>),
    /// Looking for the queue was given up, since the daemon stops.
    NotFound,
    Polled {
        asked: usize,
        left: Instant,
        result: Result<Vec<Received>>,
    },
    /// Without anything where it was cut off.
    Unpacked {
        ticket: Ticket,
        began: Instant,
        unpacked: Option<Unpacked>,
    },
    /// What came of one run, for each of its messages.
    Ran(Vec<(Ticket, Ran)>),
    Deleted(Results),
    GivenBack(Results),
    Renewed {
        left: Instant,
        renewals: Vec<Renewal>,
        results: Results,
    },
    SetAside {
        ticket: Ticket,
        result: Result<()>,
    },
    Heard(guard::News),
    ObjectsDeleted,
}

/// Whether the queue has to be found before it can be polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// At first, and when the queue is gone.
    Needed,
    /// It is being looked for.
    Running,
    /// It was found.
    Over,
}

/// All that is known of a running queue.
struct Stages {
    name: Arc<str>,
    settings: config::Queue,
    routes: Routes,
    aws: Aws,
    unpacker: Unpacker,
    shutdown: Shutdown,
    ready: Option<Latch>,
    /// Stop once a poll comes back empty and nothing is held.
    once: bool,
    /// Shared: it is looked at after every event.
    source: Option<Arc<Source>>,
    search: Search,
    tasks: Tasks<Event>,
    polls: Polls,
    receives: u64,
    leases: Leases,
    items: HashMap<Ticket, Item>,
    /// How many of the items take a slot: those that run or wait to.
    slots: usize,
    /// How many of them are locked or unpacked just now.
    preparing: usize,
    order: Order,
    gather: Gather,
    settle: Settle,
    /// Give-backs that wait for a renewal on its way, which could undo them.
    held_back: Vec<(Ticket, Duration)>,
    finished: Finished,
    guard: Option<Guard>,
    pause: Option<Pause>,
    receive_trouble: Repeat,
    renew_trouble: Repeat,
    report: Report,
    draining: bool,
    last_moment: Option<Instant>,
    /// Why the queue was not emptied, with `once`.
    failure: Option<Error>,
}

impl Queue {
    /// A queue under the name of its section in the settings. No request is sent yet.
    pub fn new(name: &str, settings: config::Queue, routes: Routes, aws: Aws) -> Self {
        Self { name: name.into(), settings, routes, aws, guard: None }
    }

    /// Handles each message only under its lock in `store`, and deletes it only once its finished
    /// id stands there.
    #[must_use]
    pub fn guarded(self, store: Store, settings: config::Idempotency) -> Self {
        Self { guard: Some(Guard::new(store, settings)), ..self }
    }

    /// Handles messages until `shutdown` drains and everything held is settled or given back;
    /// with `once`, until the queue answers that nothing is there.
    ///
    /// `ready` is dropped when the queue is found. A queue that cannot be found or asked is tried
    /// again by backoff, for ever: that is no error. Dropped midway, held messages stay hidden
    /// until their leases end.
    ///
    /// # Errors
    /// [`Kind::Bug`] when one of its tasks panicked; with `once`, why the queue could not be found
    /// or asked.
    pub async fn run(self, shutdown: Shutdown, ready: Latch, once: bool) -> Result<Report> {
        let mut stages = Stages::new(self, shutdown, ready, once);
        stages.run().await?;
        match stages.failure {
            Some(error) => Err(error),
            None => Ok(stages.report),
        }
    }
}

impl Stages {
    fn new(queue: Queue, shutdown: Shutdown, ready: Latch, once: bool) -> Self {
        let fifo = queue.settings.queue.strip_suffix(".fifo").is_some();
        Self {
            name: queue.name,
            unpacker: Unpacker::new(&queue.settings),
            settings: queue.settings,
            routes: queue.routes,
            aws: queue.aws,
            shutdown,
            ready: Some(ready),
            once,
            source: None,
            search: Search::Needed,
            tasks: Tasks::new(),
            polls: Polls::default(),
            receives: 0,
            leases: Leases::new(Duration::from_secs(30), fifo),
            items: HashMap::new(),
            slots: 0,
            preparing: 0,
            order: Order::default(),
            gather: Gather::default(),
            settle: Settle::new(),
            held_back: Vec::new(),
            finished: Finished::default(),
            guard: queue.guard,
            pause: None,
            receive_trouble: Repeat::default(),
            renew_trouble: Repeat::default(),
            report: Report::default(),
            draining: false,
            last_moment: None,
            failure: None,
        }
    }

    async fn run(&mut self) -> Result<()> {
        let shutdown = self.shutdown.clone();
        loop {
            self.do_what_is_due();
            if self.is_over() {
                return Ok(());
            }
            let wake = self.next_wake();
            tokio::select! {
                Some(ended) = self.tasks.next() => match ended.end {
                    End::Returned(event) => self.on(event),
                    End::Cancelled => {}
                    End::Panicked(text) => {
                        let what = format!("queue {}: {} panicked", self.name, ended.name);
                        return Err(Error::new(Kind::Bug, what).because(text));
                    }
                },
                () = shutdown.draining(), if !self.draining => self.drain(),
                () = shutdown.aborting(), if self.last_moment.is_none() => {
                    self.last_moment = Some(Instant::now() + ABORT_GRACE + LAST_CALLS);
                    self.give_up_unconfirmed();
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Found(result) => self.found(result),
            Event::NotFound | Event::ObjectsDeleted => {}
            Event::Polled { asked, left, result } => self.polled(asked, left, result),
            Event::Unpacked { ticket, began, unpacked } => self.unpacked(ticket, began, unpacked),
            Event::Ran(runs) => self.ran(runs),
            Event::Deleted(results) => self.deleted(results),
            Event::GivenBack(results) => self.given_back(results),
            Event::Renewed { left, renewals, results } => self.renewed(left, &renewals, results),
            Event::SetAside { ticket, result } => self.set_aside(ticket, result),
            Event::Heard(news) => self.heard(news),
        }
        metrics::held(&self.name, self.items.len());
    }

    /// Starts whatever is due by now.
    fn do_what_is_due(&mut self) {
        self.renew();
        self.flush();
        self.probe();
        self.guard_due();
        self.run_gathered();
        self.poll();
    }

    /// Nothing new from now on; what has not begun goes back.
    fn drain(&mut self) {
        self.draining = true;
        self.release_waiting();
        self.release_gathered();
        self.release_kept();
        let probe = self.pause.as_ref().and_then(|pause| pause.probe);
        let waits = |item: &Item| item.stage == Stage::Waiting;
        if let Some(ticket) = probe.filter(|ticket| self.items.get(ticket).is_some_and(waits)) {
            self.release(ticket);
        }
    }

    fn is_over(&mut self) -> bool {
        if self.last_moment.is_some_and(|moment| Instant::now() >= moment) {
            self.report.stranded += count(self.items.len());
            if !self.items.is_empty() || self.polls.open() > 0 {
                tracing::warn!(
                    queue = %self.name,
                    messages = self.items.len(),
                    open_polls = self.polls.open(),
                    "stopped before everything was given back; it comes again when its leases end"
                );
            }
            return true;
        }
        self.draining && self.tasks.is_empty() && self.items.is_empty()
    }

    fn next_wake(&mut self) -> Instant {
        let now = Instant::now();
        let poll = match self.next_poll() {
            Admission::Wait(at) => Some(at),
            Admission::Poll(_) => Some(now),
            Admission::Closed => None,
        };
        let settle = self.source.is_some().then(|| self.settle.next_due(self.hurry())).flatten();
        let probe = self.pause.as_ref().and_then(Pause::next_try);
        let batch = self.gather.next_due();
        [poll, settle, probe, batch, self.guard_wake(), self.leases.next_due(), self.last_moment]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now + LONG)
            .max(now)
    }

    /// Moves a held message on; only those that run or wait to take a slot.
    fn enter_stage(&mut self, ticket: Ticket, stage: Stage) {
        let Some(item) = self.items.get_mut(&ticket) else { return };
        let before = std::mem::replace(&mut item.stage, stage);
        self.slots -= usize::from(before.takes_slot());
        self.slots += usize::from(stage.takes_slot());
        self.preparing -= usize::from(before == Stage::Preparing);
        self.preparing += usize::from(stage == Stage::Preparing);
        if before == Stage::Gathering {
            self.gather.leave(ticket);
        }
    }

    /// True for a message that is gone, or whose outcome is being carried out.
    fn is_settled(&self, ticket: Ticket) -> bool {
        self.items.get(&ticket).is_none_or(|item| item.stage == Stage::Settling)
    }

    /// Nothing waits for company at stop, nor in a FIFO queue.
    fn hurry(&self) -> bool {
        self.draining || self.is_fifo()
    }

    fn is_fifo(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.url.is_fifo())
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
