//! Payloads as others write them, and what happens while one is fetched.

use super::ground::{Ground, embedded, log_line, logged, on_ministack, stop, text};
use crate::status_page::page;
use crate::support::{
    PATIENCE, aws,
    daemon::program,
    eventually,
    exchange::Exchange,
    free_port,
    proxy::{Fault, Gate},
    venv,
};
use aws_sdk_sqs::types::MessageAttributeValue;

/// By hand what S3 → SNS → SQS is by settings, and what the extended client libraries write.
const PRODUCE: &str = "
import boto3, json
s3, sns, sqs = (boto3.client(name) for name in ('s3', 'sns', 'sqs'))
s3.create_bucket(Bucket='drops')
s3.create_bucket(Bucket='bodies')

def queue(name):
    url = sqs.create_queue(QueueName=name)['QueueUrl']
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=['QueueArn'])
    return url, answer['Attributes']['QueueArn']

def topic(name, queue_arn):
    arn = sns.create_topic(Name=name)['TopicArn']
    sns.subscribe(TopicArn=arn, Protocol='sqs', Endpoint=queue_arn)
    return arn

events, events_arn = queue('events')
arn = topic('drops', events_arn)
s3.put_bucket_notification_configuration(Bucket='drops', NotificationConfiguration={
    'TopicConfigurations': [{'TopicArn': arn, 'Events': ['s3:ObjectCreated:*']}]})
s3.put_object(Bucket='drops', Key='a b.txt', Body=b'dropped')

url, arn = queue('pointers')
arn = topic('pointers', arn)
classes = ['software.amazon.payloadoffloading.PayloadS3Pointer',
           'com.amazon.sqs.javamessaging.MessageS3Pointer']
count = 0
for kind in classes:
    for marker in ['ExtendedPayloadSize', 'SQSLargePayloadSize']:
        for layout in [None, (',', ':')]:
            count += 1
            body = f'body {count}'.encode()
            s3.put_object(Bucket='bodies', Key=f'p/{count}', Body=body)
            pointer = json.dumps([kind, {'s3BucketName': 'bodies', 's3Key': f'p/{count}'}],
                                 separators=layout)
            size = {marker: {'DataType': 'Number', 'StringValue': str(len(body))}}
            sqs.send_message(QueueUrl=url, MessageBody=pointer, MessageAttributes=size)
            sns.publish(TopicArn=arn, Message=pointer, MessageAttributes=size)
";

fn boto3(ground: &Ground, script: &str) {
    let mut boto = program(&venv("python"), ["-c", script])
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .endpoint(&ground.upstream)
        .start();
    assert_eq!(boto.wait(PATIENCE), 0, "{}", boto.output());
}

#[tokio::test]
async fn con_6_what_s3_sns_and_boto3_write_is_unpacked() {
    let ground = on_ministack();
    boto3(&ground, PRODUCE);
    let daemon = ground.run(&format!(
        "[queue.events]\nqueue = \"events\"\nwait_time = 1\npayload = [\"sns\", \"s3-event\"]\n{}\
         [queue.pointers]\nqueue = \"pointers\"\nwait_time = 1\nattributes = [\"own\"]\n\
         payload = [\"sns?\", \"pointer\"]\n{}",
        ground.exec("queue.events.handler", "e", "echo \"$(cat)\" >> $D/events"),
        // One write each, since several run at once.
        ground.exec(
            "queue.pointers.handler",
            "p",
            "echo \"$(cat) ${LONGSHORE_ATTR_EXTENDEDPAYLOADSIZE-none}\
             ${LONGSHORE_ATTR_SQSLARGEPAYLOADSIZE-none}\" >> $D/bodies"
        ),
    ));
    let mut bodies = ground.wait_lines("bodies", 16);
    bodies.sort();
    let mut wanted: Vec<String> = (1..=8).map(|n| format!("body {n} nonenone")).collect();
    wanted.extend(wanted.clone());
    wanted.sort();
    assert_eq!(bodies, wanted);
    ground.wait_empty("pointers").await;
    // ministack tells of an object after it has said yes to it.
    ground.wait_lines("events", 1);
    ground.wait_empty("events").await;
    let events: Vec<serde_json::Value> =
        ground.lines("events").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 1, "a test event, if any came, was no work: {events:?}");
    assert_eq!(events[0]["Records"][0]["s3"]["object"]["key"], "a+b.txt");
    assert_eq!(logged(&daemon, &["WARN"]), 0, "{}", daemon.output());
    assert_eq!(stop(daemon), 0);
}

