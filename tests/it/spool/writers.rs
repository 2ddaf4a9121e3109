//! Writers that take their time: a file that is still being written is not taken, and lands once,
//! whole. The writers are real programs; what they write comes when the test lets it.

use super::{BUCKET, Place};
use crate::support::{
    PATIENCE, daemon::Daemon, eventually, exchange::Exchange, scripted::ScriptedS3,
};
use std::{
    io::Write,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

/// A program fed by the test; `$SPOOL` is the spool.
fn feed(place: &Place, script: &str) -> (Child, ChildStdin) {
    let mut child = Command::new("/bin/sh")
        .args(["-c", script])
        .env("SPOOL", place.spool())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let input = child.stdin.take().unwrap();
    (child, input)
}

/// Contents that come a little at a time, all the while: a writer that is slow and does not rest.
/// One that rests for two seconds may be taken to be done, where nobody may ask.
struct Trickle {
    enough: Sender<()>,
    rest: JoinHandle<()>,
}

impl Trickle {
    fn of(mut input: ChildStdin, contents: &[u8]) -> Trickle {
        let (enough, told) = channel();
        let contents = contents.to_owned();
        let rest = std::thread::spawn(move || {
            // The last byte waits for the end.
            let mut drops = contents.len().saturating_sub(1);
            let mut left = &contents[..];
            while told.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout) {
                let (drop, more) = left.split_at(drops.min(16));
                input.write_all(drop).unwrap();
                (left, drops) = (more, drops - drop.len());
            }
            input.write_all(left).unwrap();
        });
        Trickle { enough, rest }
    }

    /// The rest comes at once, and the end.
    fn gush(self) {
        self.enough.send(()).unwrap();
        self.rest.join().unwrap();
    }
}

/// Waits until the daemon has looked at everything that happened before: events come in order.
fn catch_up(s3: &ScriptedS3, place: &Place, name: &str) {
    place.drop(name, name);
    let path = format!("{BUCKET}/{name}");
    eventually("a later file lands", PATIENCE, || s3.objects().contains_key(&path));
}

fn puts(s3: &ScriptedS3, key: &str) -> Vec<Exchange> {
    let path = format!("/{BUCKET}/{key}");
    let seen = s3.requests().into_iter();
    seen.filter(|seen| super::is_put(seen) && seen.path() == path).collect()
}

fn written_slowly(script: &str, key: &str, parts: [&[u8]; 2], whole: &[u8], launch: Start) {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    let daemon = launch(&place, &s3.endpoint());
    catch_up(&s3, &place, "before");
    let (mut writer, mut input) = feed(&place, script);
    input.write_all(parts[0]).unwrap();
    input.flush().unwrap();
    eventually("the writer has begun", PATIENCE, || {
        place.at(key).metadata().is_ok_and(|file| parts[0].is_empty() || file.len() > 0)
    });
    let trickle = Trickle::of(input, parts[1]);
    catch_up(&s3, &place, "meanwhile");
    catch_up(&s3, &place, "and-again");
    assert!(puts(&s3, key).is_empty(), "taken while it was written");
    trickle.gush();
    assert!(writer.wait().unwrap().success());
    place.wait_until_empty(&daemon);
    let sent = puts(&s3, key);
    assert_eq!(sent.len(), 1, "{}", daemon.output());
    assert!(sent[0].body == whole, "{} bytes", sent[0].body.len());
}

type Start = fn(&Place, &str) -> Daemon;

/// By event alone: no pass comes to help.
fn by_event(place: &Place, endpoint: &str) -> Daemon {
    place.start(endpoint, "poll_interval = \"1h\"")
}

/// With passes all the time, which find the file at every stage.
fn by_pass(place: &Place, endpoint: &str) -> Daemon {
    place.start(endpoint, "poll_interval = \"100ms\"")
}

/// As somebody who may not ask whether the file is still open: the files are another user's.
fn as_nobody(place: &Place, endpoint: &str) -> Daemon {
    super::directory::give_to_nobody(place);
    place.launch(endpoint, "poll_interval = \"100ms\"").nobody().start()
}

/// Contents of more than the buffers on the way, different at every place.
fn much() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_slow_redirection_lands_once_and_whole() {
    written_slowly("cat > $SPOOL/f", "f", [b"", b"x\n"], b"x\n", by_event);
}

#[test]
fn a_slow_copy_lands_once_and_whole() {
    let much = much();
    let (begin, end) = much.split_at(much.len() / 2);
    written_slowly("cp /dev/stdin $SPOOL/copied", "copied", [begin, end], &much, by_pass);
}

#[test]
fn a_slow_tar_lands_once_and_whole() {
    let much = much();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("extracted"), &much).unwrap();
    let tar = Command::new("tar")
        .args(["-cf", "-", "-C"])
        .arg(directory.path())
        .arg("extracted")
        .output()
        .unwrap();
    assert!(tar.status.success());
    let (begin, end) = tar.stdout.split_at(much.len() / 2);
    written_slowly("tar -xf - -C $SPOOL", "extracted", [begin, end], &much, by_pass);
}

#[test]
fn a_slow_writer_of_another_user_is_waited_for_without_leases() {
    let much = much();
    let (begin, end) = much.split_at(much.len() / 2);
    written_slowly("cat > $SPOOL/f", "f", [begin, end], &much, as_nobody);
}

/// As the issue says it.
#[test]
fn three_seconds_between_a_files_name_and_its_contents() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    let daemon = place.start(&s3.endpoint(), "poll_interval = \"500ms\"");
    let (mut writer, input) = feed(&place, "(sleep 3; echo x) > $SPOOL/f");
    drop(input);
    assert!(writer.wait().unwrap().success());
    place.wait_until_empty(&daemon);
    let sent = puts(&s3, "f");
    assert_eq!(sent.iter().map(|put| &put.body[..]).collect::<Vec<_>>(), [b"x\n"]);
}
