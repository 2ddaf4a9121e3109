//! Finding items by a key or an index, and all of them, page by page.

use std::collections::HashMap;
use std::pin::pin;

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use futures_util::stream::try_unfold;
use futures_util::{Stream, TryStreamExt};

use super::Table;
use super::item::{Item, Value};
use crate::again::again;
use crate::error::Result;

/// What is asked of a table or an index: one partition of it, or a part of that.
///
/// ```
/// use longshore::toolkit::dynamodb::Query;
///
/// let june = Query::equal("sensor", "roof").begins_with("day", "2012-06-");
/// let last = Query::equal("owner", "me").index("owner-index").descending().most(10);
/// # drop((june, last));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    index: Option<String>,
    partition: (String, Value),
    sort: Option<Sort>,
    descending: bool,
    most: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
enum Sort {
    Equal(String, Value),
    BeginsWith(String, Value),
    Between(String, Value, Value),
}

impl Query {
    /// All items of which this partition key has this value.
    pub fn equal(partition_key: impl Into<String>, value: impl Into<Value>) -> Self {
        let partition = (partition_key.into(), value.into());
        Self { index: None, partition, sort: None, descending: false, most: None }
    }

    /// Asks this index instead of the table. What was written just before may be missing there:
    /// indexes have no consistent reads.
    #[must_use]
    pub fn index(self, name: impl Into<String>) -> Self {
        Self { index: Some(name.into()), ..self }
    }

    /// Of these only the ones whose sort key has this value.
    #[must_use]
    pub fn and_equal(self, sort_key: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { sort: Some(Sort::Equal(sort_key.into(), value.into())), ..self }
    }

    /// Of these only the ones whose sort key, text or bytes, begins so.
    #[must_use]
    pub fn begins_with(self, sort_key: impl Into<String>, start: impl Into<Value>) -> Self {
        Self { sort: Some(Sort::BeginsWith(sort_key.into(), start.into())), ..self }
    }

    /// Of these only the ones whose sort key lies between these two, both included.
    #[must_use]
    pub fn between(
        self,
        sort_key: impl Into<String>,
        low: impl Into<Value>,
        high: impl Into<Value>,
    ) -> Self {
        Self { sort: Some(Sort::Between(sort_key.into(), low.into(), high.into())), ..self }
    }

    /// Highest sort key first.
    #[must_use]
    pub fn descending(self) -> Self {
        Self { descending: true, ..self }
    }

    /// No more than so many.
    #[must_use]
    pub fn most(self, most: u64) -> Self {
        Self { most: Some(most), ..self }
    }
}

/// A key as the SDK has it.
type Key = HashMap<String, AttributeValue>;

enum Next {
    First,
    After(Key),
    Nothing,
}

/// How far a stream of pages has come.
struct Place {
    page: std::vec::IntoIter<Item>,
    next: Next,
    left: u64,
}

impl Table {
    /// The items that a query asks for, in the order of their sort keys, page by page: no page is
    /// asked for before the ones before it are taken.
    ///
    /// Errors, once in the stream: as [`get`](Self::get); [`Kind::Invalid`](crate::error::Kind) where there is no
    /// such index.
    pub fn query(&self, query: &Query) -> impl Stream<Item = Result<Item>> + Send + use<> {
        let (table, query) = (self.clone(), query.clone());
        let place = Place {
            page: Vec::new().into_iter(),
            next: Next::First,
            left: query.most.unwrap_or(u64::MAX),
        };
        pages(place, move |from, left| {
            let (table, query) = (table.clone(), query.clone());
            async move { table.query_page(&query, from, left).await }
        })
    }

