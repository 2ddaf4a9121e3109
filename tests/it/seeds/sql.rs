//! pylon's RDS: `DatabaseConnection`.

use crate::sql::record;
use crate::support::database::{Database as Server, mariadb, postgres};
use futures_util::TryStreamExt;
use longshore::{
    config::{DatabaseServer, Secret, SqlProtocol},
    toolkit::sql::{Clause, Database, Operator},
};
use serde_json::{Value, json};

async fn examples(server: &Server, protocol: SqlProtocol, quote: char) {
    server.sql(&format!(
        "CREATE SCHEMA IF NOT EXISTS {quote}my-schema{quote}; \
         CREATE TABLE {quote}my-schema{quote}.{quote}table-that-exists{quote} (id INT PRIMARY KEY, \
         {quote}first-field{quote} VARCHAR(20), {quote}second-field{quote} VARCHAR(20)); \
         CREATE TABLE {quote}my-schema{quote}.another (id INT PRIMARY KEY, \
         {quote}some-foreign-key{quote} VARCHAR(20), {quote}dimUTCTimestamp{quote} BIGINT, \
         {quote}another-field{quote} VARCHAR(20))"
    ));
    let password = Secret::new(crate::support::database::PASSWORD);
    let mut place = DatabaseServer::new("127.0.0.1", crate::support::database::USER, password);
    assert_eq!(place.protocol, SqlProtocol::Mysql);
    (place.protocol, place.port) = (protocol, server.port);
    place.database = Some("shop".to_owned());
    let database = Database::new(place);

    assert!(database.table_exists("my-schema", "table-that-exists").await.unwrap());
    assert!(!database.table_exists("my-schema", "table-that-does-not-exist").await.unwrap());

    let records = [
        json!({"id": 1, "first-field": "hi", "second-field": "hello"}),
        json!({"id": 1, "first-field": "yo", "second-field": "sup"}),
    ];
    let insert = async |records: &[Value], table| {
        let records = records.iter().cloned().map(record);
        database.insert_or_ignore("my-schema", table, records).await.unwrap()
    };
    let told = insert(&records, "table-that-exists").await;
    assert_eq!((told.inserted, told.skipped), (1, 1));
    let fetch = async |table, clauses: &[Clause]| {
        let rows = database.fetch("my-schema", table, clauses).await.unwrap();
        let mut rows: Vec<Value> = rows.map_ok(Value::Object).try_collect().await.unwrap();
        rows.sort_by_key(|row| row["id"].as_i64());
        rows
    };
    assert_eq!(fetch("table-that-exists", &[]).await, records[..1]);

    let row = |id: i64, key: &str, stamp: i64, field: &str| json!({"id": id, "some-foreign-key": key, "dimUTCTimestamp": stamp, "another-field": field});
    let wanted = [
        row(1, "abcd", 123_456_789, "hello"),
        row(2, "abcd", 123_456_790, "hi"),
        row(3, "abcd", 123_456_791, "yo"),
        row(4, "abcd", 123_456_792, "sup"),
    ];
    insert(&wanted, "another").await;
    insert(&[row(5, "abcd", 123_456_788, "old"), row(6, "dcba", 123_456_793, "other")], "another")
        .await;
    let clauses: Vec<Clause> = serde_json::from_value(json!([
        {"key": "some-foreign-key", "op": "eq", "value": "abcd"},
        {"key": "dimUTCTimestamp", "op": "ge", "value": 123_456_789},
    ]))
    .unwrap();
    assert_eq!(clauses[0], Clause::new("some-foreign-key", Operator::Eq, "abcd"));
    assert_eq!(fetch("another", &clauses).await, wanted);
    let unknown = json!({"key": "a", "op": "contains", "value": 1});
    let wrong = serde_json::from_value::<Clause>(unknown).unwrap_err().to_string();
    assert!(wrong.contains("\"contains\" is no operator; there are eq, ne, lt, le"), "{wrong}");
}

#[tokio::test]
async fn rds_on_mariadb() {
    examples(&mariadb(), SqlProtocol::Mysql, '`').await;
}

#[tokio::test]
async fn rds_on_postgresql() {
    examples(&postgres(), SqlProtocol::Postgresql, '"').await;
}
