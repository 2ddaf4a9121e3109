//! `longshore send`: what is sent, what is told of what is not, and when lines leave.

mod shapes;

use crate::support::{
    PATIENCE, aws,
    daemon::{Launch, longshore},
    emulator::{Emulator, embedded},
    eventually,
    proxy::{Fault, Proxy},
};
use std::{io::Write, time::Instant};

async fn queue(server: &Emulator) -> (aws_sdk_sqs::Client, String) {
    let sqs = aws::sqs(&server.endpoint());
    let made = sqs.create_queue().queue_name("orders").send().await.unwrap();
    (sqs, made.queue_url().unwrap().to_owned())
}

/// Receives and deletes until there were so many; their bodies in any order.
async fn bodies((sqs, url): &(aws_sdk_sqs::Client, String), count: usize) -> Vec<String> {
    let (mut bodies, began) = (Vec::new(), Instant::now());
    while bodies.len() < count {
        assert!(began.elapsed() < 2 * PATIENCE, "{} of {count}: {bodies:?}", bodies.len());
        let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10);
        let got = receive.wait_time_seconds(5).send().await.unwrap();
        for message in got.messages() {
            bodies.push(message.body().unwrap().to_owned());
            let delete = sqs.delete_message().queue_url(url);
            delete.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
        }
    }
    bodies.sort();
    bodies
}

/// Runs it to its end with this as its standard input.
fn with_input(launch: Launch, input: &[u8]) -> (i32, Vec<String>, Vec<String>) {
    let mut daemon = launch.piped().start();
    daemon.input().write_all(input).unwrap();
    let code = daemon.wait(PATIENCE);
    eventually("its output", PATIENCE, || {
        daemon.stdout.all().len() + daemon.stderr.all().len() > 0
    });
    let last = |line: &str| line.starts_with("sent ") || line.starts_with("longshore: ");
    daemon.wait_for_line(last, PATIENCE);
    (code, daemon.stdout.all(), daemon.stderr.all())
}

