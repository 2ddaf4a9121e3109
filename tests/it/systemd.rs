//! What systemd hears, and what of its grants a handler must not inherit.

use crate::support::{
    PATIENCE, aws,
    daemon::{longshore, program},
    emulator::embedded,
    eventually,
};
use std::{fs, os::unix::net::UnixDatagram, path::Path};

const QUEUE: &str = "[queue.q]\nqueue = \"orders\"\nhandler.exec.command = \
                     [\"/bin/sh\", \"-c\", \"grep ^Cap /proc/self/status; env >&2\"]\n";

/// The next word for systemd.
fn heard(socket: &UnixDatagram) -> String {
    let mut word = [0; 256];
    let length = socket.recv(&mut word).expect("systemd hears something");
    String::from_utf8_lossy(&word[..length]).trim().to_owned()
}

#[test]
fn it_hears_ready_then_alive_then_stopping() {
    let server = embedded();
    // The watchdog is meant for the process that systemd started, by its id.
    let script =
        format!("WATCHDOG_PID=$$ exec {} run --config c.toml", env!("CARGO_BIN_EXE_longshore"));
    let launch = program(Path::new("/bin/sh"), ["-c", &script]).file("c.toml", QUEUE);
    let path = launch.directory().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut daemon = launch
        .endpoint(&server.endpoint())
        .env("NOTIFY_SOCKET", path.to_str().unwrap())
        .env("WATCHDOG_USEC", "200000")
        .start();
    // The two tasks that say it run side by side.
    let (mut ready, mut alive) = (0, 0);
    while ready == 0 || alive < 3 {
        match &*heard(&socket) {
            "READY=1" => ready += 1,
            "WATCHDOG=1" => alive += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(ready, 1);
    daemon.terminate();
    // It stays alive in between, however long that takes.
    while heard(&socket) != "STOPPING=1" {}
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
}

#[test]
fn a_watchdog_that_is_not_asked_for_is_not_fed() {
    let server = embedded();
    let launch = longshore(["run", "--config", "c.toml"]).file("c.toml", QUEUE);
    let path = launch.directory().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket_path = path.to_str().unwrap();
    let daemon = launch.endpoint(&server.endpoint()).env("NOTIFY_SOCKET", socket_path).start();
    assert_eq!(heard(&socket), "READY=1");
    daemon.terminate();
    assert_eq!(heard(&socket), "STOPPING=1");
}

#[test]
fn it_is_not_ready_before_its_spool_is_its_own() {
    let launch = longshore(["run", "--config", "c.toml"])
        .file("c.toml", "[spool.s]\ndirectory = \"spool\"\nbucket = \"bucket\"\n");
    let own = launch.directory().join("spool/.longshore");
    fs::create_dir_all(&own).unwrap();
    let lock = fs::File::create(own.join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let path = launch.directory().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    launch.env("NOTIFY_SOCKET", path.to_str().unwrap()).finish().expect(75, &["another longshore"]);
    assert!(socket.recv(&mut [0; 64]).is_err(), "told of a daemon that never ran");
}

/// The value of one line of `/proc/PID/status`.
fn capabilities(status: &str, of: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(of)?.strip_prefix(':'));
    u64::from_str_radix(value.unwrap_or_else(|| panic!("{of} in {status}")).trim(), 16).unwrap()
}

#[tokio::test]
async fn what_systemd_grants_the_daemon_no_handler_inherits() {
    const LEASE: u64 = 1 << 28;
    let server = embedded();
    let sqs = aws::sqs(&server.endpoint());
    let made = sqs.create_queue().queue_name("orders").send().await.unwrap();
    let binary = env!("CARGO_BIN_EXE_longshore");
    // As the unit grants it; only root can grant anything.
    let granted = rustix::process::geteuid().is_root();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let grant = ["--inh-caps=+lease", "--ambient-caps=+lease"];
    let run = ["run", "-v", "--config", "c.toml"];
    let launch = if granted {
        let words: [&str; 10] = [&nobody[..], &grant, &[binary], &run].concat().try_into().unwrap();
        program(Path::new("/usr/bin/setpriv"), words)
    } else {
        program(Path::new(binary), run)
    };
    let launch = launch.file("c.toml", QUEUE).endpoint(&server.endpoint());
    let launch = launch.env("NOTIFY_SOCKET", "/nowhere").env("WATCHDOG_USEC", "1000000");
    fs::set_permissions(launch.directory(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let daemon = launch.start();
    daemon.wait_for_line(|line| line.contains("listening to queue"), PATIENCE);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    assert_eq!(capabilities(&status, "CapAmb"), 0, "{status}");
    if granted {
        assert_eq!(capabilities(&status, "CapEff"), LEASE, "{status}");
    }
    for thread in fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status"));
        // A thread may have ended in between.
        let ambient = status.map_or(0, |status| capabilities(&status, "CapAmb"));
        assert_eq!(ambient, 0);
    }
    let url = made.queue_url().unwrap();
    sqs.send_message().queue_url(url).message_body("x").send().await.unwrap();
    let line = |of: &str| {
        let line = daemon.wait_for_line(|line| line.contains(of), PATIENCE);
        let from = line.find(of).unwrap() + of.len();
        let digits = line[from..].trim_start_matches([':', '\\', 't', ' ', '\t']);
        u64::from_str_radix(&digits[..16], 16).unwrap()
    };
    for of in ["CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(line(of), 0, "{of}\n{}", daemon.output());
    }
    eventually("the handler's environment", PATIENCE, || daemon.output().contains("PATH="));
    daemon.wait_for_line(|line| line.contains("message done"), PATIENCE);
    assert!(!daemon.output().contains("NOTIFY_SOCKET") && !daemon.output().contains("WATCHDOG"));
}
