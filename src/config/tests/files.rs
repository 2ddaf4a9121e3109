//! `config/reference.toml` and `config/examples/*` are held to the code.

use super::*;
use std::collections::BTreeSet;

fn in_config(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

fn reference() -> String {
    std::fs::read_to_string(in_config("reference.toml")).unwrap()
}

/// The keys of a text as `table.key`, and whether they stand behind a `#`.
fn keys(text: &str) -> Vec<(String, bool)> {
    let mut table = String::new();
    let mut keys = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']').to_owned() + ".";
        }
        let (line, absent) = line.strip_prefix('#').map_or((line, false), |line| (line, true));
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        if !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            keys.push((format!("{table}{key}"), absent));
        }
    }
    keys
}

fn document(text: &str) -> Document {
    let environment = Environment::default();
    Document::new(text, Path::new("reference.toml"), Dialect::Toml, &environment).unwrap()
}

#[test]
fn every_key_that_is_read_stands_in_the_reference() {
    let text = reference();
    let document = document(&text);
    file::read(&document);
    let written: BTreeSet<String> = keys(&text).into_iter().map(|(key, _)| key).collect();
    let tables = [
        "aws",
        "events",
        "log",
        "status",
        "notification",
        "idempotency",
        "spool",
        "outbox",
        "queue",
        "handler",
        "route",
        "dynamodb",
        "exec",
        "http",
        "lambda",
        "print",
        "s3",
        "sns",
        "sql",
        "sqs",
    ];
    for key in document.known() {
        let last = key.rsplit('.').next().unwrap();
        let with_aws = ["spool.", "outbox.", "queue.", "events.", "idempotency.", "notification."];
        let of_aws = with_aws.iter().any(|table| key.starts_with(table))
            && written.contains(&format!("aws.{last}"));
        let is_table = tables.contains(&last);
        let is_shown_once = key.ends_with(".events") && key.contains(".route.");
        // The kinds of handler are shown once each, not once for every place of a handler.
        assert!(
            of_aws || is_table || is_shown_once || written.contains(&key),
            "{key} is not in the reference"
        );
    }
    for (key, _) in keys(&text) {
        assert!(document.known().contains(&key), "{key} is read by nobody");
    }
}

fn outbox() -> Spool {
    let outbox = Outbox::new(Outlet::Queue("notices".to_owned()));
    Spool {
        destination: Destination::Messages(outbox),
        ignore: Ignore::Temporary(vec![".*".to_owned()]),
        ..Spool::new("/var/spool/longshore/notices", "")
    }
}

#[test]
fn the_defaults_of_the_reference_are_those_of_the_code() {
    let config = Config::load(&in_config("reference.toml")).unwrap();
    let Queue { handler, routes, .. } = config.queues["orders"].clone();
    let expected = Config {
        file: config.file.clone(),
        log: Log::DEFAULT,
        listen: None,
        drain_timeout: Config::trial().drain_timeout,
        aws: Aws::default(),
        events: Events {
            initialization: [Initialization::QueuePolling].into(),
            ..Events::default()
        },
        dry_run: false,
        spools: BTreeMap::from([(
            "reports".to_owned(),
            Spool::new("/var/spool/longshore/reports", "my-bucket"),
        )]),
        outboxes: BTreeMap::from([("notices".to_owned(), outbox())]),
        queues: BTreeMap::from([(
            "orders".to_owned(),
            Queue { handler: handler.clone(), routes: routes.clone(), ..Queue::new("orders") },
        )]),
        notifications: BTreeMap::from([(
            "uploads".to_owned(),
            Notification {
                target: Some(Target::Queue("uploads".to_owned())),
                ..Notification::new("my-bucket")
            },
        )]),
        require_checks: false,
        idempotency: Some(Idempotency::new(IdempotencyStore::Redis(vec![
            RedisServer::read("redis://127.0.0.1:6379").unwrap(),
        ]))),
        notes: vec![],
        elsewhere: Elsewhere::default(),
    };
    assert_eq!(config, expected);

    // The same handlers with nothing but what they need.
    let short = toml_text(
        "[queue.q]\nqueue = \"q\"\nhandler.exec.command = [\"/usr/local/bin/place-order\"]\n\
         route.\"OrderPlaced.shop\".handler.http.url = \"http://127.0.0.1:8080/orders\"\n\
         route.\"Forwarded.shop\".handler.sqs.queue = \"archive\"\n\
         route.\"Told.shop\".handler.sns.topic = \"arn:aws:sns:us-west-2:123456789012:told\"\n\
         route.\"Kept.shop\".handler.s3.bucket = \"my-bucket\"\n\
         route.\"Kept.shop\".handler.s3.key = \"{queue}/{year}/{month}/{day}/{message_id}.json\"\n\
         route.\"Computed.shop\".handler.lambda.function = \"place-order\"\n\
         route.\"Debug*\".handler.print = {}\nroute.\"Archive*\".handler.spool.directory = \"/var/spool/longshore/archive\"\n\
         route.\"Entered.shop\".handler.dynamodb.table = \"orders\"\n\
         route.\"Stored.shop\".handler.sql.url = \"mysql://longshore@db.example.org\"\n\
         route.\"Stored.shop\".handler.sql.schema = \"shop\"\n\
         route.\"Stored.shop\".handler.sql.table = \"orders\"\n\
         route.payments.events = [\"PaymentReceived.bank\", \"Refund*\"]\n\
         route.payments.handler.print = {}\n",
    )
    .unwrap();
    assert_eq!(
        (handler, routes),
        (short.queues["q"].handler.clone(), short.queues["q"].routes.clone())
    );
}

