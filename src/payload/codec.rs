//! Formats: pure functions from a value to an outgoing message, and from a message back.
//!
//! Whoever sends knows no format, and nothing here sends or fetches. Plain text needs no function:
//! it is [`Outgoing::text`] and [`Body::as_text`](crate::message::Body::as_text).

pub mod pylon;
pub(crate) mod python;

use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::{Error, Kind, Result};
use crate::message::{Message, Outgoing};

pub use pylon::Pylon;

/// How a text that a person or a program wrote becomes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The text itself.
    #[default]
    Text,
    /// JSON, sent as it is written.
    Json,
    /// JSON in Python's layout, in base64: what RelengAPI's `sqs_write` sends.
    RelengApi,
    /// A raw message of pylon's.
    Pylon,
}

impl Format {
    /// Every format, in the order of the help texts.
    pub const ALL: [Self; 4] = [Self::Text, Self::Json, Self::RelengApi, Self::Pylon];

    /// Its name in settings and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::RelengApi => "relengapi",
            Self::Pylon => "pylon",
        }
    }

    /// The message with this text.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where the format wants JSON and the text is none.
    pub fn outgoing(self, text: &str) -> Result<Outgoing> {
        match self {
            Self::Text => Ok(Outgoing::text(text)),
            Self::Json => {
                serde_json::from_str::<IgnoredAny>(text).map_err(|error| no_json(&error))?;
                Ok(Outgoing::text(text))
            }
            Self::RelengApi => relengapi_of_json(text),
            Self::Pylon => Pylon::raw(text).encode(),
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{name:?} is no format; formats are {names}")
        })
    }
}

/// A message whose body is this value in JSON.
///
/// # Errors
/// [`Kind::Invalid`] for values that JSON has no form for, such as keys that are no texts.
pub fn json(value: &impl Serialize) -> Result<Outgoing> {
    serde_json::to_string(value).map(Outgoing::text).map_err(|error| no_json(&error))
}

/// The value of a body in JSON.
///
/// # Errors
/// [`Kind::Invalid`] where the body is not that JSON, or lies in a file; the body is not quoted.
pub fn of_json<T: DeserializeOwned>(message: &Message) -> Result<T> {
    read(message.body.as_bytes().ok_or_else(|| wrong("it is too large for memory"))?)
}

/// A message as RelengAPI's `sqs_write` sends it: JSON in Python's layout, in base64.
///
/// # As RelengAPI has it
/// `app.aws.sqs_write('us-west-2', 'my-queue', {'a': 'b'})`:
/// ```no_run
/// # async fn example() -> longshore::error::Result<()> {
/// use longshore::{aws::Aws, payload::codec, toolkit::transport::CanSend};
///
/// let aws = Aws::new();
/// let _client = aws.sqs("us-west-2").await?; // connect_to
/// let queue = aws.queue("us-west-2", "my-queue").await?; // get_sqs_queue
/// queue.send(codec::relengapi(&serde_json::json!({ "a": "b" }))?).await?; // sqs_write
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`json`].
pub fn relengapi(value: &impl Serialize) -> Result<Outgoing> {
    let json = serde_json::to_string(value).map_err(|error| no_json(&error))?;
    relengapi_of_json(&json)
}

/// As [`relengapi`], from JSON that is written already; its keys keep their order.
///
/// # Errors
/// [`Kind::Invalid`] where the text is no JSON.
pub fn relengapi_of_json(json: &str) -> Result<Outgoing> {
    let json = python::layout(json).map_err(|error| no_json(&error))?;
    Ok(Outgoing::text(BASE64_STANDARD.encode(json)))
}

/// The value that RelengAPI sent. Strict: the canonical alphabet and padding, and JSON inside.
///
/// # Errors
/// As [`of_json`].
pub fn of_relengapi<T: DeserializeOwned>(message: &Message) -> Result<T> {
    let body = message.body.as_bytes().ok_or_else(|| wrong("it is too large for memory"))?;
    let json = BASE64_STANDARD.decode(body).map_err(|_| wrong("it is no base64"))?;
    read(&json)
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| no_json(&error))
}

/// What serde says may quote values, and a body may hold secrets: the place is enough.
fn no_json(error: &serde_json::Error) -> Error {
    let what = if error.is_data() { "the JSON that is expected" } else { "JSON" };
    wrong(format!("it is not {what}, at line {} column {}", error.line(), error.column()))
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("the body cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn message(body: &str) -> Message {
        Message {
            id: "id".to_owned(),
            queue: "orders".to_owned(),
            body: body.into(),
            attributes: BTreeMap::new(),
            labels: BTreeMap::new(),
            system_attributes: BTreeMap::new(),
            event: None,
        }
    }

    #[test]
    fn r1_the_bodies_of_relengapi_are_exact() {
        let vectors = [
            (r#"{"a":"b"}"#, "eyJhIjogImIifQ=="),
            (r#""BODY1""#, "IkJPRFkxIg=="),
            (r#""EXC""#, "IkVYQyI="),
            (r#""BODY2""#, "IkJPRFkyIg=="),
            (r#"[1,"x/y"]"#, "WzEsICJ4L3kiXQ=="),
            ("{\"\u{e9}\":1.5,\"n\":null}", "eyJcdTAwZTkiOiAxLjUsICJuIjogbnVsbH0="),
        ];
        for (json, body) in vectors {
            let outgoing = relengapi_of_json(json).unwrap();
            assert_eq!(outgoing, Outgoing::text(body), "{json}");
            assert_eq!(outgoing, Format::RelengApi.outgoing(json).unwrap());
            let value: Value = of_relengapi(&message(body)).unwrap();
            assert_eq!(value, serde_json::from_str::<Value>(json).unwrap());
        }
        assert_eq!(relengapi(&json!({"a": "b"})).unwrap().body, "eyJhIjogImIifQ==");
    }

    #[test]
    fn base64_is_never_guessed() {
        for body in ["QQ", "QQ==\n", "Q Q==", "QR==", "eyJhIjogImIifQ", "aGVsbG8=", "-_8=", ""] {
            let refused = of_relengapi::<Value>(&message(body)).unwrap_err();
            assert_eq!(refused.kind(), Kind::Invalid, "{body}");
        }
    }

    #[test]
    fn json_goes_there_and_back_and_is_never_quoted() {
        let outgoing = json(&json!({"a": [1, "\u{e9}"]})).unwrap();
        assert_eq!(outgoing.body, "{\"a\":[1,\"\u{e9}\"]}");
        assert_eq!(
            of_json::<Value>(&message(&outgoing.body)).unwrap(),
            json!({"a": [1, "\u{e9}"]})
        );
        for body in ["sesame", "\"sesame\"", "{\"sesame\": 1}"] {
            let refused = of_json::<Vec<u8>>(&message(body)).unwrap_err().to_string();
            assert!(!refused.contains("sesame"), "{refused}");
        }
    }

    #[test]
    fn a_format_is_known_by_its_name() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert!("yaml".parse::<Format>().unwrap_err().contains("relengapi"));
        assert_eq!(Format::Text.outgoing("{").unwrap().body, "{");
        assert_eq!(Format::Json.outgoing("{ }").unwrap().body, "{ }");
        assert!(Format::Json.outgoing("{").is_err());
        assert_eq!(Format::Pylon.outgoing("x").unwrap(), Pylon::raw("x").encode().unwrap());
    }
}
