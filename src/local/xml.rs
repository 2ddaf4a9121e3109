//! The little XML that the query protocols of SQS, SNS and STS need.

use crate::local::digest;

pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // An XML parser would otherwise turn it into a line feed.
            '\r' => escaped.push_str("&#xD;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Adds an element; `inside` is XML already.
pub(crate) fn element(into: &mut String, name: &str, inside: &str) {
    for part in ["<", name, ">", inside, "</", name, ">"] {
        into.push_str(part);
    }
}

/// The whole answer to an action; `result` is XML already.
pub(crate) fn answer(action: &str, namespace: &str, result: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><{action}Response xmlns=\"{namespace}\"><{action}Result>{result}\
         </{action}Result><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </{action}Response>",
        digest::uuid()
    )
}

/// The whole answer to an action that is refused.
pub(crate) fn refusal(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><ErrorResponse><Error><Type>Sender</Type><Code>{}</Code>\
         <Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
        escape(code),
        escape(message),
        digest::uuid()
    )
}
