//! Handlers that take several messages: who stands in a batch, and what becomes of each.

mod outage;

use std::num::NonZeroUsize;

use super::*;

const MOST: usize = 5;

/// A queue whose handler takes five at once, of 20 slots.
async fn batching() -> Stages {
    let mut stages = stages().await;
    let most = NonZeroUsize::new(MOST).unwrap();
    let mut routes = Routes::new();
    routes.set_default(BoxHandler::batch("many", most, |_| std::future::pending())).unwrap();
    let one = BoxHandler::new("one", |_| std::future::pending());
    routes.add("single", one).unwrap();
    stages.routes = routes;
    stages.settings.concurrency = 20;
    stages
}

/// The same with a FIFO queue.
async fn in_order() -> Stages {
    let mut stages = batching().await;
    let mut source = stages.source.take().unwrap();
    let url = crate::toolkit::sqs::QueueUrl::at("http://127.0.0.1:1/000000000000", "q.fifo");
    Arc::get_mut(&mut source).unwrap().url = url;
    stages.source = Some(source);
    stages
}

impl Stages {
    /// A poll brings these messages of groups, each `group/id`, with the event `single` where an
    /// id ends in `!`.
    fn brought_in_groups(&mut self, ids: &[&str]) {
        let left = Instant::now();
        let messages = ids.iter().map(|id| {
            let (group, _) = id.split_once('/').unwrap();
            let group = ("MessageGroupId".to_owned(), group.to_owned());
            let message = Message {
                id: (*id).to_owned(),
                queue: "q.fifo".to_owned(),
                body: "".into(),
                attributes: std::collections::BTreeMap::new(),
                labels: std::collections::BTreeMap::new(),
                system_attributes: [group].into(),
                event: id.ends_with('!').then(|| "single".to_owned()),
            };
            Received { message, handle: format!("handle of {id}"), is_damaged: false }
        });
        let result = Ok(messages.collect());
        self.polls.left(ids.len());
        self.on(Event::Polled { asked: ids.len(), left, result });
        self.run_gathered();
    }

    fn all_at(&self, stage: Stage) -> Vec<Ticket> {
        let at = self.items.iter().filter(|(_, item)| item.stage == stage);
        let mut tickets: Vec<Ticket> = at.map(|(ticket, _)| *ticket).collect();
        tickets.sort_unstable();
        tickets
    }

    /// One run ends, with a verdict for each of its messages.
    fn run_ends(&mut self, verdicts: Vec<(Ticket, crate::handler::Verdict)>) {
        let ran = |verdict| Ran { verdict, ending: Ending::Finished, duration: Duration::ZERO };
        let runs = verdicts.into_iter().map(|(ticket, verdict)| (ticket, ran(verdict)));
        self.on(Event::Ran(runs.collect()));
    }

    async fn company_is_over(&mut self) {
        tokio::time::advance(Duration::from_millis(50)).await;
        self.run_gathered();
    }

    fn went_back(&mut self) -> Vec<Ticket> {
        let back = self.settle.take_give_backs(true).unwrap_or_default();
        back.into_iter().map(|(ticket, _)| ticket).collect()
    }
}

fn retry() -> Outcome {
    Outcome::retry("not yet")
}

