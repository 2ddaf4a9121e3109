//! The `INIESTA_*` variables.

use super::*;
use crate::event::Pattern;

const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:events";

#[test]
fn each_variable_fills_what_the_file_leaves_out() {
    let variables = [
        ("INIESTA_SNS_PRODUCER_GLOBAL_TOPIC_ARN", TOPIC),
        ("INIESTA_SQS_CONSUMER_FILTERS", "[\"Order.shop\", \"Audit.*\"]"),
        ("INIESTA_SNS_EVENT_KEY", "kind"),
        ("INIESTA_ASSERT_FILTER_POLICIES", "False"),
        ("INIESTA_INITIALIZATION_TYPE", "EVENT_POLLING, SNS_PRODUCER"),
        ("INIESTA_SQS_QUEUE_NAME", "inbox"),
        ("INIESTA_SQS_RECEIVE_MESSAGE_MAX_NUMBER_OF_MESSAGES", "5"),
        ("INIESTA_SQS_RECEIVE_MESSAGE_WAIT_TIME_SECONDS", "7"),
        ("INIESTA_SQS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("INIESTA_SNS_ENDPOINT_URL", "http://127.0.0.1:2"),
        ("INIESTA_LOCK_RETRY_COUNT", "3"),
        ("INIESTA_LOCK_TIMEOUT", "20"),
        ("INIESTA_DRY_RUN", "true"),
    ];
    let text = "[queue.q]\nhandler.print = {}\n[idempotency]\nstore = \"memory\"\n";
    let config = with_environment(text, &variables).unwrap();
    let locks = config.idempotency.unwrap();
    assert_eq!((locks.lock_attempts, locks.lock_timeout.as_secs()), (3, 20));
    assert_eq!(config.events.topic.as_deref(), Some(TOPIC));
    let filters = [Pattern::Exact("Order.shop".to_owned()), Pattern::Prefix("Audit.".to_owned())];
    assert_eq!(config.events.filters.as_deref(), Some(&filters[..]));
    assert_eq!(config.events.event_key, "kind");
    assert!(!config.events.assert_filter_policies);
    assert_eq!(config.events.initialization.len(), 2);
    assert_eq!(config.events.aws.endpoint_url.as_deref(), Some("http://127.0.0.1:2"));
    let queue = &config.queues["q"];
    assert_eq!((&*queue.queue, queue.max_messages, queue.wait_time.as_secs()), ("inbox", 5, 7));
    assert_eq!(queue.event_key, "kind");
    assert_eq!(queue.aws.endpoint_url.as_deref(), Some("http://127.0.0.1:1"));
    assert!(config.dry_run);
}

#[test]
fn what_the_file_says_stays() {
    let text = format!(
        "[events]\ntopic = \"{TOPIC}\"\nfilters = [\"Own.shop\"]\nevent_key = \"own\"\n\
         initialization = [\"SNS_PRODUCER\", \"QUEUE_POLLING\"]\n\
         [queue.q]\nqueue = \"own\"\nmax_messages = 2\nwait_time = 1\nhandler.print = {{}}\n\
         endpoint_url = \"http://127.0.0.1:3\"\n"
    );
    let variables = [
        ("INIESTA_SNS_PRODUCER_GLOBAL_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:other"),
        ("INIESTA_SQS_CONSUMER_FILTERS", "Other.shop"),
        ("INIESTA_SNS_EVENT_KEY", "other"),
        ("INIESTA_INITIALIZATION_TYPE", "CUSTOM"),
        ("INIESTA_SQS_QUEUE_NAME", "other"),
        ("INIESTA_SQS_RECEIVE_MESSAGE_MAX_NUMBER_OF_MESSAGES", "5"),
        ("INIESTA_SQS_RECEIVE_MESSAGE_WAIT_TIME_SECONDS", "7"),
        ("INIESTA_SQS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    let config = with_environment(&text, &variables).unwrap();
    let without = with_environment(&text, &[]).unwrap();
    assert_eq!(config, without);
}

#[test]
fn i12_every_wrong_type_is_told_with_its_variable() {
    let long = "x".repeat(300);
    for (variable, values) in [
        (
            "INIESTA_INITIALIZATION_TYPE",
            &["", "asdad", "1213", "null", "{}", "[\"asd\"]", "[\"QUEUE_POLLING\",\"BAD\"]", "[1]"]
                [..],
        ),
        ("INIESTA_SNS_PRODUCER_GLOBAL_TOPIC_ARN", &["something wrong", "a:b:c:d:e:f"]),
        ("INIESTA_SQS_CONSUMER_FILTERS", &["Event", "a.b.c", "{}", "[1]", "[\"a.b\""]),
        ("INIESTA_SNS_EVENT_KEY", &["a b", &long]),
        ("INIESTA_ASSERT_FILTER_POLICIES", &["maybe", "2", "[]"]),
        ("INIESTA_SQS_RECEIVE_MESSAGE_MAX_NUMBER_OF_MESSAGES", &["0", "11", "ten", "1.5"]),
        ("INIESTA_SQS_RECEIVE_MESSAGE_WAIT_TIME_SECONDS", &["21", "-1", "x"]),
        ("INIESTA_SQS_QUEUE_NAME", &["no name", "a/b"]),
        ("INIESTA_LOCK_RETRY_COUNT", &["0", "x"]),
        ("INIESTA_LOCK_TIMEOUT", &["0", "10s"]),
        ("INIESTA_SQS_ENDPOINT_URL", &["nowhere"]),
        ("INIESTA_SNS_ENDPOINT_URL", &["nowhere"]),
        ("INIESTA_DRY_RUN", &["perhaps"]),
        ("INIESTA_CACHES", &["{}", "{\"iniesta1\": {\"HOST\": \"localhost\"}}"]),
    ] {
        for value in values {
            let read = with_environment(&queue_with(""), &[(variable, value)]);
            let told = read.expect_err(&format!("{variable}={value}")).to_string();
            assert!(told.contains(&format!("{variable}: ")), "{variable}={value}: {told}");
        }
    }
    let caches = with_environment(&queue_with(""), &[("INIESTA_CACHES", "{}")]).unwrap_err();
    for line in ["[idempotency]", "store = \"redis\"", "servers = ["] {
        assert!(caches.to_string().contains(line), "{caches}");
    }
}

#[test]
fn the_template_names_a_queue_that_nobody_names() {
    let text = "[events]\nservice = \"shop\"\n[queue.q]\nhandler.print = {}\n";
    let template = ("INIESTA_SQS_QUEUE_NAME_TEMPLATE", "iniesta-{env}-{service_name}");
    let config = with_environment(text, &[template, ("MMT_ENV", "test")]).unwrap();
    assert_eq!(config.queues["q"].queue, "iniesta-test-shop");
    let told = with_environment(text, &[template]).unwrap_err().to_string();
    assert!(told.contains("MMT_ENV is not set"), "{told}");
    let nobody = "[queue.q]\nhandler.print = {}\n";
    let told = with_environment(nobody, &[template, ("MMT_ENV", "test")]).unwrap_err().to_string();
    assert!(told.contains("[events] has no service"), "{told}");
}

const TABLE: &str = "[aws]\nregion = \"us-west-2\"\naccess_key_id = \"table\"\n\
                     secret_access_key = \"table's\"\nsession_token = \"token\"\n";

/// The id, the secret and the token of `[aws]`, and its region.
fn credentials(table: &str, variables: &[(&str, &str)]) -> Result<[Option<String>; 4], Mistakes> {
    let aws = with_environment(&(table.to_owned() + &queue_with("")), variables)?.aws;
    let own = aws.credentials;
    Ok([
        own.as_ref().map(|own| own.access_key_id.clone()),
        own.as_ref().map(|own| own.secret_access_key.reveal().to_owned()),
        own.and_then(|own| own.session_token).map(|token| token.reveal().to_owned()),
        aws.region,
    ])
}

#[test]
fn i16_the_environment_comes_first_then_iniesta_then_the_table() {
    let own = |of: [Option<&str>; 4]| of.map(|text| text.map(str::to_owned));
    let plain = [
        ("AWS_ACCESS_KEY_ID", "env"),
        ("AWS_SECRET_ACCESS_KEY", "env's"),
        ("AWS_SESSION_TOKEN", "env token"),
    ];
    let prefixed =
        [("INIESTA_AWS_ACCESS_KEY_ID", "own"), ("INIESTA_AWS_SECRET_ACCESS_KEY", "own's")];
    let region = [("INIESTA_AWS_DEFAULT_REGION", "eu-west-1")];
    let table = own([Some("table"), Some("table's"), Some("token"), Some("us-west-2")]);
    assert_eq!(credentials(TABLE, &plain).unwrap(), table, "no INIESTA_AWS_* is set");
    assert_eq!(
        credentials(TABLE, &prefixed).unwrap(),
        own([Some("own"), Some("own's"), None, Some("us-west-2")])
    );
    assert_eq!(
        credentials(TABLE, &[&plain[..], &prefixed].concat()).unwrap(),
        own([Some("env"), Some("env's"), Some("env token"), Some("us-west-2")])
    );
    assert_eq!(
        credentials(TABLE, &region).unwrap(),
        own([Some("table"), Some("table's"), Some("token"), Some("eu-west-1")])
    );
    let both = [("AWS_DEFAULT_REGION", "eu-west-2"), region[0]];
    assert_eq!(credentials("", &both).unwrap(), own([None, None, None, Some("eu-west-2")]));
}

#[test]
fn i16_an_id_and_a_secret_from_different_places_are_refused() {
    for variables in [
        &[("INIESTA_AWS_ACCESS_KEY_ID", "own")][..],
        &[("INIESTA_AWS_SECRET_ACCESS_KEY", "own's")],
        &[("INIESTA_AWS_ACCESS_KEY_ID", "own"), ("AWS_SECRET_ACCESS_KEY", "env's")],
        &[
            ("INIESTA_AWS_ACCESS_KEY_ID", "own"),
            ("INIESTA_AWS_SECRET_ACCESS_KEY", "own's"),
            ("AWS_ACCESS_KEY_ID", "env"),
        ],
    ] {
        for table in [TABLE, ""] {
            let told = credentials(table, variables).unwrap_err().to_string();
            assert!(told.contains("from one place"), "{told}");
            assert!(!told.contains("own's") && !told.contains("env's"), "{told}");
        }
    }
}
