//! Redrives in virtual time: the library against the embedded SQS in the same runtime, with the
//! clock stopped except while everybody waits.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};
use longshore::aws::Aws;
use longshore::config;
use longshore::error::Kind;
use longshore::local::{Local, Options as LocalOptions};
use longshore::shutdown::Shutdown;
use longshore::toolkit::sqs::redrive::{End, Ending, Filter, Options, Rate, Summary, redrive};
use longshore::toolkit::sqs::resolve;
use tokio::time::Instant;

struct Bench {
    local: Local,
    sqs: aws_sdk_sqs::Client,
    stop: Shutdown,
    _directory: tempfile::TempDir,
}

impl Bench {
    async fn new(queues: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options =
            LocalOptions { directory: directory.path().to_owned(), port: 0, next_free: false };
        let local = Local::without_port(options).await.unwrap();
        let sqs = aws_sdk_sqs::Client::new(&local.sdk_config_in_process());
        for queue in queues {
            let mut create = sqs.create_queue().queue_name(*queue);
            if queue.strip_suffix(".fifo").is_some() {
                create = create.attributes("FifoQueue".into(), "true");
            }
            create.send().await.unwrap();
        }
        Self { local, sqs, stop: Shutdown::new(), _directory: directory }
    }

    async fn end(&self, queue: &str) -> End {
        let settings = config::Aws {
            endpoint_url: Some(self.local.endpoint().to_owned()),
            sealed: true,
            ..config::Aws::default()
        };
        let aws = Aws::through(self.local.http_client());
        let client = aws.connect(&settings).await.unwrap().sqs;
        let url = resolve(&client, queue).await.unwrap();
        End { client, url }
    }

    fn url(&self, queue: &str) -> String {
        format!("{}/000000000000/{queue}", self.local.endpoint())
    }

    async fn send(&self, queue: &str, bodies: impl IntoIterator<Item = String>) {
        for body in bodies {
            self.sqs
                .send_message()
                .queue_url(self.url(queue))
                .message_body(body)
                .send()
                .await
                .unwrap();
        }
    }

    async fn send_in_group(&self, queue: &str, group: &str, body: &str) {
        let send = self.sqs.send_message().queue_url(self.url(queue)).message_body(body);
        let send = send.message_group_id(group).message_deduplication_id(format!("{group} {body}"));
        send.send().await.unwrap();
    }

    async fn redrive(&self, from: &str, to: &str, options: Options) -> Summary {
        let (from, to) = (self.end(from).await, self.end(to).await);
        redrive(from, to, options, self.stop.clone(), |_| ()).await.unwrap()
    }

    /// Visible, and hidden, messages of a queue.
    async fn counts(&self, queue: &str) -> (u32, u32) {
        let ask = self.sqs.get_queue_attributes().queue_url(self.url(queue));
        let attributes = ask.attribute_names("All".into()).send().await.unwrap().attributes;
        let attributes = attributes.unwrap();
        let count = |name: &str| attributes[&name.into()].parse().unwrap();
        (count("ApproximateNumberOfMessages"), count("ApproximateNumberOfMessagesNotVisible"))
    }

    /// All that can be received, in the order in which it comes; FIFO groups move on by deletes.
    async fn drain(&self, queue: &str) -> Vec<aws_sdk_sqs::types::Message> {
        let mut all = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(self.url(queue));
            let receive = receive.max_number_of_messages(10).message_attribute_names("All");
            let receive = receive.message_system_attribute_names("All".into());
            let got = receive.send().await.unwrap().messages.unwrap_or_default();
            if got.is_empty() {
                return all;
            }
            for message in got {
                let delete = self.sqs.delete_message().queue_url(self.url(queue));
                delete.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
                all.push(message);
            }
        }
    }

    async fn bodies(&self, queue: &str) -> Vec<String> {
        let messages = self.drain(queue).await;
        messages.into_iter().map(|message| message.body.unwrap()).collect()
    }
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("body {number:05}"))
}

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn everything_moves_and_three_empty_long_polls_are_the_end() {
    let bench = Bench::new(&["dead", "orders"]).await;
    bench.send("dead", numbered(137)).await;
    let began = Instant::now();
    let summary = bench.redrive("dead", "orders", Options::default()).await;
    assert!(matches!(summary.ending, Ending::Empty), "{summary:?}");
    assert_eq!((summary.moved, summary.left, summary.undeleted), (137, 0, 0));
    let took = began.elapsed();
    assert!((Duration::from_secs(15)..Duration::from_secs(16)).contains(&took), "{took:?}");
    assert_eq!(bench.counts("dead").await, (0, 0));
    let bodies: BTreeSet<String> = bench.bodies("orders").await.into_iter().collect();
    assert_eq!(bodies, numbered(137).collect());
}

