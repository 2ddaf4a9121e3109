//! Events go through the real subscriber into memory and are compared as an operator sees them.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn logged(level: Level, over: Option<&str>, events: impl FnOnce()) -> String {
    let memory = Memory::default();
    let copy = memory.clone();
    let subscriber = text(filter(level, over).unwrap(), move || copy.clone(), false);
    tracing::subscriber::with_default(subscriber, events);
    memory.text()
}

/// The line without its time stamp, whose form is checked on the way.
fn without_time(line: &str) -> &str {
    let (time, rest) = line.split_once(' ').unwrap();
    let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00T00:00:00.000Z");
    rest
}

#[test]
fn a_line_reads_well() {
    let shown = logged(Level::Info, None, || {
        let span = tracing::info_span!("upload", spool = "reports", bytes = tracing::field::Empty);
        span.record("bytes", 7);
        span.in_scope(|| {
            tracing::info!(file = "a%2Fb", key = %"a/b", attempt = 2, "file landed");
        });
    });
    assert_eq!(
        without_time(&shown),
        "INFO file landed file=a%2Fb key=a/b attempt=2 spool=reports bytes=7\n"
    );
}

#[test]
fn one_event_is_one_line_whatever_a_name_holds() {
    let shown = logged(Level::Info, None, || {
        let name = "a b\nERROR \"x\"\u{1b}[2J";
        tracing::info!(file = %name, empty = "", error = %"timed out", "Transferred '{name}'");
    });
    assert_eq!(
        without_time(&shown),
        "INFO Transferred 'a b\\nERROR \"x\"\\u{1b}[2J' file=\"a b\\nERROR \\\"x\\\"\\u{1b}[2J\" \
         empty=\"\" error=\"timed out\"\n"
    );
}

fn some_of_each() {
    tracing::error!(target: "longshore::queue", "ours error");
    tracing::warn!(target: "longshore::queue", "ours warn");
    tracing::info!(target: "longshore::queue", "ours info");
    tracing::trace!(target: "longshore::queue", "ours trace");
    tracing::warn!(target: "hyper_util::client", "theirs warn");
    tracing::info!(target: "aws_smithy_runtime::client", "theirs info");
    tracing::trace!(target: "hyper::proto", "theirs trace");
}

fn words(level: Level, over: Option<&str>) -> Vec<String> {
    let shown = logged(level, over, some_of_each);
    let words = shown.lines().map(|line| without_time(line).split_once(' ').unwrap().1.to_owned());
    words.collect()
}

#[test]
fn our_level_is_not_that_of_the_libraries() {
    assert_eq!(words(Level::Off, None), [""; 0]);
    assert_eq!(words(Level::Error, None), ["ours error"]);
    assert_eq!(words(Level::Info, None), ["ours error", "ours warn", "ours info", "theirs warn"]);
    let all_ours = ["ours error", "ours warn", "ours info", "ours trace", "theirs warn"];
    assert_eq!(words(Level::Trace, None), all_ours);
}

#[test]
fn the_environment_stands_over_the_settings() {
    assert_eq!(words(Level::Info, Some("error")), ["ours error"]);
    assert_eq!(
        words(Level::Error, Some("off,hyper=trace,longshore=warn")),
        ["ours error", "ours warn", "theirs warn", "theirs trace"]
    );
    assert_eq!(words(Level::Info, Some("trace")).len(), 5, "libraries stay quiet until named");
    let error = filter(Level::Info, Some("longshore=loud")).unwrap_err();
    assert_eq!(error.kind(), Kind::Settings);
    assert!(error.to_string().starts_with("LONGSHORE_LOG is not understood"), "{error}");
}

#[test]
fn json_is_one_document_a_line() {
    let memory = Memory::default();
    let copy = memory.clone();
    let subscriber = json(filter(Level::Info, None).unwrap(), move || copy.clone());
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("upload", spool = "reports");
        span.in_scope(|| tracing::info!(file = "a\nb", attempt = 2, "file landed"));
    });
    let shown = memory.text();
    assert_eq!(shown.lines().count(), 1);
    let document: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(document["level"], "INFO");
    assert_eq!(document["message"], "file landed");
    assert_eq!(document["file"], "a\nb");
    assert_eq!(document["attempt"], 2);
    assert_eq!(document["span"]["spool"], "reports");
    assert!(document["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_log_file_that_cannot_be_opened_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none").join("log");
    let error = open(&path).unwrap_err();
    assert_eq!(error.kind(), Kind::Settings);
    assert!(error.to_string().contains("none/log: No such file"), "{error}");
    let path = directory.path().join("log");
    for line in ["one\n", "two\n"] {
        open(&path).unwrap().write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n", "appended to");
}
