//! Sending and receiving in virtual time: the library against the embedded SQS in the same runtime,
//! with the clock stopped except while everybody waits.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use longshore::aws::Aws;
use longshore::config;
use longshore::error::{Error, Kind};
use longshore::local::{Local, Options};
use longshore::message::{Attribute, Message, Outgoing};
use longshore::toolkit::receive;
use longshore::toolkit::sqs::{self, Queue, Reading};
use longshore::toolkit::transport::{CanReceive, CanSend, Held};
use tokio::time::{Instant, sleep};

struct Bench {
    aws: Aws,
    _local: Local,
    _directory: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { directory: directory.path().to_owned(), port: 0, next_free: false };
        let local = Local::without_port(options).await.unwrap();
        local.ensure_queue("orders").unwrap();
        let settings = config::Aws {
            endpoint_url: Some(local.endpoint().to_owned()),
            sealed: true,
            ..config::Aws::default()
        };
        let aws = Aws::through(local.http_client()).with(settings);
        Bench { aws, _local: local, _directory: directory }
    }

    async fn orders(&self) -> Queue {
        self.aws.queue("us-east-1", "orders").await.unwrap()
    }

    /// Visible, in flight.
    async fn counts(&self) -> (u64, u64) {
        let queue = self.orders().await;
        let length = sqs::length(queue.client(), &queue.url().await.unwrap()).await.unwrap();
        (length.visible, length.in_flight)
    }
}

async fn send(queue: &Queue, count: usize) {
    let messages = (0..count).map(|number| Outgoing::text(format!("{number}")));
    let report = queue.send_all(stream::iter(messages)).await.unwrap();
    assert_eq!((report.sent, report.failed.len()), (u64::try_from(count).unwrap(), 0));
}

fn text(message: &Message) -> String {
    message.body.as_text().unwrap().to_owned()
}

const NOW: Duration = Duration::ZERO;

#[tokio::test(start_paused = true)]
async fn a1_what_was_sent_is_received_once() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    let mut hi = Outgoing::text("hi");
    hi.attributes.insert("iniesta_pass".into(), Attribute::String("Greeted.shop".into()));
    hi.attributes.insert("count".into(), Attribute::Number("3".into()));
    hi.labels.insert("count".into(), "Number.int".into());
    hi.trace_header = Some("Root=1-2-3".into());
    let sent = queue.send(hi).await.unwrap();
    let seen = receive::one(&queue, NOW, async |message: Message| Ok::<_, Error>(message));
    let seen = seen.await.unwrap().unwrap();
    assert_eq!((seen.id.as_str(), text(&seen)), (&*sent.message_id, "hi".to_owned()));
    assert_eq!((seen.event.as_deref(), sent.sequence_number), (Some("Greeted.shop"), None));
    assert_eq!(seen.data_type("count"), Some("Number.int"));
    assert_eq!(seen.system_attributes["AWSTraceHeader"], "Root=1-2-3");
    assert_eq!(bench.counts().await, (0, 0));
    let none = receive::one(&queue, NOW, async |_| Ok::<_, Error>(())).await.unwrap();
    assert!(none.is_none());
}

