//! Settings that name values: parameters, objects and files, there or not, now or later.

use crate::support::{
    PATIENCE, aws,
    daemon::{Daemon, Launch, longshore},
    emulator::{Emulator, embedded},
    eventually,
    proxy::{Fault, Proxy},
};

const QUEUE: &str = "[queue.q]\nqueue = \"orders\"\nwait_time = 1\nhandler.print = {}\n";
const SECRET: &str =
    "[aws]\naccess_key_id = \"OF-SETTINGS\"\nsecret_access_key = \"ssm://shop/key\"\n";

async fn ground() -> (Emulator, Proxy) {
    let server = embedded();
    let sqs = aws::sqs(&server.endpoint());
    sqs.create_queue().queue_name("orders").send().await.unwrap();
    let proxy = Proxy::start(&server.endpoint());
    (server, proxy)
}

async fn put(server: &Emulator, name: &str, value: &str) {
    let put = aws::ssm(&server.endpoint()).put_parameter().name(name).value(value);
    put.r#type("SecureString".into()).send().await.unwrap();
}

fn launch(proxy: &Proxy, command: &str, text: &str) -> Launch {
    let launch = longshore([command, "--config", "c.toml"]).file("c.toml", text);
    launch.endpoint(&proxy.endpoint()).env("LONGSHORE_LOG", "trace")
}

fn counted(daemon: &Daemon, words: &str) -> usize {
    daemon.stderr.all().iter().filter(|line| line.contains(words)).count()
}

fn listens(daemon: &Daemon) {
    daemon.wait_for_line(|line| line.contains("listening to queue"), PATIENCE);
}

fn stops(mut daemon: Daemon) {
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
}

fn signed_by(proxy: &Proxy, operation: &str, key: &str) -> bool {
    let seen = proxy.of(operation);
    let credential = format!("Credential={key}/");
    !seen.is_empty()
        && seen.iter().all(|one| one.header("authorization").unwrap().contains(&credential))
}

#[tokio::test]
async fn a_secret_from_a_parameter_signs_and_is_never_shown() {
    let (server, proxy) = ground().await;
    put(&server, "/shop/key", "hunter2").await;
    let daemon = launch(&proxy, "run", &(SECRET.to_owned() + QUEUE)).start();
    listens(&daemon);
    eventually("a poll", PATIENCE, || !proxy.of("ReceiveMessage").is_empty());
    assert!(signed_by(&proxy, "GetParameter", "test"), "the chain reads what [aws] is to hold");
    assert!(signed_by(&proxy, "ReceiveMessage", "OF-SETTINGS"));
    assert!(!daemon.output().contains("hunter2"), "{}", daemon.output());
    stops(daemon);

    let checked = launch(&proxy, "check", &(SECRET.to_owned() + QUEUE)).finish();
    let checked =
        checked.expect(0, &["1 value of the settings can be looked up", "orders is there"]);
    assert!(!checked.said().contains("hunter2"));
    let policy = launch(&proxy, "policy", &(SECRET.to_owned() + QUEUE)).finish();
    assert_eq!(policy.code, 0, "{}", policy.said());
    assert!(policy.stderr.contains("kms:Decrypt on that key"), "{}", policy.stderr);
    let parameter = "arn:aws:ssm:us-east-1:000000000000:parameter/shop/key";
    assert!(policy.stdout.contains(parameter), "{}", policy.stdout);
    let tool = longshore(["sqs", "length", "q", "--config", "c.toml"]);
    let tool = tool.file("c.toml", &(SECRET.to_owned() + QUEUE)).endpoint(&proxy.endpoint());
    tool.finish().expect(0, &["about 0 visible"]);
}

#[tokio::test]
async fn every_value_that_is_not_there_is_told_with_its_line_and_ends_the_run() {
    let (_server, proxy) = ground().await;
    let text = SECRET.to_owned()
        + "region = \"file://region\"\nsession_token = \"s3://nothing/here\"\n"
        + QUEUE;
    for command in ["run", "check"] {
        launch(&proxy, command, &text).file("region", "us-east-1\n").finish().expect(
            78,
            &[
                "c.toml:3:21: aws.secret_access_key = ssm://shop/key: reading parameter \
                 /shop/key in us-east-1: ParameterNotFound",
                "c.toml:5:17: aws.session_token = s3://nothing/here: reading s3://nothing/here",
            ],
        );
    }
    launch(&proxy, "run", &text).finish().expect(78, &["aws.region = file://region: reading"]);
    let seen = proxy.requests().len();
    let offline = longshore(["check", "--offline", "--config", "c.toml"]).file("c.toml", &text);
    let told = "note  aws.secret_access_key is not looked up at ssm://shop/key";
    offline.endpoint(&proxy.endpoint()).finish().expect(0, &["c.toml is valid", told]);
    assert_eq!(proxy.requests().len(), seen, "offline asks nobody");
    let malformed = text.replace("ssm://shop/key", "ssm://shop key");
    for command in ["run", "check"] {
        launch(&proxy, command, &malformed)
            .finish()
            .expect(78, &["c.toml:3:21", "is no name of a"]);
    }
    assert_eq!(proxy.requests().len(), seen, "and what cannot be a name, nobody is asked for");
}

