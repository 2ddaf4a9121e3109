//! The directory itself: locked, missing, gone and back.

use super::*;

#[tokio::test]
async fn a_second_daemon_is_refused() {
    let yard = Yard::new();
    let first = Spool::open("reports", yard.settings.clone()).await.unwrap();
    let refused = Spool::open("reports", yard.settings.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Busy);
    let pid = format!("another longshore (pid {})", std::process::id());
    assert!(refused.to_string().contains(&pid), "{refused}");
    drop(first);
    Spool::open("reports", yard.settings.clone()).await.unwrap();
}

/// As a child that had not yet begun its own program when the daemon was killed.
#[tokio::test]
async fn a_lock_that_is_let_go_soon_refuses_nobody() {
    let yard = Yard::new();
    let first = Spool::open("reports", yard.settings.clone()).await.unwrap();
    let second = Spool::open("reports", yard.settings.clone());
    let let_go = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(second, let_go);
    second.unwrap();
}

#[tokio::test]
async fn a_missing_directory_is_waited_for() {
    let yard = Yard::new();
    fs::remove_dir(&yard.settings.directory).unwrap();
    let running = yard.start().await;
    fs::create_dir(&yard.settings.directory).unwrap();
    yard.deliver("a", b"x");
    yard.is_empty().await;
    running.stop().await;
    assert_eq!(yard.s3.keys(), ["a"]);
}

/// Z10: removed and made anew, moved away and made anew; each time with a new watch and lock.
#[tokio::test]
async fn a_directory_that_goes_and_comes_back_is_taken_up_again() {
    let yard = Yard::new();
    let running = yard.start().await;
    yard.deliver("a", b"x");
    yard.is_empty().await;
    fs::remove_dir_all(&yard.settings.directory).unwrap();
    fs::create_dir(&yard.settings.directory).unwrap();
    yard.deliver("b", b"x");
    yard.is_empty().await;
    rustix::fs::rename(&yard.settings.directory, yard.root.path().join("elsewhere")).unwrap();
    fs::create_dir(&yard.settings.directory).unwrap();
    yard.deliver("c", b"x");
    yard.is_empty().await;
    assert!(config::own_directory(&yard.settings.directory).join("lock").exists());
    running.stop().await;
    assert_eq!(yard.s3.keys(), ["a", "b", "c"]);
}

#[tokio::test]
async fn check_says_what_is_there_and_what_to_do() {
    use crate::finding::Health;

    let yard = Yard::new();
    let aws = Aws::through(s3::client(&yard.s3));
    let findings = check("reports", &yard.settings, &aws, true).await;
    let all: Vec<_> = findings.iter().map(|finding| finding.what.as_str()).collect();
    assert!(findings.iter().all(|finding| finding.health == Health::Good), "{all:?}");
    assert!(all.iter().any(|what| what.contains("read leases work")), "{all:?}");
    assert!(all.iter().any(|what| what.contains("takes objects")), "{all:?}");

    let mut missing = yard.settings.clone();
    missing.directory = yard.root.path().join("nowhere");
    let findings = check("reports", &missing, &aws, false).await;
    assert_eq!(findings[0].exit_code, 78);
    assert!(findings[0].fix.as_deref().is_some_and(|fix| fix.contains("mkdir -p")));

    yard.s3.script(|_| Some(s3::Answer(404, "")));
    let findings = check("reports", &yard.settings, &aws, false).await;
    let last = findings.last().unwrap();
    assert_eq!(last.exit_code, 69);
    assert!(last.what.contains("testbucket"));
}

/// Told at once, when it changes, and every five minutes; never every second.
#[tokio::test(start_paused = true)]
async fn a_directory_that_stays_away_is_told_of_seldom() {
    let mut trouble = Trouble::default();
    let begun = Instant::now();
    let told = (0..1_200)
        .filter(|&second| trouble.is_news("gone".to_owned(), begun + Duration::from_secs(second)))
        .count();
    assert_eq!(told, 4, "in 20 minutes");
    assert!(trouble.is_news("not allowed".to_owned(), begun + Duration::from_mins(20)));
}
