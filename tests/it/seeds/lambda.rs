//! Functions, as pylon's document and those who call them from a shell want them.

use crate::support::{
    PATIENCE, aws,
    daemon::{Finished, longshore, program},
    emulator::{Emulator, ministack},
    eventually,
    functions::function,
};
use futures_util::{StreamExt, TryStreamExt};
use longshore::toolkit::{
    lambda::Function,
    s3::{Bucket, Put},
};
use serde_json::{Value, json};
use std::{fs, io::Write, path::Path};

const ECHO: &str = "def handler(event, context):\n    if 'poison' in event:\n        \
                    raise ValueError('no such order')\n    return {'some': 'output', 'of': event}\n";

fn run(server: &Emulator, args: &[&str]) -> Finished {
    longshore([]).args(args).endpoint(&server.endpoint()).finish()
}

#[tokio::test]
async fn a_function_is_called_for_its_output_or_without_waiting() {
    let server = ministack();
    let code = "def handler(event, context):\n    return {'some': 'output'}\n";
    function(&server.endpoint(), "my-lambda-function", code).await;
    let function = Function::new(aws::lambda(&server.endpoint()), "my-lambda-function");
    let output = function.call(&json!({"some": "input"})).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&output).unwrap(), json!({"some": "output"}));
    function.call_async(&json!({"some": "input"})).await.unwrap();
}

#[tokio::test]
async fn a_function_is_called_once_for_every_key_under_a_prefix() {
    let server = ministack();
    let place = tempfile::tempdir().unwrap();
    let code = format!(
        "import os\ndef handler(event, context):\n    \
         open(os.path.join({:?}, event['key'].replace('/', '_')), 'w').close()\n",
        place.path()
    );
    function(&server.endpoint(), "my-single-file-task", &code).await;
    let bucket = Bucket::new(aws::s3(&server.endpoint()), "my-bucket");
    bucket.create().await.unwrap();
    for key in ["some-key-prefix/a", "some-key-prefix/b", "other"] {
        bucket.put(key, "", &Put::new()).await.unwrap();
    }
    let called = || fs::read_dir(place.path()).unwrap().count();

    let task = Function::new(aws::lambda(&server.endpoint()), "my-single-file-task");
    let keys = bucket.list("some-key-prefix", true);
    let inputs = keys.map_ok(|entry| json!({ "key": entry.name() }));
    let calls: Vec<_> = task.call_all_async(inputs, 10).collect().await;
    assert!(calls.len() == 2 && calls.iter().all(|(_, called)| called.is_ok()), "{calls:?}");
    eventually("both calls", PATIENCE, || called() == 2);

    for entry in fs::read_dir(place.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let all = ["lambda", "invoke-all", "my-single-file-task", "--s3-prefix"];
    let told = run(&server, &[&all[..], &["s3://my-bucket/some-key-prefix"]].concat());
    told.expect(0, &["called 2 times, 0 failed"]);
    assert_eq!(called(), 2);
    let shown = format!(
        "export TERM=xterm; stty cols 80; {} {} s3://my-bucket/some-key-prefix",
        env!("CARGO_BIN_EXE_longshore"),
        all.join(" ")
    );
    let shell = program(Path::new("/usr/bin/script"), ["-qec", &shown, "/dev/null"]);
    shell.endpoint(&server.endpoint()).finish().expect(0, &["/s 0 failed", "called 2 times"]);
    run(&server, &[&all[..], &["s3://nothing-here/a"]].concat())
        .expect(69, &["there is no bucket \"nothing-here\"", "longshore s3 mb"]);
    run(&server, &[&all[..], &["my-bucket"]].concat()).expect(64, &["must begin with \"s3://\""]);
}

#[tokio::test]
async fn functions_are_called_from_a_shell() {
    let server = ministack();
    function(&server.endpoint(), "echo", ECHO).await;
    let told = run(&server, &["lambda", "invoke", "echo", "--json"]);
    assert_eq!(told.code, 0, "{}", told.said());
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["output"], json!({"some": "output", "of": {}}));
    run(&server, &["lambda", "invoke", "echo", "--async"]).expect(0, &["queued a call of echo"]);
    run(&server, &["lambda", "invoke", "echo", "--invocation-type", "DryRun"])
        .expect(0, &["echo may be called"]);
    let poison = ["lambda", "invoke", "echo", "--payload", "{\"poison\":1}"];
    run(&server, &poison).expect(69, &["function echo failed", "no such order"]);
    run(&server, &["lambda", "invoke", "none"]).expect(69, &["check the name and the region"]);
    run(&server, &["lambda", "invoke", "echo", "--payload", "x"]).expect(64, &["is not JSON"]);

    // A function that is not there is called for no further input.
    let mut none = longshore(["lambda", "invoke-all", "none"]).piped();
    none = none.endpoint(&server.endpoint());
    let mut none = none.start();
    none.input().write_all("1\n".repeat(1_000).as_bytes()).ok();
    assert_eq!(none.wait(PATIENCE), 69, "{}", none.output());
    assert_eq!(none.stderr.all().len(), 1, "{}", none.output());

    let all = longshore(["lambda", "map", "echo", "--json"]).endpoint(&server.endpoint());
    let mut all = all.piped().start();
    all.input().write_all(b"{\"n\":1}\n\n{\"poison\":1}\nno json\n").unwrap();
    let code = all.wait(PATIENCE);
    assert!([64, 69].contains(&code), "{code}: {}", all.output());
    let lines = all.stdout.all();
    let mut told: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    told.sort_by_key(|one| one["input"].as_u64());
    assert_eq!(told[0]["output"]["of"], json!({"n": 1}));
    assert!(told[1]["error"].as_str().unwrap().contains("no such order"), "{told:?}");
    assert!(told[2]["error"].as_str().unwrap().contains("not JSON"), "{told:?}");
    assert_eq!(told.len(), 3);
}
