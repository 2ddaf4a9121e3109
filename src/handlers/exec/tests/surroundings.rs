//! What a child finds around itself: environment, files, descriptors, signals.

use super::*;
use crate::message::Attribute;

#[tokio::test]
async fn the_environment_is_exactly_what_is_documented() {
    let mut message = samples::message("");
    let lines = Attribute::String("one\ntwo".to_owned());
    message.attributes.insert("note".to_owned(), lines);
    let big = Attribute::String("x".repeat(40 << 10));
    message.attributes.insert("big".to_owned(), big);
    let seen = seen_by("env -0", message, &["CARGO_PKG_NAME"]).await;
    let mut names = Vec::new();
    for variable in seen.split_terminator('\0') {
        let (name, value) = variable.split_once('=').unwrap();
        match name {
            "LONGSHORE_ATTR_NOTE" => assert_eq!(value, "one\ntwo"),
            "LONGSHORE_OMITTED" => assert_eq!(value, "big"),
            "LONGSHORE_EVENT" => assert_eq!(value, "OrderPlaced.shop"),
            "CARGO_PKG_NAME" => assert_eq!(value, "longshore"),
            _ => {}
        }
        names.push(name);
    }
    // The shell sets these itself, and the daemon's own depend on where the test runs.
    names.retain(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name));
    names.retain(|name| !["PATH", "HOME", "LANG", "TZ", "TMPDIR"].contains(name));
    names.retain(|name| !name.starts_with("LC_"));
    names.sort_unstable();
    let wanted = [
        "CARGO_PKG_NAME",
        "LONGSHORE_ATTR_NOTE",
        "LONGSHORE_ATTR_RAW",
        "LONGSHORE_ATTR_SIZE_CM",
        "LONGSHORE_ATTR_TINT",
        "LONGSHORE_DEDUPLICATION_ID",
        "LONGSHORE_EVENT",
        "LONGSHORE_FIRST_RECEIVED_AT",
        "LONGSHORE_GROUP",
        "LONGSHORE_MESSAGE",
        "LONGSHORE_MESSAGE_ID",
        "LONGSHORE_OMITTED",
        "LONGSHORE_QUEUE",
        "LONGSHORE_RECEIVE_COUNT",
        "LONGSHORE_SENDER_ID",
        "LONGSHORE_SENT_AT",
        "LONGSHORE_SEQUENCE_NUMBER",
    ];
    assert_eq!(names, wanted);
}

#[tokio::test]
async fn attributes_as_large_as_sqs_allows_can_be_started() {
    let mut message = samples::message("");
    for number in 0..31 {
        let value = Attribute::String("x".repeat(32 << 10));
        message.attributes.insert(format!("a{number}"), value);
    }
    assert_eq!(verdict_on(&command(&["/bin/true"]), message).await, Ok(Outcome::Done));
}

#[tokio::test]
async fn the_metadata_file_is_there_during_the_run_and_gone_after() {
    let script = "echo $LONGSHORE_MESSAGE; cat $LONGSHORE_MESSAGE";
    let seen = seen_by(script, samples::message("hello"), &[]).await;
    let (path, json) = seen.split_once('\n').unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["attributes"]["raw"]["base64"], "AAH/");
    assert_eq!(json["body_bytes"], 5);
    assert!(!Path::new(path).exists());
}

/// Descriptors that whoever runs this test has left open for every child.
fn leaked_into_this_test() -> Vec<i32> {
    let is_inherited = |number: &i32| {
        let information = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"));
        let information = information.unwrap_or_default();
        let flags = information.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
        *number > 2 && flags.is_some_and(|flags| flags & 0o2_000_000 == 0)
    };
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(is_inherited).collect()
}

#[tokio::test]
async fn the_child_inherits_three_descriptors_and_clean_signals() {
    let directory = tempfile::tempdir().unwrap();
    let open = std::fs::File::create(directory.path().join("ours")).unwrap();
    let seen = seen_by("ls -l /proc/self/fd", samples::message(""), &[]).await;
    drop(open);
    assert!(!seen.contains("/ours"), "{seen}");
    let mut descriptors: Vec<i32> = seen
        .lines()
        .filter_map(|line| line.split_once(" -> ")?.0.rsplit(' ').next()?.parse().ok())
        .collect();
    let leaked = leaked_into_this_test();
    descriptors.retain(|descriptor| !leaked.contains(descriptor));
    descriptors.sort_unstable();
    // The fourth is the directory that ls itself has open.
    assert_eq!(descriptors, [0, 1, 2, 3], "{seen}");
    assert_eq!(seen.matches("longshore").count(), 1, "{seen}");

    let seen = seen_by("exec cat /proc/self/status", samples::message(""), &[]).await;
    let mask = |name: &str| {
        let line = seen.lines().find(|line| line.starts_with(name)).unwrap();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    let pipe = 1 << (13 - 1);
    assert_eq!(mask("SigBlk:"), 0);
    assert_eq!(mask("SigIgn:") & pipe, 0);
}
