//! What `[idempotency]` resolves to, and that no password of it is shown.

use super::*;

fn with(lines: &str) -> Result<Config, Mistakes> {
    toml_text(&format!("{}[idempotency]\n{lines}\n", queue_with("")))
}

fn refused(lines: &str) -> String {
    with(lines).unwrap_err().to_string()
}

fn servers(config: &Config) -> Vec<RedisServer> {
    match &config.idempotency.as_ref().unwrap().store {
        IdempotencyStore::Redis(servers) => servers.clone(),
        IdempotencyStore::Memory | IdempotencyStore::Dynamodb(_) => panic!("{config:?}"),
    }
}

#[test]
fn every_key_has_its_default_and_queues_may_opt_out() {
    let config = with("store = \"memory\"").unwrap();
    let idempotency = config.idempotency.unwrap();
    assert_eq!(idempotency, Idempotency::new(IdempotencyStore::Memory));
    assert_eq!(idempotency.lock_timeout, Duration::from_secs(10));
    assert_eq!((idempotency.lock_attempts, idempotency.on_store_error), (1, OnStoreError::Retry));
    assert!(config.queues["q"].idempotency);
    assert_eq!(toml_text(&queue_with("")).unwrap().idempotency, None);
    let out = toml_text(&(queue_with("idempotency = false") + "[idempotency]\nstore = \"memory\""));
    let out = out.unwrap();
    assert!(!out.queues["q"].idempotency);
    assert!(out.notes[0].contains("every queue has opted out"), "{:?}", out.notes);
}

#[test]
fn a_table_is_reached_by_the_keys_of_aws_and_its_own() {
    let config = toml_text(&format!(
        "[aws]\nregion = \"us-west-2\"\nprofile = \"warehouse\"\n{}[idempotency]\n\
         store = \"dynamodb\"\ntable = \"longshore\"\nregion = \"eu-west-1\"\n",
        queue_with("")
    ));
    let idempotency = config.unwrap().idempotency.unwrap();
    let table = idempotency.table().unwrap();
    assert_eq!(
        (table.name.as_str(), table.aws.region.as_deref()),
        ("longshore", Some("eu-west-1"))
    );
    assert_eq!(table.aws.profile.as_deref(), Some("warehouse"));
}

#[test]
fn servers_are_urls_with_user_port_and_database() {
    let config = with(
        "store = \"redis\"\nservers = [\"redis://a\", \"rediss://u@b:6380/2\", \"redis://[::1]:1\"]",
    )
    .unwrap();
    let servers = servers(&config);
    let shown: Vec<String> = servers.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["redis://a:6379/0", "rediss://b:6380/2", "redis://[::1]:1/0"]);
    assert_eq!(servers[1].username.as_deref(), Some("u"));
    assert!(servers[1].tls && !servers[0].tls);
}

#[test]
fn a_password_comes_from_a_file_and_is_never_shown() {
    let said = refused("store = \"redis\"\nservers = [\"redis://:hunter2@host\"]");
    assert!(said.contains("redis://host:6379/0 holds a password"), "{said}");
    assert!(said.contains("password_file") && !said.contains("hunter2"), "{said}");

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let urls = path("urls", "redis://:hunter2@a\n\nredis://u:p%40ss@b:1/3\n");
    let config = with(&format!("store = \"redis\"\nservers_file = \"{urls}\"")).unwrap();
    let passwords = |config: &Config| -> Vec<String> {
        servers(config).iter().map(|s| s.password.clone().unwrap().reveal().to_owned()).collect()
    };
    assert_eq!(passwords(&config), ["hunter2", "p@ss"]);
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");

    let password = path("password", "hunter2\n");
    let lines = "store = \"redis\"\nservers = [\"redis://a\", \"redis://b\"]\n";
    let config = with(&format!("{lines}password_file = \"{password}\"")).unwrap();
    assert_eq!(passwords(&config), ["hunter2", "hunter2"]);

    let broken = path("broken", "hunter2\n");
    let said = refused(&format!("store = \"redis\"\nservers_file = \"{broken}\""));
    assert!(said.contains("servers_file") && !said.contains("hunter2"), "{said}");
}

#[test]
fn mistakes_name_the_key_and_what_to_write() {
    for (lines, told) in [
        ("", "[idempotency] has no store; write store = \"redis\""),
        ("store = \"mysql\"", "\"mysql\" is no store"),
        ("store = \"redis\"", "write servers = [\"redis://127.0.0.1:6379\"]"),
        ("store = \"redis\"\nservers = []", "servers: no server"),
        ("store = \"redis\"\nservers = [\"http://a\"]", "begins with neither redis://"),
        ("store = \"redis\"\nservers = [\"redis://a/x\"]", "something else than a number"),
        ("store = \"redis\"\nservers = [\"redis://\"]", "names no host"),
        (
            "store = \"redis\"\nservers = [\"redis://a\", \"redis://a:6379/0\"]",
            "stands there twice",
        ),
        ("store = \"memory\"\nservers = [\"redis://a\"]", "servers is for store = \"redis\""),
        ("store = \"dynamodb\"", "write table = \"longshore\""),
        ("store = \"dynamodb\"\ntable = \"a b\"", "\"a b\" is no name of a DynamoDB table"),
        (
            "store = \"dynamodb\"\ntable = \"abc\"\nservers = [\"redis://a\"]",
            "servers is for store = \"redis\"",
        ),
        ("store = \"memory\"\ntable = \"abc\"", "table is for store = \"dynamodb\""),
        ("store = \"memory\"\nregion = \"us-west-2\"", "region is for store = \"dynamodb\""),
        ("store = \"memory\"\non_store_error = \"panic\"", "neither retry nor proceed"),
        ("store = \"memory\"\nlock_timeout = \"10ms\"", "lock_timeout"),
        ("store = \"memory\"\nlock_attempts = 0", "lock_attempts"),
        ("store = \"memory\"\nlocks = 1", "unknown key \"locks\" in [idempotency]"),
    ] {
        let said = refused(lines);
        assert!(said.contains(told), "{lines}: {said}");
    }
}

#[test]
fn databases_of_one_server_are_no_quorum() {
    let config =
        with("store = \"redis\"\nservers = [\"redis://a/1\", \"redis://a/2\", \"redis://a/3\"]");
    let notes = config.unwrap().notes;
    assert!(notes[0].contains("several databases of a:6379 are one server"), "{notes:?}");
}

#[test]
fn locally_only_servers_of_this_host_are_asked_unless_yes() {
    let config = with(
        "store = \"redis\"\nservers = [\"redis://127.0.0.1\", \"redis://[::1]\", \"redis://far\"]",
    )
    .unwrap();
    let local = |yes| {
        let local =
            Local { directory: Path::new("/nowhere"), endpoint: "http://127.0.0.1:4566", yes };
        config.clone().local(local)
    };
    let said = local(false).unwrap_err().to_string();
    assert!(said.contains("idempotency: redis://far:6379/0 leaves this host"), "{said}");
    assert!(!said.contains("127.0.0.1:6379") && !said.contains("[::1]:6379"), "{said}");
    assert!(local(true).is_ok());
}
