//! `run --local` and `local`: an AWS of one's own in one command, and nothing that leaves the host.

use crate::support::{
    PATIENCE, aws,
    daemon::{Daemon, Launch, longshore, program},
    eventually, venv,
};
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const SPOOL: &str = "[spool.s]\ndirectory = \"spool\"\nbucket = \"bucket\"\n";

/// The endpoint that the first line names.
fn endpoint(daemon: &Daemon) -> String {
    let line = daemon.wait_for_line(|line| line.contains("embedded AWS"), PATIENCE);
    let from = line.find("http://").unwrap();
    line[from..].split([';', ' ']).next().unwrap().to_owned()
}

/// Once the banner is there, everything is.
fn banner(daemon: &Daemon) -> Vec<String> {
    // It has several paragraphs; the last is that of the queue.
    let complete = |lines: &[String]| {
        let mut last = lines.iter().skip_while(|line| !line.starts_with("Send a message"));
        last.any(String::is_empty)
    };
    eventually("the banner", PATIENCE, || complete(&daemon.stdout.all()));
    daemon.stdout.all()
}

/// Runs a script where the daemon runs, with the aws CLI at hand.
fn shell(daemon: &Daemon, script: &str) -> String {
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", venv("aws").parent().unwrap().display());
    let done = program(Path::new("/bin/sh"), ["-ec", script])
        .at(daemon.directory())
        .env("PATH", &path)
        .finish();
    assert_eq!(done.code, 0, "{script}\n{}", done.said());
    done.stdout
}

fn ends_in_order(mut daemon: Daemon) -> tempfile::TempDir {
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
    daemon.into_directory()
}

#[test]
fn the_commands_of_the_banner_work_as_they_stand_there() {
    // Taken by us or by somebody else: either way the next port is used, and told.
    let _taken = TcpListener::bind("127.0.0.1:4566");
    let daemon = longshore(["run", "--local", "it's here"]).start();
    let banner = banner(&daemon);
    assert!(!banner.iter().any(|line| line.contains("127.0.0.1:4566")), "{banner:#?}");
    let said = banner.join("\n");
    assert!(said.contains("it's here/s3/<bucket>/<key> and survive a restart"), "{said}");
    assert!(said.contains("messages live in memory and do not"), "{said}");
    let commands: Vec<&str> = banner.iter().filter_map(|line| line.strip_prefix("  ")).collect();
    let [drop, look, send, export, by_cli] = commands[..] else { panic!("{banner:#?}") };
    shell(&daemon, drop);
    eventually("the object", PATIENCE, || {
        daemon.directory().join("it's here/s3/local/hello.txt").exists()
    });
    assert_eq!(shell(&daemon, look), "hello\n");
    let told = shell(&daemon, send);
    assert!(told.starts_with("sent 1 message to inbox\nMessage ID : "), "{told}");
    shell(&daemon, &format!("{export}\n{by_cli}"));
    let printed = || daemon.stdout.all().iter().filter(|line| line.ends_with("hello")).count();
    let before = banner.iter().filter(|line| line.ends_with("hello")).count();
    eventually("both messages printed", PATIENCE, || printed() == before + 2);
    ends_in_order(daemon);
}

#[test]
fn a_fifo_queue_gets_commands_that_it_takes() {
    let text = "[queue.q]\nqueue = \"orders.fifo\"\nhandler.print = {}\n";
    let daemon = longshore(["run", "--local", "--config", "c.toml"]).file("c.toml", text).start();
    let banner = banner(&daemon);
    let commands: Vec<&str> = banner.iter().filter_map(|line| line.strip_prefix("  ")).collect();
    let [by_longshore, export, by_cli] = commands[..] else { panic!("{banner:#?}") };
    let printed = || daemon.stdout.all().iter().filter(|line| line.ends_with("  hello")).count();
    let before = printed();
    shell(&daemon, by_longshore);
    shell(&daemon, &format!("{export}\n{by_cli}"));
    eventually("both messages printed", PATIENCE, || printed() == before + 2);
}

