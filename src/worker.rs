//! Queues, spools and outboxes together, under one supervisor: the one module that knows all the others.

mod background;
mod builder;
pub mod check;
mod elsewhere;
mod supervision;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use crate::aws::Aws;
use crate::config::Config;
use crate::error::Result;
use crate::handler::Routes;
use crate::lock::Store;
use crate::queue::{self, Queue};
use crate::shutdown::{Shutdown, systemd};
use crate::spool::Spool;
use crate::status::Status;
use crate::supervisor::Tasks;
use crate::telemetry::health::Readiness;
use crate::telemetry::metrics;

pub use background::Running;
pub use builder::Builder;
use builder::Registered;
pub use elsewhere::{await_complete, complete};
use supervision::Supervision;

/// Everything that one daemon does, ready to run.
#[derive(Debug)]
pub struct Worker {
    config: Config,
    /// Functions that wait for the settings to be complete.
    registered: Vec<Registered>,
    routes: BTreeMap<String, Routes>,
    aws: Aws,
    locks: Option<Store>,
    once: bool,
}

/// What a worker did until it stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What each queue did.
    pub queues: BTreeMap<String, queue::Report>,
    /// Running work had to be cut off because the time to drain was over, or somebody said so.
    pub aborted: bool,
}

/// What a pipeline ended with.
#[derive(Debug)]
enum Ran {
    Queue(String, Result<queue::Report>),
    Spool(Result<()>),
}

