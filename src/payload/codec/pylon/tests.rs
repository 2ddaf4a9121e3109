//! pylon's own cases, by their ids.

use bytes::Bytes;

use super::*;
use crate::message::Body;

fn sample() -> Pylon {
    Pylon {
        artifact_name: Some("test_artifact".to_owned()),
        artifact_version: Some("0.0.0".to_owned()),
        ..Pylon::raw("hello")
    }
}

fn large() -> Pylon {
    let key = Some("s3://pylon-special/test.txt".to_owned());
    Pylon { payload_store_key: key, ..Pylon::raw("really big string") }
}

fn received(outgoing: &Outgoing) -> Message {
    Message {
        id: "id".to_owned(),
        queue: "orders".to_owned(),
        body: Body::from(outgoing.body.as_str()),
        attributes: outgoing.attributes.clone(),
        labels: outgoing.labels.clone(),
        system_attributes: BTreeMap::new(),
        event: None,
    }
}

fn with(attributes: &[(&str, &str)]) -> Message {
    let mut message = received(&Outgoing::text("hello"));
    for (name, value) in attributes {
        message.attributes.insert((*name).to_owned(), Attribute::String((*value).to_owned()));
    }
    message
}

#[test]
fn p1_an_inline_message_has_exactly_five_attributes_and_reads_back_equal() {
    let outgoing = sample().encode().unwrap();
    assert_eq!(outgoing.body, "hello");
    let text = |text: &str| Attribute::String(text.to_owned());
    let wanted = [
        ("artifactName", text("test_artifact")),
        ("artifactVersion", text("0.0.0")),
        ("ingestionId", text("None")),
        ("objectType", text("rawContent")),
        ("payloadMimeType", text("text")),
    ];
    let wanted: BTreeMap<_, _> = wanted.map(|(name, value)| (name.to_owned(), value)).into();
    assert_eq!(outgoing.attributes, wanted);
    assert!(outgoing.labels.is_empty());
    assert_eq!(Pylon::decode(&received(&outgoing)).unwrap(), sample());
}

#[test]
fn p2_a_stored_message_has_six() {
    let outgoing = large().encode().unwrap();
    assert_eq!(outgoing.attributes.len(), 6);
    let key = Attribute::String("s3://pylon-special/test.txt".to_owned());
    assert_eq!(outgoing.attributes["payloadStoreKey"], key);
    assert_eq!(Pylon::decode(&received(&outgoing)).unwrap(), large());
}

#[test]
fn p3_sizes_are_counted_as_pylon_counts() {
    let named = |message: Pylon| Pylon {
        artifact_name: sample().artifact_name,
        artifact_version: sample().artifact_version,
        ..message
    };
    assert_eq!(Pylon::raw("hello").size(), 135);
    assert_eq!(large().size(), 170);
    assert_eq!(sample().size(), 145);
    assert_eq!(named(large()).size(), 180);
    assert_eq!([named(large()), named(large())].iter().map(Pylon::size).sum::<usize>(), 360);
    assert_eq!(Pylon::raw("h\u{e9}llo").size(), 135, "characters, not bytes");
    let custom = |attributes: &[(&str, &str)]| {
        let own = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Pylon { custom_attributes: own.collect(), ..Pylon::raw("hello") }.size()
    };
    assert_eq!(custom(&[("a", "b")]), 135 + "'a': 'b'".len());
    assert_eq!(custom(&[("a", "b"), ("c", "")]), 135 + "'a': 'b', 'c': ''".len());
}

#[test]
fn p4_its_display_shows_ten_characters() {
    assert_eq!(Pylon::raw("hello").to_string(), "<BaseMessage body=\"hello\">");
    assert_eq!(large().to_string(), "<BaseMessage body=\"really big...\">");
    assert_eq!(Pylon::raw("0123456789").to_string(), "<BaseMessage body=\"0123456789\">");
    assert_eq!(format!("{:?}", Pylon::raw("sesame")), "Pylon { size: 136, .. }");
}

#[test]
fn an_empty_and_an_absent_body_are_filled_and_read_as_absent() {
    for body in [None, Some(String::new())] {
        let outgoing = Pylon { body, ..sample() }.encode().unwrap();
        assert_eq!(outgoing.body, FILLER);
        assert_eq!(Pylon::decode(&received(&outgoing)).unwrap().body, None);
    }
}

