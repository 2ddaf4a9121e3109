//! Every mistake is told, all at once, each with its place and with what would be right.

use super::*;
use crate::error::{Error, Kind};

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "\
drian_timeout = 3

[spool.a]
directory = 7
bucket = \"b/c\"
thread = 3
threads = 0

[queue.q]
queue = \"no queue\"
concurrency = 10001
wait_time = \"21s\"
[queue.q.handler.exec]
comand = [\"x\"]
[queue.q.handler.http]
url = \"ftp://x/\"

[sopol.b]
";
    let mistakes = toml_text(text).unwrap_err();
    let places: Vec<(usize, usize)> =
        mistakes.list().iter().map(|mistake| (mistake.line, mistake.column)).collect();
    let expected = [
        (1, 1),
        (4, 13),
        (5, 10),
        (6, 1),
        (7, 11),
        (10, 9),
        (11, 15),
        (12, 13),
        (13, 1),
        (14, 1),
        (15, 1),
        (16, 7),
        (18, 2),
    ];
    let shown = mistakes.to_string();
    // The header of a table is where the table stands; its column may be that of the last name.
    let lines = |places: &[(usize, usize)]| places.iter().map(|place| place.0).collect::<Vec<_>>();
    assert_eq!(lines(&places), lines(&expected), "{shown}");
    assert_eq!(places[..8], expected[..8], "{shown}");
    assert!(
        shown.starts_with(
            "longshore.toml:1:1: unknown key \"drian_timeout\" at the top level; did you mean \
             \"drain_timeout\"? allowed: aws, drain_timeout, events, idempotency, log, \
             notification, outbox, queue, require_checks, spool, status\n\
             longshore.toml:4:13: directory: a text in quotes is wanted, not a number\n"
        ),
        "{shown}"
    );
    assert!(shown.contains("did you mean \"threads\"?"), "{shown}");
    assert!(shown.contains("is both exec and http"), "{shown}");
    assert!(shown.contains("unknown table \"sopol\""), "{shown}");
}

#[test]
fn mistakes_are_an_error_of_the_settings() {
    let error = Error::from(toml_text("x = 1").unwrap_err());
    assert_eq!((error.kind(), error.kind().exit_code()), (Kind::Settings, 78));
    assert!(error.to_string().starts_with("longshore.toml:1:1: unknown key \"x\""), "{error}");
}

#[test]
fn what_is_not_toml_is_told_with_its_place() {
    let shown = wrong("[spool.a]\ndirectory = \"x\nbucket = 3\n");
    assert!(shown.starts_with("longshore.toml:2:"), "{shown}");
    assert!(shown.contains("not TOML: "), "{shown}");
}

#[test]
fn a_key_that_stands_twice_does_not_hide_the_other_mistakes() {
    let shown = wrong(&spool_with("threads = 2\nthreads = 3\nthraeds = 4"));
    assert!(shown.contains("longshore.toml:5:1: this key stands here twice"), "{shown}");
    assert!(shown.contains("longshore.toml:6:1: unknown key \"thraeds\""), "{shown}");
}

/// One file, one mistake: the text after the colon tells it.
fn outbox_with(lines: &str) -> String {
    format!("[outbox.o]\ndirectory=\"o\"\n{lines}\n")
}

