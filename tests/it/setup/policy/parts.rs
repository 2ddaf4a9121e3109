//! Each part of the settings by itself: just the rights that it uses.

use super::trial::Trial;
use crate::support::{
    aws,
    emulator::{Emulator, embedded},
};
use aws_sdk_sqs::types::MessageAttributeValue;

const CHECK: &[&str] = &["check"];
const ONCE: &[&str] = &["run", "--once"];

fn file() -> [(&'static str, Vec<u8>); 1] {
    [("a", b"x".to_vec())]
}

/// One message each that is done, retried and done, whose handlers last until locks are renewed.
const LOCKED: &str = "drain_timeout = \"5s\"\n[queue.q]\nqueue = \"orders\"\nwait_time = 0\n\
                      retry_initial = \"100ms\"\n\
                      handler.exec.command = [\"sh\", \"-c\", \"sleep 2; exit $(cat)\"]\n\
                      [idempotency]\nstore = \"dynamodb\"\ntable = \"locks\"\nlock_timeout = \"4s\"\n";

#[tokio::test]
async fn locks_in_dynamodb_need_their_items_and_a_look_at_their_table() {
    let server = embedded();
    let sqs = aws::sqs(&server.endpoint());
    super::super::setup(LOCKED, &["--yes"], &server.endpoint()).expect(0, &["create table locks"]);
    let url = sqs.get_queue_url().queue_name("orders").send().await.unwrap().queue_url.unwrap();
    for code in ["0", "75"] {
        sqs.send_message().queue_url(&url).message_body(code).send().await.unwrap();
    }
    let trial = Trial::new(&server, LOCKED);
    trial.ask(ONCE, &[]).expect(0, &["stopped"]);
    trial.ask(CHECK, &[]).expect(0, &["the DynamoDB table locks keeps"]);
    trial.grants_just_that(&[]);
}

#[tokio::test]
async fn a_table_that_every_queue_has_opted_out_of_is_only_looked_at() {
    let server = embedded();
    super::super::setup(LOCKED, &["--yes"], &server.endpoint()).expect(0, &["create table locks"]);
    let text = LOCKED.replace("wait_time = 0\n", "wait_time = 0\nidempotency = false\n");
    let sqs = aws::sqs(&server.endpoint());
    let url = sqs.get_queue_url().queue_name("orders").send().await.unwrap().queue_url.unwrap();
    for code in ["0", "75"] {
        sqs.send_message().queue_url(&url).message_body(code).send().await.unwrap();
    }
    let trial = Trial::new(&server, &text);
    trial.ask(ONCE, &[]).expect(0, &["stopped"]);
    trial.ask(CHECK, &[]).expect(0, &["the DynamoDB table locks keeps"]);
    trial.grants_just_that(&[]);
}

#[tokio::test]
async fn an_outbox_to_a_queue_sends_and_looks_and_finds_it_unless_its_url_is_known() {
    let server = embedded();
    let sqs = aws::sqs(&server.endpoint());
    let made = sqs.create_queue().queue_name("notices").send().await.unwrap();
    for queue in ["notices".to_owned(), made.queue_url.unwrap()] {
        let text = format!("[outbox.o]\ndirectory = \"outbox\"\nqueue = \"{queue}\"\n");
        let trial = Trial::new(&server, &text);
        trial.ask(ONCE, &file()).expect(0, &["stopped"]);
        trial.ask(CHECK, &[]).expect(0, &["answers"]);
        trial.grants_just_that(&[]);
        let finds = trial.granted().iter().any(|(action, _)| action == "sqs:GetQueueUrl");
        assert_eq!(finds, queue == "notices");
    }
}

#[tokio::test]
async fn an_outbox_to_a_topic_publishes_and_looks() {
    let server = embedded();
    let sns = aws::sns(&server.endpoint());
    let topic = sns.create_topic().name("events").send().await.unwrap().topic_arn.unwrap();
    let text = format!(
        "[outbox.o]\ndirectory = \"outbox\"\ntopic = \"{topic}\"\nevent = \"Placed.shop\"\n"
    );
    let trial = Trial::new(&server, &text);
    trial.ask(ONCE, &file()).expect(0, &["stopped"]);
    trial.ask(CHECK, &[]).expect(0, &["answers"]);
    trial.grants_just_that(&[]);
}

/// A queue with one pointer in it to an object, under these steps.
async fn pointed(server: &Emulator, steps: &str, more: &str) -> Trial {
    let (s3, sqs) = (aws::s3(&server.endpoint()), aws::sqs(&server.endpoint()));
    s3.create_bucket().bucket("bodies").send().await.unwrap();
    s3.put_object().bucket("bodies").key("in/k").body(b"0".to_vec().into()).send().await.unwrap();
    let url = sqs.create_queue().queue_name("orders").send().await.unwrap().queue_url.unwrap();
    let size = MessageAttributeValue::builder().data_type("Number").string_value("1");
    let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"bodies","s3Key":"in/k"}]"#;
    let send = sqs.send_message().queue_url(&url).message_body(pointer);
    let send = send.message_attributes("ExtendedPayloadSize", size.build().unwrap());
    send.send().await.unwrap();
    sqs.send_message().queue_url(&url).message_body("75").send().await.unwrap();
    let text = format!(
        "drain_timeout = \"5s\"\n[queue.q]\nqueue = \"orders\"\nwait_time = 0\n\
         retry_initial = \"100ms\"\npayload = [{steps}]\n{more}\n\
         handler.exec.command = [\"sh\", \"-c\", \"exit $(cat)\"]\n"
    );
    let trial = Trial::new(server, &text);
    trial.ask(ONCE, &[]).expect(0, &["stopped"]);
    trial.ask(CHECK, &[]).expect(0, &["ok"]);
    trial
}

