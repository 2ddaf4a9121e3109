//! The headers of `aws-sqsd`, by the names that applications look for.
//!
//! | header | value |
//! |---|---|
//! | `X-Aws-Sqsd-Msgid` | SQS's message id |
//! | `X-Aws-Sqsd-Queue` | the queue's name |
//! | `X-Aws-Sqsd-Path` | the path of the URL |
//! | `X-Aws-Sqsd-Receive-Count` | how often SQS has handed it out, this time included |
//! | `X-Aws-Sqsd-First-Received-At`, `X-Aws-Sqsd-Sent-At` | ISO 8601 in UTC, whole seconds |
//! | `X-Aws-Sqsd-Sender-Id` | who sent it |
//! | `X-Amzn-Trace-Id`, `traceparent` | the trace it belongs to, where it has one |
//! | `X-Aws-Sqsd-Attr-<name>` | each attribute of type String or Number, custom labels included |
//! | `X-Longshore-Omitted` | names of what was left out, with commas between |
//!
//! A value goes out only where a header carries it unchanged: printable ASCII without spaces at
//! its ends. So no value can end its header and begin another. Binary attributes, a second
//! attribute whose name differs in case only, and what is beyond [`TOTAL_MAX`] are left out too.
//! Attributes named `beanstalk.sqsd.…` are that daemon's own and never forwarded.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::handlers::list_of;
use crate::message::Message;

/// The most that names and values take together: common servers refuse a head over 8 KiB.
const TOTAL_MAX: usize = 6 << 10;
/// What of it is kept free for the list of what was left out.
const LIST_MAX: usize = 1 << 10;

pub(super) fn of(message: &Message, url: &Url, content_type: &HeaderValue) -> HeaderMap {
    let mut headers =
        Headers { map: HeaderMap::new(), room: TOTAL_MAX - LIST_MAX, omitted: Vec::new() };
    let count = message.receive_count().to_string();
    let first = message.first_received_at().and_then(whole_seconds);
    let sent = message.sent_at().and_then(whole_seconds);
    let facts = [
        ("msgid", Some(message.id.as_str())),
        ("queue", Some(message.queue.as_str())),
        ("path", Some(url.path())),
        ("receive-count", Some(count.as_str())),
        ("first-received-at", first.as_deref()),
        ("sent-at", sent.as_deref()),
        ("sender-id", message.system_attributes.get("SenderId").map(String::as_str)),
    ];
    for (name, text) in facts {
        if let Some(text) = text {
            headers.add(&format!("x-aws-sqsd-{name}"), Some(text), name);
        }
    }
    let traces =
        [("x-amzn-trace-id", message.trace_header()), ("traceparent", message.traceparent())];
    for (name, text) in traces {
        if text.is_some() {
            headers.add(name, text, name);
        }
    }
    for (name, attribute) in &message.attributes {
        if !name.starts_with("beanstalk.sqsd.") {
            headers.add(&format!("x-aws-sqsd-attr-{name}"), attribute.as_text(), name);
        }
    }
    headers.finish(content_type)
}

/// The text as a header, where a header carries it unchanged.
pub(super) fn value(text: &str) -> Option<HeaderValue> {
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let value = HeaderValue::from_str(text).ok()?;
    (is_printable && text.trim() == text).then_some(value)
}

struct Headers {
    map: HeaderMap,
    room: usize,
    omitted: Vec<String>,
}

impl Headers {
    /// Adds it, or notes under which name it was left out.
    fn add(&mut self, name: &str, text: Option<&str>, known_as: &str) {
        if self.try_add(name, text).is_none() {
            self.omitted.push(known_as.to_owned());
        }
    }

    fn try_add(&mut self, name: &str, text: Option<&str>) -> Option<()> {
        let text = text?;
        let name = HeaderName::try_from(name).ok()?;
        let value = value(text)?;
        // Colon, space and the end of the line.
        let room = self.room.checked_sub(name.as_str().len() + text.len() + 4)?;
        if self.map.contains_key(&name) {
            return None;
        }
        self.room = room;
        self.map.insert(name, value);
        Some(())
    }

