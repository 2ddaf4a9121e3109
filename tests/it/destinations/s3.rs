use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::{Load, haul, number_of};
use crate::queues::ground::{embedded, log_line, stop, text};
use crate::support::{aws, exchange::Exchange, proxy::Fault};

fn is_put(seen: &Exchange) -> bool {
    seen.operation() == "PutObject"
}

#[tokio::test]
async fn every_body_is_an_object_before_its_message_is_deleted() {
    let ground = embedded();
    let s3 = aws::s3(&ground.upstream);
    s3.create_bucket().bucket("bodies").send().await.unwrap();
    let upstream = ground.upstream.clone();
    let known = Arc::new(Mutex::new(BTreeMap::new()));
    let load = Load {
        handler: "[queue.load.handler.s3]\nbucket = \"bodies\"\npath_style = true\n\
                  key = \"{queue}/{date:%Y-%m-%d}/{message_id}.json\"\n"
            .to_owned(),
        arrived: async move || {
            let mut known = known.lock().await;
            let s3 = aws::s3(&upstream);
            let mut pages = s3.list_objects_v2().bucket("bodies").into_paginator().send();
            while let Some(page) = pages.next().await {
                for key in page.unwrap().contents.unwrap_or_default() {
                    let key = key.key.unwrap();
                    if let Entry::Vacant(unknown) = known.entry(key) {
                        let object = s3.get_object().bucket("bodies").key(unknown.key());
                        let body = object.send().await.unwrap().body.collect().await.unwrap();
                        unknown.insert(number_of(&body.into_bytes()));
                    }
                }
            }
            known.values().copied().collect()
        },
        fail: async || {
            let slow = "<Error><Code>SlowDown</Code><Message>slower</Message></Error>";
            ground.proxy.on(20, is_put, Fault::Answer(503, slow.to_owned()));
            let none = "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>";
            ground.proxy.on(2, is_put, Fault::Answer(404, none.to_owned()));
            ground.proxy.on(5, is_put, Fault::CutAfter);
        },
        mend: async || {},
    };
    let daemon = haul(&ground, load).await;
    log_line(&daemon, &["message done", "queue.load.handler"]);
    assert_eq!(stop(daemon), 0);
    let listed = s3.list_objects_v2().bucket("bodies").send().await.unwrap();
    assert_eq!(listed.key_count, Some(1000), "a message that comes again has the same key");
}

#[tokio::test]
async fn an_object_has_what_the_settings_say_and_what_has_no_key_is_rejected() {
    let ground = embedded();
    for name in ["q", "dead"] {
        ground.queue(name, &[]).await;
    }
    let s3 = aws::s3(&ground.upstream);
    s3.create_bucket().bucket("bodies").send().await.unwrap();
    let daemon = ground.run(
        "[queue.q]\nqueue = \"q\"\ndead_letter_queue = \"dead\"\nwait_time = 1\n\
         [queue.q.handler.s3]\nbucket = \"bodies\"\npath_style = true\n\
         key = \"of/{attribute.customer}.txt\"\n\
         storage_class = \"STANDARD_IA\"\nkms_key_id = \"alias/orders\"\n",
    );
    ground.send_with("q", "grüße", &[("customer", text("ada"))]).await;
    ground.send("q", "whose?").await;
    ground.wait_empty("q").await;
    let object = s3.get_object().bucket("bodies").key("of/ada.txt").send().await.unwrap();
    assert_eq!(object.content_type.as_deref(), Some("text/plain"));
    assert_eq!(object.body.collect().await.unwrap().into_bytes(), "grüße".as_bytes());
    let put = ground.proxy.of("PutObject").remove(0);
    assert_eq!(put.header("x-amz-storage-class"), Some("STANDARD_IA"));
    assert_eq!(put.header("x-amz-server-side-encryption"), Some("aws:kms"));
    assert_eq!(put.header("x-amz-server-side-encryption-aws-kms-key-id"), Some("alias/orders"));
    assert!(put.header("x-amz-checksum-crc64nvme").is_some());
    log_line(&daemon, &["message rejected", "it has no attribute customer"]);
    assert_eq!(ground.visible("dead").await.len(), 1);
    assert_eq!(stop(daemon), 0);
}

/// Whoever sends a message chooses its key here; one that is denied is no outage for the others.
#[tokio::test]
async fn a_message_whose_key_is_denied_does_not_stop_its_queue() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    let s3 = aws::s3(&ground.upstream);
    s3.create_bucket().bucket("bodies").send().await.unwrap();
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    let is_denied = |seen: &Exchange| is_put(seen) && seen.path().contains("/private/");
    ground.proxy.on(usize::MAX, is_denied, Fault::Answer(403, denied.to_owned()));
    ground.send_with("q", "bad", &[("place", text("private"))]).await;
    let daemon = ground.run(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\n\
         [queue.q.handler.s3]\nbucket = \"bodies\"\npath_style = true\n\
         key = \"{attribute.place}/{message_id}\"\n",
    );
    log_line(&daemon, &["handler cannot be started", "private"]);
    ground.send_with("q", "good", &[("place", text("public"))]).await;
    log_line(&daemon, &["message done"]);
    let landed = s3.list_objects_v2().bucket("bodies").prefix("public/").send().await.unwrap();
    assert_eq!(landed.key_count, Some(1));
    assert_eq!(stop(daemon), 0);
    assert_eq!(ground.proxy.of("DeleteMessageBatch").len(), 1, "the other is still there");
}
