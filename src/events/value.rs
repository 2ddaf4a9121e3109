//! The value of a message attribute as a program has it: its type follows from it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Outgoing};

/// A value that becomes an attribute: text a `String`, a number a `Number`, a list a `String.Array`,
/// bytes a `Binary`.
///
/// True and false have no type of their own and are refused: written as numbers, as some programs
/// do, no subscriber could read them.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A `String`.
    Text(String),
    /// A `Number`, as decimal text.
    Number(String),
    /// A `String.Array`: texts, numbers, `true`, `false` and `null`.
    List(Vec<serde_json::Value>),
    /// A `Binary`.
    Bytes(Bytes),
}

impl Value {
    /// From a JSON value; bytes have no form there.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for an object, true, false and null.
    pub fn of_json(value: serde_json::Value) -> Result<Self> {
        use serde_json::Value as Json;
        match value {
            Json::String(text) => Ok(Self::Text(text)),
            Json::Number(number) => Ok(Self::Number(number.to_string())),
            Json::Array(items) => Ok(Self::List(items)),
            Json::Object(_) | Json::Bool(_) | Json::Null => {
                Err(Error::new(Kind::Invalid, "making a message attribute")
                    .because("an attribute is a text, a number, a list or bytes"))
            }
        }
    }

    /// As a person writes it: `TYPE:VALUE`, or a text alone. A type is `String`, `Number`,
    /// `String.Array` (a list in JSON) or `Binary` (in base64).
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a list that is none, and for what is no base64.
    pub fn read(text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::new(Kind::Invalid, "reading an attribute").because(what);
        match text.split_once(':') {
            Some(("String", text)) => Ok(Self::Text(text.to_owned())),
            Some(("Number", text)) => Ok(Self::Number(text.to_owned())),
            Some(("String.Array", text)) => serde_json::from_str(text)
                .map(Self::List)
                .map_err(|_| wrong("a String.Array is a list in JSON, such as [\"a\",1]")),
            Some(("Binary", text)) => BASE64_STANDARD
                .decode(text)
                .map(|bytes| Self::Bytes(bytes.into()))
                .map_err(|_| wrong("a Binary is written in base64")),
            _ => Ok(Self::Text(text.to_owned())),
        }
    }

    /// Puts it into a message under this name, in place of what stood there.
    pub fn put(self, name: &str, message: &mut Outgoing) {
        message.labels.remove(name);
        let attribute = match self {
            Self::Text(text) => Attribute::String(text),
            Self::Number(text) => Attribute::Number(text),
            Self::Bytes(bytes) => Attribute::Binary(bytes),
            Self::List(items) => {
                message.labels.insert(name.to_owned(), "String.Array".to_owned());
                Attribute::String(super::wire::compact(
                    &serde_json::Value::Array(items).to_string(),
                ))
            }
        };
        message.attributes.insert(name.to_owned(), attribute);
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Self::Number(format!("{number:?}"))
            }
        }
    )*};
}

numbers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64);

impl<T: Into<serde_json::Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl<const N: usize> From<&'static [u8; N]> for Value {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::Bytes(Bytes::from_static(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn put(value: impl Into<Value>) -> (String, Attribute) {
        let mut message = Outgoing::text("{}");
        value.into().put("a", &mut message);
        let value = message.attributes["a"].clone();
        (message.data_type("a", &value).to_owned(), value)
    }

    #[test]
    fn i3_the_type_follows_from_the_value() {
        let text = |text: &str| Attribute::String(text.to_owned());
        let number = |text: &str| Attribute::Number(text.to_owned());
        let none: Vec<String> = Vec::new();
        for (made, data_type, attribute) in [
            (put(""), "String", text("")),
            (put("b"), "String", text("b")),
            (put(0), "Number", number("0")),
            (put(1), "Number", number("1")),
            (put(0.0), "Number", number("0.0")),
            (put(2.34), "Number", number("2.34")),
            (put(none), "String.Array", text("[]")),
            (put(vec!["a", "b"]), "String.Array", text(r#"["a","b"]"#)),
            (put(vec![1, 2]), "String.Array", text("[1,2]")),
            (put(vec!["a/é"]), "String.Array", text(r#"["a\/\u00e9"]"#)),
            (put(b"bytes"), "Binary", Attribute::Binary(b"bytes"[..].into())),
        ] {
            assert_eq!(made, (data_type.to_owned(), attribute));
        }
        for (json, data_type) in
            [(json!("b"), "String"), (json!(2.34), "Number"), (json!(["a", 1]), "String.Array")]
        {
            assert_eq!(put(Value::of_json(json).unwrap()).0, data_type);
        }
        for refused in [json!({}), json!({"a": 1}), json!(true), json!(null)] {
            assert!(Value::of_json(refused).is_err());
        }
    }

    #[test]
    fn a_person_writes_the_type_before_the_value() {
        for (text, data_type) in [
            ("b", "String"),
            ("http://x", "String"),
            ("String:Number:1", "String"),
            ("Number:2.5", "Number"),
            ("String.Array:[\"a\", 1]", "String.Array"),
            ("Binary:AP8=", "Binary"),
        ] {
            assert_eq!(put(Value::read(text).unwrap()).0, data_type, "{text}");
        }
        assert_eq!(Value::read("Binary:AP8=").unwrap(), Value::Bytes(b"\0\xff"[..].into()));
        for wrong in ["Binary:no base64", "String.Array:a"] {
            assert!(Value::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn i3_a_name_that_is_added_again_is_replaced() {
        let mut message = Outgoing::text("{}");
        Value::from(vec![1]).put("a", &mut message);
        Value::from("text").put("a", &mut message);
        assert_eq!(message.attributes["a"], Attribute::String("text".to_owned()));
        assert!(message.labels.is_empty());
    }
}
