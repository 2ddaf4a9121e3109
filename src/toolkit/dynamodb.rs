//! Tables of DynamoDB and their items.
//!
//! An [`Item`] is exact: no number loses a digit, and bytes stay bytes. Anything that serde can
//! serialise will do where an item or a key is asked for, and [`Item::to`] makes it again.
//! ```no_run
//! # async fn example(client: aws_sdk_dynamodb::Client) -> longshore::error::Result<()> {
//! use futures_util::TryStreamExt;
//! use longshore::toolkit::dynamodb::Table;
//! use serde_json::json;
//!
//! let table = Table::new(client, "my-table");
//! let value = json!({ "id": 50, "some": "other", "cool": "values", "ttl": 1234567890 });
//! table.put(&value).await?;
//! let got = table.get(&json!({ "id": 50 })).await?;
//! assert_eq!(got.map(|item| item.json()), Some(value.to_string()));
//! table.delete(&json!({ "id": 50 })).await?;
//!
//! // Every item, page by page
//! let all: Vec<_> = table.scan().try_collect().await?;
//! for item in all {
//!     println!("{}", item.json()); // {"cool":"b","id":51,"some":"a","ttl":1234567890}
//! }
//! # Ok(())
//! # }
//! ```
//! Reads are consistent, indexes aside, where AWS has none. What fails in passing is tried again, at
//! most five times. A call that is dropped midway may or may not have changed the item.

mod cache;
mod fault;
mod item;
mod items;
mod manage;
mod query;
mod schema;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::RwLock;

use crate::config::env;
use crate::error::Result;

pub use cache::{Cached, DEFAULT_MAX_AGE};
pub use item::{IntoItem, Item, MOST_BYTES, Value};
pub use manage::{Facts, exists, list};
pub use query::Query;
pub use schema::{Index, KeyAttribute, KeyType, Schema};
pub(crate) use write::{Change, MOST_ITEMS};
pub use write::{Failed, WriteReport};

/// One table. Clones share what is known of it.
#[derive(Debug, Clone)]
pub struct Table {
    client: aws_sdk_dynamodb::Client,
    name: Arc<str>,
    /// What its keys are, once that was asked.
    known: Arc<RwLock<Option<Schema>>>,
    cache: Option<Arc<Path>>,
}

impl Table {
    /// The table of this name or ARN. No request is sent.
    ///
    /// Cached scans lie in `$CACHE_DIRECTORY`, else `$XDG_CACHE_HOME/longshore`, else
    /// `~/.cache/longshore`.
    pub fn new(client: aws_sdk_dynamodb::Client, name: impl Into<Arc<str>>) -> Self {
        let cache = env::cache_directory().map(|directory| directory.join("dynamodb").into());
        Self { client, name: name.into(), known: Arc::default(), cache }
    }

    /// Keeps cached scans in this directory. Only who writes to the table with the same directory
    /// makes the cached scans in it outdated.
    #[must_use]
    pub fn cache_in(self, directory: impl Into<PathBuf>) -> Self {
        Self { cache: Some(directory.into().into()), ..self }
    }

    /// Its name or ARN, as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its keys and indexes: asked once, then remembered.
    ///
    /// # Errors
    /// Where there is no such table, or DynamoDB cannot be asked.
    pub async fn schema(&self) -> Result<Schema> {
        if let Some(known) = self.known.read().await.clone() {
            return Ok(known);
        }
        let mut known = self.known.write().await;
        if let Some(known) = known.clone() {
            return Ok(known);
        }
        let schema = self.describe().await?.schema;
        *known = Some(schema.clone());
        Ok(schema)
    }

    /// Asks for the keys and indexes anew: true where they are others than these.
    pub(crate) async fn has_changed(&self, since: &Schema) -> Result<bool> {
        let schema = self.describe().await?.schema;
        let has_changed = schema != *since;
        *self.known.write().await = Some(schema);
        Ok(has_changed)
    }
}

#[cfg(test)]
mod tests;
