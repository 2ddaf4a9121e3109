//! What becomes of pylon's components whose output takes a message and refuses another.

use crate::support::{aws, proxy::Fault};
use serde_json::json;

use super::ground::{log_line, logged, stop};
use super::pylon::{bodies, component, is_send, put, two_queues};

/// The input stays until all of it was taken, and comes again as a whole; the stored body that no
/// message names is gone meanwhile.
#[tokio::test]
async fn an_input_of_which_one_message_was_refused_is_not_deleted() {
    let ground = two_queues().await;
    let s3 = aws::s3(&ground.upstream);
    s3.create_bucket().bucket("store").send().await.unwrap();
    let refused = json!({
        "Successful": [],
        "Failed": [{"Id": "0", "SenderFault": true, "Code": "InvalidMessageContents"}],
    });
    ground.proxy.on(1, is_send, Fault::Answer(200, refused.to_string()));
    put(&ground, "x").await;
    let settings = json!({
        "PYLON_OUTPUT": "sqs://out",
        "PYLON_STORE_DESTINATION": "s3://store/",
        "PYLON_STORE_MIN_MESSAGE_BYTES": 250,
    });
    let work = "echo run >> $D/runs; printf '{\"body\": \"%0300d\"}\\n' 7";
    let daemon = component(&ground, &settings, work).start();
    log_line(&daemon, &["message failed", "1 of 1 messages were not sent"]);
    ground.wait_counts("out", (1, 0)).await;
    ground.wait_empty("in").await;
    assert_eq!(ground.lines("runs").len(), 2);
    assert_eq!(ground.proxy.of("DeleteObject").len(), 1, "the body that nothing named");
    assert_eq!(logged(&daemon, &["messages sent"]), 2);
    assert_eq!(stop(daemon), 0);
    let sent = ground.visible("out").await;
    assert!(bodies(&sent)[0].starts_with("s3://store/"), "{sent:?}");
    let stored = s3.list_objects_v2().bucket("store").send().await.unwrap();
    assert_eq!(stored.key_count, Some(1));
}