#[tokio::test]
async fn a_pointer_is_followed_and_its_object_deleted_only_where_the_settings_say_so() {
    for (more, deletes) in [("", false), ("delete_payload = true", true)] {
        let server = embedded();
        let trial = pointed(&server, "\"pointer?\"", more).await;
        trial.grants_just_that(&[]);
        let may = trial.granted().iter().any(|(action, _)| action == "s3:DeleteObject");
        assert_eq!(may, deletes);
    }
}

/// What came through SNS may have gone to others, too, so its object stays.
#[tokio::test]
async fn an_object_behind_sns_is_never_deleted_so_it_need_not_be_allowed() {
    for (steps, deletes) in [("\"sns\", \"pointer?\"", false), ("\"sns?\", \"pointer?\"", true)] {
        let server = embedded();
        let text = format!(
            "[queue.q]\nqueue = \"orders\"\npayload = [{steps}]\ndelete_payload = true\n\
             handler.exec.command = [\"true\"]\n"
        );
        let granted = Trial::new(&server, &text).granted();
        assert!(granted.iter().any(|(action, _)| action == "s3:GetObject"));
        let may = granted.iter().any(|(action, _)| action == "s3:DeleteObject");
        assert_eq!(may, deletes, "{steps}");
    }
}

#[tokio::test]
async fn publishing_needs_its_topic_alone() {
    let server = embedded();
    let sns = aws::sns(&server.endpoint());
    let topic = sns.create_topic().name("events").send().await.unwrap().topic_arn.unwrap();
    let trial = Trial::new(&server, &format!("[events]\ntopic = \"{topic}\"\n"));
    trial.ask(&["publish", "-e", "Placed.shop"], &[]).expect(0, &["Publish Success!"]);
    let published = trial.seen();
    assert_eq!(published, [("sns:Publish".to_owned(), topic)].into());
    trial.ask(CHECK, &[]).expect(0, &["AWS knows us as", "is there"]);
    trial.grants_just_that(&[]);
}
