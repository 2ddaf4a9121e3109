//! `[notification.NAME]`: what a bucket tells of its objects, and to whom.

use super::aws::{Aws, Written};
use super::names::{self, QueueAddress};
use super::section::Section;

/// `[notification.NAME]`: what a bucket tells of its objects, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The bucket that tells.
    pub bucket: String,
    /// Who is told; nothing only where no setting says it, which is a mistake.
    pub target: Option<Target>,
    /// What is told, such as `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    /// Only of objects whose key begins so.
    pub prefix: Option<String>,
    /// Only of objects whose key ends so.
    pub suffix: Option<String>,
    /// How to reach the bucket.
    pub aws: Aws,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A queue: the name of a `[queue.NAME]`, or its own name, URL or ARN.
    Queue(String),
    /// A topic by its ARN.
    Topic(String),
}

impl Notification {
    /// A notification of this bucket with the default of every key that has one.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            target: None,
            events: vec!["s3:ObjectCreated:*".to_owned()],
            prefix: None,
            suffix: None,
            aws: Aws::default(),
        }
    }

    pub(super) fn read(mut section: Section<'_>, base: &Written) -> Self {
        let bucket = section.formed("bucket", names::bucket);
        if !section.has("bucket") {
            section.missing("bucket", "\"my-bucket\"");
        }
        let default = Self::new(bucket.unwrap_or_default());
        let queue = section.formed("queue", |text| {
            not_fifo(text)?;
            // What is no queue's name can be a section's.
            names::section(text).or_else(|_| QueueAddress::read(text).map(|_| ()))?;
            Ok(Target::Queue(text.to_owned()))
        });
        let topic = section.formed("topic", |text| {
            not_fifo(text)?;
            names::topic(text).map(|_| Target::Topic(text.to_owned()))
        });
        match (section.has("queue"), section.has("topic")) {
            (true, true) => section.blame("topic", "queue and topic are two targets; keep one"),
            (false, false) => section.missing("queue and no topic", "\"orders\""),
            (true, false) | (false, true) => {}
        }
        let events = section.texts("events", event);
        if events.as_ref().is_some_and(Vec::is_empty) {
            section.blame("events", "events: empty; name one, such as \"s3:ObjectCreated:*\"");
        }
        let key = |text: &str| match text {
            "" => Err("empty; leave it out".to_owned()),
            text if text.len() > 1024 => Err("longer than a key can be, 1024 bytes".to_owned()),
            text => Ok(text.to_owned()),
        };
        let notification = Self {
            target: queue.or(topic),
            events: events.unwrap_or(default.events),
            prefix: section.formed("prefix", key),
            suffix: section.formed("suffix", key),
            aws: Written::read(&mut section).over(base).resolve(),
            ..default
        };
        section.finish();
        notification
    }
}

fn not_fifo(target: &str) -> Result<(), String> {
    match target.strip_suffix(".fifo") {
        Some(_) => Err(format!("{target:?} is FIFO, and S3 notifies standard queues and topics")),
        None => Ok(()),
    }
}

fn event(name: &str) -> Result<(), String> {
    let parts = name.strip_prefix("s3:").is_some_and(|rest| !rest.is_empty());
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '*');
    if parts && name.chars().all(allowed) {
        return Ok(());
    }
    Err(format!("{name:?} is no event of S3; one looks like \"s3:ObjectCreated:*\""))
}