#[tokio::test(start_paused = true)]
async fn attributes_types_and_trace_move_as_they_came() {
    let bench = Bench::new(&["dead", "orders"]).await;
    let binary = MessageAttributeValue::builder()
        .data_type("Binary.gif")
        .binary_value(aws_sdk_sqs::primitives::Blob::new(vec![0, 255, 7]))
        .build()
        .unwrap();
    let number =
        MessageAttributeValue::builder().data_type("Number.int").string_value("3").build().unwrap();
    let trace = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value("Root=1-5759e988-bd862e3fe1be46a994272793")
        .build()
        .unwrap();
    let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#;
    let send = bench.sqs.send_message().queue_url(bench.url("dead")).message_body(pointer);
    let send = send.message_attributes("picture", binary).message_attributes("count", number);
    let send = send.message_attributes("tags", text("é, \"quoted\""));
    let key = MessageSystemAttributeNameForSends::AwsTraceHeader;
    send.message_system_attributes(key, trace).send().await.unwrap();
    let ask = || bench.sqs.receive_message().queue_url(bench.url("dead")).visibility_timeout(0);
    let ask = ask().message_attribute_names("All").message_system_attribute_names("All".into());
    let before = ask.send().await.unwrap().messages.unwrap().remove(0);

    bench.redrive("dead", "orders", Options::default()).await;
    let after = bench.drain("orders").await.remove(0);
    assert_eq!(after.body, before.body);
    assert_eq!(after.message_attributes, before.message_attributes);
    assert_eq!(after.md5_of_message_attributes, before.md5_of_message_attributes);
    let trace = |message: &aws_sdk_sqs::types::Message| {
        message.attributes.as_ref().unwrap().get(&"AWSTraceHeader".into()).cloned()
    };
    assert!(trace(&before).is_some());
    assert_eq!(trace(&after), trace(&before));
}

#[tokio::test(start_paused = true)]
async fn what_the_filter_leaves_is_seen_once_and_given_back_at_the_end() {
    let bench = Bench::new(&["dead", "orders"]).await;
    for number in 0..40 {
        let send = bench.sqs.send_message().queue_url(bench.url("dead"));
        let event = if number % 4 == 0 { "Order.shop" } else { "Other.shop" };
        let send = send.message_body(number.to_string()).message_attributes("kind", text(event));
        send.send().await.unwrap();
    }
    let filter = Filter { events: vec!["Order*".to_owned()], ..Filter::default() };
    // Slow enough that a lease that nobody renewed would lapse many times.
    let rate = Some(Rate::read("1/m").unwrap());
    let options = Options { filter, rate, event_key: "kind".to_owned(), ..Options::default() };
    let summary = bench.redrive("dead", "orders", options).await;
    assert_eq!((summary.moved, summary.left), (10, 30), "{summary:?}");
    assert_eq!(bench.counts("dead").await, (30, 0));
    assert_eq!(bench.bodies("orders").await.len(), 10);
    for message in bench.drain("dead").await {
        let attributes = message.attributes.unwrap();
        assert_eq!(attributes[&"ApproximateReceiveCount".into()], "2", "ours, and this one");
    }
}

