//! Locks and finished ids: what is sent to SQS, and when, by what the store says.

use futures_util::future::BoxFuture;

use super::*;
use crate::config::{Idempotency, IdempotencyStore, OnStoreError};
use crate::lock::{Attempt, Store};
use crate::queue::guard::{End, Entry, News};

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:orders";
const SECOND: Duration = Duration::from_secs(1);

/// A queue whose locks lie in `store`, which has shown already that it works.
fn guarded(store: &Store, on_store_error: OnStoreError) -> BoxFuture<'_, Stages> {
    Box::pin(async move {
        let mut stages = stages().await;
        let settings = Idempotency { on_store_error, ..Idempotency::new(IdempotencyStore::Memory) };
        stages.guard = Some(Guard::new(store.clone(), settings));
        stages.turn(SECOND).await;
        stages
    })
}

fn retrying(store: &Store) -> BoxFuture<'_, Stages> {
    guarded(store, OnStoreError::Retry)
}

impl Stages {
    /// Lets the tasks of the store run for so long.
    async fn turn(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            self.guard_due();
            let wake = self.guard_wake().unwrap_or(end).clamp(Instant::now(), end);
            tokio::select! {
                Some(ended) = self.tasks.next() => {
                    if let crate::supervisor::End::Returned(event) = ended.end {
                        self.on(event);
                    }
                }
                () = sleep_until(wake) => if wake >= end { return },
            }
        }
    }

    /// A poll brings one that has been received so often.
    fn brought_receive(&mut self, id: &str, receives: u32) -> Ticket {
        self.brought_for(&[id], false, receives);
        self.items.keys().copied().max().unwrap()
    }

    /// The store cannot be asked for the lock on this message.
    fn store_refuses(&mut self, ticket: Ticket) {
        self.on(Event::Heard(News::Entered { ticket, result: Err(away()) }));
    }

    fn back(&mut self) -> Vec<(Ticket, Duration)> {
        self.settle.take_give_backs(true).unwrap_or_default()
    }
}

fn away() -> Error {
    Error::new(Kind::Unreachable, "locking at redis://127.0.0.1:1/0")
}

/// For how long somebody else has the lock on this message.
async fn busy(store: &Store, id: &str) -> Option<Duration> {
    match store.lock(&format!("sqs:event:{id}"), Duration::from_millis(1)).await.unwrap() {
        Attempt::Busy(left) => Some(left),
        Attempt::Held(lock) => {
            store.unlock(&lock).await.unwrap();
            None
        }
    }
}

async fn is_finished(store: &Store, id: &str) -> bool {
    store.is_finished(&format!("sqs:done:{ARN}:{id}")).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn done_then_finished_then_deleted_then_unlocked() {
    let store = Store::memory();
    let mut stages = retrying(&store).await;
    stages.brought(&["a"]);
    stages.turn(SECOND).await;
    assert!(busy(&store, "a").await.is_some(), "it runs under its lock");
    stages.ends(0, Ok(Outcome::Done));
    assert_eq!(stages.settle.take_deletes(true), None, "its id is not confirmed yet");
    stages.turn(SECOND).await;
    assert!(is_finished(&store, "a").await);
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0]));
    assert!(busy(&store, "a").await.is_some(), "the delete is not confirmed yet");
    stages.answers_delete(0, "handle of a", None);
    stages.turn(SECOND).await;
    assert!(stages.items.is_empty());
    assert_eq!(busy(&store, "a").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_renewed_while_the_handler_runs_and_released_when_it_failed() {
    let store = Store::memory();
    let mut stages = retrying(&store).await;
    stages.brought(&["a"]);
    for _ in 0..20 {
        stages.turn(Duration::from_secs(3)).await;
        let left = busy(&store, "a").await.unwrap();
        assert!(left > Duration::from_secs(6), "renewed at a third: {left:?}");
    }
    stages.ends(0, Ok(Outcome::retry("no")));
    stages.turn(SECOND).await;
    assert_eq!(busy(&store, "a").await, None);
    assert!(!is_finished(&store, "a").await);
}

#[tokio::test(start_paused = true)]
async fn what_is_finished_is_deleted_and_not_run() {
    let store = Store::memory();
    store.finish(&format!("sqs:done:{ARN}:a"), Duration::from_hours(96)).await.unwrap();
    let mut stages = retrying(&store).await;
    stages.brought(&["a"]);
    stages.turn(SECOND).await;
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0]));
    assert_eq!(stages.report.done, 0);
    assert_eq!(busy(&store, "a").await, None, "nobody waits for it in vain");
}

