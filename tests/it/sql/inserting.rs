//! Many records, bad records, records that are there already.

use super::{connect, fetched, record};
use crate::support::{
    PATIENCE,
    database::{Database as Server, Kind, mariadb, postgres},
    eventually,
};
use longshore::{
    error::Kind as Fault,
    toolkit::sql::{Clause, Operator, Record},
};
use serde_json::{Value, json};

async fn takes_any_number(server: &Server) {
    server.sql("CREATE TABLE many (id INT PRIMARY KEY, a INT DEFAULT 7, b TEXT)");
    let database = connect(server);
    let numbered = |id: i64| match id % 3 {
        // Records of differing columns, in no order.
        0 => record(json!({"id": id, "a": id})),
        1 => record(json!({"b": format!("text {id}"), "id": id})),
        _ => record(json!({"id": id, "a": null, "b": null})),
    };
    let told = database.insert_or_ignore("shop", "many", (0..4000).map(numbered)).await.unwrap();
    assert_eq!((told.inserted, told.skipped), (4000, 0));
    let told = database.insert_or_ignore("shop", "many", (3000..5000).map(numbered)).await.unwrap();
    assert_eq!((told.inserted, told.skipped), (1000, 1000));
    assert_eq!(server.sql("SELECT COUNT(*), COUNT(a), MIN(a) FROM many").trim(), "5000\t3334\t0");
    assert_eq!(server.sql("SELECT a FROM many WHERE id = 4").trim(), "7", "its default");

    // 300 columns and 500 rows are more values than a statement may have, and 40 texts of 60 kB
    // more bytes.
    let columns: Vec<String> = (0..300).map(|n| format!("c{n} SMALLINT")).collect();
    server.sql(&format!("CREATE TABLE wide (id INT PRIMARY KEY, {})", columns.join(", ")));
    let wide = (0..500).map(|id| {
        let mut row: Record = (0..300).map(|n| (format!("c{n}"), json!(n))).collect();
        row.insert("id".to_owned(), json!(id));
        row
    });
    assert_eq!(database.insert_or_ignore("shop", "wide", wide).await.unwrap().inserted, 500);
    let large = (5000..5040).map(|id| record(json!({"id": id, "b": "x".repeat(60_000)})));
    assert_eq!(database.insert_or_ignore("shop", "many", large).await.unwrap().inserted, 40);
    let all = fetched(&database, "many", &[]).await;
    assert_eq!(all.len(), 5040);
    // Clauses hold together.
    let clauses = [
        Clause::new("id", Operator::Ge, 10),
        Clause::new("id", Operator::Lt, 20),
        Clause::new("b", Operator::Ne, json!(null)),
    ];
    let some: Vec<_> = fetched(&database, "many", &clauses).await;
    assert_eq!(some.iter().map(|row| row["id"].clone()).collect::<Vec<_>>(), [10, 13, 16, 19]);
    // A stream that is dropped early leaves nothing behind that the next one would trip over.
    for _ in 0..25 {
        drop(database.fetch("shop", "many", &[]).await.unwrap());
    }
    assert_eq!(fetched(&database, "many", &[]).await.len(), 5040);
}

#[tokio::test]
async fn any_number_goes_into_mariadb() {
    takes_any_number(&mariadb()).await;
}

#[tokio::test]
async fn any_number_goes_into_postgresql() {
    takes_any_number(&postgres()).await;
}