#[tokio::test(start_paused = true)]
async fn a2_eleven_of_fourteen_are_exactly_eleven() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    send(&queue, 14).await;
    let work = async |messages: Vec<Message>| Ok::<_, Error>(messages.len());
    assert_eq!(receive::many(&queue, 11, NOW, work).await.unwrap(), Some(11));
    assert_eq!(bench.counts().await, (3, 0));
    assert_eq!(receive::many(&queue, 11, NOW, work).await.unwrap(), Some(3));
    assert_eq!(receive::many(&queue, 11, NOW, work).await.unwrap(), None);
    assert_eq!(receive::many(&queue, 0, NOW, work).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a3_a_short_poll_returns_at_once_and_a_long_one_after_twenty_seconds() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    for (wait, least, most) in [(0, 0, 3), (20, 20, 23), (7, 7, 8)] {
        let began = Instant::now();
        let held = queue.receive(10, Duration::from_secs(wait)).await.unwrap();
        let took = began.elapsed();
        assert!(held.is_empty());
        assert!(took >= Duration::from_secs(least) && took < Duration::from_secs(most), "{took:?}");
    }
    let error = queue.receive(1, Duration::from_secs(21)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
}

fn leased(seconds: u64) -> Reading {
    Reading { visibility: Some(Duration::from_secs(seconds)), ..Reading::default() }
}

#[tokio::test(start_paused = true)]
async fn a4_a_lease_of_twenty_seconds_hides_the_message() {
    let bench = Bench::new().await;
    let queue = bench.orders().await.reading(leased(20)).unwrap();
    send(&queue, 1).await;
    let held = queue.receive(1, NOW).await.unwrap().pop().unwrap();
    assert!(queue.receive(1, Duration::from_secs(19)).await.unwrap().is_empty());
    held.done().await.unwrap();
    assert!(queue.receive(1, Duration::from_secs(20)).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a5_work_that_takes_longer_than_the_lease_sees_the_message_again() {
    let bench = Bench::new().await;
    let queue = bench.orders().await.reading(leased(2)).unwrap();
    send(&queue, 1).await;
    let first = queue.receive(1, NOW).await.unwrap().pop().unwrap();
    sleep(Duration::from_secs(3)).await;
    let again = queue.receive(1, NOW).await.unwrap().pop().unwrap();
    assert_eq!(again.message().id, first.message().id);
    assert_eq!(again.message().receive_count(), 2);
    // Held on, it is not seen again.
    again.hold(Duration::from_mins(1)).await.unwrap();
    assert!(queue.receive(1, Duration::from_secs(20)).await.unwrap().is_empty());
    again.done().await.unwrap();
    assert_eq!(bench.counts().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a6_what_makes_no_sense_is_refused_before_anything_is_received() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    let both = Reading { delete_on_receive: true, ..leased(20) };
    for wrong in [both, leased(43_201)] {
        let error = queue.clone().reading(wrong).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains("queue orders"), "{error}");
    }
    let on_receive = Reading { delete_on_receive: true, ..Reading::default() };
    let queue = queue.reading(on_receive).unwrap();
    send(&queue, 2).await;
    let held = queue.receive(10, NOW).await.unwrap();
    assert_eq!((held.len(), bench.counts().await), (2, (0, 0)));
    for one in held {
        assert_eq!(one.handle(), None);
        one.done().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a7_a8_purged_the_queue_is_empty_and_its_arn_ends_with_its_name() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    let url = queue.url().await.unwrap();
    send(&queue, 3).await;
    assert_eq!(bench.counts().await, (3, 0));
    sqs::purge(queue.client(), &url, |_| ()).await.unwrap();
    assert_eq!(bench.counts().await, (0, 0));
    let arn = sqs::arn(queue.client(), &url).await.unwrap();
    assert!(arn.starts_with("arn:aws:sqs:") && arn.ends_with(":orders"), "{arn}");
}

#[tokio::test(start_paused = true)]
async fn p6_in_the_scope_it_is_there_and_afterwards_only_after_an_error() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    send(&queue, 1).await;
    let failed = receive::one(&queue, NOW, async |_| {
        assert_eq!(bench.counts().await, (0, 1));
        Err::<(), _>(Error::new(Kind::Bug, "the work failed"))
    });
    assert_eq!(failed.await.unwrap_err().kind(), Kind::Bug);
    assert_eq!(bench.counts().await, (0, 1));
    sleep(Duration::from_secs(31)).await;
    let done = receive::one(&queue, NOW, async |message: Message| {
        assert_eq!(bench.counts().await, (0, 1));
        Ok::<_, Error>(message.receive_count())
    });
    assert_eq!(done.await.unwrap(), Some(2));
    assert_eq!(bench.counts().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn p7_two_of_three_are_there_in_the_scope_and_one_is_left() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    send(&queue, 3).await;
    let failed = receive::many(&queue, 2, NOW, async |_| {
        Err::<(), _>(Error::new(Kind::Bug, "the work failed"))
    });
    failed.await.unwrap_err();
    assert_eq!(bench.counts().await, (1, 2));
    sleep(Duration::from_secs(31)).await;
    let seen = receive::many(&queue, 2, NOW, async |messages: Vec<Message>| {
        assert_eq!(bench.counts().await, (1, 2));
        Ok::<_, Error>(messages.len())
    });
    assert_eq!(seen.await.unwrap(), Some(2));
    assert_eq!(bench.counts().await, (1, 0));
}

#[tokio::test(start_paused = true)]
async fn given_back_a_message_is_there_for_others_at_once() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    send(&queue, 1).await;
    let held = queue.receive(1, NOW).await.unwrap().pop().unwrap();
    held.give_back().await.unwrap();
    assert_eq!(bench.counts().await, (1, 0));
}

#[tokio::test(start_paused = true)]
async fn draining_ends_when_nothing_is_left() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    send(&queue, 23).await;
    let mut seen = BTreeSet::new();
    {
        let mut all = pin!(receive::drain(&queue, 10, Duration::from_secs(1)));
        while let Some(held) = all.next().await {
            let held = held.unwrap();
            seen.insert(text(held.message()));
            held.done().await.unwrap();
        }
    }
    assert_eq!((seen.len(), bench.counts().await), (23, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn an_endless_stream_waits_for_more_and_goes_on_after_an_error() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    let late = async {
        sleep(Duration::from_mins(3)).await;
        send(&queue, 1).await;
        sleep(Duration::from_mins(1)).await;
        let url = queue.url().await.unwrap();
        sqs::delete(queue.client(), &url).await.unwrap();
        sleep(Duration::from_mins(1)).await;
        let again = sqs::NewQueue { name: "orders".into(), ..sqs::NewQueue::default() };
        sqs::create(queue.client(), &again, |_| ()).await.unwrap();
        send(&queue, 1).await;
    };
    let reading = async {
        let mut all = pin!(receive::stream(&queue, 1, Duration::from_secs(20)));
        let held = all.next().await.unwrap().unwrap();
        held.done().await.unwrap();
        let mut errors = 0;
        loop {
            match all.next().await.unwrap() {
                Ok(held) => return (text(held.message()), errors),
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Missing, "{error}");
                    errors += 1;
                }
            }
        }
    };
    let ((), (body, errors)) = tokio::join!(late, reading);
    assert_eq!(body, "0");
    // A minute without the queue: pauses grow, it is no hot loop.
    assert!((1..30).contains(&errors), "{errors}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_company_is_sent_soon() {
    let bench = Bench::new().await;
    let queue = bench.orders().await;
    let (feed, source) = tokio::sync::mpsc::channel(1);
    let messages = stream::unfold(source, |mut source| async move {
        source.recv().await.map(|message| (message, source))
    });
    let sending = queue.send_all(Box::pin(messages));
    let feeding = async {
        feed.send(Outgoing::text("alone")).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(bench.counts().await, (1, 0));
        feed.send(Outgoing::text("")).await.unwrap();
        feed.send(Outgoing::text("last")).await.unwrap();
        drop(feed);
    };
    let (report, ()) = tokio::join!(sending, feeding);
    let report = report.unwrap();
    assert_eq!((report.sent, report.failed.len()), (2, 1));
    assert_eq!(report.failed[0].0, 1);
    assert_eq!(bench.counts().await, (2, 0));
}
