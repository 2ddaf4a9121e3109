//! RelengAPI's AWS class: `connect_to`, `get_sqs_queue`, `sqs_write` and `sqs_listen`.

use crate::support::{PATIENCE, emulator::embedded, eventually};
use longshore::{
    aws::Aws,
    config,
    error::Kind,
    handler::extract::Json,
    message::Outgoing,
    payload::codec,
    toolkit::{
        sqs::{self, NewQueue},
        transport::{CanReceive, CanSend, Held},
    },
    worker::Worker,
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn aws(endpoint: &str) -> Aws {
    let endpoint_url = Some(endpoint.to_owned());
    Aws::new().with(config::Aws { endpoint_url, sealed: true, ..config::Aws::default() })
}

#[tokio::test]
async fn connect_to_get_sqs_queue_and_sqs_write() {
    let server = embedded();
    let aws = aws(&server.endpoint());
    // connect_to('sqs', 'us-west-2')
    let client = aws.sqs("us-west-2").await.unwrap();
    let new = NewQueue { name: "my-queue".to_owned(), ..NewQueue::default() };
    sqs::create(&client, &new, |_| ()).await.unwrap();
    // get_sqs_queue('us-west-2', 'my-queue')
    let queue = aws.queue("us-west-2", "my-queue").await.unwrap();
    // sqs_write('us-west-2', 'my-queue', {'a': 'b'})
    queue.send(codec::relengapi(&json!({ "a": "b" })).unwrap()).await.unwrap();
    // "To send messages with some other format", from the queue itself
    queue.send(Outgoing::text("plain")).await.unwrap();
    let mut bodies = Vec::new();
    for message in queue.receive(10, Duration::ZERO).await.unwrap() {
        let body = message.message().body.as_bytes().unwrap();
        bodies.push(String::from_utf8(body.to_vec()).unwrap());
    }
    bodies.sort();
    assert_eq!(bodies, ["eyJhIjogImIifQ==", "plain"]);
    let missing = aws.queue("us-west-2", "missing").await.unwrap_err();
    assert_eq!(missing.kind(), Kind::Missing);
    assert!(missing.to_string().contains("missing in us-west-2"), "{missing}");
}

#[tokio::test]
async fn sqs_listen() {
    let server = embedded();
    let aws = aws(&server.endpoint());
    let client = aws.sqs("us-west-2").await.unwrap();
    let new = NewQueue { name: "my-queue".to_owned(), ..NewQueue::default() };
    sqs::create(&client, &new, |_| ()).await.unwrap();
    let queue = aws.queue("us-west-2", "my-queue").await.unwrap();
    queue.send(codec::relengapi(&json!({ "a": "b" })).unwrap()).await.unwrap();

    let settings = format!(
        "[queue.my-queue]\nqueue = \"my-queue\"\nregion = \"us-west-2\"\n\
         payload = [\"relengapi\"]\nendpoint_url = {:?}\naccess_key_id = \"test\"\n\
         secret_access_key = \"test\"\nwait_time = 1\n",
        server.endpoint()
    );
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), settings).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let my_queue_msg = move |Json(message): Json<Value>| {
        keep.lock().unwrap().push(message);
        async {}
    };
    let worker = Worker::builder(()).config(file.path()).queue("my-queue", my_queue_msg);
    let running = worker.build().unwrap().start().unwrap();
    eventually("the message", PATIENCE, || seen.lock().unwrap().len() == 1);
    assert_eq!(*seen.lock().unwrap(), [json!({ "a": "b" })]);
    tokio::task::spawn_blocking(move || running.stop()).await.unwrap().unwrap();
    assert_eq!(sqs::length(&client, &queue.url().await.unwrap()).await.unwrap().in_flight, 0);
}
