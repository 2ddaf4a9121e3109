//! The DynamoDB table of locks and finished ids: made, completed, left alone, and taken away.

use super::{setup, writes};
use crate::support::{
    PATIENCE, aws,
    daemon::longshore,
    emulator::{Emulator, embedded, ministack},
    eventually,
    proxy::{Fault, Gate, Proxy},
};
use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
        ScalarAttributeType, TimeToLiveSpecification,
    },
};
use std::time::{SystemTime, UNIX_EPOCH};

const TABLE: &str = "[queue.orders]\nqueue = \"orders\"\nhandler.exec.command = [\"true\"]\n\
                     [idempotency]\nstore = \"dynamodb\"\ntable = \"locks\"\n";
const MADE: &str = "create table locks: key id, time to live by expires";

async fn by_hand(dynamodb: &Client, key: &str) {
    let definition = AttributeDefinition::builder().attribute_name(key);
    let definition = definition.attribute_type(ScalarAttributeType::S).build().unwrap();
    let schema = KeySchemaElement::builder().attribute_name(key).key_type(KeyType::Hash);
    let create = dynamodb.create_table().table_name("locks").attribute_definitions(definition);
    let create = create.key_schema(schema.build().unwrap());
    create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
}

/// The attribute by which what has ended is cleared away.
async fn cleared_by(dynamodb: &Client) -> Option<String> {
    let asked = dynamodb.describe_time_to_live().table_name("locks").send().await.unwrap();
    asked.time_to_live_description.unwrap().attribute_name
}

async fn exists(dynamodb: &Client) -> bool {
    let tables = dynamodb.list_tables().send().await.unwrap();
    tables.table_names().iter().any(|name| name == "locks")
}

/// An item that ends so many seconds from now.
async fn put(dynamodb: &Client, seconds: i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let end = i64::try_from(now.as_millis()).unwrap() + seconds * 1000;
    let put = dynamodb.put_item().table_name("locks");
    let put = put.item("id", AttributeValue::S("sqs:done:orders:1".to_owned()));
    let put = put.item("expires_ms", AttributeValue::N(end.to_string()));
    put.send().await.unwrap();
}

fn both() -> [Emulator; 2] {
    [embedded(), ministack()]
}

#[tokio::test]
async fn a_table_is_made_with_its_time_to_live_and_nothing_twice() {
    for server in both() {
        let (endpoint, dynamodb) = (server.endpoint(), aws::dynamodb(&server.endpoint()));
        let planned = Proxy::start(&endpoint);
        setup(TABLE, &[], &planned.endpoint()).expect(0, &[&format!("plan  {MADE}")]);
        assert_eq!(writes(&planned), [""; 0]);
        setup(TABLE, &["--yes"], &endpoint).expect(0, &[&format!("done  {MADE}")]);
        assert_eq!(cleared_by(&dynamodb).await.as_deref(), Some("expires"));
        let again = Proxy::start(&endpoint);
        setup(TABLE, &["--yes"], &again.endpoint()).expect(0, &["nothing to do"]);
        assert_eq!(writes(&again), [""; 0]);
        let check = longshore(["check", "--config", "c.toml"]).file("c.toml", TABLE);
        let told = check.endpoint(&endpoint).finish();
        told.expect(0, &["ok    idempotency: the DynamoDB table locks keeps locks"]);
    }
}

#[tokio::test]
async fn a_table_that_is_there_is_completed_and_never_taken_away() {
    for server in both() {
        let (endpoint, dynamodb) = (server.endpoint(), aws::dynamodb(&server.endpoint()));
        by_hand(&dynamodb, "id").await;
        let changed = "change table locks: time to live by expires";
        let proxy = Proxy::start(&endpoint);
        let told = setup(TABLE, &["--yes"], &proxy.endpoint());
        told.expect(0, &[&format!("done  {changed}")]);
        assert_eq!(writes(&proxy), ["CreateQueue", "UpdateTimeToLive"]);
        assert_eq!(cleared_by(&dynamodb).await.as_deref(), Some("expires"));
        setup(TABLE, &["--yes"], &endpoint).expect(0, &["nothing to do"]);
        let gone = setup(TABLE, &["--destroy", "--yes"], &endpoint);
        gone.expect(0, &["note  table locks stays: setup did not make it"]);
        assert!(exists(&dynamodb).await);
    }
}

