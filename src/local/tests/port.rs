//! The port: real connections, and clients that are told apart.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::options;
use crate::error::Kind;
use crate::local::{Local, Options};

const PATIENCE: Duration = Duration::from_secs(20);

async fn served() -> (Local, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::start(options(&directory)).await.unwrap();
    (local, directory)
}

/// Sends bytes as they are and reads to the end of the connection.
async fn raw(local: &Local, request: &str) -> String {
    let address = local.endpoint().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

async fn form(local: &Local, path: &str, body: &str) -> String {
    let length = body.len();
    let kind = "application/x-www-form-urlencoded";
    raw(
        local,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: here:1\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ),
    )
    .await
}

#[tokio::test]
async fn all_services_answer_on_one_port() {
    let (local, _directory) = served().await;
    let config = local.sdk_config();
    let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    s3.create_bucket().bucket("reports").send().await.unwrap();
    let body = ByteStream::from(vec![7; 3 << 20]);
    s3.put_object().bucket("reports").key("k").body(body).send().await.unwrap();
    let got = s3.get_object().bucket("reports").key("k").range("bytes=0-9").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), [7; 10]);
    let sqs = aws_sdk_sqs::Client::new(&config);
    let url = sqs.create_queue().queue_name("inbox").send().await.unwrap().queue_url.unwrap();
    assert_eq!(url, format!("{}/000000000000/inbox", local.endpoint()));
    sqs.send_message().queue_url(&url).message_body("x").send().await.unwrap();
    let sns = aws_sdk_sns::Client::new(&config);
    sns.create_topic().name("events").send().await.unwrap();
    let sts = aws_sdk_sts::Client::new(&config);
    sts.get_caller_identity().send().await.unwrap();
    timeout(PATIENCE, local.stop()).await.unwrap();
}

#[tokio::test]
async fn arns_carry_the_region_of_the_request() {
    let (local, _directory) = served().await;
    let config = aws_sdk_sqs::config::Builder::from(&local.sdk_config());
    let region = aws_sdk_sqs::config::Region::from_static("eu-west-1");
    let sqs = aws_sdk_sqs::Client::from_conf(config.region(region).build());
    let url = sqs.create_queue().queue_name("inbox").send().await.unwrap().queue_url.unwrap();
    let all = sqs.get_queue_attributes().queue_url(url).attribute_names("All".into()).send().await;
    let arn = &all.unwrap().attributes.unwrap()[&"QueueArn".into()];
    assert_eq!(arn, "arn:aws:sqs:eu-west-1:000000000000:inbox");
}

#[tokio::test]
async fn our_own_files_are_no_objects_and_other_services_are_refused() {
    let (local, _directory) = served().await;
    let rest = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n";
    let lock = raw(&local, &format!("GET /.longshore/lock {rest}\r\n")).await;
    assert!(lock.contains("InvalidBucketName"), "{lock}");
    let target = "X-Amz-Target: Kinesis_20131202.ListStreams";
    let tables = raw(&local, &format!("POST / {rest}{target}\r\n\r\n")).await;
    assert!(tables.starts_with("HTTP/1.1 400") && tables.contains("UnknownOperation"), "{tables}");
}

#[tokio::test]
async fn stop_answers_open_polls_and_closes_idle_connections() {
    let (local, _directory) = served().await;
    let sqs = aws_sdk_sqs::Client::new(&local.sdk_config());
    let url = local.ensure_queue("inbox").unwrap();
    sqs.get_queue_url().queue_name("inbox").send().await.unwrap();
    let began = std::time::Instant::now();
    let poll = sqs.receive_message().queue_url(url).wait_time_seconds(20).send();
    let (polled, ()) = tokio::join!(poll, async {
        while local.door.sqs.under_way("inbox") == 0 {
            tokio::task::yield_now().await;
        }
        local.stop().await;
    });
    polled.unwrap();
    assert!(began.elapsed() < Duration::from_secs(20), "the poll took all of its time");
}

#[tokio::test]
async fn a_taken_port_is_refused_or_passed_over() {
    let (first, _directory) = served().await;
    let port: u16 = first.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    let other = tempfile::tempdir().unwrap();
    let asked = |next_free| Options { directory: other.path().to_owned(), port, next_free };
    assert_eq!(Local::start(asked(false)).await.unwrap_err().kind(), Kind::Busy);
    let second = Local::start(asked(true)).await.unwrap();
    assert_ne!(second.endpoint(), first.endpoint());
}

