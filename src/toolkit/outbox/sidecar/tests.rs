use super::*;

fn full() -> Outgoing {
    let mut message = Outgoing::text("body");
    let attributes = [
        ("text", Attribute::String("é \"quoted\"".to_owned())),
        ("number", Attribute::Number("1.50".to_owned())),
        ("list", Attribute::String("[1]".to_owned())),
        ("bytes", Attribute::Binary(vec![0, 255].into())),
    ];
    message.attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into();
    message.labels.insert("list".to_owned(), "String.Array".to_owned());
    message.group = Some("g".to_owned());
    message.deduplication_id = Some("d".to_owned());
    message.delay = Some(Duration::from_mins(15));
    message.subject = Some("s".to_owned());
    message.trace_header = Some("Root=1-2-3".to_owned());
    message.is_per_protocol = true;
    message
}

#[test]
fn every_part_of_a_message_comes_back() {
    for message in [full(), Outgoing::text("body")] {
        let text = Sidecar::of(&message).write().unwrap();
        let read = Sidecar::read(&text).unwrap();
        assert!(read.message("body".to_owned()).unwrap() == message);
    }
    assert!(Sidecar::of(&Outgoing::text("body")).is_empty());
}

#[test]
fn what_is_malformed_is_told() {
    for (text, told) in [
        ("", "EOF"),
        ("[]", "no JSON object"),
        ("{\"grup\": \"g\"}", "unknown field `grup`"),
        ("{\"delay\": \"soon\"}", "a value does not fit, expected"),
        ("{\"attributes\": {\"a\": true}}", "a text, a number"),
        ("{\"attributes\": {\"a\": {\"type\": \"String\", \"valu\": \"\"}}}", "a text, a number"),
    ] {
        let wrong = Sidecar::read(text.as_bytes()).err().unwrap();
        assert!(wrong.contains(told), "{text}: {wrong}");
        assert!(!wrong.contains("soon"), "{wrong}");
    }
    for (text, told) in [
        ("{\"delay\": 901}", "above 900"),
        ("{\"attributes\": {\"a\": {\"type\": \"Binary\", \"value\": \"?\"}}}", "no base64"),
        ("{\"attributes\": {\"a\": {\"type\": \"Bool\", \"value\": \"1\"}}}", "no type"),
    ] {
        let wrong = Sidecar::read(text.as_bytes()).ok().unwrap().message(String::new());
        assert!(wrong.unwrap_err().contains(told), "{text}");
    }
}

#[test]
fn a_sidecar_is_known_by_its_name() {
    let name = name_for(OsStr::new("a b.json"));
    assert_eq!(name, ".a b.json.meta.json");
    assert_eq!(file_of(&name), Some(OsStr::new("a b.json")));
    for other in ["a.meta.json", "..meta.jso", ".meta.json", ".a.json"] {
        assert_eq!(file_of(OsStr::new(other)), None, "{other}");
    }
}

#[test]
fn one_key_after_another_is_laid_over() {
    let mut below = Sidecar::default();
    for (key, value) in [("group", "low"), ("event", "E"), ("attribute.a", "1")] {
        below.set(key, value.to_owned()).unwrap();
    }
    let above = Sidecar::read(br#"{"group": "high", "attributes": {"b": 2}}"#).ok().unwrap();
    let both = above.over(below);
    assert_eq!((both.group.as_deref(), both.event.as_deref()), (Some("high"), Some("E")));
    assert_eq!(both.attributes.len(), 2);
    assert!(Sidecar::default().set("delay", "1s".to_owned()).is_err());
    assert!(Sidecar::default().set("gruop", String::new()).is_err());
}