#[tokio::test]
async fn a_table_with_another_key_is_refused_and_another_time_to_live_noted() {
    let server = embedded();
    let (endpoint, dynamodb) = (server.endpoint(), aws::dynamodb(&server.endpoint()));
    by_hand(&dynamodb, "name").await;
    let proxy = Proxy::start(&endpoint);
    let refused = setup(TABLE, &["--yes"], &proxy.endpoint());
    assert_ne!(refused.code, 0);
    for word in ["key of the DynamoDB table locks", "name another table in [idempotency]"] {
        assert!(refused.said().contains(word), "{}", refused.said());
    }
    assert_eq!(writes(&proxy), [""; 0]);

    dynamodb.delete_table().table_name("locks").send().await.unwrap();
    by_hand(&dynamodb, "id").await;
    let by = TimeToLiveSpecification::builder().enabled(true).attribute_name("theirs");
    let update = dynamodb.update_time_to_live().table_name("locks");
    update.time_to_live_specification(by.build().unwrap()).send().await.unwrap();
    let noted = setup(TABLE, &["--yes"], &endpoint);
    noted.expect(0, &["note  table locks clears away by the attribute theirs, not expires"]);
    assert_eq!(cleared_by(&dynamodb).await.as_deref(), Some("theirs"));
}

#[tokio::test]
async fn destroying_takes_the_table_away_once_nothing_in_it_stands_any_more() {
    for server in both() {
        let (endpoint, dynamodb) = (server.endpoint(), aws::dynamodb(&server.endpoint()));
        setup(TABLE, &["--yes"], &endpoint).expect(0, &["done"]);
        put(&dynamodb, 3600).await;
        let proxy = Proxy::start(&endpoint);
        let refused = setup(TABLE, &["--destroy", "--yes"], &proxy.endpoint());
        refused.expect(75, &["table locks is not empty", "nothing was deleted"]);
        assert_eq!(writes(&proxy), [""; 0]);
        // DynamoDB clears away days later what has ended.
        put(&dynamodb, -1).await;
        let done = setup(TABLE, &["--destroy", "--yes"], &endpoint);
        done.expect(0, &["done  delete table locks"]);
        assert!(!exists(&dynamodb).await);
        setup(TABLE, &["--destroy", "--yes"], &endpoint).expect(0, &["nothing to do"]);
    }
}

/// DynamoDB takes its time to delete, and keeps the name meanwhile.
#[tokio::test]
async fn a_table_that_is_being_deleted_is_waited_for_and_made_anew() {
    let server = embedded();
    let dynamodb = aws::dynamodb(&server.endpoint());
    by_hand(&dynamodb, "id").await;
    let told = dynamodb.describe_table().table_name("locks").send().await.unwrap().table.unwrap();
    let going = format!(
        r#"{{"Table":{{"TableName":"locks","TableStatus":"DELETING","TableArn":"{}"}}}}"#,
        told.table_arn.unwrap()
    );
    let proxy = Proxy::start(&server.endpoint());
    // The plan's look, and those of two rounds of making it.
    proxy.on(4, |seen| seen.operation() == "DescribeTable", Fault::Answer(200, going));
    let refused = Gate::closed();
    proxy.on(1, |seen| seen.operation() == "CreateTable", Fault::HoldReply(refused.clone()));
    let making = std::thread::spawn({
        let endpoint = proxy.endpoint();
        move || setup(TABLE, &["--yes"], &endpoint)
    });
    eventually("the first try is refused", PATIENCE, || refused.arrived() == 1);
    dynamodb.delete_table().table_name("locks").send().await.unwrap();
    refused.open();
    making.join().unwrap().expect(0, &[&format!("done  {MADE}")]);
    assert_eq!(cleared_by(&dynamodb).await.as_deref(), Some("expires"));
    assert_eq!(proxy.of("CreateTable").len(), 2);
}
