//! `--local` takes away everything that could leave the host or the directory.

use super::*;
use crate::error::Kind;

const ENDPOINT: &str = "http://127.0.0.1:4566";

fn here() -> Local<'static> {
    Local { directory: Path::new("/tmp/try"), endpoint: ENDPOINT, yes: false }
}

#[test]
fn without_settings_there_are_a_spool_and_a_queue() {
    let config = Config::trial().local(here()).unwrap();
    let spool = &config.spools["local"];
    assert_eq!(
        (spool.directory.as_path(), spool.bucket().unwrap()),
        (Path::new("/tmp/try/spool"), "local")
    );
    assert_eq!(spool.quarantine_directory, Path::new("/tmp/try/spool/.longshore/quarantine"));
    let queue = &config.queues["inbox"];
    assert_eq!((queue.queue.as_str(), &queue.handler), ("inbox", &Some(Handler::Print)));
    for aws in [&spool.aws, &queue.aws] {
        assert!(aws.sealed && aws.path_style);
        assert_eq!(aws.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(aws.region.as_deref(), Some("us-east-1"));
        assert_eq!(aws.credentials.as_ref().map(|own| own.access_key_id.as_str()), Some("test"));
    }
}

#[test]
fn every_connection_is_sealed_whatever_the_settings_say() {
    let text = "[aws]\nprofile = \"p\"\nrole_arn = \"arn:aws:iam::123456789012:role/r\"\n\
                [spool.a]\ndirectory = \"a\"\nbucket = \"bucket\"\nquarantine_directory = \"q\"\n\
                endpoint_url = \"https://s3.example.net\"\n\
                [queue.q]\nqueue = \"arn:aws:sqs:eu-west-1:123456789012:orders\"\n\
                dead_letter_queue = \"https://sqs.eu-west-1.amazonaws.com/123456789012/dead\"\n\
                handler.http.url = \"http://localhost:1/\"\nroute.A.handler.http.url = \"http://[::1]:1/\"\n\
                [queue.r]\nqueue = \"r\"\nset_aside = \"rejected\"\nhandler.print = {}\n\
                [notification.n]\nbucket = \"bucket\"\nqueue = \"q\"\n";
    let config = toml_text(text).unwrap().local(here()).unwrap();
    let mut all: Vec<&Aws> = config.spools.values().map(|spool| &spool.aws).collect();
    all.extend(config.queues.values().map(|queue| &queue.aws));
    all.extend(config.notifications.values().map(|notification| &notification.aws));
    assert_eq!(all.len(), 4);
    for aws in all {
        assert!(aws.sealed && aws.profile.is_none() && aws.role_arn.is_none());
        assert_eq!(aws.endpoint_url.as_deref(), Some(ENDPOINT));
    }
    let queue = &config.queues["q"];
    assert_eq!(queue.aws.region.as_deref(), Some("eu-west-1"));
    assert_eq!(
        (queue.queue.as_str(), queue.dead_letter_queue.as_deref()),
        ("orders", Some("dead"))
    );
    assert_eq!(config.queues["r"].set_aside.as_deref(), Some(Path::new("/tmp/try/rejected")));
    assert_eq!(config.spools["a"].quarantine_directory, Path::new("/tmp/try/q"));
}

#[test]
fn what_leaves_is_refused_by_name_unless_yes() {
    let text = "[spool.a]\ndirectory = \"/var/spool/a\"\nbucket = \"bucket\"\n\
                [spool.b]\ndirectory = \"../b\"\nbucket = \"bucket\"\n\
                [queue.q]\nqueue = \"orders\"\nset_aside = \"/var/lib/x\"\n\
                handler.http.url = \"http://10.0.0.1/\"\n\
                route.\"A*\".handler.http.url = \"https://example.com/\"\n\
                route.B.handler.spool.directory = \"/var/spool/b\"\n";
    let config = toml_text(text).unwrap();
    let error = config.clone().local(here()).unwrap_err();
    assert_eq!(error.kind(), Kind::Settings);
    let shown = error.to_string();
    assert_eq!(shown.lines().count(), 6, "{shown}");
    for key in [
        "spool.a.directory = \"/var/spool/a\"",
        "spool.b.directory = \"../b\"",
        "queue.q.set_aside = \"/var/lib/x\"",
        "queue.q.handler.http.url = \"http://10.0.0.1/\" leaves this host; --yes allows it",
        "queue.q.route.\"A*\".handler.http.url = \"https://example.com/\"",
        "queue.q.route.\"B\".handler.spool.directory = \"/var/spool/b\"",
    ] {
        assert!(shown.contains(key), "{key} in {shown}");
    }
    let config = config.local(Local { yes: true, ..here() }).unwrap();
    assert_eq!(config.spools["a"].directory, Path::new("/var/spool/a"));
    assert_eq!(
        config.spools["a"].quarantine_directory,
        Path::new("/var/spool/a/.longshore/quarantine")
    );
}

#[test]
fn the_settings_of_zc_run_locally_as_well() {
    let text = "[Queue]\ndirectory = test\nbucket = testbucket\n";
    let config = ini_text(text).unwrap().local(here()).unwrap();
    let spool = &config.spools[ZC_SPOOL];
    assert_eq!(spool.directory, Path::new("/tmp/try/test"));
    assert_eq!((spool.texts, spool.aws.fallback_region.as_deref()), (Texts::Zc, None));
}
