//! Real children on real time. Whatever has to happen is waited for, with a bound.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use rustix::process::{Pid, test_kill_process};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::backoff::still::stand_still;
use crate::handler::Ending;
use crate::handlers::samples;

mod surroundings;

const LONG: Duration = Duration::from_mins(1);

fn command(words: &[&str]) -> BoxHandler {
    command_with(words, &[], None)
}

fn command_with(words: &[&str], environment: &[&str], directory: Option<&Path>) -> BoxHandler {
    let settings = config::Exec {
        command: words.iter().map(ToString::to_string).collect(),
        environment: environment.iter().map(ToString::to_string).collect(),
        directory: directory.map(Path::to_owned),
    };
    build(&settings, "test").unwrap()
}

fn shell(script: &str) -> BoxHandler {
    command(&["/bin/sh", "-c", script])
}

async fn verdict_on(handler: &BoxHandler, message: Message) -> Verdict {
    let (delivery, _keeper) = samples::delivery(message);
    let verdict = tokio::time::timeout(LONG, handler.call(delivery));
    verdict.await.expect("the run ends by itself")
}

async fn verdict(handler: &BoxHandler, body: &str) -> Verdict {
    verdict_on(handler, samples::message(body)).await
}

/// Runs a script that writes what it sees to the file `$OUT`, and returns that.
async fn seen_by(script: &str, message: Message, environment: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let script = format!("exec > {}; {script}", out.display());
    let handler = command_with(&["/bin/sh", "-c", &script], environment, None);
    assert_eq!(verdict_on(&handler, message).await, Ok(Outcome::Done));
    std::fs::read_to_string(out).unwrap()
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LONG, "still waiting until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn number_in(file: &Path) -> Option<i32> {
    std::fs::read_to_string(file).ok()?.strip_suffix('\n')?.parse().ok()
}

/// True while the process runs; a zombie does not.
fn runs(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" Z")))
}

/// True while there is anything of the process, a zombie included.
fn exists(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
}

#[tokio::test]
async fn the_exit_code_is_the_outcome() {
    assert_eq!(verdict(&shell("exit 0"), "").await, Ok(Outcome::Done));
    assert_eq!(verdict(&shell("exit 65"), "").await, Ok(Outcome::reject("exited with 65")));
    for code in [1, 2, 64, 66, 75, 126, 127, 255] {
        let wanted = Ok(Outcome::retry(format!("exited with {code}")));
        assert_eq!(verdict(&shell(&format!("exit {code}")), "").await, wanted);
    }
    assert_eq!(
        verdict(&shell("kill -KILL $$"), "").await,
        Ok(Outcome::retry("was ended by signal: 9 (SIGKILL)"))
    );
}

#[tokio::test]
async fn the_last_words_are_part_of_the_reason() {
    let talkative =
        shell("echo not this; echo 'no such order' >&2; printf 'at all\\n' >&2; exit 65");
    assert_eq!(
        verdict(&talkative, "").await,
        Ok(Outcome::reject("exited with 65: no such order\\nat all"))
    );
}

#[tokio::test]
async fn what_cannot_be_started_says_nothing_of_the_message() {
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("plain");
    std::fs::write(&plain, "#!/bin/sh\n").unwrap();
    let orphan = directory.path().join("orphan");
    std::fs::write(&orphan, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&orphan, PermissionsExt::from_mode(0o755)).unwrap();

    let cases: [(&str, &str); 5] = [
        ("/no/such/program", "No such file"),
        ("no-such-program-in-path", "No such file"),
        (plain.to_str().unwrap(), "Permission denied"),
        (directory.path().to_str().unwrap(), "Permission denied"),
        (orphan.to_str().unwrap(), "interpreter"),
    ];
    for (program, why) in cases {
        let Err(Unavailable { reason }) = verdict(&command(&[program]), "").await else {
            panic!("{program} was started");
        };
        assert!(reason.contains(program) && reason.contains(why), "{reason}");
    }

    let homeless = command_with(&["/bin/true"], &[], Some(Path::new("/no/such/directory")));
    let Err(Unavailable { reason }) = verdict(&homeless, "").await else { panic!("started") };
    assert!(reason.contains("directory /no/such/directory is not there"), "{reason}");
}

#[test]
fn an_empty_command_is_refused() {
    for command in [vec![], vec![String::new()]] {
        let settings = config::Exec { command, environment: vec![], directory: None };
        assert_eq!(build(&settings, "orders").unwrap_err().kind(), Kind::Settings);
    }
}

#[tokio::test]
async fn standard_input_is_the_whole_body_however_it_is_read() {
    let body = "0123456789abcdef".repeat(1 << 16);
    assert_eq!(seen_by("cat", samples::message(&body), &[]).await, body);
    let slowly = "dd bs=600000 count=1 2>&-; sleep 0.3; cat";
    assert_eq!(seen_by(slowly, samples::message(&body), &[]).await, body);
    assert_eq!(seen_by("wc -c", samples::message(""), &[]).await.trim(), "0");
    // Not read at all, closed at once.
    assert_eq!(verdict(&shell("exec <&-; exit 0"), &body).await, Ok(Outcome::Done));
    assert_eq!(verdict(&command(&["/bin/true"]), &body).await, Ok(Outcome::Done));
}

