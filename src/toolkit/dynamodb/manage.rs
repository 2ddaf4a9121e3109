//! What can be done to a table itself: create, delete, list, and what it says of itself.

use std::time::Duration;

use aws_sdk_dynamodb::types::{BillingMode, TableDescription, TableStatus};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use tokio::time::{Instant, sleep};

use super::fault::{region, says};
use super::{Schema, Table};
use crate::again::again;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};

/// How long a table may take to be there, or to be gone; most take seconds.
const MOST_WAIT: Duration = Duration::from_mins(2);
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What a table says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its id, which another table of the same name would not have.
    pub id: String,
    /// Its status as DynamoDB says it: `CREATING`, `ACTIVE`, `UPDATING`, `DELETING`…
    pub status: String,
    /// Its keys and indexes.
    pub schema: Schema,
    /// How many items it had when DynamoDB last counted: about every six hours
    /// (`TableDescription` in the API reference).
    pub items: u64,
    /// How many bytes it had then.
    pub bytes: u64,
}

impl Table {
    /// Creates the table, on demand, and waits at most two minutes until it can be used. One that is
    /// there already with the same keys and indexes is fine. Dropped midway, the table may or may
    /// not have been created; a second call goes on.
    ///
    /// # Errors
    /// [`Kind::Conflict`] where a table of this name has other keys or indexes.
    pub async fn create(&self, schema: &Schema) -> Result<()> {
        let mut wanted = schema.clone();
        wanted.indexes.sort_by(|one, other| one.name.cmp(&other.name));
        let began = Instant::now();
        loop {
            match self.find("describing").await? {
                None => self.begin(&wanted).await?,
                Some(table) if is_going(&table) => {}
                Some(table) if Schema::of_table(&table).as_ref() != Some(&wanted) => {
                    let what =
                        format!("the DynamoDB table {} has other keys or indexes", self.name);
                    return Err(Error::new(Kind::Conflict, what).hint(format!(
                        "`longshore dynamodb describe {}` shows them; name another table, or \
                         delete this one first",
                        self.name
                    )));
                }
                Some(table) if is_ready(&table) => return Ok(()),
                Some(_) => {}
            }
            wait(began, || format!("creating the DynamoDB table {}: it is not active", self.name))
                .await?;
        }
    }

    async fn begin(&self, schema: &Schema) -> Result<()> {
        let indexes =
            schema.indexes.iter().map(super::Index::for_sdk).collect::<Result<Vec<_>>>()?;
        let request = self
            .client
            .create_table()
            .table_name(&*self.name)
            .set_attribute_definitions(Some(schema.definitions()?))
            .set_key_schema(Some(schema.keys_for_sdk()?))
            .set_global_secondary_indexes(Some(indexes).filter(|indexes| !indexes.is_empty()))
            .billing_mode(BillingMode::PayPerRequest);
        again(|| {
            let request = request.clone();
            async move {
                match request.send().await {
                    // Somebody else was faster, or one of its name is not quite gone.
                    Err(error) if says(&error, "ResourceInUseException") => Ok(()),
                    Err(error) => Err(self.failed("creating", error)),
                    Ok(_) => Ok(()),
                }
            }
        })
        .await
    }

    /// Deletes the table with all its items, and waits at most two minutes until it is gone. Dropped
    /// midway, the table may or may not be deleted.
    ///
    /// # Errors
    /// [`Kind::Missing`] where there is none: it may have been meant for another region.
    pub async fn destroy(&self) -> Result<()> {
        let request = self.client.delete_table().table_name(&*self.name);
        let mut tried = false;
        again(|| {
            let (request, tried) = (request.clone(), std::mem::replace(&mut tried, true));
            async move {
                match request.send().await {
                    Err(error) if tried && says(&error, "ResourceNotFoundException") => Ok(()),
                    Err(error) => Err(self.failed("deleting", error)),
                    Ok(_) => Ok(()),
                }
            }
        })
        .await?;
        let began = Instant::now();
        while self.find("waiting for the end of").await?.is_some() {
            wait(began, || format!("deleting the DynamoDB table {}: it is not gone", self.name))
                .await?;
        }
        *self.known.write().await = None;
        Ok(())
    }

    /// Whether there is such a table; one that is being deleted counts no more.
    ///
    /// # Errors
    /// Where that cannot be known.
    pub async fn exists(&self) -> Result<bool> {
        let found = self.find("describing").await?;
        Ok(found.is_some_and(|table| !is_going(&table)))
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// [`Kind::Missing`] where there is no such table.
    pub async fn describe(&self) -> Result<Facts> {
        let table = self.find("describing").await?.ok_or_else(|| self.missing())?;
        let schema = Schema::of_table(&table).ok_or_else(|| {
            Error::new(Kind::Invalid, format!("the keys of the DynamoDB table {}", self.name))
                .because("a type that this version does not know")
                .answered()
        })?;
        let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
        Ok(Facts {
            schema,
            status: table.table_status().map_or("", TableStatus::as_str).to_owned(),
            items: count(table.item_count).unwrap_or(0),
            bytes: count(table.table_size_bytes).unwrap_or(0),
            name: table.table_name.unwrap_or_default(),
            arn: table.table_arn.unwrap_or_default(),
            id: table.table_id.unwrap_or_default(),
        })
    }

    async fn find(&self, what: &str) -> Result<Option<TableDescription>> {
        let request = self.client.describe_table().table_name(&*self.name);
        again(|| {
            let request = request.clone();
            async move {
                match request.send().await {
                    Ok(answer) => Ok(answer.table),
                    Err(error) if says(&error, "ResourceNotFoundException") => Ok(None),
                    Err(error) => Err(self.failed(what, error)),
                }
            }
        })
        .await
    }
}

/// Whether there is a table of this name or ARN.
///
/// # Errors
/// Where that cannot be known.
pub async fn exists(client: &aws_sdk_dynamodb::Client, name: &str) -> Result<bool> {
    Table::new(client.clone(), name).exists().await
}

/// The tables of this account and region by their names, page by page.
pub fn list(
    client: &aws_sdk_dynamodb::Client,
) -> impl Stream<Item = Result<String>> + Send + use<'_> {
    let begin = (Vec::new().into_iter(), Some(None));
    try_unfold(begin, move |(mut page, mut next): (std::vec::IntoIter<String>, _)| async move {
        loop {
            if let Some(name) = page.next() {
                return Ok(Some((name, (page, next))));
            }
            let Some(after) = next else { return Ok(None) };
            let request = client.list_tables().set_exclusive_start_table_name(after);
            let answer = again(|| {
                let request = request.clone();
                async move {
                    request.send().await.map_err(|error| {
                        fault(format!("listing the DynamoDB tables of {}", region(client)), error)
                    })
                }
            });
            let answer = answer.await?;
            page = answer.table_names.unwrap_or_default().into_iter();
            next = answer.last_evaluated_table_name.map(Some);
        }
    })
}

async fn wait(began: Instant, what: impl FnOnce() -> String) -> Result<()> {
    if began.elapsed() >= MOST_WAIT {
        return Err(Error::new(Kind::Transient, format!("{} after two minutes", what()))
            .hint("run it again in a minute"));
    }
    sleep(LOOK_AGAIN).await;
    Ok(())
}

fn is_ready(table: &TableDescription) -> bool {
    // It can be used while it is changed, too.
    matches!(table.table_status(), Some(TableStatus::Active | TableStatus::Updating))
}

fn is_going(table: &TableDescription) -> bool {
    table.table_status() == Some(&TableStatus::Deleting)
}
