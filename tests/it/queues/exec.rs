//! Programs as handlers, and which of them gets a message.

use super::ground::{embedded, logged, on_ministack, sizes, stop, text};
use crate::support::{PATIENCE, aws, daemon::program, eventually, venv};
use std::collections::BTreeSet;

const SEND: &str = "
import boto3, sys
sqs = boto3.client('sqs')
url = sqs.create_queue(QueueName='q')['QueueUrl']
for first in range(0, 1000, 10):
    entries = [{'Id': str(n), 'MessageBody': f'body-{n}'} for n in range(first, first + 10)]
    sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    for entry in sent['Successful']:
        print('sent', f\"body-{entry['Id']}\", entry['MessageId'])
    assert not sent.get('Failed'), sent
";

#[tokio::test]
async fn a_thousand_messages_of_boto3_are_handled_and_deleted_after_it() {
    let ground = on_ministack();
    let mut boto = program(&venv("python"), ["-c", SEND])
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .endpoint(&ground.upstream)
        .start();
    assert_eq!(boto.wait(PATIENCE), 0, "{}", boto.output());
    eventually("all that was printed", PATIENCE, || boto.stdout.all().len() == 1000);
    let sent: BTreeSet<String> =
        boto.stdout.all().iter().map(|line| line.replacen("sent ", "", 1)).collect();

    let witness = ground.watch_deletes("seen");
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nconcurrency = 20\nwait_time = 1\n{}",
        ground.exec(
            "queue.q.handler",
            "h",
            "read body; echo \"$body $LONGSHORE_MESSAGE_ID\" >> $D/seen"
        )
    ));
    // A thousand programs: whatever time they take, something moves on.
    for done in (100..=1000).step_by(100) {
        ground.wait_lines("seen", done);
    }
    ground.wait_empty("q").await;
    let lines = ground.lines("seen");
    let seen: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(seen, sent);
    assert_eq!(lines.len(), 1000, "each once");

    let line = |message: &serde_json::Value| {
        let part = |name: &str| message[name].as_str().unwrap().to_owned();
        format!("{} {}", part("Body"), part("MessageId"))
    };
    assert_eq!(ground.deleted_after(&witness, "seen", line), 1000);
    let calls = sizes(&ground.calls("DeleteMessageBatch"));
    assert!(calls.len() <= 150, "deletes go in batches: {calls:?}");
    assert_eq!(logged(&daemon, &["INFO", "message done"]), 1000);
    assert_eq!(stop(daemon), 0);
    ground.no_poll_was_dropped();
}

#[tokio::test]
async fn the_event_decides_and_the_rest_goes_to_the_default() {
    let ground = embedded();
    ground.queue("q", &[("VisibilityTimeout", "30")]).await;
    let note = |name: &str| format!("echo \"{name} $LONGSHORE_EVENT\" >> $D/seen");
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nattributes = [\"tint\"]\n{}{}{}",
        ground.exec("queue.q.handler", "default", &note("default")),
        ground.exec("queue.q.route.\"Order*\".handler", "prefix", &note("prefix")),
        ground.exec("queue.q.route.\"OrderPlaced.shop\".handler", "exact", &note("exact")),
    ));
    for event in ["OrderPlaced.shop", "OrderPlaced.web", "Order", "Other"] {
        ground.send_with("q", "x", &[("iniesta_pass", text(event))]).await;
    }
    ground.send("q", "without").await;
    // The same events inside the envelope of SNS.
    let sns = aws::sns(&ground.upstream);
    let topic = sns.create_topic().name("t").send().await.unwrap().topic_arn.unwrap();
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
    subscribe.endpoint("arn:aws:sqs:us-east-1:000000000000:q").send().await.unwrap();
    let value = aws_sdk_sns::types::MessageAttributeValue::builder();
    let value = value.data_type("String").string_value("OrderPlaced.shop").build().unwrap();
    let publish = sns.publish().topic_arn(&topic).message("{}");
    publish.message_attributes("iniesta_pass", value).send().await.unwrap();
    let mut seen = ground.wait_lines("seen", 6);
    seen.sort();
    assert_eq!(
        seen,
        [
            "default ",
            "default Other",
            "exact OrderPlaced.shop",
            "exact OrderPlaced.shop",
            "prefix Order",
            "prefix OrderPlaced.web",
        ]
    );
    ground.wait_empty("q").await;
    drop(daemon);
}

