//! Files that change, vanish or are replaced while they are uploaded: the newest content stands
//! last in S3, and nothing is lost.

use super::*;

/// Runs `act` while the first PUT is on its way.
fn during_the_first_put(yard: &Yard, act: impl FnOnce() + Send + 'static) {
    let mut act = Some(act);
    yard.s3.script(move |asked| {
        if asked.what == "PUT"
            && let Some(act) = act.take()
        {
            act();
        }
        None
    });
}

fn replace(spool: &Path, name: &str, contents: &str) {
    let draft = spool.parent().unwrap().join("newer");
    fs::write(&draft, contents).unwrap();
    rustix::fs::rename(&draft, spool.join(name)).unwrap();
}

#[tokio::test]
async fn a_newer_file_under_the_name_lands_last() {
    let yard = Yard::new();
    yard.deliver("a", b"old");
    let spool = yard.settings.directory.clone();
    during_the_first_put(&yard, move || replace(&spool, "a", "new"));
    let running = yard.start().await;
    until("both landed", || yard.s3.landed().len() == 2).await;
    yard.is_empty().await;
    running.stop().await;
    let both = [("a", "old"), ("a", "new")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(yard.s3.landed(), both);
    assert!(yard.settling_is_empty());
}

#[tokio::test]
async fn a_file_that_grows_meanwhile_lands_again_whole() {
    let yard = Yard::new();
    yard.deliver("a", b"one");
    let path = yard.path("a");
    during_the_first_put(&yard, move || {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b" two").unwrap();
    });
    yard.once().await.unwrap();
    assert_eq!(yard.s3.object("a"), Some(b"one two".to_vec()));
    assert!(yard.names().is_empty());
}

#[tokio::test]
async fn a_file_that_is_removed_meanwhile_is_no_trouble() {
    let yard = Yard::new();
    yard.deliver("a", b"one");
    let path = yard.path("a");
    during_the_first_put(&yard, move || fs::remove_file(&path).unwrap());
    yard.once().await.unwrap();
    assert_eq!(yard.s3.asked("PUT").len(), 1);
    assert!(yard.settling_is_empty());
}

#[tokio::test]
async fn a_file_that_is_opened_for_writing_meanwhile_stays() {
    let yard = Yard::new();
    yard.deliver("a", b"one");
    let path = yard.path("a");
    let (send, receive) = std::sync::mpsc::channel();
    during_the_first_put(&yard, move || {
        let writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
        send.send(writer).unwrap();
    });
    let running = yard.start().await;
    until("it was uploaded", || yard.s3.landed().len() == 1).await;
    let mut writer = receive.recv().unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(yard.names(), ["a"]);
    std::io::Write::write_all(&mut writer, b" two").unwrap();
    drop(writer);
    yard.is_empty().await;
    running.stop().await;
    assert_eq!(yard.s3.object("a"), Some(b"one two".to_vec()));
}

#[tokio::test]
async fn two_names_of_one_key_land_in_order_of_age() {
    let yard = Yard::new();
    let running = yard.start().await;
    let permits = yard.s3.hold();
    yard.deliver("d%2fx", b"older");
    until("the first is on its way", || yard.s3.asked("PUT").len() == 1).await;
    yard.deliver("d%2Fx", b"younger");
    yard.deliver("other", b"x");
    until("another key overtakes", || yard.s3.asked("PUT").len() == 2).await;
    assert_eq!(yard.s3.asked("PUT")[1].key, "other");
    permits.add_permits(3);
    yard.is_empty().await;
    running.stop().await;
    assert_eq!(yard.s3.object("d/x"), Some(b"younger".to_vec()));
}

/// A daemon was killed between moving a file aside and removing it, or putting it back.
#[tokio::test]
async fn what_lies_in_settling_is_taken_up_first() {
    let yard = Yard::new();
    drop(Spool::open("reports", yard.settings.clone()).await.unwrap());
    let place = config::own_directory(&yard.settings.directory).join("settling/7");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("a%2Fb"), "older").unwrap();
    yard.deliver("a%2Fb", b"newer");
    yard.once().await.unwrap();
    let both = [("a/b", "older"), ("a/b", "newer")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(yard.s3.landed(), both);
    assert!(yard.settling_is_empty());
    assert!(yard.names().is_empty());
}

