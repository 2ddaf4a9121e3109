//! Why SNS would refuse a message, known before it is asked.
//!
//! Source: the SNS API reference (Publish) and "raw message delivery" in its developer guide.

use crate::message::{Outgoing, is_allowed};

/// The most attributes of a message that reaches a queue by raw delivery; SNS drops one with more
/// as the sender's error.
pub(super) const MOST_ATTRIBUTES_RAW: usize = 10;

/// What a topic takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) attributes: usize,
    pub(super) fifo: bool,
}

pub(super) fn check(message: &Outgoing, limits: &Limits) -> Result<(), String> {
    if message.body.is_empty() {
        return Err("SNS takes no empty message".to_owned());
    }
    let size = message.size();
    if size > limits.bytes {
        let most = limits.bytes;
        return Err(format!("it has {size} bytes with its attributes, SNS takes at most {most}"));
    }
    let count = message.attributes.len();
    if count > limits.attributes {
        return Err(format!(
            "it has {count} attributes; SNS drops it for subscriptions with raw delivery, which \
             take {MOST_ATTRIBUTES_RAW}"
        ));
    }
    if let Some(c) = message.body.chars().find(|c| !is_allowed(*c)) {
        let point = u32::from(c);
        return Err(format!("it holds the character U+{point:04X}, which no queue takes"));
    }
    message.check_attributes()?;
    if message.is_per_protocol {
        per_protocol(&message.body)?;
    }
    if limits.fifo && message.group.is_none() {
        return Err("a FIFO topic takes no message without a group".to_owned());
    }
    if !limits.fifo && message.deduplication_id.is_some() {
        return Err("a deduplication id is for FIFO topics, and this is none".to_owned());
    }
    message.subject.as_deref().map_or(Ok(()), subject)
}

/// A text of fewer than 100 characters without line breaks and control characters. SNS has taken
/// other than ASCII since 2023.
fn subject(subject: &str) -> Result<(), String> {
    if subject.is_empty() || subject.chars().count() >= 100 {
        return Err("its subject has not 1 to 99 characters".to_owned());
    }
    if subject.contains(char::is_control) {
        return Err("its subject has a line break or control character".to_owned());
    }
    Ok(())
}

fn per_protocol(body: &str) -> Result<(), String> {
    let texts = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(body).ok();
    if texts.is_some_and(|texts| texts.get("default").is_some_and(serde_json::Value::is_string)) {
        return Ok(());
    }
    Err("a message per protocol is a JSON object with a text named default".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Attribute;

    const STANDARD: Limits = Limits { bytes: 262_144, attributes: 10, fifo: false };

    #[test]
    fn attributes_count_toward_the_size() {
        let mut message = Outgoing::text("x".repeat(262_144 - 8));
        assert_eq!(check(&message, &STANDARD), Ok(()));
        message.attributes.insert("a".to_owned(), Attribute::String("b".to_owned()));
        assert_eq!(check(&message, &STANDARD), Ok(()));
        message.attributes.insert("a".to_owned(), Attribute::String("bc".to_owned()));
        let told = check(&message, &STANDARD).unwrap_err();
        assert!(told.contains("262145 bytes"), "{told}");
    }

    #[test]
    fn more_than_ten_attributes_are_for_envelopes_only() {
        let mut message = Outgoing::text("x");
        for number in 0..11 {
            message.attributes.insert(format!("a{number}"), Attribute::Number("1".to_owned()));
        }
        assert!(check(&message, &STANDARD).unwrap_err().contains("11 attributes"));
        assert_eq!(check(&message, &Limits { attributes: usize::MAX, ..STANDARD }), Ok(()));
    }

    #[test]
    fn a_subject_is_one_short_line() {
        let with =
            |subject: &str| Outgoing { subject: Some(subject.to_owned()), ..Outgoing::text("x") };
        for sound in ["a", "Grüße & more", &"é".repeat(99)] {
            assert_eq!(check(&with(sound), &STANDARD), Ok(()), "{sound}");
        }
        for wrong in ["", "a\nb", "a\u{7f}", &"x".repeat(100)] {
            assert!(check(&with(wrong), &STANDARD).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_message_per_protocol_has_a_default_text() {
        let with = |body: &str| Outgoing { is_per_protocol: true, ..Outgoing::text(body) };
        assert_eq!(check(&with(r#"{"default":"a","sqs":"b"}"#), &STANDARD), Ok(()));
        for wrong in ["text", "[]", r#"{"sqs":"b"}"#, r#"{"default":1}"#] {
            assert!(check(&with(wrong), &STANDARD).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_fifo_topic_wants_a_group_and_a_standard_one_no_deduplication() {
        let fifo = Limits { fifo: true, ..STANDARD };
        let mut message = Outgoing::text("x");
        assert!(check(&message, &fifo).unwrap_err().contains("group"));
        message.group = Some("g".to_owned());
        assert_eq!(check(&message, &fifo), Ok(()));
        assert_eq!(check(&message, &STANDARD), Ok(()));
        message.deduplication_id = Some("d".to_owned());
        assert!(check(&message, &STANDARD).unwrap_err().contains("deduplication"));
    }

    #[test]
    fn nothing_is_published_that_no_queue_takes() {
        assert!(check(&Outgoing::text(""), &STANDARD).is_err());
        assert!(check(&Outgoing::text("a\u{0}"), &STANDARD).unwrap_err().contains("U+0000"));
    }
}
