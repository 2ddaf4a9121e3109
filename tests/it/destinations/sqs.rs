use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::{Load, haul, number_of};
use crate::queues::ground::{Ground, embedded, log_line, stop, text};
use crate::support::{aws, proxy::Fault};

/// Takes what lies in a queue and tells the numbers of everything that was ever taken.
pub(super) fn taken_from(
    ground: &Ground,
    queue: &str,
) -> impl AsyncFn() -> BTreeSet<u32> + Send + Sync + 'static {
    let (upstream, url) = (ground.upstream.clone(), ground.url(queue));
    let taken = Arc::new(Mutex::new(BTreeSet::new()));
    async move || {
        // Whoever asks meanwhile waits for what is being taken.
        let mut taken = taken.lock().await;
        let sqs = aws::sqs(&upstream);
        loop {
            let receive = sqs.receive_message().queue_url(&url).max_number_of_messages(10);
            let receive = receive.visibility_timeout(3_600);
            let messages = receive.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return taken.clone();
            }
            taken.extend(messages.iter().map(|one| number_of(one.body().unwrap().as_bytes())));
        }
    }
}

#[tokio::test]
async fn every_message_is_sent_on_before_it_is_deleted() {
    let ground = embedded();
    ground.queue("archive", &[]).await;
    let load = Load {
        handler: "[queue.load.handler.sqs]\nqueue = \"archive\"\n".to_owned(),
        arrived: taken_from(&ground, "archive"),
        fail: async || {
            let gone = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}"#;
            let is_send =
                |seen: &crate::support::exchange::Exchange| seen.operation() == "SendMessageBatch";
            ground.proxy.on(5, is_send, Fault::Answer(400, gone.to_owned()));
            ground.proxy.on(20, is_send, Fault::Answer(503, String::new()));
            ground.proxy.on(2, is_send, Fault::CutAfter);
        },
        mend: async || {},
    };
    let daemon = haul(&ground, load).await;
    log_line(&daemon, &["message done", "queue.load.handler"]);
    let looked_up = ground.proxy.of("GetQueueUrl").len();
    assert!(looked_up > 3, "a queue that was gone is looked up again: {looked_up}");
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn what_is_sent_on_keeps_its_attributes_and_ten_leave_in_a_call() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.queue("archive.fifo", &[("FifoQueue", "true")]).await;
    let number = aws_sdk_sqs::types::MessageAttributeValue::builder()
        .data_type("Number.int")
        .string_value("7")
        .build()
        .unwrap();
    for n in 0..10 {
        let attributes = [("customer", text("ada")), ("count", number.clone())];
        ground.send_with("q", &format!("body {n}"), &attributes).await;
    }
    let daemon = ground.run(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\n[queue.q.handler.sqs]\nqueue = \"archive.fifo\"\n\
         group = \"{message_id}\"\n",
    );
    ground.wait_empty("q").await;
    let calls = ground.calls("SendMessageBatch");
    assert_eq!(crate::queues::ground::sizes(&calls), [10]);
    let sent = ground.visible("archive.fifo").await;
    assert_eq!(sent.len(), 10);
    for message in sent {
        let attributes = message.message_attributes.unwrap();
        assert_eq!(attributes["customer"].string_value.as_deref(), Some("ada"));
        assert_eq!(attributes["count"].data_type, "Number.int");
        let system = message.attributes.unwrap();
        assert_eq!(system[&"MessageDeduplicationId".into()], system[&"MessageGroupId".into()]);
    }
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_queue_that_is_not_there_judges_no_message() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send("q", "x").await;
    let daemon = ground.run(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\n[queue.q.handler.sqs]\nqueue = \"archive\"\n",
    );
    log_line(&daemon, &["ERROR", "handler cannot be started", "archive", "longshore sqs create"]);
    ground.wait_left("q", 1).await;
    ground.queue("archive", &[]).await;
    ground.wait_empty("q").await;
    assert_eq!(ground.visible("archive").await.len(), 1);
    assert_eq!(stop(daemon), 0);
}
