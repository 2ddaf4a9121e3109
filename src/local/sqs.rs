//! The embedded SQS: queues in memory, on tokio's clock.
//!
//! Written here because time matters to Longshore's own tests: leases, delays and long polls end
//! at their instant and not at the next tick, also under tokio's paused clock. Queues are known
//! by name alone: a request of any region finds them, and an ARN carries the region of the
//! request that created the queue.
//!
//! Not there: `AddPermission`, `RemovePermission`, message move tasks; policies and encryption
//! settings are kept and given back without effect; a deleted name may be used again at once.

mod depot;
mod message;
mod query;
mod queue;
mod queues;
mod receipt;
mod request;
mod send;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use self::message::{Attribute, Attributes, Draft};
pub(super) use self::query::{fault_as_xml, input_from_form, output_as_xml};
use self::queue::Queue;
use self::send::Sent;
use super::clock::Clock;
use super::digest;
use super::fault::Fault;
use super::guarded::Guarded;

/// Who asks: under which address it reached us, and for which region it signed.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Scheme, host and port, as in `http://127.0.0.1:4566`.
    pub(super) origin: String,
    pub(super) region: String,
}

#[derive(Debug)]
pub(super) struct Sqs {
    clock: Clock,
    queues: Guarded<BTreeMap<String, Arc<Queue>>>,
    drained: CancellationToken,
}

/// SQS and SNS tell a FIFO queue or topic by its name, in just this spelling.
pub(super) fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

fn no_such_queue() -> Fault {
    Fault::new("QueueDoesNotExist", "The specified queue does not exist.")
}

impl Sqs {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, queues: Guarded::default(), drained: CancellationToken::new() }
    }

    /// From now on every receive, waiting ones included, is answered empty at once.
    pub(super) fn drain(&self) {
        self.drained.cancel();
    }

    /// Creates the queue with AWS's defaults unless it is there. A FIFO queue (`….fifo`)
    /// deduplicates by content.
    pub(super) fn ensure(&self, name: &str, region: &str) -> Result<(), Fault> {
        if self.find(name).is_some() {
            return Ok(());
        }
        let mut attributes = BTreeMap::new();
        if is_fifo(name) {
            attributes.insert("ContentBasedDeduplication".to_owned(), "true".to_owned());
        }
        self.create(name, &attributes, BTreeMap::new(), region)
    }

    /// Sends to the queue of this ARN, for SNS.
    pub(super) fn send_to_arn(&self, arn: &str, draft: Draft) -> Result<(), Fault> {
        let name = arn.rsplit(':').next().unwrap_or_default();
        self.find(name).ok_or_else(no_such_queue)?.send(draft).map(drop)
    }

    /// How many requests on this queue are under way.
    #[cfg(test)]
    pub(super) fn under_way(&self, name: &str) -> usize {
        self.queues.lock().get(name).map_or(0, |queue| Arc::strong_count(queue) - 1)
    }

    fn find(&self, name: &str) -> Option<Arc<Queue>> {
        self.queues.lock().get(name).map(Arc::clone)
    }

    /// Finds by URL; only its last part counts, so that every host name of ours will do.
    fn at(&self, url: &str) -> Result<Arc<Queue>, Fault> {
        let name = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        self.find(name).ok_or_else(no_such_queue)
    }

    /// Answers one operation.
    pub(super) async fn call(
        &self,
        caller: &Caller,
        action: &str,
        input: Value,
    ) -> Result<Value, Fault> {
        match action {
            "ReceiveMessage" => self.receive(request::read(input)?).await,
            "SendMessage" => self.send(request::read(input)?),
            "SendMessageBatch" => self.send_batch(request::read(input)?),
            "DeleteMessage" | "ChangeMessageVisibility" => {
                let one: request::OfMessage = request::read(input)?;
                settle(&*self.at(&one.queue_url)?, action, &one.receipt)?;
                Ok(json!({}))
            }
            "DeleteMessageBatch" | "ChangeMessageVisibilityBatch" => {
                let batch: request::Batch<request::Receipt> = request::read(input)?;
                batch.check()?;
                let queue = self.at(&batch.queue_url)?;
                Ok(outcome(batch.entries, |receipt| {
                    settle(&queue, action, &receipt)?;
                    Ok(Map::new())
                }))
            }
            "CreateQueue" | "GetQueueUrl" | "ListQueues" => self.directory(caller, action, input),
            "DeleteQueue"
            | "PurgeQueue"
            | "GetQueueAttributes"
            | "SetQueueAttributes"
            | "TagQueue"
            | "UntagQueue"
            | "ListQueueTags"
            | "ListDeadLetterSourceQueues" => self.of_queue(caller, action, request::read(input)?),
            _ => Err(Fault::unknown_action("SQS", action)),
        }
    }

    fn send(&self, input: request::SendMessage) -> Result<Value, Fault> {
        let draft = input.message.draft();
        let answer = echo(&draft);
        let sent = self.at(&input.queue_url)?.send(draft)?;
        Ok(Value::Object(complete(answer, sent)))
    }

    fn send_batch(&self, input: request::Batch<request::Outgoing>) -> Result<Value, Fault> {
        input.check()?;
        let queue = self.at(&input.queue_url)?;
        let drafts: Vec<request::Entry<Draft>> = input
            .entries
            .into_iter()
            .map(|entry| request::Entry { id: entry.id, content: entry.content.draft() })
            .collect();
        let size: usize = drafts.iter().map(|entry| entry.content.size()).sum();
        if size > 1_048_576 {
            return Err(Fault::new(
                "BatchRequestTooLong",
                format!(
                    "Batch requests cannot be longer than 1048576 bytes. You have sent {size} \
                     bytes."
                ),
            ));
        }
        Ok(outcome(drafts, |draft| {
            let answer = echo(&draft);
            Ok(complete(answer, queue.send(draft)?))
        }))
    }

    async fn receive(&self, input: request::ReceiveMessage) -> Result<Value, Fault> {
        let queue = self.at(&input.queue_url)?;
        let wait = input
            .wait_time_seconds
            .unwrap_or_else(|| queue.settings().number("ReceiveMessageWaitTimeSeconds"));
        let deadline = Instant::now() + Duration::from_secs(wait.min(20));
        let ask = input.ask()?;
        let find = |name: &str| self.find(name).filter(|found| found.name != queue.name);
        let messages = queue.receive(&ask, deadline, &self.drained, find).await?;
        Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
    }
}

