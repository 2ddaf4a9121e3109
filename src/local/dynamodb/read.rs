//! Finding items: by key, by a condition on keys, or all of them, in pages of 1 MB.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value as Json, json};

use super::ask::Ask;
use super::expression::{Condition, Projection};
use super::key::{Key, Schema};
use super::partition::partition;
use super::refusal::Refusal;
use super::table::{Index, Shown, Table};
use super::tables::{Tables, find};
use super::value::{Item, Value, item_json, read_item, size};

/// As much as one page of a query or scan reads.
const PAGE_BYTES: usize = 1_024 * 1_024;

pub(super) fn get(tables: &Tables, ask: &Ask) -> Result<Json, Refusal> {
    let name = ask.table()?;
    let mut placeholders = ask.placeholders()?;
    let projection = ask.projection(&mut placeholders)?;
    placeholders.all_used()?;
    let table = find(tables, &name)?;
    let item = table.items.get(&table.schema.of_key(&ask.key()?)?);
    let mut answer = Map::new();
    if let Some(item) = item {
        answer.insert("Item".to_owned(), shown(item, projection.as_ref()));
    }
    Ok(Json::Object(answer))
}

pub(super) fn shown(item: &Item, projection: Option<&Projection>) -> Json {
    projection.map_or_else(|| item_json(item), |projection| item_json(&projection.apply(item)))
}

/// An item and its place in the order of a table or index.
type Row<'t> = (&'t Value, Option<&'t Value>, &'t Key, &'t Item);

/// What is read: a table, or one of its indexes.
struct View<'t> {
    table: &'t Table,
    index: Option<&'t Index>,
}

impl<'t> View<'t> {
    fn of(tables: &'t Tables, ask: &Ask) -> Result<Self, Refusal> {
        let table = find(tables, &ask.table()?)?;
        let index = ask.index_name.as_deref().map(|name| table.index(name)).transpose()?;
        if ask.consistent_read && index.is_some_and(|index| !index.is_local) {
            return Err(Refusal::validation(
                "Consistent reads are not supported on global secondary indexes",
            ));
        }
        Ok(Self { table, index })
    }

    fn schema(&self) -> &'t Schema {
        self.index.map_or(&self.table.schema, |index| &index.schema)
    }

    fn rows(&self) -> Vec<Row<'t>> {
        let schema = self.schema();
        let place = |(key, item): (&'t Key, &'t Item)| {
            let (hash, range) = schema.place(item)?;
            Some((hash, range, key, item))
        };
        let mut rows: Vec<Row<'t>> = self.table.items.iter().filter_map(place).collect();
        if self.index.is_some() {
            rows.sort_unstable_by_key(|(hash, range, key, _)| (*hash, *range, *key));
        }
        rows
    }

    /// The attributes of this item that are needed to go on after it.
    fn position(&self, item: &Item) -> Item {
        let names = self.table.schema.parts().chain(self.schema().parts());
        Projection::plain(names.map(|part| part.name.as_str())).apply(item)
    }

    /// True for a row that comes after `start`.
    fn is_after(
        &self,
        start: &Item,
        forward: bool,
    ) -> Result<impl Fn(&Row<'t>) -> bool + use<'t>, Refusal> {
        let wrong = || Refusal::validation("The provided starting key is invalid");
        if self.position(start).len() != start.len() {
            return Err(wrong());
        }
        let key = self.table.schema.of_item(start).map_err(|_| wrong())?;
        let (hash, range) = self.schema().place(start).ok_or_else(wrong)?;
        let (hash, range) = (hash.clone(), range.cloned());
        Ok(move |row: &Row<'t>| {
            let here = (row.0, row.1, row.2);
            let there = (&hash, range.as_ref(), &key);
            if forward { here > there } else { here < there }
        })
    }

    /// What an index gives back of an item, where that is not everything.
    fn projection(&self) -> Option<Projection> {
        let also: &[String] = match &self.index?.shown {
            Shown::All => return None,
            Shown::Keys => &[],
            Shown::Also(names) => names,
        };
        let keys = self.table.schema.parts().chain(self.schema().parts());
        let names = keys.map(|part| part.name.as_str()).chain(also.iter().map(String::as_str));
        Some(Projection::plain(names))
    }

    /// A global index cannot give what is not projected into it.
    fn check(&self, wanted: &Projection) -> Result<(), Refusal> {
        let Some(index) = self.index.filter(|index| !index.is_local) else { return Ok(()) };
        let also = match &index.shown {
            Shown::All => return Ok(()),
            Shown::Keys => Vec::new(),
            Shown::Also(names) => names.clone(),
        };
        let is_key = |name: &str| index.schema.has(name) || self.table.schema.has(name);
        if wanted.is_within(|name| is_key(name) || also.iter().any(|known| known == name)) {
            return Ok(());
        }
        Err(Refusal::validation(
            "One or more parameter values were invalid: the index does not project an attribute \
             of the ProjectionExpression",
        ))
    }
}

