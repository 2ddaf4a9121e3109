//! The handler `sql` on the real daemon.

use crate::queues::ground::{Ground, embedded, log_line, stop};
use crate::support::{
    PATIENCE,
    daemon::longshore,
    database::{Database as Server, mariadb, postgres},
    eventually,
};

fn settings(server: &Server, ground: &Ground) -> String {
    let file = ground.path("database-url");
    std::fs::write(&file, server.url()).unwrap();
    format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\nset_aside = \"{}\"\n\
         [queue.q.handler.sql]\nurl_file = \"{}\"\nschema = \"shop\"\ntable = \"orders\"\n",
        ground.path("aside").display(),
        file.display(),
    )
}

async fn keeps_bad_from_good(server: &Server) {
    server.sql("CREATE TABLE orders (id INT PRIMARY KEY, name VARCHAR(10) NOT NULL)");
    let ground = embedded();
    ground.queue("q", &[]).await;
    let bodies = [
        r#"{"id": 1, "name": "one"}"#,
        r#"{"id": 2, "name": "far too long for this"}"#,
        "no JSON at all",
        "7",
        r#"[{"id": 3, "name": "three"}, {"id": 4, "name": "four"}]"#,
        // All of a message or none.
        r#"[{"id": 5, "name": "five"}, {"id": 6, "name": null}]"#,
        r#"{"id": 1, "name": "again"}"#,
        "[]",
        r#"{"name": "without key"}"#,
        r#"{"id": 7, "name": "seven"}"#,
    ];
    for body in bodies {
        ground.send("q", body).await;
    }
    let daemon = ground.run(&settings(server, &ground));
    ground.wait_empty("q").await;
    let told = server.sql("SELECT id FROM orders ORDER BY id");
    assert_eq!(told.split_whitespace().collect::<Vec<_>>(), ["1", "3", "4", "7"]);
    assert_eq!(server.sql("SELECT name FROM orders WHERE id = 1").trim(), "one");
    for why in ["neither a JSON object nor an array", "which is of the primary key", "name"] {
        log_line(&daemon, &["rejected", why]);
    }
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_bad_body_spoils_no_other_on_mariadb() {
    keeps_bad_from_good(&mariadb()).await;
}

#[tokio::test]
async fn a_bad_body_spoils_no_other_on_postgresql() {
    keeps_bad_from_good(&postgres()).await;
}

#[tokio::test]
async fn check_says_what_is_wrong_with_a_table() {
    for mut server in [mariadb(), postgres()] {
        let ground = embedded();
        ground.queue("q", &[]).await;
        let settings = settings(&server, &ground);
        let check = || {
            let launch = longshore(["check", "--config", "c.toml"]).file("c.toml", &settings);
            launch.endpoint(&ground.upstream).finish()
        };
        check().expect(69, &["queue q: there is no table shop.orders"]);
        server.sql("CREATE TABLE orders (id INT)");
        check().expect(69, &["shop.orders has no primary key", "ADD PRIMARY KEY"]);
        server.sql("DROP TABLE orders");
        server.sql("CREATE TABLE orders (id INT PRIMARY KEY, name TEXT)");
        check().expect(0, &["table shop.orders takes records"]);
        server.kill();
        check().expect(69, &[&format!("127.0.0.1:{}", server.port), "Check host and port"]);
    }
}

/// Neither judged nor lost: the message waits for the table.
#[tokio::test]
async fn a_table_that_is_not_there_yet_stops_polling() {
    let (server, ground) = (postgres(), embedded());
    ground.queue("q", &[]).await;
    ground.send("q", r#"{"id": 1}"#).await;
    let daemon = ground.run(&settings(&server, &ground));
    log_line(&daemon, &["ERROR", "there is no table shop.orders"]);
    server.sql("CREATE TABLE orders (id INT PRIMARY KEY)");
    ground.wait_empty("q").await;
    eventually("the record", PATIENCE, || server.sql("SELECT id FROM orders").trim() == "1");
    assert_eq!(stop(daemon), 0);
}
