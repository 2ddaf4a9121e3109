//! zc.s3uploadqueue's examples, from within a program: its settings, a file with the document's
//! name, and the stop. What its log says is shown with the daemon, in `spool/zc.rs`.

use std::{fs, path::Path};

use longshore::config::Config;
use longshore::worker::Worker;

use crate::support::{PATIENCE, aws, emulator::embedded, eventually};

/// The document's sample configuration, word for word.
const CONFIG: &str = "\
[Credentials]
aws_access_key_id = 42
aws_secret_access_key = k3y

[Queue]
directory = test
bucket = testbucket
poll-interval = 1
threads = 2
";

#[tokio::test(flavor = "multi_thread")]
async fn a_program_processes_the_sample_configuration_and_stops() {
    let server = embedded();
    let s3 = aws::s3(&server.endpoint());
    s3.create_bucket().bucket("testbucket").send().await.unwrap();
    let here = tempfile::tempdir().unwrap();
    let directory = here.path().join("test");
    fs::create_dir(&directory).unwrap();
    // The same but for where it runs: the directory of this process, and the endpoint.
    let config =
        CONFIG.replace("directory = test", &format!("directory = {}", directory.display()));
    let config = format!("{config}endpoint-url = {}\n", server.endpoint());
    fs::write(here.path().join("queue.cfg"), config).unwrap();
    fs::write(directory.join("2012-06-14%2F01.txt"), "").unwrap();
    let worker = Worker::from_file(here.path().join("queue.cfg")).unwrap().start().unwrap();
    eventually("the file is moved", PATIENCE, || !directory.join("2012-06-14%2F01.txt").exists());
    tokio::task::spawn_blocking(move || worker.stop().unwrap()).await.unwrap();
    let got = s3.get_object().bucket("testbucket").key("2012-06-14/01.txt").send().await.unwrap();
    assert_eq!(got.content_length(), Some(0));
}

#[test]
fn the_sample_configuration_says_what_the_document_says() {
    let dialect = longshore::config::Dialect::Ini;
    let config = Config::parse(CONFIG, Path::new("queue.cfg"), dialect).unwrap();
    let spool = config.spools.values().next().unwrap();
    assert_eq!((spool.bucket(), spool.directory.to_str()), (Some("testbucket"), Some("test")));
    let credentials = spool.aws.credentials.as_ref().unwrap();
    assert_eq!(credentials.access_key_id, "42");
    let without = CONFIG.replace("poll-interval = 1\nthreads = 2\n", "");
    let config = Config::parse(&without, Path::new("queue.cfg"), dialect).unwrap();
    let spool = config.spools.values().next().unwrap();
    assert_eq!((spool.poll_interval.as_secs(), spool.threads), (9, 9));
}
