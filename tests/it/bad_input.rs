//! What a stranger gets wrong: each is told by name, with what to do, and ends with its exit code.

use crate::support::{
    PATIENCE,
    daemon::{Daemon, Finished, Launch, assert_is_for_people, longshore},
    emulator::ministack,
    eventually, free_port,
    proxy::{Fault, Proxy},
};
use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

const QUEUE: &str = "[queue.q]\nqueue = \"orders\"\nhandler.print = {}\n";
const SPOOL: &str = "[spool.s]\ndirectory = \"spool\"\nbucket = \"bucket\"\n";

fn check(text: &str) -> Launch {
    longshore(["check", "--config", "c.toml"]).file("c.toml", text)
}

fn run(text: &str) -> Launch {
    longshore(["run", "--config", "c.toml"]).file("c.toml", text)
}

/// A daemon that meets trouble and stays up: it is watched for a while, then stopped in order.
fn stays_up(launch: Launch, trouble: &str) -> Vec<String> {
    stays_up_after(launch, trouble, 1)
}

/// The same, when it has told of it so often.
fn stays_up_after(launch: Launch, trouble: &str, times: usize) -> Vec<String> {
    let mut daemon = launch.start();
    eventually(trouble, PATIENCE, || count(&daemon.stderr.all(), trouble) >= times);
    let began = Instant::now();
    eventually("five seconds of trouble", PATIENCE, || {
        assert_eq!(daemon.ended(), None, "{}", daemon.output());
        began.elapsed() > Duration::from_secs(5)
    });
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
    assert_is_for_people(&daemon.output());
    daemon.stderr.all()
}