#[tokio::test]
async fn a_value_that_its_key_does_not_take_is_told_and_not_shown() {
    let (server, proxy) = ground().await;
    put(&server, "/region", "HUNTER2").await;
    let text = format!("[aws]\nregion = \"ssm://region\"\n{QUEUE}");
    for command in ["run", "check"] {
        let ended = launch(&proxy, command, &text).finish();
        let ended = ended.expect(78, &["c.toml:2:10: region: what ssm://region holds will not do"]);
        assert!(!ended.said().contains("HUNTER2"), "{}", ended.said());
    }
}

#[tokio::test]
async fn what_the_world_may_mend_is_waited_for_and_said_once() {
    let (server, proxy) = ground().await;
    put(&server, "/shop/key", "hunter2").await;
    let text = SECRET.to_owned() + QUEUE;
    proxy.down();
    let daemon = launch(&proxy, "run", &text).start();
    let waits = "settings wait for what they name";
    let line = daemon.wait_for_line(|line| line.contains(waits), PATIENCE);
    assert!(line.contains("WARN") && line.contains("ssm://shop/key"), "{line}");
    launch(&proxy, "check", &text).finish().expect(69, &["FAIL", "ssm://shop/key"]);
    // Up again, it is refused for now: that is another trouble, and no end.
    let denied = "{\"__type\":\"AccessDeniedException\",\"message\":\"not yet\"}".to_owned();
    proxy.on(2, |seen| seen.operation() == "GetParameter", Fault::Answer(400, denied));
    proxy.up();
    listens(&daemon);
    daemon.wait_for_line(|line| line.contains("settings are complete"), PATIENCE);
    assert_eq!(counted(&daemon, waits), 2, "{}", daemon.output());
    assert_eq!(counted(&daemon, "AccessDeniedException"), 1, "{}", daemon.output());
    assert!(!daemon.output().contains("hunter2"));
    stops(daemon);
}

#[tokio::test]
async fn a_stop_ends_the_waiting() {
    let (_server, proxy) = ground().await;
    proxy.down();
    let daemon = launch(&proxy, "run", &(SECRET.to_owned() + QUEUE)).start();
    daemon.wait_for_line(|line| line.contains("settings wait for"), PATIENCE);
    stops(daemon);
}

#[tokio::test]
async fn an_object_and_a_file_name_a_queue_and_a_region() {
    let (server, proxy) = ground().await;
    let s3 = aws::s3(&server.endpoint());
    s3.create_bucket().bucket("settings").send().await.unwrap();
    let put = s3.put_object().bucket("settings").key("names/queue");
    put.body(b"orders\n".to_vec().into()).send().await.unwrap();
    let text = format!("[aws]\nregion = \"file://region\"\npath_style = true\n{QUEUE}")
        .replace("\"orders\"", "\"s3://settings/names/queue\"");
    let daemon = launch(&proxy, "run", &text).file("region", "us-east-1\n").start();
    let line = daemon.wait_for_line(|line| line.contains("listening to queue"), PATIENCE);
    assert!(line.contains("orders"), "{line}");
    stops(daemon);
}

#[test]
fn on_the_embedded_aws_a_parameter_is_waited_for() {
    let text = SECRET.to_owned() + QUEUE;
    let run = longshore(["run", "--local", "here", "--config", "c.toml"]).file("c.toml", &text);
    let daemon = run.start();
    let line = daemon.wait_for_line(|line| line.contains("Put one there:"), PATIENCE);
    let endpoint = line.rsplit("--local=").next().unwrap().to_owned();
    daemon.wait_for_line(|line| line.contains("settings wait for"), PATIENCE);
    let put = longshore(["ssm", "put", "/shop/key", "hunter2", &format!("--local={endpoint}")]);
    put.finish().expect(0, &["version 1"]);
    daemon.wait_for_line(|line| line.contains("listening to queue"), 2 * PATIENCE);
    assert!(!daemon.output().contains("hunter2"));
    stops(daemon);
}
