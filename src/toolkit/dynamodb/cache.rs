//! A whole table kept in a file of this host, for tables that change slowly.
//!
//! Beside the cached scan lies a mark, a random word. Whoever writes to the table through
//! [`Table`] changes it, before and after; a cached scan is good only under the mark that stood when
//! it began. Where nobody has ever cached a table there is no mark, and writing costs one look.

mod file;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;

use self::file::{Head, Place};
use super::fault::region;
use super::item::Item;
use super::{Facts, Table};
use crate::error::{Error, Kind, Result};

/// How old a cached scan may be unless told otherwise: DynamoDB itself counts the items of a table
/// no more often.
pub const DEFAULT_MAX_AGE: Duration = Duration::from_hours(6);

/// All items of a table, read now or before.
#[derive(Debug, Clone, PartialEq)]
pub struct Cached {
    /// The items.
    pub items: Vec<Item>,
    /// They came from the cache.
    pub is_hit: bool,
    /// They are in the cache now.
    pub is_kept: bool,
    /// When they were read from the table.
    pub read_at: SystemTime,
}

impl Table {
    /// All items, from the cache while it is good: younger than `max_age`, the table's count of
    /// items (which DynamoDB renews about every six hours) unchanged, and the table not written to
    /// since by this host through [`Table`] with the same cache directory. What others write shows
    /// only by the count or the age.
    ///
    /// A damaged cache counts as none, and one that cannot be written is logged and done without.
    /// The items are held in memory, all of them. Dropped midway, the cache stays as it was.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn scan_cached(&self, max_age: Duration) -> Result<Cached> {
        let Some(place) = self.place() else { return self.scan_into(None).await };
        let facts = self.describe().await?;
        let read = {
            let (place, facts) = (place.clone(), facts.clone());
            off_the_runtime(move || Ok(place.read(|head| is_good(head, &facts, max_age)))).await?
        };
        match read {
            Some((head, items)) => {
                let read_at = SystemTime::UNIX_EPOCH + Duration::from_millis(head.read_at);
                Ok(Cached { items, is_hit: true, is_kept: true, read_at })
            }
            None => self.scan_into(Some((place, facts))).await,
        }
    }

    /// All items, read now and put into the cache; as [`scan_cached`](Self::scan_cached).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn refresh(&self) -> Result<Cached> {
        let Some(place) = self.place() else { return self.scan_into(None).await };
        let facts = self.describe().await?;
        self.scan_into(Some((place, facts))).await
    }

    async fn scan_into(&self, into: Option<(Place, Facts)>) -> Result<Cached> {
        let read_at = SystemTime::now();
        let mark = match &into {
            // Before the first page: what is written from now on makes it outdated.
            Some((place, _)) => {
                let place = place.clone();
                off_the_runtime(move || place.mark())
                    .await
                    .map_err(|error| self.unkept(&error))
                    .ok()
            }
            None => None,
        };
        let items: Vec<Item> = self.scan().try_collect().await?;
        let mut is_kept = false;
        if let (Some((place, facts)), Some(mark)) = (into, mark) {
            let read_at = read_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let head = Head {
                version: file::VERSION,
                arn: facts.arn,
                id: facts.id,
                count: facts.items,
                mark,
                read_at: u64::try_from(read_at.as_millis()).unwrap_or(0),
            };
            let lines: Vec<String> = items.iter().map(Item::typed_json).collect();
            let written = off_the_runtime(move || place.write(&head, &lines)).await;
            is_kept = written.map_err(|error| self.unkept(&error)).is_ok();
        }
        Ok(Cached { items, is_hit: false, is_kept, read_at })
    }

    fn unkept(&self, error: &Error) {
        tracing::warn!(table = %self.name, %error, "cached scan not kept");
    }

    /// Does something that may change items: cached scans are outdated from before to after it.
    pub(super) async fn writing<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(place) = self.place() else { return call.await };
        // Nothing is written where those who read the cache could not be told.
        let mark = place.clone();
        off_the_runtime(move || mark.change()).await?;
        let written = call.await;
        if let Err(error) = off_the_runtime(move || place.change()).await {
            tracing::warn!(table = %self.name, %error, "cached scan not marked as outdated");
        }
        written
    }

    fn place(&self) -> Option<Place> {
        let directory: PathBuf = self.cache.as_deref()?.to_owned();
        let table = self.name.rsplit('/').next().unwrap_or_default();
        Some(Place::of(directory, region(&self.client), table))
    }
}

fn is_good(head: &Head, facts: &Facts, max_age: Duration) -> bool {
    let read_at = SystemTime::UNIX_EPOCH + Duration::from_millis(head.read_at);
    // One from the future tells nothing of its age.
    let age = SystemTime::now().duration_since(read_at);
    (&head.arn, &head.id, head.count) == (&facts.arn, &facts.id, facts.items)
        && age.is_ok_and(|age| age < max_age)
}

async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|cut| Err(Error::new(Kind::Aborted, "the cached scan").because(cut)))
}
