//! Locks and finished ids in Redis servers that know nothing of each other: what more than half of
//! them say counts.
//!
//! This is the Redlock algorithm ("Distributed Locks with Redis", Redis documentation): a lock
//! stands where a quorum granted it, for its lease less the time it took to ask and a drift of 1 %
//! and 2 ms between clocks. A server that comes back without its memory may forget a lock, so a
//! lock makes double work rare; finished ids, and handlers that bear repetition, make it harmless.

mod check;
mod server;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use self::check::check;
pub(super) use self::server::Server;
use super::{Attempt, Lock};
use crate::config::RedisServer;
use crate::error::{Error, Kind, Result};

/// The servers, asked all at once.
#[derive(Debug, Clone)]
pub(super) struct Redlock {
    servers: Vec<Server>,
}

/// What the servers said so far.
#[derive(Debug)]
struct Answers<T> {
    told: Vec<T>,
    failed: Vec<Error>,
}

impl Redlock {
    /// No connection is made yet.
    pub(super) fn new(servers: &[RedisServer]) -> Result<Self> {
        Ok(Self { servers: servers.iter().map(Server::new).collect::<Result<_>>()? })
    }

    pub(super) async fn lock(&self, key: &str, lease: Duration) -> Result<Attempt> {
        let token = Uuid::new_v4().to_string();
        let began = Instant::now();
        let (most, quorum) = (self.servers.len(), self.quorum());
        let answers = self
            .ask(
                |server| {
                    let (key, token) = (key.to_owned(), token.clone());
                    async move { server.take(&key, &token, lease).await }
                },
                |answers| {
                    let granted = answers.told.iter().filter(|left| left.is_none()).count();
                    granted >= quorum || answers.against(granted) > most - quorum
                },
            )
            .await;
        let granted = answers.told.iter().filter(|left| left.is_none()).count();
        let until = (began + lease).checked_sub(drift(lease)).unwrap_or(began);
        let lock = Lock { key: key.to_owned(), token, until };
        if granted >= quorum && until > Instant::now() {
            return Ok(Attempt::Held(lock));
        }
        // Where nobody granted anything and everybody answered there is nothing to take back; one
        // that was not waited for may have granted it since.
        if granted > 0 || answers.told.len() < most {
            // What cannot be released ends by itself.
            let _released = self.take_back(&lock, answers.told.len()).await;
        }
        if granted >= quorum {
            let what = format!("locking {key}: the answers took longer than the lock stands");
            return Err(Error::new(Kind::Transient, what).hint("raise lock_timeout"));
        }
        let mut busy: Vec<Duration> = answers.told.iter().copied().flatten().collect();
        busy.sort_unstable();
        // So many of them must be free again before a quorum can be had.
        let open = most - busy.len() - answers.failed.len();
        match busy.get(quorum.saturating_sub(open).max(1) - 1) {
            Some(left) => Ok(Attempt::Busy(*left)),
            None => Err(answers.no_quorum(most)),
        }
    }

    pub(super) async fn renew(&self, lock: &mut Lock, lease: Duration) -> Result<bool> {
        let began = Instant::now();
        let (most, quorum) = (self.servers.len(), self.quorum());
        let renewed = |answers: &Answers<bool>| answers.told.iter().filter(|ours| **ours).count();
        // Only a refusal says that it is lost; a server that cannot be asked says nothing.
        let is_lost =
            |answers: &Answers<bool>| answers.told.len() - renewed(answers) > most - quorum;
        let answers = self
            .ask(
                |server| {
                    let (key, token) = (lock.key.clone(), lock.token.clone());
                    async move { server.renew(&key, &token, lease).await }
                },
                |answers| renewed(answers) >= quorum || is_lost(answers),
            )
            .await;
        let until = (began + lease).checked_sub(drift(lease)).unwrap_or(began);
        if renewed(&answers) >= quorum {
            lock.until = lock.until.max(until);
            return Ok(lock.until > Instant::now());
        }
        if is_lost(&answers) {
            return Ok(false);
        }
        Err(answers.no_quorum(most))
    }

    /// Every server is tried, whatever the others say.
    pub(super) async fn unlock(&self, lock: &Lock) -> Answered {
        let answers = self.release(lock, |_| false).await;
        self.quorum_of(answers)
    }

    /// The same, but waits for no more answers than came before: a server that was silent is so
    /// still. It has been told by then: all are told before the first can answer.
    async fn take_back(&self, lock: &Lock, told: usize) -> Answers<bool> {
        self.release(lock, |answers| answers.told.len() >= told.max(1)).await
    }

    async fn release(&self, lock: &Lock, enough: impl Fn(&Answers<bool>) -> bool) -> Answers<bool> {
        let release = |server: Server| {
            let (key, token) = (lock.key.clone(), lock.token.clone());
            async move { server.release(&key, &token).await }
        };
        self.ask(release, enough).await
    }

    pub(super) async fn finish(&self, key: &str, keep: Duration) -> Answered {
        let quorum = self.quorum();
        let answers = self
            .ask(
                |server| {
                    let key = key.to_owned();
                    async move { server.finish(&key, keep).await }
                },
                |answers| answers.told.len() >= quorum,
            )
            .await;
        self.quorum_of(answers)
    }

    pub(super) async fn is_finished(&self, key: &str) -> Result<bool> {
        let quorum = self.quorum();
        let answers = self
            .ask(
                |server| {
                    let key = key.to_owned();
                    async move { server.is_finished(&key).await }
                },
                |answers| answers.told.contains(&true) || answers.told.len() >= quorum,
            )
            .await;
        // Whoever knows of it is right, however few can be asked.
        if answers.told.contains(&true) {
            return Ok(true);
        }
        self.quorum_of(answers).map(|()| false)
    }

    /// Asks all servers at once, until the answers are enough or all have answered.
    async fn ask<T, F>(
        &self,
        call: impl Fn(Server) -> F,
        enough: impl Fn(&Answers<T>) -> bool,
    ) -> Answers<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut calls: FuturesUnordered<F> =
            self.servers.iter().map(|server| call(server.clone())).collect();
        let mut answers = Answers { told: Vec::new(), failed: Vec::new() };
        while let Some(answer) = calls.next().await {
            match answer {
                Ok(told) => answers.told.push(told),
                Err(error) => answers.failed.push(error),
            }
            if enough(&answers) {
                break;
            }
        }
        answers
    }

    const fn quorum(&self) -> usize {
        self.servers.len() / 2 + 1
    }

    fn quorum_of<T>(&self, answers: Answers<T>) -> Answered {
        if answers.told.len() >= self.quorum() {
            return Ok(());
        }
        Err(answers.no_quorum(self.servers.len()))
    }
}

/// More than half of the servers answered, or not.
type Answered = Result<()>;

impl<T> Answers<T> {
    /// How many said no or could not be asked.
    fn against(&self, for_it: usize) -> usize {
        self.told.len() - for_it + self.failed.len()
    }

    fn no_quorum(mut self, servers: usize) -> Error {
        let failed = self.failed.len();
        match self.failed.pop() {
            Some(error) if servers == 1 => error,
            Some(error) => {
                let what = format!("{failed} of {servers} Redis servers cannot be asked");
                Error::new(error.kind(), what).because(error)
            }
            None => Error::new(Kind::Transient, format!("{servers} Redis servers do not agree")),
        }
    }
}

/// What two clocks may drift apart while a lock stands.
fn drift(lease: Duration) -> Duration {
    lease / 100 + Duration::from_millis(2)
}

#[cfg(test)]
mod tests;