    fn finish(mut self, content_type: &HeaderValue) -> HeaderMap {
        self.map.insert(CONTENT_TYPE, content_type.clone());
        if let Ok(list) = HeaderValue::try_from(list_of(&self.omitted, LIST_MAX))
            && !self.omitted.is_empty()
        {
            self.map.insert(HeaderName::from_static("x-longshore-omitted"), list);
        }
        self.map
    }
}

/// As aws-sqsd writes it: ISO 8601 in UTC, to the second.
fn whole_seconds(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    DateTime::from_secs(i64::try_from(seconds).ok()?).fmt(Format::DateTime).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::samples;
    use crate::message::Attribute;

    fn of_sample(attributes: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut message = samples::message("");
        for (name, text) in attributes {
            let text = Attribute::String((*text).to_owned());
            message.attributes.insert((*name).to_owned(), text);
        }
        let url = Url::parse("http://localhost/orders/new?key=secret").unwrap();
        let json = HeaderValue::from_static("application/json");
        let mut headers: Vec<_> = of(&message, &url, &json)
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        headers
    }

    fn get<'a>(headers: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
        headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_headers_of_sqsd() {
        let wanted = [
            ("content-type", "application/json"),
            ("x-aws-sqsd-attr-size.cm", "12.5"),
            ("x-aws-sqsd-attr-tint", "red"),
            ("x-aws-sqsd-first-received-at", "2012-06-14T09:30:05Z"),
            ("x-aws-sqsd-msgid", "5fea7756-0ea4-451a-a703-a558b933e274"),
            ("x-aws-sqsd-path", "/orders/new"),
            ("x-aws-sqsd-queue", "orders"),
            ("x-aws-sqsd-receive-count", "3"),
            ("x-aws-sqsd-sender-id", "AIDAEXAMPLE"),
            ("x-aws-sqsd-sent-at", "2012-06-14T09:30:00Z"),
            ("x-longshore-omitted", "raw"),
        ];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(of_sample(&[("beanstalk.sqsd.path", "/x")]), wanted);
    }

    #[test]
    fn a_trace_goes_on_under_the_names_that_libraries_read() {
        let url = Url::parse("http://localhost/").unwrap();
        let headers = of(&samples::traced(), &url, &HeaderValue::from_static("text/plain"));
        assert_eq!(headers["x-amzn-trace-id"], samples::TRACE_HEADER);
        assert_eq!(headers["traceparent"], samples::TRACEPARENT);
    }

    #[test]
    fn no_value_can_forge_a_header() {
        let headers = of_sample(&[
            ("a", "1\r\nX-Admin: yes"),
            ("b", "1\nX-Admin: yes"),
            ("c", "nul\0"),
            ("d", "bell\x07"),
            ("e", "caf\u{e9}"),
            ("f", " padded "),
            ("g", "tab\there"),
            ("h\r\nX-Admin", "yes"),
            ("i: x", "yes"),
            ("j", ""),
            ("k", "a, b; \"c\" = ~"),
        ]);
        assert_eq!(get(&headers, "x-longshore-omitted"), Some("a,b,c,d,e,f,g,h__X-Admin,i__x,raw"));
        assert_eq!(get(&headers, "x-aws-sqsd-attr-j"), Some(""));
        assert_eq!(get(&headers, "x-aws-sqsd-attr-k"), Some("a, b; \"c\" = ~"));
        assert!(!headers.iter().any(|(name, value)| (name.clone() + value).contains("admin: yes")));
    }

    #[test]
    fn names_that_differ_in_case_only_and_what_is_too_much_are_left_out() {
        let large = "x".repeat(4 << 10);
        let headers = of_sample(&[("Tint", "blue"), ("a", &large), ("b", &large), ("c", "small")]);
        assert_eq!(get(&headers, "x-aws-sqsd-attr-tint"), Some("blue"));
        assert_eq!(get(&headers, "x-aws-sqsd-attr-c"), Some("small"));
        assert_eq!(get(&headers, "x-longshore-omitted"), Some("b,raw,tint"));

        let many: Vec<String> = (0..500).map(|n| format!("attribute-{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "value")).collect();
        let total: usize =
            of_sample(&many).iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        assert!(total <= TOTAL_MAX + 100, "{total}");
    }
}
