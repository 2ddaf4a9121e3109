//! Many files: all land, once each, in bounded memory.

use super::backlog::{Backlog, WINDOW};
use super::candidate::{Candidate, Hint};
use super::open::{Id, Stamp};
use super::*;

#[tokio::test]
async fn every_file_of_a_thousand_lands_once() {
    let mut yard = Yard::new();
    yard.settings.threads = 9;
    for n in 0..500 {
        yard.deliver(&format!("early%2F{n}"), b"x");
    }
    let running = yard.start().await;
    for n in 0..500 {
        yard.deliver(&format!("late%2F{n}"), b"x");
    }
    yard.is_empty().await;
    running.stop().await;
    assert_eq!(yard.s3.keys().len(), 1_000);
    assert_eq!(yard.s3.asked("PUT").len(), 1_000);
    assert!(yard.settling_is_empty());
}

#[tokio::test]
async fn the_oldest_files_are_kept_in_the_window() {
    let yard = Yard::new();
    fs::write(yard.path("x"), "x").unwrap();
    let stamp = Stamp::now(&fs::File::open(yard.path("x")).unwrap()).unwrap();
    let mut backlog = Backlog::default();
    backlog.pass_begins();
    let count = WINDOW + 500;
    for n in (0..count).rev() {
        let modified = i128::try_from(n).unwrap();
        let id = Id::in_spool(format!("f{n}"));
        let mut stamp = stamp;
        stamp.modified = modified;
        backlog.offer(Candidate { id, stamp, hint: Hint::Found, lane: None });
    }
    assert_eq!(backlog.len(), WINDOW);
    for n in 0..WINDOW {
        let job = backlog.next(Instant::now()).unwrap();
        assert_eq!(job.candidate.id, Id::in_spool(format!("f{n}")));
        backlog.finish(&job.candidate.id);
    }
    assert!(backlog.next(Instant::now()).is_none());
    assert!(backlog.wants_pass(), "the others are found by another pass");
}
