//! iniesta's cases, by their ids.

use super::*;
use serde_json::json;

fn settings() -> config::Events {
    config::Events { service: Some("xavi".to_owned()), ..config::Events::default() }
}

fn event(announcement: &Announcement) -> Attribute {
    announcement.outgoing(&settings()).unwrap().attributes["iniesta_pass"].clone()
}

#[test]
fn i2_the_event_is_named_after_its_service_unless_it_is_raw() {
    let text = |text: &str| Attribute::String(text.to_owned());
    assert_eq!(event(&Announcement::new("do something")), text("do something.xavi"));
    assert_eq!(event(&Announcement::new("E.xavi")), text("E.xavi"));
    assert_eq!(event(&Announcement::new("do something").raw()), text("do something"));
    let nameless = Announcement::new("E").outgoing(&config::Events::default()).unwrap_err();
    assert_eq!(nameless.kind(), Kind::Settings);
    assert!(nameless.to_string().contains("[events]"), "{nameless}");
    let raw = Announcement::new("E").raw().outgoing(&config::Events::default());
    assert!(raw.is_ok());
    assert_eq!(Announcement::new("").outgoing(&settings()).unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn i4_a_value_becomes_compact_json_and_a_text_stays() {
    let body = |announcement: Announcement| announcement.outgoing(&settings()).unwrap().body;
    let value = json!({ "command": "pass to messi!" });
    assert_eq!(body(Announcement::new("E").json(&value)), r#"{"command":"pass to messi!"}"#);
    assert_eq!(
        body(Announcement::new("E").json(&json!({ "path": "a/é" }))),
        r#"{"path":"a\/\u00e9"}"#
    );
    assert_eq!(body(Announcement::new("E").text("a/é {")), "a/é {");
    let keys = std::collections::HashMap::from([(vec![1], 1)]);
    let error = Announcement::new("E").json(&keys).outgoing(&settings()).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
}

#[test]
fn i4_a_structure_is_string_or_json() {
    assert_eq!("json".parse::<MessageStructure>().unwrap(), MessageStructure::Json);
    assert_eq!("string".parse::<MessageStructure>().unwrap(), MessageStructure::String);
    assert!("xml".parse::<MessageStructure>().is_err());
    let announced = Announcement::new("E").structure(MessageStructure::Json);
    assert!(announced.outgoing(&settings()).unwrap().is_per_protocol);
}

#[tokio::test]
async fn i4_what_is_too_long_for_sns_is_refused_before_it_is_sent() {
    let aws = crate::aws::Aws::new();
    let sealed = config::Aws {
        endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        sealed: true,
        ..config::Aws::default()
    };
    let sns = aws.connect(&sealed).await.unwrap().sns;
    let publisher = crate::toolkit::sns::Publisher::new(sns, "arn:aws:sns:r:1:t");
    let announced = Announcement::new("E").text("x".repeat(262_145));
    let message = announced.outgoing(&settings()).unwrap();
    let error = publisher.publish(&message).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("SNS takes at most 262144"), "{error}");
}

#[test]
fn the_event_and_the_version_come_last_and_over_the_attributes() {
    let message = Announcement::new("E")
        .version(2)
        .attribute("iniesta_pass", vec!["other"])
        .attribute("version", "text")
        .attribute("own", 7)
        .outgoing(&settings())
        .unwrap();
    assert_eq!(message.attributes["iniesta_pass"], Attribute::String("E.xavi".to_owned()));
    assert_eq!(message.attributes["version"], Attribute::Number("2".to_owned()));
    assert_eq!(message.attributes["own"], Attribute::Number("7".to_owned()));
    assert!(message.labels.is_empty());
    let odd = Announcement::new("E").attribute("no name", 1).outgoing(&settings()).unwrap_err();
    assert!(odd.to_string().contains("no name"), "{odd}");
}

#[test]
fn the_whole_message_is_shown_and_measured_as_iniesta_does() {
    let happened = Announcement::new("EventHappened").json(&json!({ "id": 1 }));
    let whole = full_payload(&happened.outgoing(&settings()).unwrap());
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&whole).unwrap(),
        json!({
            "Message": "{\"id\":1}",
            "MessageStructure": "string",
            "MessageAttributes": {
                "iniesta_pass": { "DataType": "String", "StringValue": "EventHappened.xavi" },
                "version": { "DataType": "Number", "StringValue": "1" }
            }
        })
    );
    let hello = Announcement::new("hello.iniesta").raw().outgoing(&settings()).unwrap();
    assert_eq!(full_payload(&hello).len(), 183);
}