fn is_fetch(seen: &Exchange) -> bool {
    seen.operation() == "GetObject"
}

fn number(text: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("Number").string_value(text).build().unwrap()
}

/// A queue `q` and a pointer in it to an object with these bytes.
async fn pointing(bytes: Vec<u8>) -> Ground {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.queue("dead", &[]).await;
    let s3 = aws::s3(&ground.upstream);
    s3.create_bucket().bucket("drops").send().await.unwrap();
    s3.put_object().bucket("drops").key("k").body(bytes.into()).send().await.unwrap();
    let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"drops","s3Key":"k"}]"#;
    ground.send_with("q", pointer, &[("ExtendedPayloadSize", number("5"))]).await;
    ground
}

fn settings(ground: &Ground, more: &str, handler: &str) -> String {
    format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\ndead_letter_queue = \"dead\"\n\
         payload = [\"pointer\"]\n{more}\n{}",
        ground.exec("queue.q.handler", "h", handler)
    )
}

const COPY: &str = "cat >> $D/seen; echo >> $D/seen";

#[tokio::test]
async fn con_5_what_is_denied_or_breaks_off_is_retried_and_never_rejected() {
    let ground = pointing(b"hello".to_vec()).await;
    let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    ground.proxy.on(1, is_fetch, Fault::Answer(403, denied.to_owned()));
    ground.proxy.on(1, is_fetch, Fault::CutBefore);
    ground.proxy.on(1, is_fetch, Fault::CutAfter);
    let no_bucket = "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>";
    ground.proxy.on(1, is_fetch, Fault::Answer(404, no_bucket.to_owned()));
    let daemon = ground.run(&settings(&ground, "retry_longest = \"1s\"", COPY));
    assert_eq!(ground.wait_lines("seen", 1), ["hello"]);
    ground.wait_empty("q").await;
    let told = log_line(&daemon, &["message failed", "AccessDenied"]);
    assert!(told.contains("reading s3://drops/k") && told.contains("message_id"), "{told}");
    assert_eq!(logged(&daemon, &["message failed"]), 4, "{}", daemon.output());
    assert_eq!(ground.counts("dead").await, (0, 0));
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_lease_is_renewed_while_its_payload_is_fetched() {
    let ground = pointing(b"hello".to_vec()).await;
    let gate = Gate::closed();
    ground.proxy.on(1, is_fetch, Fault::Hold(gate.clone()));
    let daemon = ground.run(&settings(&ground, "visibility_timeout = 6", COPY));
    // Each at half of it.
    eventually("two leases have passed", PATIENCE, || {
        ground.proxy.of("ChangeMessageVisibilityBatch").len() >= 4
    });
    assert!(ground.lines("seen").is_empty());
    gate.open();
    ground.wait_empty("q").await;
    assert_eq!(ground.lines("seen"), ["hello"]);
    assert_eq!(ground.proxy.of("GetObject").len(), 1);
    assert_eq!(logged(&daemon, &["WARN"]), 0, "{}", daemon.output());
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn at_stop_a_message_that_is_being_unpacked_goes_back_at_once() {
    let ground = pointing(b"hello".to_vec()).await;
    let gate = Gate::closed();
    ground.proxy.on(1, is_fetch, Fault::Hold(gate.clone()));
    let daemon = ground.run(&settings(&ground, "visibility_timeout = 600", COPY));
    eventually("it is being fetched", PATIENCE, || gate.arrived() == 1);
    assert_eq!(stop(daemon), 0);
    assert_eq!(ground.counts("q").await, (1, 0), "visible at once");
    assert!(ground.lines("seen").is_empty());
    gate.open();
}

#[tokio::test]
async fn an_object_is_deleted_only_once_the_delete_of_its_message_was_confirmed() {
    let ground = pointing(b"hello".to_vec()).await;
    let gate = Gate::closed();
    let is_delete = |seen: &Exchange| seen.operation() == "DeleteMessageBatch";
    ground.proxy.on(1, is_delete, Fault::HoldReply(gate.clone()));
    let daemon = ground.run(&settings(&ground, "delete_payload = true", COPY));
    eventually("the delete is on its way", PATIENCE, || gate.arrived() == 1);
    ground.wait_empty("q").await;
    assert!(ground.proxy.of("DeleteObject").is_empty());
    gate.open();
    eventually("the object is deleted", PATIENCE, || ground.proxy.of("DeleteObject").len() == 1);
    assert_eq!(stop(daemon), 0);
    let asked = aws::s3(&ground.upstream).head_object().bucket("drops").key("k").send().await;
    assert!(asked.is_err());
}

/// A delete that fails leaves the message, and so its object, for the next time.
#[tokio::test]
async fn an_object_stays_while_its_message_could_not_be_deleted() {
    let ground = pointing(b"hello".to_vec()).await;
    let is_delete = |seen: &Exchange| seen.operation() == "DeleteMessageBatch";
    let failed = r#"{"Successful":[],"Failed":[{"Id":"0","SenderFault":true,"Code":"ReceiptHandleIsInvalid","Message":"gone"}]}"#;
    ground.proxy.on(1, is_delete, Fault::Answer(200, failed.to_owned()));
    let more = "delete_payload = true\nvisibility_timeout = 4";
    let daemon = ground.run(&settings(&ground, more, COPY));
    log_line(&daemon, &["delete failed"]);
    ground.wait_empty("q").await;
    assert_eq!(ground.lines("seen"), ["hello"], "the copy was deleted and not run");
    assert_eq!(stop(daemon), 0);
    assert!(ground.proxy.of("DeleteObject").is_empty());
}

#[tokio::test]
async fn a_body_larger_than_memory_may_hold_reaches_a_program_through_a_file() {
    let large: Vec<u8> = (0..20_u32 << 18).flat_map(u32::to_be_bytes).collect();
    assert_eq!(large.len(), 20 << 20);
    let ground = pointing(large.clone()).await;
    let handler = "stat -L -c '%s %h' /dev/stdin >> $D/stat; cat > $D/body; echo >> $D/seen";
    let daemon = ground.run(&settings(&ground, "", handler));
    ground.wait_lines("seen", 1);
    assert_eq!(ground.lines("stat"), [format!("{} 0", large.len())], "a file without a name");
    assert!(std::fs::read(ground.path("body")).unwrap() == large);
    ground.wait_empty("q").await;
    assert_eq!(stop(daemon), 0);
}

/// The envelope of pylon as its own library sends it; read back by the one that is written here.
#[tokio::test]
async fn p2_a_stored_message_of_pylon_is_fetched() {
    let ground = pointing(b"really big string".to_vec()).await;
    ground.queue("pylon", &[]).await;
    let attributes = [
        ("payloadMimeType", "text"),
        ("objectType", "rawContent"),
        ("ingestionId", "None"),
        ("artifactName", "test_artifact"),
        ("artifactVersion", "0.0.0"),
        ("payloadStoreKey", "s3://drops/k"),
    ];
    let attributes = attributes.map(|(name, value)| (name, text(value)));
    ground.send_with("pylon", "stored", &attributes).await;
    let daemon = ground.run(&format!(
        "[queue.p]\nqueue = \"pylon\"\nwait_time = 1\nattributes = []\npayload = [\"pylon\"]\n{}",
        ground.exec(
            "queue.p.handler",
            "h",
            "echo \"$(cat) $LONGSHORE_ATTR_ARTIFACTNAME ${LONGSHORE_ATTR_PAYLOADSTOREKEY-none} \
             ${LONGSHORE_ATTR_INGESTIONID-none}\" >> $D/seen"
        )
    ));
    assert_eq!(ground.wait_lines("seen", 1), ["really big string test_artifact none none"]);
    ground.wait_empty("pylon").await;
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_body_damaged_on_its_way_is_retried_and_counted() {
    let (ground, port) = (embedded(), free_port());
    ground.queue("q", &[]).await;
    // The MD5 is that of another body.
    let damaged = r#"{"Messages":[{"MessageId":"m","ReceiptHandle":"r","Body":"hellp","MD5OfBody":"5d41402abc4b2a76b9719d911017c592"}]}"#;
    let is_poll = |seen: &Exchange| seen.operation() == "ReceiveMessage";
    ground.proxy.on(1, is_poll, Fault::Answer(200, damaged.to_owned()));
    let daemon = ground.run(&format!(
        "[status]\nlisten = \"127.0.0.1:{port}\"\n[queue.q]\nqueue = \"q\"\nwait_time = 1\n{}",
        ground.exec("queue.q.handler", "h", COPY)
    ));
    let told = log_line(&daemon, &["WARN", "message failed", "its MD5 differs"]);
    assert!(!told.contains("hellp"), "{told}");
    let counted = "longshore_bodies_damaged_total{queue=\"q\"} 1";
    eventually("it is counted", PATIENCE, || page(port, "/metrics").1.contains(counted));
    ground.send("q", "hello").await;
    assert_eq!(ground.wait_lines("seen", 1), ["hello"], "the next one is handled");
    ground.wait_empty("q").await;
    assert_eq!(stop(daemon), 0);
}
