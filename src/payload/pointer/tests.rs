//! Pointers in all their forms, and what only looks like one. Fetching is shown in `tests/it`.

use std::collections::BTreeMap;

use super::*;

fn message(body: &str, marker: &str, size: Attribute) -> Message {
    Message {
        id: "id".to_owned(),
        queue: "orders".to_owned(),
        body: body.into(),
        attributes: BTreeMap::from([
            (marker.to_owned(), size),
            ("colour".to_owned(), Attribute::String("red".to_owned())),
        ]),
        labels: BTreeMap::new(),
        system_attributes: BTreeMap::new(),
        event: None,
    }
}

fn number(text: &str) -> Attribute {
    Attribute::Number(text.to_owned())
}

#[test]
fn con_5_all_four_forms_are_read_and_the_marker_is_taken_off() {
    for class in CLASSES {
        for marker in MARKERS {
            let bodies = [
                format!(r#"["{class}",{{"s3BucketName":"b","s3Key":"k/1"}}]"#),
                format!(r#"["{class}", {{"s3BucketName": "b", "s3Key": "k/1"}}]"#),
                format!(
                    "[ \"{class}\",\n {{\"s3Key\" : \"k/1\", \"s3BucketName\":\"b\", \"x\":[1]}} ]"
                ),
                format!(r#"[{{"s3BucketName":"b","s3Key":"k/1"}},"{class}"]"#),
            ];
            for body in bodies {
                let mut message = message(&body, marker, number("300000"));
                message.labels.insert(marker.to_owned(), "Number.int".to_owned());
                let (object, size) = read(&mut message).unwrap();
                assert_eq!((object.to_string().as_str(), size), ("s3://b/k/1", 300_000));
                assert_eq!(message.attributes.keys().collect::<Vec<_>>(), ["colour"]);
                assert!(message.labels.is_empty());
            }
        }
    }
}

#[test]
fn without_a_marker_nothing_is_a_pointer() {
    let object = Path::new("b", "k");
    let mut plain = message(&text_of(&object), "other", number("1"));
    let before = plain.clone();
    assert!(matches!(read(&mut plain), Err(Stop::Foreign(_))));
    assert_eq!(plain, before);
}

#[test]
fn a_marker_without_a_sound_pointer_is_broken() {
    let right = text_of(&Path::new("b", "k"));
    let [class, _] = CLASSES;
    let bodies = [
        "hello".to_owned(),
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        format!("[\"{class}\"]"),
        format!("[\"{class}\",{{}},1]"),
        format!("[\"{class}\",\"x\"]"),
        right.replace("PayloadS3Pointer", "PayloadS4Pointer"),
        right.replace("\"b\"", "\"\""),
        right.replace("\"k\"", "7"),
        right.replace("s3Key", "S3Key"),
        format!("{right} x"),
    ];
    for body in bodies {
        let mut message = message(&body, "ExtendedPayloadSize", number("1"));
        assert!(matches!(read(&mut message), Err(Stop::Broken(_))), "{body}");
    }
    for size in [number("many"), number("-1"), number("1.5"), Attribute::String("1".to_owned())] {
        let mut message = message(&right, "ExtendedPayloadSize", size);
        assert!(matches!(read(&mut message), Err(Stop::Broken(_))));
    }
}

#[test]
fn what_is_written_is_read() {
    let object = Path::new("b\"", "k\u{e9}/\\");
    let mut message = message(&text_of(&object), "ExtendedPayloadSize", number("1"));
    assert_eq!(read(&mut message).unwrap().0, object);
    let text = text_of(&Path::new("b", "k"));
    assert_eq!(
        text,
        r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#
    );
}

#[test]
fn prefixes_are_those_that_the_libraries_take() {
    for prefix in ["", "a", "a/b/", "A-Z_0.9/", &"x".repeat(988)] {
        assert!(check_prefix(prefix).is_ok(), "{prefix}");
    }
    for prefix in [".a", "/a", "a..b", "a b", "\u{e9}", "a*", &"x".repeat(989)] {
        assert!(check_prefix(prefix).is_err(), "{prefix}");
    }
}

#[test]
fn places_in_s3_have_a_bucket_and_a_key() {
    for path in ["s3://b", "s3://b/"] {
        assert!(!is_named(&path.parse().unwrap()), "{path}");
    }
    assert!(is_named(&Path::new("b", "k/x.txt")));
    assert!(!is_named(&Path::new("", "k")));
}
