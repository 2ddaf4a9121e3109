//! The operations on queues themselves: create, find, list, set, tag, purge, delete.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::queue::Queue;
use super::settings::Settings;
use super::{Caller, Sqs, no_such_queue, request};
use crate::local::ACCOUNT;
use crate::local::fault::Fault;

const MOST_QUEUES: usize = 10_000;

impl Sqs {
    pub(super) fn directory(
        &self,
        caller: &Caller,
        action: &str,
        input: Value,
    ) -> Result<Value, Fault> {
        match action {
            "CreateQueue" => {
                let create: request::CreateQueue = request::read(input)?;
                let name = &create.queue_name;
                self.create(name, &create.attributes, create.tags, &caller.region)?;
                Ok(json!({ "QueueUrl": url(caller, name) }))
            }
            "GetQueueUrl" => {
                let get: request::GetQueueUrl = request::read(input)?;
                self.find(&get.queue_name).ok_or_else(no_such_queue)?;
                Ok(json!({ "QueueUrl": url(caller, &get.queue_name) }))
            }
            _ => {
                let input: request::ListQueues = request::read(input)?;
                let most = usize::try_from(input.max_results.unwrap_or(1_000)).unwrap_or(1_000);
                let after = input.next_token.unwrap_or_default();
                let mut names: Vec<String> = self.queues.lock().keys().cloned().collect();
                names.retain(|name| name.starts_with(&input.queue_name_prefix) && *name > after);
                let more = names.len() > most;
                names.truncate(most);
                let urls: Vec<String> = names.iter().map(|name| url(caller, name)).collect();
                Ok(match names.last().filter(|_| more) {
                    Some(last) => json!({ "QueueUrls": urls, "NextToken": last }),
                    None => json!({ "QueueUrls": urls }),
                })
            }
        }
    }

    pub(super) fn create(
        &self,
        name: &str,
        attributes: &BTreeMap<String, String>,
        tags: BTreeMap<String, String>,
        region: &str,
    ) -> Result<(), Fault> {
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let right = (1..=80).contains(&name.len())
            && !stem.is_empty()
            && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !right {
            return Err(Fault::parameter(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in \
                 length; a FIFO queue's name ends with .fifo",
            ));
        }
        let mut settings = Settings::new(stem.len() < name.len());
        settings.set(attributes)?;
        let mut queues = self.queues.lock();
        if let Some(queue) = queues.get(name) {
            let mut asked = queue.settings();
            asked.set(attributes)?;
            return if asked == queue.settings() {
                Ok(())
            } else {
                Err(Fault::new(
                    "QueueNameExists",
                    "A queue already exists with the same name and a different value for an \
                     attribute.",
                ))
            };
        }
        if queues.len() >= MOST_QUEUES {
            return Err(Fault::new("OverLimit", "the embedded SQS keeps at most 10000 queues"));
        }
        let queue = Queue::new(name, region, settings, self.clock);
        queue.with_tags(|own| *own = tags);
        queues.insert(name.to_owned(), Arc::new(queue));
        Ok(())
    }

    pub(super) fn of_queue(
        &self,
        caller: &Caller,
        action: &str,
        input: request::OfQueue,
    ) -> Result<Value, Fault> {
        let queue = self.at(&input.queue_url)?;
        match action {
            "DeleteQueue" => {
                self.queues.lock().remove(&queue.name);
                queue.deleted.cancel();
            }
            "PurgeQueue" => queue.purge()?,
            "SetQueueAttributes" => queue.set(&input.attributes)?,
            "GetQueueAttributes" => {
                let wanted = &input.attribute_names;
                let mut all = queue.attributes();
                all.retain(|name, _| wanted.iter().any(|want| want == "All" || want == name));
                return Ok(json!({ "Attributes": all }));
            }
            "TagQueue" => queue.with_tags(|tags| tags.extend(input.tags)),
            "UntagQueue" => queue.with_tags(|tags| {
                tags.retain(|key, _| !input.tag_keys.contains(key));
            }),
            "ListQueueTags" => return Ok(json!({ "Tags": queue.with_tags(|tags| tags.clone()) })),
            _ => {
                let queues = self.queues.lock();
                let feeds = |other: &Queue| {
                    other.settings().redrive().is_some_and(|r| r.target == queue.name)
                };
                let urls: Vec<String> = queues
                    .values()
                    .filter(|other| feeds(other))
                    .map(|other| url(caller, &other.name))
                    .collect();
                return Ok(json!({ "queueUrls": urls }));
            }
        }
        Ok(json!({}))
    }
}

fn url(caller: &Caller, name: &str) -> String {
    format!("{}/{ACCOUNT}/{name}", caller.origin)
}