#[tokio::test]
async fn what_the_settings_name_is_made() {
    let text = format!(
        "{SPOOL}[queue.q]\nqueue = \"arn:aws:sqs:eu-west-1:123456789012:orders\"\n\
         dead_letter_queue = \"dead\"\nhandler.exec.command = [\"/bin/sh\", \"-c\", \"exit 65\"]\n\
         [spool.t]\ndirectory = \"other/deep\"\nbucket = \"second\"\nregion = \"eu-west-1\"\n"
    );
    let daemon =
        longshore(["run", "--local", "here", "--config", "c.toml"]).file("c.toml", &text).start();
    banner(&daemon);
    let endpoint = endpoint(&daemon);
    let buckets = aws::s3(&endpoint).list_buckets().send().await.unwrap();
    let buckets: Vec<_> = buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(buckets, ["bucket", "second"]);
    let sqs = aws::sqs(&endpoint);
    let url = |name: &str| sqs.get_queue_url().queue_name(name).send();
    let (orders, dead) = (url("orders").await.unwrap(), url("dead").await.unwrap());
    let orders = orders.queue_url().unwrap();
    sqs.send_message().queue_url(orders).message_body("bad").send().await.unwrap();
    let rejected = sqs.receive_message().queue_url(dead.queue_url().unwrap()).wait_time_seconds(20);
    assert_eq!(rejected.send().await.unwrap().messages()[0].body(), Some("bad"));
    assert!(daemon.directory().join("here/other/deep").is_dir());
    fs::write(daemon.directory().join("here/other/deep/f"), "f").unwrap();
    let landed = daemon.directory().join("here/s3/second/f");
    eventually("the second spool's object", PATIENCE, || landed.exists());
}

#[test]
fn what_leaves_the_host_or_the_directory_is_refused_and_leaves_no_trace() {
    let outside = tempfile::tempdir().unwrap();
    let spool = outside.path().join("spool");
    let text = format!(
        "[spool.s]\ndirectory = \"{}\"\nbucket = \"bucket\"\n\
         [queue.q]\nqueue = \"q\"\nhandler.http.url = \"http://192.0.2.1/\"\n",
        spool.display()
    );
    let refused = longshore(["run", "--local", "here", "--config", "c.toml"]).file("c.toml", &text);
    let refused = refused.finish().expect(
        78,
        &[
            "spool.s.directory",
            "is not under here; --yes allows it",
            "http://192.0.2.1/",
            "leaves this host",
        ],
    );
    assert!(!refused.directory().join("here").exists() && !spool.exists());

    let daemon = longshore(["run", "--local", "here", "--yes", "--config", "c.toml"])
        .file("c.toml", &text)
        .start();
    banner(&daemon);
    assert!(spool.is_dir());
    ends_in_order(daemon);
}

/// A listener that only counts who comes.
fn trap() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (seen, came) = (Arc::new(AtomicUsize::new(0)), listener);
    let counts = Arc::clone(&seen);
    std::thread::spawn(move || {
        for _guest in came.incoming() {
            counts.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, seen)
}

/// Everything that could lead an AWS client elsewhere, pointing at the trap.
fn led_astray(launch: Launch, trap: &str) -> Launch {
    let own = launch.directory().to_owned();
    let files = format!(
        "[default]\nendpoint_url = {trap}\nregion = eu-west-3\nservices = s\n\
         [profile lost]\nendpoint_url = {trap}\nrole_arn = arn:aws:iam::123456789012:role/r\n\
         source_profile = lost\n[services s]\nsqs =\n  endpoint_url = {trap}\n"
    );
    let files = launch.file("aws-config", &files);
    let names =
        ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_STS"];
    let proxies =
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    let to_trap = names.into_iter().chain(proxies).chain(["AWS_EC2_METADATA_SERVICE_ENDPOINT"]);
    to_trap
        .fold(files, |launch, name| launch.env(name, trap))
        .env("AWS_CONFIG_FILE", own.join("aws-config").to_str().unwrap())
        .env("AWS_PROFILE", "lost")
        .env("AWS_EC2_METADATA_DISABLED", "false")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", trap)
        .env("LONGSHORE_CONFIG", "/nowhere/longshore.toml")
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .without("AWS_REGION")
}

#[test]
fn no_request_leaves_the_loopback_whatever_anybody_says() {
    let (trap, seen) = trap();
    let text = format!(
        "[aws]\nprofile = \"lost\"\nrole_arn = \"arn:aws:iam::123456789012:role/r\"\n\
         endpoint_url = \"{trap}\"\nregion = \"ap-south-1\"\n{SPOOL}\
         [queue.q]\nqueue = \"{trap}/123456789012/orders\"\nhandler.print = {{}}\n"
    );
    let launch = longshore(["run", "--local", "here", "--config", "c.toml"]);
    let daemon = led_astray(launch.file("c.toml", &text), &trap).start();
    banner(&daemon);
    fs::write(daemon.directory().join("here/spool/f"), "f").unwrap();
    let local = format!("--local={}", endpoint(&daemon));
    let sent = led_astray(longshore(["send", &local, "orders", "to be printed"]), &trap).finish();
    sent.expect(0, &["sent 1 message to orders"]);
    daemon.wait_for_line(|line| line.contains("to be printed"), PATIENCE);
    let landed = daemon.directory().join("here/s3/bucket/f");
    eventually("the object", PATIENCE, || landed.exists());
    ends_in_order(daemon);
    assert_eq!(seen.load(Ordering::SeqCst), 0, "somebody came into the trap");
}

#[tokio::test]
async fn objects_survive_a_restart_and_messages_do_not() {
    let first = longshore(["local", "here"]).start();
    let at = endpoint(&first);
    let (s3, sqs) = (aws::s3(&at), aws::sqs(&at));
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    s3.put_object().bucket("bucket").key("a/b").body(b"kept".to_vec().into()).send().await.unwrap();
    let queue = sqs.create_queue().queue_name("q").send().await.unwrap();
    let url = queue.queue_url().unwrap();
    sqs.send_message().queue_url(url).message_body("gone").send().await.unwrap();
    let directory = ends_in_order(first);
    assert_eq!(fs::read(directory.path().join("here/s3/bucket/a/b")).unwrap(), b"kept");

    let second = longshore(["local", "here"]).at(directory.path()).start();
    let at = endpoint(&second);
    let got = aws::s3(&at).get_object().bucket("bucket").key("a/b").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"kept");
    let queue = aws::sqs(&at).get_queue_url().queue_name("q").send().await.unwrap_err();
    assert!(queue.into_service_error().is_queue_does_not_exist());
}

