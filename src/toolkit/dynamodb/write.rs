//! Many items: in batches of 25, each one confirmed, tried again or told.

mod report;

use std::collections::{HashSet, VecDeque};
use std::pin::pin;

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use futures_util::{Stream, StreamExt, TryStreamExt};

use super::fault::bug;
use super::item::{IntoItem, Item};
use super::{Schema, Table};
use crate::again::{TRIES, pause};
use crate::error::{Error, Kind, Result};

pub use report::{Failed, WriteReport};

/// The most items of one call (`BatchWriteItem` in the API reference). 25 of the largest are less
/// than the 16 MB that a call may have.
pub(crate) const MOST_ITEMS: usize = 25;
/// So many are taken from a stream at once.
const LOAD: usize = 4 * MOST_ITEMS;

/// What is done to one item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Put it.
    Put(Item),
    /// Delete the one of this key.
    Delete(Item),
}

struct Entry {
    place: usize,
    /// The same for items of one key.
    identity: String,
    change: Change,
    tries: u32,
}

impl Table {
    /// Puts all items that a stream gives, taking no more of it than the next hundred. Of two with
    /// the same key the later one stays: they never share a call, and behind one that failed none of
    /// its key is written. One that cannot be written holds up no other.
    ///
    /// Dropped midway, those that were on their way may or may not have been written.
    ///
    /// # Errors
    /// When all further items would fail as well: no such table, no permission, no credentials. What
    /// fails for single items stands in the report.
    pub async fn put_all<S>(&self, items: S) -> Result<WriteReport>
    where
        S: Stream + Send,
        S::Item: IntoItem + Send,
    {
        self.write_all(items.map(|item| item.to_item().map(Change::Put))).await
    }

    /// Deletes the items of all keys that a stream gives; as [`put_all`](Self::put_all).
    ///
    /// # Errors
    /// As [`put_all`](Self::put_all).
    pub async fn delete_many<S>(&self, keys: S) -> Result<WriteReport>
    where
        S: Stream + Send,
        S::Item: IntoItem + Send,
    {
        self.write_all(keys.map(|key| key.to_item().map(Change::Delete))).await
    }

    /// Deletes all items, and leaves the table. What is written meanwhile may stay. To delete the
    /// table and create it again costs less.
    ///
    /// # Errors
    /// As [`put_all`](Self::put_all).
    pub async fn delete_all(&self) -> Result<WriteReport> {
        let schema = self.schema().await?;
        let names = schema.key().map(|part| part.name.clone()).collect();
        let mut keys = pin!(self.scan_only(Some(names)).try_chunks(LOAD));
        let mut report = WriteReport::default();
        while let Some(load) = keys.next().await {
            let load = load.map_err(|broken| broken.1)?;
            report.take(self.write(load.into_iter().map(Change::Delete).collect()).await?)?;
        }
        Ok(report)
    }

    async fn write_all<S>(&self, changes: S) -> Result<WriteReport>
    where
        S: Stream<Item = Result<Change>> + Send,
    {
        let mut changes = pin!(changes.chunks(LOAD));
        let mut report = WriteReport::default();
        while let Some(load) = changes.next().await {
            // Those that are no items are told at their places.
            let mut unfit: Vec<Option<Error>> = Vec::with_capacity(load.len());
            let mut fit = Vec::with_capacity(load.len());
            for change in load {
                unfit.push(change.map(|change| fit.push(change)).err());
            }
            let mut written = self.write(fit).await?.into_iter();
            let outcome = |unfit: Option<Error>| unfit.or_else(|| written.next().flatten());
            let outcomes = unfit.into_iter().map(outcome).collect();
            report.take(outcomes)?;
        }
        Ok(report)
    }

    /// Writes all of it and says, by position, why one could not be written.
    ///
    /// # Errors
    /// Where the keys of the table cannot be known, and nothing was written.
    pub(crate) async fn write(&self, changes: Vec<Change>) -> Result<Vec<Option<Error>>> {
        let schema = self.schema().await?;
        let mut outcomes: Vec<Option<Error>> = changes.iter().map(|_| None).collect();
        let mut left = VecDeque::new();
        for (place, (change, outcome)) in changes.into_iter().zip(&mut outcomes).enumerate() {
            let (Change::Put(item) | Change::Delete(item)) = &change;
            match schema.identity(item) {
                Ok(identity) => left.push_back(Entry { place, identity, change, tries: 0 }),
                Err(error) => *outcome = Some(error),
            }
        }
        let carry = async {
            self.carry(&schema, left, &mut outcomes).await;
            Ok(())
        };
        self.writing(carry).await?;
        Ok(outcomes)
    }

