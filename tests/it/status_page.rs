//! The status listener: live, ready, metrics; and nothing that listens unless asked to.

use crate::support::{
    PATIENCE, aws,
    daemon::{Daemon, longshore},
    emulator::embedded,
    eventually, free_port,
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

const QUEUE: &str = "[queue.q]\nqueue = \"orders\"\nwait_time = 1\nhandler.exec.command = [\"true\"]\n\
                     [spool.s]\ndirectory = \"spool\"\nbucket = \"reports\"\npath_style = true\n";

/// The status and body of one page.
pub(crate) fn page(port: u16, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn ready_names_what_is_missing_until_everything_was_reached() {
    let (server, port) = (embedded(), free_port());
    let launch = longshore(["run", "--config", "c.toml"])
        .file("c.toml", &format!("{QUEUE}[status]\nlisten = \"127.0.0.1:{port}\"\n"))
        .endpoint(&server.endpoint());
    fs::create_dir(launch.directory().join("spool")).unwrap();
    let mut daemon = launch.start();
    daemon.wait_for_line(|line| line.contains("serving /live, /ready and /metrics"), PATIENCE);
    assert_eq!(page(port, "/live"), (200, "live\n".to_owned()));
    assert_eq!(page(port, "/ready"), (503, "waiting for queue/q, spool/s\n".to_owned()));
    assert_eq!(page(port, "/elsewhere").0, 404);
    let metrics = page(port, "/metrics").1;
    for metric in longshore::telemetry::metrics::METRICS {
        let named = format!("# TYPE {} ", metric.name);
        assert_eq!(metrics.matches(&named).count(), 1, "{named}\n{metrics}");
        assert!(metrics.contains(metric.meaning), "{metrics}");
    }
    assert!(metrics.contains("longshore_messages_received_total{queue=\"q\"} 0"), "{metrics}");
    assert!(metrics.contains("longshore_files_uploaded_total{spool=\"s\"} 0"), "{metrics}");

    let sqs = aws::sqs(&server.endpoint());
    let queue = sqs.create_queue().queue_name("orders").send().await.unwrap();
    let url = queue.queue_url().unwrap();
    eventually("the queue was found", PATIENCE, || {
        page(port, "/ready") == (503, "waiting for spool/s\n".to_owned())
    });
    let s3 = aws::s3(&server.endpoint());
    s3.create_bucket().bucket("reports").send().await.unwrap();
    eventually("the bucket was found", PATIENCE, || {
        page(port, "/ready") == (200, "ready\n".to_owned())
    });
    sqs.send_message().queue_url(url).message_body("x").send().await.unwrap();
    fs::write(daemon.directory().join("spool/f"), "four").unwrap();
    for counted in [
        "longshore_messages_settled_total{queue=\"q\",outcome=\"done\"} 1",
        "longshore_messages_received_total{queue=\"q\"} 1",
        "longshore_bytes_uploaded_total{spool=\"s\"} 4",
    ] {
        eventually(counted, PATIENCE, || page(port, "/metrics").1.contains(counted));
    }
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
}

/// How many sockets of this process listen on TCP.
fn listening(daemon: &Daemon) -> usize {
    let process = format!("/proc/{}", daemon.pid());
    let fds = fs::read_dir(format!("{process}/fd")).unwrap().flatten();
    let own: Vec<String> = fds
        .filter_map(|fd| Some(fs::read_link(fd.path()).ok()?.to_str()?.to_owned()))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table =
        |name: &str| fs::read_to_string(format!("{process}/net/{name}")).unwrap_or_default();
    let all = table("tcp") + &table("tcp6");
    let rows = all.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > 9 && row[3] == "0A" && own.iter().any(|inode| inode == row[9]))
        .count()
}

#[tokio::test]
async fn nothing_listens_unless_it_is_configured() {
    let server = embedded();
    aws::sqs(&server.endpoint()).create_queue().queue_name("orders").send().await.unwrap();
    let run = |text: &str| {
        let launch = longshore(["run", "--config", "c.toml"]).file("c.toml", text);
        let daemon = launch.endpoint(&server.endpoint()).start();
        daemon.wait_for_line(|line| line.contains("listening to queue"), PATIENCE);
        daemon
    };
    let text = "[queue.q]\nqueue = \"orders\"\nhandler.print = {}\n";
    assert_eq!(listening(&run(text)), 0);
    let text = format!("{text}[status]\nlisten = \"127.0.0.1:{}\"\n", free_port());
    assert_eq!(listening(&run(&text)), 1);
}