/// I7: all locks are held by others.
#[tokio::test(start_paused = true)]
async fn i7_with_all_ten_locks_held_no_handler_runs() {
    let store = Store::memory();
    let ids: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    for id in &ids {
        let key = format!("sqs:event:{id}");
        store.lock(&key, Duration::from_secs(7)).await.unwrap();
    }
    let mut stages = retrying(&store).await;
    stages.brought(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    stages.turn(Duration::from_millis(10)).await;
    let back = stages.back();
    assert_eq!(back.len(), 10);
    for (_, delay) in back {
        assert!((6..=9).contains(&delay.as_secs()), "the holder's time and jitter: {delay:?}");
    }
    assert_eq!((stages.report.released, stages.report.retried), (10, 0));
    assert_eq!(stages.slots, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_asked_for_as_often_as_the_settings_say() {
    let store = Store::memory();
    store.lock("sqs:event:a", Duration::from_millis(350)).await.unwrap();
    let mut stages = stages().await;
    let memory = Idempotency::new(IdempotencyStore::Memory);
    stages.guard = Some(Guard::new(store.clone(), Idempotency { lock_attempts: 5, ..memory }));
    stages.turn(Duration::from_millis(10)).await;
    stages.brought(&["a"]);
    let began = Instant::now();
    while stages.guard.as_ref().is_some_and(|guard| !guard.holds(0)) {
        stages.turn(Duration::from_millis(10)).await;
    }
    let waited = began.elapsed();
    assert!(
        waited >= Duration::from_millis(330) && waited < Duration::from_millis(660),
        "{waited:?}"
    );
    assert!(stages.back().is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_one_more_receive_is_too_many_the_message_is_kept_until_the_lock_is_free() {
    let store = Store::memory();
    let Attempt::Held(mut other) = store.lock("sqs:event:a", Duration::from_secs(7)).await.unwrap()
    else {
        panic!("somebody else has it");
    };
    let mut stages = retrying(&store).await;
    let kept = stages.brought_receive("a", 3);
    let given_back = stages.brought_receive("b", 2);
    stages.turn(Duration::from_millis(10)).await;
    assert_eq!(stages.items[&kept].stage, Stage::Kept);
    assert_eq!(stages.items[&given_back].stage, Stage::Running, "nobody has the lock on b");
    assert_eq!(stages.slots, 1, "what is kept takes no slot");
    assert!(stages.is_polling(), "and holds nobody up");
    // The other one renews it once.
    store.renew(&mut other, Duration::from_secs(9)).await.unwrap();
    stages.turn(Duration::from_secs(9)).await;
    assert_eq!(stages.items[&kept].stage, Stage::Kept);
    stages.turn(Duration::from_secs(3)).await;
    assert_eq!(stages.items[&kept].stage, Stage::Running);
    assert!(stages.back().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_lock_is_a_lost_lease_and_nothing_is_deleted() {
    let store = Store::memory();
    let mut stages = retrying(&store).await;
    stages.brought(&["a"]);
    stages.turn(SECOND).await;
    let token = stages.guard.as_ref().unwrap().token(0).unwrap().to_owned();
    stages.on(Event::Heard(News::LockEnded { ticket: 0, token, end: End::Lost }));
    assert!(stages.items[&0].keeper.is_lost(), "the handler is told");
    stages.ends(0, Ok(Outcome::Done));
    stages.turn(SECOND).await;
    assert_eq!(stages.settle.take_deletes(true), None);
    assert!(stages.items.is_empty());
    assert!(is_finished(&store, "a").await, "whoever receives it next deletes it");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_older_lock_ends_nothing() {
    let store = Store::memory();
    let mut stages = retrying(&store).await;
    stages.brought(&["a"]);
    stages.turn(SECOND).await;
    let token = "of an earlier run".to_owned();
    stages.on(Event::Heard(News::LockEnded { ticket: 0, token, end: End::Lost }));
    assert!(!stages.items[&0].keeper.is_lost());
}

#[tokio::test(start_paused = true)]
async fn while_the_finished_id_is_unconfirmed_no_delete_is_sent_and_nothing_is_polled() {
    let store = Store::memory();
    let mut stages = retrying(&store).await;
    stages.brought(&["a"]);
    stages.turn(SECOND).await;
    stages.ends(0, Ok(Outcome::Done));
    stages.on(Event::Heard(News::Finished { ticket: 0, result: Err(away()) }));
    assert_eq!(stages.settle.take_deletes(true), None);
    assert_eq!(stages.next_poll(), Admission::Closed);
    // Its lock may end meanwhile: the handler is done, and still it is not run again here.
    let token = stages.guard.as_ref().unwrap().token(0).unwrap().to_owned();
    stages.on(Event::Heard(News::LockEnded { ticket: 0, token, end: End::Unreachable }));
    assert!(!stages.items[&0].keeper.is_lost());
    stages.turn(Duration::from_secs(2)).await;
    assert!(is_finished(&store, "a").await, "the store is back");
    assert_eq!(stages.settle.take_deletes(true).map(|deletes| deletes[0]), Some(0));
    assert!(stages.is_polling());
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_messages_go_back_and_those_near_the_end_are_kept() {
    let store = Store::memory();
    let mut stages = retrying(&store).await;
    let near = stages.brought_receive("near", 3);
    let other = stages.brought_receive("other", 1);
    stages.store_refuses(near);
    stages.store_refuses(other);
    assert_eq!(stages.next_poll(), Admission::Closed);
    assert_eq!(stages.items[&near].stage, Stage::Kept);
    assert_eq!(stages.back(), [(other, Duration::ZERO)]);
    assert_eq!((stages.report.retried, stages.report.rejected), (0, 0), "no message is judged");
    // Still open polls bring more: the store is not asked for each.
    let late = stages.brought_receive("late", 1);
    assert_eq!(stages.back(), [(late, Duration::ZERO)]);
    stages.turn(Duration::from_secs(2)).await;
    assert!(stages.is_polling());
    assert_eq!(stages.items[&near].stage, Stage::Running);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_polled_before_the_store_has_shown_that_it_works() {
    let mut stages = stages().await;
    let settings = Idempotency::new(IdempotencyStore::Memory);
    stages.guard = Some(Guard::new(Store::memory(), settings));
    assert_eq!(stages.next_poll(), Admission::Closed);
    stages.turn(Duration::from_millis(1)).await;
    assert!(stages.is_polling());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_is_probed_by_backoff_and_with_once_it_is_the_end() {
    let mut stages = retrying(&Store::memory()).await;
    stages.once = true;
    for failures in 1..=3 {
        assert!(stages.failure.is_none(), "{failures}");
        stages.on(Event::Heard(News::Probed(Err(away()))));
        let next = stages.guard_wake();
        if failures < 3 {
            let wait = next.unwrap() - Instant::now();
            assert!(wait >= SECOND * failures / 2 && wait <= SECOND * 4, "{wait:?}");
            stages.guard.as_mut().unwrap().probing();
        }
    }
    assert!(stages.draining);
    assert_eq!(stages.failure.as_ref().map(Error::kind), Some(Kind::Unreachable));
}

#[tokio::test(start_paused = true)]
async fn with_proceed_messages_run_without_lock_and_are_deleted() {
    let mut stages = guarded(&Store::memory(), OnStoreError::Proceed).await;
    let ticket = stages.brought_receive("a", 1);
    stages.store_refuses(ticket);
    assert_eq!(stages.items[&ticket].stage, Stage::Running);
    assert!(stages.is_polling());
    stages.ends(ticket, Ok(Outcome::Done));
    stages.on(Event::Heard(News::Finished { ticket, result: Err(away()) }));
    assert_eq!(stages.settle.take_deletes(true), Some(vec![ticket]));
}

#[tokio::test(start_paused = true)]
async fn with_proceed_a_lock_that_cannot_be_renewed_ends_nothing_and_one_taken_away_does() {
    for (end, lost) in [(End::Unreachable, false), (End::Lost, true)] {
        let mut stages = guarded(&Store::memory(), OnStoreError::Proceed).await;
        stages.brought(&["a"]);
        stages.turn(SECOND).await;
        let token = stages.guard.as_ref().unwrap().token(0).unwrap().to_owned();
        stages.on(Event::Heard(News::LockEnded { ticket: 0, token, end }));
        assert_eq!(stages.items[&0].keeper.is_lost(), lost, "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_releases_locks_and_gives_what_is_kept_back_but_not_at_once() {
    let store = Store::memory();
    store.lock("sqs:event:kept", Duration::from_mins(5)).await.unwrap();
    let mut stages = retrying(&store).await;
    stages.brought(&["runs"]);
    let kept = stages.brought_receive("kept", 3);
    stages.turn(SECOND).await;
    assert_eq!(stages.items[&kept].stage, Stage::Kept);
    stages.drain();
    let back = stages.back();
    assert_eq!(back, [(kept, Duration::from_secs(10))]);
    stages.release(0);
    stages.turn(SECOND).await;
    assert_eq!(busy(&store, "runs").await, None);
    let late = stages.brought_receive("late", 1);
    stages.turn(SECOND).await;
    assert_eq!(stages.items[&late].stage, Stage::Settling, "what had not begun goes back");
    assert_eq!(busy(&store, "late").await, None);
}

#[tokio::test(start_paused = true)]
async fn with_no_time_left_what_is_unconfirmed_stays_in_the_queue() {
    let mut stages = retrying(&Store::memory()).await;
    stages.brought(&["a"]);
    stages.turn(SECOND).await;
    stages.ends(0, Ok(Outcome::Done));
    stages.drain();
    stages.on(Event::Heard(News::Finished { ticket: 0, result: Err(away()) }));
    assert_eq!(stages.items.len(), 1, "the time to drain may be enough for the store");
    stages.give_up_unconfirmed();
    assert!(stages.items.is_empty());
    assert_eq!(stages.settle.take_deletes(true), None);
    assert_eq!(stages.report.stranded, 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_back_at_stop_confirms_what_is_done_before_its_delete() {
    let store = Store::memory();
    let mut stages = retrying(&store).await;
    stages.brought(&["a"]);
    stages.turn(SECOND).await;
    stages.ends(0, Ok(Outcome::Done));
    stages.tasks = Tasks::new();
    stages.shutdown.drain();
    stages.drain();
    stages.on(Event::Heard(News::Finished { ticket: 0, result: Err(away()) }));
    stages.turn(5 * SECOND).await;
    assert!(is_finished(&store, "a").await);
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0]));
}

#[tokio::test(start_paused = true)]
async fn a_lease_lost_while_the_lock_is_asked_for_runs_nothing() {
    let store = Store::memory();
    let mut stages = retrying(&store).await;
    stages.brought(&["a"]);
    tokio::time::advance(Duration::from_secs(31)).await;
    stages.renew();
    stages.turn(SECOND).await;
    assert!(stages.items.is_empty());
    assert_eq!(busy(&store, "a").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_what_is_done_here_is_deleted_only_when_its_id_is_confirmed() {
    let store = Store::memory();
    let mut stages = retrying(&store).await;
    stages.finished.done("a", Duration::from_hours(1), Instant::now());
    stages.brought(&["a"]);
    assert_eq!(stages.settle.take_deletes(true), None);
    stages.turn(SECOND).await;
    assert!(is_finished(&store, "a").await);
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0]));
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_comes_when_the_message_is_gone_is_nothing() {
    let mut stages = retrying(&Store::memory()).await;
    for entry in [Entry::Busy(SECOND), Entry::Finished] {
        stages.on(Event::Heard(News::Entered { ticket: 9, result: Ok(entry) }));
    }
    assert!(stages.items.is_empty() && stages.back().is_empty());
}
