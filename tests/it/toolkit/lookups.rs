//! Clients, queues and topics by region and name: what is asked, how often, and what is said.

use crate::support::{
    daemon::longshore,
    emulator::embedded,
    proxy::{Fault, Proxy},
};
use futures_util::TryStreamExt;
use longshore::{
    aws::Aws,
    config::{self, Secret},
    error::Kind,
    message::Outgoing,
    toolkit::{
        sns::{self, Endpoint, NewTopic, Wishes},
        sqs::{self, NewQueue},
        ssm::{self, NewParameter},
        transport::{CanReceive, CanSend},
    },
};
use std::time::Duration;

fn aws(endpoint: &str) -> Aws {
    let endpoint_url = Some(endpoint.to_owned());
    Aws::new().with(config::Aws { endpoint_url, sealed: true, ..config::Aws::default() })
}

fn orders() -> NewQueue {
    NewQueue { name: "orders".to_owned(), ..NewQueue::default() }
}

#[tokio::test]
async fn r5_a_missing_queue_or_topic_is_named_with_its_region_and_what_to_do() {
    let server = embedded();
    let aws = aws(&server.endpoint());
    let queue = aws.queue("us-east-1", "missing").await.unwrap_err();
    let topic = aws.topic("us-east-1", "missing").await.unwrap_err();
    for (error, command) in [(queue, "longshore sqs create"), (topic, "longshore sns create")] {
        assert_eq!(error.kind(), Kind::Missing);
        for told in ["missing in us-east-1", "check its name and its region", command] {
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}

#[tokio::test]
async fn what_bears_being_asked_twice_is_asked_again() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let aws = aws(&proxy.endpoint());
    let cut = |operation: &'static str| {
        proxy.on(1, move |seen| seen.operation() == operation, Fault::CutAfter);
    };
    let asked = |operation| proxy.of(operation).len();
    let twice = [
        ("CreateQueue", 2),
        ("GetQueueUrl", 2),
        ("SetQueueAttributes", 2),
        ("GetQueueAttributes", 2),
        ("ListQueues", 2),
        ("CreateTopic", 2),
        ("ListTopics", 2),
        ("GetTopicAttributes", 2),
        ("Subscribe", 2),
        // Also after subscribing.
        ("GetSubscriptionAttributes", 3),
        ("ListSubscriptionsByTopic", 2),
        ("Unsubscribe", 2),
        ("DeleteTopic", 2),
        ("GetParameter", 2),
        ("GetParametersByPath", 2),
        ("DescribeParameters", 2),
    ];
    twice.map(|(operation, _)| cut(operation));

    let queues = aws.sqs("us-east-1").await.unwrap();
    sqs::create(&queues, &orders(), |_| ()).await.unwrap();
    let queue = sqs::find(&queues, "orders").await.unwrap();
    let delay = [("DelaySeconds".to_owned(), "1".to_owned())].into();
    sqs::set_attributes(&queues, &queue, &delay).await.unwrap();
    let arn = sqs::arn(&queues, &queue).await.unwrap();
    assert_eq!(sqs::list(&queues, "").try_collect::<Vec<_>>().await.unwrap().len(), 1);

    let topics = aws.sns("us-east-1").await.unwrap();
    let topic = NewTopic { name: "events".to_owned(), ..NewTopic::default() };
    sns::create(&topics, &topic).await.unwrap();
    let topic = sns::find(&topics, "events").await.unwrap();
    sns::attributes(&topics, &topic).await.unwrap();
    let made = sns::subscribe(&topics, &topic, &Endpoint::Queue(arn), &Wishes::default()).await;
    let made = made.unwrap().arn.unwrap();
    sns::subscription_attributes(&topics, &made).await.unwrap();
    let all = sns::subscriptions(&topics, &topic).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(all.len(), 1, "subscribed once");
    sns::unsubscribe(&topics, &made).await.unwrap();
    sns::delete(&topics, &topic).await.unwrap();

    let parameters = aws.ssm("us-east-1").await.unwrap();
    let mut key = NewParameter::secure("/key", Secret::new("hunter2"));
    cut("PutParameter");
    ssm::put(&parameters, &key).await.unwrap_err();
    assert_eq!(asked("PutParameter"), 1, "a first version");
    cut("PutParameter");
    key.overwrite = true;
    ssm::put(&parameters, &key).await.unwrap();
    assert_eq!(asked("PutParameter"), 3);
    ssm::get(&parameters, "/key").await.unwrap();
    let below = ssm::get_by_path(&parameters, "/", true).try_collect::<Vec<_>>().await.unwrap();
    let listed = ssm::list(&parameters, "").try_collect::<Vec<_>>().await.unwrap();
    assert_eq!((below.len(), listed.len()), (1, 1));
    for (operation, times) in twice {
        assert_eq!(asked(operation), times, "{operation}");
    }

    ["PurgeQueue", "DeleteQueue", "DeleteParameter"].map(cut);
    sqs::purge(&queues, &queue, |_| ()).await.unwrap_err();
    sqs::delete(&queues, &queue).await.unwrap_err();
    ssm::delete(&parameters, "/key").await.unwrap_err();
    for operation in ["PurgeQueue", "DeleteQueue", "DeleteParameter"] {
        assert_eq!(asked(operation), 1, "{operation}");
    }
}