/// Filters that let the events of all routes through.
const ROUTED: &str = "\nfilters = [\"OrderPlaced.shop\", \"DebugOrders.*\", \"ArchiveOrders.*\", \"PaymentReceived.bank\", \"Refund.*\", \
     \"Forwarded.shop\", \"Told.shop\", \"Kept.shop\", \"Computed.shop\", \"Stored.shop\", \"Entered.shop\"]";

/// A text may stand elsewhere, and is then not missed by anything else.
fn may_stand_elsewhere(setting: &str, mut lines: Vec<String>, environment: Environment) {
    let key = setting.split(" = ").next().unwrap();
    let is_number = setting.contains(" = \"1") || setting.contains(" = \"3");
    if setting.ends_with('"') && (key == "listen" || !is_number) {
        let line = lines.iter_mut().find(|line| line.starts_with(setting)).unwrap();
        *line = line.replace(setting, &format!("{key} = \"ssm://x\""));
        let read = read_with(&lines.join("\n"), environment);
        assert!(read.is_ok(), "{key}: {}", read.unwrap_err());
    }
}

/// The files that hold secrets in the reference.
fn secrets() -> tempfile::TempDir {
    let secrets = tempfile::tempdir().unwrap();
    std::fs::write(secrets.path().join("redis-servers"), "redis://a\nredis://b").unwrap();
    std::fs::write(secrets.path().join("database-url"), "postgresql://u:p@h/d").unwrap();
    for name in ["aws-secret", "aws-token", "redis-password", "database-password"] {
        std::fs::write(secrets.path().join(name), "x").unwrap();
    }
    secrets
}

/// Each `#key = value` is put to work alone, except for those that need or exclude another.
#[test]
fn the_examples_of_keys_without_default_are_sound() {
    let text = reference();
    let lines: Vec<&str> = text.lines().collect();
    let absent: BTreeSet<String> =
        keys(&text).into_iter().filter(|(_, absent)| *absent).map(|(key, _)| key).collect();
    assert!(absent.len() > 10, "{absent:?}");
    for (index, line) in lines.iter().enumerate() {
        let Some(setting) = line.strip_prefix('#').filter(|line| !line.starts_with(' ')) else {
            continue;
        };
        let Some((key, _)) = setting.split_once(" = ") else { continue };
        let mut changed: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        changed[index] = setting.to_owned();
        if setting.ends_with(":uploads\"") {
            changed.retain(|line| line != "queue = \"uploads\"");
        }
        if key == "table" {
            for line in &mut changed {
                *line = line.replace("store = \"redis\"", "store = \"dynamodb\"");
            }
        }
        let excluded: &[&str] = match key {
            "url" | "url_file" => &["protocol = ", "host = ", "user = "],
            "ca_file" => &["tls = "],
            "message_attributes" => &["attributes = "],
            "servers_file" | "table" => &["servers = "],
            _ => &[],
        };
        changed.retain(|line| !excluded.iter().any(|start| line.starts_with(start)));
        let is_of_events = setting.ends_with(":events\"");
        if setting.ends_with(":notices\"") {
            changed.retain(|line| line != "queue = \"notices\"");
        }
        match key {
            "access_key_id" => changed[index] += "\nsecret_access_key = \"s\"",
            "secret_access_key" | "secret_access_key_file" => {
                changed[index] += "\naccess_key_id = \"i\"";
            }
            "session_token" | "session_token_file" => {
                changed[index] += "\naccess_key_id = \"i\"\nsecret_access_key = \"s\"";
            }
            "topic" if is_of_events => changed[index] += ROUTED,
            "initialization" => {
                changed[index] += ROUTED;
                changed[index] += "\ntopic = \"arn:aws:sns:us-west-2:123456789012:events\"";
            }
            _ => {}
        }
        let secrets = secrets();
        let environment = Environment {
            credentials_directory: Some(secrets.path().to_owned()),
            ..Environment::default()
        };
        let read = read_with(&changed.join("\n"), environment.clone());
        assert!(read.is_ok(), "{setting}: {}", read.unwrap_err());
        may_stand_elsewhere(setting, changed, environment);
    }
}

#[test]
fn every_example_is_sound() {
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(in_config("examples")).unwrap() {
        let path = entry.unwrap().path();
        let config = Config::load(&path).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(config.notes.is_empty(), "{:?}", config.notes);
        seen.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "events.toml",
            "many-regions.toml",
            "outbox.toml",
            "queue-exec.toml",
            "queue-http.toml",
            "spool.toml",
            "zc-s3uploadqueue.cfg"
        ]
    );
}

/// The sentence in the reference about INI files, put to work.
#[test]
fn the_ini_in_the_head_of_the_reference_is_sound() {
    let text: String = reference()
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let config = ini_text(&text).unwrap();
    assert_eq!(config.queues["orders"].routes.len(), 2);
}
