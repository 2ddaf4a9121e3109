//! What TOML resolves to.

use super::*;

#[test]
fn a_minimal_file_gets_every_default() {
    let config = toml_text(&(spool_with("") + &queue_with(""))).unwrap();
    let queue = Queue { handler: Some(Handler::Print), ..Queue::new("orders") };
    let expected = Config {
        file: Some("longshore.toml".into()),
        log: Log::DEFAULT,
        listen: None,
        drain_timeout: Duration::from_secs(25),
        aws: Aws::default(),
        events: Events {
            initialization: [Initialization::QueuePolling].into(),
            ..Events::default()
        },
        dry_run: false,
        spools: BTreeMap::from([("a".to_owned(), Spool::new("a", "bucket"))]),
        outboxes: BTreeMap::new(),
        queues: BTreeMap::from([("q".to_owned(), queue)]),
        idempotency: None,
        notifications: BTreeMap::new(),
        require_checks: false,
        notes: vec![],
        elsewhere: Elsewhere::default(),
    };
    assert_eq!(config, expected);
    let spool = &config.spools["a"];
    assert_eq!(spool.quarantine_directory, Path::new("a/.longshore/quarantine"));
}

#[test]
fn durations_are_texts_or_seconds() {
    for (written, millis) in [("9", 9_000), ("0.5", 500), ("\"90s\"", 90_000), ("\"1.5m\"", 90_000)]
    {
        let config = toml_text(&spool_with(&format!("poll_interval = {written}"))).unwrap();
        assert_eq!(config.spools["a"].poll_interval, Duration::from_millis(millis), "{written}");
    }
}

#[test]
fn aws_keys_override_one_by_one_and_credentials_as_a_whole() {
    let config = toml_text(
        "[aws]\nregion = \"us-west-2\"\naccess_key_id = \"base\"\nsecret_access_key = \"s\"\n\
         session_token = \"t\"\nrole_arn = \"arn:aws:iam::123456789012:role/r\"\npath_style = true\n\
         [spool.a]\ndirectory = \"a\"\nbucket = \"bucket\"\nregion = \"eu-west-1\"\n\
         [spool.b]\ndirectory = \"b\"\nbucket = \"bucket\"\naccess_key_id = \"own\"\n\
         secret_access_key = \"s2\"\nrole_arn = \"\"\n\
         [spool.c]\ndirectory = \"c\"\nbucket = \"bucket\"\nprofile = \"p\"\npath_style = false\n",
    )
    .unwrap();
    let id = |name: &str| {
        let credentials = config.spools[name].aws.credentials.as_ref();
        credentials.map(|own| (own.access_key_id.as_str(), own.session_token.is_some()))
    };
    assert_eq!(id("a"), Some(("base", true)));
    assert_eq!(id("b"), Some(("own", false)), "the token belongs to the other pair");
    assert_eq!(id("c"), None, "a profile of its own is not overruled from above");
    let aws = |name: &str| &config.spools[name].aws;
    assert_eq!(aws("a").region.as_deref(), Some("eu-west-1"));
    assert_eq!(aws("b").region.as_deref(), Some("us-west-2"));
    assert!(aws("a").role_arn.is_some() && aws("b").role_arn.is_none());
    assert!(aws("a").path_style && !aws("c").path_style);
}

#[test]
fn the_address_of_a_queue_tells_its_region() {
    for (queue, region) in [
        ("orders", "us-west-2"),
        ("arn:aws:sqs:eu-west-1:123456789012:orders", "eu-west-1"),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/orders", "eu-west-1"),
        ("http://127.0.0.1:4566/000000000000/orders", "us-west-2"),
    ] {
        let text = format!(
            "[aws]\nregion = \"us-west-2\"\n[queue.q]\nqueue = \"{queue}\"\nhandler.print = {{}}"
        );
        let config = toml_text(&text).unwrap();
        assert_eq!(config.queues["q"].aws.region.as_deref(), Some(region), "{queue}");
    }
}

#[test]
fn the_steps_of_a_payload_are_read_in_order_and_their_attributes_asked_for() {
    let read = |lines: &str| toml_text(&queue_with(lines)).unwrap().queues["q"].clone();
    assert_eq!(read("").payload, Payload::default());
    let queue = read("payload = [\"sns?\", \"pointer\"]\npayload_limit = 9\ndelete_payload = true");
    let names: Vec<_> = queue.payload.steps.iter().map(|step| step.wrapper.name()).collect();
    assert_eq!(names, ["sns", "pointer"]);
    assert!(queue.payload.steps[0].lets_others_pass && !queue.payload.steps[1].lets_others_pass);
    assert_eq!((queue.payload.limit, queue.payload.deletes_objects), (9, true));
    assert_eq!(queue.attributes, ["All"]);
    let limited = read("attributes = [\"x\"]\npayload = [\"pointer?\"]").attributes;
    assert_eq!(limited, ["x", "ExtendedPayloadSize", "SQSLargePayloadSize"]);
    assert_eq!(read("payload = [\"gzip\", \"gzip\", \"gzip\", \"gzip\", \"gzip\", \"gzip\", \"gzip\", \"gzip\"]").payload.steps.len(), 8);
}

#[test]
fn a_queue_with_routes_asks_for_the_attribute_that_names_the_event() {
    let asked = |lines: &str| toml_text(&queue_with(lines)).unwrap().queues["q"].attributes.clone();
    let route = "route.A.handler.print = {}";
    assert_eq!(asked("attributes = [\"x\"]"), ["x"]);
    assert_eq!(asked(&format!("attributes = [\"x\"]\n{route}")), ["x", "iniesta_pass"]);
    assert_eq!(
        asked(&format!("message_attributes = [\"ini.*\"]\nevent_key = \"ini.e\"\n{route}")),
        ["ini.*"]
    );
    assert_eq!(asked(route), ["All"]);
}

#[test]
fn handlers_in_code_need_none_in_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("longshore.toml");
    std::fs::write(&file, "[queue.q]\nqueue = \"orders\"\n").unwrap();
    assert!(Config::load(&file).is_err());
    let config = Config::load_with(&file, Handlers::InCode).unwrap();
    assert_eq!(config.queues["q"].handler, None);
}

#[test]
fn two_sections_may_read_one_queue_and_a_note_says_so() {
    let text = queue_with("") + "[queue.r]\nqueue = \"orders\"\nhandler.print = {}\n";
    let notes = toml_text(&text).unwrap().notes;
    assert_eq!(notes, ["longshore.toml:6: the sections q and r read one queue, orders"]);
}

#[test]
fn the_dialect_is_told_by_the_extension() {
    for (name, dialect) in [
        ("queue.cfg", Dialect::Ini),
        ("queue.INI", Dialect::Ini),
        ("a.toml.conf", Dialect::Ini),
        ("longshore.toml", Dialect::Toml),
        ("longshore", Dialect::Toml),
    ] {
        assert_eq!(Dialect::of(Path::new(name)), dialect, "{name}");
    }
}

#[test]
fn a_stop_that_may_have_to_wait_too_long_is_said() {
    let text = "drain_timeout = \"5s\"\n[queue.q]\nqueue = \"orders\"\n[queue.q.handler.print]\n";
    let notes = toml_text(text).unwrap().notes;
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].contains("waits 20s") && notes[0].contains("drain_timeout is 5s"),
        "{notes:?}"
    );
    let enough = text.replace("5s", "25s");
    assert!(toml_text(&enough).unwrap().notes.is_empty());
}
