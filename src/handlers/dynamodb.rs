//! `dynamodb`: puts each body, a JSON object, into a table, 25 in a call.
//!
//! *Done* is an item that DynamoDB has confirmed; what it left unprocessed was tried again. Of two
//! items with one key the later message stays. A message that comes again puts its item again.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Mutex;

use super::judge::{all_judged, judged};
use crate::aws::Aws;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::handler::{BoxHandler, Delivery, Turns, Verdict};
use crate::message::Message;
use crate::outcome::Outcome;
use crate::toolkit::dynamodb::{Change, IntoItem, Item, MOST_BYTES, MOST_ITEMS, Schema, Table};

pub(super) fn build(settings: &config::Dynamodb, name: &str, aws: &Aws) -> BoxHandler {
    let if_absent = settings.if_absent;
    let (settings, aws) = (settings.clone(), aws.clone());
    let writer = Arc::new(Writer { settings, aws, known: Mutex::new(None) });
    if if_absent {
        // No call takes several items with conditions and judges each by itself.
        return BoxHandler::new(name, move |delivery| put_if_absent(Arc::clone(&writer), delivery));
    }
    let most = NonZeroUsize::new(MOST_ITEMS).unwrap_or(NonZeroUsize::MIN);
    BoxHandler::batch(name, most, move |deliveries| put_all(Arc::clone(&writer), deliveries))
}

struct Writer {
    settings: config::Dynamodb,
    aws: Aws,
    /// With what is known of its keys; forgotten when it cannot be reached.
    known: Mutex<Option<Table>>,
}

/// Dropping this future leaves open whether the item was put.
async fn put_if_absent(writer: Arc<Writer>, delivery: Delivery) -> Verdict {
    if delivery.lease.is_lost() {
        return Ok(Outcome::retry("the lease was lost"));
    }
    let item = match writer.item(&delivery.message) {
        Ok(item) => item,
        Err(reject) => return Ok(reject),
    };
    let put = async {
        let table = writer.table().await?;
        let schema = table.schema().await?;
        Ok((table.put_if_absent(&item).await, schema))
    };
    match put.await {
        Ok((Ok(_is_new), _)) => Ok(Outcome::Done),
        Ok((Err(error), schema)) => writer.verdict(&error, &schema).await,
        Err(error) => {
            writer.forget(&error).await;
            judged(&error, false)
        }
    }
}

/// Dropping this future leaves open which items were put.
async fn put_all(writer: Arc<Writer>, deliveries: Vec<Delivery>) -> Vec<Verdict> {
    let mut turns = Turns::of(&deliveries);
    let mut changes = Vec::with_capacity(deliveries.len());
    while let Some(message) = turns.take() {
        match writer.item(message) {
            Ok(item) => changes.push(Change::Put(item)),
            Err(reject) => turns.refuse(Ok(reject)),
        }
    }
    if changes.is_empty() {
        return turns.end([]);
    }
    let count = changes.len();
    let written = match writer.write(changes).await {
        Ok((outcomes, schema)) => writer.verdicts(outcomes, &schema).await,
        Err(error) => {
            writer.forget(&error).await;
            all_judged(count, &error)
        }
    };
    turns.end(written.into_iter().map(Some))
}

impl Writer {
    /// The item of a message, or why there never will be one.
    fn item(&self, message: &Message) -> std::result::Result<Item, Outcome> {
        let Some(text) = message.body.as_text() else {
            let told = if message.body.as_file().is_some() {
                format!("it has {} bytes, DynamoDB takes at most {MOST_BYTES}", message.body.len())
            } else {
                "it is no JSON object: it is not UTF-8".to_owned()
            };
            return Err(Outcome::reject(told));
        };
        let reject = |error: Error| Outcome::reject(error.told());
        let mut item = Item::from_json(text).map_err(reject)?;
        if let Some(name) = &self.settings.id_attribute
            && item.get(name).is_none()
        {
            item.set(name, message.id.as_str());
        }
        if let Some(ttl) = self.settings.ttl
            && item.get(&self.settings.ttl_attribute).is_none()
        {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            item.set(&self.settings.ttl_attribute, (now + ttl).as_secs());
        }
        // With these it may have become too large.
        item.to_item().map_err(reject)
    }

    async fn table(&self) -> Result<Table> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known {
            return Ok(known.clone());
        }
        let client = self.aws.connect(&self.settings.aws).await?.dynamodb;
        Ok(known.insert(Table::new(client, self.settings.table.as_str())).clone())
    }

    /// What became of each, and the keys by which that was judged.
    async fn write(&self, changes: Vec<Change>) -> Result<(Vec<Option<Error>>, Schema)> {
        let table = self.table().await?;
        let schema = table.schema().await?;
        Ok((table.write(changes).await?, schema))
    }

    async fn verdicts(&self, outcomes: Vec<Option<Error>>, schema: &Schema) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            verdicts.push(match outcome {
                None => Ok(Outcome::Done),
                Some(error) => self.verdict(&error, schema).await,
            });
        }
        verdicts
    }

    /// A refusal rejects a message only by the keys that the table has now: it may have been made
    /// anew with others since we asked.
    async fn verdict(&self, error: &Error, schema: &Schema) -> Verdict {
        self.forget(error).await;
        if error.kind() != Kind::Invalid {
            return judged(error, false);
        }
        let changed = async { self.table().await?.has_changed(schema).await };
        match changed.await {
            Ok(false) => judged(error, true),
            Ok(true) => Ok(Outcome::retry("the keys of its table have changed")),
            Err(error) => {
                self.forget(&error).await;
                judged(&error, false)
            }
        }
    }

    /// The next message connects anew, and asks for the keys again.
    async fn forget(&self, error: &Error) {
        if error.kind() == Kind::Credentials {
            self.aws.forget(&self.settings.aws);
        }
        if error.kind().is_of_destination() {
            *self.known.lock().await = None;
        }
    }
}

/// What `longshore check` says of the table. Writes nothing.
pub(super) async fn check(settings: &config::Dynamodb, aws: &Aws) -> Finding {
    let described = async {
        let client = aws.connect(&settings.aws).await?.dynamodb;
        Table::new(client, settings.table.as_str()).describe().await
    };
    let facts = match described.await {
        Ok(facts) => facts,
        Err(error) => return Finding::of_error(&error, 69),
    };
    let table = &settings.table;
    let keys: Vec<String> =
        facts.schema.key().map(|part| format!("{} ({})", part.name, part.kind.letter())).collect();
    let told =
        format!("items can be put into the DynamoDB table {table}; its key: {}", keys.join(", "));
    if matches!(facts.status.as_str(), "ACTIVE" | "UPDATING") {
        return Finding::good(told);
    }
    Finding::unavailable(format!("the DynamoDB table {table} is {}", facts.status))
        .fix("wait until it is active")
}

#[cfg(test)]
mod tests;