impl Worker {
    /// A worker from a settings file, TOML or the INI of zc.s3uploadqueue; every handler comes
    /// from it too.
    ///
    /// # Errors
    /// [`Kind::Settings`](crate::error::Kind::Settings), with every mistake of the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        Self::new(Config::load(path.as_ref())?)
    }

    /// A worker from settings; every handler comes from them.
    ///
    /// # Errors
    /// [`Kind::Settings`](crate::error::Kind::Settings) when a handler cannot be made of its
    /// settings.
    pub fn new(config: Config) -> Result<Self> {
        Builder::new(()).settings(config).build()
    }

    /// A worker whose messages go to Rust functions; `state` is what they share.
    pub fn builder<S: Clone + Send + Sync + 'static>(state: S) -> Builder<S> {
        Builder::new(state)
    }

    /// Ends by itself when the queues and spools are empty.
    #[must_use]
    pub const fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Locks and finished ids lie in this store, whatever store the settings name; without
    /// `[idempotency]` it is not used.
    #[must_use]
    pub fn with_locks(mut self, store: Store) -> Self {
        self.locks = Some(store);
        self
    }

    /// Runs in the background of this program, on threads of its own; for programs that are async
    /// and for those that are not. Returns once every spool is locked.
    ///
    /// # Errors
    /// [`Kind::Busy`](crate::error::Kind::Busy) when another daemon uses one of the spools.
    pub fn start(self) -> Result<Running> {
        Running::start(self)
    }

    /// Runs until `stop` ends, then drains.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<Report> {
        let shutdown = Shutdown::new();
        let running = self.run(shutdown.clone());
        tokio::pin!(running);
        tokio::select! {
            report = &mut running => return report,
            () = stop => shutdown.drain(),
        }
        running.await
    }

    /// Runs until `shutdown` drains and everything has ended; aborts by itself when draining takes
    /// longer than `drain_timeout`.
    ///
    /// What the world may mend (credentials, a missing queue or bucket, permissions) is tried
    /// again for ever and is no error. Dropped midway, everything is cut off: messages stay hidden
    /// until their leases end, files stay in their spools.
    ///
    /// # Errors
    /// [`Kind::Settings`](crate::error::Kind::Settings) where a value of the settings that stands
    /// elsewhere is refused or wrong; [`Kind::Missing`](crate::error::Kind::Missing) where `require_checks` is set and a check
    /// failed, and [`Kind::Busy`](crate::error::Kind::Busy) when another daemon uses one of the
    /// spools or the status address, both before anything starts; [`Kind::Bug`](crate::error::Kind::Bug) when a part of the worker panicked.
    pub async fn run(self, shutdown: Shutdown) -> Result<Report> {
        self.run_and_tell(shutdown, || {}).await
    }

    /// Completes the settings, tells what deserves a warning, and looks at everything first where the
    /// settings want it.
    /// False where a stop was asked for meanwhile.
    async fn may_start(&mut self, shutdown: &Shutdown) -> Result<bool> {
        if self.config.elsewhere.is_unread() {
            let waiting = Box::pin(await_complete(&self.config, &self.aws, shutdown));
            let Some(config) = waiting.await? else { return Ok(false) };
            self.config = config;
            self.assemble()?;
        }
        for note in &self.config.notes {
            tracing::warn!(note, "settings");
        }
        if !self.config.require_checks {
            return Ok(true);
        }
        tokio::select! {
            checked = Box::pin(check::require(&self.config, &self.aws)) => checked.map(|()| true),
            () = shutdown.draining() => Ok(false),
        }
    }

    /// As [`run`](Self::run); tells when everything is started.
    pub(crate) async fn run_and_tell(
        mut self,
        shutdown: Shutdown,
        started: impl FnOnce(),
    ) -> Result<Report> {
        if !self.may_start(&shutdown).await? {
            return Ok(Report::default());
        }
        let locks = match (self.locks, &self.config.idempotency) {
            (_, None) => None,
            (Some(store), Some(settings)) => Some((store, settings)),
            (None, Some(settings)) => Some((Store::open(settings, &self.aws)?, settings)),
        };
        let readiness = Readiness::new();
        let mut spools = Vec::new();
        let kinds = [("spool", &self.config.spools), ("outbox", &self.config.outboxes)];
        for (kind, settings) in kinds {
            for (name, settings) in settings {
                let spool = Spool::open(name, settings.clone()).await?;
                spools.push((format!("{kind}/{name}"), name.clone(), spool));
            }
        }
        let status = match self.config.listen {
            Some(address) => Some(Status::bind(address, readiness.clone()).await?),
            None => None,
        };
        let mut pipelines = Tasks::new();
        for (path, name, spool) in spools {
            let ready = readiness.wait_for(path.clone());
            metrics::begin("spool", &name);
            let (aws, shutdown, once) = (self.aws.clone(), shutdown.clone(), self.once);
            pipelines.spawn(path, async move {
                Ran::Spool(spool.run(aws, shutdown, ready, once).await)
            });
        }
        for (name, routes) in self.routes {
            let Some(settings) = self.config.queues.get(&name).cloned() else { continue };
            let ready = readiness.wait_for(format!("queue/{name}"));
            metrics::begin("queue", &name);
            let (shutdown, once) = (shutdown.clone(), self.once);
            let guards = settings.idempotency;
            let mut queue = Queue::new(&name, settings, routes, self.aws.clone());
            if let Some((store, settings)) = locks.as_ref().filter(|_| guards) {
                queue = queue.guarded(store.clone(), (*settings).clone());
            }
            pipelines.spawn(format!("queue/{name}"), async move {
                Ran::Queue(name, queue.run(shutdown, ready, once).await)
            });
        }
        let mut beside = Tasks::new();
        // Only now: whoever asked before every part is waited for would be told that all is ready.
        if let Some(status) = status {
            tracing::info!(address = %status.address()?, "serving /live, /ready and /metrics");
            beside.spawn("status", status.serve(std::future::pending()));
        }
        if let Some(interval) = systemd::watchdog_interval() {
            beside.spawn("watchdog", feed_watchdog(interval));
        }
        systemd::ready();
        started();
        let drain_timeout = self.config.drain_timeout;
        Supervision { pipelines, beside, shutdown, drain_timeout }.wait().await
    }
}

async fn feed_watchdog(interval: Duration) {
    let mut turns = tokio::time::interval(interval);
    loop {
        turns.tick().await;
        systemd::alive();
    }
}
