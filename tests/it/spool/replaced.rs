//! A file that is replaced or changed while it is uploaded: nothing is lost, the newest stands last.

use super::{BUCKET, Place};
use crate::support::{
    PATIENCE, eventually,
    proxy::{Fault, Gate, Proxy},
    scripted::ScriptedS3,
};
use std::{fs, io::Write};

fn bodies(proxy: &Proxy) -> Vec<String> {
    let puts = proxy.of("PutObject");
    puts.iter().map(|put| String::from_utf8_lossy(&put.body).into_owned()).collect()
}

#[test]
fn z7_both_versions_land_in_order_when_a_file_is_replaced_during_its_upload() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, super::is_put, Fault::HoldReply(gate.clone()));
    place.drop("report", "version 1");
    let daemon = place.start(&proxy.endpoint(), "");
    eventually("the first is under way", PATIENCE, || gate.arrived() == 1);
    place.drop("report", "version 2");
    gate.open();
    place.wait_until_empty(&daemon);
    assert_eq!(bodies(&proxy), ["version 1", "version 2"]);
    assert_eq!(s3.objects()[&format!("{BUCKET}/report")], "version 2");
}

/// Also when each has the same length, and the name is the other spelling of the same key.
#[test]
fn z7_two_names_of_one_key_are_never_under_way_together() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, super::is_put, Fault::HoldReply(gate.clone()));
    place.drop("a%2Fb", "version 1");
    let daemon = place.start(&proxy.endpoint(), "");
    eventually("the first is under way", PATIENCE, || gate.arrived() == 1);
    place.drop("a%2fb", "version 2");
    place.drop("other", "other");
    eventually("another lands meanwhile", PATIENCE, || {
        s3.objects().contains_key(&format!("{BUCKET}/other"))
    });
    assert_eq!(bodies(&proxy), ["version 1", "other"]);
    gate.open();
    place.wait_until_empty(&daemon);
    assert_eq!(s3.objects()[&format!("{BUCKET}/a/b")], "version 2");
}

#[test]
fn z7_a_file_that_is_written_again_during_its_upload_lands_again() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, super::is_put, Fault::HoldReply(gate.clone()));
    place.drop("log", "one line\n");
    let daemon = place.start(&proxy.endpoint(), "");
    eventually("the first is under way", PATIENCE, || gate.arrived() == 1);
    let mut file = fs::OpenOptions::new().append(true).open(place.at("log")).unwrap();
    file.write_all(b"another\n").unwrap();
    drop(file);
    gate.open();
    place.wait_until_empty(&daemon);
    assert_eq!(bodies(&proxy), ["one line\n", "one line\nanother\n"]);
    assert_eq!(s3.objects()[&format!("{BUCKET}/log")], "one line\nanother\n");
}

/// The producer deletes what it dropped, and drops something else later.
#[test]
fn a_file_that_is_taken_back_during_its_upload_is_no_trouble() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, super::is_put, Fault::HoldReply(gate.clone()));
    place.drop("report", "version 1");
    let daemon = place.start(&proxy.endpoint(), "");
    eventually("the first is under way", PATIENCE, || gate.arrived() == 1);
    fs::remove_file(place.at("report")).unwrap();
    gate.open();
    place.drop("next", "next");
    place.wait_until_empty(&daemon);
    assert_eq!(bodies(&proxy), ["version 1", "next"]);
    assert!(!daemon.output().contains(" ERROR "), "{}", daemon.output());
}
