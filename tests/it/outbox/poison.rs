//! Files that can never be sent: each goes to quarantine with its sidecar and its reason, and the
//! good ones go on.

use super::{Place, Queue, bodies, reason};
use crate::support::emulator::embedded;
use std::fs;

#[tokio::test]
async fn every_kind_of_poison_goes_to_quarantine_with_its_reason() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let place = Place::new();
    let mib = 1 << 20;
    let cases: [(&str, Vec<u8>, &str, &str); 12] = [
        ("empty", vec![], "", "empty message"),
        ("large", vec![b'x'; mib + 1], "", "1048577 bytes"),
        (
            "large-with-attributes",
            vec![b'x'; mib - 8],
            r#"{"attributes": {"abc": "x"}}"#,
            "1048578 bytes",
        ),
        ("latin", b"caf\xe9".to_vec(), "", "not UTF-8"),
        ("control", b"a\x00b".to_vec(), "", "U+0000"),
        ("no-json", b"x".to_vec(), "{\"group\": ", "is malformed"),
        ("unknown-key", b"x".to_vec(), "{\"grup\": \"g\"}", "unknown field `grup`"),
        ("bad-group", b"x".to_vec(), "{\"group\": \"a b\"}", "its group is not"),
        ("late", b"x".to_vec(), "{\"delay\": 901}", "above 900"),
        ("subject", b"x".to_vec(), "{\"subject\": \"s\"}", "a queue knows none"),
        (
            "attribute",
            b"x".to_vec(),
            "{\"attributes\": {\"AWS.x\": \"y\"}}",
            "no message attribute",
        ),
        ("deduplicated", b"x".to_vec(), "{\"deduplication_id\": \"d\"}", "only FIFO"),
    ];
    for (name, contents, sidecar, _) in &cases {
        match *sidecar {
            "" => place.drop(name, contents),
            sidecar => place.drop_with(name, contents, sidecar),
        }
    }
    place.drop("good", "good");
    assert_eq!(place.once(&server.endpoint(), "queue = \"notices\""), 0);
    assert_eq!(place.left(), [""; 0]);
    assert_eq!(bodies(&queue.take(1).await), ["good"]);
    for (name, contents, sidecar, told) in &cases {
        let kept = place.own("quarantine");
        assert!(fs::read(kept.join(name)).unwrap() == *contents, "{name}");
        let beside = fs::read_to_string(kept.join(format!(".{name}.meta.json")));
        assert_eq!(beside.unwrap_or_default(), *sidecar, "{name}");
        let reason = reason(&place, name);
        assert_eq!((&reason["spool"], &reason["queue"]), (&"notices".into(), &"notices".into()));
        assert_eq!(reason["kind"], "invalid");
        let why = reason["reason"].as_str().unwrap();
        assert!(why.contains(told), "{name}: {why}");
    }
}

#[tokio::test]
async fn a_sidecar_that_is_a_symlink_is_not_followed_and_named() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let place = Place::new();
    std::os::unix::fs::symlink("/etc/hostname", place.directory().join(".linked.meta.json"))
        .unwrap();
    place.drop("linked", "x");
    place.drop("good", "good");
    assert_eq!(place.once(&server.endpoint(), "queue = \"notices\""), 0);
    assert_eq!(bodies(&queue.take(1).await), ["good"]);
    let reason = reason(&place, "linked");
    let why = reason["reason"].as_str().unwrap();
    assert!(why.contains(".linked.meta.json is no regular file"), "{why}");
}

#[tokio::test]
async fn fifo_takes_no_file_without_a_group_and_none_with_a_delay() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "notices.fifo").await;
    let place = Place::new();
    place.drop("homeless", "x");
    place.drop_with("delayed", "x", r#"{"group": "g", "delay": 5}"#);
    place.drop_with("good", "good", r#"{"group": "g"}"#);
    assert_eq!(place.once(&server.endpoint(), "queue = \"notices.fifo\""), 0);
    assert_eq!(bodies(&queue.take(1).await), ["good"]);
    for (name, told) in
        [("homeless", "user.longshore.group"), ("delayed", "a FIFO queue knows none")]
    {
        assert!(reason(&place, name)["reason"].as_str().unwrap().contains(told), "{name}");
    }
}

/// What is mended and moved back with its sidecar is sent.
#[tokio::test]
async fn what_is_mended_and_moved_back_is_sent() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let place = Place::new();
    place.drop_with("a", "", r#"{"attributes": {"n": 1}}"#);
    assert_eq!(place.once(&server.endpoint(), "queue = \"notices\""), 0);
    fs::write(place.own("quarantine").join("a"), "mended").unwrap();
    for name in [".a.meta.json", "a"] {
        fs::rename(place.own("quarantine").join(name), place.directory().join(name)).unwrap();
    }
    assert_eq!(place.once(&server.endpoint(), "queue = \"notices\""), 0);
    let messages = queue.take(1).await;
    assert_eq!(bodies(&messages), ["mended"]);
    assert_eq!(super::attributes(&messages[0])["n"], ("Number", "1"));
}

#[tokio::test]
async fn any_bytes_go_in_base64() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let place = Place::new();
    place.drop("a", b"caf\xe9\x00");
    let lines = "queue = \"notices\"\nencode = \"base64\"";
    assert_eq!(place.once(&server.endpoint(), lines), 0);
    assert_eq!(bodies(&queue.take(1).await), ["Y2Fm6QA="]);
}