#[test]
fn each_mistake_has_its_words() {
    let spool = |lines: &str| spool_with(lines);
    let queue = |lines: &str| queue_with(lines);
    let secret = "access_key_id = \"i\"\nsecret_access_key = \"s\"\n";
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "nothing to do: there is neither a spool nor an outbox nor a queue"),
        (outbox_with(""), "[outbox.o] has neither a queue nor a topic; write"),
        (outbox_with("queue=\"q\"\ntopic=\"arn:aws:sns:eu-west-1:123456789012:t\""), "keep one"),
        (outbox_with("topic=\"t\""), "\"t\" is no ARN of a topic"),
        (outbox_with("topic=\"arn:aws:sns:eu-west-1:12:t\""), "is no ARN of a topic"),
        (
            outbox_with("topic=\"arn:aws:sns:eu-west-1:123456789012:t\"\nregion=\"us-east-1\""),
            "the address says \"eu-west-1\"",
        ),
        (outbox_with("queue=\"q q\""), "is no queue"),
        (outbox_with("queue=\"q\"\nencode=\"hex\""), "is no encoding; allowed: none, base64"),
        (outbox_with("queue=\"q\"\ngroup=\"a b\""), "is no group"),
        (outbox_with("queue=\"q\"\nevent=\"\""), "is no name"),
        (outbox_with("queue=\"q\"\nevent_key=\"AWS.x\""), "is no message attribute"),
        (outbox_with("queue=\"q\"\nbucket=\"b\""), "unknown key \"bucket\""),
        (
            outbox_with("queue=\"q\"") + &spool_with("").replace("\"a\"", "\"o\""),
            "share the directory",
        ),
        (
            outbox_with("queue=\"q\"") + "[spool.o]\ndirectory=\"x\"\nbucket=\"bucket\"",
            "a spool has the name o too",
        ),
        ("drain_timeout = \"soon\"".into(), "unknown unit \"soon\""),
        ("drain_timeout = -1".into(), "drain_timeout: -1 seconds is not a duration"),
        ("[log]\nlevel = \"loud\"".into(), "\"loud\" is no level; allowed: off, error, warn"),
        ("[log]\nformat = \"xml\"".into(), "allowed: text, json"),
        ("[log]\ntarget = \"syslog\"".into(), "a file here is ./syslog"),
        ("[status]\nlisten = \"9477\"".into(), "write IP:PORT"),
        ("[aws]\nregion = \"Oregon\"".into(), "\"Oregon\" is no region"),
        ("[aws]\nrole_arn = \"admin\"".into(), "\"admin\" is no role"),
        ("[aws]\nendpoint_url = \"minio:9000\"".into(), "neither http:// nor https://"),
        ("[aws]\nendpoint_url = \"http://u:p@h/\"".into(), "must not contain a user or a password"),
        ("[aws]\naccess_key_id = \"i\"".into(), "access_key_id without secret_access_key"),
        ("[aws]\nsecret_access_key = \"s\"".into(), "secret_access_key without access_key_id"),
        ("[aws]\nsession_token = \"s\"".into(), "session_token without access_key_id"),
        (format!("[aws]\n{secret}profile = \"p\""), "two sources of credentials"),
        (format!("[aws]\n{secret}secret_access_key_file = \"f\""), "say the same thing; keep one"),
        (
            "[aws]\naccess_key_id=\"i\"\nsecret_access_key_file=\"no/f\"".into(),
            "no/f: No such file",
        ),
        ("[spool.a]\nbucket = \"bucket\"".into(), "[spool.a] has no directory"),
        ("[spool.a]\ndirectory = \"a\"".into(), "[spool.a] has no bucket"),
        ("[spool]\ndirectory = \"a\"".into(), "spool.directory is a table, not a text"),
        ("[spool.\"a b\"]\ndirectory=\"a\"\nbucket=\"bucket\"".into(), "\"a b\" cannot be a name"),
        ("spool = 3".into(), "spool is a table of tables, not a number; write [spool.NAME]"),
        (spool("threads = 1.5"), "threads: a whole number from 1 to 10000"),
        (spool("threads = 99999999999999999999"), "threads: a whole number from 1 to 10000"),
        (spool("threads = \"9\""), "threads: a whole number is wanted, not a text"),
        (spool("poll_interval = 0"), "poll_interval: from 100ms to 1d, not 0ms"),
        (spool("min_age = \"8d\""), "min_age: from 0ms to 7d, not 8d"),
        (spool("ignore = \"*.tmp\""), "ignore: a list of texts like"),
        (spool("ignore = [\"a/*\"]"), "holds a slash"),
        (spool("ignore = [1]"), "ignore: a text in quotes is wanted, not a number"),
        (spool("retry_initial = \"1h\""), "retry_initial (1h) is above retry_longest (10m)"),
        (spool("buffer = \"1KiB\""), "buffer: from 1048576 to"),
        (spool("path_style = 1"), "path_style: true or false is wanted, not a number"),
        (spool("quarantine_directory = \"./a/\""), "the quarantine of a is the spool a's"),
        (
            spool("[spool.b]\ndirectory = \"./a//\"\nbucket = \"other\""),
            "the spools a and b share the directory ./a//",
        ),
        ("[queue.q]\nhandler.print = {}".into(), "[queue.q] has no queue"),
        ("[queue.q]\nqueue = \"orders\"".into(), "[queue.q] has neither a handler nor a route"),
        ("[queue.q]\nqueue = \"o\"\nhandler = {}".into(), "[queue.q.handler] has no kind"),
        ("[queue.q]\nqueue = \"o\"\nhandler.exce = {}".into(), "did you mean \"exec\"?"),
        ("[queue.q]\nqueue = \"o\"\nhandler.exec = {}".into(), "has no command"),
        ("[queue.q]\nqueue = \"o\"\nhandler.exec.command = []".into(), "command: an empty list"),
        ("[queue.q]\nqueue = \"o\"\nhandler.http = {}".into(), "has no url"),
        ("[queue.q]\nqueue = \"o\"\nhandler.spool = {}".into(), "has no directory"),
        (
            "[queue.q]\nqueue = \"o\"\nhandler.spool = {directory = \"d\", name = \"{queue}\"}"
                .into(),
            "name: \"{queue}\" has no {message_id}",
        ),
        (queue("handler.exec.command = [\"x\"]"), "is both exec and print"),
        (queue("visibility_timeout = 0"), "visibility_timeout: from 1s to 12h, not 0ms"),
        (queue("visibility_timeout = 1.5"), "visibility_timeout: a whole number of seconds"),
        (queue("max_messages = 11"), "max_messages: a whole number from 1 to 10"),
        (queue("attributes = [\"AWS.x\"]"), "is no message attribute"),
        (
            queue("attributes = []\nmessage_attributes = []"),
            "message_attributes is another name of attributes",
        ),
        (
            queue("payload = [\"sns\", \"zip\"]"),
            "payload: \"zip\" is no step; steps are sns, s3-event",
        ),
        (queue("payload = \"sns\""), "a list of texts"),
        (
            queue(&format!("payload = [{}]", "\"gzip\",".repeat(9))),
            "payload: 9 steps; there may be 8",
        ),
        (queue("payload_limit = \"3GiB\""), "payload_limit: from 1 to 2147483648 bytes"),
        (queue("delete_payload = true"), "write payload = [\"pointer?\"]"),
        (queue("payload = [\"sns?\"]\ndelete_payload = true"), "nothing names an object"),
        (queue("system_attributes = [\"Age\"]"), "\"Age\" is no system attribute; allowed: All"),
        (queue("dead_letter_queue = \"orders\""), "is its own dead_letter_queue"),
        (queue("dead_letter_queue = \"dead.fifo\""), "are both FIFO"),
        (
            "[queue.q]\nqueue = \"orders\"\nhandler.sqs.queue = \"orders\"".to_owned(),
            "is sent its own messages again",
        ),
        (queue("route.A.handler.sqs.queue = \"orders\""), "is sent its own messages again"),
        (queue("dead_letter_queue = \"dead\"\nset_aside = \"d\""), "keep one"),
        (queue("route.\"A*b\".handler.print = {}"), "never matches"),
        (queue("route.\"\".handler.print = {}"), "never matches"),
        (
            queue("route.A.handler.print = {}\nroute.\" A \".handler.print = {}"),
            "a second route for the event \"A\"",
        ),
        (queue("route.A = {}"), "[queue.q.route.A] has no handler"),
        (
            "[queue.q]\nqueue=\"arn:aws:sqs:eu-west-1:123456789012:o\"\nregion=\"us-east-1\"\n\
             handler.print={}"
                .into(),
            "region \"us-east-1\", but the address says \"eu-west-1\"",
        ),
    ];
    for (text, expected) in cases {
        let mistakes = toml_text(&text).unwrap_err();
        assert!(mistakes.to_string().contains(expected), "{text}\ngave: {mistakes}");
        assert_eq!(mistakes.list().len(), 1, "{text}\ngave: {mistakes}");
    }
}

