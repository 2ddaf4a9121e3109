//! Listings: the files of a bucket as keys, in order of their bytes, page by page.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::S3Result;
use s3s::dto::{CommonPrefix, Object, ObjectStorageClass, Timestamp};

use super::disk::{Disk, broken};

/// What stays as it is under `encoding-type=url`.
const PLAIN: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

pub(super) fn url_encoded(text: &str) -> String {
    utf8_percent_encode(text, &PLAIN).to_string()
}

#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) prefix: String,
    pub(super) delimiter: String,
    /// Only what comes after this key or common prefix.
    pub(super) after: String,
    pub(super) most: usize,
    pub(super) encode: bool,
}

#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    pub(super) prefixes: Vec<CommonPrefix>,
    /// Where the next page goes on, not encoded.
    pub(super) next: Option<String>,
}

impl Disk {
    pub(super) fn list(&self, bucket: &str, query: &Query) -> S3Result<Page> {
        let root = self.needs_bucket(bucket)?;
        let mut keys = Vec::new();
        walk(&root, "", &query.prefix, &mut keys).map_err(|e| broken(&root, e))?;
        keys.sort_unstable();
        // True for a common prefix.
        let mut entries: BTreeMap<&str, bool> = BTreeMap::new();
        for key in &keys {
            let Some(rest) = key.strip_prefix(query.prefix.as_str()) else { continue };
            let cut = if query.delimiter.is_empty() { None } else { rest.find(&query.delimiter) };
            let end = cut.map(|at| query.prefix.len() + at + query.delimiter.len());
            let entry = end.and_then(|end| key.get(..end)).unwrap_or(key);
            if entry > query.after.as_str() {
                entries.insert(entry, end.is_some());
            }
        }
        let encoded = |text: &str| if query.encode { url_encoded(text) } else { text.to_owned() };
        let more = entries.len() > query.most;
        let mut page = Page::default();
        for (entry, is_prefix) in entries.into_iter().take(query.most) {
            if is_prefix {
                page.prefixes.push(CommonPrefix { prefix: Some(encoded(entry)) });
            } else if let Ok(found) = self.find(bucket, entry) {
                let class = found.record.headers.storage_class.clone();
                page.objects.push(Object {
                    e_tag: Some(found.record.e_tag()),
                    key: Some(encoded(entry)),
                    last_modified: found.metadata.modified().ok().map(Timestamp::from),
                    size: i64::try_from(found.metadata.len()).ok(),
                    storage_class: Some(class.map_or_else(
                        || ObjectStorageClass::from_static("STANDARD"),
                        ObjectStorageClass::from,
                    )),
                    ..Object::default()
                });
            }
            if more {
                page.next = Some(entry.to_owned());
            }
        }
        Ok(page)
    }
}

/// Collects the files below as keys; goes only where the prefix may lie. Names that are not
/// UTF-8 cannot be keys and are passed over.
fn walk(at: &Path, above: &str, prefix: &str, keys: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(at)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let below = format!("{above}{name}/");
            if below.starts_with(prefix) || prefix.starts_with(&below) {
                walk(&entry.path(), &below, prefix, keys)?;
            }
        } else if kind.is_file() {
            let key = format!("{above}{name}");
            if key.starts_with(prefix) {
                keys.push(key);
            }
        }
    }
    Ok(())
}
