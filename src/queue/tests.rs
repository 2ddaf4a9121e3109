//! What is decided, without a network: events go in, and what is known is looked at.

mod batch;
mod guard;

use super::*;
use crate::handler::{BoxHandler, Ending};
use crate::message::Message;
use crate::outcome::{Outcome, Unavailable};
use crate::telemetry::health::Readiness;
use crate::toolkit::s3::Path;

/// A queue that was found, and whose calls reach nobody.
async fn stages() -> Stages {
    let aws = Aws::new();
    let sealed = config::Aws {
        endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        sealed: true,
        ..config::Aws::default()
    };
    let connection = aws.connect(&sealed).await.unwrap();
    let settings = config::Queue { aws: sealed, ..config::Queue::new("orders") };
    let mut routes = Routes::new();
    routes.set_default(BoxHandler::new("never", |_| std::future::pending())).unwrap();
    let queue = Queue::new("orders", settings, routes, aws);
    let ready = Readiness::new().wait_for("queue/orders");
    let mut stages = Stages::new(queue, Shutdown::new(), ready, false);
    stages.found(Ok(Arc::new(Source {
        connection,
        url: crate::toolkit::sqs::QueueUrl::at("http://127.0.0.1:1/000000000000", "orders"),
        lease: Duration::from_secs(30),
        retention: Duration::from_hours(96),
        rejects: None,
        max_receives: Some(3),
        arn: "arn:aws:sqs:us-east-1:000000000000:orders".to_owned(),
        note: None,
    })));
    stages
}

impl Stages {
    /// A poll brings these messages.
    fn brought(&mut self, ids: &[&str]) {
        self.brought_so(ids, false);
    }

    /// A poll brings these messages, whole or damaged.
    fn brought_so(&mut self, ids: &[&str], is_damaged: bool) {
        self.brought_for(ids, is_damaged, 1);
    }

    /// A poll brings these messages, received so often by now.
    fn brought_for(&mut self, ids: &[&str], is_damaged: bool, receives: u32) {
        let count = ("ApproximateReceiveCount".to_owned(), receives.to_string());
        let messages = ids
            .iter()
            .map(|id| Received {
                message: Message {
                    id: (*id).to_owned(),
                    queue: "orders".to_owned(),
                    body: "".into(),
                    attributes: std::collections::BTreeMap::new(),
                    labels: std::collections::BTreeMap::new(),
                    system_attributes: [count.clone()].into(),
                    event: None,
                },
                handle: format!("handle of {id}"),
                is_damaged,
            })
            .collect();
        self.polls.left(ids.len());
        let left = Instant::now();
        self.on(Event::Polled { asked: ids.len(), left, result: Ok(messages) });
    }

    /// The handler of the n-th message ends.
    fn ends(&mut self, ticket: Ticket, verdict: crate::handler::Verdict) {
        let run = Ran { verdict, ending: Ending::Finished, duration: Duration::ZERO };
        self.on(Event::Ran(vec![(ticket, run)]));
    }

    /// SQS answers a delete that was sent with this handle.
    fn answers_delete(&mut self, ticket: Ticket, handle: &str, error: Option<Error>) {
        let handle = handle.to_owned();
        self.on(Event::Deleted(vec![settle::Settled { ticket, handle, error }]));
    }

    /// SQS answers a give-back that was sent with this handle.
    fn answers_give_back(&mut self, ticket: Ticket, handle: &str) {
        let handle = handle.to_owned();
        self.on(Event::GivenBack(vec![settle::Settled { ticket, handle, error: None }]));
    }

    /// The same message comes again, with a handle of its own.
    fn brought_again(&mut self, id: &str, handle: &str) {
        let (receive, now) = (self.receives + 1, Instant::now());
        assert!(self.leases.adopt(id, handle, receive, now).is_some());
    }

    fn is_polling(&mut self) -> bool {
        matches!(self.next_poll(), Admission::Poll(_) | Admission::Wait(_))
    }
}

fn unavailable() -> crate::handler::Verdict {
    Err(Unavailable::new("no such program"))
}

