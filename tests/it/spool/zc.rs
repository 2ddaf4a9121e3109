//! zc.s3uploadqueue's own settings and promises: its INI unchanged, its words in the log.

use super::{
    BUCKET, Embedded, Lasting, Place, boto, is_put, lines, make_bucket, object, puts_by_path,
    refusal,
};
use crate::support::{
    PATIENCE,
    daemon::{Daemon, Launch, longshore},
    emulator::ministack,
    eventually,
    proxy::{Fault, Gate, Proxy},
    scripted::ScriptedS3,
};
use std::{fs, time::Instant};

/// The example of the seed's own manual, but for the hour between two looks at the directory.
const SEED: &str = "[Credentials]\n\
    aws_access_key_id = 42\n\
    aws_secret_access_key = k3y\n\
    \n\
    [Queue]\n\
    directory = test\n\
    bucket = testbucket\n\
    poll-interval = 3600\n\
    threads = 2\n";

/// The seed's name of the seed's key.
const NAME: &str = "2012-06-14%2F01.txt";

/// A daemon with the seed's settings, not yet running; its directory `test` is there.
fn seed(endpoint: &str) -> Launch {
    let launch = longshore(["run", "--config", "queue.cfg"]).endpoint(endpoint);
    fs::write(launch.directory().join("queue.cfg"), SEED).unwrap();
    fs::create_dir(launch.directory().join("test")).unwrap();
    launch
}

fn drop_file(daemon: &Daemon, name: &str, contents: &str) {
    let draft = daemon.directory().join("draft");
    fs::write(&draft, contents).unwrap();
    fs::rename(draft, daemon.directory().join("test").join(name)).unwrap();
}

fn is_there(daemon: &Daemon, name: &str) -> bool {
    daemon.directory().join("test").join(name).exists()
}

#[test]
fn z1_the_seeds_own_example_lands_by_event() {
    let server = Embedded::start();
    make_bucket(&server.endpoint, "testbucket");
    let launch = seed(&server.endpoint);
    fs::write(launch.directory().join("test/first"), "").unwrap();
    let daemon = launch.start();
    // What is sent is sent after the first pass: the next one is an hour away.
    daemon.wait_for_line(|line| line.contains("Transferred 'first'"), PATIENCE);
    drop_file(&daemon, NAME, "");
    eventually("the file is gone", PATIENCE, || !is_there(&daemon, NAME));
    let wanted = "INFO Transferred '2012-06-14%2F01.txt'";
    daemon.wait_for_line(|line| line.contains(wanted), PATIENCE);
    assert_eq!(object(&server.endpoint, "testbucket", "2012-06-14/01.txt"), Some(Vec::new()));
    assert_eq!(lines(&daemon, NAME).len(), 1, "{}", daemon.output());
    assert_eq!(lines(&daemon, "Transferred").len(), 2, "{}", daemon.output());
}

/// The same on the embedded AWS, in one command: the object is a plain file.
#[test]
fn z1_the_seeds_own_example_lands_in_a_file_with_run_local() {
    let launch = longshore(["run", "--local", "here", "--config", "queue.cfg"]);
    fs::write(launch.directory().join("queue.cfg"), SEED).unwrap();
    let here = launch.directory().join("here");
    let mut daemon = launch.start();
    let spool = here.join("test");
    eventually("its directory is made", PATIENCE, || spool.exists());
    fs::write(here.join("draft"), "text").unwrap();
    fs::rename(here.join("draft"), spool.join(NAME)).unwrap();
    eventually("the file is gone", PATIENCE, || !spool.join(NAME).exists());
    let landed = fs::read_to_string(here.join("s3/testbucket/2012-06-14/01.txt")).unwrap();
    assert_eq!(landed, "text");
    daemon.wait_for_line(|line| line.contains("INFO Transferred '2012-06-14%2F01.txt'"), PATIENCE);
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
}

