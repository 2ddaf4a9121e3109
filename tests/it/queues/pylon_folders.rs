//! pylon's components on folders and without input, and their settings.

use crate::support::{PATIENCE, aws, daemon::longshore, eventually};
use longshore::payload::codec::Pylon;
use longshore::payload::folder::Folder;
use serde_json::json;
use std::fs;

use super::ground::{embedded, log_line, logged, stop};
use super::pylon::component;

fn lines_of(folder: &Folder) -> Vec<Pylon> {
    let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let files =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.map(|path| Pylon::of_line(&fs::read_to_string(path).unwrap()).unwrap()).collect()
}

fn bodies(folder: &Folder) -> Vec<String> {
    let mut bodies: Vec<_> = lines_of(folder).into_iter().filter_map(|line| line.body).collect();
    bodies.sort();
    bodies
}

#[tokio::test]
async fn from_folder_to_folder_a_bad_file_holds_up_no_other() {
    let ground = embedded();
    let (from, to) = (ground.path("from"), ground.path("to"));
    let (input, output) = (Folder::open(&from).unwrap(), Folder::open(&to).unwrap());
    for body in ["fails", "reject", "one", "two", "three"] {
        input.put(&Pylon { ingestion_id: Some("aaaa".to_owned()), ..Pylon::raw(body) }).unwrap();
    }
    let settings = json!({
        "PYLON_INPUT": format!("folder://{}", from.display()),
        "PYLON_OUTPUT": format!("folder://{}", to.display()),
    });
    let work = "body=$(cat)\n\
                case $body in fails) [ -e $D/mended ] || exit 1 ;; reject) exit 65 ;; esac\n\
                printf '{\"body\": \"of %s\"}\\n' \"$body\"";
    let daemon = component(&ground, &settings, work).start();
    let got = |wanted: &[&str]| {
        eventually(&format!("{wanted:?}"), PATIENCE, || bodies(&output) == wanted);
    };
    got(&["of one", "of three", "of two"]);
    log_line(&daemon, &["message failed", "exited with 1"]);
    log_line(&daemon, &["message rejected", "exited with 65"]);
    let aside = || fs::read_dir(from.join(".set-aside")).map_or(0, Iterator::count);
    eventually("the file and its reason set aside", PATIENCE, || aside() == 2);
    fs::write(ground.path("mended"), "").unwrap();
    got(&["of fails", "of one", "of three", "of two"]);
    assert!(
        lines_of(&output).iter().all(|line| line.artifact_name.as_deref() == Some("test_artifact"))
    );
    eventually("an empty folder", PATIENCE, || {
        fs::read_dir(&from).unwrap().all(|entry| entry.unwrap().file_name() == ".set-aside")
    });
    eventually("four steps", PATIENCE, || logged(&daemon, &["ingestion step", "aaaa"]) >= 4);
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn killed_a_folder_component_leaves_its_file_to_the_next() {
    let ground = embedded();
    let (from, to) = (ground.path("from"), ground.path("to"));
    let (input, output) = (Folder::open(&from).unwrap(), Folder::open(&to).unwrap());
    input.put(&Pylon::raw("one")).unwrap();
    let settings = json!({
        "PYLON_INPUT": format!("folder://{}", from.display()),
        "PYLON_OUTPUT": format!("folder://{}", to.display()),
    });
    let work = "printf '{\"body\": \"of %s\"}\\n' $(cat)\n\
                [ -e $D/killed ] || { echo >> $D/begun; sleep 600; }";
    let mut daemon = component(&ground, &settings, work).start();
    ground.wait_lines("begun", 1);
    daemon.kill9();
    assert_eq!(bodies(&output), [""; 0]);
    fs::write(ground.path("killed"), "").unwrap();
    let done = component(&ground, &settings, work).args(&[]).start();
    eventually("the message", PATIENCE, || bodies(&output) == ["of one"]);
    assert_eq!(stop(done), 0);
    assert!(fs::read_dir(&from).unwrap().next().is_none());
}

#[tokio::test]
async fn a_source_runs_by_itself_and_a_stop_does_not_wait_for_its_pause() {
    let ground = embedded();
    ground.queue("out", &[]).await;
    let settings = json!({
        "PYLON_INPUT": null,
        "PYLON_OUTPUT": "sqs://out",
        "PYLON_LOOP_SLEEP_SECONDS": "1",
    });
    let work =
        "echo \"${LONGSHORE_MESSAGE_ID-none} $(wc -c)\" >> $D/runs; echo '{\"body\": \"x\"}'";
    let daemon = component(&ground, &settings, work).start();
    ground.wait_lines("runs", 2);
    assert_eq!(ground.lines("runs")[0], "none 0");
    assert_eq!(stop(daemon), 0);
    let settings = json!({"PYLON_INPUT": null, "PYLON_OUTPUT": "sqs://out",
        "PYLON_LOOP_SLEEP_SECONDS": 86_400});
    let daemon = component(&ground, &settings, "echo >> $D/long; echo '{\"body\": \"y\"}'").start();
    ground.wait_lines("long", 1);
    log_line(&daemon, &["message done"]);
    assert_eq!(stop(daemon), 0);
}

#[test]
fn wrong_settings_of_a_component_end_with_78_and_name_everything() {
    let run = || longshore(["run", "--pylon", "--", "true"]);
    run().finish().expect(78, &["PYLON_CONFIG", "not set", "ssm://NAME"]);
    let wrong =
        json!({"PYLON_INPUT": "kafka://in", "PYLON_LOOP_SLEEP_SECONDS": "soon", "KEY": "sesame"});
    let told = run().env("PYLON_CONFIG", &wrong.to_string()).finish();
    let told = told.expect(78, &["PYLON_INPUT", "not supported", "PYLON_LOOP_SLEEP_SECONDS"]);
    assert!(!told.said().contains("sesame"));
    run().env("PYLON_CONFIG", "{sesame").finish().expect(78, &["no JSON object"]);
    run().env("PYLON_CONFIG", "settings.json").finish().expect(78, &["file://PATH"]);
    run().env("PYLON_CONFIG", "file://none").finish().expect(78, &["PYLON_CONFIG", "none"]);
    longshore(["run", "--pylon"]).finish().expect(64, &["COMMAND"]);
    longshore(["run", "--", "true"]).finish().expect(64, &["--pylon"]);
    longshore(["run", "--config", "x", "--pylon", "--", "true"]).finish().expect(64, &["--config"]);
}

#[tokio::test]
async fn p12_settings_lie_in_a_file_an_object_or_a_parameter_and_are_waited_for() {
    let ground = embedded();
    ground.queue("out", &[]).await;
    let settings = json!({"PYLON_OUTPUT": "sqs://out", "MY_VAR": "yeet"}).to_string();
    let script = ground.script("work", "echo $MY_VAR >> $D/seen; echo '{\"body\": \"x\"}'");
    let once = |place: &str| {
        longshore(["run", "--pylon", "--once", "--", &script])
            .endpoint(&ground.upstream)
            .env("PYLON_CONFIG", place)
            .file("settings.json", &settings)
    };
    once("file://settings.json").finish().expect(0, &[]);
    let s3 = aws::s3(&ground.upstream);
    s3.create_bucket().bucket("settings").send().await.unwrap();
    once("s3://settings/a/b.json").finish().expect(78, &["PYLON_CONFIG", "a/b.json"]);
    let away = once("s3://settings/a/b.json").endpoint("http://127.0.0.1:1").start();
    log_line(&away, &["PYLON_CONFIG", "tried again"]);
    assert_eq!(stop(away), 0, "a stop does not wait for them");
    let body = settings.clone().into_bytes().into();
    s3.put_object().bucket("settings").key("a/b.json").body(body).send().await.unwrap();
    once("s3://settings/a/b.json").finish().expect(0, &[]);
    let put = longshore(["ssm", "put", "/test_config"]).args(&[&settings]);
    put.endpoint(&ground.upstream).finish().expect(0, &[]);
    once("ssm://test_config").finish().expect(0, &[]);
    assert_eq!(ground.wait_lines("seen", 3), ["yeet"; 3]);
    ground.wait_counts("out", (3, 0)).await;
}

#[test]
fn folders_need_no_region_of_aws() {
    let settings = json!({"PYLON_INPUT": "folder://from", "PYLON_OUTPUT": "folder://to"});
    let launch = longshore(["run", "--pylon", "--once", "--", "sh", "-c"]);
    let launch = launch.args(&["printf '{\"body\": \"%s\"}\\n' $(cat)"]).without("AWS_REGION");
    let place = tempfile::TempDir::new().unwrap();
    fs::create_dir(place.path().join("from")).unwrap();
    Folder::open(place.path().join("from")).unwrap().put(&Pylon::raw("hello")).unwrap();
    launch.env("PYLON_CONFIG", &settings.to_string()).at(place.path()).finish().expect(0, &[]);
    assert_eq!(bodies(&Folder::open(place.path().join("to")).unwrap()), ["hello"]);
}

#[test]
fn on_the_embedded_aws_everything_that_is_named_is_made() {
    let settings = json!({
        "PYLON_INPUT": "folder://from",
        "PYLON_OUTPUT": "sns://arn:aws:sns:eu-west-1:123456789012:out",
        "PYLON_STORE_DESTINATION": "s3://store/bodies",
        "PYLON_STORE_MIN_MESSAGE_BYTES": 1,
        "PYLON_LOG_LEVEL": "info",
    });
    let launch = longshore(["run", "--local", "aws", "--pylon", "--", "sh", "-c"]);
    let launch = launch.args(&["printf '{\"body\": \"%s\"}\\n' $(cat)"]);
    let daemon = launch.env("PYLON_CONFIG", &settings.to_string()).start();
    let from = daemon.directory().join("aws/from");
    eventually("its folder", PATIENCE, || from.is_dir());
    Folder::open(from).unwrap().put(&Pylon::raw("hello")).unwrap();
    log_line(&daemon, &["messages sent", "out"]);
    let stored = daemon.directory().join("aws/s3/store/bodies");
    let entry = fs::read_dir(stored).unwrap().next().unwrap().unwrap();
    assert_eq!(fs::read_to_string(entry.path()).unwrap(), "hello");
    assert_eq!(stop(daemon), 0);
    let settings = json!({"PYLON_INPUT": "folder:///var/elsewhere"}).to_string();
    let launch = longshore(["run", "--local", "aws", "--pylon", "--", "true"]);
    launch.env("PYLON_CONFIG", &settings).finish().expect(78, &["PYLON_INPUT", "--yes allows it"]);
}