#[tokio::test(start_paused = true)]
async fn one_message_is_kept_to_try_with_and_the_others_go_back() {
    let mut stages = stages().await;
    stages.brought(&["a", "b", "c"]);
    for ticket in 0..3 {
        stages.ends(ticket, unavailable());
    }
    assert_eq!(stages.items[&0].stage, Stage::Waiting);
    assert_eq!(stages.items[&1].stage, Stage::Settling);
    assert_eq!((stages.report.released, stages.report.retried), (2, 0));
    assert_eq!(stages.next_poll(), Admission::Closed, "no receive is spent");
    tokio::time::advance(Duration::from_secs(1)).await;
    stages.probe();
    assert_eq!(stages.items[&0].stage, Stage::Running);
    stages.ends(0, Ok(Outcome::Done));
    assert!(stages.pause.is_none());
    assert!(stages.is_polling());
}

impl Stages {
    /// The message that is tried with fails so often more, each time when its time has come.
    async fn fails_again(&mut self, ticket: Ticket, times: u32) {
        for _ in 0..times {
            let next = self.pause.as_ref().and_then(Pause::next_try).unwrap();
            sleep_until(next).await;
            self.probe();
            assert_eq!(self.items[&ticket].stage, Stage::Running);
            self.ends(ticket, unavailable());
        }
    }
}

/// The fault may be the message's own after all: it must not stop the queue for ever.
#[tokio::test(start_paused = true)]
async fn after_five_tries_another_message_has_its_turn() {
    let mut stages = stages().await;
    stages.brought(&["a"]);
    stages.ends(0, unavailable());
    stages.fails_again(0, 3).await;
    assert_eq!(stages.items[&0].stage, Stage::Waiting);
    stages.fails_again(0, 1).await;
    assert_eq!(stages.items[&0].stage, Stage::Settling);
    assert_eq!((stages.report.released, stages.report.retried), (1, 0), "it is not judged");
    assert_eq!(stages.items[&0].hidden_for, Duration::from_secs(32), "until another is asked for");
    stages.answers_give_back(0, "handle of a");
    tokio::time::advance(Duration::from_secs(16)).await;
    assert_eq!(stages.next_poll(), Admission::Poll(1));
    stages.brought(&["b"]);
    stages.ends(1, Ok(Outcome::Done));
    assert!(stages.pause.is_none());
}

