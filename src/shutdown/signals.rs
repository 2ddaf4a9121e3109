//! SIGTERM and SIGINT: the first drains, the second aborts.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Shutdown;
use crate::error::{Error, Kind, Result};

/// Ends at the first SIGTERM or SIGINT; for [`Worker::run_until`](crate::worker::Worker::run_until).
///
/// Where the handlers cannot be installed it never ends, and says so in the log.
pub async fn signals() {
    match Stop::install() {
        Ok(mut stop) => stop.asked().await,
        Err(error) => {
            tracing::error!(%error, "signals are not handled");
            std::future::pending::<()>().await;
        }
    }
}

/// The installed handlers.
#[derive(Debug)]
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Installs the handlers; from then on neither signal ends the process by itself.
    pub fn install() -> Result<Self> {
        let install = |kind| {
            signal(kind).map_err(|error| {
                Error::new(Kind::Bug, "installing the signal handlers").because(error)
            })
        };
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
        })
    }

    /// Ends at the next SIGTERM or SIGINT. Cancel-safe.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Drains at the first signal, aborts at the second, then ends.
    pub async fn forward(mut self, shutdown: Shutdown) {
        self.asked().await;
        tracing::info!("stopping: running work may finish, a second signal aborts it");
        shutdown.drain();
        self.asked().await;
        tracing::warn!("aborting: running work is given back");
        shutdown.abort();
    }
}
