//! SIGTERM during uploads: they finish, or are cut off in order; a file goes only when it landed.

use super::{BUCKET, Place};
use crate::support::{
    PATIENCE,
    daemon::Launch,
    eventually,
    proxy::{Fault, Gate, Proxy},
    scripted::ScriptedS3,
};
use std::fs;

/// A daemon that drains for no longer than this, not yet running.
pub(super) fn drains_for(time: &str, place: &Place, endpoint: &str) -> Launch {
    let launch = place.launch(endpoint, "");
    let settings = place.root.path().join("longshore.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("drain_timeout = \"{time}\"\n{text}")).unwrap();
    launch
}

#[test]
fn z9_sigterm_lets_a_running_upload_finish_and_begins_no_other() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, super::is_put, Fault::HoldReply(gate.clone()));
    for number in 0..11 {
        place.drop(format!("f{number}"), "x");
    }
    let mut daemon = place.start(&proxy.endpoint(), "threads = 1");
    eventually("it is under way", PATIENCE, || gate.arrived() == 1);
    daemon.terminate();
    daemon.wait_for_line(|line| line.contains("stopping: running work may finish"), PATIENCE);
    place.drop("after-the-signal", "x");
    assert_eq!(daemon.ended(), None);
    gate.open();
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
    assert_eq!(s3.objects().len(), 1);
    assert_eq!(place.left().len(), 11);
    assert_eq!(place.unsettled(), 0);
}

#[test]
fn z9_an_upload_that_takes_too_long_is_cut_off_and_its_file_stays() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, super::is_put, Fault::Hold(gate.clone()));
    place.drop("report", "contents");
    let mut daemon = drains_for("200ms", &place, &proxy.endpoint()).start();
    eventually("it is under way", PATIENCE, || gate.arrived() == 1);
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 75, "{}", daemon.output());
    assert_eq!(place.left(), ["report"]);
    assert!(s3.objects().is_empty());
    let next = place.start(&s3.endpoint(), "");
    place.wait_until_empty(&next);
    assert_eq!(s3.objects()[&format!("{BUCKET}/report")], "contents");
}

#[test]
fn z9_a_second_signal_cuts_off_at_once() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, super::is_put, Fault::Hold(gate.clone()));
    place.drop("report", "contents");
    // The drain by itself would end long after this test.
    let mut daemon = drains_for("1h", &place, &proxy.endpoint()).start();
    eventually("it is under way", PATIENCE, || gate.arrived() == 1);
    daemon.interrupt();
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 75, "{}", daemon.output());
    assert_eq!(place.left(), ["report"]);
}

#[test]
fn sigterm_ends_an_idle_daemon_and_one_whose_bucket_is_away() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    proxy.down();
    for (endpoint, is_away) in [(s3.endpoint(), false), (proxy.endpoint(), true)] {
        let place = Place::new();
        let mut daemon = place.start(&endpoint, "");
        let reached = || s3.requests().iter().any(|seen| seen.operation() == "HeadBucket");
        let paused = || !super::lines(&daemon, "spool paused").is_empty();
        eventually("it knows the bucket", PATIENCE, || if is_away { paused() } else { reached() });
        daemon.terminate();
        assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
    }
}