#[test]
fn a_notification_names_one_target_that_s3_can_notify() {
    let fifo = "[queue.f]\nqueue = \"f.fifo\"\nhandler.print = {}\n";
    for (rest, expected) in [
        ("", "[notification.n] has no queue and no topic"),
        ("queue = \"q\"\ntopic = \"arn:aws:sns:us-east-1:111122223333:t\"", "keep one"),
        ("queue = \"q.fifo\"", "S3 notifies standard queues and topics"),
        ("queue = \"f\"", "[queue.f] is a FIFO queue, and S3 notifies standard ones"),
        ("topic = \"arn:aws:sns:us-east-1:111122223333:t.fifo\"", "S3 notifies standard"),
        ("topic = \"t\"", "no ARN of a topic"),
        ("queue = \"q\"\nevents = []", "events: empty"),
        ("queue = \"q\"\nevents = [\"ObjectCreated\"]", "no event of S3"),
        ("queue = \"q\"\nprefix = \"\"", "prefix: empty; leave it out"),
        ("queue = \"q\"\nfilter = 1", "unknown key \"filter\""),
    ] {
        let shown = wrong(&format!("{fifo}[notification.n]\nbucket = \"uploads\"\n{rest}"));
        assert!(shown.contains(expected), "{rest}\ngave: {shown}");
        assert_eq!(shown.lines().count(), 1, "{shown}");
    }
}

#[test]
fn no_secret_is_shown_in_a_mistake_or_in_debug() {
    let text =
        "[aws]\naccess_key_id = \"i\"\nsecret_access_key = \"hush\"\nsession_token = \"hush\"";
    let config = toml_text(&(spool_with("") + text)).unwrap();
    assert!(!format!("{config:?}").contains("hush"));
    let shown = wrong("[aws]\nsecret_access_key = \"hush\\nhush\"\nsession_token = \"hush\"");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn files_that_cannot_be_read_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let say = |path: &Path| Config::load(path).unwrap_err().to_string();
    let missing = directory.path().join("none.toml");
    assert!(say(&missing).contains("none.toml: No such file"), "{}", say(&missing));
    assert!(say(&missing).contains("--config or LONGSHORE_CONFIG"));
    assert!(say(directory.path()).contains(": a directory, not a settings file"));

    let latin = directory.path().join("latin.toml");
    std::fs::write(&latin, b"# sound\n# f\xfcr\n").unwrap();
    assert!(say(&latin).contains("latin.toml:2:1: not UTF-8 text"), "{}", say(&latin));
}

#[test]
fn columns_count_characters() {
    let shown = wrong("[spool.a]\ndirectory = \"a\"\nbucket = \"bucket\"\nignore = [\"ü\", 3]");
    assert!(shown.starts_with("longshore.toml:4:16: "), "{shown}");
}

#[test]
fn a_notification_alone_is_work() {
    let text = "[notification.n]\nbucket = \"bucket\"\nqueue = \"orders\"\n";
    assert_eq!(toml_text(text).unwrap().notifications.len(), 1);
}
