//! What lies in a bucket, page by page as it is asked for.

use std::time::SystemTime;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object};
use futures_util::stream::{self, Stream, TryStreamExt};
use percent_encoding::percent_decode_str;

use super::{Bucket, Path};
use crate::again::again;
use crate::error::{Error, Kind, Result};

/// An object, as a listing tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Where it lies.
    pub path: Path,
    /// Its bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Option<SystemTime>,
    /// Its entity tag, in quotes as S3 writes it.
    pub etag: Option<String>,
    /// Its storage class.
    pub storage_class: Option<String>,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An object.
    Object(Listed),
    /// What several keys begin with, up to and with the slash: as it were, a directory.
    Prefix(String),
}

impl Entry {
    /// The key, or the prefix.
    pub fn name(&self) -> &str {
        match self {
            Self::Object(listed) => &listed.path.key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

impl Bucket {
    /// Everything whose key begins with `prefix`, in the order of the keys' bytes.
    ///
    /// Recursive, that is every object. Else only what lies right below the prefix as below a
    /// directory: it is taken to end in a slash, and what lies deeper is told as an
    /// [`Entry::Prefix`]. A thousand entries are asked for at a time, the next when they were
    /// taken. Objects that come and go meanwhile may or may not be in it. The first error ends it.
    ///
    /// # Errors
    /// [`Refusal::BucketNotFound`](super::Refusal::BucketNotFound); else what S3 says.
    pub fn list(
        &self,
        prefix: &str,
        recursive: bool,
    ) -> impl Stream<Item = Result<Entry>> + Send + use<> {
        let mut prefix = prefix.to_owned();
        if !recursive && !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        let (bucket, start) = (self.clone(), Some(None));
        let pages = stream::try_unfold(start, move |from: Option<Option<String>>| {
            let (bucket, prefix) = (bucket.clone(), prefix.clone());
            async move {
                let Some(from) = from else { return Ok::<_, Error>(None) };
                let page = bucket.page(&prefix, recursive, from).await?;
                let more = page.is_truncated().unwrap_or_default();
                let next = page.next_continuation_token.clone().filter(|_| more);
                if more && next.is_none() {
                    let what = format!("listing {}", bucket.path(&prefix));
                    return Err(Error::new(Kind::Corrupt, what)
                        .because("S3 says that there is more, and not where it goes on"));
                }
                let entries = stream::iter(bucket.entries(page).into_iter().map(Ok));
                Ok(Some((entries, next.map(Some))))
            }
        });
        pages.try_flatten()
    }

    /// The keys that begin with `prefix`, sorted, all in memory; for very many use
    /// [`list`](Self::list).
    /// ```no_run
    /// # use longshore::toolkit::s3::Bucket;
    /// # async fn example(bucket: Bucket) -> longshore::error::Result<()> {
    /// let keys = bucket.keys("a-key").await?;
    /// assert_eq!(
    ///     keys,
    ///     ["a-key/another-json-file.json", "a-key/my-json-file.json", "a-key/something-else.txt"]
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let listed = self.list(prefix, true).map_ok(|entry| entry.name().to_owned());
        let mut keys: Vec<String> = listed.try_collect().await?;
        keys.sort_unstable();
        Ok(keys)
    }

    async fn page(
        &self,
        prefix: &str,
        recursive: bool,
        from: Option<String>,
    ) -> Result<ListObjectsV2Output> {
        let act = self.act("listing", "s3:ListBucket", "");
        again(|| async {
            self.client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(prefix)
                .set_delimiter((!recursive).then(|| "/".to_owned()))
                .set_continuation_token(from.clone())
                // Else a key with a control character would make the answer unreadable.
                .encoding_type(EncodingType::Url)
                .send()
                .await
                .map_err(|error| act.refused(error))
        })
        .await
    }

    fn entries(&self, page: ListObjectsV2Output) -> Vec<Entry> {
        let encoded = page.encoding_type == Some(EncodingType::Url);
        let plain = |text: &str| if encoded { decoded(text) } else { text.to_owned() };
        let object = |object: Object| {
            Entry::Object(Listed {
                path: self.path(plain(object.key().unwrap_or_default())),
                size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                modified: object.last_modified().and_then(|time| (*time).try_into().ok()),
                etag: object.e_tag().map(str::to_owned),
                storage_class: object.storage_class().map(|class| class.as_str().to_owned()),
            })
        };
        let prefixes: Vec<Entry> = page
            .common_prefixes()
            .iter()
            .filter_map(|common| common.prefix())
            .map(|prefix| Entry::Prefix(plain(prefix)))
            .collect();
        let mut entries: Vec<Entry> =
            page.contents.into_iter().flatten().map(object).chain(prefixes).collect();
        entries.sort_by(|one, other| one.name().cmp(other.name()));
        entries
    }
}

/// S3 writes a space as a plus sign.
fn decoded(text: &str) -> String {
    let text = text.replace('+', "%20");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_keys_are_read_as_s3_writes_them() {
        assert_eq!(decoded("a+b%2Bc/%C3%A4%01"), "a b+c/ä\u{1}");
    }
}
