//! Tables by the library, through a proxy that misbehaves, and by `longshore dynamodb`.

use crate::support::{
    aws,
    daemon::{Finished, Launch, longshore, program},
    emulator::{Emulator, embedded, ministack},
    proxy::{Fault, Proxy},
    venv,
};
use futures_util::stream;
use longshore::error::Kind;
use longshore::toolkit::dynamodb::{KeyAttribute, Schema, Table};
use serde_json::{Value, json};

async fn behind(proxy: &Proxy) -> Table {
    let directory = tempfile::tempdir().unwrap().keep();
    let table = Table::new(aws::dynamodb(&proxy.endpoint()), "things").cache_in(directory);
    table.create(&Schema::new(KeyAttribute::string("id"))).await.unwrap();
    table
}

/// The ids that each batch carried.
fn batches(proxy: &Proxy) -> Vec<Vec<String>> {
    let ids = |call: &crate::support::exchange::Exchange| {
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let requests = body["RequestItems"]["things"].as_array().unwrap().clone();
        let id =
            |request: &Value| request["PutRequest"]["Item"]["id"]["S"].as_str().unwrap().to_owned();
        requests.iter().map(id).collect()
    };
    proxy.of("BatchWriteItem").iter().map(ids).collect()
}

#[tokio::test]
async fn what_was_left_unprocessed_is_written_again_and_nothing_else() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let table = behind(&proxy).await;
    let left = json!({ "UnprocessedItems": { "things": [
        { "PutRequest": { "Item": { "id": { "S": "b" } } } } ] } });
    let fault = Fault::Answer(200, left.to_string());
    proxy.on(1, |seen| seen.operation() == "BatchWriteItem", fault);
    let items = ["a", "b", "c"].map(|id| json!({ "id": id }));
    let report = table.put_all(stream::iter(items)).await.unwrap();
    assert_eq!((report.written, report.failed.len()), (3, 0));
    assert_eq!(batches(&proxy), [vec!["a", "b", "c"], vec!["b"]]);
}

#[tokio::test]
async fn what_stays_unprocessed_is_told_and_nothing_overtakes_it() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let table = behind(&proxy).await;
    let left = json!({ "UnprocessedItems": { "things": [
        { "PutRequest": { "Item": { "id": { "S": "b" } } } } ] } });
    let fault = Fault::Answer(200, left.to_string());
    proxy.on(5, |seen| seen.operation() == "BatchWriteItem", fault);
    let items = [json!({ "id": "b", "n": 1 }), json!({ "id": "b", "n": 2 }), json!({ "id": "c" })];
    let report = table.put_all(stream::iter(items)).await.unwrap();
    let failed: Vec<u64> = report.failed.iter().map(|failed| failed.number).collect();
    assert_eq!((report.written, failed), (1, vec![0, 1]));
    assert!(report.failed[0].error.to_string().contains("unprocessed"));
    assert!(report.failed[1].error.to_string().contains("an earlier item of the same key"));
    assert_eq!(batches(&proxy).len(), 5);
    assert_eq!(table.get(&json!({ "id": "b" })).await.unwrap(), None);
}

#[tokio::test]
async fn an_item_that_dynamodb_refuses_fails_alone() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let table = behind(&proxy).await;
    let refused =
        json!({ "__type": "com.amazon.coral.validate#ValidationException", "message": "no" });
    let has_b = |seen: &crate::support::exchange::Exchange| {
        seen.operation() == "BatchWriteItem"
            && String::from_utf8_lossy(&seen.body).contains(r#"{"S":"b"}"#)
    };
    proxy.on(2, has_b, Fault::Answer(400, refused.to_string()));
    let items = ["a", "b", "c"].map(|id| json!({ "id": id }));
    let report = table.put_all(stream::iter(items)).await.unwrap();
    let failed: Vec<u64> = report.failed.iter().map(|failed| failed.number).collect();
    assert_eq!((report.written, failed), (2, vec![1]));
    assert_eq!(table.count().await.unwrap(), 2);
}

#[tokio::test]
async fn a_lost_answer_and_a_missing_permission_are_told_for_what_they_are() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let table = behind(&proxy).await;
    proxy.on(1, |seen| seen.operation() == "PutItem", Fault::CutAfter);
    assert!(table.put_if_absent(&json!({ "id": "a", "n": 1.0 })).await.unwrap());
    assert_eq!(proxy.of("PutItem").len(), 2);
    assert!(!table.put_if_absent(&json!({ "id": "a", "n": 1.0 })).await.unwrap());
    let told = "User: arn:aws:iam::1:user/x is not authorized to perform: dynamodb:GetItem";
    let denied =
        json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "Message": told });
    proxy.on(1, |seen| seen.operation() == "GetItem", Fault::Answer(400, denied.to_string()));
    let error = table.get(&json!({ "id": "a" })).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    for part in ["DynamoDB table things in us-east-1", "allow this action"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let slow = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow" });
    proxy.on(2, |seen| seen.operation() == "GetItem", Fault::Answer(400, slow.to_string()));
    assert!(table.get(&json!({ "id": "a" })).await.unwrap().is_some());
}

fn run<const N: usize>(server: &Emulator, args: [&str; N]) -> Finished {
    at(server, longshore(args))
}

fn at(server: &Emulator, launch: Launch) -> Finished {
    launch.endpoint(&server.endpoint()).finish()
}

/// What the aws CLI says.
fn aws_cli<const N: usize>(server: &Emulator, args: [&str; N]) -> Value {
    let finished = at(server, program(&venv("aws"), args).env("AWS_DEFAULT_REGION", "us-east-1"));
    assert_eq!(finished.code, 0, "{}", finished.said());
    serde_json::from_str(&finished.stdout).unwrap()
}

