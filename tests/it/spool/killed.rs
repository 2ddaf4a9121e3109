//! `kill -9` at any moment: nothing that was dropped is lost, and no object has wrong bytes.

use super::{BUCKET, Embedded, OWN, Place, is_put, make_bucket};
use crate::support::{
    PATIENCE, eventually,
    exchange::End,
    proxy::{Fault, Gate, Proxy},
    scripted::ScriptedS3,
};
use std::{collections::BTreeMap, fs};

const ROUNDS: usize = 10;
const A_ROUND: usize = 50;

/// Contents that no other drop has, from empty-looking to larger than one read.
fn contents(drop: usize) -> String {
    format!("drop {drop}\n").repeat(1 + drop * 7 % 3_000)
}

/// Most names are used once, some again and again.
fn name(drop: usize) -> String {
    if drop.is_multiple_of(5) { format!("again-{}", drop % 20) } else { format!("once-{drop}") }
}

#[test]
fn kill_9_at_ten_random_moments_loses_nothing_and_falsifies_nothing() {
    let server = Embedded::start();
    make_bucket(&server.endpoint, BUCKET);
    let proxy = Proxy::start(&server.endpoint);
    let place = Place::new();
    let mut newest = BTreeMap::new();
    let mut dropped = 0;
    for _ in 0..ROUNDS {
        let mut daemon = place.start(&proxy.endpoint(), "");
        let before = proxy.of("PutObject").len();
        // A random moment: after so many requests, which come from files dropped all the while.
        let until = before + fastrand::usize(1..A_ROUND);
        for _ in 0..A_ROUND {
            place.drop(name(dropped), contents(dropped));
            newest.insert(name(dropped), dropped);
            dropped += 1;
        }
        eventually("the moment", PATIENCE, || {
            proxy.of("PutObject").len() >= until || place.left().is_empty()
        });
        daemon.kill9();
    }
    let daemon = place.start(&proxy.endpoint(), "");
    place.wait_until_empty(&daemon);
    let landed = fs::read_dir(server.objects()).unwrap().count();
    assert_eq!(landed, newest.len());
    for (name, drop) in &newest {
        let landed = fs::read_to_string(server.objects().join(name)).unwrap();
        assert!(landed == contents(*drop), "{name}");
    }
    // No object ever had bytes that nobody dropped under its name.
    for put in proxy.requests().iter().filter(|seen| is_put(seen)) {
        if put.end == End::Answered(200) {
            let body = std::str::from_utf8(&put.body).unwrap();
            let first = body.lines().next().unwrap();
            let drop: usize = first.strip_prefix("drop ").unwrap().parse().unwrap();
            assert!(body == contents(drop), "{}", put.path());
            assert_eq!(put.path(), format!("/{BUCKET}/{}", name(drop)));
        }
    }
}

fn bodies(proxy: &Proxy) -> Vec<String> {
    let puts = proxy.of("PutObject");
    puts.iter().map(|put| String::from_utf8_lossy(&put.body).into_owned()).collect()
}

/// S3 has it, and the daemon does not know; a newer file comes before the next start.
#[test]
fn kill_9_between_the_upload_and_its_reply_lands_the_newest_last() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(2, is_put, Fault::HoldReply(gate.clone()));
    place.drop("same", "same");
    place.drop("replaced", "version 1");
    let mut daemon = place.start(&proxy.endpoint(), "");
    eventually("S3 has both", PATIENCE, || gate.arrived() == 2);
    daemon.kill9();
    assert_eq!(place.left(), ["replaced", "same"]);
    place.drop("replaced", "version 2");
    let daemon = place.start(&proxy.endpoint(), "");
    place.wait_until_empty(&daemon);
    let objects = s3.objects();
    assert_eq!(objects[&format!("{BUCKET}/same")], "same");
    assert_eq!(objects[&format!("{BUCKET}/replaced")], "version 2");
}

/// What a killed daemon had half-way out of the spool is older than what has its name by now, and
/// is uploaded before it: it may be a version that never landed.
#[test]
fn kill_9_in_the_middle_of_settling_lands_both_versions_in_order() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let place = Place::new();
    let settling = place.spool().join(OWN).join("settling");
    for (number, name, contents) in [("0", "report", "version 1"), ("7", "alone", "alone")] {
        fs::create_dir_all(settling.join(number)).unwrap();
        fs::write(settling.join(number).join(name), contents).unwrap();
    }
    fs::create_dir(settling.join("8")).unwrap();
    place.drop("report", "version 2");
    let daemon = place.start(&proxy.endpoint(), "");
    place.wait_until_empty(&daemon);
    let mut sent = bodies(&proxy);
    sent.retain(|body| body != "alone");
    assert_eq!(sent, ["version 1", "version 2"]);
    assert_eq!(s3.objects()[&format!("{BUCKET}/report")], "version 2");
    assert_eq!(s3.objects()[&format!("{BUCKET}/alone")], "alone");
}

#[test]
fn kill_9_in_the_middle_of_a_large_upload_lands_it_whole_after_the_next_start() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, |seen| seen.query("partNumber") == Some("2"), Fault::Hold(gate.clone()));
    let contents: Vec<u8> = (0..5 << 20_u32).flat_map(u32::to_le_bytes).collect();
    place.drop("large", &contents);
    let mut daemon = place.start(&proxy.endpoint(), "");
    eventually("a part is held", PATIENCE, || gate.arrived() == 1);
    daemon.kill9();
    assert_eq!(place.left(), ["large"]);
    let daemon = place.start(&proxy.endpoint(), "");
    place.wait_until_empty(&daemon);
    assert!(s3.objects()[&format!("{BUCKET}/large")] == contents);
}
