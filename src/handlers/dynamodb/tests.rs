use std::time::Duration;

use serde_json::json;

use super::*;
use crate::handlers::samples;
use crate::local::{Local, Options};
use crate::toolkit::dynamodb::KeyAttribute;

struct Ground {
    _local: Local,
    _directory: tempfile::TempDir,
    aws: Aws,
    settings: config::Dynamodb,
    table: Table,
}

impl Ground {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { directory: directory.path().to_owned(), port: 0, next_free: false };
        let local = Local::without_port(options).await.unwrap();
        let aws = Aws::through(local.http_client());
        let endpoint_url = Some(local.endpoint().to_owned());
        let reached = config::Aws { endpoint_url, sealed: true, ..config::Aws::default() };
        let client = aws.connect(&reached).await.unwrap().dynamodb;
        let settings = config::Dynamodb {
            table: "orders".to_owned(),
            aws: reached,
            if_absent: false,
            id_attribute: None,
            ttl: None,
            ttl_attribute: "ttl".to_owned(),
        };
        let table = Table::new(client, "orders").cache_in(directory.path().join("cache"));
        Self { _local: local, _directory: directory, aws, settings, table }
    }

    async fn with_table() -> Self {
        let ground = Self::new().await;
        ground.table.create(&Schema::new(KeyAttribute::string("id"))).await.unwrap();
        ground
    }

    fn handler(&self) -> BoxHandler {
        build(&self.settings, "orders", &self.aws)
    }

    async fn get(&self, id: &str) -> Option<String> {
        self.table.get(&json!({ "id": id })).await.unwrap().map(|item| item.json())
    }
}

fn deliveries<const N: usize>(queue: &str, bodies: [&str; N]) -> Vec<Delivery> {
    let of = |(at, body): (usize, &str)| {
        let message = samples::message(body);
        let message = Message { id: format!("m{at}"), queue: queue.to_owned(), ..message };
        samples::delivery(message).0
    };
    bodies.into_iter().enumerate().map(of).collect()
}

fn rejected(verdict: &Verdict, why: &str) {
    match verdict {
        Ok(Outcome::Reject { reason }) => assert!(reason.contains(why), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_body_is_an_item_or_is_rejected_alone() {
    let ground = Ground::with_table().await;
    let large = json!({ "id": "large", "text": "x".repeat(500_000) }).to_string();
    let bodies = [
        r#"{"id":"a","n":12345678901234567890.123}"#,
        "no JSON",
        r#"{"key":"b"}"#,
        r#"{"id":""}"#,
        &large,
        r#"{"id":{"S":"c"},"at":{"N":"7"}}"#,
        r#"{"id":7}"#,
        r#"{"id":"a","n":2}"#,
    ];
    let verdicts = ground.handler().call_all(deliveries("q", bodies)).await;
    let done = Ok(Outcome::Done);
    for at in [0, 5, 7] {
        assert_eq!(verdicts[at], done);
    }
    let whys =
        ["", "no JSON object", "\"id\" is missing", "\"id\" is empty", "bytes", "", "type S", ""];
    for (verdict, why) in verdicts.iter().zip(whys).filter(|(_, why)| !why.is_empty()) {
        rejected(verdict, why);
    }
    assert_eq!(ground.get("a").await.unwrap(), r#"{"id":"a","n":2}"#);
    assert_eq!(ground.get("c").await.unwrap(), r#"{"at":7,"id":"c"}"#);
    assert_eq!(ground.table.count().await.unwrap(), 2);
}

#[tokio::test]
async fn behind_one_of_its_group_that_was_not_done_nothing_is() {
    let ground = Ground::with_table().await;
    let bodies = [r#"{"id":"a"}"#, "no JSON", r#"{"id":"b"}"#];
    let verdicts = ground.handler().call_all(deliveries("q.fifo", bodies)).await;
    assert_eq!(verdicts[0], Ok(Outcome::Done));
    rejected(&verdicts[1], "no JSON object");
    assert!(matches!(&verdicts[2], Ok(Outcome::Retry { .. })), "{verdicts:?}");
    assert_eq!(ground.get("b").await, None);
}

#[tokio::test]
async fn a_message_whose_lease_is_lost_is_not_put_any_more() {
    let ground = Ground::with_table().await;
    let (delivery, keeper) = samples::delivery(samples::message(r#"{"id":"late"}"#));
    keeper.lose();
    let verdicts = ground.handler().call_all(vec![delivery]).await;
    assert_eq!(verdicts, [Ok(Outcome::retry("the lease was lost"))]);
    assert_eq!(ground.get("late").await, None);
}

#[tokio::test]
async fn the_settings_add_an_id_and_an_end_where_there_is_none() {
    let mut ground = Ground::with_table().await;
    ground.settings.id_attribute = Some("id".to_owned());
    ground.settings.ttl = Some(Duration::from_hours(24));
    let bodies = [r#"{"n":1}"#, r#"{"id":"own","ttl":7}"#];
    let verdicts = ground.handler().call_all(deliveries("q", bodies)).await;
    assert!(verdicts.iter().all(|verdict| *verdict == Ok(Outcome::Done)), "{verdicts:?}");
    let item = ground.table.get(&json!({ "id": "m0" })).await.unwrap().unwrap();
    let end: u64 = item.get("ttl").unwrap().as_n().unwrap().parse().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!((now + 86_000..=now + 86_400).contains(&end), "{end}");
    assert_eq!(ground.get("own").await.unwrap(), r#"{"id":"own","ttl":7}"#);
}

#[tokio::test]
async fn an_item_that_is_there_stays_where_that_is_asked() {
    let mut ground = Ground::with_table().await;
    ground.settings.if_absent = true;
    let handler = ground.handler();
    assert_eq!(handler.most(), NonZeroUsize::MIN);
    for body in [r#"{"id":"a","n":1}"#, r#"{"id":"a","n":2}"#] {
        let verdicts = handler.call_all(deliveries("q", [body])).await;
        assert_eq!(verdicts, [Ok(Outcome::Done)]);
    }
    assert_eq!(ground.get("a").await.unwrap(), r#"{"id":"a","n":1}"#);
    rejected(&handler.call_all(deliveries("q", ["{}"])).await[0], "\"id\" is missing");
}

#[tokio::test]
async fn a_table_that_is_missing_or_made_anew_is_no_fault_of_a_message() {
    let ground = Ground::new().await;
    let handler = ground.handler();
    let call = async || handler.call_all(deliveries("q", [r#"{"id":"a"}"#, r#"{"id":"b"}"#])).await;
    for verdict in call().await {
        let reason = verdict.unwrap_err().reason;
        assert!(
            reason.contains("no DynamoDB table orders") && reason.contains("create"),
            "{reason}"
        );
    }
    assert!(check(&ground.settings, &ground.aws).await.what.contains("no DynamoDB table orders"));
    ground.table.create(&Schema::new(KeyAttribute::string("key"))).await.unwrap();
    let told = check(&ground.settings, &ground.aws).await.what;
    assert!(told.contains("its key: key (S)"), "{told}");
    rejected(&call().await[0], "\"key\" is missing");
    ground.table.destroy().await.unwrap();
    ground.table.create(&Schema::new(KeyAttribute::string("id"))).await.unwrap();
    assert!(call().await.iter().all(|verdict| matches!(verdict, Ok(Outcome::Retry { .. }))));
    assert_eq!(call().await, [Ok(Outcome::Done), Ok(Outcome::Done)]);
}