fn settle(queue: &Queue, action: &str, receipt: &request::Receipt) -> Result<(), Fault> {
    if action.starts_with("Delete") {
        queue.delete(&receipt.receipt_handle)
    } else {
        queue.change_visibility(&receipt.receipt_handle, receipt.lease()?)
    }
}

/// The checksums that prove to the sender what arrived.
fn echo(draft: &Draft) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("MD5OfMessageBody".to_owned(), json!(digest::md5_hex(draft.body.as_bytes())));
    if let Some(md5) = message::md5_of_attributes(&draft.attributes) {
        answer.insert("MD5OfMessageAttributes".to_owned(), json!(md5));
    }
    if let Some(trace) = &draft.trace_header {
        let system = Attribute {
            data_type: "String".to_owned(),
            string_value: Some(trace.clone()),
            binary_value: None,
        };
        let system = BTreeMap::from([("AWSTraceHeader".to_owned(), system)]);
        let md5 = message::md5_of_attributes(&system);
        answer.insert("MD5OfMessageSystemAttributes".to_owned(), json!(md5));
    }
    answer
}

fn complete(mut answer: Map<String, Value>, sent: Sent) -> Map<String, Value> {
    answer.insert("MessageId".to_owned(), json!(sent.id));
    if let Some(sequence) = sent.sequence {
        answer.insert("SequenceNumber".to_owned(), json!(sequence));
    }
    answer
}

/// Does each entry of a batch by itself and tells which succeeded.
fn outcome<T>(
    entries: Vec<request::Entry<T>>,
    mut each: impl FnMut(T) -> Result<Map<String, Value>, Fault>,
) -> Value {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match each(entry.content) {
            Ok(mut answer) => {
                answer.insert("Id".to_owned(), json!(entry.id));
                successful.push(Value::Object(answer));
            }
            Err(fault) => failed.push(json!({
                "Id": entry.id,
                "SenderFault": true,
                "Code": fault.query_code(),
                "Message": fault.message,
            })),
        }
    }
    json!({ "Successful": successful, "Failed": failed })
}