#[tokio::test]
async fn a_flood_of_output_neither_blocks_nor_stays() {
    let flood = "yes | head -c 50000000; yes | head -c 5000000 >&2; echo end >&2; exit 1";
    let Ok(Outcome::Retry { reason, .. }) = verdict(&shell(flood), "").await else {
        panic!("not a retry")
    };
    // An escaped line end is two bytes.
    assert!(reason.ends_with("y\\nend") && reason.len() < 8 << 10, "{}", reason.len());
}

#[tokio::test]
async fn the_end_is_the_exit_and_leftovers_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let pid = directory.path().join("pid");
    let leaves_a_child = shell(&format!("sleep 1000 & echo $! > {}; exit 0", pid.display()));
    // Long before the child that is left behind would end by itself.
    assert_eq!(verdict(&leaves_a_child, "").await, Ok(Outcome::Done));
    let pid = number_in(&pid).unwrap();
    until("the child that was left behind is dead", || !runs(pid)).await;
}

#[tokio::test]
async fn output_that_comes_just_after_the_exit_is_still_read() {
    // The exit is seen while nothing has been printed yet; how long is waited is another matter.
    let late = "(until grep -q '^State:.Z' /proc/$$/status; do :; done; echo late >&2) & exit 1";
    let _hold = stand_still();
    assert_eq!(verdict(&shell(late), "").await, Ok(Outcome::retry("exited with 1: late")));
}

/// A tree that ignores SIGTERM, and the process ids of both of its members.
fn stubborn_tree(directory: &Path) -> (BoxHandler, [std::path::PathBuf; 2]) {
    let files = [directory.join("leader"), directory.join("child")];
    let script = format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > {child}; while :; do sleep 1; done' & \
         echo $$ > {leader}; while :; do sleep 1; done",
        leader = files[0].display(),
        child = files[1].display(),
    );
    (shell(&script), files)
}

#[tokio::test]
async fn a_timeout_kills_the_whole_tree_and_leaves_no_zombie() {
    let directory = tempfile::tempdir().unwrap();
    let (handler, files) = stubborn_tree(directory.path());
    let (delivery, _keeper) = samples::delivery(samples::message(""));
    let timeout = Duration::from_mins(30);
    let abort = CancellationToken::new();
    let half_an_hour_later = async {
        until("both run", || files.iter().all(|file| number_in(file).is_some())).await;
        // From here on, time jumps to whatever is waited for next.
        tokio::time::pause();
    };
    let run = crate::handler::run(&handler, delivery, timeout, &abort);
    let (ran, ()) = tokio::join!(run, half_an_hour_later);
    tokio::time::resume();
    assert_eq!(ran.ending, Ending::TimedOut);
    assert_eq!(ran.verdict, Ok(Outcome::retry("took longer than 30m")));
    let [leader, child] = files.map(|file| number_in(&file).unwrap());
    until("the grandchild is dead", || !runs(child)).await;
    until("the leader is dead and reaped", || !exists(leader)).await;
}

#[tokio::test]
async fn dropping_the_run_kills_the_whole_tree() {
    let directory = tempfile::tempdir().unwrap();
    let (handler, files) = stubborn_tree(directory.path());
    let (delivery, _keeper) = samples::delivery(samples::message(""));
    let mut running = handler.call(delivery);
    let both_run = async {
        until("both run", || files.iter().all(|file| number_in(file).is_some())).await;
    };
    tokio::select! {
        _ = &mut running => panic!("ended by itself"),
        () = both_run => {}
    }
    drop(running);
    let [leader, child] = files.map(|file| number_in(&file).unwrap());
    until("the grandchild is dead", || !runs(child)).await;
    until("the leader is dead and reaped", || !exists(leader)).await;
}

#[tokio::test]
async fn a_lost_lease_is_told_by_sigterm_and_may_still_end_done() {
    let directory = tempfile::tempdir().unwrap();
    let ready = directory.path().join("ready");
    let polite = shell(&format!(
        "trap 'exit 0' TERM; echo 1 > {}; while :; do sleep 0.05; done",
        ready.display()
    ));
    let (delivery, keeper) = samples::delivery(samples::message(""));
    let abort = CancellationToken::new();
    let lose = async {
        until("it runs", || number_in(&ready).is_some()).await;
        keeper.lose();
    };
    let (ran, ()) = tokio::join!(crate::handler::run(&polite, delivery, LONG, &abort), lose);
    assert_eq!((ran.verdict, ran.ending), (Ok(Outcome::Done), Ending::LeaseLost));
}

#[tokio::test]
async fn a_child_that_ended_is_reaped_before_the_verdict() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let handler = shell(&format!("echo $$ > {}", file.display()));
    assert_eq!(verdict(&handler, "").await, Ok(Outcome::Done));
    assert!(!exists(number_in(&file).unwrap()));
}

#[tokio::test]
async fn many_at_once_do_not_mix() {
    let directory = tempfile::tempdir().unwrap();
    let handler = shell(&format!("cat > {}/$LONGSHORE_ATTR_N", directory.path().display()));
    let runs = (0..60).map(|number| {
        let mut message = samples::message(&format!("body {number}"));
        let number = crate::message::Attribute::Number(number.to_string());
        message.attributes.insert("n".to_owned(), number);
        verdict_on(&handler, message)
    });
    for verdict in futures_util::future::join_all(runs).await {
        assert_eq!(verdict, Ok(Outcome::Done));
    }
    for number in 0..60 {
        let body = std::fs::read_to_string(directory.path().join(number.to_string())).unwrap();
        assert_eq!(body, format!("body {number}"));
    }
}
