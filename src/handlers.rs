//! The built-in kinds of handler: `[queue.NAME.handler.KIND]` becomes a [`BoxHandler`].
//!
//! They know messages and leases, and nothing of queues and spools: the kind `spool` writes files,
//! and whoever watches the directory takes them.

mod check;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod exec;
mod forward;
mod http;
mod judge;
#[cfg(feature = "lambda")]
mod lambda;
mod print;
mod s3;
mod sns;
mod sqs;
mod spool;
#[cfg(feature = "sql")]
mod sql;

use std::fmt::Write as _;

use crate::aws::Aws;
use crate::config;
use crate::error::Result;
use crate::handler::BoxHandler;

pub use check::check;

/// A handler from its settings; `name` is how logs call it, and `aws` how it reaches AWS where it
/// does.
///
/// Starts nothing and connects to nothing: a program or an endpoint that is not there shows when
/// the first message comes, as [`Unavailable`](crate::outcome::Unavailable).
///
/// # Errors
/// Settings that no handler can be made of: an empty command, a URL that is none.
pub fn build(settings: &config::Handler, name: &str, aws: &Aws) -> Result<BoxHandler> {
    match settings {
        #[cfg(feature = "dynamodb")]
        config::Handler::Dynamodb(settings) => Ok(dynamodb::build(settings, name, aws)),
        #[cfg(not(feature = "dynamodb"))]
        config::Handler::Dynamodb(_) => Err(check::left_out("dynamodb")),
        config::Handler::Exec(settings) => exec::build(settings, name),
        config::Handler::Http(settings) => http::build(settings, name),
        #[cfg(feature = "lambda")]
        config::Handler::Lambda(settings) => Ok(lambda::build(settings, name, aws)),
        #[cfg(not(feature = "lambda"))]
        config::Handler::Lambda(_) => Err(check::left_out("lambda")),
        config::Handler::Spool(settings) => Ok(spool::build(settings, name)),
        #[cfg(feature = "sql")]
        config::Handler::Sql(settings) => Ok(sql::build(settings, name)),
        #[cfg(not(feature = "sql"))]
        config::Handler::Sql(_) => Err(check::left_out("sql")),
        config::Handler::Print => Ok(print::build(name)),
        config::Handler::S3(settings) => Ok(s3::build(settings, name, aws)),
        config::Handler::Sns(settings) => Ok(sns::build(settings, name, aws)),
        config::Handler::Sqs(settings) => Ok(sqs::build(settings, name, aws)),
    }
}

/// Text that somebody else wrote, on one line and harmless to a terminal: control characters are
/// written as in Rust (`\n`, `\u{1b}`).
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// The names of what could not be handed on, in one text of at most so many bytes: `a,b,c`.
fn list_of(names: &[String], most: usize) -> String {
    let mut list = String::new();
    for name in names {
        // A character is never longer as a word, and there has to be room for the dots.
        if list.len() + name.len() + 5 > most {
            list.push_str(",...");
            break;
        }
        let comma = if list.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _written = write!(list, "{comma}{}", as_word(name));
    }
    list
}

/// A name with everything that SQS allows in names of attributes, and `_` for the rest.
fn as_word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod samples {
    //! A message with one of everything, for the tests of all kinds.

    use std::collections::BTreeMap;
    use std::sync::Arc;

    use bytes::Bytes;
    use tokio::time::Instant;

    use crate::handler::{Delivery, LeaseKeeper};
    use crate::message::{Attribute, Message};

    pub(super) fn message(body: &str) -> Message {
        let system = [
            ("ApproximateReceiveCount", "3"),
            ("SentTimestamp", "1339666200250"),
            ("ApproximateFirstReceiveTimestamp", "1339666205000"),
            ("SenderId", "AIDAEXAMPLE"),
            ("MessageGroupId", "group-7"),
            ("MessageDeduplicationId", "dedup-7"),
            ("SequenceNumber", "18870000000000000001"),
        ];
        let attributes = [
            ("tint", Attribute::String("red".to_owned())),
            ("size.cm", Attribute::Number("12.5".to_owned())),
            ("raw", Attribute::Binary(Bytes::from_static(b"\x00\x01\xff"))),
        ];
        Message {
            id: "5fea7756-0ea4-451a-a703-a558b933e274".to_owned(),
            queue: "orders".to_owned(),
            body: body.into(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into(),
            labels: BTreeMap::new(),
            system_attributes: BTreeMap::from(
                system.map(|(name, value)| (name.to_owned(), value.to_owned())),
            ),
            event: Some("OrderPlaced.shop".to_owned()),
        }
    }

    pub(super) const TRACE_HEADER: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    pub(super) const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// A message that belongs to a trace of either kind.
    pub(super) fn traced() -> Message {
        let mut message = message("");
        message.system_attributes.insert("AWSTraceHeader".to_owned(), TRACE_HEADER.to_owned());
        let parent = Attribute::String(TRACEPARENT.to_owned());
        message.attributes.insert("traceparent".to_owned(), parent);
        message
    }

    pub(super) fn delivery(message: Message) -> (Delivery, LeaseKeeper) {
        let keeper = LeaseKeeper::new(Instant::now() + std::time::Duration::from_mins(10));
        (Delivery { message: Arc::new(message), lease: keeper.lease() }, keeper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_on_its_line() {
        assert_eq!(one_line("a\r\nb\t\u{1b}[31m\u{2028}é\\"), r"a\r\nb\t\u{1b}[31m\u{2028}é\");
    }

    #[test]
    fn a_list_of_names_is_bounded_and_plain() {
        assert_eq!(list_of(&["a".to_owned(), "b\r\nc,d".to_owned()], 100), "a,b__c_d");
        let many: Vec<String> = (0..1000).map(|n| format!("attribute-{n}")).collect();
        let list = list_of(&many, 512);
        assert!(list.len() <= 512 && list.ends_with(",..."));
    }
}