#[test]
fn z2_two_threads_send_as_key_42_with_the_bucket_in_the_path() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let gate = Gate::closed();
    proxy.on(usize::MAX, is_put, Fault::Hold(gate.clone()));
    let launch = seed(&proxy.endpoint());
    for number in 0..5 {
        fs::write(launch.directory().join(format!("test/f{number}")), "x").unwrap();
    }
    let daemon = launch.start();
    eventually("two files at once", PATIENCE, || gate.arrived() == 2);
    gate.open();
    eventually("all five", PATIENCE, || s3.objects().len() == 5);
    eventually("the bucket is asked for", PATIENCE, || !proxy.of("HeadBucket").is_empty());
    for request in &proxy.requests() {
        let authorization = request.header("authorization").unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=42/"), "{authorization}");
        assert!(authorization.contains("/us-east-1/s3/aws4_request"), "{authorization}");
        assert!(request.path().starts_with("/testbucket"), "{}", request.path());
        assert!(request.header("host").unwrap().starts_with("127.0.0.1:"));
    }
    assert!(!daemon.output().contains("k3y"), "{}", daemon.output());
}

#[test]
fn z2_no_more_than_threads_are_under_way() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let place = Place::new();
    let gate = Gate::closed();
    proxy.on(3, is_put, Fault::HoldReply(gate.clone()));
    for number in 0..50 {
        place.drop(format!("f{number:02}"), "x");
    }
    let daemon = place.start(&proxy.endpoint(), "threads = 3");
    eventually("three under way", PATIENCE, || gate.arrived() == 3);
    // Three replies are held back, so a fourth request would be one too many.
    assert_eq!(proxy.of("PutObject").len(), 3);
    gate.open();
    place.wait_until_empty(&daemon);
    assert_eq!(s3.objects().len(), 50);
}

#[test]
fn z3_each_failed_attempt_is_one_error_and_the_file_stays() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let fault = Lasting::on(&proxy, is_put, refusal(500, "InternalError"));
    let launch = seed(&proxy.endpoint());
    fs::write(launch.directory().join("test").join(NAME), "text").unwrap();
    let daemon = launch.start();
    let processing = format!("processing '{NAME}'");
    eventually("two attempts", PATIENCE, || lines(&daemon, &processing).len() >= 2);
    assert!(is_there(&daemon, NAME));
    fault.over();
    eventually("the file is gone", PATIENCE, || !is_there(&daemon, NAME));
    daemon.wait_for_line(|line| line.contains("Transferred"), PATIENCE);
    let failed = lines(&daemon, &processing);
    assert!(failed.iter().all(|line| line.contains(" ERROR ")), "{failed:?}");
    assert_eq!(failed.len(), proxy.of("PutObject").len() - 1, "one line an attempt: {failed:?}");
}

#[test]
fn z4_a_bucket_that_is_not_there_is_said_and_waited_for() {
    let server = Embedded::start();
    let launch = seed(&server.endpoint);
    fs::write(launch.directory().join("test").join(NAME), "text").unwrap();
    let began = Instant::now();
    let mut daemon = launch.start();
    let wanted = "ERROR Error accessing bucket: 'testbucket'";
    daemon.wait_for_line(|line| line.contains(wanted), PATIENCE);
    assert!(is_there(&daemon, NAME));
    make_bucket(&server.endpoint, "testbucket");
    eventually("the file is gone", PATIENCE, || !is_there(&daemon, NAME));
    let landed = object(&server.endpoint, "testbucket", "2012-06-14/01.txt");
    assert_eq!(landed.as_deref(), Some(&b"text"[..]));
    assert_eq!(daemon.ended(), None);
    // One a probe, every five seconds; the bucket, a file and the first probe are refused at once.
    let told = lines(&daemon, "Error accessing bucket").len();
    let most = 3 + usize::try_from(began.elapsed().as_secs() / 5).unwrap();
    assert!(told <= most, "{told} in {:?}: {}", began.elapsed(), daemon.output());
}

