//! Units of records that stand or fall each by itself, in the order of their groups.

use super::{connect, record};
use crate::support::database::{Database as Server, mariadb, postgres};
use longshore::{
    error::Kind as Fault,
    toolkit::sql::{Fate, Unit},
};
use serde_json::{Value, json};

fn unit(group: &str, records: &[Value]) -> Unit {
    let records = records.iter().cloned().map(record).collect();
    Unit { records, group: Some(group.to_owned()).filter(|name| !name.is_empty()) }
}

/// Their names, and of those that were refused or failed why.
fn told(fates: &[Fate]) -> Vec<String> {
    let told = |fate: &Fate| match fate {
        Fate::Done => "done".to_owned(),
        Fate::Refused(error) => format!("refused: {error}"),
        Fate::Failed(error) => format!("failed: {error}"),
        Fate::Behind => "behind".to_owned(),
    };
    fates.iter().map(told).collect()
}

async fn keeps_the_order_of_groups(server: &Server) {
    server.sql("CREATE TABLE steps (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL, n INT UNIQUE)");
    let database = connect(server);
    let good = |id: i64| json!({"id": id, "name": "good", "n": id});
    let long = |id: i64| json!({"id": id, "name": "far too long", "n": id});
    let units = vec![
        unit("a", &[good(1)]),
        unit("", &[long(2)]),
        unit("b", &[good(3), good(4)]),
        unit("a", &[good(5)]),
        // The server refuses it, and all of its own go with it.
        unit("a", &[good(6), long(7)]),
        unit("a", &[good(8)]),
        unit("b", &[good(9)]),
        // Refused before the server sees it.
        unit("b", &[json!({"id": 10, "colour": "red"})]),
        unit("b", &[good(11)]),
        unit("", &[]),
        // Another record has its value of another key.
        unit("d", &[json!({"id": 13, "name": "same", "n": 1})]),
        unit("d", &[good(13)]),
        unit("", &[good(14), good(1)]),
    ];
    let fates = told(&database.insert_each("shop", "steps", units).await);
    let wanted = [
        "done",
        "refused: ",
        "done",
        "done",
        "refused: ",
        "behind",
        "done",
        "refused: ",
        "behind",
        "done",
        "refused: ",
        "behind",
        "done",
    ];
    assert_eq!(fates.len(), wanted.len());
    for (place, (fate, wanted)) in fates.iter().zip(wanted).enumerate() {
        assert!(fate.starts_with(wanted), "{place}: {fate}");
    }
    assert!(fates[7].contains("has no column \"colour\""), "{}", fates[7]);
    let there = server.sql("SELECT id FROM steps ORDER BY id");
    let there: Vec<&str> = there.split_whitespace().collect();
    assert_eq!(there, ["1", "3", "4", "5", "9", "14"]);

    // What comes again goes in, in its order; without the table nothing is judged.
    let again = || vec![unit("a", &[good(6)]), unit("a", &[good(8)]), unit("d", &[good(13)])];
    let fates = told(&database.insert_each("shop", "steps", again()).await);
    assert_eq!(fates, ["done", "done", "done"]);
    server.sql("DROP TABLE steps");
    for fate in database.insert_each("shop", "steps", again()).await {
        let Fate::Failed(error) = fate else { panic!("{fate:?}") };
        assert_eq!(error.kind(), Fault::Missing, "{error}");
    }
}

#[tokio::test]
async fn groups_keep_their_order_on_mariadb() {
    keeps_the_order_of_groups(&mariadb()).await;
}

#[tokio::test]
async fn groups_keep_their_order_on_postgresql() {
    keeps_the_order_of_groups(&postgres()).await;
}

