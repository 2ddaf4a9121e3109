//! `longshore policy`: every action that is seen stands in it, and nothing else does.

mod parts;
mod trial;

use self::trial::Trial;
use crate::support::{
    aws,
    daemon::longshore,
    emulator::{embedded, ministack},
    proxy::Proxy,
};

const BOTH: &str = "drain_timeout = \"5s\"\n[spool.s]\ndirectory = \"spool\"\nbucket = \"reports\"\n\
                    path_style = true\n\
                    [queue.q]\nqueue = \"orders\"\ndead_letter_queue = \"dead\"\nwait_time = 0\n\
                    retry_initial = \"100ms\"\n\
                    handler.exec.command = [\"sh\", \"-c\", \"exit $(cat)\"]\n";

#[tokio::test]
async fn every_action_that_is_seen_stands_in_it_and_no_other() {
    let server = embedded();
    let (s3, sqs) = (aws::s3(&server.endpoint()), aws::sqs(&server.endpoint()));
    s3.create_bucket().bucket("reports").send().await.unwrap();
    for name in ["orders", "dead"] {
        sqs.create_queue().queue_name(name).send().await.unwrap();
    }
    let url = sqs.get_queue_url().queue_name("orders").send().await.unwrap().queue_url.unwrap();
    // Done, retried, rejected.
    for code in ["0", "75", "65"] {
        sqs.send_message().queue_url(&url).message_body(code).send().await.unwrap();
    }
    let trial = Trial::new(&server, BOTH);
    let files = [("small", b"x".to_vec()), ("large", vec![7; 20 << 20])];
    trial.ask(&["run", "--once"], &files).expect(0, &["stopped"]);
    trial.ask(&["check"], &[]).expect(0, &["ok"]);
    // An upload that has to be given up; its own tests show it.
    trial.grants_just_that(&["s3:AbortMultipartUpload"]);
}

#[test]
fn resources_are_named_and_the_account_is_asked_for_unless_it_is_given() {
    let server = ministack();
    let proxy = Proxy::start(&server.endpoint());
    let asked = longshore(["policy", "--config", "c.toml"]).file("c.toml", BOTH);
    let asked = asked.endpoint(&proxy.endpoint()).finish();
    assert!(
        asked.stdout.contains("\"arn:aws:sqs:us-east-1:000000000000:orders\""),
        "{}",
        asked.stdout
    );
    assert_eq!(proxy.requests().len(), proxy.of("GetCallerIdentity").len());

    let nowhere = "http://127.0.0.1:9";
    let given = ["policy", "--config", "c.toml", "--account", "111122223333"];
    let given = longshore(given).file("c.toml", BOTH).endpoint(nowhere).finish();
    let text = given.stdout;
    for arn in [
        "arn:aws:sqs:us-east-1:111122223333:orders",
        "arn:aws:sqs:us-east-1:111122223333:dead",
        "arn:aws:s3:::reports",
        "arn:aws:s3:::reports/*",
    ] {
        assert!(text.contains(&format!("\"{arn}\"")), "{arn} is not in {text}");
    }
    let china = longshore(["policy", "--config", "c.toml", "--account", "111122223333"]);
    let china =
        china.file("c.toml", BOTH).env("AWS_REGION", "cn-north-1").endpoint(nowhere).finish();
    assert!(china.stdout.contains("arn:aws-cn:sqs:cn-north-1:111122223333:orders"));
    assert!(china.stdout.contains("arn:aws-cn:s3:::reports"));

    let wrong = longshore(["policy", "--config", "c.toml", "--account", "12"]).file("c.toml", BOTH);
    wrong.finish().expect(64, &["an account has twelve digits"]);
}

#[test]
fn what_checks_ask_of_a_topic_stands_in_it() {
    let server = ministack();
    let text = format!(
        "{}[events]\ntopic = \"arn:aws:sns:us-east-1:000000000000:events\"\n",
        BOTH.replace("[queue.q]", "[queue.q.route.\"A.shop\".handler.print]\n[queue.q]")
            .replace("handler.exec.command = [\"sh\", \"-c\", \"exit $(cat)\"]\n", "")
    );
    super::setup(&text, &["--yes"], &server.endpoint()).expect(0, &["done  subscribe"]);
    let trial = Trial::new(&server, &text);
    trial.ask(&["check"], &[]).expect(69, &["looking for bucket"]);
    // What a check never tries.
    trial.grants_just_that(&[
        "s3:AbortMultipartUpload",
        "s3:PutObject",
        "sns:Publish",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
    ]);
}
