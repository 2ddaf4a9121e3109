//! Standard output as a shell hands it on: a reader who leaves, and a disk that is full.

use super::commands::run;
use crate::support::{
    daemon::{Finished, program},
    emulator::{Emulator, embedded},
};
use std::path::Path;

/// A shell with the binary as its first argument.
fn shell(server: &Emulator, command: &str) -> Finished {
    let binary = env!("CARGO_BIN_EXE_longshore");
    let shell = program(Path::new("/bin/sh"), ["-c", command, binary]);
    shell.endpoint(&server.endpoint()).finish()
}

#[test]
fn items_are_read_as_far_as_somebody_wants() {
    let server = embedded();
    run(&server, ["dynamodb", "create", "orders", "--partition-key", "id"]).expect(0, &[]);
    shell(&server, "seq 500 | sed 's/.*/{\"id\":\"&\"}/' | $0 dynamodb put orders")
        .expect(0, &["put 500 items"]);
    for scan in ["scan orders", "scan orders --cached", "query orders 7"] {
        let left = shell(
            &server,
            &format!(
                "{{ until [ -e gone ]; do :; done; $0 dynamodb {scan}; echo ended with $? >&2; }} \
                 | {{ exec <&-; touch gone; }}"
            ),
        );
        assert_eq!(left.stderr, "ended with 0\n", "{scan}");
    }
    shell(&server, "$0 dynamodb scan orders > /dev/full")
        .expect(78, &["writing to standard output: No space left on device"]);
}

#[test]
fn messages_that_nobody_reads_are_not_deleted() {
    let server = embedded();
    run(&server, ["sqs", "create", "orders"]).expect(0, &[]);
    run(&server, ["send", "orders", "precious"]).expect(0, &[]);
    let unread = |receive: &str| {
        let command = format!(
            "{{ until [ -e gone ]; do :; done; $0 sqs receive orders {receive}; \
             echo ended with $? >&2; }} | {{ exec <&-; touch gone; }}"
        );
        shell(&server, &command).stderr
    };
    assert_eq!(unread("--visibility-timeout 0"), "ended with 0\n");
    // In flight for as long as the test may take.
    let told = unread("--delete --visibility-timeout 600");
    assert!(told.contains("nobody reads") && told.ends_with("ended with 75\n"), "{told}");
    run(&server, ["sqs", "length", "orders"]).expect(0, &["0 visible, 1 in flight"]);
}

#[test]
fn an_answer_that_could_not_be_written_is_no_success() {
    let server = embedded();
    run(&server, ["ssm", "put", "/shop/name", "corner"]).expect(0, &[]);
    for verb in ["get /shop/name", "list", "below /shop --json"] {
        shell(&server, &format!("$0 ssm {verb} > /dev/full"))
            .expect(78, &["writing to standard output: No space left on device"]);
    }
    // Who has read enough is no error.
    shell(&server, "{ until [ -e gone ]; do :; done; $0 ssm list; } | { exec <&-; touch gone; }")
        .expect(0, &[]);
}
