//! What every message has in common, and the message that a text or a JSON line becomes.

use std::time::Duration;

use longshore::message::Outgoing;
use longshore::payload::codec::Format;
use longshore::toolkit::sqs;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::attribute::Named;

/// What the command line says of every message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) format: Format,
    pub(crate) attributes: Vec<Named>,
    pub(crate) delay: Option<Duration>,
    pub(crate) group: Option<String>,
    pub(crate) deduplication_id: Option<String>,
}

/// A message as a JSON line says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    body: Value,
    #[serde(default)]
    attributes: Map<String, Value>,
    group: Option<String>,
    deduplication_id: Option<String>,
    delay: Option<Value>,
}

impl Shape {
    /// The message with this text; or, in words, why it is none.
    pub(crate) fn of_text(&self, text: &str) -> Result<Outgoing, String> {
        self.shaped(text, &[])
    }

    /// The message of a JSON line; what the line says comes before what all have in common.
    pub(crate) fn of_json(&self, line: &str) -> Result<Outgoing, String> {
        // What serde says may quote the body, but not what it says of keys.
        let line: Line = serde_json::from_str(line).map_err(|error| {
            let text = error.to_string();
            let about_keys = ["unknown field", "missing field", "duplicate field"];
            if about_keys.iter().any(|about| text.starts_with(about)) {
                format!("not a message in JSON: {text}")
            } else {
                format!("not a message in JSON, at column {}", error.column())
            }
        })?;
        let text = line.body.as_str().map_or_else(|| line.body.to_string(), str::to_owned);
        let own: Vec<Named> = line
            .attributes
            .iter()
            .map(|(name, value)| Named::of_json(name, value))
            .collect::<Result<_, _>>()?;
        let mut message = self.shaped(&text, &own)?;
        if let Some(delay) = line.delay {
            let text = delay.as_str().map_or_else(|| delay.to_string(), str::to_owned);
            message.delay = Some(sqs::delay(&text)?);
        }
        message.group = line.group.or(message.group);
        message.deduplication_id = line.deduplication_id.or(message.deduplication_id);
        Ok(message)
    }

    fn shaped(&self, text: &str, own: &[Named]) -> Result<Outgoing, String> {
        let mut message = self.format.outgoing(text).map_err(|error| error.told())?;
        let common =
            self.attributes.iter().filter(|of_all| !own.iter().any(|own| own.is_named_as(of_all)));
        for attribute in own.iter().chain(common) {
            attribute.add_to(&mut message)?;
        }
        message.check_attributes()?;
        message.delay = self.delay;
        message.group.clone_from(&self.group);
        message.deduplication_id.clone_from(&self.deduplication_id);
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore::message::Attribute;

    fn shape() -> Shape {
        Shape {
            attributes: vec![Named::read("a=all").unwrap(), Named::read("b=Number:1").unwrap()],
            delay: Some(Duration::from_secs(5)),
            group: Some("everybody".to_owned()),
            ..Shape::default()
        }
    }

    #[test]
    fn a_line_comes_before_what_all_have_in_common() {
        let line = r#"{"body": {"n": 1}, "attributes": {"a": {"type": "Number.int", "value": "2"}},
                       "group": "own", "deduplication_id": "d", "delay": "1m"}"#;
        let message = shape().of_json(line).unwrap();
        assert_eq!(message.body, r#"{"n":1}"#);
        assert_eq!(message.attributes["a"], Attribute::Number("2".to_owned()));
        assert_eq!(message.attributes["b"], Attribute::Number("1".to_owned()));
        assert_eq!(message.labels["a"], "Number.int");
        assert_eq!(
            (message.group.as_deref(), message.delay),
            (Some("own"), Some(Duration::from_mins(1)))
        );
        assert_eq!(message.deduplication_id.as_deref(), Some("d"));
        let message = shape().of_json(r#"{"body": "text", "delay": 0}"#).unwrap();
        assert_eq!((&*message.body, message.delay), ("text", Some(Duration::ZERO)));
        assert_eq!(message.group.as_deref(), Some("everybody"));
    }

    #[test]
    fn a_wrong_line_is_told_without_its_body() {
        for (line, told) in [
            ("sesame", "at column"),
            (r#""sesame""#, "at column"),
            (r#"["sesame"]"#, "at column"),
            (r#"{"attributes": {}}"#, "missing field `body`"),
            (r#"{"body": "sesame", "Group": "x"}"#, "unknown field `Group`"),
            (r#"{"body": "sesame", "delay": 901}"#, "out of range"),
            (r#"{"body": "sesame", "delay": -1}"#, "out of range"),
            (r#"{"body": "sesame", "delay": "a"}"#, "not a duration"),
            (r#"{"body": "sesame", "attributes": {"x": true}}"#, "attribute x"),
            (r#"{"body": "sesame", "attributes": {"x": ""}}"#, "attribute x is empty"),
        ] {
            let why = shape().of_json(line).unwrap_err();
            assert!(why.contains(told) && !why.contains("sesame"), "{line}: {why}");
        }
    }

    #[test]
    fn formats_shape_the_body_and_keep_their_own_attributes() {
        let of = |format| Shape { format, ..Shape::default() };
        assert_eq!(of(Format::RelengApi).of_text(r#"{"a":"b"}"#).unwrap().body, "eyJhIjogImIifQ==");
        assert!(of(Format::Json).of_text("{").is_err());
        let pylon = of(Format::Pylon).of_text("x").unwrap();
        assert_eq!(pylon.attributes["ingestionId"], Attribute::String("None".to_owned()));
        let own = vec![Named::read("objectType=mine").unwrap()];
        let why = Shape { attributes: own, ..of(Format::Pylon) }.of_text("x").unwrap_err();
        assert!(why.contains("objectType"), "{why}");
    }
}
