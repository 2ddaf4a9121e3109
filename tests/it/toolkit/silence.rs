//! An endpoint that takes connections and never answers.

use std::{net::TcpListener, time::Duration};

use crate::support::daemon::{Launch, longshore};

#[test]
fn an_endpoint_that_never_answers_is_told_of_and_given_up() {
    // Connections wait in its backlog for somebody to accept them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let send = || longshore(["send", "orders", "hello"]);
    let topic = "arn:aws:sns:us-east-1:000000000000:events";
    let publish = longshore(["publish", topic, "--event", "Placed"]);
    let start = |launch: Launch| launch.endpoint(&endpoint).start();
    let mut loud = [start(send()), start(publish)];
    let mut quiet = start(send().args(&["--quiet"]));

    let long = Duration::from_mins(1);
    let waiting = format!("longshore: no answer from {endpoint} yet; waiting 20 s");
    for tool in &mut loud {
        tool.wait_for_line(|line| line == waiting, long);
        assert_eq!(tool.wait(long), 69, "{}", tool.output());
    }
    assert_eq!(quiet.wait(long), 69, "{}", quiet.output());
    for tool in loud.iter().chain([&quiet]) {
        // The last of its tries: one for 20 s, four for 2 s.
        let end = format!("no answer from {endpoint} within 2 s");
        tool.wait_for_line(|line| line.starts_with("longshore: ") && line.ends_with(&end), long);
    }
    assert_eq!(quiet.stderr.all().len(), 1, "{}", quiet.output());
}