#[tokio::test]
async fn presigned_urls_and_virtual_hosts_lead_to_the_object() {
    let (local, directory) = served().await;
    local.ensure_bucket("reports").await.unwrap();
    std::fs::write(directory.path().join("s3/reports/a b"), "hello").unwrap();
    let config = aws_sdk_s3::config::Builder::from(&local.sdk_config()).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    let expiry = PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let url = s3.get_object().bucket("reports").key("a b").presigned(expiry).await.unwrap();
    let path = url.uri().strip_prefix(local.endpoint()).unwrap();
    let host = "Connection: close\r\n\r\n";
    let got = raw(&local, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{host}")).await;
    assert!(got.starts_with("HTTP/1.1 200") && got.ends_with("hello"), "{got}");
    let virtually = format!("GET /a%20b HTTP/1.1\r\nHost: reports.localhost:1\r\n{host}");
    assert!(raw(&local, &virtually).await.ends_with("hello"));
}

#[tokio::test]
async fn chunked_framing_is_taken_off_and_its_trailer_checked() {
    let (local, directory) = served().await;
    local.ensure_bucket("reports").await.unwrap();
    let put = |sum: &str| {
        let body = format!(
            "4\r\n1234\r\n5;chunk-signature=abc\r\n56789\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n"
        );
        format!(
            "PUT /reports/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n\
             x-amz-trailer: x-amz-checksum-crc32\r\nContent-Encoding: aws-chunked\r\n\
             x-amz-decoded-content-length: 9\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let refused = raw(&local, &put("AAAAAA==")).await;
    assert!(refused.contains("BadDigest"), "{refused}");
    let taken = raw(&local, &put("y/Q5Jg==")).await;
    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
    assert_eq!(std::fs::read(directory.path().join("s3/reports/k")).unwrap(), b"123456789");
}

#[tokio::test]
async fn a_body_that_was_damaged_on_its_way_is_refused() {
    let (local, directory) = served().await;
    local.ensure_bucket("reports").await.unwrap();
    let put = |body: &str| {
        // The SHA-256 of "hello".
        let sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        format!(
            "PUT /reports/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             x-amz-content-sha256: {sum}\r\nContent-Length: 5\r\n\r\n{body}"
        )
    };
    let refused = raw(&local, &put("hellO")).await;
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    assert!(refused.contains("XAmzContentSHA256Mismatch"), "{refused}");
    assert!(!directory.path().join("s3/reports/k").exists());
    let taken = raw(&local, &put("hello")).await;
    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
}

#[tokio::test]
async fn old_clients_speak_the_query_protocol() {
    let (local, _directory) = served().await;
    let version = "Version=2012-11-05";
    let created = form(
        &local,
        "/",
        &format!("Action=CreateQueue&QueueName=old&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=5&{version}"),
    )
    .await;
    assert!(created.contains("<QueueUrl>http://here:1/000000000000/old</QueueUrl>"), "{created}");
    let path = "/000000000000/old";
    let sent = form(
        &local,
        path,
        &format!(
            "Action=SendMessageBatch&{version}&SendMessageBatchRequestEntry.1.Id=one&\
             SendMessageBatchRequestEntry.1.MessageBody=a%3Cb+c&\
             SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=k&\
             SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String&\
             SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=v"
        ),
    )
    .await;
    assert!(
        sent.contains("<SendMessageBatchResultEntry>") && sent.contains("<Id>one</Id>"),
        "{sent}"
    );
    let got = form(
        &local,
        path,
        &format!("Action=ReceiveMessage&{version}&MaxNumberOfMessages=10&AttributeName.1=All&MessageAttributeName.1=All"),
    )
    .await;
    assert!(got.contains("<Body>a&lt;b c</Body>"), "{got}");
    assert!(
        got.contains("<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>"),
        "{got}"
    );
    assert!(got.contains("<StringValue>v</StringValue>"), "{got}");
    let missing = form(&local, "/", &format!("Action=GetQueueUrl&QueueName=no&{version}")).await;
    assert!(missing.starts_with("HTTP/1.1 400"), "{missing}");
    assert!(missing.contains("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>"), "{missing}");
}
