use super::group;
use crate::config::aws::{Aws, Written};
use crate::config::names::QueueAddress;
use crate::config::section::Section;
use crate::template::Template;

/// `[….handler.sqs]`: send the message on to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sqs {
    /// The queue's name, URL or ARN.
    pub queue: String,
    /// How to reach it.
    pub aws: Aws,
    /// The group it gets there, in place of its own.
    pub group: Option<Template>,
}

pub(super) fn read(section: &mut Section<'_>, base: &Written) -> Sqs {
    let address = section.formed("queue", QueueAddress::read);
    if !section.has("queue") {
        section.missing("queue", "\"archive\" (a name, URL or ARN)");
    }
    let region = address.as_ref().and_then(QueueAddress::region);
    Sqs {
        queue: section.text("queue").unwrap_or_default(),
        aws: Written::read_at(section, region).over(base).resolve(),
        group: group(section),
    }
}
