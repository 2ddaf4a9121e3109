use std::collections::BTreeSet;
use std::sync::Mutex;

use futures_util::TryStreamExt;
use longshore::config::DatabaseServer;
use longshore::toolkit::sql::Database;
use serde_json::Value;

use super::{Load, haul, number_of};
use crate::queues::ground::{embedded, stop};
use crate::support::database::{Database as Server, mariadb, postgres};

async fn hauls(server: Server) {
    server.sql("CREATE TABLE hauled (id VARCHAR(20) PRIMARY KEY, number INT UNIQUE)");
    let (ground, url) = (embedded(), server.url());
    let file = ground.path("url");
    std::fs::write(&file, &url).unwrap();
    // While the database is away nothing arrives: it is what it was.
    let last = Mutex::new(BTreeSet::new());
    let arrived = async move || {
        let database = Database::new(DatabaseServer::from_url(&url).unwrap());
        let ask = async { database.fetch("shop", "hauled", &[]).await?.try_collect().await };
        let rows: Result<Vec<_>, _> = ask.await;
        if let Ok(rows) = rows {
            let body = |row| Value::Object(row).to_string();
            let numbers = rows.into_iter().map(|row| number_of(body(row).as_bytes()));
            *last.lock().unwrap() = numbers.collect();
        }
        last.lock().unwrap().clone()
    };
    let server = Mutex::new(server);
    let load = Load {
        handler: format!(
            "[queue.load.handler.sql]\nurl_file = \"{}\"\nschema = \"shop\"\ntable = \"hauled\"\n",
            file.display()
        ),
        arrived,
        fail: async || server.lock().unwrap().kill(),
        mend: async || server.lock().unwrap().start(),
    };
    let daemon = haul(&ground, load).await;
    let told = server.lock().unwrap().sql("SELECT COUNT(*) FROM hauled");
    assert_eq!(told.trim(), "1000");
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn every_message_is_in_mariadb_before_it_is_deleted() {
    hauls(mariadb()).await;
}

#[tokio::test]
async fn every_message_is_in_postgresql_before_it_is_deleted() {
    hauls(postgres()).await;
}
