//! All in virtual time: each bound is met to the millisecond.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::handler::LeaseKeeper;
use crate::handler::logged::logged;
use crate::message::Message;
use crate::outcome::Unavailable;

const HALF_HOUR: Duration = Duration::from_mins(30);

fn delivery() -> (Delivery, LeaseKeeper) {
    let message = Message {
        id: "m-1".to_owned(),
        queue: "orders".to_owned(),
        body: "".into(),
        attributes: BTreeMap::new(),
        labels: BTreeMap::new(),
        system_attributes: BTreeMap::new(),
        event: None,
    };
    let keeper = LeaseKeeper::new(Instant::now() + HALF_HOUR);
    (Delivery { message: Arc::new(message), lease: keeper.lease() }, keeper)
}

async fn once<F>(handler: impl Fn(Delivery) -> F + Send + Sync + 'static) -> Ran
where
    F: Future<Output = Verdict> + Send + 'static,
{
    let handler = BoxHandler::new("test", handler);
    run(&handler, delivery().0, HALF_HOUR, &CancellationToken::new()).await
}

/// Never ends by itself; tells when it was told to end, and when it was dropped.
fn endless() -> (BoxHandler, Arc<AtomicBool>, Arc<AtomicBool>) {
    struct Noticed(Arc<AtomicBool>);
    impl Drop for Noticed {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let (told, dropped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (told_inside, dropped_inside) = (Arc::clone(&told), Arc::clone(&dropped));
    let handler = BoxHandler::new("endless", move |delivery| {
        let told = Arc::clone(&told_inside);
        let noticed = Noticed(Arc::clone(&dropped_inside));
        async move {
            let _noticed = noticed;
            delivery.lease.ended().await;
            told.store(true, Ordering::SeqCst);
            std::future::pending().await
        }
    });
    (handler, told, dropped)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_by_itself_is_reported_with_its_time() {
    let ran = once(|_| async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Ok(Outcome::reject("no"))
    })
    .await;
    assert_eq!(ran.verdict, Ok(Outcome::reject("no")));
    assert_eq!(ran.ending, Ending::Finished);
    assert_eq!(ran.duration, Duration::from_millis(1500));

    let ran = once(|_| async { Err(Unavailable::new("no such program")) }).await;
    assert_eq!(ran.verdict, Err(Unavailable::new("no such program")));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_retry_wherever_it_happens() {
    let wanted = Ok(Outcome::retry("handler panicked: no such luck"));
    let in_the_future = once(|_| async { panic!("no such luck") }).await;
    assert_eq!((in_the_future.verdict, in_the_future.ending), (wanted.clone(), Ending::Finished));

    let in_the_call =
        once(|_| -> std::future::Ready<Verdict> { panic!("no such {}", "luck") }).await;
    assert_eq!((in_the_call.verdict, in_the_call.ending), (wanted, Ending::Finished));
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_it_is_dropped_stays_inside() {
    struct Sore;
    impl Drop for Sore {
        fn drop(&mut self) {
            panic!("sore loser");
        }
    }
    let ran = once(|_| async {
        let _sore = Sore;
        std::future::pending().await
    })
    .await;
    assert_eq!(ran.ending, Ending::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_told_then_dropped() {
    let (handler, told, dropped) = endless();
    let ran = run(&handler, delivery().0, HALF_HOUR, &CancellationToken::new()).await;
    assert_eq!(ran.verdict, Ok(Outcome::retry("took longer than 30m")));
    assert_eq!(ran.ending, Ending::TimedOut);
    assert_eq!(ran.duration, HALF_HOUR + ABORT_GRACE);
    assert!(told.load(Ordering::SeqCst) && dropped.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_ends_the_run() {
    let (handler, told, dropped) = endless();
    let (delivery, keeper) = delivery();
    let abort = CancellationToken::new();
    let lose = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        keeper.lose();
    };
    let (ran, ()) = tokio::join!(run(&handler, delivery, HALF_HOUR, &abort), lose);
    assert_eq!(ran.verdict, Ok(Outcome::retry("the lease was lost")));
    assert_eq!(ran.ending, Ending::LeaseLost);
    assert_eq!(ran.duration, Duration::from_secs(10) + ABORT_GRACE);
    assert!(told.load(Ordering::SeqCst) && dropped.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn an_aborted_run_is_given_back_at_once() {
    let (handler, told, dropped) = endless();
    let abort = CancellationToken::new();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(25)).await;
        abort.cancel();
    };
    let (ran, ()) = tokio::join!(run(&handler, delivery().0, HALF_HOUR, &abort), stop);
    assert_eq!(ran.verdict, Ok(Outcome::retry_after(Duration::ZERO, "aborted")));
    assert_eq!(ran.ending, Ending::Aborted);
    assert_eq!(ran.duration, Duration::from_secs(25) + ABORT_GRACE);
    assert!(told.load(Ordering::SeqCst) && dropped.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn within_the_grace_only_done_counts() {
    let ends_as = |outcome: Outcome| {
        let handler = BoxHandler::new("late", move |delivery: Delivery| {
            let outcome = outcome.clone();
            async move {
                delivery.lease.ended().await;
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok(outcome)
            }
        });
        async move { run(&handler, delivery().0, HALF_HOUR, &CancellationToken::new()).await }
    };
    let done = ends_as(Outcome::Done).await;
    assert_eq!((done.verdict, done.ending), (Ok(Outcome::Done), Ending::TimedOut));
    assert_eq!(done.duration, HALF_HOUR + Duration::from_secs(2));

    let rejected = ends_as(Outcome::reject("killed in the middle")).await;
    assert_eq!(rejected.verdict, Ok(Outcome::retry("took longer than 30m")));
    assert_eq!(rejected.duration, HALF_HOUR + Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_started_that_would_have_to_end() {
    let never = BoxHandler::new("never", |_| async { panic!("was started") });
    let (of_lost, keeper) = delivery();
    keeper.lose();
    let ran = run(&never, of_lost, HALF_HOUR, &CancellationToken::new()).await;
    assert_eq!((ran.ending, ran.duration), (Ending::LeaseLost, Duration::ZERO));

    let abort = CancellationToken::new();
    abort.cancel();
    let ran = run(&never, delivery().0, HALF_HOUR, &abort).await;
    assert_eq!((ran.ending, ran.duration), (Ending::Aborted, Duration::ZERO));
    assert_eq!(ran.verdict, Ok(Outcome::retry_after(Duration::ZERO, "aborted")));
}

/// A handler of several messages, run on so many; what came of each, and their leases' keepers.
async fn many<F>(
    count: usize,
    handler: impl Fn(Vec<Delivery>) -> F + Send + Sync + 'static,
    meanwhile: impl AsyncFnOnce(&[LeaseKeeper]),
) -> Vec<Ran>
where
    F: Future<Output = Vec<Verdict>> + Send + 'static,
{
    let most = std::num::NonZeroUsize::new(10).unwrap();
    let handler = BoxHandler::batch("many", most, handler);
    let (deliveries, keepers): (Vec<_>, Vec<_>) = (0..count).map(|_| delivery()).unzip();
    let abort = CancellationToken::new();
    let run = run_all(&handler, deliveries, HALF_HOUR, &abort);
    tokio::join!(run, meanwhile(&keepers)).0
}

fn endings(ran: &[Ran]) -> Vec<(Ending, &'static str)> {
    ran.iter().map(|ran| (ran.ending, ran.verdict.as_ref().unwrap().label())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_of_one_does_not_cut_off_the_others() {
    let soon = |deliveries: Vec<Delivery>| async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let retried = deliveries.iter().skip(2).map(|_| Ok(Outcome::retry("not yet")));
        [Ok(Outcome::Done), Ok(Outcome::Done)].into_iter().chain(retried).collect()
    };
    let ran = many(4, soon, async |keepers| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        keepers[1].lose();
        keepers[2].lose();
    })
    .await;
    let (lost, finished) = (Ending::LeaseLost, Ending::Finished);
    let expected = [(finished, "done"), (lost, "done"), (lost, "retry"), (finished, "retry")];
    assert_eq!(endings(&ran), expected);
    assert_eq!(ran[2].verdict, Ok(Outcome::retry("the lease was lost")));
    assert_eq!(ran[0].duration, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_batch_ends_when_all_its_leases_are_lost_and_when_its_time_is_over() {
    let told = |deliveries: Vec<Delivery>| async move {
        for delivery in &deliveries {
            delivery.lease.ended().await;
        }
        vec![Ok(Outcome::Done)]
    };
    let ran = many(2, told, async |keepers| {
        keepers[0].lose();
        tokio::time::sleep(Duration::from_secs(1)).await;
        keepers[1].lose();
    })
    .await;
    assert_eq!(endings(&ran), [(Ending::LeaseLost, "done"), (Ending::LeaseLost, "retry")]);
    assert_eq!(ran[0].duration, Duration::from_secs(1));
    let ran = many(2, told, async |_| {}).await;
    assert_eq!(endings(&ran), [(Ending::TimedOut, "done"), (Ending::TimedOut, "retry")]);
    assert_eq!(ran[1].verdict, Ok(Outcome::retry("took longer than 30m")));
}

/// A run that has its end coming says by what: those of a batch that lost their leases before do not
/// make a lost lease of it.
#[tokio::test(start_paused = true)]
async fn a_batch_of_which_some_leases_are_lost_is_not_lost() {
    let told = |deliveries: Vec<Delivery>| async move {
        for delivery in &deliveries {
            delivery.lease.ended().await;
        }
        Vec::new()
    };
    let ran = many(2, told, async |keepers| keepers[0].lose()).await;
    assert_eq!(endings(&ran), [(Ending::TimedOut, "retry"), (Ending::TimedOut, "retry")]);
    assert_eq!(ran[0].duration, HALF_HOUR);
    // Nor does one that an earlier run was told to end by.
    let soon = |deliveries: Vec<Delivery>| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        vec![Ok(Outcome::Done); deliveries.len()]
    };
    let most = std::num::NonZeroUsize::new(10).unwrap();
    let handler = BoxHandler::batch("many", most, soon);
    let (deliveries, keepers): (Vec<_>, Vec<_>) = (0..2).map(|_| delivery()).unzip();
    for delivery in &deliveries {
        delivery.lease.end();
    }
    let abort = CancellationToken::new();
    let run = run_all(&handler, deliveries, HALF_HOUR, &abort);
    let ran = tokio::join!(run, async { keepers[1].lose() }).0;
    assert_eq!(endings(&ran), [(Ending::Finished, "done"), (Ending::LeaseLost, "done")]);
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_before_it_began_is_not_handed_over() {
    let counts = |deliveries: Vec<Delivery>| async move {
        assert!(!deliveries.iter().any(|delivery| delivery.lease.is_lost()));
        vec![Ok(Outcome::Done); deliveries.len()]
    };
    let most = std::num::NonZeroUsize::new(10).unwrap();
    let handler = BoxHandler::batch("many", most, counts);
    let (deliveries, keepers): (Vec<_>, Vec<_>) = (0..3).map(|_| delivery()).unzip();
    keepers[1].lose();
    let ran = run_all(&handler, deliveries, HALF_HOUR, &CancellationToken::new()).await;
    let (lost, finished) = (Ending::LeaseLost, Ending::Finished);
    assert_eq!(endings(&ran), [(finished, "done"), (lost, "retry"), (finished, "done")]);
}

#[test]
fn a_panic_is_for_all_and_verdicts_too_few_or_too_many_are_told() {
    let log = logged(tracing::Level::INFO, async {
        let ran = many(3, |_| async { panic!("no such luck") }, async |_| {}).await;
        assert!(
            ran.iter()
                .all(|ran| { ran.verdict == Ok(Outcome::retry("handler panicked: no such luck")) })
        );
        let ran = many(3, |_| async { vec![Ok(Outcome::Done)] }, async |_| {}).await;
        assert_eq!(ran[0].verdict, Ok(Outcome::Done));
        assert!(ran[1..].iter().all(|ran| ran.verdict == Ok(Outcome::missing())));
        let ran = many(1, |_| async { vec![Ok(Outcome::Done); 3] }, async |_| {}).await;
        assert_eq!(endings(&ran), [(Ending::Finished, "done")]);
    });
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains("message_id=m-1 attempt=1 messages=3}"), "{log}");
    assert!(lines[1].contains("WARN") && lines[1].contains("more outcomes than messages"), "{log}");
}

#[test]
fn a_panic_is_an_error_in_the_log_within_the_span_of_its_message() {
    let log = logged(tracing::Level::INFO, async {
        let _ran = once(|_| async { panic!("no such luck") }).await;
        let _ran = once(|_| async { Ok(Outcome::retry("as it should be")) }).await;
    });
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("ERROR handle{queue=orders message_id=m-1 attempt=1}"), "{log}");
    assert!(lines[0].ends_with("handler panicked error=no such luck"), "{log}");
}
