//! A store in the memory of this process, for one daemon alone and for tests. It never waits, and is
//! asked as the others are.

use std::collections::{BTreeSet, HashMap};
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::{Attempt, Lock};
use crate::error::Result;

/// The most locks, and the most finished ids kept; the one that would be forgotten first makes room.
const MOST: usize = 200_000;

#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Tables>>);

/// Locks end long before finished ids: in one table with them, they would be what makes room.
#[derive(Debug, Default)]
struct Tables {
    locks: Keys,
    finished: Keys,
}

#[derive(Debug, Default)]
struct Keys {
    /// Each with its value and until when it is kept.
    entries: HashMap<String, (String, Instant)>,
    order: BTreeSet<(Instant, String)>,
}

impl Memory {
    pub(super) fn lock(&self, key: &str, lease: Duration) -> Ready<Result<Attempt>> {
        let (now, mut tables) = (Instant::now(), self.tables());
        let keys = &mut tables.locks;
        if let Some((_, until)) = keys.get(key, now) {
            return ready(Ok(Attempt::Busy(until - now)));
        }
        let token = Uuid::new_v4().to_string();
        keys.put(key, &token, now + lease);
        ready(Ok(Attempt::Held(Lock { key: key.to_owned(), token, until: now + lease })))
    }

    pub(super) fn renew(&self, lock: &mut Lock, lease: Duration) -> Ready<Result<bool>> {
        let (now, mut tables) = (Instant::now(), self.tables());
        let keys = &mut tables.locks;
        if !keys.is_ours(lock, now) {
            return ready(Ok(false));
        }
        lock.until = now + lease;
        keys.put(&lock.key, &lock.token, lock.until);
        ready(Ok(true))
    }

    pub(super) fn unlock(&self, lock: &Lock) -> Ready<Result<()>> {
        let mut tables = self.tables();
        let keys = &mut tables.locks;
        if keys.is_ours(lock, Instant::now()) {
            keys.remove(&lock.key);
        }
        ready(Ok(()))
    }

    pub(super) fn finish(&self, key: &str, keep: Duration) -> Ready<Result<()>> {
        self.tables().finished.put(key, "done", Instant::now() + keep);
        ready(Ok(()))
    }

    pub(super) fn is_finished(&self, key: &str) -> Ready<Result<bool>> {
        ready(Ok(self.tables().finished.get(key, Instant::now()).is_some()))
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn get(&mut self, key: &str, now: Instant) -> Option<(String, Instant)> {
        while let Some((until, first)) = self.order.first().cloned() {
            if until > now {
                break;
            }
            self.order.pop_first();
            self.entries.remove(&first);
        }
        self.entries.get(key).cloned()
    }

    fn is_ours(&mut self, lock: &Lock, now: Instant) -> bool {
        self.get(&lock.key, now).is_some_and(|(token, _)| token == lock.token)
    }

    fn put(&mut self, key: &str, value: &str, until: Instant) {
        self.remove(key);
        self.entries.insert(key.to_owned(), (value.to_owned(), until));
        self.order.insert((until, key.to_owned()));
        if self.entries.len() > MOST
            && let Some((_, first)) = self.order.pop_first()
        {
            self.entries.remove(&first);
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some((_, until)) = self.entries.remove(key) {
            self.order.remove(&(until, key.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn one_holder_at_a_time_and_only_the_holder_renews_and_unlocks() {
        let store = Store::memory();
        let Attempt::Held(mut first) = store.lock("key", LEASE).await.unwrap() else { panic!() };
        let Attempt::Busy(left) = store.lock("key", LEASE).await.unwrap() else { panic!() };
        assert_eq!(left, LEASE);
        assert!(store.renew(&mut first, LEASE).await.unwrap());
        tokio::time::advance(LEASE).await;
        assert!(!store.renew(&mut first, LEASE).await.unwrap());
        let Attempt::Held(second) = store.lock("key", LEASE).await.unwrap() else { panic!() };
        store.unlock(&first).await.unwrap();
        assert!(matches!(store.lock("key", LEASE).await.unwrap(), Attempt::Busy(_)));
        store.unlock(&second).await.unwrap();
        assert!(matches!(store.lock("key", LEASE).await.unwrap(), Attempt::Held(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_finished_id_is_kept_for_its_time() {
        let store = Store::memory();
        store.finish("id", Duration::from_hours(96)).await.unwrap();
        tokio::time::advance(Duration::from_hours(95)).await;
        assert!(store.is_finished("id").await.unwrap());
        tokio::time::advance(Duration::from_hours(1)).await;
        assert!(!store.is_finished("id").await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn finished_ids_beyond_the_most_take_the_place_of_no_lock() {
        let store = Store::memory();
        let Attempt::Held(mut lock) = store.lock("key", LEASE).await.unwrap() else { panic!() };
        for id in 0..=MOST {
            store.finish(&id.to_string(), Duration::from_hours(96)).await.unwrap();
        }
        assert!(store.renew(&mut lock, LEASE).await.unwrap());
        assert!(store.is_finished(&MOST.to_string()).await.unwrap());
    }
}
