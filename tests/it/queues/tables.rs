//! Locks and finished ids in DynamoDB: two daemons and one message, and a table that goes away.

use super::ground::{Ground, embedded, log_line, logged, stop};
use crate::support::{
    PATIENCE, aws,
    emulator::{self, Emulator},
    eventually,
    proxy::Proxy,
};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};

/// A table at this endpoint, made by the SDK.
async fn table(endpoint: &str) -> aws_sdk_dynamodb::Client {
    let client = aws::dynamodb(endpoint);
    let id = AttributeDefinition::builder().attribute_name("id");
    let id = id.attribute_type(ScalarAttributeType::S).build().unwrap();
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let create = client.create_table().table_name("locks").attribute_definitions(id);
    let create = create.key_schema(key.build().unwrap());
    create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
    client
}

/// A queue under locks of that table, whose handler lasts until the file `go` is there.
fn settings(ground: &Ground, endpoint: &str, more: &str) -> String {
    let handler = ground.exec(
        "queue.q.handler",
        "handler",
        "echo \"$LONGSHORE_MESSAGE_ID\" >> $D/begun\n\
         while [ ! -e $D/go ]; do sleep 0.05; done\n\
         echo \"$LONGSHORE_MESSAGE_ID\" >> $D/done",
    );
    format!(
        "[log]\nlevel = \"debug\"\n[idempotency]\nstore = \"dynamodb\"\ntable = \"locks\"\n\
         endpoint_url = \"{endpoint}\"\nlock_timeout = \"9s\"\n{more}\n[queue.q]\nqueue = \"q\"\n\
         wait_time = 1\nconcurrency = 1\nretry_initial = \"1s\"\nretry_longest = \"1s\"\n{handler}"
    )
}

async fn ids(client: &aws_sdk_dynamodb::Client, prefix: &str) -> Vec<String> {
    let scan = client.scan().table_name("locks").consistent_read(true).send().await.unwrap();
    let ids = scan.items().iter().map(|item| item["id"].as_s().unwrap().clone());
    ids.filter(|id| id.starts_with(prefix)).collect()
}

async fn handled_once(store: &Emulator) {
    let ground = embedded();
    ground.queue("q", &[]).await;
    let client = table(&store.endpoint()).await;
    let settings = settings(&ground, &store.endpoint(), "");
    let first = ground.run(&settings);
    ground.send("q", "x").await;
    ground.wait_lines("begun", 1);
    let second = ground.run(&settings);
    log_line(&second, &["listening to queue"]);
    ground.deliver_again("q").await;
    log_line(&second, &["WARN", "cannot acquire the lock", "sqs:event:"]);
    std::fs::write(ground.path("go"), "").unwrap();
    ground.wait_empty("q").await;
    assert_eq!(ground.lines("begun").len(), 1, "{}\n{}", first.output(), second.output());
    assert_eq!((stop(first), stop(second)), (0, 0));
    assert_eq!(ids(&client, "sqs:event:").await, Vec::<String>::new());
    assert_eq!(ids(&client, "sqs:done:arn:aws:sqs:us-east-1:000000000000:q:").await.len(), 1);
}

#[tokio::test]
async fn two_daemons_with_one_table_handle_a_message_delivered_twice_once() {
    handled_once(&emulator::embedded()).await;
}

#[tokio::test]
async fn two_daemons_with_one_table_of_another_hand_handle_it_once() {
    handled_once(&emulator::ministack()).await;
}

#[tokio::test]
async fn a_table_that_goes_away_and_comes_back_stops_polling_meanwhile() {
    let (ground, store) = (embedded(), emulator::embedded());
    ground.queue("q", &[]).await;
    let client = table(&store.endpoint()).await;
    let way = Proxy::start(&store.endpoint());
    let daemon = ground.run(&settings(&ground, &way.endpoint(), ""));
    ground.send("q", "x").await;
    ground.wait_lines("begun", 1);
    way.down();
    std::fs::write(ground.path("go"), "").unwrap();
    log_line(&daemon, &["ERROR", "idempotency store is away; polling stops"]);
    assert_eq!(ground.proxy.of("DeleteMessageBatch").len(), 0);
    ground.send("q", "y").await;
    let failed = || logged(&daemon, &["DEBUG", "idempotency store is away"]);
    eventually("two more probes", PATIENCE, || failed() >= 2);
    assert_eq!(ground.proxy.of("DeleteMessageBatch").len(), 0);
    way.up();
    ground.wait_empty("q").await;
    log_line(&daemon, &["idempotency store is back"]);
    assert!(ground.lines("done").len() >= 2, "nothing is lost: {}", daemon.output());
    assert_eq!(ids(&client, "sqs:done:arn:").await.len(), 2);
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_table_that_goes_away_with_proceed_work_goes_on() {
    let (ground, store) = (embedded(), emulator::embedded());
    ground.queue("q", &[]).await;
    let client = table(&store.endpoint()).await;
    let way = Proxy::start(&store.endpoint());
    let lines = "on_store_error = \"proceed\"";
    let daemon = ground.run(&settings(&ground, &way.endpoint(), lines));
    std::fs::write(ground.path("go"), "").unwrap();
    ground.send("q", "x").await;
    ground.wait_lines("done", 1);
    ground.wait_empty("q").await;
    way.down();
    ground.send("q", "y").await;
    ground.wait_lines("done", 2);
    ground.wait_empty("q").await;
    log_line(&daemon, &["ERROR", "idempotency store is away, so it is done without"]);
    way.up();
    ground.send("q", "z").await;
    ground.wait_lines("done", 3);
    ground.wait_empty("q").await;
    assert!(!ids(&client, "sqs:done:arn:").await.is_empty());
    assert_eq!(stop(daemon), 0);
}
