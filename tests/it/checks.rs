//! `longshore check`: what it says, what it does not touch, and how it ends.

use crate::support::{
    PATIENCE, aws,
    daemon::{Launch, longshore, program},
    emulator::{embedded, ministack},
    eventually,
    proxy::Proxy,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

const BOTH: &str = "[spool.s]\ndirectory = \"spool\"\nbucket = \"reports\"\npath_style = true\n\
                    [queue.q]\nqueue = \"orders\"\nhandler.exec.command = [\"true\"]\n\
                    dead_letter_queue = \"dead\"\n";

fn prepared(launch: Launch, text: &str) -> Launch {
    let launch = launch.file("c.toml", text);
    fs::create_dir(launch.directory().join("spool")).unwrap();
    launch
}

fn check(text: &str) -> Launch {
    prepared(longshore(["check", "--config", "c.toml"]), text)
}

fn writes(proxy: &Proxy) -> Vec<String> {
    let asks = ["GetCallerIdentity", "HeadBucket", "GetQueueUrl", "GetQueueAttributes"];
    let all = proxy.requests().into_iter().map(|seen| seen.operation());
    all.filter(|operation| !asks.contains(&operation.as_str())).collect()
}

#[tokio::test]
async fn it_tells_who_we_are_what_is_there_and_what_is_missing() {
    for server in [ministack(), embedded()] {
        let proxy = Proxy::start(&server.endpoint());
        let run = || check(BOTH).endpoint(&proxy.endpoint()).finish();
        run().expect(
            69,
            &[
                "c.toml is valid: 1 spool, 1 queue",
                "AWS knows us as arn:aws:",
                "000000000000, region us-east-1",
                "FAIL  spool s: looking for bucket \"reports\"",
                "→ check its name and its region",
                "FAIL  queue q: looking up queue orders in us-east-1",
                "→ create orders in region us-east-1, or correct [queue.q]",
                "→ create dead in region us-east-1, or correct dead_letter_queue in [queue.q]",
            ],
        );
        let (s3, sqs) = (aws::s3(&server.endpoint()), aws::sqs(&server.endpoint()));
        s3.create_bucket().bucket("reports").send().await.unwrap();
        for name in ["orders", "dead"] {
            sqs.create_queue().queue_name(name).send().await.unwrap();
        }
        run().expect(
            0,
            &[
                "ok    spool s: bucket \"reports\" answers",
                "ok    queue q: orders is there, about 0 messages wait, lease 30s",
                "ok    queue q: rejected messages go to dead",
            ],
        );
        assert_eq!(writes(&proxy), [""; 0]);
        let probe = longshore(["check", "--config", "c.toml", "--probe"]);
        let probe = prepared(probe, BOTH).endpoint(&proxy.endpoint());
        probe.finish().expect(0, &["ok    spool s: bucket \"reports\" takes objects"]);
        assert_eq!(writes(&proxy), ["PutObject", "DeleteObject"]);
        let left = s3.list_objects_v2().bucket("reports").send().await.unwrap();
        assert_eq!(left.contents().len(), 0);
    }
}

#[test]
fn offline_it_sends_nothing() {
    let proxy = Proxy::start("http://127.0.0.1:9");
    let offline = longshore(["check", "--config", "c.toml", "--offline"]);
    let offline = offline.file("c.toml", BOTH).endpoint(&proxy.endpoint());
    let told = offline.without("AWS_ACCESS_KEY_ID").finish().expect(0, &["c.toml is valid"]);
    assert!(!told.directory().join("spool").exists());
    assert_eq!(proxy.requests().len(), 0);
}

#[test]
fn who_we_are_needs_no_settings() {
    let server = embedded();
    let launch = longshore(["check", "--aws"]).endpoint(&server.endpoint());
    launch.finish().expect(0, &["ok    AWS knows us as arn:aws:"]);
    for wrong in [["check", "--aws", "--offline"], ["check", "--probe", "--offline"]] {
        longshore(wrong).finish().expect(64, &["cannot be used with"]);
    }
}

#[test]
fn json_is_a_document_a_line_with_the_fix_in_its_place() {
    let server = embedded();
    let launch = longshore(["check", "--config", "c.toml", "--json"]);
    let checked = prepared(launch, BOTH).endpoint(&server.endpoint()).finish();
    assert_eq!((checked.code, checked.stderr.as_str()), (69, ""));
    let lines = checked.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    assert!(lines.len() > 5);
    for line in &lines {
        assert!(["ok", "note", "fail"].contains(&line["health"].as_str().unwrap()), "{line}");
        assert!(line["health"] != "fail" || line["fix"].is_string(), "{line}");
        let (what, fix) = (line["what"].as_str().unwrap(), line["fix"].as_str().unwrap_or("none"));
        assert!(!what.contains(fix), "the fix stands twice: {line}");
    }
}

#[test]
fn two_sections_that_read_one_queue_are_told() {
    let text = "[queue.a]\nqueue = \"orders\"\nhandler.print = {}\n\
                [queue.b]\nqueue = \"orders\"\nhandler.print = {}\n";
    let offline = longshore(["check", "--config", "c.toml", "--offline"]).file("c.toml", text);
    offline.finish().expect(0, &["note", "the sections a and b read one queue, orders"]);
}

#[test]
fn who_holds_a_spool_is_told() {
    let server = embedded();
    let text = "[spool.s]\ndirectory = \"spool\"\nbucket = \"reports\"\n";
    let daemon = prepared(longshore(["run", "--config", "c.toml"]), text)
        .endpoint(&server.endpoint())
        .start();
    let lock = daemon.directory().join("spool/.longshore/lock");
    let pid = daemon.pid().to_string();
    eventually("the lock", PATIENCE, || {
        fs::read_to_string(&lock).is_ok_and(|held| held.trim() == pid)
    });
    let check = longshore(["check", "--config", "c.toml"]).at(daemon.directory());
    let told = format!("ok    spool s: spool is in use by a running longshore (pid {pid})");
    check.endpoint(&server.endpoint()).finish().expect(69, &[&told, "\"reports\""]);
}

#[test]
fn a_handler_that_could_not_be_started_is_told() {
    let text = "[queue.q]\nqueue = \"orders\"\nhandler.exec.command = [\"no-such-program\"]\n\
                [queue.q.route.\"A\".handler.exec]\ncommand = [\"bin/plain\"]\n\
                [queue.q.route.\"B\".handler.exec]\ncommand = [\"./run\"]\ndirectory = \"bin\"\n\
                [queue.q.route.\"C\".handler.exec]\ncommand = [\"x\"]\ndirectory = \"gone\"\n\
                [queue.q.route.\"D\".handler.exec]\ncommand = [\"/bin/sh\"]\n";
    let launch = longshore(["check", "--config", "c.toml"]).file("c.toml", text);
    let launch = launch.endpoint("http://127.0.0.1:1");
    let bin = launch.directory().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("plain"), "#!/bin/sh\n").unwrap();
    fs::write(bin.join("run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(bin.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    launch.finish().expect(
        78,
        &[
            "FAIL  queue q: the handler no-such-program is in no directory of PATH",
            "FAIL  queue q for \"A\": the handler bin/plain may not be executed",
            "ok    queue q for \"B\": the handler bin/./run can be started",
            "FAIL  queue q for \"C\": the handler's directory gone is not there",
            "ok    queue q for \"D\": the handler /bin/sh can be started",
        ],
    );
}

#[test]
fn nobody_reading_its_output_is_no_failure() {
    let server = embedded();
    let script = format!(
        "{} check --config c.toml --offline | head -0; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_longshore")
    );
    let piped = program(Path::new("/bin/bash"), ["-c", &script]).file("c.toml", BOTH);
    let ended = piped.endpoint(&server.endpoint()).finish();
    assert_eq!((ended.code, ended.said().as_str()), (0, ""));
}
