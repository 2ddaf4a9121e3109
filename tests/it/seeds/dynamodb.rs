//! pylon's `Table`, and what AWSimple tells of caching a table.

use crate::support::{
    aws,
    emulator::{Emulator, embedded, ministack},
};
use futures_util::TryStreamExt;
use longshore::toolkit::dynamodb::{DEFAULT_MAX_AGE, KeyAttribute, Schema, Table};
use serde_json::json;

async fn table(server: &Emulator) -> Table {
    let directory = tempfile::tempdir().unwrap().keep();
    let table = Table::new(aws::dynamodb(&server.endpoint()), "my-table").cache_in(directory);
    table.create(&Schema::new(KeyAttribute::number("id"))).await.unwrap();
    table
}

async fn pylons_examples(server: Emulator) {
    let table = table(&server).await;
    let value = json!({ "id": 50, "some": "other", "cool": "values", "ttl": 1_234_567_890 });
    table.put(&value).await.unwrap();
    let got = table.get(&json!({ "id": 50 })).await.unwrap().unwrap();
    assert_eq!(got.to::<serde_json::Value>().unwrap(), value);
    for (id, some, cool) in [(51, "a", "b"), (52, "c", "d"), (53, "e", "f")] {
        table
            .put(&json!({ "id": id, "some": some, "cool": cool, "ttl": 1_234_567_890 }))
            .await
            .unwrap();
    }
    let mut all: Vec<String> = table.scan().map_ok(|item| item.json()).try_collect().await.unwrap();
    all.sort();
    let item = |id, some, cool| {
        format!(r#"{{"cool":"{cool}","id":{id},"some":"{some}","ttl":1234567890}}"#)
    };
    let expected =
        [item(51, "a", "b"), item(52, "c", "d"), item(53, "e", "f"), item(50, "other", "values")];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(all, expected);
    table.delete(&json!({ "id": 50 })).await.unwrap();
    assert_eq!(table.get(&json!({ "id": 50 })).await.unwrap(), None);
}

#[tokio::test]
async fn pylons_table_on_the_embedded_aws() {
    pylons_examples(embedded()).await;
}

#[tokio::test]
async fn pylons_table_on_ministack() {
    pylons_examples(ministack()).await;
}

/// The table's count decides whether the cache still holds.
async fn awsimples_cached_scan(server: Emulator) {
    let table = table(&server).await;
    table.put(&json!({ "id": 1 })).await.unwrap();
    assert!(!table.scan_cached(DEFAULT_MAX_AGE).await.unwrap().is_hit);
    let cached = table.scan_cached(DEFAULT_MAX_AGE).await.unwrap();
    assert_eq!((cached.is_hit, cached.items.len()), (true, 1));
    let others = Table::new(aws::dynamodb(&server.endpoint()), "my-table").cache_in("/nowhere");
    others.put(&json!({ "id": 2 })).await.unwrap();
    let cached = table.scan_cached(DEFAULT_MAX_AGE).await.unwrap();
    assert_eq!((cached.is_hit, cached.items.len()), (false, 2));
}

#[tokio::test]
async fn awsimples_cached_scan_on_the_embedded_aws() {
    awsimples_cached_scan(embedded()).await;
}

#[tokio::test]
async fn awsimples_cached_scan_on_ministack() {
    awsimples_cached_scan(ministack()).await;
}