#[tokio::test]
async fn two_sections_share_one_queue() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    for n in 0..40 {
        ground.send("q", &n.to_string()).await;
    }
    let daemon = ground.run(&format!(
        "[queue.a]\nqueue = \"q\"\nconcurrency = 2\nwait_time = 1\n{}\
         [queue.b]\nqueue = \"q\"\nconcurrency = 2\nwait_time = 1\n{}",
        ground.exec("queue.a.handler", "a", "read b; echo \"a $b\" >> $D/seen; sleep 0.1"),
        ground.exec("queue.b.handler", "b", "read b; echo \"b $b\" >> $D/seen; sleep 0.1"),
    ));
    ground.wait_empty("q").await;
    let seen = ground.lines("seen");
    assert_eq!(seen.len(), 40);
    let bodies: BTreeSet<&str> = seen.iter().map(|line| &line[2..]).collect();
    assert_eq!(bodies.len(), 40);
    for section in ["a ", "b "] {
        assert!(seen.iter().any(|line| line.starts_with(section)), "{section} got none");
    }
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn short_polls_of_an_empty_queue_are_no_hot_loop() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    let daemon = ground.run("[queue.q]\nqueue = \"q\"\nwait_time = 0\n[queue.q.handler.print]\n");
    eventually("six polls", PATIENCE, || ground.proxy.of("ReceiveMessage").len() >= 6);
    let polls = ground.calls("ReceiveMessage");
    // 0.1, 0.2, 0.4, 0.8, 1.6 s, each with half of it left to chance.
    let took = polls[5].0 - polls[0].0;
    assert!(took.as_secs_f64() >= 1.55, "six polls in {took:?}");
    assert_eq!(polls[0].1["WaitTimeSeconds"].as_u64().unwrap_or(0), 0);
    ground.send("q", "hello").await;
    ground.wait_empty("q").await;
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_program_inherits_what_is_promised_and_nothing_else() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send_with("q", "x", &[("tint", text("red"))]).await;
    let settings = format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\n{}environment = [\"ALLOWED\"]\n",
        ground.exec(
            "queue.q.handler",
            "h",
            "tr '\\0' '\\n' < /proc/$$/environ > $D/env\n\
             sed -n 's/^\\(SigBlk\\|SigIgn\\|CapAmb\\):[[:space:]]*//p' /proc/self/status > $D/status\n\
             cut -d' ' -f1,5 /proc/$$/stat > $D/group\n\
             exec > $D/fds; ls -l /proc/$$/fd; echo >> $D/done",
        )
    );
    let launch = ground.launch(&settings).env("ALLOWED", "yes").env("SECRET", "no");
    let daemon = launch.env("LC_TIME", "C").start();
    ground.wait_lines("done", 1);
    let names: BTreeSet<String> = ground
        .lines("env")
        .iter()
        .map(|line| line.split_once('=').unwrap().0.to_owned())
        .filter(|name| !name.starts_with("LONGSHORE_"))
        .collect();
    let wanted = ["ALLOWED", "HOME", "LANG", "LC_TIME", "PATH"].map(str::to_owned);
    assert_eq!(names, BTreeSet::from(wanted), "no AWS credentials, nothing of the daemon's own");
    for line in ["LONGSHORE_QUEUE=q", "LONGSHORE_RECEIVE_COUNT=1", "LONGSHORE_ATTR_TINT=red"] {
        assert!(ground.lines("env").iter().any(|seen| seen == line), "{line}");
    }
    let fds = ground.lines("fds");
    let fds = fds.iter().filter_map(|line| line.split_once(" -> "));
    let foreign: Vec<_> = fds
        .filter(|(number, _)| ![" 0", " 1", " 2"].iter().any(|own| number.ends_with(own)))
        // The shell's own: its script.
        .filter(|(_, target)| !target.ends_with("/h"))
        .collect();
    assert!(foreign.is_empty(), "descriptors of the daemon: {foreign:?}");
    // The C library keeps signals 32 and 33 for itself.
    let masks = ground.lines("status");
    let masks: Vec<u64> =
        masks.iter().map(|mask| u64::from_str_radix(mask, 16).unwrap() & 0x7fff_ffff).collect();
    assert_eq!(masks, [0, 0, 0], "no signal blocked or ignored, no capability handed on");
    let group = ground.lines("group").remove(0);
    let (own, leader) = group.split_once(' ').unwrap();
    assert_eq!(own, leader, "a process group of its own");
    assert_eq!(stop(daemon), 0);
}