/// What SQS would take as received too often stays, and so does what it might take.
#[tokio::test(start_paused = true)]
async fn a_message_that_would_not_come_again_is_kept_for_as_long_as_it_takes() {
    for most in [Some(1), None] {
        let mut stages = stages().await;
        let source = stages.source.as_deref().unwrap().clone();
        stages.source = Some(Arc::new(Source { max_receives: most, ..source }));
        stages.brought(&["a"]);
        stages.ends(0, unavailable());
        stages.fails_again(0, 4).await;
        assert_eq!(stages.items[&0].stage, Stage::Waiting);
        assert_eq!(stages.report.released, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_message_whose_lease_ends_is_replaced_by_another_that_can_end_the_pause() {
    let mut stages = stages().await;
    stages.brought(&["a"]);
    stages.ends(0, unavailable());
    tokio::time::advance(Duration::from_secs(31)).await;
    stages.renew();
    assert!(stages.items.is_empty(), "its lease was never renewed");
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(stages.next_poll(), Admission::Poll(1));
    stages.brought(&["b"]);
    assert_eq!(stages.next_poll(), Admission::Closed, "one at a time");
    stages.ends(1, Ok(Outcome::Done));
    assert!(stages.pause.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_deleted_when_it_comes_again_and_not_run() {
    let mut stages = stages().await;
    stages.brought(&["a"]);
    stages.ends(0, Ok(Outcome::Done));
    let failed = Error::new(Kind::Invalid, "the handle is not valid");
    stages.answers_delete(0, "handle of a", Some(failed));
    assert!(stages.items.is_empty());
    stages.brought(&["a"]);
    assert_eq!(stages.items[&1].stage, Stage::Settling);
    assert_eq!(stages.report.done, 1);
}

#[tokio::test(start_paused = true)]
async fn done_after_the_lease_was_lost_sends_no_delete() {
    let mut stages = stages().await;
    stages.brought(&["a"]);
    tokio::time::advance(Duration::from_secs(31)).await;
    stages.renew();
    assert!(stages.items[&0].keeper.is_lost());
    stages.ends(0, Ok(Outcome::Done));
    assert!(stages.items.is_empty());
    assert_eq!(stages.settle.take_deletes(true), None);
    // The copy that comes back is deleted, not run.
    stages.brought(&["a"]);
    assert_eq!(stages.settle.take_deletes(true), Some(vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_what_still_runs_brings_its_handle_and_no_second_run() {
    let mut stages = stages().await;
    stages.brought(&["a"]);
    stages.brought(&["a"]);
    assert_eq!(stages.items.len(), 1);
    assert_eq!(stages.slots, 1);
    stages.ends(0, Ok(Outcome::Done));
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0]));
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_draining_goes_back_at_once() {
    let mut stages = stages().await;
    stages.drain();
    stages.brought(&["a", "b"]);
    assert_eq!(stages.report.released, 2);
    let back = stages.settle.take_give_backs(true).unwrap();
    assert!(back.iter().all(|(_, delay)| delay.is_zero()), "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_comes_while_its_give_back_is_on_its_way_goes_back_too() {
    let mut stages = stages().await;
    stages.brought(&["a"]);
    stages.ends(0, Ok(Outcome::retry_after(Duration::ZERO, "not yet")));
    assert_eq!(stages.settle.take_give_backs(true), Some(vec![(0, Duration::ZERO)]));
    stages.brought_again("a", "new");
    stages.answers_give_back(0, "handle of a");
    assert_eq!(stages.settle.take_give_backs(true), Some(vec![(0, Duration::ZERO)]));
    stages.answers_give_back(0, "new");
    assert!(stages.items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_comes_while_its_delete_is_on_its_way_is_deleted_too() {
    let mut stages = stages().await;
    stages.brought(&["a"]);
    stages.ends(0, Ok(Outcome::Done));
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0]));
    stages.brought_again("a", "new");
    stages.answers_delete(0, "handle of a", None);
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0]), "the copy is still there");
    stages.answers_delete(0, "new", None);
    assert!(stages.items.is_empty());
    assert!(stages.finished.contains("a", Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn a_give_back_waits_for_the_renewal_that_could_undo_it() {
    let mut stages = stages().await;
    stages.brought(&["a"]);
    let renewals = stages.leases.take_due(Instant::now() + Duration::from_secs(15));
    stages.ends(0, Ok(Outcome::retry("not yet")));
    tokio::time::advance(Duration::from_secs(1)).await;
    stages.flush();
    assert_eq!(stages.held_back.len(), 1);
    let handle = "handle of a".to_owned();
    let results = vec![settle::Settled { ticket: 0, handle, error: None }];
    stages.on(Event::Renewed { left: Instant::now(), renewals, results });
    assert!(stages.held_back.is_empty());
    assert_eq!(stages.settle.take_give_backs(true).map(|back| back.len()), Some(1));
}

#[tokio::test(start_paused = true)]
async fn with_once_a_handler_that_cannot_be_started_is_the_end() {
    let mut stages = stages().await;
    stages.once = true;
    stages.brought(&["a"]);
    for _ in 0..3 {
        assert!(stages.failure.is_none());
        stages.ends(0, unavailable());
    }
    assert!(stages.draining);
    assert_eq!(stages.failure.as_ref().map(Error::kind), Some(Kind::Unreachable));
    assert_eq!(stages.report.released, 1);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_body_is_retried_and_no_handler_sees_it() {
    let mut stages = stages().await;
    stages.brought_so(&["a"], true);
    assert_eq!(stages.items[&0].stage, Stage::Settling);
    assert_eq!((stages.report.retried, stages.report.rejected), (1, 0));
    assert!(stages.tasks.is_empty(), "nothing runs");
    tokio::time::advance(Duration::from_secs(20)).await;
    assert!(stages.settle.take_give_backs(true).is_some());
}

/// A queue whose bodies are unpacked first; what it would fetch never comes.
async fn unpacking() -> Stages {
    let mut stages = stages().await;
    let step = config::Step::read("gzip").unwrap();
    stages.settings.payload.steps = vec![step];
    stages.unpacker = Unpacker::new(&stages.settings);
    stages
}

fn unpacked(message: &Message) -> Unpacked {
    let object = Path::new("b", "k");
    let message = Message { body: "unpacked".into(), ..message.clone() };
    Unpacked::Message { message, objects: vec![object] }
}

#[tokio::test(start_paused = true)]
async fn what_is_unpacked_runs_and_what_came_is_kept() {
    let mut stages = unpacking().await;
    stages.brought(&["a"]);
    assert_eq!((stages.items[&0].stage, stages.slots), (Stage::Preparing, 1));
    let (began, message) = (Instant::now(), unpacked(&stages.items[&0].message));
    stages.on(Event::Unpacked { ticket: 0, began, unpacked: Some(message) });
    let item = &stages.items[&0];
    assert_eq!((item.stage, stages.slots), (Stage::Running, 1));
    assert_eq!(item.as_handled().body.as_text(), Some("unpacked"));
    assert_eq!(item.message.body.as_text(), Some(""));
    // A handler that cannot be started costs no second fetch.
    stages.ends(0, unavailable());
    tokio::time::advance(Duration::from_secs(1)).await;
    stages.probe();
    assert_eq!(stages.items[&0].as_handled().body.as_text(), Some("unpacked"));
    stages.ends(0, Ok(Outcome::Done));
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0]));
    stages.answers_delete(0, "handle of a", None);
    assert!(stages.items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_unpacked_while_draining_goes_back() {
    let mut stages = unpacking().await;
    stages.brought(&["a", "b"]);
    stages.draining = true;
    let (began, message) = (Instant::now(), unpacked(&stages.items[&0].message));
    stages.on(Event::Unpacked { ticket: 0, began, unpacked: Some(message) });
    stages.on(Event::Unpacked { ticket: 1, began, unpacked: None });
    assert_eq!((stages.report.released, stages.report.retried), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lease_lost_while_unpacking_deletes_nothing() {
    let mut stages = unpacking().await;
    stages.brought(&["a"]);
    tokio::time::advance(Duration::from_secs(31)).await;
    stages.renew();
    stages.on(Event::Unpacked { ticket: 0, began: Instant::now(), unpacked: None });
    assert!(stages.items.is_empty());
    assert_eq!(stages.settle.take_deletes(true), None);
    assert_eq!(stages.settle.take_give_backs(true), None);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_confirmed_after_the_lease_proves_nothing() {
    let mut stages = stages().await;
    stages.brought(&["a"]);
    let object = Path::new("bodies", "a");
    stages.items.get_mut(&0).unwrap().objects.push(object);
    stages.ends(0, Ok(Outcome::Done));
    let tasks = stages.tasks.len();
    tokio::time::advance(Duration::from_secs(31)).await;
    stages.answers_delete(0, "handle of a", None);
    assert_eq!(stages.tasks.len(), tasks, "the copy that comes may point to its object");
    let later = Instant::now() + Duration::from_hours(95);
    assert!(stages.finished.contains("a", later), "the copy that comes must not run");
}

#[tokio::test(start_paused = true)]
async fn with_once_an_empty_queue_is_not_the_end_of_what_is_kept() {
    let mut stages = stages().await;
    let settings = config::Idempotency::new(config::IdempotencyStore::Memory);
    stages.guard = Some(Guard::new(Store::memory(), settings));
    stages.once = true;
    stages.brought_for(&["a"], false, 3);
    assert_eq!(stages.items[&0].stage, Stage::Kept);
    stages.brought(&[]);
    assert!(!stages.draining, "one more receive would be one too many");
}