/// Each of them in a chunk of 300 good ones, as its 200th.
async fn names_the_bad_one(server: &Server) {
    server.sql("CREATE TABLE people (name VARCHAR(10) PRIMARY KEY)");
    server.sql("INSERT INTO people VALUES ('ann')");
    server.sql(
        "CREATE TABLE notes (id INT PRIMARY KEY, code INT UNIQUE, size SMALLINT CHECK (size < 100), \
         who VARCHAR(10) NOT NULL, FOREIGN KEY (who) REFERENCES people (name))",
    );
    server.sql("INSERT INTO notes VALUES (9000, 9000, 1, 'ann')");
    let database = connect(server);
    let good = |id: i64| record(json!({"id": id, "code": id, "size": 1, "who": "ann"}));
    let bad = [
        ("too long", json!({"id": 200, "code": 200, "size": 1, "who": "somebody else entirely"})),
        ("foreign key", json!({"id": 200, "code": 200, "size": 1, "who": "bob"})),
        ("null", json!({"id": 200, "code": 200, "size": 1, "who": null})),
        ("out of range", json!({"id": 200, "code": 200, "size": 70_000, "who": "ann"})),
        ("check", json!({"id": 200, "code": 200, "size": 100, "who": "ann"})),
        ("type", json!({"id": 200, "code": "x", "size": 1, "who": "ann"})),
        ("another key", json!({"id": 200, "code": 9000, "size": 1, "who": "ann"})),
        ("another key of the same chunk", json!({"id": 200, "code": 3, "size": 1, "who": "ann"})),
        ("unknown column", json!({"id": 200, "code": 200, "size": 1, "who": "ann", "x": 1})),
        ("no key", json!({"code": 200, "size": 1, "who": "ann"})),
        ("null key", json!({"id": null, "code": 200, "size": 1, "who": "ann"})),
    ];
    for (what, bad) in bad {
        let bad = record(bad);
        let records = (1..=300).map(|id| if id == 200 { bad.clone() } else { good(id) });
        let error = database.insert_or_ignore("shop", "notes", records).await.unwrap_err();
        assert_eq!(error.kind(), Fault::Invalid, "{what}: {error}");
        let told = error.to_string();
        assert!(
            told.starts_with("record 200 does not go into table shop.notes: "),
            "{what}: {told}"
        );
        assert_eq!(server.sql("SELECT COUNT(*) FROM notes").trim(), "1", "{what}: half a chunk");
    }
    // Nor is one lost because another one of its key follows.
    let both = [9000, 2000].map(|code| json!({"id": 200, "code": code, "size": 1, "who": "ann"}));
    let error = database.insert_or_ignore("shop", "notes", both.map(record)).await.unwrap_err();
    assert!(error.to_string().starts_with("record 1 "), "{error}");
    assert_eq!(server.sql("SELECT COUNT(*) FROM notes").trim(), "1");
    leaves_no_transaction(server);
    goes_on_where_it_ended(server).await;
    // A record of a known key is skipped, whatever else it says; and of two the first wins.
    let again = [
        json!({"id": 1, "code": 9000, "size": 1, "who": "ann"}),
        json!({"id": 1000, "code": 1000, "size": 5, "who": "ann"}),
        json!({"id": 1000, "code": 1001, "size": 6, "who": "ann"}),
    ];
    let told = database.insert_or_ignore("shop", "notes", again.map(record)).await.unwrap();
    assert_eq!((told.inserted, told.skipped), (1, 2));
    assert_eq!(server.sql("SELECT size FROM notes WHERE id = 1000").trim(), "5");
    assert_eq!(server.sql("SELECT code FROM notes WHERE id = 1").trim(), "1");
}

/// Those of the chunks before are in, and nothing is lost by inserting again.
async fn goes_on_where_it_ended(server: &Server) {
    let database = connect(server);
    let good = |id: i64| record(json!({"id": id, "code": id, "size": 1, "who": "ann"}));
    let records = |last: Value| {
        let last = record(last);
        (1..=900).map(move |id| if id == 800 { last.clone() } else { good(id) })
    };
    let wrong = json!({"id": 800, "code": 800, "size": 1, "who": "bob"});
    let error = database.insert_or_ignore("shop", "notes", records(wrong.clone())).await;
    let told = error.unwrap_err().to_string();
    assert!(told.starts_with("record 800 ") && told.contains("what is in is skipped"), "{told}");
    assert_eq!(server.sql("SELECT COUNT(*) FROM notes").trim(), "501");
    let right = json!({"id": 800, "code": 800, "size": 1, "who": "ann"});
    let told = database.insert_or_ignore("shop", "notes", records(right)).await.unwrap();
    assert_eq!((told.inserted, told.skipped), (400, 500));
}

/// Whatever went wrong: no connection that serves the next one still is in one.
fn leaves_no_transaction(server: &Server) {
    let open = match server.kind {
        Kind::Mariadb => "SELECT COUNT(*) FROM information_schema.INNODB_TRX",
        Kind::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        }
    };
    eventually("no transaction is left", PATIENCE, || server.sql(open).trim() == "0");
}

