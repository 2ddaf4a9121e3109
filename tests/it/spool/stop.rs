//! SIGTERM during uploads: they finish, or are cut off in order; a file goes only when it landed.

use super::{BUCKET, Place};
use crate::support::{
    PATIENCE, eventually,
    proxy::{Fault, Gate, Proxy},
    scripted::ScriptedS3,
};
use std::fs;

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
    let launch = place.launch(&proxy.endpoint(), "");
    let settings = place.root.path().join("longshore.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("drain_timeout = \"200ms\"\n{text}")).unwrap();
    let mut daemon = launch.start();
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
    let mut daemon = place.start(&proxy.endpoint(), "");
    eventually("it is under way", PATIENCE, || gate.arrived() == 1);
    daemon.interrupt();
    daemon.terminate();
    // The drain would take 25 seconds.
    assert_eq!(daemon.wait(PATIENCE / 2), 75, "{}", daemon.output());
    assert_eq!(place.left(), ["report"]);
}

#[test]
fn sigterm_ends_an_idle_daemon_and_one_whose_bucket_is_away() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    proxy.down();
    for endpoint in [s3.endpoint(), proxy.endpoint()] {
        let place = Place::new();
        let mut daemon = place.start(&endpoint, "");
        let locked = place.spool().join(".longshore/lock");
        eventually("it has begun", PATIENCE, || locked.exists());
        let reached = || s3.requests().iter().any(|seen| seen.operation() == "HeadBucket");
        let paused = || !super::lines(&daemon, "spool paused").is_empty();
        eventually("it knows the bucket", PATIENCE, || reached() || paused());
        daemon.terminate();
        assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
    }
}