#[tokio::test]
async fn r6_two_resolutions_are_one_call_even_at_the_same_time() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let aws = aws(&proxy.endpoint());
    sqs::create(&aws.sqs("us-east-1").await.unwrap(), &orders(), |_| ()).await.unwrap();
    let clone = aws.clone();
    let (one, two) =
        tokio::join!(aws.queue("us-east-1", "orders"), clone.queue("us-east-1", "orders"));
    let three = aws.queue("us-east-1", "orders").await.unwrap();
    assert_eq!(one.unwrap().url().await.unwrap(), three.url().await.unwrap());
    two.unwrap().send(Outgoing::text("hello")).await.unwrap();
    assert_eq!(proxy.of("GetQueueUrl").len(), 1);
    aws.queue("eu-west-1", "orders").await.unwrap();
    assert_eq!(proxy.of("GetQueueUrl").len(), 2);

    let topic = NewTopic { name: "events".to_owned(), ..NewTopic::default() };
    let arn = sns::create(&aws.sns("us-east-1").await.unwrap(), &topic).await.unwrap();
    for _ in 0..2 {
        assert_eq!(aws.topic("us-east-1", "events").await.unwrap().arn(), arn);
    }
    assert_eq!(proxy.of("ListTopics").len(), 1);
}

#[tokio::test]
async fn a_queue_that_is_gone_and_back_is_found_again() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let aws = aws(&proxy.endpoint());
    let client = aws.sqs("us-east-1").await.unwrap();
    sqs::create(&client, &orders(), |_| ()).await.unwrap();
    let queue = aws.queue("us-east-1", "orders").await.unwrap();
    sqs::delete(&client, &queue.url().await.unwrap()).await.unwrap();
    let error = queue.send(Outgoing::text("lost?")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Missing);
    assert!(error.to_string().contains("queue orders in us-east-1"), "{error}");
    sqs::create(&client, &orders(), |_| ()).await.unwrap();
    queue.send(Outgoing::text("no")).await.unwrap();
    // Nor does it matter to whom it was handed before.
    sqs::delete(&client, &queue.url().await.unwrap()).await.unwrap();
    sqs::create(&client, &orders(), |_| ()).await.unwrap();
    queue.send(Outgoing::text("back")).await.unwrap();
    assert_eq!(queue.receive(10, Duration::ZERO).await.unwrap().len(), 1);
}

#[test]
fn r7_without_credentials_in_the_settings_the_default_chain_is_asked() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let list = longshore(["sqs", "list", "--endpoint-url", &proxy.endpoint()]);
    list.env("AWS_ACCESS_KEY_ID", "OF-THE-CHAIN").finish().expect(0, &[]);
    let seen = proxy.of("ListQueues");
    let signed = seen[0].header("authorization").unwrap();
    assert!(signed.contains("Credential=OF-THE-CHAIN/"), "{signed}");
}
