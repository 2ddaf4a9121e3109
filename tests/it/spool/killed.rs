//! `kill -9` at any moment: nothing that was dropped is lost, and no object has wrong bytes.

use super::{BUCKET, Embedded, Place, is_put, make_bucket};
use crate::support::{PATIENCE, eventually, exchange::End, proxy::Proxy};
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