#[tokio::test]
async fn a_bad_record_is_named_on_mariadb() {
    let server = mariadb();
    names_the_bad_one(&server).await;
    // Also one with a letter that the key cannot hold, and one that is more than a packet.
    server.sql(
        "CREATE TABLE old (name VARCHAR(9) CHARACTER SET latin1 PRIMARY KEY, doc LONGTEXT); \
         SET GLOBAL max_allowed_packet = 1048576",
    );
    let database = connect(&server);
    let good = record(json!({"name": "é"}));
    let letter = record(json!({"name": "😀"}));
    let large = record(json!({"name": "large", "doc": "x".repeat(1 << 20)}));
    for (bad, why) in [(letter, "a letter that the character set"), (large, "max_allowed_packet")] {
        let error =
            database.insert_or_ignore("shop", "old", [good.clone(), bad]).await.unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with("record 2 ") && told.contains(why), "{told}");
        assert_eq!(server.sql("SELECT COUNT(*) FROM old").trim(), "0");
    }
}

#[tokio::test]
async fn a_bad_record_is_named_on_postgresql() {
    let server = postgres();
    names_the_bad_one(&server).await;
    // Also one that the server would only refuse at the end of the transaction.
    server.sql(
        "CREATE TABLE late (id int PRIMARY KEY, parent int REFERENCES late \
         DEFERRABLE INITIALLY DEFERRED)",
    );
    let database = connect(&server);
    let late = |id: i64| record(json!({"id": id, "parent": if id == 7 { 99 } else { id }}));
    let error = database.insert_or_ignore("shop", "late", (1..=9).map(late)).await.unwrap_err();
    assert!(error.to_string().starts_with("record 7 "), "{error}");
    assert_eq!(server.sql("SELECT COUNT(*) FROM late").trim(), "0");
}

/// Keys of several columns, with names that need their quotes, and types that round or pad.
async fn knows_any_key(server: &Server, quote: char, types: [&str; 3]) {
    let name =
        |name: &str| format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")));
    let (table, key) = ("select; \"`x`\"", "or`d\"er");
    let [decimal, raw, moment] = types;
    server.sql(&format!(
        "CREATE TABLE {} ({} {decimal}, k2 {raw}, k3 {moment}, other INT UNIQUE, \
         PRIMARY KEY (k3, {}, k2))",
        name(table),
        name(key),
        name(key),
    ));
    let database = connect(server);
    let row = |number: f64, other: i64| {
        record(json!({key: number, "k2": "YWI=", "k3": "2026-01-31T00:00:00", "other": other}))
    };
    let told = database.insert_or_ignore("shop", table, [row(1.25, 1), row(2.0, 2)]).await.unwrap();
    assert_eq!((told.inserted, told.skipped), (2, 0));
    // 1.254 is stored as 1.25, so that it is there.
    let told =
        database.insert_or_ignore("shop", table, [row(1.254, 3), row(3.0, 3)]).await.unwrap();
    assert_eq!((told.inserted, told.skipped), (1, 1));
    let clause = [Clause::new(key, Operator::Gt, "1.25")];
    let found = database.fetch("shop", table, &clause).await.unwrap();
    assert_eq!(futures_util::TryStreamExt::try_collect::<Vec<_>>(found).await.unwrap().len(), 2);
}

#[tokio::test]
async fn any_key_is_known() {
    let types = ["DECIMAL(10,2)", "BINARY(4)", "DATETIME"];
    knows_any_key(&mariadb(), '`', types).await;
    knows_any_key(&postgres(), '"', ["numeric(10,2)", "bytea", "timestamp"]).await;
}

/// Two transactions that take the same locks in different orders: one must give way, and is tried
/// again.
async fn survives_others(server: &Server) {
    server.sql("CREATE TABLE busy (id INT PRIMARY KEY, n INT UNIQUE)");
    let database = connect(server);
    let rows = |up: bool, from: i64| {
        let ids = from..from + 50;
        let mut ids: Vec<i64> = ids.collect();
        if !up {
            ids.reverse();
        }
        ids.into_iter().map(|id| record(json!({"id": id, "n": id})))
    };
    for from in (0..1000).step_by(50) {
        let (up, down) = (rows(true, from), rows(false, from));
        let both = tokio::join!(
            database.insert_or_ignore("shop", "busy", up),
            database.insert_or_ignore("shop", "busy", down),
        );
        both.0.unwrap();
        both.1.unwrap();
    }
    assert_eq!(server.sql("SELECT COUNT(*) FROM busy").trim(), "1000");
}

