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

/// An outbox: names give the order, and of a group one is under way, however many wait.
#[tokio::test(start_paused = true)]
async fn a_group_keeps_the_order_of_its_names_past_the_window() {
    let yard = Yard::new();
    fs::write(yard.path("x"), "x").unwrap();
    let stamp = Stamp::now(&fs::File::open(yard.path("x")).unwrap()).unwrap();
    let count = WINDOW + 500;
    let name = |n: usize| format!("{n:06}");
    let offer = |backlog: &mut Backlog, n: usize| {
        // Every tenth has a group of its own and waits for nobody.
        let lane = if n.is_multiple_of(10) { name(n) } else { "all".to_owned() };
        let id = Id::in_spool(name(n));
        backlog.offer(Candidate { id, stamp, hint: Hint::Found, lane: Some(lane) });
    };
    let mut backlog = Backlog::by_name();
    let (mut order, mut passes) = (Vec::new(), 0);
    let mut left: Vec<usize> = (0..count).rev().collect();
    while order.len() < count {
        passes += 1;
        backlog.pass_begins();
        for n in &left {
            offer(&mut backlog, *n);
        }
        let mut flying = Vec::new();
        loop {
            while let Some(job) = backlog.next(Instant::now()) {
                flying.push(job.candidate.id);
            }
            let of_group = |id: &Id| !id.name.to_str().unwrap().ends_with('0');
            assert!(flying.iter().filter(|id| of_group(id)).count() <= 1);
            if flying.is_empty() || backlog.wants_pass() {
                break;
            }
            for id in flying.drain(..) {
                backlog.finish(&id);
                order.push(id.name.into_string().unwrap());
            }
        }
        for id in flying {
            backlog.finish(&id);
            order.push(id.name.into_string().unwrap());
        }
        let done: std::collections::BTreeSet<&String> = order.iter().collect();
        left.retain(|n| !done.contains(&name(*n)));
    }
    assert!(passes < 4, "{passes} passes");
    order.retain(|name| !name.ends_with('0'));
    assert!(order.is_sorted());
    assert_eq!(order.len(), count - count / 10);
}

/// A probe is another file than those that were refused, and none whose group waits for one.
#[tokio::test(start_paused = true)]
async fn a_probe_overtakes_nobody_of_its_group() {
    let yard = Yard::new();
    fs::write(yard.path("x"), "x").unwrap();
    let stamp = Stamp::now(&fs::File::open(yard.path("x")).unwrap()).unwrap();
    let mut backlog = Backlog::by_name();
    for name in ["a1", "a2", "a3"] {
        let lane = Some("a".to_owned());
        backlog.offer(Candidate { id: Id::in_spool(name), stamp, hint: Hint::Found, lane });
    }
    let now = Instant::now();
    let first = backlog.next(now).unwrap();
    assert!(backlog.next(now).is_none());
    let refused = std::collections::BTreeSet::from([first.candidate.id.clone()]);
    backlog.retry(first.candidate, first.record, now + Duration::from_mins(1));
    let probe = backlog.next_but(now, &refused).unwrap();
    assert_eq!(probe.candidate.id, Id::in_spool("a1"));
    backlog.finish(&probe.candidate.id);
    assert_eq!(backlog.next(now).unwrap().candidate.id, Id::in_spool("a2"));
}
