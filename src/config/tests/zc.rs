//! The INI of zc.s3uploadqueue, and queues in it.

use super::*;

const SEED: &str = "[Credentials]\naws_access_key_id = 42\naws_secret_access_key = k3y\n\n\
                    [Queue]\ndirectory = test\nbucket = testbucket\npoll-interval = 1\nthreads = 2\n";

fn queue_section(lines: &str) -> Result<Config, Mistakes> {
    ini_text(&format!("[Queue]\ndirectory = test\nbucket = testbucket\n{lines}\n"))
}

#[test]
fn the_seed_example_means_what_it_meant() {
    let config = ini_text(SEED).unwrap();
    let expected = Spool {
        aws: Aws {
            credentials: Some(Credentials {
                access_key_id: "42".to_owned(),
                secret_access_key: Secret::new("k3y"),
                session_token: None,
            }),
            fallback_region: Some("us-east-1".to_owned()),
            path_style: true,
            ..Aws::default()
        },
        threads: 2,
        poll_interval: Duration::from_secs(1),
        ignore: Ignore::Nothing,
        texts: Texts::Zc,
        ..Spool::new("test", "testbucket")
    };
    assert_eq!(config.spools, BTreeMap::from([(ZC_SPOOL.to_owned(), expected)]));
    assert!(config.queues.is_empty() && config.notes.is_empty());
    assert_eq!(config.log, Log::DEFAULT);
}

#[test]
fn the_original_defaults_are_ours() {
    let spool = queue_section("").unwrap().spools[ZC_SPOOL].clone();
    assert_eq!((spool.threads, spool.poll_interval), (9, Duration::from_secs(9)));
    assert_eq!(spool.aws.credentials, None, "without [Credentials] the SDK looks for them");
}

#[test]
fn levels_are_pythons_in_any_case() {
    for (written, level) in [
        ("CRITICAL", Level::Off),
        ("error", Level::Error),
        ("Warning", Level::Warn),
        ("INFO", Level::Info),
        ("debug", Level::Debug),
        ("NOTSET", Level::Trace),
    ] {
        let config = queue_section(&format!("log-level = {written}")).unwrap();
        assert_eq!(config.log.level, level, "{written}");
    }
}

