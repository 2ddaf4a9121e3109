//! ministack and moto, and what of AWS's rules the tests may rely on in them.

use crate::support::{
    PATIENCE, aws,
    daemon::program,
    emulator::{ministack, moto},
    exchange::{End, Exchange},
    proxy::{Fault, Proxy},
    venv,
};
use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart},
};

/// CRC-64/NVME of `123456789`.
const CHECK: (&[u8], &str) = (b"123456789", "rosUhgp5mIg=");

#[tokio::test]
async fn ministack_checks_bytes_and_takes_every_key() {
    let server = ministack();
    let client = aws::s3(&server.endpoint());
    client.create_bucket().bucket("bucket").send().await.unwrap();
    let wrong = client.put_object().bucket("bucket").key("k").checksum_crc64_nvme(CHECK.1);
    let wrong = wrong.body(b"other".to_vec().into()).send().await.unwrap_err();
    assert_eq!(wrong.code(), Some("BadDigest"));
    for key in ["a", "a/b", "a//b", "//a", "../a", "a/../b", ".well-known/x", &"k".repeat(1024)] {
        let put = client.put_object().bucket("bucket").key(key).checksum_crc64_nvme(CHECK.1);
        put.body(CHECK.0.to_vec().into()).send().await.unwrap();
        let got = client.get_object().bucket("bucket").key(key).send().await.unwrap();
        assert_eq!(got.body.collect().await.unwrap().to_vec(), CHECK.0, "{key}");
    }
}

/// The proxy takes the header away that ministack judges wrongly; the day ministack judges it
/// rightly, the first half of this test says so.
#[tokio::test]
async fn ministack_takes_a_multipart_upload_only_without_its_whole_checksum() {
    let server = ministack();
    let proxy = Proxy::start(&server.endpoint());
    let client = aws::s3(&proxy.endpoint());
    client.create_bucket().bucket("bucket").send().await.unwrap();
    let create = client.create_multipart_upload().bucket("bucket").key("k");
    let create = create.checksum_type(ChecksumType::FullObject);
    let id = create.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).send().await.unwrap();
    let id = id.upload_id().unwrap();
    let part = client.upload_part().bucket("bucket").key("k").upload_id(id).part_number(1);
    let sent = part.body(CHECK.0.to_vec().into()).checksum_crc64_nvme(CHECK.1).send();
    let tag = sent.await.unwrap().e_tag().unwrap().to_owned();
    let part = CompletedPart::builder().part_number(1).e_tag(tag).build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let complete = || {
        let request = client.complete_multipart_upload().bucket("bucket").key("k").upload_id(id);
        let request = request.multipart_upload(parts.clone()).mpu_object_size(9);
        request.checksum_type(ChecksumType::FullObject).checksum_crc64_nvme(CHECK.1).send()
    };
    assert_eq!(complete().await.unwrap_err().code(), Some("BadDigest"));
    let completes = "CompleteMultipartUpload";
    let stripped = Fault::WithoutHeader("x-amz-checksum-crc64nvme");
    proxy.on(1, move |seen| seen.operation() == completes, stripped);
    complete().await.unwrap();
    let ends: Vec<_> = proxy.of(completes).iter().map(|seen| seen.end).collect();
    assert_eq!(ends, [End::Answered(400), End::Answered(200)]);
}

#[tokio::test]
async fn queues_work_through_the_proxy_on_both() {
    for server in [ministack(), moto()] {
        let proxy = Proxy::start(&server.endpoint());
        let client = aws::sqs(&proxy.endpoint());
        let queue = client.create_queue().queue_name("q").send().await.unwrap();
        let queue = queue.queue_url().unwrap();
        client.send_message().queue_url(queue).message_body("hello").send().await.unwrap();
        let receive = client.receive_message().queue_url(queue).wait_time_seconds(5);
        let got = receive.send().await.unwrap();
        let message = &got.messages()[0];
        assert_eq!(message.body(), Some("hello"));
        let handle = message.receipt_handle().unwrap();
        client.delete_message().queue_url(queue).receipt_handle(handle).send().await.unwrap();
        let operations: Vec<_> = proxy.requests().iter().map(Exchange::operation).collect();
        assert_eq!(operations, ["CreateQueue", "SendMessage", "ReceiveMessage", "DeleteMessage"]);
    }
}

#[test]
fn the_aws_command_and_boto3_reach_an_emulator() {
    let server = ministack();
    let mut aws =
        program(&venv("aws"), ["s3", "mb", "s3://by-the-cli"]).endpoint(&server.endpoint()).start();
    assert_eq!(aws.wait(PATIENCE), 0, "{}", aws.output());
    let script =
        "import boto3; print(*(b['Name'] for b in boto3.client('s3').list_buckets()['Buckets']))";
    let mut boto = program(&venv("python"), ["-c", script])
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .endpoint(&server.endpoint())
        .start();
    assert_eq!(boto.wait(PATIENCE), 0, "{}", boto.output());
    boto.wait_for_line(|line| line == "by-the-cli", PATIENCE);
}
