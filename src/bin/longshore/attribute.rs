//! Message attributes as they are written on the command line and in JSON lines.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use longshore::message::{Attribute, Outgoing};
use serde_json::Value;

/// One attribute with its name and whole type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    name: String,
    data_type: String,
    value: Attribute,
}

impl Named {
    /// Reads `NAME=VALUE` or `NAME=TYPE:VALUE`. A type is `String`, `Number` or `Binary`, each also
    /// with a label, as `Number.int`; what stands before a colon and is none is part of the value.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (name, rest) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or("write it as NAME=VALUE or NAME=TYPE:VALUE")?;
        match rest.split_once(':') {
            Some((data_type, value)) if base(data_type).is_some() => {
                Self::of(name, data_type, value)
            }
            _ => Self::of(name, "String", rest),
        }
    }

    /// Reads a member of `attributes` in a JSON line: a text, a number, or an object with `type`
    /// and `value`.
    pub(crate) fn of_json(name: &str, value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::of(name, "String", text),
            Value::Number(number) => Self::of(name, "Number", &number.to_string()),
            Value::Object(fields) => {
                let known = fields.keys().all(|key| key == "type" || key == "value");
                let field = |key| fields.get(key).and_then(Value::as_str);
                match (field("type"), field("value"), known) {
                    (Some(data_type), Some(value), true) => Self::of(name, data_type, value),
                    _ => Err(format!("attribute {name} wants \"type\" and \"value\", both texts")),
                }
            }
            Value::Null | Value::Bool(_) | Value::Array(_) => {
                Err(format!("attribute {name} is neither text, number nor an object"))
            }
        }
    }

    /// True where both have one name.
    pub(crate) fn is_named_as(&self, other: &Self) -> bool {
        self.name == other.name
    }

    fn of(name: &str, data_type: &str, text: &str) -> Result<Self, String> {
        let value = match base(data_type) {
            Some("String") => Attribute::String(text.to_owned()),
            Some("Number") => Attribute::Number(text.to_owned()),
            Some(_) => {
                let bytes = BASE64_STANDARD.decode(text);
                Attribute::Binary(
                    bytes.map_err(|_| format!("attribute {name} is Binary and no base64"))?.into(),
                )
            }
            None => {
                return Err(format!(
                    "attribute {name} has the type {data_type:?}; types are String, Number and \
                     Binary, each also with a label, as Number.int"
                ));
            }
        };
        Ok(Self { name: name.to_owned(), data_type: data_type.to_owned(), value })
    }

    /// Adds it to a message, which must have none of that name.
    pub(crate) fn add_to(&self, message: &mut Outgoing) -> Result<(), String> {
        if message.attributes.contains_key(&self.name) {
            return Err(format!("there are two attributes {}", self.name));
        }
        if self.data_type != self.value.data_type() {
            message.labels.insert(self.name.clone(), self.data_type.clone());
        }
        message.attributes.insert(self.name.clone(), self.value.clone());
        Ok(())
    }
}

/// The type without its label; nothing for what is no type of AWS.
fn base(data_type: &str) -> Option<&'static str> {
    ["String", "Number", "Binary"].into_iter().find(|base| {
        data_type
            .strip_prefix(base)
            .is_some_and(|rest| rest.is_empty() || (rest.starts_with('.') && rest.len() > 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn named(name: &str, data_type: &str, value: Attribute) -> Named {
        Named { name: name.to_owned(), data_type: data_type.to_owned(), value }
    }

    #[test]
    fn types_stand_before_the_value() {
        let string = |text: &str| Attribute::String(text.to_owned());
        for (text, data_type, value) in [
            ("a=b", "String", string("b")),
            ("a=", "String", string("")),
            ("a=http://x:80/?b=c", "String", string("http://x:80/?b=c")),
            ("a=String:Number:7", "String", string("Number:7")),
            ("a=Stringy:7", "String", string("Stringy:7")),
            ("a=Number:7", "Number", Attribute::Number("7".to_owned())),
            ("a=Number.int:7", "Number.int", Attribute::Number("7".to_owned())),
            ("a=Binary.gif:AP8=", "Binary.gif", Attribute::Binary(vec![0, 255].into())),
        ] {
            assert_eq!(Named::read(text), Ok(named("a", data_type, value)), "{text}");
        }
        for wrong in ["a", "=b", "a=Binary:not base64"] {
            assert!(Named::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn json_says_the_same() {
        for (value, text) in [
            (json!("b"), "a=b"),
            (json!("Number:7"), "a=String:Number:7"),
            (json!(7.5), "a=Number:7.5"),
            (json!({ "type": "Number.int", "value": "7" }), "a=Number.int:7"),
            (json!({ "type": "Binary", "value": "AP8=" }), "a=Binary:AP8="),
        ] {
            assert_eq!(Named::of_json("a", &value), Named::read(text), "{value}");
        }
        for wrong in [
            json!(true),
            json!(null),
            json!([]),
            json!({ "value": "7" }),
            json!({ "type": "Number", "value": 7 }),
            json!({ "type": "Float", "value": "7" }),
            json!({ "type": "Number", "value": "7", "label": "int" }),
        ] {
            assert!(Named::of_json("a", &wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_stands_once() {
        let mut message = Outgoing::text("x");
        let first = Named::read("a=Number.int:1").unwrap();
        assert_eq!(first.add_to(&mut message), Ok(()));
        assert_eq!(message.labels["a"], "Number.int");
        assert!(Named::read("a=2").unwrap().add_to(&mut message).is_err());
    }
}