#[test]
fn fractions_region_and_endpoint_are_taken() {
    let config = queue_section(
        "Poll-Interval: 0.25\nENDPOINT-URL = http://127.0.0.1:9000\nregion: eu-west-1",
    )
    .unwrap();
    let spool = &config.spools[ZC_SPOOL];
    assert_eq!(spool.poll_interval, Duration::from_millis(250));
    assert_eq!(spool.aws.endpoint_url.as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!(spool.aws.region.as_deref(), Some("eu-west-1"));
    let interval = |written: &str| {
        let config = queue_section(&format!("poll-interval = {written}")).unwrap();
        config.spools[ZC_SPOOL].poll_interval
    };
    assert_eq!(interval("0"), Duration::from_millis(100), "the original span without a pause");
    assert_eq!(interval("1000000"), Duration::from_hours(24));
}

#[test]
fn defaults_and_repeated_options_count_as_in_python() {
    let config = ini_text(
        "[Queue]\ndirectory = first\nbucket = testbucket\nthreads = 3\n\
         [DEFAULT]\ndirectory = default\npoll-interval = 5\nx = y\nthreads = 4\n\
         [Queue]\ndirectory = last\n",
    )
    .unwrap();
    let spool = &config.spools[ZC_SPOOL];
    assert_eq!(spool.directory, Path::new("last"));
    assert_eq!((spool.threads, spool.poll_interval), (3, Duration::from_secs(5)));
    assert_eq!(config.notes, ["queue.cfg:11: directory stands twice; this last one counts"]);
}

#[test]
fn values_survive_letter_by_letter() {
    let text = "[Credentials]\naws_access_key_id: \"4\\2\"\naws_secret_access_key = k;3#y=%(x)s:'\n\
                [Queue]\ndirectory = C:\\sp ool\\\"q\"\nbucket = my.bucket\n";
    let spool = ini_text(text).unwrap().spools[ZC_SPOOL].clone();
    let credentials = spool.aws.credentials.unwrap();
    assert_eq!(credentials.access_key_id, "\"4\\2\"");
    assert_eq!(credentials.secret_access_key.reveal(), "k;3#y=%(x)s:'");
    assert_eq!(spool.directory, Path::new("C:\\sp ool\\\"q\""));
}

#[test]
fn unknown_options_and_sections_are_noted_and_passed_over() {
    let config = queue_section("poll-intervall = 3\n[loggers]\nkeys = root").unwrap();
    assert_eq!(config.spools[ZC_SPOOL].poll_interval, Duration::from_secs(9));
    assert_eq!(
        config.notes,
        [
            "queue.cfg:5: section [loggers] is not read",
            "queue.cfg:4: option poll-intervall in [Queue] is not read; did you mean \
             \"poll_interval\"? allowed: bucket, directory, endpoint_url, log_level, \
             poll_interval, region, threads",
        ]
    );
}

#[test]
fn mistakes_are_told_with_line_and_column() {
    let mistakes = ini_text(
        "stray\n[Credentials]\naws_access_key_id = 42\n[Queue]\ndirectory\nbucket = a b\n\
         threads = 0\npoll-interval = often\nlog-level = LOUD\n[queue]\nx = 1\n[QUEUE]\n",
    )
    .unwrap_err()
    .to_string();
    for expected in [
        "queue.cfg:1:1: text before the first [section]",
        "queue.cfg:2:1: [Credentials] has no aws_secret_access_key",
        "queue.cfg:4:1: [Queue] has no directory",
        "queue.cfg:5:1: \"directory\" is neither NAME = VALUE nor a [section]",
        "queue.cfg:6:10: bucket: \"a b\" is no bucket",
        "queue.cfg:7:11: threads: a whole number from 1 to 10000",
        "queue.cfg:8:17: poll_interval: unknown unit \"often\"",
        "queue.cfg:9:13: log_level: \"LOUD\" is no level",
        "queue.cfg:10:1: section [queue]: names of sections are case-sensitive; write [Queue]",
        "queue.cfg:12:1: section [QUEUE]: names of sections are case-sensitive",
    ] {
        assert!(mistakes.contains(expected), "{expected}\nin\n{mistakes}");
    }
}

#[test]
fn queues_stand_in_it_with_flat_keys() {
    let config = ini_text(
        "[longshore]\ndrain-timeout = 5\n[log]\nformat = json\n[status]\nlisten = 127.0.0.1:9477\n\
         [aws]\nregion = eu-west-1\npath_style = yes\n\
         [queue.orders]\nqueue = orders\nWait-Time = 5\nmax_messages = 3\nattributes = a b.*\n\
         handler.exec.command = [\"/bin/sh\", \"-c\",\n  \"echo 'a b'\"]\nhandler.exec.environment = A B\n\
         route.OrderPlaced.shop.handler.http.url = http://127.0.0.1:8080/\n\
         route.Debug*.handler.print =\n",
    )
    .unwrap();
    assert_eq!(config.drain_timeout, Duration::from_secs(5));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.listen, Some("127.0.0.1:9477".parse().unwrap()));
    let queue = &config.queues["orders"];
    assert_eq!((queue.wait_time, queue.max_messages), (Duration::from_secs(5), 3));
    assert_eq!(queue.attributes, ["a", "b.*", "iniesta_pass"]);
    assert_eq!(queue.aws.region.as_deref(), Some("eu-west-1"));
    assert!(queue.aws.path_style);
    let Some(Handler::Exec(exec)) = &queue.handler else { panic!("{queue:?}") };
    assert_eq!(exec.command, ["/bin/sh", "-c", "echo 'a b'"]);
    assert_eq!(exec.environment, ["A", "B"]);
    let events: Vec<&str> = queue.routes.keys().map(String::as_str).collect();
    assert_eq!(events, ["Debug*", "OrderPlaced.shop"], "an event keeps its letters");
    assert_eq!(queue.routes["Debug*"], Handler::Print);
}

#[test]
fn our_own_sections_are_as_strict_as_toml() {
    let mistakes = ini_text(
        "[queue.q]\nqueue = orders\nwait-tme = 3\nhandler.exec.command = a \"b c\"\n\
         route.x = 1\nhandler.http = y\nhandler.http.url = z\n",
    )
    .unwrap_err()
    .to_string();
    for expected in [
        "queue.cfg:3:1: unknown key \"wait_tme\" in [queue.q]; did you mean \"wait_time\"?",
        "queue.cfg:4:24: command: words with quotes; write the list like",
        "queue.cfg:7:1: http has a value above, so it cannot have keys",
        "queue.cfg:5:1: \"route.x\" is no route; write route.EVENT.handler.KIND.KEY = VALUE",
    ] {
        assert!(mistakes.contains(expected), "{expected}\nin\n{mistakes}");
    }
}

#[test]
fn bytes_that_are_not_utf8_matter_only_where_they_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("queue.cfg");
    std::fs::write(&file, [b"# f\xfcr\n", SEED.as_bytes()].concat()).unwrap();
    assert!(Config::load(&file).is_ok());
    std::fs::write(&file, b"[Queue]\ndirectory = f\xfcr\nbucket = bucket\n").unwrap();
    let shown = Config::load(&file).unwrap_err().to_string();
    assert!(shown.contains("queue.cfg:2:13: directory: is not UTF-8 text"), "{shown}");
}
