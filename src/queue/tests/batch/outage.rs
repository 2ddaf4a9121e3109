//! Handlers of several messages that cannot be started, and the one message that is kept to try with.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_batch_that_cannot_be_started_is_one_outage_and_its_probe_is_alone() {
    let mut stages = batching().await;
    stages.brought(&["a", "b", "c", "d"]);
    stages.company_is_over().await;
    stages.brought(&["e"]);
    let verdicts = (0..4).map(|ticket| (ticket, unavailable())).collect();
    stages.run_ends(verdicts);
    assert_eq!(stages.items[&0].stage, Stage::Waiting, "the first is kept");
    assert_eq!(stages.went_back(), [3, 2, 1, 4], "what had not begun goes back too");
    assert_eq!((stages.report.released, stages.report.retried), (4, 0));
    tokio::time::advance(Duration::from_secs(1)).await;
    stages.probe();
    assert_eq!(stages.all_at(Stage::Running), [0], "it waits for nobody");
    stages.run_ends(vec![(0, Ok(Outcome::Done))]);
    assert!(stages.pause.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_probe_behind_one_that_is_done_waits_for_its_time_and_runs_once() {
    let mut stages = in_order().await;
    stages.brought_in_groups(&["a/1", "a/2"]);
    stages.company_is_over().await;
    stages.run_ends(vec![(0, Ok(Outcome::Done)), (1, unavailable())]);
    assert!(stages.went_back().is_empty(), "it is kept to try with");
    let due = stages.pause.as_ref().unwrap().next_try();
    stages.answers_delete(0, "handle of a/1", None);
    assert_eq!(stages.all_at(Stage::Waiting), [1]);
    assert_eq!(stages.pause.as_ref().unwrap().next_try(), due);
    tokio::time::advance(Duration::from_secs(1)).await;
    let tasks = stages.tasks.len();
    stages.probe();
    stages.probe();
    assert_eq!((stages.all_at(Stage::Running), stages.tasks.len()), (vec![1], tasks + 1));
}

#[tokio::test(start_paused = true)]
async fn a_probe_overtakes_none_of_its_group_that_is_still_being_settled() {
    let mut stages = in_order().await;
    stages.brought_in_groups(&["a/1", "a/2"]);
    stages.company_is_over().await;
    stages.run_ends(vec![(0, Ok(Outcome::Done)), (1, unavailable())]);
    tokio::time::advance(Duration::from_secs(1)).await;
    stages.probe();
    assert_eq!(stages.all_at(Stage::Waiting), [1]);
    assert!(stages.pause.as_ref().unwrap().next_try().is_none(), "nothing wakes us for nothing");
    stages.answers_delete(0, "handle of a/1", None);
    assert_eq!(stages.all_at(Stage::Running), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_goes_back_with_one_before_it_is_not_tried_any_more() {
    let mut stages = in_order().await;
    stages.brought_in_groups(&["a/1", "a/2"]);
    stages.company_is_over().await;
    stages.run_ends(vec![(0, Ok(retry())), (1, unavailable())]);
    assert_eq!(stages.went_back(), [1, 0]);
    tokio::time::advance(Duration::from_secs(1)).await;
    stages.probe();
    assert_eq!(stages.all_at(Stage::Settling), [0, 1]);
    assert!(stages.pause.as_ref().unwrap().probe.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_lease_was_lost_shows_nothing_of_its_handler() {
    let mut stages = batching().await;
    stages.brought(&["a"]);
    stages.company_is_over().await;
    stages.run_ends(vec![(0, unavailable())]);
    tokio::time::advance(Duration::from_secs(1)).await;
    stages.probe();
    let verdict = Ok(Outcome::retry("the lease was lost"));
    let ran = Ran { verdict, ending: Ending::LeaseLost, duration: Duration::ZERO };
    stages.on(Event::Ran(vec![(0, ran)]));
    assert!(stages.pause.is_some(), "it may never have been started");
}

#[tokio::test(start_paused = true)]
async fn what_gets_ready_during_an_outage_goes_back() {
    let mut stages = batching().await;
    stages.brought(&["a"]);
    stages.company_is_over().await;
    stages.brought(&["b"]);
    stages.gather.leave(1);
    stages.enter_stage(1, Stage::Preparing);
    stages.run_ends(vec![(0, unavailable())]);
    stages.start(1);
    assert_eq!((stages.went_back(), stages.slots), (vec![1], 1));
}