#[tokio::test]
async fn writers_who_meet_do_no_harm() {
    survives_others(&mariadb()).await;
    survives_others(&postgres()).await;
}

/// Who inserts the same rows at the same moment may be met at another unique key first. The sequence,
/// which no rollback sets back, stands for the moment.
#[tokio::test]
async fn a_key_that_is_taken_for_a_moment_is_no_fault_of_a_record() {
    let server = postgres();
    server.sql(
        "CREATE TABLE met (id INT PRIMARY KEY, n INT UNIQUE); CREATE SEQUENCE moment;
         CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF nextval('moment') = 1 THEN RAISE unique_violation; END IF; RETURN NEW;
         END $$;
         CREATE TRIGGER meets BEFORE INSERT ON met FOR EACH ROW EXECUTE FUNCTION meet()",
    );
    let database = connect(&server);
    let told =
        database.insert_or_ignore("shop", "met", [record(json!({"id": 1, "n": 1}))]).await.unwrap();
    assert_eq!((told.inserted, told.skipped), (1, 0));
    let other = [record(json!({"id": 2, "n": 1}))];
    let error = database.insert_or_ignore("shop", "met", other).await.unwrap_err();
    assert_eq!(error.kind(), Fault::Invalid, "it stays taken: {error}");
}

/// The connection breaks while it lies idle, and in the middle of a stream of records.
async fn survives_a_restart(server: &mut Server) {
    server.sql("CREATE TABLE kept (id INT PRIMARY KEY)");
    let database = connect(server);
    let row = |id: i64| record(json!({"id": id}));
    database.insert_or_ignore("shop", "kept", [row(0)]).await.unwrap();
    let shown = format!("{database:?}");
    assert!(shown.contains("127.0.0.1") && !shown.contains("hu$h"), "{shown}");
    server.kill();
    let error = database.insert_or_ignore("shop", "kept", [row(1)]).await.unwrap_err();
    assert_eq!(error.kind(), Fault::Unreachable, "{error}");
    let told = error.to_string();
    assert!(told.contains(&format!("127.0.0.1:{}", server.port)), "{told}");
    assert!(told.contains("Check host and port") && !told.contains("hu$h"), "{told}");
    server.start();
    // An iterator that ends the server on its way: the chunks after it find it again.
    let records = (0..2000).map(|id| {
        if id == 1200 {
            server.kill();
            server.start();
        }
        row(id)
    });
    let told =
        database.insert_or_ignore("shop", "kept", records.collect::<Vec<_>>()).await.unwrap();
    assert_eq!((told.inserted, told.skipped), (1999, 1));
}

#[tokio::test]
async fn a_restart_of_mariadb_is_survived() {
    survives_a_restart(&mut mariadb()).await;
}

#[tokio::test]
async fn a_restart_of_postgresql_is_survived() {
    survives_a_restart(&mut postgres()).await;
}

#[tokio::test]
async fn tables_without_key_or_transactions_are_refused() {
    for server in [mariadb(), postgres()] {
        server.sql("CREATE TABLE loose (id INT)");
        let database = connect(&server);
        let insert = async |table| {
            let error = database.insert_or_ignore("shop", table, [record(json!({"id": 1}))]).await;
            error.unwrap_err().to_string()
        };
        assert!(insert("loose").await.contains("shop.loose has no primary key"));
        assert!(insert("nowhere").await.contains("there is no table shop.nowhere"));
        if server.kind == Kind::Mariadb {
            server.sql("CREATE TABLE old (id INT PRIMARY KEY) ENGINE = MyISAM");
            assert!(insert("old").await.contains("ENGINE = InnoDB"));
        } else {
            server.sql("CREATE TABLE late (id INT PRIMARY KEY DEFERRABLE)");
            assert!(insert("late").await.contains("one that is not deferrable"));
        }
    }
}
