//! Children: their lines, their ends, their environment.

use crate::support::{
    PATIENCE,
    daemon::{Daemon, program},
};
use std::{path::Path, time::Duration};

fn shell(script: &str) -> Daemon {
    program(Path::new("/bin/sh"), ["-c", script]).start()
}

#[test]
fn lines_of_both_streams_are_waited_for_and_stay() {
    let mut child = shell("echo out; echo error >&2; exit 7");
    child.wait_for_line(|line| line == "error", PATIENCE);
    child.wait_for_line(|line| line == "out", PATIENCE);
    child.wait_for_line(|line| line == "out", PATIENCE);
    assert_eq!(child.wait(PATIENCE), 7);
    assert_eq!(
        child.stderr.wait(|line| line == "absent", Duration::ZERO),
        Err(vec!["error".into()])
    );
}

/// Also while the machine is busy: its lines are there as soon as its end is known.
#[test]
fn an_ended_child_has_said_everything() {
    let mut child = shell("seq 20000; echo last >&2");
    assert_eq!(child.wait(PATIENCE), 0);
    assert_eq!(child.stdout.all().len(), 20_000);
    assert_eq!(child.stderr.all(), ["last"]);
}

#[test]
fn signals_arrive_and_name_the_end() {
    let script =
        "trap 'echo term' TERM; trap 'exit 3' INT; echo ready; while :; do sleep 0.05; done";
    let mut child = shell(script);
    child.wait_for_line(|line| line == "ready", PATIENCE);
    child.terminate();
    child.wait_for_line(|line| line == "term", PATIENCE);
    child.interrupt();
    assert_eq!(child.wait(PATIENCE), 3);

    let mut child = shell("exec sleep 600");
    child.kill9();
    assert_eq!(child.wait(PATIENCE), 128 + 9);
}

#[test]
fn a_dropped_child_is_gone() {
    let child = shell("exec sleep 600");
    let process = format!("/proc/{}", child.pid());
    assert!(Path::new(&process).exists());
    drop(child);
    assert!(!Path::new(&process).exists());
}

#[test]
fn a_child_sees_only_what_it_was_given() {
    let mut child = program(Path::new("/usr/bin/env"), []).endpoint("http://127.0.0.1:9").start();
    assert_eq!(child.wait(PATIENCE), 0);
    child.wait_for_line(|line| line == "AWS_ENDPOINT_URL=http://127.0.0.1:9", PATIENCE);
    child.wait_for_line(|line| line.starts_with("STATE_DIRECTORY="), PATIENCE);
    let foreign = std::env::vars().filter(|(name, _)| name.starts_with("CARGO")).count();
    assert!(foreign > 0, "cargo runs the tests, so there is something to leak");
    assert!(!child.output().contains("CARGO"), "{}", child.output());
}

#[test]
fn nobody_is_refused_what_root_may() {
    let launch = program(Path::new("/bin/sh"), ["-c", "id -u; : > own && : > other/file"]);
    let other = launch.directory().join("other");
    std::fs::create_dir(&other).unwrap();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o555);
    std::fs::set_permissions(&other, permissions).unwrap();
    let mut child = launch.nobody().start();
    assert_ne!(child.wait(PATIENCE), 0);
    child.wait_for_line(|line| line != "0" && line.parse::<u32>().is_ok(), PATIENCE);
    assert!(child.directory().join("own").exists());
    assert!(!other.join("file").exists());
}
