//! The log: one parseable line for each thing, where the settings say, and never a secret.

use crate::support::{
    PATIENCE, aws,
    daemon::{Daemon, Launch, longshore},
    emulator::{Emulator, embedded},
    eventually,
};
use std::fs;

const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "FwoGZXIvYXdzEXAMPLETOKEN";

async fn with_queue() -> (Emulator, aws_sdk_sqs::Client, String) {
    let server = embedded();
    let sqs = aws::sqs(&server.endpoint());
    let made = sqs.create_queue().queue_name("orders").send().await.unwrap();
    let url = made.queue_url().unwrap().to_owned();
    (server, sqs, url)
}

fn settings(server: &Emulator, more: &str) -> String {
    format!(
        "[aws]\nregion = \"us-east-1\"\nendpoint_url = \"{}\"\naccess_key_id = \"AKIAEXAMPLE\"\n\
         secret_access_key_file = \"key\"\nsession_token = \"{TOKEN}\"\n{more}\n\
         [queue.q]\nqueue = \"orders\"\nwait_time = 1\nhandler.exec.command = [\"/bin/sh\", \"-c\", \"cat >&2; exit 65\"]\n\
         [spool.s]\ndirectory = \"spool\"\nbucket = \"reports\"\n",
        server.endpoint()
    )
}

fn prepared(launch: Launch, text: &str) -> Launch {
    let launch = launch.file("c.toml", text).file("key", SECRET);
    fs::create_dir(launch.directory().join("spool")).unwrap();
    fs::write(launch.directory().join("spool/line\nbreak"), "x").unwrap();
    launch
}

/// Runs it through a refused message, a missing bucket and a stop.
async fn through_trouble(launch: Launch, (sqs, url): (&aws_sdk_sqs::Client, &str)) -> Daemon {
    let mut daemon = launch.start();
    sqs.send_message()
        .queue_url(url)
        .message_body("a body of nobody's business")
        .send()
        .await
        .unwrap();
    let log = daemon.directory().join("log");
    let all = || daemon.output() + &fs::read_to_string(&log).unwrap_or_default();
    eventually("a rejected message", PATIENCE, || all().contains("exited with 65"));
    eventually("the missing bucket", PATIENCE, || all().contains("spool paused"));
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
    daemon
}

fn assert_no_secret(said: &str) {
    for secret in [SECRET, TOKEN] {
        assert!(!said.contains(secret), "a secret in:\n{said}");
    }
}

#[tokio::test]
async fn json_lines_parse_and_stand_in_the_file_that_the_settings_name() {
    let (server, sqs, url) = with_queue().await;
    let text = settings(&server, "[log]\nformat = \"json\"\ntarget = \"./log\"\n");
    let launch = prepared(longshore(["run", "--config", "c.toml"]), &text);
    let daemon = through_trouble(launch, (&sqs, &url)).await;
    assert_eq!(daemon.output(), "");
    let log = fs::read_to_string(daemon.directory().join("log")).unwrap();
    for line in log.lines() {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(["ERROR", "WARN", "INFO"].contains(&line["level"].as_str().unwrap()), "{line}");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(line.to_string().contains("message"), "{line}");
    }
    assert!(log.lines().count() > 4, "{log}");
    assert_no_secret(&log);
}

#[tokio::test]
async fn no_secret_is_told_even_where_everything_is() {
    let (server, sqs, url) = with_queue().await;
    let text = settings(&server, "");
    let run = prepared(longshore(["run", "-v", "--config", "c.toml"]), &text);
    let daemon = through_trouble(run.env("LONGSHORE_LOG", "trace"), (&sqs, &url)).await;
    let said = daemon.output();
    assert!(said.contains(" DEBUG ") || said.contains(" TRACE "), "{said}");
    assert_no_secret(&said);
    for line in daemon.stderr.all() {
        assert!(line.starts_with("20") && line.contains("Z "), "no line of log: {line}");
    }
    for args in [["check", "-v", "--config", "c.toml"], ["check", "--json", "--config", "c.toml"]] {
        assert_no_secret(&prepared(longshore(args), &text).finish().said());
    }
    let config = longshore::config::Config::parse(
        &format!(
            "[aws]\naccess_key_id = \"A\"\nsecret_access_key = \"{SECRET}\"\n[spool.s]\ndirectory = \"x\"\nbucket = \"bucket\"\n"
        ),
        "c.toml".as_ref(),
        longshore::config::Dialect::Toml,
    );
    let shown = format!("{:?}", longshore::worker::Worker::new(config.unwrap()).unwrap());
    assert!(shown.contains("secret_access_key") && !shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn the_body_of_a_message_is_not_in_the_log() {
    let (server, sqs, url) = with_queue().await;
    let text = settings(&server, "").replace("cat >&2; exit 65", "exit 65");
    let run = prepared(longshore(["run", "--config", "c.toml"]), &text);
    let daemon = through_trouble(run.env("LONGSHORE_LOG", "trace"), (&sqs, &url)).await;
    assert!(!daemon.output().contains("nobody's business"), "{}", daemon.output());
}

#[test]
fn an_error_that_ends_the_daemon_is_in_its_log() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let status = format!("[status]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    let queue = "[queue.q]\nqueue = \"orders\"\nhandler.print = {}\n";
    let json = format!("{queue}{status}[log]\nformat = \"json\"\n");
    let ended = longshore(["run", "--config", "c.toml"]).file("c.toml", &json).finish();
    assert_eq!(ended.code, 75);
    for line in ended.stderr.lines() {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(line["level"], "ERROR");
    }
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);

    // Whoever started it at a terminal sees it too, wherever the log goes.
    let file = format!("{queue}{status}[log]\ntarget = \"./log\"\n");
    let ended = longshore(["run", "--config", "c.toml"]).file("c.toml", &file).finish();
    let ended = ended.expect(75, &["longshore: listening on 127.0.0.1:"]);
    let log = fs::read_to_string(ended.directory().join("log")).unwrap();
    assert!(log.contains(" ERROR longshore ends error=\"listening on "), "{log}");
}
