//! SNS to SQS, and who we are.

use aws_sdk_sns::types::MessageAttributeValue;
use serde_json::Value;

use super::in_process;

#[tokio::test(start_paused = true)]
async fn a_publish_reaches_its_queues_enveloped_raw_or_not_at_all() {
    let (local, _directory) = in_process().await;
    let config = local.sdk_config_in_process();
    let (sns, sqs) = (aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config));
    let topic = local.ensure_topic("events").unwrap();
    for (queue, attributes) in [
        ("plain", vec![]),
        ("raw", vec![("RawMessageDelivery", "true")]),
        ("wanted", vec![("FilterPolicy", r#"{"iniesta_pass":[{"prefix":"Order"}]}"#)]),
        ("unwanted", vec![("FilterPolicy", r#"{"iniesta_pass":["Other.shop"]}"#)]),
    ] {
        local.ensure_queue(queue).unwrap();
        let mut subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
        for (name, value) in attributes {
            subscribe = subscribe.attributes(name, value);
        }
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
        subscribe.endpoint(arn).return_subscription_arn(true).send().await.unwrap();
    }
    let event =
        MessageAttributeValue::builder().data_type("String").string_value("OrderPlaced.shop");
    let published = sns.publish().topic_arn(&topic).message("{\"id\": 1} é+&").subject("s");
    let published = published.message_attributes("iniesta_pass", event.build().unwrap());
    let id = published.send().await.unwrap().message_id.unwrap();
    let received = async |queue: &str| {
        let receive = sqs.receive_message().message_attribute_names("All");
        let receive = receive.queue_url(format!("{}/000000000000/{queue}", local.endpoint()));
        receive.send().await.unwrap().messages.unwrap_or_default()
    };
    for queue in ["plain", "wanted"] {
        let messages = received(queue).await;
        let body: Value = serde_json::from_str(messages[0].body.as_ref().unwrap()).unwrap();
        assert_eq!(body["Message"], "{\"id\": 1} é+&");
        assert_eq!(body["MessageId"], id.as_str());
        assert_eq!(body["TopicArn"], topic.as_str());
        assert_eq!(body["MessageAttributes"]["iniesta_pass"]["Value"], "OrderPlaced.shop");
    }
    let raw = received("raw").await.remove(0);
    assert_eq!(raw.body.as_deref(), Some("{\"id\": 1} é+&"));
    assert_eq!(
        raw.message_attributes.unwrap()["iniesta_pass"].string_value(),
        Some("OrderPlaced.shop")
    );
    assert!(received("unwanted").await.is_empty());
    let list = sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.unwrap();
    assert_eq!(list.subscriptions().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_not_there_and_a_protocol_that_is_not_ours_are_refused() {
    let (local, _directory) = in_process().await;
    let sns = aws_sdk_sns::Client::new(&local.sdk_config_in_process());
    let missing = sns.publish().topic_arn("arn:aws:sns:us-east-1:000000000000:no").message("x");
    assert!(missing.send().await.unwrap_err().into_service_error().is_not_found_exception());
    let topic = local.ensure_topic("events").unwrap();
    let mail = sns.subscribe().topic_arn(topic).protocol("email").endpoint("a@b.c").send().await;
    let text = mail.unwrap_err().into_service_error().meta().message().unwrap().to_owned();
    assert!(text.contains("delivers to sqs only"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_to_a_fifo_topic_keeps_its_groups_and_order() {
    let (local, _directory) = in_process().await;
    let config = local.sdk_config_in_process();
    let (sns, sqs) = (aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config));
    let topic = local.ensure_topic("events.fifo").unwrap();
    let url = local.ensure_queue("events.fifo").unwrap();
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
    let subscribe = subscribe.attributes("RawMessageDelivery", "true");
    subscribe.endpoint("arn:aws:sqs:us-east-1:000000000000:events.fifo").send().await.unwrap();
    let mut batch = sns.publish_batch().topic_arn(&topic);
    for body in ["1", "2", "2", ""] {
        let id =
            format!("id{}", batch.get_publish_batch_request_entries().as_ref().map_or(0, Vec::len));
        let entry = aws_sdk_sns::types::PublishBatchRequestEntry::builder().id(id);
        let entry = entry.message(body).message_group_id("g").build().unwrap();
        batch = batch.publish_batch_request_entries(entry);
    }
    let answer = batch.send().await.unwrap();
    assert_eq!((answer.successful().len(), answer.failed().len()), (3, 1));
    let got = sqs.receive_message().queue_url(url).max_number_of_messages(10).send().await.unwrap();
    let bodies: Vec<_> = got.messages().iter().filter_map(|message| message.body()).collect();
    assert_eq!(bodies, ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn it_says_who_we_are() {
    let (local, _directory) = in_process().await;
    let sts = aws_sdk_sts::Client::new(&local.sdk_config_in_process());
    let who = sts.get_caller_identity().send().await.unwrap();
    assert_eq!(who.account.as_deref(), Some("000000000000"));
    assert!(who.arn.unwrap().starts_with("arn:aws:iam::000000000000:user/"));
}
