use super::sqs::taken_from;
use super::{Load, haul};
use crate::queues::ground::{embedded, log_line, stop};
use crate::support::{aws, proxy::Fault};

#[tokio::test]
async fn every_message_is_published_before_it_is_deleted() {
    let ground = embedded();
    ground.queue("subscriber", &[]).await;
    let sns = aws::sns(&ground.upstream);
    let topic = sns.create_topic().name("told").send().await.unwrap().topic_arn.unwrap();
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
    let subscribe = subscribe.endpoint("arn:aws:sqs:us-east-1:000000000000:subscriber");
    subscribe.attributes("RawMessageDelivery", "true").send().await.unwrap();
    let load = Load {
        handler: format!("[queue.load.handler.sns]\ntopic = {topic:?}\n"),
        arrived: taken_from(&ground, "subscriber"),
        fail: async || {
            let is_publish =
                |seen: &crate::support::exchange::Exchange| seen.operation() == "PublishBatch";
            let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code>\
                          <Message>no</Message></Error></ErrorResponse>";
            ground.proxy.on(3, is_publish, Fault::Answer(403, denied.to_owned()));
            ground.proxy.on(20, is_publish, Fault::Answer(503, String::new()));
        },
        mend: async || {},
    };
    let daemon = haul(&ground, load).await;
    log_line(&daemon, &["message done", "queue.load.handler"]);
    assert_eq!(stop(daemon), 0);
}