#[test]
fn what_pylon_would_overwrite_or_sqs_refuse_is_refused_here() {
    let custom = |name: &str, value: &str| Pylon {
        custom_attributes: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        ..sample()
    };
    for name in ["objectType", "payloadStoreKey", "PAYLOADTYPE", "payloads3path"] {
        let refused = custom(name, "x").encode().unwrap_err();
        assert!(refused.to_string().contains(name), "{refused}");
    }
    assert!(custom("colour", "").encode().is_err());
    assert!(Pylon { artifact_name: Some(String::new()), ..sample() }.encode().is_err());
    let count = |count: usize| Pylon {
        custom_attributes: (0..count).map(|n| (format!("n{n}"), "1".to_owned())).collect(),
        ..sample()
    };
    let message = count(5);
    assert_eq!(Pylon::decode(&received(&message.encode().unwrap())).unwrap(), message);
    assert!(count(6).encode().is_err());
}

#[test]
fn a_missing_attribute_is_named_and_a_foreign_message_is_told_apart() {
    let mut message = received(&sample().encode().unwrap());
    message.attributes.remove("ingestionId");
    let refused = Pylon::decode(&message).unwrap_err().to_string();
    assert!(refused.contains("ingestionId"), "{refused}");
    assert!(Pylon::decode(&with(&[("colour", "red")])).is_err());
    assert!(Head::read(&with(&[("colour", "red")]).attributes).unwrap().is_none());
    message.attributes.insert("ingestionId".into(), Attribute::Binary(Bytes::from_static(b"x")));
    assert!(Pylon::decode(&message).unwrap_err().to_string().contains("binary"));
}

#[test]
fn a_binary_attribute_is_no_end_of_the_world() {
    let mut message = received(&sample().encode().unwrap());
    let raw = Attribute::Binary(Bytes::from_static(b"\x00\xff"));
    message.attributes.insert("raw".to_owned(), raw);
    assert_eq!(Pylon::decode(&message).unwrap().custom_attributes["raw"], "AP8=");
}

#[test]
fn older_messages_are_read_in_any_case() {
    fn key(attributes: &[(&str, &str)]) -> std::result::Result<Option<Head>, String> {
        Head::read(&with(attributes).attributes)
    }
    fn store(attributes: &[(&str, &str)]) -> Option<String> {
        key(attributes).unwrap().unwrap().0.payload_store_key
    }
    assert_eq!(store(&[("payloadType", "INLINE"), ("objectType", "rawContent")]), None);
    assert_eq!(store(&[("payloadType", "inline"), ("payloadS3Path", "None")]), None);
    for (kind, path) in [("payloadType", "payloadS3Path"), ("PAYLOADTYPE", "payloads3path")] {
        for value in ["S3", "s3"] {
            assert_eq!(store(&[(kind, value), (path, "s3://b/k")]).as_deref(), Some("s3://b/k"));
        }
    }
    assert_eq!(store(&[("payloadS3Path", "s3://b/k")]).as_deref(), Some("s3://b/k"));
    assert!(key(&[("payloadType", "s3")]).unwrap_err().contains("payloadS3Path"));
    assert!(key(&[("payloadType", "elsewhere")]).is_err());
    assert!(
        Pylon::decode(&with(&[("payloadtype", "S3"), ("payloadS3Path", "s3://b/k")]))
            .unwrap()
            .custom_attributes
            .is_empty()
    );
}

#[test]
fn a_line_of_a_folder_is_the_one_that_pylon_writes() {
    let message = Pylon::raw("very cool message");
    let line = "{\"artifactName\": null, \"artifactVersion\": null, \"body\": \"very cool message\", \
                \"customAttributes\": {}, \"ingestionId\": null, \"objectType\": \"rawContent\", \
                \"payloadMimeType\": \"text\", \"payloadStoreKey\": null}";
    assert_eq!(message.to_line().unwrap(), line);
    assert_eq!(Pylon::of_line(line).unwrap(), message);
    assert_eq!(Pylon::of_line("{\"unknown\": 1}").unwrap(), Pylon::default());
    let refused = Pylon::of_line("{\"body\": sesame}").unwrap_err().to_string();
    assert!(refused.contains("line 1") && !refused.contains("sesame"), "{refused}");
}