#[tokio::test(start_paused = true)]
async fn the_event_is_known_inside_an_envelope_too() {
    let bench = Bench::new(&["dead", "orders"]).await;
    let envelope = |event: &str| {
        serde_json::json!({
            "Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": "{}",
            "MessageAttributes": { "iniesta_pass": { "Type": "String", "Value": event } },
        })
        .to_string()
    };
    bench.send("dead", [envelope("Placed.shop"), envelope("Sent.shop"), "Placed".into()]).await;
    let filter = Filter { events: vec!["Placed.shop".to_owned()], ..Filter::default() };
    let options = Options { filter, ..Options::default() };
    let summary = bench.redrive("dead", "orders", options).await;
    assert_eq!((summary.moved, summary.left), (1, 2));
    assert_eq!(bench.bodies("orders").await, [envelope("Placed.shop")]);
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_more_stay_than_may_be_held() {
    let bench = Bench::new(&["dead", "orders"]).await;
    bench.send("dead", numbered(50)).await;
    let filter = Filter { body_contains: Some("00049".to_owned()), ..Filter::default() };
    let options = Options { filter, most_held: 25, ..Options::default() };
    let summary = bench.redrive("dead", "orders", options).await;
    assert!(matches!(summary.ending, Ending::Full), "{summary:?}");
    assert_eq!((summary.moved, summary.left), (0, 25));
    assert_eq!(bench.counts("dead").await, (50, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_moves_nothing_and_gives_everything_back() {
    let bench = Bench::new(&["dead", "orders"]).await;
    bench.send("dead", numbered(23)).await;
    let options = Options { dry_run: true, ..Options::default() };
    let summary = bench.redrive("dead", "orders", options).await;
    assert_eq!(summary.moved, 23);
    assert_eq!((bench.counts("dead").await, bench.counts("orders").await), ((23, 0), (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn no_more_move_than_were_asked_for() {
    let bench = Bench::new(&["dead", "orders"]).await;
    bench.send("dead", numbered(50)).await;
    let options = Options { most: Some(17), ..Options::default() };
    let summary = bench.redrive("dead", "orders", options).await;
    assert!(matches!(summary.ending, Ending::Most), "{summary:?}");
    assert_eq!((bench.counts("dead").await, bench.counts("orders").await), ((33, 0), (17, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept() {
    let bench = Bench::new(&["dead", "orders"]).await;
    bench.send("dead", numbered(60)).await;
    let began = Instant::now();
    let options = Options { rate: Some(Rate::read("2/s").unwrap()), ..Options::default() };
    let summary = bench.redrive("dead", "orders", options).await;
    assert_eq!(summary.moved, 60);
    let took = began.elapsed();
    // 29 seconds for those after the first two, and 15 for three empty polls.
    assert!((Duration::from_secs(43)..Duration::from_secs(47)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_what_others_hold_and_for_what_is_delayed() {
    let bench = Bench::new(&["dead", "orders"]).await;
    bench.send("dead", numbered(3)).await;
    let hold = bench.sqs.receive_message().queue_url(bench.url("dead")).visibility_timeout(100);
    hold.max_number_of_messages(2).send().await.unwrap();
    let send = bench.sqs.send_message().queue_url(bench.url("dead")).delay_seconds(200);
    send.message_body("late").send().await.unwrap();
    let began = Instant::now();
    let mut elsewhere = 0;
    let (from, to) = (bench.end("dead").await, bench.end("orders").await);
    let see = |progress: &longshore::toolkit::sqs::redrive::Progress| {
        elsewhere = elsewhere.max(progress.elsewhere);
    };
    let summary = redrive(from, to, Options::default(), bench.stop.clone(), see).await.unwrap();
    assert_eq!((summary.moved, elsewhere), (4, 2));
    assert!(began.elapsed() >= Duration::from_secs(200));
    assert_eq!(bench.counts("dead").await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn asked_to_stop_it_gives_back_what_it_holds_and_a_second_run_goes_on() {
    let bench = Bench::new(&["dead", "orders"]).await;
    bench.send("dead", numbered(400)).await;
    let filter = Filter { body_contains: Some("1".to_owned()), ..Filter::default() };
    let options = Options { filter, ..Options::default() };
    let (from, to) = (bench.end("dead").await, bench.end("orders").await);
    let stop = bench.stop.clone();
    let see = |progress: &longshore::toolkit::sqs::redrive::Progress| {
        if progress.moved >= 50 {
            stop.drain();
        }
    };
    let summary = redrive(from, to, options.clone(), bench.stop.clone(), see).await.unwrap();
    assert!(matches!(summary.ending, Ending::Stopped), "{summary:?}");
    assert!((50..200).contains(&summary.moved), "{summary:?}");
    let (visible, hidden) = bench.counts("dead").await;
    assert_eq!((u64::from(visible) + summary.moved, hidden), (400, 0));

    let stop = Shutdown::new();
    let (from, to) = (bench.end("dead").await, bench.end("orders").await);
    let again = redrive(from, to, options, stop, |_| ()).await.unwrap();
    let wanted = numbered(400).filter(|body| body.contains('1')).count();
    assert_eq!(summary.moved + again.moved, u64::try_from(wanted).unwrap());
    assert_eq!(bench.bodies("orders").await.len(), wanted);
}

#[tokio::test(start_paused = true)]
async fn fifo_keeps_groups_and_their_order_and_names_its_duplicates() {
    let bench = Bench::new(&["dead.fifo", "orders.fifo"]).await;
    for number in 0..40 {
        let group = ["a", "b", "c"][number % 3];
        bench.send_in_group("dead.fifo", group, &format!("{group} {number:02}")).await;
    }
    let summary = bench.redrive("dead.fifo", "orders.fifo", Options::default()).await;
    assert_eq!(summary.moved, 40);
    let messages = bench.drain("orders.fifo").await;
    for group in ["a", "b", "c"] {
        let of_group = |message: &&aws_sdk_sqs::types::Message| {
            message.attributes.as_ref().unwrap()[&"MessageGroupId".into()] == group
        };
        let bodies: Vec<_> = messages.iter().filter(of_group).map(|m| m.body().unwrap()).collect();
        assert!(bodies.len() >= 13 && bodies.is_sorted(), "{bodies:?}");
        assert!(bodies.iter().all(|body| body.starts_with(group)), "{bodies:?}");
    }
    for message in messages {
        let id = &message.attributes.as_ref().unwrap()[&"MessageDeduplicationId".into()];
        let of = id.strip_prefix("redrive-").unwrap();
        assert_eq!(of.len(), 36, "a message id: {of}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_fifo_what_stays_keeps_those_behind_it_and_they_are_told() {
    let bench = Bench::new(&["dead.fifo", "orders.fifo"]).await;
    bench.send_in_group("dead.fifo", "shut", "stays").await;
    for number in 0..30 {
        bench.send_in_group("dead.fifo", "shut", &format!("moves {number:02}")).await;
        bench.send_in_group("dead.fifo", "open", &format!("moves {number:02}")).await;
    }
    let filter = Filter { body_contains: Some("moves".to_owned()), ..Filter::default() };
    let options = Options { filter, ..Options::default() };
    let summary = bench.redrive("dead.fifo", "orders.fifo", options).await;
    assert!(matches!(summary.ending, Ending::Empty), "{summary:?}");
    assert_eq!(summary.left, 1);
    assert!(summary.shut_in > 0);
    assert_eq!(summary.moved + summary.shut_in, 60, "{summary:?}");
    let back = bench.bodies("dead.fifo").await;
    assert_eq!(back[0], "stays");
    assert!(back.is_sorted_by(|a, b| a == "stays" || a < b), "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn a_group_is_given_and_dropped_where_the_kinds_of_queue_differ() {
    let bench = Bench::new(&["plain", "groups.fifo"]).await;
    bench.send("plain", numbered(5)).await;
    let options = Options { group: Some("all".to_owned()), ..Options::default() };
    assert_eq!(bench.redrive("plain", "groups.fifo", options).await.moved, 5);
    assert_eq!(bench.counts("groups.fifo").await, (5, 0));
    assert_eq!(bench.redrive("groups.fifo", "plain", Options::default()).await.moved, 5);
    let messages = bench.drain("plain").await;
    assert_eq!(messages.len(), 5);
    for message in messages {
        assert!(!message.attributes.unwrap().contains_key(&"MessageGroupId".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_work_is_refused_before_the_first_receive() {
    let bench = Bench::new(&["orders", "plain", "groups.fifo"]).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:orders".to_owned();
    let shouting = bench.url("orders").replace("localhost", "LOCALHOST") + "/";
    let refused = [
        ("orders", bench.url("orders"), Options::default(), "both are the queue orders"),
        ("orders", arn, Options::default(), "both are the queue orders"),
        ("orders", shouting, Options::default(), "both are the queue"),
        ("plain", "groups.fifo".to_owned(), Options::default(), "name the group"),
        (
            "groups.fifo",
            "plain".to_owned(),
            Options { group: Some("g".to_owned()), ..Options::default() },
            "a group is only for",
        ),
        (
            "orders",
            "plain".to_owned(),
            Options { wait: Duration::ZERO, ..Options::default() },
            "from 1 to 20 seconds",
        ),
    ];
    for (from, to, options, told) in refused {
        let (from, to) = (bench.end(from).await, bench.end(&to).await);
        let refusal = redrive(from, to, options, bench.stop.clone(), |_| ()).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::Usage);
        assert!(refusal.to_string().contains(told), "{refusal}");
    }
}
