//! What a Rust handler can ask for: each type here reads one thing of a delivery.
//!
//! All of them read by reference, at once and without I/O. So they come in any order, the body can
//! be asked for twice, and a handler whose message cannot be read is never called.
//!
//! A body that was unpacked and is too large for memory lies in a file. [`message::Body`] and
//! `Arc<Message>` hand it over, to be read piece by piece; [`Json`], [`Body`] and [`Bytes`] reject
//! such a message, since nothing here reads files. With `payload_limit = "16MiB"` none ever comes.
//!
//! [`message::Body`]: crate::message::Body

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{Delivery, Lease};
use crate::message::{self, Attribute, Message};
use crate::outcome::Outcome;

/// What can be an argument of a handler whose state is an `S`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a message handler whose state is `{S}`",
    label = "not an extractor",
    note = "use Json<T>, Body, Bytes, message::Body, Attempt, Event, Attributes, MessageId, \
            Arc<Message>, Lease, or State<S> with the very state of the worker, which has to be Clone"
)]
pub trait FromMessage<S>: Sized {
    /// Reads it from the delivery.
    ///
    /// # Errors
    /// A rejection: this message can never be read so, and the handler is not called.
    fn from_message(delivery: &Delivery, state: &S) -> Result<Self, Rejection>;
}

/// Why a message cannot be read as its handler needs it. It is rejected, never retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    reason: String,
}

impl Rejection {
    /// Says why. The text goes to the log, so it must not quote the message.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl From<Rejection> for Outcome {
    fn from(rejection: Rejection) -> Self {
        Self::reject(rejection.reason)
    }
}

/// The body as a `T` in JSON. A body that is not that JSON is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<S, T: DeserializeOwned> FromMessage<S> for Json<T> {
    fn from_message(delivery: &Delivery, _state: &S) -> Result<Self, Rejection> {
        serde_json::from_slice(in_memory(&delivery.message.body)?)
            .map(Json)
            .map_err(|error| Rejection::new(not_that_json(&error)))
    }
}

fn in_memory(body: &message::Body) -> Result<&[u8], Rejection> {
    body.as_bytes().ok_or_else(|| {
        let bytes = body.len();
        Rejection::new(format!(
            "the body of {bytes} bytes is not held in memory, and the handler asks for it at once"
        ))
    })
}

/// What serde says, without the values that it likes to quote: a body may hold secrets.
fn not_that_json(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    if !error.is_data() {
        return format!("the body is not JSON: {error}");
    }
    let text = error.to_string();
    let what = if text.starts_with("missing field") {
        text.split_once(" at line ").map(|(what, _)| what.to_owned())
    } else {
        text.rsplit_once(", expected ")
            .and_then(|(_quoted, expected)| expected.rsplit_once(" at line "))
            .map(|(expected, _)| format!("expected {expected}"))
    };
    let what = what.unwrap_or_else(|| "a value does not fit".to_owned());
    format!("the body is not the expected JSON: {what} at line {line} column {column}")
}

/// The body as text. One that is not UTF-8 is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(pub String);

impl<S> FromMessage<S> for Body {
    fn from_message(delivery: &Delivery, _state: &S) -> Result<Self, Rejection> {
        in_memory(&delivery.message.body)?;
        let text = delivery.message.body.as_text();
        text.map(|text| Self(text.to_owned())).ok_or_else(|| Rejection::new("the body is not text"))
    }
}

/// The body wherever it lies, shared and not copied; also one that is too large for memory.
impl<S> FromMessage<S> for message::Body {
    fn from_message(delivery: &Delivery, _state: &S) -> Result<Self, Rejection> {
        Ok(delivery.message.body.clone())
    }
}

impl<S> FromMessage<S> for Bytes {
    fn from_message(delivery: &Delivery, _state: &S) -> Result<Self, Rejection> {
        in_memory(&delivery.message.body).map(Self::copy_from_slice)
    }
}

/// How often SQS has handed the message out, this time included: 1 at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt(pub u32);

impl<S> FromMessage<S> for Attempt {
    fn from_message(delivery: &Delivery, _state: &S) -> Result<Self, Rejection> {
        Ok(Self(delivery.message.receive_count()))
    }
}

