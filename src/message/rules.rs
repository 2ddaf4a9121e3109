//! What AWS demands of message attributes, the same for queues and topics.
//!
//! Source: the SQS developer guide ("message metadata") and the SNS developer guide ("message
//! attributes").

use super::{Attribute, Outgoing};

/// The name of a message attribute, as SQS and SNS allow it.
///
/// # Errors
/// Says what a name may be.
pub fn attribute_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let lower = name.to_ascii_lowercase();
    let is_reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    if name.is_empty() || name.len() > 256 || !name.chars().all(allowed) || is_reserved || dots {
        return Err(format!(
            "{name:?} is no message attribute; its name has 1 to 256 of A-Z a-z 0-9 - _ . and \
             neither a dot at an end, two dots in a row, nor AWS. or Amazon. in front"
        ));
    }
    Ok(())
}

impl Outgoing {
    /// Looks at every attribute: its name, its type, and a value that is one of that type.
    ///
    /// # Errors
    /// What is wrong with the first that AWS would refuse; never its value.
    pub fn check_attributes(&self) -> Result<(), String> {
        self.attributes.iter().try_for_each(|(name, value)| {
            attribute_name(name)?;
            check_type(name, self.data_type(name, value), value)?;
            check_value(name, self.data_type(name, value), value)
        })
    }
}

fn check_type(name: &str, data_type: &str, value: &Attribute) -> Result<(), String> {
    let plain = value.data_type();
    let label = data_type.strip_prefix(plain).and_then(|rest| rest.strip_prefix('.'));
    let is_sound = data_type == plain || label.is_some_and(|label| !label.is_empty());
    if !is_sound || data_type.len() > 256 {
        return Err(format!(
            "attribute {name} has the type {data_type:?}; its value is a {plain}, so that is \
             {plain} or {plain}.LABEL, of 256 bytes at most"
        ));
    }
    Ok(())
}

fn check_value(name: &str, data_type: &str, value: &Attribute) -> Result<(), String> {
    if value.is_empty() {
        return Err(format!("attribute {name} is empty, which AWS does not take"));
    }
    match value {
        // Python's True, NaN and inf are numbers to many a program and none to AWS.
        Attribute::Number(text) if !is_number(text) => {
            Err(format!("attribute {name} is a Number and holds no number"))
        }
        Attribute::String(text) if data_type == "String.Array" && !is_array(text) => {
            Err(format!("attribute {name} is a String.Array and holds no JSON list"))
        }
        Attribute::String(text) | Attribute::Number(text) => {
            match text.chars().find(|c| !super::is_allowed(*c)) {
                None => Ok(()),
                Some(c) => {
                    let point = u32::from(c);
                    Err(format!("attribute {name} holds the character U+{point:04X}"))
                }
            }
        }
        Attribute::Binary(_) => Ok(()),
    }
}

fn is_number(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit()) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// A list of texts, numbers, `true`, `false` and `null`.
fn is_array(text: &str) -> bool {
    serde_json::from_str::<Vec<serde_json::Value>>(text)
        .is_ok_and(|items| !items.iter().any(|item| item.is_array() || item.is_object()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, value: Attribute, label: Option<&str>) -> Result<(), String> {
        let mut message = Outgoing::text("x");
        message.attributes.insert(name.to_owned(), value);
        if let Some(label) = label {
            message.labels.insert(name.to_owned(), label.to_owned());
        }
        message.check_attributes()
    }

    #[test]
    fn names_types_and_values_are_those_that_aws_takes() {
        let text = |text: &str| Attribute::String(text.to_owned());
        let number = |text: &str| Attribute::Number(text.to_owned());
        for (name, value, label) in [
            ("a.b-C_9", text("x"), None),
            ("n", number("-1.5e3"), None),
            ("n", number("12345678901234567890123456789012345678"), Some("Number.int")),
            ("l", text(r#"["a",1,true,null]"#), Some("String.Array")),
            ("l", text("any"), Some("String.Own")),
            ("b", Attribute::Binary(b"\0"[..].into()), Some("Binary.gif")),
        ] {
            assert_eq!(told(name, value, label), Ok(()), "{name} {label:?}");
        }
        for (name, value, label) in [
            ("", text("x"), None),
            ("a b", text("x"), None),
            (".a", text("x"), None),
            ("AWS.a", text("x"), None),
            ("e", text(""), None),
            ("e", Attribute::Binary(b""[..].into()), None),
            ("n", number("True"), None),
            ("n", number("NaN"), None),
            ("n", number("inf"), None),
            ("n", number("1"), Some("String")),
            ("n", number("1"), Some("Number.")),
            ("n", number("1"), Some("")),
            ("l", text("[1"), Some("String.Array")),
            ("l", text(r#"[{"a":1}]"#), Some("String.Array")),
            ("c", text("a\u{1}"), None),
        ] {
            assert!(told(name, value, label).is_err(), "{name} {label:?}");
        }
    }
}