fn count(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

#[test]
fn mistakes_in_settings_are_told_with_their_place() {
    let typo = format!("{SPOOL}poll_intervall = 9\n");
    let several = format!("{typo}{QUEUE}concurrency = 0\n[lgo]\nlevel = \"info\"\n");
    let double = "[queue.q]\nqueue = \"orders\"\nhandler.print = {}\n\
                  handler.exec.command = [\"true\"]\n";
    let table: [(&str, &str, &[&str]); 8] = [
        ("a typo", &typo, &["c.toml:4:1: ", "poll_intervall", "poll_interval"]),
        (
            "several at once",
            &several,
            &["c.toml:4:1: ", "c.toml:8:15: ", "concurrency", "c.toml:9:", "lgo"],
        ),
        ("no TOML", "<settings/>", &["c.toml:1:1: not TOML: "]),
        ("nothing to do", "", &["nothing to do", "[spool.NAME]", "[queue.NAME]"]),
        ("two handlers", double, &["c.toml:", "both exec and print", "a handler has one kind"]),
        ("no handler", "[queue.q]\nqueue = \"orders\"\n", &["neither a handler nor a route"]),
        ("no region", &format!("{QUEUE}region = \"the moon\"\n"), &["c.toml:4:", "the moon"]),
        ("no level", "[log]\nlevel = \"loud\"\n", &["c.toml:2:9: ", "\"loud\" is no level"]),
    ];
    for (what, text, told) in table {
        for launch in [check(text), run(text)] {
            let finished = launch.finish();
            assert!(!finished.directory().join("spool").exists(), "{what}");
            finished.expect(78, told);
        }
    }
}

#[test]
fn a_settings_file_that_cannot_be_read_is_named() {
    for command in ["check", "run"] {
        longshore([command, "--config", "none.toml"])
            .finish()
            .expect(78, &["none.toml: No such file", "--config"]);
        longshore([command, "--config", "."]).finish().expect(78, &[".: a directory"]);
        let secret = longshore([command, "--config", "c.toml"]).file("c.toml", QUEUE);
        let path = secret.directory().join("c.toml");
        fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
        secret.nobody().finish().expect(78, &["c.toml: Permission denied", "read it"]);
    }
    // Nobody named any: the places are told where they are looked for.
    longshore(["run"])
        .env("LONGSHORE_CONFIG", "elsewhere.toml")
        .finish()
        .expect(78, &["elsewhere.toml: No such file", "LONGSHORE_CONFIG"]);
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let ends = |finished: Finished, told: &[&str]| drop(finished.expect(64, told));
    ends(longshore([]).finish(), &["Usage: longshore"]);
    ends(longshore(["frobnicate"]).finish(), &["'frobnicate'"]);
    ends(longshore(["run", "--nope"]).finish(), &["'--nope'"]);
    ends(longshore(["run", "--yes"]).finish(), &["--local"]);
    ends(longshore(["check", "--log-level", "loud"]).finish(), &["\"loud\" is no level"]);
    ends(longshore(["put"]).finish(), &["FILE"]);
    for command in ["run", "local"] {
        let launch = match command {
            "run" => longshore(["run", "--local", "c.toml"]),
            _ => longshore(["local", "c.toml"]),
        };
        let told = ["c.toml is a file", "--local --config c.toml"];
        ends(launch.file("c.toml", QUEUE).finish(), &told);
    }
}

#[test]
fn a_log_filter_that_is_none_is_refused_by_every_command() {
    for launch in [run(QUEUE), check(QUEUE), longshore(["send", "q", "x"])] {
        launch.env("LONGSHORE_LOG", "x=y=z").finish().expect(78, &["LONGSHORE_LOG", "warn,"]);
    }
}

#[test]
fn without_credentials_it_says_so_and_goes_on() {
    let naked = |launch: Launch| {
        let launch = launch.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
        // Something to land, so that the spool asks too.
        fs::create_dir(launch.directory().join("spool")).unwrap();
        launch.endpoint("http://127.0.0.1:9")
    };
    let text = format!("{QUEUE}{SPOOL}");
    // The queue, and the spool.
    let lines = stays_up_after(naked(run(&text)), "no credentials found", 2);
    assert!(lines.len() < 20, "a storm: {lines:#?}");
    assert_eq!(count(&lines, "queue cannot be listened to"), 1, "{lines:#?}");
    let told = ["no credentials found", "→ check the credentials: [aws] in the settings"];
    naked(check(&text)).finish().expect(69, &told);
    naked(longshore(["check", "--aws"])).finish().expect(69, &told);
    naked(longshore(["send", "orders", "x"])).finish().expect(69, &["no credentials found"]);
}

#[test]
fn a_profile_that_is_not_there_is_named() {
    let launch = check(QUEUE).without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    let told = ["no credentials found", "→ write the profile payroll into the shared AWS files"];
    launch.env("AWS_PROFILE", "payroll").finish().expect(69, &told);
}

#[test]
fn a_dead_endpoint_is_waited_for() {
    let dead = format!("http://127.0.0.1:{}", free_port());
    let ready = |launch: Launch| {
        fs::create_dir(launch.directory().join("spool")).unwrap();
        launch.endpoint(&dead)
    };
    let text = format!("{QUEUE}{SPOOL}");
    let lines = stays_up_after(ready(run(&text)), "Connection refused", 2);
    assert!(lines.len() < 20, "a storm: {lines:#?}");
    assert_eq!(count(&lines, "queue cannot be listened to"), 1, "{lines:#?}");
    let told = ["Connection refused", "check endpoint_url", "bucket", "orders"];
    ready(check(&text)).finish().expect(69, &told);
}

#[test]
fn a_bucket_of_another_region_is_told() {
    let proxy = Proxy::start("http://127.0.0.1:9");
    let moved = "<Error><Code>PermanentRedirect</Code><Message>wrong region</Message></Error>";
    proxy.on(100, |_| true, Fault::Answer(301, moved.to_owned()));
    let launch = check(&format!("{SPOOL}region = \"eu-west-9\"\npath_style = true\n"));
    fs::create_dir(launch.directory().join("spool")).unwrap();
    launch
        .endpoint(&proxy.endpoint())
        .finish()
        .expect(69, &["bucket", "check its name and its region"]);
}

#[test]
fn a_missing_spool_directory_is_said_once_and_taken_up_when_it_comes() {
    let server = ministack();
    let lines = stays_up(run(SPOOL).endpoint(&server.endpoint()), "spool waits for its directory");
    assert_eq!(count(&lines, "spool waits for its directory"), 1, "{lines:#?}");
    assert!(count(&lines, "mkdir -p spool") == 1, "{lines:#?}");
    check(SPOOL)
        .endpoint(&server.endpoint())
        .finish()
        .expect(78, &["spool s: ", "→ make it: mkdir -p spool"]);

    let daemon = run(SPOOL).endpoint(&server.endpoint()).start();
    daemon.wait_for_line(|line| line.contains("spool waits for its directory"), PATIENCE);
    fs::create_dir(daemon.directory().join("spool")).unwrap();
    daemon.wait_for_line(|line| line.contains("spool has its directory again"), PATIENCE);
}

#[test]
fn a_directory_that_is_not_ours_is_told_with_the_chown() {
    let server = ministack();
    let foreign = |launch: Launch| {
        let launch = launch.endpoint(&server.endpoint()).nobody();
        let spool = launch.directory().join("spool");
        fs::create_dir(&spool).unwrap();
        fs::write(spool.join("kept"), "kept").unwrap();
        fs::set_permissions(&spool, Permissions::from_mode(0o555)).unwrap();
        launch
    };
    let lines = stays_up(foreign(run(SPOOL)), "spool waits for its directory");
    assert_eq!(count(&lines, "spool waits for its directory"), 1, "{lines:#?}");
    let finished = foreign(check(SPOOL)).finish();
    assert!(finished.directory().join("spool/kept").exists());
    finished.expect(78, &["spool s: ", "Permission denied", "chown or chmod spool"]);
}

fn on_same_spool(spool: &Path, endpoint: &str) -> Launch {
    let spool = spool.display();
    run(&format!("{QUEUE}[spool.s]\ndirectory = \"{spool}\"\nbucket = \"bucket\"\n"))
        .endpoint(endpoint)
}

#[test]
fn z11_a_second_daemon_on_a_spool_is_refused_before_it_receives() {
    let spool = tempfile::tempdir().unwrap();
    let server = ministack();
    let (first, second) = (Proxy::start(&server.endpoint()), Proxy::start(&server.endpoint()));
    let daemon: Daemon = on_same_spool(spool.path(), &first.endpoint()).start();
    eventually("the lock", PATIENCE, || spool.path().join(".longshore/lock").exists());
    let holder = format!("(pid {})", daemon.pid());
    eventually("the pid in the lock", PATIENCE, || {
        fs::read_to_string(spool.path().join(".longshore/lock"))
            .is_ok_and(|pid| pid.trim() == daemon.pid().to_string())
    });
    on_same_spool(spool.path(), &second.endpoint())
        .finish()
        .expect(75, &["another longshore", &holder, "stop it, or give this one another directory"]);
    assert_eq!(second.requests().len(), 0);
}

#[test]
fn a_taken_status_address_ends_it_before_it_receives() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let proxy = Proxy::start("http://127.0.0.1:9");
    run(&format!("{QUEUE}[status]\nlisten = \"{address}\"\n"))
        .endpoint(&proxy.endpoint())
        .finish()
        .expect(75, &[&address.to_string(), "[status] listen", "choose another address"]);
    assert_eq!(proxy.requests().len(), 0);
}
