use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::*;
use crate::aws::Aws;
use crate::config;
use crate::error::Kind;
use crate::local::{Local, Options};

struct Ground {
    _local: Local,
    client: aws_sdk_dynamodb::Client,
    directory: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options =
            Options { directory: directory.path().join("aws"), port: 0, next_free: false };
        let local = Local::without_port(options).await.unwrap();
        let aws = Aws::through(local.http_client());
        let endpoint_url = Some(local.endpoint().to_owned());
        let settings = config::Aws { endpoint_url, sealed: true, ..config::Aws::default() };
        let client = aws.connect(&settings).await.unwrap().dynamodb;
        Self { _local: local, client, directory }
    }

    fn table(&self, name: &str) -> Table {
        Table::new(self.client.clone(), name).cache_in(self.directory.path().join("cache"))
    }
}

fn item(text: &str) -> Item {
    Item::from_json(text).unwrap()
}

async fn all(items: impl futures_util::Stream<Item = Result<Item>>) -> Vec<String> {
    items.map_ok(|item| item.json()).try_collect().await.unwrap()
}

#[tokio::test]
async fn an_item_is_there_until_it_is_deleted() {
    let ground = Ground::new().await;
    let table = ground.table("things");
    assert!(!table.exists().await.unwrap());
    table.create(&Schema::new(KeyAttribute::number("id"))).await.unwrap();
    assert!(table.exists().await.unwrap());
    let exact = item(r#"{"id":50,"price":0.10000000000000000000000000000000001,"b":{"B":"x"}}"#);
    table.put(&exact).await.unwrap();
    assert_eq!(table.get(&json!({ "id": 50 })).await.unwrap(), Some(exact));
    assert_eq!(table.get(&json!({ "id": 51 })).await.unwrap(), None);
    assert!(!table.put_if_absent(&json!({ "id": 50, "new": true })).await.unwrap());
    assert!(table.put_if_absent(&json!({ "id": 51, "new": true })).await.unwrap());
    assert_eq!(table.count().await.unwrap(), 2);
    let upserted = table.upsert(&json!({ "id": 51 }), &json!({ "size": 1 })).await.unwrap();
    assert_eq!(upserted.json(), r#"{"id":51,"new":true,"size":1}"#);
    let upserted = table.upsert(&json!({ "id": 52 }), &json!({ "name": "x" })).await.unwrap();
    assert_eq!(upserted.json(), r#"{"id":52,"name":"x"}"#);
    let refused = table.upsert(&json!({ "id": 52 }), &json!({ "id": 53 })).await.unwrap_err();
    assert!(refused.to_string().contains("\"id\", which is the item's key"), "{refused}");
    for _ in 0..2 {
        table.delete(&json!({ "id": 50 })).await.unwrap();
    }
    assert_eq!(table.get(&Item::new().with("id", 50)).await.unwrap(), None);
    assert_eq!(table.delete_all().await.unwrap().written, 2);
    assert_eq!(table.count().await.unwrap(), 0);
    table.destroy().await.unwrap();
    assert!(!table.exists().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_table_is_what_was_asked_for_or_an_error() {
    let ground = Ground::new().await;
    let schema = Schema::new(KeyAttribute::string("name"))
        .sort(KeyAttribute::binary("part"))
        .index(Index::of(KeyAttribute::string("owner")).sort(KeyAttribute::number("at")))
        .index(Index::of(KeyAttribute::number("at")));
    let table = ground.table("things");
    for _ in 0..2 {
        table.create(&schema).await.unwrap();
    }
    let facts = table.describe().await.unwrap();
    let names: Vec<&str> = facts.schema.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!((facts.status.as_str(), names), ("ACTIVE", vec!["at-index", "owner-index"]));
    let other = Schema::new(KeyAttribute::string("name"));
    let error = table.create(&other).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.to_string().contains("describe things"), "{error}");
    let two = Schema::new(KeyAttribute::string("id")).index(Index::of(KeyAttribute::number("id")));
    assert_eq!(ground.table("more").create(&two).await.unwrap_err().kind(), Kind::Usage);
    ground.table("another").create(&other).await.unwrap();
    let names: Vec<String> = list(&ground.client).try_collect().await.unwrap();
    assert_eq!(names, ["another", "things"]);
}

#[tokio::test]
async fn errors_name_the_table_and_the_fix() {
    let ground = Ground::new().await;
    let table = ground.table("nothing");
    let told = table.get(&json!({ "id": 1 })).await.unwrap_err();
    assert_eq!(told.kind(), Kind::Missing);
    let told = told.to_string();
    for part in ["no DynamoDB table nothing in ", "longshore dynamodb create nothing"] {
        assert!(told.contains(part), "{told}");
    }
    for told in [
        table.put(&json!({ "id": 1 })).await.unwrap_err(),
        table.put_all(stream::iter([json!({ "id": 1 })])).await.unwrap_err(),
        table.scan().try_collect::<Vec<_>>().await.unwrap_err(),
        table.destroy().await.unwrap_err(),
        table.refresh().await.unwrap_err(),
    ] {
        assert_eq!(told.kind(), Kind::Missing, "{told}");
    }
    let table = ground.table("things");
    table.create(&Schema::new(KeyAttribute::string("id"))).await.unwrap();
    for (what, told) in [
        ("another type", table.get(&json!({ "id": 1 })).await.unwrap_err()),
        ("another name", table.get(&json!({ "key": "1" })).await.unwrap_err()),
        ("no key", table.put(&json!({ "key": "1" })).await.unwrap_err()),
        ("an empty key", table.put(&json!({ "id": "" })).await.unwrap_err()),
    ] {
        assert_eq!(told.kind(), Kind::Invalid, "{what}: {told}");
        assert!(told.to_string().contains("longshore dynamodb describe things"), "{what}: {told}");
    }
    let told = table.put_if_absent(&json!({ "id": "" })).await.unwrap_err().to_string();
    assert!(told.contains("the key \"id\" is empty"), "{told}");
    let told = table.put(&json!({ "id": "a", "text": "x".repeat(500_000) })).await.unwrap_err();
    assert!(told.to_string().contains("an item of 500007 bytes"), "{told}");
    let wrong = table.query(&Query::equal("id", "a").index("no-index"));
    let told = wrong.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(
        told.to_string().contains("querying index no-index of the DynamoDB table things"),
        "{told}"
    );
}

#[tokio::test]
async fn a_query_finds_its_part_in_order() {
    let ground = Ground::new().await;
    let table = ground.table("days");
    let schema = Schema::new(KeyAttribute::string("sensor"))
        .sort(KeyAttribute::string("day"))
        .index(Index::of(KeyAttribute::string("kind")).sort(KeyAttribute::number("degrees")));
    table.create(&schema).await.unwrap();
    // More than one page of 1 MB.
    let text = "x".repeat(50_000);
    let days = (1..=30).map(|day| {
        json!({ "sensor": "roof", "day": format!("2012-06-{day:02}"), "degrees": 30 - day,
                "kind": if day % 2 == 0 { "even" } else { "odd" }, "text": text })
    });
    let report = table.put_all(stream::iter(days)).await.unwrap();
    assert_eq!((report.written, report.failed.len()), (30, 0));
    table.put(&json!({ "sensor": "cellar", "day": "2012-06-01" })).await.unwrap();
    let days = async |query: Query| -> Vec<String> {
        let days =
            table.query(&query).map_ok(|item| item.get("day").unwrap().as_s().unwrap().clone());
        days.try_collect().await.unwrap()
    };
    let roof = Query::equal("sensor", "roof");
    assert_eq!(days(roof.clone()).await.len(), 30);
    let tens = days(roof.clone().begins_with("day", "2012-06-1")).await;
    assert_eq!((tens.len(), tens[0].as_str()), (10, "2012-06-10"));
    assert_eq!(days(roof.clone().and_equal("day", "2012-06-07")).await, ["2012-06-07"]);
    let some = roof.clone().between("day", "2012-06-28", "2012-07-01").descending();
    assert_eq!(days(some).await, ["2012-06-30", "2012-06-29", "2012-06-28"]);
    assert_eq!(days(roof.clone().descending().most(25)).await.len(), 25);
    let highest = table.highest(&roof).await.unwrap().unwrap();
    assert_eq!(highest.get("day"), Some(&Value::from("2012-06-30").into_sdk()));
    let odd = Query::equal("kind", "odd").index("kind-index");
    assert_eq!(days(odd.clone()).await.len(), 15);
    let lowest = table.lowest(&odd.descending()).await.unwrap().unwrap();
    assert_eq!(lowest.get("degrees"), Some(&Value::from(1).into_sdk()));
    assert_eq!(table.highest(&Query::equal("sensor", "none")).await.unwrap(), None);
    assert_eq!(table.scan().count().await, 31);
}

#[tokio::test]
async fn of_many_the_later_of_a_key_stays_and_each_failure_is_told() {
    let ground = Ground::new().await;
    let table = ground.table("things");
    table.create(&Schema::new(KeyAttribute::number("id"))).await.unwrap();
    let items = (0..130).map(|number| match number {
        3 => json!({ "key": 3 }),
        60 => json!({ "id": "60" }),
        61 => json!({ "id": 61, "text": "x".repeat(500_000) }),
        number => json!({ "id": number % 40, "n": number }),
    });
    let report = table.put_all(stream::iter(items)).await.unwrap();
    let failed: Vec<u64> = report.failed.iter().map(|failed| failed.number).collect();
    assert_eq!((report.written, failed), (127, vec![3, 60, 61]));
    let told: Vec<String> = report.failed.iter().map(|failed| failed.error.to_string()).collect();
    for (told, part) in told.iter().zip(["\"id\" is missing", "type N", "of 500008 bytes"]) {
        assert!(told.contains(part), "{told}");
    }
    for (id, n) in [(0, 120), (9, 129), (10, 90), (39, 119)] {
        let got = table.get(&json!({ "id": id })).await.unwrap().unwrap();
        assert_eq!(got.get("n"), Some(&Value::from(n).into_sdk()));
    }
    // One number, however it is written.
    let same =
        [item(r#"{"id":7,"n":1}"#), item(r#"{"id":7.0,"n":2}"#), item(r#"{"id":0.7e1,"n":3}"#)];
    assert_eq!(table.put_all(stream::iter(same)).await.unwrap().written, 3);
    assert_eq!(all(table.query(&Query::equal("id", 7))).await, [r#"{"id":7,"n":3}"#]);
    let keys = (0..40).map(|id| json!({ "id": id, "more": "is not looked at" }));
    assert_eq!(table.delete_many(stream::iter(keys)).await.unwrap().written, 40);
    assert_eq!(table.count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_cached_scan_is_good_until_somebody_here_writes() {
    const HOURS: Duration = Duration::from_hours(6);
    let ground = Ground::new().await;
    let (table, same) = (ground.table("things"), ground.table("things"));
    let schema = Schema::new(KeyAttribute::string("id"));
    table.create(&schema).await.unwrap();
    let first = json!({ "id": "a", "n": 1 });
    table.put(&first).await.unwrap();
    let hit = async |hit: bool| {
        let cached = table.scan_cached(HOURS).await.unwrap();
        assert_eq!((cached.is_hit, cached.is_kept), (hit, true));
        cached.items.len()
    };
    assert_eq!(hit(false).await, 1);
    assert_eq!(hit(true).await, 1);
    assert!(!table.scan_cached(Duration::ZERO).await.unwrap().is_hit);
    assert_eq!(hit(true).await, 1);
    // The number of items stays, what they are does not; another process has another object.
    same.put(&json!({ "id": "a", "n": 2 })).await.unwrap();
    assert_eq!(hit(false).await, 1);
    assert_eq!(table.scan_cached(HOURS).await.unwrap().items[0].json(), r#"{"id":"a","n":2}"#);
    same.upsert(&json!({ "id": "a" }), &json!({ "n": 3 })).await.unwrap();
    assert_eq!(hit(false).await, 1);
    same.put_all(stream::iter([json!({ "id": "a", "n": 4 })])).await.unwrap();
    assert_eq!(hit(false).await, 1);
    same.put_if_absent(&json!({ "id": "a" })).await.unwrap();
    assert_eq!(hit(false).await, 1);
    assert_eq!(hit(true).await, 1);
    assert!(!table.refresh().await.unwrap().is_hit);
    assert_eq!(hit(true).await, 1);
    // Somebody else, who knows nothing of our cache.
    let elsewhere = Table::new(ground.client.clone(), "things").cache_in("/nowhere");
    elsewhere.put(&json!({ "id": "b" })).await.unwrap();
    assert_eq!(hit(false).await, 2);
    // Another table of the same name, with as many items.
    elsewhere.destroy().await.unwrap();
    elsewhere.create(&schema).await.unwrap();
    for id in ["x", "y"] {
        elsewhere.put(&json!({ "id": id })).await.unwrap();
    }
    assert_eq!(hit(false).await, 2);
    assert_eq!(hit(true).await, 2);
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_done_without() {
    let ground = Ground::new().await;
    let file = ground.directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let table = ground.table("things").cache_in(&file);
    table.create(&Schema::new(KeyAttribute::string("id"))).await.unwrap();
    table.put(&json!({ "id": "a" })).await.unwrap();
    let cached = table.scan_cached(DEFAULT_MAX_AGE).await.unwrap();
    assert_eq!((cached.is_hit, cached.is_kept, cached.items.len()), (false, false, 1));
    // One that is there, and cannot be told that it is outdated.
    let table = ground.table("things");
    assert!(table.scan_cached(DEFAULT_MAX_AGE).await.unwrap().is_kept);
    let cache = ground.directory.path().join("cache");
    let mark = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let mark = mark.into_iter().find(|path| path.extension().is_some_and(|end| end == "mark"));
    let mark = mark.unwrap();
    std::fs::remove_file(&mark).unwrap();
    std::fs::create_dir(&mark).unwrap();
    let told = table.put(&json!({ "id": "b" })).await.unwrap_err();
    assert_eq!(told.kind(), Kind::File, "{told}");
    assert_eq!(table.count().await.unwrap(), 1, "nothing is written that a reader is not told of");
}