#[tokio::test(start_paused = true)]
async fn a_batch_leaves_when_it_is_full_or_its_moment_is_over() {
    let mut stages = batching().await;
    stages.brought(&["a", "b", "c", "d", "e", "f"]);
    stages.run_gathered();
    assert_eq!(stages.all_at(Stage::Running), [0, 1, 2, 3, 4]);
    assert_eq!(stages.all_at(Stage::Gathering), [5]);
    assert_eq!((stages.tasks.len(), stages.slots), (1, 6), "one run, a slot for each message");
    tokio::time::advance(Duration::from_millis(49)).await;
    stages.brought(&["g"]);
    stages.run_gathered();
    assert_eq!(stages.all_at(Stage::Gathering), [5, 6]);
    let in_a_moment = Instant::now() + Duration::from_millis(1);
    assert_eq!(stages.gather.next_due(), Some(in_a_moment));
    assert!(stages.next_wake() <= in_a_moment);
    tokio::time::advance(Duration::from_millis(1)).await;
    stages.run_gathered();
    assert_eq!((stages.all_at(Stage::Gathering), stages.tasks.len()), (vec![], 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_where_no_more_can_come() {
    let mut stages = batching().await;
    stages.settings.concurrency = 2;
    stages.brought(&["a", "b"]);
    stages.run_gathered();
    assert_eq!(stages.all_at(Stage::Running), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_getting_ready_is_company_that_can_come() {
    let mut stages = batching().await;
    stages.settings.concurrency = 2;
    stages.brought(&["a", "b"]);
    // Every slot is taken, but one of them is still being unpacked.
    stages.enter_stage(1, Stage::Preparing);
    stages.run_gathered();
    assert_eq!((stages.all_at(Stage::Gathering), stages.tasks.len()), (vec![0], 0));
    stages.start(1);
    stages.run_gathered();
    assert_eq!((stages.all_at(Stage::Running), stages.tasks.len()), (vec![0, 1], 1));
}

#[tokio::test(start_paused = true)]
async fn each_message_of_a_batch_is_settled_by_itself() {
    let mut stages = batching().await;
    stages.brought(&["a", "b", "c"]);
    stages.company_is_over().await;
    stages.run_ends(vec![(0, Ok(Outcome::Done)), (1, Ok(retry())), (2, Ok(Outcome::Done))]);
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0, 2]));
    assert_eq!(stages.went_back(), [1]);
    assert_eq!((stages.report.done, stages.report.retried), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_company_goes_back_at_stop_and_leaves_with_its_lease() {
    let mut stages = batching().await;
    stages.brought(&["a"]);
    tokio::time::advance(Duration::from_secs(31)).await;
    stages.renew();
    assert!(stages.items.is_empty() && stages.gather.next_due().is_none());
    stages.brought(&["b"]);
    stages.drain();
    assert_eq!((stages.went_back(), stages.gather.next_due()), (vec![1], None));
    stages.run_gathered();
    assert!(stages.tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_group_stands_in_one_batch_in_its_order_and_groups_side_by_side() {
    let mut stages = in_order().await;
    stages.brought_in_groups(&["a/1", "a/2", "b/1", "a/3", "a/4", "a/5"]);
    assert_eq!(stages.all_at(Stage::Running), [0, 1, 2, 3, 4]);
    assert_eq!(stages.all_at(Stage::Waiting), [5], "those before it are in a batch that has left");
    stages.brought_in_groups(&["b/2", "c/1"]);
    assert_eq!(stages.all_at(Stage::Waiting), [5, 6]);
    assert_eq!(stages.all_at(Stage::Gathering), [7]);
    let order: Vec<Ticket> = vec![0, 1, 3, 4, 2];
    stages.run_ends(order.iter().map(|ticket| (*ticket, Ok(Outcome::Done))).collect());
    for ticket in order {
        stages.answers_delete(ticket, &format!("handle of {}", id_of(&stages, ticket)), None);
    }
    assert_eq!(stages.all_at(Stage::Gathering), [5, 6, 7], "their turn has come");
}

fn id_of(stages: &Stages, ticket: Ticket) -> String {
    stages.items[&ticket].message.id.clone()
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_a_group_gives_back_what_is_behind_it_from_the_last() {
    let mut stages = in_order().await;
    stages.brought_in_groups(&["a/1", "a/2", "a/3", "b/1", "b/2"]);
    stages.brought_in_groups(&["a/4", "a/5"]);
    assert_eq!(stages.all_at(Stage::Waiting), [5, 6]);
    stages.run_ends(vec![
        (0, Ok(Outcome::Done)),
        (1, Ok(retry())),
        (2, Ok(retry())),
        (3, Ok(retry())),
        (4, Ok(Outcome::Done)),
    ]);
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0, 4]));
    assert_eq!(stages.went_back(), [3, 6, 5, 2, 1]);
    for ticket in [0, 4] {
        stages.answers_delete(ticket, &format!("handle of {}", id_of(&stages, ticket)), None);
    }
    assert!(stages.all_at(Stage::Running).is_empty(), "nothing of the groups has begun");
}

#[tokio::test(start_paused = true)]
async fn another_handler_in_a_group_begins_when_what_is_before_it_is_settled() {
    let mut stages = in_order().await;
    stages.brought_in_groups(&["a/1", "a/2!", "a/3"]);
    assert_eq!(stages.all_at(Stage::Gathering), [0]);
    assert_eq!(stages.all_at(Stage::Waiting), [1, 2]);
    stages.company_is_over().await;
    stages.run_ends(vec![(0, Ok(Outcome::Done))]);
    stages.answers_delete(0, "handle of a/1", None);
    assert_eq!(stages.all_at(Stage::Running), [1]);
    stages.run_ends(vec![(1, Ok(Outcome::Done))]);
    stages.answers_delete(1, "handle of a/2!", None);
    assert_eq!(stages.all_at(Stage::Gathering), [2]);
}

#[tokio::test(start_paused = true)]
async fn two_handlers_never_share_a_batch() {
    let mut stages = batching().await;
    let most = NonZeroUsize::new(MOST).unwrap();
    let others = BoxHandler::batch("others", most, |_| std::future::pending());
    let mut routes = Routes::new();
    routes.set_default(BoxHandler::batch("many", most, |_| std::future::pending())).unwrap();
    routes.add("single", others).unwrap();
    stages.routes = routes;
    stages.brought_in_groups(&["a/1", "b/2!", "c/3", "d/4!"]);
    assert_eq!(stages.all_at(Stage::Gathering), [0, 1, 2, 3]);
    stages.company_is_over().await;
    assert_eq!((stages.all_at(Stage::Running).len(), stages.tasks.len()), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn what_was_done_within_the_grace_of_a_stop_is_deleted() {
    let mut stages = batching().await;
    stages.brought(&["a", "b"]);
    stages.company_is_over().await;
    let ran = |verdict| Ran { verdict, ending: Ending::Aborted, duration: Duration::ZERO };
    let cut = Outcome::retry_after(Duration::ZERO, "aborted");
    stages.on(Event::Ran(vec![(0, ran(Ok(Outcome::Done))), (1, ran(Ok(cut)))]));
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0]));
    assert_eq!((stages.went_back(), stages.report.released), (vec![1], 1));
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_one_that_is_done_joins_no_batch() {
    let mut stages = in_order().await;
    stages.finished.done("a/2", Duration::from_hours(1), Instant::now());
    stages.brought_in_groups(&["a/1", "a/2", "a/3"]);
    assert_eq!(stages.all_at(Stage::Gathering), [0]);
    stages.company_is_over().await;
    stages.run_ends(vec![(0, Ok(Outcome::Done))]);
    assert_eq!(stages.settle.take_deletes(true), Some(vec![0]));
    stages.answers_delete(0, "handle of a/1", None);
    assert_eq!(stages.settle.take_deletes(true), Some(vec![1]), "it is deleted and not run");
}

#[tokio::test(start_paused = true)]
async fn each_of_a_batch_keeps_its_verdict_when_one_before_it_lost_its_lease() {
    let mut stages = in_order().await;
    stages.brought_in_groups(&["a/1"]);
    tokio::time::advance(Duration::from_millis(40)).await;
    stages.brought_in_groups(&["a/2"]);
    stages.company_is_over().await;
    assert_eq!(stages.all_at(Stage::Running), [0, 1]);
    stages.leases.lose(0, Instant::now());
    stages.run_ends(vec![(0, Ok(Outcome::Done)), (1, Ok(Outcome::Done))]);
    assert_eq!(stages.settle.take_deletes(true), Some(vec![1]));
    assert_eq!((stages.went_back(), stages.report.released), (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn at_stop_each_that_gathers_goes_back_once() {
    let mut stages = in_order().await;
    stages.brought_in_groups(&["a/1", "a/2", "b/1"]);
    stages.drain();
    assert_eq!((stages.went_back(), stages.report.released), (vec![2, 1, 0], 3));
}

#[tokio::test(start_paused = true)]
async fn one_that_gets_ready_late_joins_no_batch_but_that_of_its_group() {
    let mut stages = in_order().await;
    stages.brought_in_groups(&["a/1", "a/2"]);
    // It is being unpacked while the batch of the one before it leaves, and others gather.
    stages.enter_stage(1, Stage::Preparing);
    stages.company_is_over().await;
    stages.brought_in_groups(&["b/1"]);
    assert_eq!(
        (stages.all_at(Stage::Running), stages.all_at(Stage::Gathering)),
        (vec![0], vec![2])
    );
    stages.start(1);
    assert_eq!(stages.all_at(Stage::Waiting), [1]);
}