/// The worker's state: one type for the whole worker, checked by the compiler, cloned per message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State<S>(pub S);

impl<S: Clone> FromMessage<S> for State<S> {
    fn from_message(_delivery: &Delivery, state: &S) -> Result<Self, Rejection> {
        Ok(Self(state.clone()))
    }
}

/// The event that the message announces, where it announces one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event(pub Option<String>);

impl<S> FromMessage<S> for Event {
    fn from_message(delivery: &Delivery, _state: &S) -> Result<Self, Rejection> {
        Ok(Self(delivery.message.event.clone()))
    }
}

/// The message attributes by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes(pub BTreeMap<String, Attribute>);

impl<S> FromMessage<S> for Attributes {
    fn from_message(delivery: &Delivery, _state: &S) -> Result<Self, Rejection> {
        Ok(Self(delivery.message.attributes.clone()))
    }
}

/// SQS's id of the message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(pub String);

impl<S> FromMessage<S> for MessageId {
    fn from_message(delivery: &Delivery, _state: &S) -> Result<Self, Rejection> {
        Ok(Self(delivery.message.id.clone()))
    }
}

/// The whole message, shared and not copied.
impl<S> FromMessage<S> for Arc<Message> {
    fn from_message(delivery: &Delivery, _state: &S) -> Result<Self, Rejection> {
        Ok(Self::clone(&delivery.message))
    }
}

/// To learn the deadline, or to be told that this run has to end.
impl<S> FromMessage<S> for Lease {
    fn from_message(delivery: &Delivery, _state: &S) -> Result<Self, Rejection> {
        Ok(delivery.lease.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use serde::Deserialize;

    use super::*;
    use crate::handler::LeaseKeeper;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Order {
        id: u64,
        email: String,
    }

    fn why(body: &str) -> String {
        not_that_json(&serde_json::from_str::<Order>(body).unwrap_err())
    }

    #[tokio::test]
    async fn a_body_in_a_file_is_handed_over_whole_or_rejected_never_cut_short() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"[1]").unwrap();
        let message = Message {
            id: "id".to_owned(),
            queue: "orders".to_owned(),
            body: message::Body::of_file(file, 3),
            attributes: BTreeMap::new(),
            labels: BTreeMap::new(),
            system_attributes: BTreeMap::new(),
            event: None,
        };
        let lease = LeaseKeeper::new(tokio::time::Instant::now()).lease();
        let delivery = Delivery { message: Arc::new(message), lease };
        let body = <message::Body as FromMessage<()>>::from_message(&delivery, &()).unwrap();
        let mut text = String::new();
        body.reader().read_to_string(&mut text).unwrap();
        assert_eq!(text, "[1]");
        let rejections = [
            <Body as FromMessage<()>>::from_message(&delivery, &()).unwrap_err(),
            <Bytes as FromMessage<()>>::from_message(&delivery, &()).unwrap_err(),
            <Json<Vec<u8>> as FromMessage<()>>::from_message(&delivery, &()).unwrap_err(),
        ];
        for rejection in rejections {
            assert!(rejection.reason.contains("3 bytes"), "{}", rejection.reason);
        }
    }

    #[test]
    fn a_wrong_body_is_named_by_place_and_never_quoted() {
        assert_eq!(why("nonsense"), "the body is not JSON: expected ident at line 1 column 2");
        assert_eq!(
            why(r#"{"id": "sesame, expected 7", "email": ""}"#),
            "the body is not the expected JSON: expected u64 at line 1 column 27"
        );
        assert_eq!(
            why(r#"{"id": 7}"#),
            "the body is not the expected JSON: missing field `email` at line 1 column 9"
        );
        assert_eq!(
            why(r#"{"id": 7, "sesame": 1}"#),
            "the body is not the expected JSON: expected `id` or `email` at line 1 column 18"
        );
        for body in ["sesame", r#"{"id":-5,"email":"sesame"}"#, r#"["sesame"]"#] {
            assert!(!why(body).contains("sesame"), "{}", why(body));
        }
    }
}