/// Keys by other hands: boto3 asks for each key as the table of the reference says it.
const Z5: &str = "
import boto3, sys
s3 = boto3.client('s3')
table = {'a+b': 'a+b', 'bad%zz': 'bad%zz', '%C3%A9': '\\u00e9', '%252F': '%2F',
         '%2e%2e%2fetc': '../etc', 'a%20b%2Bc': 'a b+c', '100%25': '100%',
         '2012-06-14%2F01.txt': '2012-06-14/01.txt', '%': '%', '%2': '%2'}
for name, key in table.items():
    body = s3.get_object(Bucket='landing', Key=key)['Body'].read().decode()
    assert body == name, (name, key, body)
found = s3.list_objects_v2(Bucket='landing')['KeyCount']
assert found == len(table), found
print('all there')
";

#[test]
fn z5_names_become_the_keys_of_the_table() {
    let server = ministack();
    make_bucket(&server.endpoint(), BUCKET);
    let place = Place::new();
    for name in
        ["a+b", "bad%zz", "%C3%A9", "%252F", "%2e%2e%2fetc", "a%20b%2Bc", "100%25", NAME, "%", "%2"]
    {
        place.drop(name, name);
    }
    let daemon = place.start(&server.endpoint(), "");
    place.wait_until_empty(&daemon);
    assert!(boto(&server.endpoint(), Z5, &place.spool()).contains("all there"));
}

/// Everything that Python's parser allows and the seed's example does not show, with a region and
/// an endpoint, and a queue beside it.
#[test]
fn the_settings_are_read_as_pythons_parser_reads_them() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let text = format!(
        "# a comment\n\
         [Credentials]\n\
         AWS_Access_Key_ID: 42\n\
         aws_secret_access_key = \"k3y\\\\%%(not)s\"\n\
         ; another\n\
         [Queue]\n\
         Directory:test\n\
         BUCKET = testbucket\n\
         poll-interval = 0.25\n\
         threads: 2\n\
         log-level = warning\n\
         endpoint-url = {}\n\
         region = eu-west-3\n",
        proxy.endpoint()
    );
    for file in ["queue.cfg", "queue.ini", "queue.conf"] {
        let launch = longshore(["run", "--config", file]);
        fs::write(launch.directory().join(file), &text).unwrap();
        fs::create_dir(launch.directory().join("test")).unwrap();
        fs::write(launch.directory().join("test").join(file), "x").unwrap();
        let mut daemon = launch.start();
        let what = "it landed";
        eventually(what, PATIENCE, || {
            assert_eq!(lines(&daemon, " ERROR "), [""; 0]);
            !is_there(&daemon, file)
        });
        assert!(s3.objects().contains_key(&format!("testbucket/{file}")), "{}", daemon.output());
        daemon.terminate();
        assert_eq!(daemon.wait(PATIENCE), 0);
        assert_eq!(daemon.output(), "");
    }
    for request in proxy.requests() {
        let authorization = request.header("authorization").unwrap();
        assert!(authorization.contains("Credential=42/"), "{authorization}");
        assert!(authorization.contains("/eu-west-3/s3/aws4_request"), "{authorization}");
    }
}

#[test]
fn the_seeds_settings_take_every_regular_file() {
    let s3 = ScriptedS3::start();
    let launch = seed(&s3.endpoint());
    let names = [".hidden", "a.tmp", "b.part", "c~", ".nfs01", "plain"];
    for name in names {
        fs::write(launch.directory().join("test").join(name), "x").unwrap();
    }
    let daemon = launch.start();
    eventually("all landed", PATIENCE, || names.iter().all(|name| !is_there(&daemon, name)));
    assert_eq!(s3.objects().len(), names.len());
    assert!(puts_by_path(&s3.requests()).values().all(|times| *times == 1));
}
