use serde_json::json;

use super::*;
use crate::handlers::samples;
use crate::message::Body;

const MOST: usize = 1 << 20;

fn event(body: &str, form: LambdaInput) -> std::result::Result<Value, String> {
    let event = input::of(&samples::message(body), form, MOST)?;
    Ok(serde_json::from_slice(&event).unwrap())
}

#[test]
fn a_function_gets_body_and_attributes_as_pylon_sends_them() {
    let wanted = json!({
        "body": "{\"id\": 7}",
        "attributes": { "tint": "red", "size.cm": "12.5", "raw": "AAH/" },
    });
    assert_eq!(event("{\"id\": 7}", LambdaInput::Message), Ok(wanted));
}

#[test]
fn a_function_written_for_queues_gets_a_record() {
    let event = event("x", LambdaInput::Sqs).unwrap();
    let record = &event["Records"][0];
    assert_eq!(record["messageId"], "5fea7756-0ea4-451a-a703-a558b933e274");
    assert_eq!((&record["body"], &record["eventSource"]), (&json!("x"), &json!("aws:sqs")));
    assert_eq!(record["attributes"]["SentTimestamp"], "1339666200250");
    let raw = json!({ "binaryValue": "AAH/", "stringListValues": [], "binaryListValues": [],
                      "dataType": "Binary" });
    assert_eq!(record["messageAttributes"]["raw"], raw);
    assert_eq!(record["messageAttributes"]["size.cm"]["stringValue"], "12.5");
}

#[test]
fn a_body_that_is_json_is_given_as_it_is() {
    let text = "{\"b\": 1.10, \"a\": 2}";
    let given = input::of(&samples::message(text), LambdaInput::Body, MOST).unwrap();
    assert_eq!(given, text.as_bytes());
    let told = event("{\"a\"", LambdaInput::Body).unwrap_err();
    assert!(told.contains("not JSON"), "{told}");
}

#[test]
fn what_lambda_would_never_take_is_known_before() {
    let told = event(&"x".repeat(MOST), LambdaInput::Message).unwrap_err();
    assert!(told.contains("takes at most 1048576"), "{told}");
    let mut message = samples::message("");
    message.body = Body::of_bytes(vec![0xff]);
    let told = input::of(&message, LambdaInput::Message, MOST).unwrap_err();
    assert!(told.contains("UTF-8"), "{told}");
    message.body = Body::of_file(tempfile::tempfile().unwrap(), 1 << 30);
    let told = input::of(&message, LambdaInput::Message, MOST).unwrap_err();
    assert!(told.contains("1073741824 bytes"), "{told}");
}

#[test]
fn a_function_may_tell_that_it_could_not_handle_its_record() {
    let settings = |input| config::Lambda {
        function: "f".to_owned(),
        aws: config::Aws::default(),
        asynchronous: false,
        input,
        rejects_on_error: false,
        timeout: std::time::Duration::from_secs(1),
    };
    let failed = r#"{"batchItemFailures":[{"itemIdentifier":"id-1"}]}"#;
    for (input, output, done) in [
        (LambdaInput::Sqs, failed, false),
        // What it could not handle is this one, whatever it calls it.
        (LambdaInput::Sqs, r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, false),
        (LambdaInput::Sqs, r#"{"batchItemFailures":[{"id":"id-1"}]}"#, false),
        (LambdaInput::Sqs, r#"{"batchItemFailures":"id-1"}"#, false),
        (LambdaInput::Sqs, r#"{"batchItemFailures":[]}"#, true),
        (LambdaInput::Sqs, r#"{"batchItemFailures":null}"#, true),
        (LambdaInput::Sqs, "null", true),
        (LambdaInput::Sqs, "no JSON", true),
        (LambdaInput::Message, failed, true),
    ] {
        let outcome = judge_output(&settings(input), output);
        assert_eq!(outcome == Outcome::Done, done, "{input:?} {output}: {outcome:?}");
    }
}
