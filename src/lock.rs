//! Locks on messages and the ids of finished ones, shared by every daemon that uses one store.
//!
//! A lock keeps two daemons from handling one message at the same time; a finished id keeps any of
//! them from handling it again. Keys and values are the caller's; a store knows nothing of queues.

mod memory;

use std::time::Duration;

use tokio::time::Instant;

use self::memory::Memory;
use crate::error::Result;

/// Where locks and finished ids lie. Clones share it.
#[derive(Debug, Clone)]
pub struct Store(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Memory(Memory),
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

    /// Asks once for the lock on `key`.
    ///
    /// Dropped midway, the lock may have been taken; it ends by itself after `lease`.
    ///
    /// # Errors
    /// Where the store cannot be asked; then nothing is known of the lock.
    pub async fn lock(&self, key: &str, lease: Duration) -> Result<Attempt> {
        match &self.0 {
            Backend::Memory(memory) => Ok(memory.lock(key, lease)),
        }
    }

    /// Prolongs a lock that is still ours; false where it is not any more.
    ///
    /// # Errors
    /// Where the store cannot be asked; the lock stands until its `until`.
    pub async fn renew(&self, lock: &mut Lock, lease: Duration) -> Result<bool> {
        match &self.0 {
            Backend::Memory(memory) => Ok(memory.renew(lock, lease)),
        }
    }

    /// Releases a lock if it is still ours; never anybody else's.
    ///
    /// # Errors
    /// Where the store cannot be asked; the lock ends by itself.
    pub async fn unlock(&self, lock: &Lock) -> Result<()> {
        match &self.0 {
            Backend::Memory(memory) => memory.unlock(lock),
        }
        Ok(())
    }

    /// Notes an id as finished, for `keep`. When it returns, the store has confirmed it.
    ///
    /// # Errors
    /// Where the store did not confirm it.
    pub async fn finish(&self, key: &str, keep: Duration) -> Result<()> {
        match &self.0 {
            Backend::Memory(memory) => memory.finish(key, keep),
        }
        Ok(())
    }

    /// True for an id that was noted as finished and is still kept.
    ///
    /// # Errors
    /// Where the store cannot be asked; then nothing is known of the id.
    pub async fn is_finished(&self, key: &str) -> Result<bool> {
        match &self.0 {
            Backend::Memory(memory) => Ok(memory.is_finished(key)),
        }
    }
}
