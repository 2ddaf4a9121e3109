//! What goes in comes out: every type, exactly.

use super::{connect, fetched, record};
use crate::support::database::{mariadb, postgres};
use longshore::toolkit::sql::{Clause, Operator};
use serde_json::{Value, json};
use std::slice;

#[tokio::test]
async fn every_type_of_mariadb_comes_back_as_it_was() {
    let server = mariadb();
    server.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, tiny BOOLEAN, big BIGINT, huge BIGINT UNSIGNED, \
         money DECIMAL(30,10), single FLOAT, wide DOUBLE, short VARCHAR(40), fixed CHAR(4), \
         long_text LONGTEXT, latin VARCHAR(10) CHARACTER SET latin1, raw VARBINARY(300), \
         `blob` LONGBLOB, doc JSON, day DATE, clock TIME(3), moment DATETIME(6), stamp TIMESTAMP(3) \
         NULL, y YEAR, mood ENUM('good','bad'), tags SET('a','b'), bits BIT(10), u UUID, \
         absent INT)",
    );
    let whole = record(json!({
        "id": -1, "tiny": 1, "big": i64::MIN, "huge": u64::MAX,
        "money": "12345678901234567890.1234567890", "single": 0.1, "wide": 0.1,
        "short": "naïve 😀 \\ ' \"", "fixed": "ab", "long_text": "x".repeat(70_000), "latin": "é",
        "raw": "AP8=", "blob": "", "doc": {"a": [1, null, "x"]}, "day": "2026-01-31",
        "clock": "23:59:59.125", "moment": "2026-01-31T12:00:00.123456",
        "stamp": "2026-01-31T12:00:00.500+00:00", "y": 2026, "mood": "bad", "tags": "a,b",
        "bits": 1023, "u": "0190a5e0-0000-7000-8000-000000000001", "absent": null,
    }));
    let database = connect(&server);
    let told = database.insert_or_ignore("shop", "t", [whole.clone()]).await.unwrap();
    assert_eq!((told.inserted, told.skipped), (1, 0));
    assert_eq!(fetched(&database, "t", &[]).await, slice::from_ref(&whole));

    // The same by another hand: what was written is what MariaDB itself sees.
    let seen = server.sql("SELECT huge, money, moment, stamp, HEX(raw), bits + 0 FROM t");
    let seen: Vec<&str> = seen.trim_end().split('\t').collect();
    assert_eq!(seen[..2], ["18446744073709551615", "12345678901234567890.1234567890"]);
    assert_eq!((seen[2], seen[4], seen[5]), ("2026-01-31 12:00:00.123456", "00FF", "1023"));

    // Every column but the document is found by its own value, big numbers by their last digit.
    for (name, value) in whole.iter().filter(|(_, value)| !value.is_null()) {
        let clause = |value: &Value| [Clause::new(name, Operator::Eq, value.clone())];
        if ["doc", "single"].contains(&&**name) {
            continue;
        }
        assert_eq!(fetched(&database, "t", &clause(value)).await.len(), 1, "{name} = {value}");
    }
    for (name, value) in [("huge", json!(u64::MAX - 1)), ("money", json!("12345678901234567890.1"))]
    {
        let clause = [Clause::new(name, Operator::Le, value)];
        assert_eq!(fetched(&database, "t", &clause).await.len(), 0, "{name}");
    }

    // A time zone is taken off; a column that is left out gets its default.
    let zoned = record(json!({"id": 2, "moment": "2026-01-31T12:00:00+05:30",
                              "stamp": "2026-01-31T00:00:00-01:00"}));
    database.insert_or_ignore("shop", "t", [zoned]).await.unwrap();
    let two = &fetched(&database, "t", &[Clause::new("id", Operator::Eq, 2)]).await[0];
    assert_eq!(two["moment"], "2026-01-31T06:30:00.000000");
    assert_eq!(
        (&two["stamp"], &two["big"]),
        (&json!("2026-01-31T01:00:00.000+00:00"), &Value::Null)
    );
}

#[tokio::test]
async fn every_type_of_postgresql_comes_back_as_it_was() {
    let server = postgres();
    server.sql(
        "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN price AS numeric CHECK (VALUE > 0); \
         CREATE TABLE t (id int PRIMARY KEY, yes boolean, small smallint, big bigint, \
         money numeric, price price, single real, wide double precision, short varchar(40), \
         fixed char(4), long_text text, raw bytea, doc json, docb jsonb, day date, clock time(3), \
         moment timestamp, stamp timestamptz, span interval, mood mood, u uuid, address inet, \
         list int[], bits bit(4), absent int)",
    );
    let whole = record(json!({
        "id": -1, "yes": true, "small": -32768, "big": i64::MAX,
        "money": "12345678901234567890123456789.12345678901234567890", "price": "0.10",
        "single": 0.1, "wide": 0.1, "short": "naïve 😀 \\ ' \"", "fixed": "ab",
        "long_text": "x".repeat(70_000), "raw": "AP8=", "doc": {"a": [1, null, "x"]},
        "docb": "text", "day": "2026-01-31", "clock": "23:59:59.125",
        "moment": "2026-01-31T12:00:00.123456", "stamp": "2026-01-31T12:00:00.5+00:00",
        "span": "1 day 02:00:00", "mood": "bad", "u": "0190a5e0-0000-7000-8000-000000000001",
        "address": "10.0.0.1/32", "list": "{1,2}", "bits": "1010", "absent": null,
    }));
    let database = connect(&server);
    let told = database.insert_or_ignore("shop", "t", [whole.clone()]).await.unwrap();
    assert_eq!((told.inserted, told.skipped), (1, 0));
    assert_eq!(fetched(&database, "t", &[]).await, slice::from_ref(&whole));
    let seen = server.sql("SELECT money, encode(raw, 'hex'), moment, docb FROM t");
    let seen: Vec<&str> = seen.trim_end().split('\t').collect();
    assert_eq!(seen[0], "12345678901234567890123456789.12345678901234567890");
    assert_eq!(seen[1..], ["00ff", "2026-01-31 12:00:00.123456", "\"text\""]);
    for (name, value) in whole.iter().filter(|(_, value)| !value.is_null()) {
        if ["doc", "docb"].contains(&&**name) {
            continue;
        }
        let clause = [Clause::new(name, Operator::Eq, value.clone())];
        assert_eq!(fetched(&database, "t", &clause).await.len(), 1, "{name} = {value}");
    }

    // What has no number in JSON, or no date.
    let odd = record(json!({
        "id": 2, "money": "NaN", "single": "Infinity", "wide": "-Infinity", "day": "infinity",
        "moment": "-infinity", "stamp": "infinity",
    }));
    database.insert_or_ignore("shop", "t", [odd.clone()]).await.unwrap();
    let two = &fetched(&database, "t", &[Clause::new("id", Operator::Eq, 2)]).await[0];
    for (name, value) in &odd {
        assert_eq!(&two[name], value, "{name}");
    }
    let zoned = record(json!({"id": 3, "moment": "2026-01-31T12:00:00+05:30"}));
    database.insert_or_ignore("shop", "t", [zoned]).await.unwrap();
    let three = &fetched(&database, "t", &[Clause::new("id", Operator::Eq, 3)]).await[0];
    assert_eq!(three["moment"], "2026-01-31T06:30:00");
}
