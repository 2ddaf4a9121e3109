use super::group;
use crate::config::aws::{Aws, Written};
use crate::config::names;
use crate::config::section::Section;
use crate::template::Template;

/// `[….handler.sns]`: publish the message to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sns {
    /// The topic's ARN; its name alone on the embedded AWS.
    pub topic: String,
    /// How to reach it.
    pub aws: Aws,
    /// The group it gets there, in place of its own.
    pub group: Option<Template>,
}

pub(super) fn read(section: &mut Section<'_>, base: &Written) -> Sns {
    let region = section.formed("topic", names::topic);
    if !section.has("topic") {
        section.missing("topic", "\"arn:aws:sns:us-west-2:123456789012:orders\"");
    }
    Sns {
        topic: section.text("topic").unwrap_or_default(),
        aws: Written::read_at(section, region.as_deref()).over(base).resolve(),
        group: group(section),
    }
}
