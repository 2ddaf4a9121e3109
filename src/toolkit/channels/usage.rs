//! When a channel's queue was last used: a tag on the queue itself, so that nothing else is needed.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::aws::fault::fault;
use crate::error::Result;
use crate::toolkit::sqs::QueueUrl;
use crate::units;

/// The tag that tells when.
const LAST_USE: &str = "longshore:channel-last-use";
/// The tag that tells the channel's topic.
const TOPIC: &str = "longshore:channel-topic";

/// It is noted at most so often.
pub(super) const OFTEN: Duration = Duration::from_hours(24);

/// What the tags of a queue say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) last_use: SystemTime,
    pub(super) topic: Option<String>,
}

/// Notes that the queue is used now.
pub(super) async fn note(
    client: &aws_sdk_sqs::Client,
    queue: &QueueUrl,
    topic: &str,
) -> Result<()> {
    let request = client.tag_queue().queue_url(queue.as_str());
    let request = request.tags(LAST_USE, units::utc(SystemTime::now())).tags(TOPIC, topic);
    let answer = request.send().await;
    answer.map(drop).map_err(|error| fault(format!("tagging queue {}", queue.name()), error))
}

/// What was noted; nothing on a queue that is not ours.
pub(super) async fn read(client: &aws_sdk_sqs::Client, queue: &QueueUrl) -> Result<Option<Usage>> {
    let answer = client.list_queue_tags().queue_url(queue.as_str()).send().await;
    let answer = answer
        .map_err(|error| fault(format!("reading the tags of queue {}", queue.name()), error))?;
    Ok(of_tags(answer.tags.unwrap_or_default()))
}

fn of_tags(mut tags: HashMap<String, String>) -> Option<Usage> {
    let written = tags.remove(LAST_USE)?;
    // What cannot be read is nothing that could be old.
    let at = DateTime::from_str(&written, Format::DateTime).ok()?;
    let last_use = SystemTime::try_from(at).ok()?;
    Some(Usage { last_use, topic: tags.remove(TOPIC) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tag_that_can_be_read_tells_a_use() {
        let tags = |name: &str, value: &str| HashMap::from([(name.to_owned(), value.to_owned())]);
        let used = of_tags(tags(LAST_USE, "1970-01-02T00:00:00.000Z")).unwrap();
        assert_eq!(used.last_use, SystemTime::UNIX_EPOCH + OFTEN);
        assert_eq!(of_tags(tags(LAST_USE, "long ago")), None);
        assert_eq!(of_tags(tags("other", "1970-01-02T00:00:00.000Z")), None);
        let now = SystemTime::now();
        let noted = of_tags(tags(LAST_USE, &units::utc(now))).unwrap().last_use;
        assert!(now.duration_since(noted).unwrap() < Duration::from_millis(1));
    }
}
