//! One lock from its taking to its end, by a clock of its own: a busy queue or a slow SQS never
//! makes its renewal late.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Entry;
use crate::config::Idempotency;
use crate::error::Result;
use crate::lock::{Attempt, Lock, Store};
use crate::shutdown::Shutdown;

/// How a lock ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum End {
    /// By us; where the store could not be asked, by itself a moment later.
    Released,
    /// The store says that it is not ours any more, or a renewal came too late.
    Lost,
    /// The store could not be asked for as long as it stood.
    Unreachable,
}

/// Asks for the lock on a message, as often as the settings say, and then whether it was handled
/// before: in this order, since whoever had the lock may have finished it meanwhile.
pub(super) async fn enter(
    store: &Store,
    key: &str,
    finished: &str,
    settings: &Idempotency,
    shutdown: &Shutdown,
) -> Result<Entry> {
    let mut attempts = 1;
    let lock = loop {
        let left = match store.lock(key, settings.lock_timeout).await? {
            Attempt::Held(lock) => break lock,
            Attempt::Busy(left) => left,
        };
        if attempts >= settings.lock_attempts || shutdown.is_draining() {
            return Ok(Entry::Busy(left));
        }
        attempts += 1;
        sleep(Duration::from_millis(100) + Duration::from_millis(200).mul_f64(fastrand::f64()))
            .await;
    };
    match store.is_finished(finished).await {
        Ok(false) => Ok(Entry::Locked(lock)),
        answer => {
            release(store, &lock).await;
            answer.map(|_| Entry::Finished)
        }
    }
}

/// Renews a lock at a third of its lease until told to stop, and then releases it.
pub(super) async fn keep(
    store: &Store,
    mut lock: Lock,
    lease: Duration,
    stop: &CancellationToken,
) -> End {
    let mut due = Instant::now() + lease / 3;
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                release(store, &lock).await;
                return End::Released;
            }
            () = sleep_until(due.min(lock.until)) => {}
        }
        if lock.until <= Instant::now() {
            return End::Unreachable;
        }
        let until = lock.until;
        let renewal = tokio::select! {
            () = stop.cancelled() => continue,
            renewal = timeout_at(until, store.renew(&mut lock, lease)) => renewal,
        };
        due = match renewal {
            Ok(Ok(true)) => Instant::now() + lease / 3,
            Ok(Ok(false)) => return End::Lost,
            Ok(Err(error)) => {
                tracing::debug!(lock = lock.key, %error, "renewing a lock failed");
                Instant::now() + lease / 10
            }
            Err(_) => until,
        };
    }
}

async fn release(store: &Store, lock: &Lock) {
    if let Err(error) = store.unlock(lock).await {
        tracing::debug!(lock = lock.key, %error, "lock could not be released and ends by itself");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{IdempotencyStore, RedisServer};

    const LEASE: Duration = Duration::from_secs(10);

    async fn locked(store: &Store) -> Lock {
        match store.lock("key", LEASE).await.unwrap() {
            Attempt::Held(lock) => lock,
            Attempt::Busy(left) => panic!("held for {left:?}"),
        }
    }

    /// Nobody listens there.
    fn unreachable() -> Store {
        let server = RedisServer::read("redis://127.0.0.1:1").unwrap();
        Store::open(&Idempotency::new(IdempotencyStore::Redis(vec![server]))).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn renewed_for_as_long_as_it_is_wanted_and_then_released() {
        let store = Store::memory();
        let lock = locked(&store).await;
        let stop = CancellationToken::new();
        let (stopping, other) = (stop.clone(), store.clone());
        let watch = async move {
            for _ in 0..100 {
                sleep(Duration::from_secs(3)).await;
                assert!(matches!(other.lock("key", LEASE).await.unwrap(), Attempt::Busy(_)));
            }
            stopping.cancel();
        };
        let (end, ()) = tokio::join!(keep(&store, lock, LEASE, &stop), watch);
        assert_eq!(end, End::Released);
        locked(&store).await;
    }

    #[tokio::test(start_paused = true)]
    async fn with_the_store_away_it_is_lost_when_its_time_is_over_and_not_sooner() {
        let began = Instant::now();
        let (key, token) = ("key".to_owned(), "token".to_owned());
        let lock = Lock { key, token, until: began + LEASE };
        let end = keep(&unreachable(), lock, LEASE, &CancellationToken::new()).await;
        assert_eq!(end, End::Unreachable);
        let stood = began.elapsed();
        assert!(stood >= LEASE && stood < LEASE + Duration::from_millis(100), "{stood:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_store_does_not_know_any_more_is_lost_at_the_next_renewal() {
        let store = Store::memory();
        let lock = locked(&store).await;
        store.unlock(&lock).await.unwrap();
        let began = Instant::now();
        let end = keep(&store, lock, LEASE, &CancellationToken::new()).await;
        assert_eq!(end, End::Lost);
        assert!(began.elapsed() < LEASE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_finished_elsewhere_leaves_no_lock_behind() {
        let (store, settings) = (Store::memory(), Idempotency::new(IdempotencyStore::Memory));
        store.finish("done", LEASE).await.unwrap();
        let entry = enter(&store, "key", "done", &settings, &Shutdown::new()).await.unwrap();
        assert!(matches!(entry, Entry::Finished), "{entry:?}");
        locked(&store).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_attempts() {
        let store = Store::memory();
        locked(&store).await;
        let settings =
            Idempotency { lock_attempts: 100, ..Idempotency::new(IdempotencyStore::Memory) };
        let shutdown = Shutdown::new();
        shutdown.drain();
        let entry = enter(&store, "key", "done", &settings, &shutdown).await.unwrap();
        assert!(matches!(entry, Entry::Busy(left) if left == LEASE), "{entry:?}");
    }
}
