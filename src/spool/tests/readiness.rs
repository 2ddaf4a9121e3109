//! When a file is taken where the kernel cannot say whether somebody still writes it.

use super::attempt::Bench;
use super::candidate::{Candidate, Hint, Record};
use super::open::{Id, Stamp, Writer};
use super::*;

fn bench(yard: &Yard) -> Bench {
    Bench {
        name: "reports".to_owned(),
        settings: yard.settings.clone(),
        directory: Arc::new(Directory::establish(&yard.settings).unwrap()),
        aside: Arc::default(),
        means: Means { bytes: Bytes::new(1), blocking: Blocking::new(1) },
        aws: Aws::new(),
        queue: std::sync::Mutex::default(),
        over_tls: Arc::default(),
        cut: CancellationToken::new(),
    }
}

fn candidate(yard: &Yard, contents: &str, hint: Hint) -> Candidate {
    fs::write(yard.path("a"), contents).unwrap();
    let file = fs::File::options().write(true).open(yard.path("a")).unwrap();
    // Of a clock that is ahead: the time that really passes here does not count.
    file.set_modified(std::time::SystemTime::now() + Duration::from_hours(1)).unwrap();
    let stamp = Stamp::now(&file).unwrap();
    Candidate { id: Id::in_spool("a"), stamp, hint, lane: None }
}

#[tokio::test(start_paused = true)]
async fn a_close_is_enough() {
    let yard = Yard::new();
    let file = candidate(&yard, "x", Hint::Closed);
    let wait = bench(&yard).wait(&file, &mut Record::default(), (file.stamp, Writer::Unknown));
    assert_eq!(wait, None);
    let mut written_since = file.stamp;
    written_since.size += 1;
    let wait = bench(&yard).wait(&file, &mut Record::default(), (written_since, Writer::Unknown));
    assert!(wait.is_some(), "another writer has come since");
}

#[tokio::test(start_paused = true)]
async fn without_a_close_a_file_has_to_be_quiet() {
    let yard = Yard::new();
    let bench = bench(&yard);
    // Empty and made before our eyes: whoever made it has most likely not written yet.
    for (contents, hint, quiet) in [
        ("x", Hint::Found, Duration::from_secs(2)),
        ("", Hint::Found, Duration::from_mins(1)),
        ("x", Hint::Created, Duration::from_mins(1)),
    ] {
        let file = candidate(&yard, contents, hint);
        let mut record = Record::default();
        let wait = bench.wait(&file, &mut record, (file.stamp, Writer::Unknown));
        assert_eq!(wait, Some(quiet), "{hint:?}");
        tokio::time::advance(quiet).await;
        assert_eq!(bench.wait(&file, &mut record, (file.stamp, Writer::Unknown)), None);
        // It changed: everything from the start.
        let mut changed = file.stamp;
        changed.size += 1;
        changed.modified += 1_000_000;
        let again = bench.wait(&file, &mut record, (changed, Writer::Unknown));
        assert!(again.is_some_and(|again| again >= Duration::from_secs(2)), "{hint:?}: {again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_is_waited_for_with_ever_longer_pauses() {
    let yard = Yard::new();
    let bench = bench(&yard);
    let file = candidate(&yard, "x", Hint::Closed);
    let wait = |waits| {
        let mut record = Record { waits, ..Record::default() };
        bench.wait(&file, &mut record, (file.stamp, Writer::Somebody)).unwrap()
    };
    assert!(wait(0) <= Duration::from_millis(20), "a close is told a moment before it is done");
    assert!(wait(30) >= Duration::from_secs(5));
    assert!(wait(30) <= Duration::from_secs(10));
}