fn table_by_its_verbs(server: &Emulator) {
    let create = [
        "dynamodb",
        "create",
        "things",
        "--partition-key",
        "id",
        "--sort-key",
        "at:N",
        "--index",
        "owner,at:N",
    ];
    run(server, create).expect(0, &["things is ACTIVE", "key=id:S,at:N", "index owner-index"]);
    run(server, create).expect(0, &["ACTIVE"]);
    run(server, ["dynamodb", "create-table", "things", "--partition-key", "id"])
        .expect(69, &["things has other keys or indexes", "longshore dynamodb describe things"]);
    run(server, ["dynamodb", "exists", "things"]).expect(0, &["exists"]);
    assert_eq!(run(server, ["dynamodb", "list", "--prefix", "thi"]).stdout, "things\n");

    // Digits that no floating-point number holds.
    let exact =
        r#"{"at":12345678901234567890123,"b":"x","id":"a","price":0.1000000000000000000001}"#;
    run(server, ["dynamodb", "put", "things", exact]).expect(0, &["put 1 item"]);
    let key = r#"{"id":"a","at":12345678901234567890123}"#;
    assert_eq!(run(server, ["dynamodb", "get-item", "things", key]).stdout.trim(), exact);
    let typed = r#"{"id":{"S":"a"},"at":{"N":"12345678901234567890123"}}"#;
    let read = aws_cli(server, ["dynamodb", "get-item", "--table-name", "things", "--key", typed]);
    assert_eq!(read["Item"]["price"]["N"], "0.1000000000000000000001");
    run(server, ["dynamodb", "put", "things", exact, "--if-absent"]).expect(75, &["already"]);
    let sets = r#"{"id":{"S":"s"},"at":{"N":"1"},"set":{"SS":["p","q"]},"raw":{"B":"AAH/"}}"#;
    run(server, ["dynamodb", "put-item", "things", sets]).expect(0, &[]);
    let read = run(server, ["dynamodb", "get", "things", r#"{"id":"s","at":1}"#, "--typed"]);
    let read: Value = serde_json::from_str(&read.stdout).unwrap();
    assert_eq!((&read["raw"], &read["at"]), (&json!({ "B": "AAH/" }), &json!({ "N": "1" })));

    lines_and_queries(server);
    what_is_taken_away(server, key);
}

fn lines_and_queries(server: &Emulator) {
    let lines: Vec<String> = (1..=60)
        .map(|at| {
            if at == 7 {
                "no JSON".to_owned()
            } else {
                json!({ "id": "l", "at": at, "owner": "me" }).to_string()
            }
        })
        .collect();
    let path = env!("CARGO_BIN_EXE_longshore");
    let command = format!("exec {path} dynamodb put things --json < lines");
    let put = program("/bin/sh".as_ref(), ["-c", &command]).file("lines", &lines.join("\n"));
    let put = at(server, put).expect(64, &["line 7: ", "no JSON object"]);
    let told: Value = serde_json::from_str(&put.stdout).unwrap();
    assert_eq!(told, json!({ "put": 59, "failed": 1 }));
    let query = run(server, ["dynamodb", "query", "things", "l", "--between", "9", "10"]);
    assert_eq!(
        query.stdout,
        "{\"at\":9,\"id\":\"l\",\"owner\":\"me\"}\n{\"at\":10,\"id\":\"l\",\"owner\":\"me\"}\n"
    );
    let last = run(
        server,
        [
            "dynamodb",
            "query",
            "things",
            "me",
            "--index",
            "owner-index",
            "--descending",
            "--max",
            "1",
        ],
    );
    assert_eq!(last.stdout, "{\"at\":60,\"id\":\"l\",\"owner\":\"me\"}\n");
    run(server, ["dynamodb", "query", "things", "me", "--index", "no"])
        .expect(64, &["no index no", "owner-index"]);
}

fn what_is_taken_away(server: &Emulator, key: &str) {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path().to_str().unwrap();
    for more in ["--cached", "--cached", "--refresh"] {
        let scan = run(server, ["dynamodb", "scan", "things", more, "--cache-dir", cache]);
        assert_eq!(scan.stdout.lines().count(), 61, "{}", scan.said());
    }
    let set = r#"{"owner":"you"}"#;
    let upserted = run(server, ["dynamodb", "update-item", "things", r#"{"id":"l","at":9}"#, set]);
    assert_eq!(upserted.stdout, "{\"at\":9,\"id\":\"l\",\"owner\":\"you\"}\n");
    run(server, ["dynamodb", "delete-item", "things", key]).expect(0, &[]);
    run(server, ["dynamodb", "get", "things", key]).expect(69, &["no item of that key"]);
    run(server, ["dynamodb", "delete-item", "things", "--all"]).expect(64, &["not done", "--yes"]);
    run(server, ["dynamodb", "delete-item", "things", "--all", "--yes"])
        .expect(0, &["deleted 60 items"]);
    assert_eq!(run(server, ["dynamodb", "scan", "things"]).stdout, "");
    run(server, ["dynamodb", "delete", "things"]).expect(64, &["not done", "--yes"]);
    run(server, ["dynamodb", "delete", "things", "--yes"]).expect(0, &["deleted"]);
    run(server, ["dynamodb", "exists", "things"]).expect(69, &["does not exist"]);
    run(server, ["dynamodb", "scan", "things"])
        .expect(69, &["no DynamoDB table things in us-east-1", "longshore dynamodb create things"]);
}

#[test]
fn tables_by_their_verbs_on_the_embedded_aws() {
    table_by_its_verbs(&embedded());
}

#[test]
fn tables_by_their_verbs_on_ministack() {
    table_by_its_verbs(&ministack());
}
