//! A message that is to be sent, to a queue or a topic alike.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Attribute;

/// A message to be sent. Formats turn values into this and back; whoever sends it knows no format.
///
/// `Debug` shows the size alone: bodies and attributes may hold secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Outgoing {
    /// The body; neither SQS nor SNS takes an empty one.
    pub body: String,
    /// The message attributes, at most ten.
    pub attributes: BTreeMap<String, Attribute>,
    /// The whole types of attributes with a custom label, such as `Number.int` or `String.Array`,
    /// by name.
    pub labels: BTreeMap<String, String>,
    /// The FIFO group, or the tenant of a fair queue.
    pub group: Option<String>,
    /// FIFO queues and topics drop a second message with this id for five minutes.
    pub deduplication_id: Option<String>,
    /// How long a queue hides it at first; topics know no delay.
    pub delay: Option<Duration>,
    /// The subject that e-mail subscribers see; queues know none.
    pub subject: Option<String>,
    /// The body is a JSON object with a text per protocol (`MessageStructure` of SNS).
    pub is_per_protocol: bool,
    /// The X-Ray trace that the message belongs to.
    pub trace_header: Option<String>,
}

impl Outgoing {
    /// A message that is nothing but its body.
    pub fn text(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// The whole type of an attribute, its custom label included.
    pub fn data_type<'a>(&'a self, name: &str, value: &'a Attribute) -> &'a str {
        self.labels.get(name).map_or(value.data_type(), String::as_str)
    }

    /// Its size as SQS counts it: the body, and of each attribute name, type and value.
    pub fn size(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| name.len() + self.data_type(name, value).len() + value.len())
            .sum();
        self.body.len() + attributes
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("bytes", &self.size()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_count_toward_the_size() {
        let mut message = Outgoing::text("body");
        message.attributes.insert("name".into(), Attribute::Number("12".into()));
        assert_eq!(message.size(), 4 + 4 + "Number".len() + 2);
    }
}