/// Somebody else holds a lock: the server ends the wait before we do, and says what it waited for. It
/// is no outage, no fault of a record, keeps no other from going in, and nothing waits on in the
/// server behind our back.
async fn waits_for_no_lock_for_ever(server: &Server) {
    server.sql("CREATE TABLE busy (id INT PRIMARY KEY)");
    let database = connect(server);
    let units =
        || (1..=20).map(|id| unit(if id % 2 == 0 { "even" } else { "" }, &[json!({"id": id})]));
    let holder = server.holding("INSERT INTO busy VALUES (5), (18)");
    let fates = database.insert_each("shop", "busy", units().collect()).await;
    for (id, fate) in (1..).zip(&fates) {
        match (id, fate) {
            (5 | 18, Fate::Failed(error)) => {
                assert_eq!(error.kind(), Fault::Transient, "{error}");
                assert!(error.to_string().to_lowercase().contains("lock"), "{error}");
            }
            (20, Fate::Behind) => {}
            (id, Fate::Done) => assert!(![5, 18, 20].contains(&id), "{id}"),
            _ => panic!("{id}: {fate:?}"),
        }
    }
    drop(holder);
    let again =
        units().filter(|unit| [5, 18, 20].map(|id| json!(id)).contains(&unit.records[0]["id"]));
    assert_eq!(told(&database.insert_each("shop", "busy", again.collect()).await), ["done"; 3]);
    assert_eq!(server.sql("SELECT COUNT(*) FROM busy").trim(), "20");
}

/// It is an outage, and no message is judged for it, be it alone or not.
async fn judges_nothing_while_the_table_is_locked(server: &Server, locks: [&str; 2]) {
    server.sql("CREATE TABLE shut (id INT PRIMARY KEY)");
    let database = connect(server);
    for (count, lock) in [1, 3].into_iter().zip(locks) {
        let holder = server.holding(lock);
        let units = || (0..count).map(|id| unit("", &[json!({"id": id})])).collect();
        for fate in database.insert_each("shop", "shut", units()).await {
            let Fate::Failed(error) = fate else { panic!("{fate:?}") };
            assert_eq!(error.kind(), Fault::Unreachable, "{error}");
            assert!(error.to_string().contains("has locked the table"), "{error}");
        }
        drop(holder);
        let fates = told(&database.insert_each("shop", "shut", units()).await);
        assert!(fates.iter().all(|fate| fate == "done"), "{fates:?}");
    }
}

#[tokio::test]
async fn a_table_locked_as_a_whole_is_an_outage_on_mariadb() {
    let locks = ["LOCK TABLES shut WRITE", "LOCK TABLES shut READ"];
    judges_nothing_while_the_table_is_locked(&mariadb(), locks).await;
}

#[tokio::test]
async fn a_table_locked_as_a_whole_is_an_outage_on_postgresql() {
    let locks = ["LOCK TABLE shut IN ACCESS EXCLUSIVE MODE", "LOCK TABLE shut IN SHARE MODE"];
    judges_nothing_while_the_table_is_locked(&postgres(), locks).await;
}

/// Somebody holds more rows than can be waited for one by one.
#[tokio::test]
async fn waiting_for_many_locks_comes_to_an_end() {
    let server = postgres();
    server.sql("CREATE TABLE busy (id INT PRIMARY KEY)");
    let database = connect(&server);
    let holder = server.holding("INSERT INTO busy SELECT generate_series(2, 100)");
    let units = (1..=100).map(|id| unit("", &[json!({"id": id})])).collect();
    let fates = database.insert_each("shop", "busy", units).await;
    assert!(matches!(fates[0], Fate::Done), "{:?}", fates[0]);
    let kinds = fates[1..].iter().map(|fate| {
        let Fate::Failed(error) = fate else { panic!("{fate:?}") };
        error.kind()
    });
    let kinds: Vec<Fault> = kinds.collect();
    let judged = kinds.iter().take_while(|kind| **kind == Fault::Transient).count();
    assert!((1..30).contains(&judged), "{judged}");
    assert!(kinds[judged..].iter().all(|kind| *kind == Fault::Unreachable), "{kinds:?}");
    drop(holder);
}

#[tokio::test]
async fn a_lock_of_somebody_else_is_no_outage_on_mariadb() {
    waits_for_no_lock_for_ever(&mariadb()).await;
}

#[tokio::test]
async fn a_lock_of_somebody_else_is_no_outage_on_postgresql() {
    waits_for_no_lock_for_ever(&postgres()).await;
}