pub(super) fn query(tables: &Tables, ask: &Ask) -> Result<Json, Refusal> {
    let mut placeholders = ask.placeholders()?;
    let condition = ask.key_condition(&mut placeholders)?;
    let filter = ask.filter(&mut placeholders)?;
    let projection = ask.projection(&mut placeholders)?;
    placeholders.all_used()?;
    let view = View::of(tables, ask)?;
    let hash = partition(&condition, view.schema())?;
    if let Some(filter) = &filter
        && let Some(key) = filter.attributes().into_iter().find(|name| view.schema().has(name))
    {
        return Err(Refusal::validation(format!(
            "Filter Expression can only contain non-primary key attributes: Primary key \
             attribute: {key}"
        )));
    }
    let mut rows = view.rows();
    rows.retain(|row| *row.0 == hash && condition.holds(row.3));
    page(&view, rows, ask, filter.as_ref(), projection.as_ref())
}

pub(super) fn scan(tables: &Tables, ask: &Ask) -> Result<Json, Refusal> {
    let mut placeholders = ask.placeholders()?;
    let filter = ask.filter(&mut placeholders)?;
    let projection = ask.projection(&mut placeholders)?;
    placeholders.all_used()?;
    let view = View::of(tables, ask)?;
    let mut rows = view.rows();
    match (ask.segment, ask.total_segments) {
        (None, None) => {}
        (Some(segment), Some(total)) if segment < total => rows.retain(|row| {
            let mut hasher = DefaultHasher::new();
            row.0.hash(&mut hasher);
            hasher.finish() % total == segment
        }),
        _ => {
            return Err(Refusal::validation(
                "The Segment parameter is zero-based and must be less than parameter \
                 TotalSegments, and both must be given",
            ));
        }
    }
    page(&view, rows, ask, filter.as_ref(), projection.as_ref())
}

fn page<'t>(
    view: &View<'t>,
    mut rows: Vec<Row<'t>>,
    ask: &Ask,
    filter: Option<&Condition>,
    projection: Option<&Projection>,
) -> Result<Json, Refusal> {
    let own = view.projection();
    if let Some(wanted) = projection {
        view.check(wanted)?;
    }
    let projection = projection.or(own.as_ref());
    let forward = ask.scan_index_forward.unwrap_or(true);
    if !forward {
        rows.reverse();
    }
    if let Some(start) = &ask.exclusive_start_key {
        let is_after = view.is_after(&read_item(start)?, forward)?;
        rows.retain(is_after);
    }
    let limit = match ask.limit {
        Some(0) => {
            return Err(Refusal::validation(
                "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: \
                 Member must have value greater than or equal to 1",
            ));
        }
        limit => limit.unwrap_or(usize::MAX),
    };
    let (mut bytes, mut scanned, mut found, mut last) = (0, 0_usize, Vec::new(), None);
    let available = rows.len();
    for (_, _, _, item) in rows {
        scanned += 1;
        bytes += size(item);
        if filter.is_none_or(|filter| filter.holds(item)) {
            found.push(item);
        }
        if scanned >= limit || (bytes >= PAGE_BYTES && scanned < available) {
            last = Some(view.position(item));
            break;
        }
    }
    let mut answer = Map::new();
    answer.insert("Count".to_owned(), json!(found.len()));
    answer.insert("ScannedCount".to_owned(), json!(scanned));
    if ask.select.as_deref() != Some("COUNT") {
        let items = found.into_iter().map(|item| shown(item, projection)).collect();
        answer.insert("Items".to_owned(), Json::Array(items));
    }
    if let Some(last) = last {
        answer.insert("LastEvaluatedKey".to_owned(), item_json(&last));
    }
    Ok(Json::Object(answer))
}