/// Of what stands under the name, only what was uploaded is ever removed.
#[tokio::test]
async fn settling_compares_what_it_moved() {
    use super::open::{Id, Opened};
    use super::settle::{Aside, Settled, unlink};

    let yard = Yard::new();
    yard.deliver("a", b"uploaded");
    let directory = Directory::establish(&yard.settings).unwrap();
    let aside = Aside::default();
    let id = Id::in_spool("a");
    let Opened::File(file, stamp) = open::open(&directory, &id).unwrap() else { panic!("no file") };
    // A link elsewhere changes the change time only.
    fs::hard_link(yard.path("a"), yard.root.path().join("kept")).unwrap();
    replace(&yard.settings.directory, "a", "newer");
    let settled = aside.settle(&directory, &id, (&file, stamp), unlink).unwrap();
    assert_eq!(settled, Settled::Replaced);
    assert_eq!(fs::read(yard.path("a")).unwrap(), b"newer");
    fs::hard_link(yard.root.path().join("kept"), yard.root.path().join("back")).unwrap();
    rustix::fs::rename(yard.root.path().join("back"), yard.path("a")).unwrap();
    let settled = aside.settle(&directory, &id, (&file, stamp), unlink).unwrap();
    assert_eq!(settled, Settled::Done);
    assert!(yard.names().is_empty());
    assert_eq!(fs::read(yard.root.path().join("kept")).unwrap(), b"uploaded");
    aside.sync(&directory).unwrap();
}

