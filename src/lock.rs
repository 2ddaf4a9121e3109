//! Locks on messages and the ids of finished ones, shared by every daemon that uses one store.
//!
//! A lock keeps two daemons from handling one message at the same time; a finished id keeps any of
//! them from handling it again. Keys and values are the caller's; a store knows nothing of queues.

mod check;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
mod memory;
#[cfg(feature = "redis")]
mod redlock;

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

#[cfg(feature = "dynamodb")]
use self::dynamodb::Dynamodb;
use self::memory::Memory;
#[cfg(feature = "redis")]
use self::redlock::Redlock;
use crate::aws::Aws;
use crate::config::{self, Idempotency, IdempotencyStore};
use crate::error::{Error, Kind, Result};

pub use self::check::check;

/// How long the lock of a probe stands if it is not released.
const PROBE: Duration = Duration::from_secs(10);

/// Where locks and finished ids lie. Clones share it.
#[derive(Debug, Clone)]
pub struct Store(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Memory(Memory),
    #[cfg(feature = "redis")]
    Redis(Redlock),
    #[cfg(feature = "dynamodb")]
    Dynamodb(Box<Dynamodb>),
}

/// The same asked of whichever store it is.
macro_rules! of_each {
    ($store:ident, $one:ident => $ask:expr) => {
        match &$store.0 {
            Backend::Memory($one) => $ask,
            #[cfg(feature = "redis")]
            Backend::Redis($one) => $ask,
            #[cfg(feature = "dynamodb")]
            Backend::Dynamodb($one) => $ask,
        }
    };
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Held(Lock),
    /// Somebody else has it, for about so long unless it is renewed.
    Busy(Duration),
}

/// A lock that is held: its key and the token by which the store knows it as ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// What is locked.
    pub key: String,
    /// Random; a lock of another token is somebody else's.
    pub token: String,
    /// Until when it certainly stands unless it is renewed, by the clock of this process.
    pub until: Instant,
}

impl Store {
    /// A store in the memory of this process: no other process sees it.
    pub fn memory() -> Self {
        Self(Backend::Memory(Memory::default()))
    }

    /// A store in this table of DynamoDB, reached by these settings. No request is sent yet.
    #[cfg(feature = "dynamodb")]
    pub fn dynamodb(aws: Aws, settings: config::Aws, table: String) -> Self {
        Self(Backend::Dynamodb(Box::new(Dynamodb::new(aws, settings, table))))
    }

    /// The store that the settings name. No request is sent yet.
    ///
    /// # Errors
    /// [`Kind::Settings`] where a server cannot be used as it is written.
    pub fn open(settings: &Idempotency, aws: &Aws) -> Result<Self> {
        Ok(match &settings.store {
            IdempotencyStore::Memory => Self::memory(),
            #[cfg(feature = "redis")]
            IdempotencyStore::Redis(servers) => Self(Backend::Redis(Redlock::new(servers)?)),
            #[cfg(not(feature = "redis"))]
            IdempotencyStore::Redis(_) => {
                return Err(Error::needs_feature("redis", "the store redis of [idempotency]"));
            }
            #[cfg(not(feature = "dynamodb"))]
            IdempotencyStore::Dynamodb(_) => {
                return Err(Error::needs_feature(
                    "dynamodb",
                    "the store dynamodb of [idempotency]",
                ));
            }
            #[cfg(feature = "dynamodb")]
            IdempotencyStore::Dynamodb(table) => {
                Self::dynamodb(aws.clone(), table.aws.clone(), table.name.clone())
            }
        })
    }

    /// Asks once for the lock on `key`.
    ///
    /// Dropped midway, the lock may have been taken; it ends by itself after `lease`.
    ///
    /// # Errors
    /// Where the store cannot be asked; then nothing is known of the lock.
    pub async fn lock(&self, key: &str, lease: Duration) -> Result<Attempt> {
        of_each!(self, store => store.lock(key, lease).await)
    }

    /// Prolongs a lock that is still ours; false where it is not any more.
    ///
    /// # Errors
    /// Where the store cannot be asked; the lock stands until its `until`.
    pub async fn renew(&self, lock: &mut Lock, lease: Duration) -> Result<bool> {
        of_each!(self, store => store.renew(lock, lease).await)
    }

    /// Releases a lock if it is still ours; never anybody else's.
    ///
    /// # Errors
    /// Where the store cannot be asked; the lock ends by itself.
    pub async fn unlock(&self, lock: &Lock) -> Result<()> {
        of_each!(self, store => store.unlock(lock).await)
    }

    /// Notes an id as finished, for `keep`. When it returns, the store has confirmed it.
    ///
    /// # Errors
    /// Where the store did not confirm it.
    pub async fn finish(&self, key: &str, keep: Duration) -> Result<()> {
        of_each!(self, store => store.finish(key, keep).await)
    }

    /// True for an id that was noted as finished and is still kept.
    ///
    /// # Errors
    /// Where the store cannot be asked; then nothing is known of the id.
    pub async fn is_finished(&self, key: &str) -> Result<bool> {
        of_each!(self, store => store.is_finished(key).await)
    }

    /// Does all of it once, with a key of its own: what succeeds then works again.
    ///
    /// # Errors
    /// The first that failed.
    pub(crate) async fn probe(&self) -> Result<()> {
        let key = format!("sqs:event:probe-{}", Uuid::new_v4());
        let Attempt::Held(mut lock) = self.lock(&key, PROBE).await? else {
            return Err(Error::new(Kind::Bug, "the lock of a new key is held"));
        };
        let done = self.try_all(&mut lock).await;
        self.unlock(&lock).await?;
        done
    }

    async fn try_all(&self, lock: &mut Lock) -> Result<()> {
        self.renew(lock, PROBE).await?;
        let id = lock.key.replacen("event", "done", 1);
        self.finish(&id, Duration::from_secs(1)).await?;
        self.is_finished(&id).await.map(|_| ())
    }
}