/// A program may bring its handlers itself, and a tool needs none.
#[tokio::test]
async fn the_settings_that_the_environment_names_are_those_of_every_tool() {
    let server = embedded();
    let queue = queue(&server).await;
    let settings = format!(
        "[aws]\nregion = \"us-east-1\"\nendpoint_url = {:?}\n[queue.inbox]\nqueue = \"orders\"\n",
        server.endpoint()
    );
    let tool = |arguments: &[&str]| {
        let tool = longshore(["--quiet"]).args(arguments).file("c.toml", &settings);
        let named = tool.directory().join("c.toml");
        tool.env("LONGSHORE_CONFIG", named.to_str().unwrap()).finish()
    };
    tool(&["send", "inbox", "hello"]).expect(0, &["sent 1 message to inbox"]);
    assert_eq!(bodies(&queue, 1).await, ["hello"]);
    tool(&["sqs", "length", "inbox"]).expect(0, &["0"]);
    let gone = longshore(["sqs", "list"]).env("LONGSHORE_CONFIG", "/nowhere/c.toml");
    gone.finish().expect(78, &["/nowhere/c.toml: No such file"]);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_told() {
    let server = embedded();
    let told = ["looking up queue missing in us-east-1", "check its name and its region"];
    let send = longshore(["send", "missing", "hello"]).endpoint(&server.endpoint());
    send.finish().expect(69, &told);
    let local = format!("--local={}", server.endpoint());
    longshore(["send", &local, "missing", "hello"]).finish().expect(69, &told);
}

#[tokio::test]
async fn what_sqs_would_refuse_is_told_and_the_others_are_sent() {
    let server = embedded();
    let queue = queue(&server).await;
    let send = || longshore(["send", "orders"]).endpoint(&server.endpoint());
    longshore(["send", "orders", ""]).endpoint(&server.endpoint()).finish().expect(
        64,
        &["sent 0 messages to orders", "message 1 for queue orders", "no empty message"],
    );

    let mut lines = b"first\nbad\x01\n\nnot \xff UTF-8\r\nlast but one\r\n".to_vec();
    lines.extend(std::iter::repeat_n(b'x', (1 << 20) + 1));
    lines.extend(b"\n");
    lines.extend(std::iter::repeat_n(b'y', 3 << 20));
    lines.extend(b"\nlast without an end");
    let (code, stdout, stderr) = with_input(send(), &lines);
    assert_eq!(
        (code, &stdout[..]),
        (64, &["sent 3 messages to orders".to_owned()][..]),
        "{stderr:?}"
    );
    let wrong = ["U+0001", "no empty message", "not UTF-8", "1048577 bytes", "3145728 bytes"];
    for (number, why) in [2, 3, 4, 6, 7].into_iter().zip(wrong) {
        let begins = format!("longshore: message {number} for queue orders: ");
        let told = |line: &&String| line.starts_with(&begins) && line.contains(why);
        assert_eq!(stderr.iter().filter(told).count(), 1, "{number}: {why}: {stderr:#?}");
    }
    assert_eq!(bodies(&queue, 3).await, ["first", "last but one", "last without an end"]);
}

#[tokio::test]
async fn lines_leave_while_the_input_is_still_open() {
    let server = embedded();
    let queue = queue(&server).await;
    let proxy = Proxy::start(&server.endpoint());
    let mut send = longshore(["send", "orders", "-"]).endpoint(&proxy.endpoint()).piped().start();
    let mut input = send.input();
    input.write_all(b"alone\n").unwrap();
    assert_eq!(bodies(&queue, 1).await, ["alone"]);
    let lines: Vec<String> = (0..1_000).map(|number| format!("line {number:03}")).collect();
    input.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    assert_eq!(bodies(&queue, 1_000).await, lines);
    assert_eq!(send.ended(), None);
    let batches = proxy.of("SendMessageBatch").len();
    assert!(batches <= 110, "{batches} calls for 1,001 messages");
    drop(input);
    assert_eq!(send.wait(PATIENCE), 0, "{}", send.output());
    send.wait_for_line(|line| line == "sent 1001 messages to orders", PATIENCE);
}

fn refusal(code: &str, sender_fault: bool) -> Fault {
    let body = format!(
        r#"{{"Successful":[],"Failed":[{{"Id":"0","Code":"{code}","SenderFault":{sender_fault},"Message":"so it is"}}]}}"#
    );
    Fault::Answer(200, body)
}

#[tokio::test]
async fn what_fails_in_passing_is_sent_again_and_what_is_refused_is_told() {
    let server = embedded();
    let queue = queue(&server).await;
    let proxy = Proxy::start(&server.endpoint());
    let send = |line: &str| {
        with_input(longshore(["send", "orders"]).endpoint(&proxy.endpoint()), line.as_bytes())
    };
    let batch = |seen: &crate::support::exchange::Exchange| seen.operation() == "SendMessageBatch";

    proxy.on(1, batch, refusal("InternalError", false));
    proxy.on(1, batch, Fault::Answer(503, String::new()));
    let (code, stdout, _) = send("again");
    assert_eq!((code, &*stdout[0]), (0, "sent 1 message to orders"));
    assert_eq!(proxy.of("SendMessageBatch").len(), 3);
    assert_eq!(bodies(&queue, 1).await, ["again"]);

    proxy.on(1, batch, refusal("InvalidMessageContents", true));
    let (code, stdout, stderr) = send("refused");
    assert_eq!((code, &*stdout[0]), (69, "sent 0 messages to orders"));
    assert!(stderr[0].contains("InvalidMessageContents"), "{stderr:?}");
    assert_eq!(proxy.of("SendMessageBatch").len(), 4);
}

#[tokio::test]
async fn an_end_in_the_middle_tells_how_far_it_came() {
    let server = embedded();
    let _queue = queue(&server).await;
    let proxy = Proxy::start(&server.endpoint());
    let counted = std::sync::atomic::AtomicUsize::new(0);
    let second = move |seen: &crate::support::exchange::Exchange| {
        seen.operation() == "SendMessageBatch"
            && counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0
    };
    let denied = r#"{"__type":"com.amazonaws.sqs#AccessDeniedException","message":"no more"}"#;
    proxy.on(100, second, Fault::Answer(403, denied.to_owned()));
    let lines = "a line\n".repeat(25);
    let launch = longshore(["send", "orders"]).endpoint(&proxy.endpoint());
    let (code, stdout, stderr) = with_input(launch, lines.as_bytes());
    assert_eq!((code, stdout.len()), (69, 0), "{stderr:?}");
    assert!(stderr[0].starts_with("longshore: only 10 messages were sent: "), "{stderr:?}");
    assert!(stderr[0].contains("no more"), "{stderr:?}");
}

#[tokio::test]
async fn the_settings_say_how_to_reach_a_queue_whether_they_name_it_or_not() {
    let server = embedded();
    let queue = queue(&server).await;
    let text = format!(
        "[aws]\nendpoint_url = \"{}\"\nregion = \"eu-west-1\"\n\
         [queue.by-another-name]\nqueue = \"orders\"\nhandler.print = {{}}\n",
        server.endpoint()
    );
    for name in ["by-another-name", "orders"] {
        let send = longshore(["send", "--config", "c.toml", "--json", name, name]);
        let finished = send.file("c.toml", &text).without("AWS_REGION").finish();
        assert_eq!(finished.code, 0, "{}", finished.said());
        let told: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!((&told["queue"], &told["sent"]), (&name.into(), &1.into()), "{told}");
        assert_eq!(told["failed"], serde_json::json!([]));
    }
    assert_eq!(bodies(&queue, 2).await, ["by-another-name", "orders"]);
}
