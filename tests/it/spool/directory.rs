//! The directory itself: missing, moved away, not allowed. Said once, in words that help, and taken
//! up again when it is mended. Permission is tried as `nobody`, since root is allowed everything.

use super::{BUCKET, OWN, Place, lines};
use crate::support::{
    PATIENCE,
    daemon::{Daemon, NOBODY},
    eventually,
    scripted::ScriptedS3,
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

/// Lets `nobody` into a place, where this process can: the spool becomes nobody's own.
pub(super) fn give_to_nobody(place: &Place) {
    if rustix::process::geteuid().is_root() {
        for path in [place.root.path(), &place.spool()] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn landed(s3: &ScriptedS3, key: &str) {
    let path = format!("{BUCKET}/{key}");
    eventually("it landed", PATIENCE, || s3.objects().contains_key(&path));
}

/// Waits until the directory's trouble is told, and returns the line.
fn told(daemon: &Daemon, word: &str) -> String {
    let wanted = |line: &str| line.contains("spool waits for its directory") && line.contains(word);
    daemon.wait_for_line(wanted, PATIENCE)
}

/// One trouble was told once, or twice where it first showed in another step; and its end.
fn told_of_one_trouble(daemon: &Daemon) {
    let told = lines(daemon, "spool waits for its directory").len();
    assert!((1..=2).contains(&told), "{}", daemon.output());
    assert_eq!(lines(daemon, "spool has its directory again").len(), 1, "{}", daemon.output());
}

#[test]
fn z10_a_directory_that_goes_away_and_comes_back_is_taken_up_again() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    let mut daemon = place.start(&s3.endpoint(), "poll_interval = \"1h\"");
    place.drop("first", "1");
    landed(&s3, "first");
    let away = place.root.path().join("away");
    fs::rename(place.spool(), &away).unwrap();
    told(&daemon, place.spool().to_str().unwrap());
    fs::write(away.join("second"), "2").unwrap();
    fs::rename(&away, place.spool()).unwrap();
    landed(&s3, "second");
    place.drop("third", "3");
    landed(&s3, "third");
    place.wait_until_empty(&daemon);
    told_of_one_trouble(&daemon);
    assert_eq!(daemon.ended(), None);
}

#[test]
fn z10_a_directory_that_is_removed_and_made_anew_is_taken_up_again() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    let daemon = place.start(&s3.endpoint(), "poll_interval = \"1h\"");
    place.drop("first", "1");
    landed(&s3, "first");
    // What settles a file in it would keep it from going.
    place.wait_until_empty(&daemon);
    fs::remove_dir_all(place.spool()).unwrap();
    told(&daemon, "");
    fs::create_dir(place.spool()).unwrap();
    place.drop("second", "2");
    landed(&s3, "second");
    eventually("it is locked again", PATIENCE, || place.spool().join(OWN).join("lock").exists());
    place.wait_until_empty(&daemon);
}

#[test]
fn a_directory_that_is_missing_at_the_start_is_waited_for() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    fs::remove_dir(place.spool()).unwrap();
    let mut daemon = place.start(&s3.endpoint(), "");
    let line = told(&daemon, "mkdir -p");
    assert!(line.contains(place.spool().to_str().unwrap()), "{line}");
    assert_eq!(daemon.ended(), None);
    fs::create_dir(place.spool()).unwrap();
    place.drop("first", "1");
    landed(&s3, "first");
    place.wait_until_empty(&daemon);
    told_of_one_trouble(&daemon);
}

/// No access at all; readable only; writable only by others.
#[test]
fn a_directory_without_permission_is_said_and_taken_up_once_it_is_allowed() {
    for forbidden in [0o000, 0o555] {
        let (s3, place) = (ScriptedS3::start(), Place::new());
        give_to_nobody(&place);
        place.drop("first", "1");
        mode(&place.at("first"), 0o644);
        mode(&place.spool(), forbidden);
        let mut daemon = place.launch(&s3.endpoint(), "").nobody().start();
        let line = told(&daemon, "chown");
        assert!(line.contains(place.spool().to_str().unwrap()), "{line}");
        assert_eq!(daemon.ended(), None);
        assert!(s3.objects().is_empty());
        mode(&place.spool(), 0o755);
        landed(&s3, "first");
        place.wait_until_empty(&daemon);
        told_of_one_trouble(&daemon);
    }
}

/// Permission that goes while the daemon runs.
#[test]
fn a_directory_that_loses_its_permission_is_said_and_nothing_is_lost() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    give_to_nobody(&place);
    let mut daemon = place.launch(&s3.endpoint(), "poll_interval = \"200ms\"").nobody().start();
    place.drop("first", "1");
    landed(&s3, "first");
    place.wait_until_empty(&daemon);
    mode(&place.spool(), 0o000);
    told(&daemon, "");
    mode(&place.spool(), 0o755);
    place.drop("second", "2");
    landed(&s3, "second");
    place.wait_until_empty(&daemon);
    told_of_one_trouble(&daemon);
    assert_eq!(daemon.ended(), None);
}

/// In a sticky directory only a file's owner may move it. One's own does no harm.
#[test]
fn a_sticky_directory_of_another_user_is_refused_with_what_to_do() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    give_to_nobody(&place);
    mode(&place.spool(), 0o1777);
    place.drop("first", "1");
    let mut daemon = place.launch(&s3.endpoint(), "").nobody().start();
    landed(&s3, "first");
    place.wait_until_empty(&daemon);
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 0);
    if !rustix::process::geteuid().is_root() {
        // Nobody else's directory can be had then.
        return;
    }
    chown(place.spool(), Some(0), Some(0)).unwrap();
    place.drop("second", "2");
    let daemon = place.launch(&s3.endpoint(), "").nobody().start();
    told(&daemon, "chmod -t");
    assert_eq!(place.left(), ["second"]);
    mode(&place.spool(), 0o777);
    landed(&s3, "second");
    place.wait_until_empty(&daemon);
    told_of_one_trouble(&daemon);
}

#[test]
fn a_file_that_may_not_be_read_stays_and_lands_once_it_may() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    give_to_nobody(&place);
    place.drop("secret", "hush");
    mode(&place.at("secret"), 0o000);
    place.drop("open", "x");
    let settings = "retry_initial = \"200ms\"\nretry_longest = \"1s\"";
    let daemon = place.launch(&s3.endpoint(), settings).nobody().start();
    let wanted = |line: &str| line.contains("upload failed") && line.contains("secret");
    let line = daemon.wait_for_line(wanted, PATIENCE);
    assert!(line.contains("Permission denied") && line.contains("chmod"), "{line}");
    landed(&s3, "open");
    eventually("the other is gone", PATIENCE, || place.left() == ["secret"]);
    assert_eq!(fs::read_dir(place.quarantine()).unwrap().count(), 0);
    mode(&place.at("secret"), 0o644);
    landed(&s3, "secret");
    place.wait_until_empty(&daemon);
    assert_eq!(s3.objects()[&format!("{BUCKET}/secret")], "hush");
}