/// What was moved aside turns out bad, and by then its name is taken again.
#[tokio::test]
async fn what_cannot_go_back_is_uploaded_from_where_it_lies() {
    use super::open::{Id, Opened, Place};
    use super::settle::{Aside, Settled};

    let yard = Yard::new();
    yard.deliver("a", b"older");
    let directory = Directory::establish(&yard.settings).unwrap();
    fs::create_dir_all(config::own_directory(&directory.path).join("settling/4")).unwrap();
    let aside = Aside::prepare(&directory, &settle::leftovers(&directory).unwrap(), 0);
    let id = Id::in_spool("a");
    let Opened::File(file, stamp) = open::open(&directory, &id).unwrap() else { panic!("no file") };
    let settled = aside
        .settle(&directory, &id, (&file, stamp), |_, _| {
            yard.deliver("a", b"newer");
            Err(std::io::Error::other("cannot be removed"))
        })
        .unwrap();
    assert_eq!(settled, Settled::Overtaken(Place::Settling(4)));
    drop(directory);
    yard.once().await.unwrap();
    let both = [("a", "older"), ("a", "newer")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(yard.s3.landed(), both);
}

/// A file of the spool, opened as an attempt opens it.
fn opened(directory: &Directory, id: &open::Id) -> (fs::File, open::Stamp) {
    let open::Opened::File(file, stamp) = open::open(directory, id).unwrap() else {
        panic!("no file")
    };
    (file, stamp)
}

/// Without an atomic "never replace": nothing that takes the name meanwhile is removed by its path.
#[tokio::test]
async fn a_newer_file_survives_where_names_are_moved_by_link() {
    use super::settle::{Aside, Moment, Settled, unlink};

    let yard = Yard::new();
    yard.deliver("a", b"uploaded");
    let directory = Directory::establish(&yard.settings).unwrap();
    let id = open::Id::in_spool("a");
    let (file, stamp) = opened(&directory, &id);
    let spool = yard.settings.directory.clone();
    let between = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = std::rc::Rc::clone(&between);
    crate::drop::seam::without_the_flag(move || {
        count.set(count.get() + 1);
        replace(&spool, "a", "newest");
    });
    let aside = Aside::default();
    let settled = aside.settle(&directory, &id, (&file, stamp), unlink).unwrap();
    assert_eq!(settled, Settled::Done);
    assert_eq!(between.get(), 0, "out of the spool in one step, with nothing between");

    // Going back takes two steps, from where nobody else renames.
    yard.deliver("a", b"uploaded");
    let (file, stamp) = opened(&directory, &id);
    let newer = |moment| {
        if moment == Moment::Looked {
            replace(&yard.settings.directory, "a", "newer");
        }
    };
    let settled =
        aside.settle_step_by_step(&directory, &id, (&file, stamp), (&newer, unlink)).unwrap();
    assert_eq!(settled, Settled::Replaced);
    assert_eq!(fs::read(yard.path("a")).unwrap(), b"newest");
    assert!(yard.settling_is_empty());
}

#[tokio::test]
async fn a_newer_file_that_comes_before_the_move_survives_it() {
    use super::settle::{Aside, Moment, Settled, unlink};

    let yard = Yard::new();
    yard.deliver("a", b"uploaded");
    let directory = Directory::establish(&yard.settings).unwrap();
    let id = open::Id::in_spool("a");
    let (file, stamp) = opened(&directory, &id);
    let newer = |moment| {
        if moment == Moment::Looked {
            replace(&yard.settings.directory, "a", "newer");
        }
    };
    let settled = Aside::default()
        .settle_step_by_step(&directory, &id, (&file, stamp), (&newer, unlink))
        .unwrap();
    assert_eq!(settled, Settled::Replaced);
    assert_eq!(fs::read(yard.path("a")).unwrap(), b"newer");
    assert!(yard.settling_is_empty());
}

#[tokio::test]
async fn a_change_at_the_last_moment_brings_the_file_back() {
    use super::settle::{Aside, Moment, Settled, unlink};

    let yard = Yard::new();
    yard.deliver("a", b"uploaded");
    let directory = Directory::establish(&yard.settings).unwrap();
    let id = open::Id::in_spool("a");
    let (file, stamp) = opened(&directory, &id);
    let touch = |moment| {
        if moment == Moment::Compared {
            // Needs no opening for writing, so that no lease stands in its way.
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
    };
    let settled = Aside::default()
        .settle_step_by_step(&directory, &id, (&file, stamp), (&touch, unlink))
        .unwrap();
    assert_eq!(settled, Settled::Changed);
    assert_eq!(fs::read(yard.path("a")).unwrap(), b"uploaded");
    assert!(yard.settling_is_empty());
}

/// A file that is appended to waits out its backoff; a newer one under its name goes at once.
#[tokio::test(start_paused = true)]
async fn only_another_file_ends_the_backoff_of_one_that_changed() {
    use super::backlog::Backlog;
    use super::candidate::{Candidate, Hint};

    let yard = Yard::new();
    let directory = Directory::establish(&yard.settings).unwrap();
    let id = open::Id::in_spool("a");
    let mut backlog = Backlog::default();
    let seen = || Candidate {
        id: id.clone(),
        stamp: opened(&directory, &id).1,
        hint: Hint::Closed,
        lane: Some("a".to_owned()),
    };
    yard.deliver("a", b"one");
    backlog.offer(seen());
    let now = Instant::now();
    let mut job = backlog.next(now).unwrap();
    job.record.failures = 3;
    fs::write(yard.path("a"), "one two").unwrap();
    backlog.offer(seen());
    let due = now + Duration::from_secs(9);
    backlog.retry(job.candidate, job.record, due);
    fs::write(yard.path("a"), "one two three").unwrap();
    backlog.offer(seen());
    assert!(backlog.next(now).is_none());
    assert_eq!(backlog.next_due(), Some(due));
    let job = backlog.next(due).unwrap();
    assert_eq!((job.record.failures, job.candidate.stamp.size), (3, 13));

    backlog.retry(job.candidate, job.record, due + Duration::from_secs(9));
    replace(&yard.settings.directory, "a", "newer");
    backlog.offer(seen());
    let job = backlog.next(due).unwrap();
    assert_eq!((job.record.failures, job.candidate.stamp.size), (0, 5));
}

/// Nothing in the spool leads to a file that lies in settling: it is not forgotten until a restart.
#[tokio::test]
async fn a_file_that_is_replaced_inside_settling_goes_again() {
    let yard = Yard::new();
    drop(Spool::open("reports", yard.settings.clone()).await.unwrap());
    let place = config::own_directory(&yard.settings.directory).join("settling/7");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("a"), "older").unwrap();
    let draft = yard.root.path().join("newer");
    during_the_first_put(&yard, move || {
        fs::write(&draft, "newer").unwrap();
        rustix::fs::rename(&draft, place.join("a")).unwrap();
    });
    yard.once().await.unwrap();
    assert_eq!(yard.s3.object("a"), Some(b"newer".to_vec()));
    assert!(yard.settling_is_empty());
}
