use std::collections::BTreeSet;

use super::{Load, haul, number_of};
use crate::queues::ground::{Ground, embedded, log_line, on_ministack, stop};
use crate::support::{aws, proxy::Fault};
use futures_util::TryStreamExt;
use longshore::toolkit::dynamodb::{KeyAttribute, Schema, Table};

/// The numbers of the items in the table, each of which is a body as it was sent.
async fn items(endpoint: &str) -> BTreeSet<u32> {
    let items = Table::new(aws::dynamodb(endpoint), "orders").scan();
    items.map_ok(|item| number_of(item.json().as_bytes())).try_collect().await.unwrap()
}

async fn every_message_is_an_item(ground: Ground) {
    let table = Table::new(aws::dynamodb(&ground.upstream), "orders");
    table.create(&Schema::new(KeyAttribute::string("id"))).await.unwrap();
    let upstream = ground.upstream.clone();
    let throttled = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}"#;
    let load = Load {
        handler: "[queue.load.handler.dynamodb]\ntable = \"orders\"\n".to_owned(),
        arrived: async move || items(&upstream).await,
        fail: async || {
            let fault = Fault::Answer(400, throttled.to_owned());
            ground.proxy.on(40, |seen| seen.operation() == "BatchWriteItem", fault);
        },
        mend: async || {},
    };
    let daemon = haul(&ground, load).await;
    log_line(&daemon, &["message done", "queue.load.handler"]);
    let calls = ground.proxy.of("BatchWriteItem").len();
    assert!(calls < 600, "{calls} calls: items travel together");
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn every_message_is_an_item_before_it_is_deleted() {
    every_message_is_an_item(embedded()).await;
}

#[tokio::test]
async fn every_message_is_an_item_on_ministack() {
    every_message_is_an_item(on_ministack()).await;
}
