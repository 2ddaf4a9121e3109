//! What is an envelope, and what only looks like one.

use serde_json::json;

use super::*;

fn of(value: &Value) -> Body {
    Body::from(value.to_string())
}

fn is_foreign<T>(result: &Result<T, Stop>) -> bool {
    matches!(result, Err(Stop::Foreign(_)))
}

/// As SNS writes it, signature and all.
fn notification() -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
        "Subject": "My First Message",
        "Message": "Hello world!",
        "Timestamp": "2012-05-02T00:54:06.655Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLEw6JRN...",
        "SigningCertURL": "https://sns.us-west-2.amazonaws.com/x.pem",
        "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
        "MessageAttributes": {
            "iniesta_pass": {"Type": "String", "Value": "Placed.shop"},
            "size": {"Type": "Number", "Value": "3"},
            "tags": {"Type": "String.Array", "Value": "[\"a\",1]"},
            "raw": {"Type": "Binary", "Value": "AAH/"},
        },
    })
}

#[test]
fn the_event_is_found_inside_an_envelope() {
    let body = notification().to_string();
    assert_eq!(event(&body, "iniesta_pass").as_deref(), Some("Placed.shop"));
    assert_eq!(event(&body, "other"), None);
    let foreign = body.replace("Notification", "Something");
    assert_eq!(event(&foreign, "iniesta_pass"), None);
    assert_eq!(event("not json \"MessageAttributes\"", "iniesta_pass"), None);
}

#[test]
fn what_was_published_comes_out_whole_with_its_attributes() {
    let published = sns(&of(&notification())).unwrap();
    assert_eq!(published.body.as_text(), Some("Hello world!"));
    let wanted = BTreeMap::from([
        ("iniesta_pass".to_owned(), Attribute::String("Placed.shop".to_owned())),
        ("raw".to_owned(), Attribute::Binary(Bytes::from_static(&[0, 1, 255]))),
        ("size".to_owned(), Attribute::Number("3".to_owned())),
        ("tags".to_owned(), Attribute::String("[\"a\",1]".to_owned())),
    ]);
    assert_eq!(published.attributes, wanted);
    assert_eq!(published.labels, BTreeMap::from([("tags".to_owned(), "String.Array".to_owned())]));
    let bare = json!({"Type": "Notification", "Message": ""});
    assert_eq!(sns(&of(&bare)).unwrap().body.as_text(), Some(""));
}

#[test]
fn what_is_no_envelope_is_foreign() {
    let changed = |key: &str, value: Value| {
        let mut envelope = notification();
        envelope[key] = value;
        of(&envelope)
    };
    let others = [
        Body::from("Hello world!"),
        Body::from(""),
        Body::from("[1]"),
        Body::from("{\"Message\": \"x\"}"),
        Body::of_bytes(vec![0xff]),
        Body::of_file(tempfile::tempfile().unwrap(), 0),
        changed("Type", json!("SubscriptionConfirmation")),
        changed("Type", json!(1)),
        changed("Message", json!({"default": "x"})),
        changed("Message", Value::Null),
    ];
    for body in others {
        assert!(is_foreign(&sns(&body).map(|_| ())), "{body:?}");
    }
}

#[test]
fn an_envelope_whose_attributes_cannot_be_read_is_broken() {
    let attributes = [
        json!([]),
        json!("x"),
        json!({"a": {"Type": "String"}}),
        json!({"a": {"Value": "x"}}),
        json!({"a": {"Type": "Boolean", "Value": "true"}}),
        json!({"a": {"Type": "Binary", "Value": "not base64"}}),
        json!({"a": {"Type": "Number", "Value": 3}}),
        json!({"a": "x"}),
    ];
    for attributes in attributes {
        let mut envelope = notification();
        envelope["MessageAttributes"] = attributes.clone();
        assert!(matches!(sns(&of(&envelope)), Err(Stop::Broken(_))), "{attributes}");
    }
}

fn record() -> Value {
    json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-west-2",
        "eventTime": "1970-01-01T00:00:00.000Z", "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": "amzn-s3-demo-bucket", "arn": "arn:aws:s3:::amzn-s3-demo-bucket"},
            "object": {"key": "Happy+Face.jpg", "size": 1024, "sequencer": "0055AED6DCD90281E5"},
        },
    })
}

#[test]
fn records_of_s3_are_told_from_others() {
    assert!(s3_event(&of(&json!({"Records": [record(), record()]}))).is_ok());
    let foreign = [
        json!({"Records": []}),
        json!({"Records": {}}),
        json!({}),
        json!([record()]),
        json!({"Records": [{"eventSource": "aws:sqs", "body": "x"}]}),
        json!({"Records": [{"EventSource": "aws:sns"}]}),
        json!({"Event": "s3:TestEvent"}),
    ];
    for event in foreign {
        assert!(is_foreign(&s3_event(&of(&event))), "{event}");
    }
    for missing in ["/eventName", "/s3/bucket/name", "/s3/object/key", "/s3"] {
        let mut damaged = record();
        *damaged.pointer_mut(missing).unwrap() = Value::Null;
        let event = json!({"Records": [record(), damaged]});
        let broken = matches!(s3_event(&of(&event)), Err(Stop::Broken(_)));
        assert!(broken, "{missing}");
    }
    let mixed = json!({"Records": [record(), {"eventSource": "aws:sqs"}]});
    assert!(matches!(s3_event(&of(&mixed)), Err(Stop::Broken(_))));
}

#[test]
fn a_test_event_of_s3_is_no_work() {
    let test = json!({
        "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2014-10-13T15:57:02.089Z",
        "Bucket": "amzn-s3-demo-bucket", "RequestId": "5582815E1AEA5ADF", "HostId": "8cLeGAm",
    });
    assert!(matches!(s3_event(&of(&test)), Err(Stop::NoWork(_))));
}

#[test]
fn events_of_eventbridge_are_told_from_others() {
    let event = json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
        "account": "111122223333", "time": "2017-12-22T18:43:48Z", "region": "us-west-1",
        "resources": [], "detail": {"instance-id": "i-1234567890abcdef0", "state": "terminated"},
    });
    assert!(eventbridge(&of(&event)).is_ok());
    for missing in ["detail-type", "source", "detail"] {
        let mut other = event.clone();
        other.as_object_mut().unwrap().remove(missing);
        assert!(is_foreign(&eventbridge(&of(&other))), "{missing}");
    }
    assert!(is_foreign(&eventbridge(&Body::from("{}x"))));
}
