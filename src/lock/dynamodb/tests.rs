//! The table in the embedded DynamoDB, and where there is none.

use std::time::Duration;

use super::super::{Attempt, Store, check};
use super::table::{create, describe};
use crate::aws::{Aws, Connection};
use crate::config::{self, DynamodbTable, Idempotency, IdempotencyStore};
use crate::error::Kind;
use crate::finding::Health;
use crate::local::{Local, Options};

async fn local() -> (Local, Aws, config::Aws, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { directory: directory.path().to_owned(), port: 0, next_free: false };
    let local = Local::without_port(options).await.unwrap();
    let aws = Aws::through(local.http_client());
    let endpoint_url = Some(local.endpoint().to_owned());
    let settings = config::Aws { endpoint_url, sealed: true, ..config::Aws::default() };
    (local, aws, settings, directory)
}

async fn told(aws: &Aws, settings: &config::Aws) -> Vec<(Health, String)> {
    let table = DynamodbTable { name: "locks".to_owned(), aws: settings.clone() };
    let settings = Idempotency::new(IdempotencyStore::Dynamodb(table));
    let findings = check(&settings, aws).await;
    findings.into_iter().map(|finding| (finding.health, format!("{finding:?}"))).collect()
}

#[tokio::test]
async fn a_probe_does_all_of_it_once() {
    let (_local, aws, settings, _directory) = local().await;
    let connection = aws.connect(&settings).await.unwrap();
    create(&connection, "locks", None).await.unwrap();
    let store = Store::dynamodb(aws, settings, "locks".to_owned());
    store.probe().await.unwrap();
    let left = connection.dynamodb.scan().table_name("locks").send().await.unwrap();
    assert!(left.items().iter().all(|item| item["id"].as_s().unwrap().contains(":done:")));
}

#[tokio::test(start_paused = true)]
async fn a_table_is_made_once_and_a_foreign_one_refused() {
    let (_local, aws, settings, _directory) = local().await;
    let connection = aws.connect(&settings).await.unwrap();
    assert_eq!(describe(&connection, "locks").await.unwrap(), None);
    let (health, text) = told(&aws, &settings).await.remove(0);
    assert_eq!(health, Health::Broken);
    assert!(text.contains("no DynamoDB table locks") && text.contains("longshore setup"), "{text}");
    for _ in 0..2 {
        create(&connection, "locks", None).await.unwrap();
        let table = describe(&connection, "locks").await.unwrap().unwrap();
        assert!(table.is_active && table.has_key && table.is_cleared(), "{table:?}");
    }
    let found = told(&aws, &settings).await;
    assert!(found.iter().all(|(health, _)| *health == Health::Good), "{found:?}");
    by_hand(&connection, "foreign", "key").await;
    assert_eq!(create(&connection, "foreign", None).await.unwrap_err().kind(), Kind::Conflict);
    assert!(!describe(&connection, "foreign").await.unwrap().unwrap().has_key);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_never_cleared_is_noted_and_completed() {
    let (_local, aws, settings, _directory) = local().await;
    let connection = aws.connect(&settings).await.unwrap();
    by_hand(&connection, "locks", "id").await;
    let found = told(&aws, &settings).await;
    assert!(
        found.iter().any(|(health, text)| {
            *health == Health::Limited && text.contains("attribute expires")
        }),
        "{found:?}"
    );
    create(&connection, "locks", None).await.unwrap();
    assert!(describe(&connection, "locks").await.unwrap().unwrap().is_cleared());
}

async fn by_hand(connection: &Connection, name: &str, key: &str) {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let definition = AttributeDefinition::builder().attribute_name(key);
    let definition = definition.attribute_type(ScalarAttributeType::S).build().unwrap();
    let schema = KeySchemaElement::builder().attribute_name(key).key_type(KeyType::Hash);
    let create = connection.dynamodb.create_table().table_name(name);
    let create = create.attribute_definitions(definition).key_schema(schema.build().unwrap());
    create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_missing_table_is_named_with_the_way_to_make_it() {
    let (_local, aws, settings, _directory) = local().await;
    let store = Store::dynamodb(aws, settings, "locks".to_owned());
    let lease = Duration::from_secs(10);
    for error in [
        store.lock("key", lease).await.map(drop).unwrap_err(),
        store.finish("key", lease).await.unwrap_err(),
        store.is_finished("key").await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Missing);
        let text = error.to_string();
        assert!(text.contains("no DynamoDB table locks") && text.contains("longshore setup"));
    }
}

/// A port that takes connections and never answers.
#[tokio::test]
async fn a_silent_endpoint_never_hangs_a_message() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint_url = Some(format!("http://{}", silent.local_addr().unwrap()));
    let settings = config::Aws { endpoint_url, sealed: true, ..config::Aws::default() };
    let store = Store::dynamodb(Aws::new(), settings, "locks".to_owned());
    let asked = store.lock("key", Duration::from_secs(10));
    // Two seconds, on a machine that has nothing else to do.
    let answer = tokio::time::timeout(Duration::from_mins(1), asked).await.expect("an end");
    let error = answer.map(drop).unwrap_err();
    assert_eq!(error.kind(), Kind::Transient);
    assert!(error.to_string().contains("no answer in time"), "{error}");
    assert!(error.kind().passes_by_itself());
}

/// Clocks of two hosts are not one: what has just ended here may not have ended there.
#[tokio::test]
async fn a_lock_that_has_just_ended_is_left_alone_for_a_second() {
    let (_local, aws, settings, _directory) = local().await;
    let connection = aws.connect(&settings).await.unwrap();
    create(&connection, "locks", None).await.unwrap();
    let store = Store::dynamodb(aws, settings, "locks".to_owned());
    for n in 0.. {
        let key = format!("key {n}");
        let Ok(Attempt::Held(first)) = store.lock(&key, Duration::from_millis(50)).await else {
            assert!(n < 20, "the answer always takes longer than the lock stands");
            continue;
        };
        tokio::time::sleep_until(first.until + Duration::from_millis(10)).await;
        let second = store.lock(&key, Duration::from_secs(10)).await.unwrap();
        if let Attempt::Busy(left) = second {
            assert!(left > Duration::ZERO && left <= Duration::from_secs(1), "{left:?}");
            return;
        }
        // Where the machine stood still for that second, it is right to take it over.
        let since = first.until.elapsed();
        assert!(n < 20 && since >= Duration::from_millis(900), "taken over after {since:?}");
    }
}