#[test]
fn a_second_one_in_the_same_directory_is_refused() {
    let first = longshore(["run", "--local"]).start();
    banner(&first);
    for second in [longshore(["run", "--local"]), longshore(["local"])] {
        let told = ["another process serves the directory ./longshore-local/s3", "stop it"];
        second.at(first.directory()).finish().expect(75, &told);
    }
    ends_in_order(first);
}

#[test]
fn sigterm_ends_it_at_once_although_a_poll_is_open() {
    let mut daemon = longshore(["run", "--local", "-v"]).start();
    banner(&daemon);
    shell(&daemon, "echo x > longshore-local/spool/x");
    let landed = daemon.directory().join("longshore-local/s3/local/x");
    eventually("the object", PATIENCE, || landed.exists());
    let began = Instant::now();
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
    // The poll would last for 20 s.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn the_aws_command_works_on_the_embedded_aws() {
    let daemon = longshore(["local", "here"]).start();
    let endpoint = endpoint(&daemon);
    let script = format!(
        "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1\n\
         at='aws --endpoint-url {endpoint} --output text'\n\
         $at s3 mb s3://shelf\n\
         echo text | $at s3 cp - s3://shelf/a/b.txt\n\
         $at s3 cp s3://shelf/a/b.txt -\n\
         url=$($at sqs create-queue --queue-name q --query QueueUrl)\n\
         topic=$($at sns create-topic --name t --query TopicArn)\n\
         $at sns subscribe --topic-arn $topic --protocol sqs \
         --attributes RawMessageDelivery=true \
         --notification-endpoint arn:aws:sqs:us-east-1:000000000000:q >subscribed\n\
         $at sns publish --topic-arn $topic --message from-the-topic >published\n\
         $at sqs receive-message --queue-url $url --wait-time-seconds 5 --query 'Messages[0].Body'\n"
    );
    let said = shell(&daemon, &script);
    assert!(said.contains("text\n") && said.ends_with("from-the-topic\n"), "{said}");
    assert_eq!(fs::read(daemon.directory().join("here/s3/shelf/a/b.txt")).unwrap(), b"text\n");
    ends_in_order(daemon);
}

#[test]
fn a_handler_on_this_host_is_asked_past_every_proxy() {
    let (trap, seen) = trap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let endpoint_thread = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut guest, _) = server.accept().unwrap();
        let mut heard = [0; 1024];
        let length = guest.read(&mut heard).unwrap();
        guest.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&heard[..length]).into_owned()
    });
    let text =
        format!("[queue.q]\nqueue = \"orders\"\nhandler.http.url = \"http://{address}/x\"\n");
    let launch = longshore(["run", "--local", "--config", "c.toml"]).file("c.toml", &text);
    let daemon = led_astray(launch, &trap).start();
    banner(&daemon);
    let local = format!("--local={}", endpoint(&daemon));
    longshore(["send", &local, "orders", "posted"]).finish().expect(0, &["sent 1 message"]);
    eventually("the request", PATIENCE, || endpoint_thread.is_finished());
    assert!(endpoint_thread.join().unwrap().starts_with("POST /x "));
    ends_in_order(daemon);
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[test]
fn a_directory_that_may_not_be_written_is_told() {
    let launch = longshore(["run", "--local", "closed/here"]);
    let closed = launch.directory().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    launch.nobody().finish().expect(78, &["closed/here/s3", "Permission denied"]);
}