    async fn carry(
        &self,
        schema: &Schema,
        mut left: VecDeque<Entry>,
        outcomes: &mut [Option<Error>],
    ) {
        // How many of the next ones go alone, since one of them spoils the call.
        let mut alone = 0_usize;
        while !left.is_empty() {
            let batch = next_batch(&mut left, if alone > 0 { 1 } else { MOST_ITEMS });
            alone = alone.saturating_sub(1);
            let (unwritten, told): (Vec<Entry>, Error) = match self.send(schema, &batch).await {
                Ok(unprocessed) => {
                    let rest =
                        batch.into_iter().filter(|entry| unprocessed.contains(&entry.identity));
                    let told = Error::new(
                        Kind::Throttled,
                        format!("putting into the DynamoDB table {}", self.name),
                    );
                    (rest.collect(), told.because("DynamoDB left it unprocessed"))
                }
                Err(error) if error.kind() == Kind::Invalid && batch.len() > 1 => {
                    alone = batch.len();
                    put_back(&mut left, batch);
                    continue;
                }
                Err(error) if error.kind() == Kind::Invalid || error.kind().passes_by_itself() => {
                    (batch, error)
                }
                Err(error) => {
                    for entry in batch.into_iter().chain(left.drain(..)) {
                        fail(outcomes, entry.place, error.again());
                    }
                    return;
                }
            };
            let mut retried = Vec::new();
            for mut entry in unwritten {
                entry.tries += 1;
                if told.kind().passes_by_itself() && entry.tries < TRIES {
                    retried.push(entry);
                    continue;
                }
                break_off(&mut left, &entry.identity, outcomes);
                fail(outcomes, entry.place, told.again());
            }
            let tries = retried.iter().map(|entry| entry.tries).max();
            put_back(&mut left, retried);
            if let Some(tries) = tries {
                pause(tries).await;
            }
        }
    }

    /// One call; gives what DynamoDB has left unprocessed.
    async fn send(&self, schema: &Schema, batch: &[Entry]) -> Result<HashSet<String>> {
        let requests = batch.iter().map(|entry| entry.change.for_sdk(schema));
        let requests = requests.collect::<Result<Vec<_>>>()?;
        let request = self.client.batch_write_item().request_items(&*self.name, requests);
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.failed("writing a batch into", error))?;
        let mut unprocessed = HashSet::new();
        for request in answer.unprocessed_items.unwrap_or_default().into_values().flatten() {
            let item = match (request.put_request, request.delete_request) {
                (Some(put), _) => put.item,
                (None, Some(delete)) => delete.key,
                (None, None) => continue,
            };
            unprocessed.insert(schema.identity(&Item::of_sdk(item))?);
        }
        if unprocessed.iter().all(|one| batch.iter().any(|entry| entry.identity == *one)) {
            return Ok(unprocessed);
        }
        // It tells nothing about those that were sent: then none counts as written.
        let what = format!("writing a batch into the DynamoDB table {}", self.name);
        Err(Error::new(Kind::Transient, what).because("the answer names an item never sent"))
    }
}

impl Change {
    fn for_sdk(&self, schema: &Schema) -> Result<WriteRequest> {
        let request = WriteRequest::builder();
        Ok(match self {
            Self::Put(item) => {
                let put = PutRequest::builder().set_item(Some(item.for_sdk()));
                request.put_request(put.build().map_err(bug)?).build()
            }
            Self::Delete(key) => {
                let key = schema.key_of(key).for_sdk();
                let delete = DeleteRequest::builder().set_key(Some(key));
                request.delete_request(delete.build().map_err(bug)?).build()
            }
        })
    }
}

/// The first ones, no two of one key: those wait for the next call.
fn next_batch(left: &mut VecDeque<Entry>, most: usize) -> Vec<Entry> {
    let (mut batch, mut rest) = (Vec::new(), VecDeque::new());
    let mut keys = HashSet::new();
    while let Some(entry) = left.pop_front() {
        if batch.len() < most && keys.insert(entry.identity.clone()) {
            batch.push(entry);
        } else {
            rest.push_back(entry);
        }
    }
    *left = rest;
    batch
}

/// To the front again, in their order.
fn put_back(left: &mut VecDeque<Entry>, batch: Vec<Entry>) {
    for entry in batch.into_iter().rev() {
        left.push_front(entry);
    }
}

/// What stands behind one that failed must not overtake it: whoever puts that one again later would
/// overwrite it.
fn break_off(left: &mut VecDeque<Entry>, identity: &str, outcomes: &mut [Option<Error>]) {
    left.retain(|entry| {
        let stays = entry.identity != identity;
        if !stays {
            let error = Error::new(Kind::Transient, "an earlier item of the same key failed");
            fail(outcomes, entry.place, error);
        }
        stays
    });
}

fn fail(outcomes: &mut [Option<Error>], place: usize, error: Error) {
    if let Some(outcome) = outcomes.get_mut(place) {
        *outcome = Some(error);
    }
}