    /// Of what a query asks for the item with the highest sort key.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn highest(&self, query: &Query) -> Result<Option<Item>> {
        pin!(self.query(&query.clone().descending().most(1))).try_next().await
    }

    /// Of what a query asks for the item with the lowest sort key.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn lowest(&self, query: &Query) -> Result<Option<Item>> {
        let query = Query { descending: false, ..query.clone() }.most(1);
        pin!(self.query(&query)).try_next().await
    }

    /// All items, in no order, page by page: no page is asked for before the ones before it are
    /// taken. The reads are consistent, each page for itself, and the whole table is paid for.
    ///
    /// Errors, once in the stream: as [`get`](Self::get).
    pub fn scan(&self) -> impl Stream<Item = Result<Item>> + Send + use<> {
        self.scan_only(None)
    }

    /// As [`scan`](Self::scan), of each item these attributes alone.
    pub(super) fn scan_only(
        &self,
        names: Option<Vec<String>>,
    ) -> impl Stream<Item = Result<Item>> + Send + use<> {
        let table = self.clone();
        let place = Place { page: Vec::new().into_iter(), next: Next::First, left: u64::MAX };
        pages(place, move |from, _| {
            let mut request = table.client.scan().table_name(&*table.name).consistent_read(true);
            if let Some(names) = &names {
                let places: Vec<String> =
                    (0..names.len()).map(|place| format!("#n{place}")).collect();
                for (place, name) in places.iter().zip(names) {
                    request = request.expression_attribute_names(place, name);
                }
                request = request.projection_expression(places.join(", "));
            }
            let (table, request) = (table.clone(), request.set_exclusive_start_key(from));
            async move {
                let answer = again(|| {
                    let request = request.clone();
                    async { request.send().await.map_err(|error| table.failed("scanning", error)) }
                });
                let answer = answer.await?;
                Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
            }
        })
    }

    /// How many items there are, counted one by one: the whole table is read and paid for.
    /// [`describe`](Self::describe) tells at once how many there were some hours ago.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn count(&self) -> Result<u64> {
        let (mut count, mut from) = (0, None);
        loop {
            let request = self.client.scan().table_name(&*self.name).consistent_read(true);
            let request = request.select(Select::Count).set_exclusive_start_key(from.take());
            let page = again(|| {
                let request = request.clone();
                async move {
                    request
                        .send()
                        .await
                        .map_err(|error| self.failed("counting the items of", error))
                }
            });
            let page = page.await?;
            count += u64::try_from(page.count).unwrap_or(0);
            from = page.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                return Ok(count);
            }
        }
    }

    async fn query_page(&self, query: &Query, from: Option<Key>, left: u64) -> Result<Page> {
        let (name, value) = &query.partition;
        let mut request = self
            .client
            .query()
            .table_name(&*self.name)
            .set_index_name(query.index.clone())
            .consistent_read(query.index.is_none())
            .scan_index_forward(!query.descending)
            .expression_attribute_names("#p", name)
            .expression_attribute_values(":p", value.clone().into_sdk())
            .set_exclusive_start_key(from);
        if let Some(most) = query.most {
            request = request.limit(i32::try_from(most.min(left)).unwrap_or(i32::MAX));
        }
        let (condition, sort) = match &query.sort {
            None => ("#p = :p", None),
            Some(Sort::Equal(name, value)) => ("#p = :p AND #s = :s", Some((name, value))),
            Some(Sort::BeginsWith(name, value)) => {
                ("#p = :p AND begins_with(#s, :s)", Some((name, value)))
            }
            Some(Sort::Between(name, low, high)) => {
                request = request.expression_attribute_values(":t", high.clone().into_sdk());
                ("#p = :p AND #s BETWEEN :s AND :t", Some((name, low)))
            }
        };
        if let Some((name, value)) = sort {
            request = request.expression_attribute_names("#s", name);
            request = request.expression_attribute_values(":s", value.clone().into_sdk());
        }
        let request = request.key_condition_expression(condition);
        let page = again(|| {
            let request = request.clone();
            async move {
                request.send().await.map_err(|error| match &query.index {
                    Some(index) => self.failed(&format!("querying index {index} of"), error),
                    None => self.failed("querying", error),
                })
            }
        });
        let page = page.await?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key))
    }
}

type Page = (Vec<Key>, Option<Key>);

fn pages<A, F>(begin: Place, ask: A) -> impl Stream<Item = Result<Item>> + Send
where
    A: Fn(Option<Key>, u64) -> F + Clone + Send,
    F: Future<Output = Result<Page>> + Send,
{
    try_unfold(begin, move |mut place| {
        let ask = ask.clone();
        async move {
            loop {
                if place.left == 0 {
                    return Ok(None);
                }
                if let Some(item) = place.page.next() {
                    place.left -= 1;
                    return Ok(Some((item, place)));
                }
                let from = match place.next {
                    Next::First => None,
                    Next::After(key) => Some(key),
                    Next::Nothing => return Ok(None),
                };
                let (items, next) = ask(from, place.left).await?;
                place.page = items.into_iter().map(Item::of_sdk).collect::<Vec<_>>().into_iter();
                place.next = next.filter(|key| !key.is_empty()).map_or(Next::Nothing, Next::After);
            }
        }
    })
}
