//! Mistakes of whoever calls exit with 64, what a service refuses with 69.

use super::commands::run;
use crate::support::{
    daemon::longshore,
    emulator::embedded,
    proxy::{Fault, Proxy},
};

#[test]
fn what_is_known_to_be_wrong_without_asking_is_a_mistake() {
    let server = embedded();
    run(&server, ["dynamodb", "create", "things", "--partition-key", "id"]).expect(0, &[]);
    run(&server, ["dynamodb", "put", "things", "{"]).expect(64, &["no JSON object"]);
    run(&server, ["dynamodb", "get", "things", r#"{"name": "a"}"#]).expect(64, &["id"]);
    run(&server, ["s3", "cat", "s3://reports/a", "--encoding", "klingon"])
        .expect(64, &["\"klingon\" is no encoding"]);
    longshore(["sql", "insert", "shop", "t", "nowhere", "--host", "127.0.0.1", "--user", "ann"])
        .finish()
        .expect(64, &["reading nowhere: No such file"]);
    longshore(["sql", "ping", "--url-file", "nowhere"]).finish().expect(64, &["reading a secret"]);
}

#[test]
fn a_file_that_may_not_be_read_is_a_mistake() {
    use std::os::unix::fs::PermissionsExt;
    let put = longshore(["s3", "put", "secret", "s3://reports/a"]).file("secret", "sesame");
    let secret = put.directory().join("secret");
    std::fs::set_permissions(secret, std::fs::Permissions::from_mode(0o000)).unwrap();
    let put = put.endpoint(&embedded().endpoint()).nobody();
    put.finish().expect(64, &["reading secret: Permission denied"]);
}

#[test]
fn what_the_service_refuses_is_no_mistake() {
    let server = embedded();
    run(&server, ["sqs", "create", "orders"]).expect(0, &[]);
    let proxy = Proxy::start(&server.endpoint());
    let refused = r#"{"__type":"com.amazonaws.sqs#InvalidMessageContents","message":"so it is"}"#;
    proxy.on(1, |seen| seen.operation() == "SendMessage", Fault::Answer(400, refused.to_owned()));
    let send = || longshore(["send", "orders", "hello"]).endpoint(&proxy.endpoint());
    send().finish().expect(69, &["sent 0 messages", "message 1 for queue orders", "so it is"]);
    let told = send().args(&["--json"]).finish().expect(0, &[]).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["sent"], &told["bytes"]), (&1.into(), &5.into()), "{told}");
    let id = told["message_id"].as_str().unwrap();
    let received = run(&server, ["sqs", "receive", "orders", "--json"]);
    assert!(!id.is_empty() && received.stdout.contains(id), "{id}: {}", received.said());
}
