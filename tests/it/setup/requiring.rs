//! `require_checks`: what fails beforehand starts nothing.

use crate::support::{
    aws,
    daemon::{Launch, longshore},
    emulator::embedded,
    proxy::Proxy,
};

const QUEUE: &str = "require_checks = true\n[queue.q]\nqueue = \"orders\"\nwait_time = 0\n\
                     handler.exec.command = [\"true\"]\n";

fn run(text: &str, endpoint: &str) -> Launch {
    longshore(["run", "--once", "--config", "c.toml"]).file("c.toml", text).endpoint(endpoint)
}

#[tokio::test]
async fn r2_i10_a_missing_queue_ends_run_before_anything_starts() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let ended = run(QUEUE, &proxy.endpoint()).finish();
    let ended =
        ended.expect(69, &["listening is cancelled", "looking up queue orders in us-east-1"]);
    assert!(!ended.stderr.contains("checked"), "{}", ended.stderr);
    assert_eq!(proxy.of("ReceiveMessage").len(), 0);
    assert!(!ended.directory().join("state").exists());

    aws::sqs(&server.endpoint()).create_queue().queue_name("orders").send().await.unwrap();
    run(QUEUE, &proxy.endpoint()).finish().expect(0, &["stopped"]);
    assert!(!proxy.of("ReceiveMessage").is_empty());
}

#[test]
fn a_missing_bucket_leaves_its_spool_alone() {
    let server = embedded();
    let text = "require_checks = true\n[spool.s]\ndirectory = \".\"\nbucket = \"none\"\n";
    run(text, &server.endpoint())
        .finish()
        .expect(69, &["listening is cancelled: spool s: looking for bucket"]);
}
