//! The operations that list objects, in both versions of the interface.

use s3s::dto::{ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output};
use s3s::{S3Request, S3Result};

use super::disk::blocking;
use super::list::{self, Query, url_encoded};
use super::{Answer, Objects, answer, most};

impl Objects {
    async fn list(&self, bucket: String, query: Query) -> S3Result<list::Page> {
        let disk = self.disk();
        blocking(move || disk.list(&bucket, &query)).await
    }

    pub(super) async fn page_v1(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> Answer<ListObjectsOutput> {
        let input = req.input;
        let encode = input.encoding_type.is_some();
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.marker.clone().unwrap_or_default(),
            most: most(input.max_keys),
            encode,
        };
        let page = self.list(input.bucket.clone(), query).await?;
        let encoded = |text: String| if encode { url_encoded(&text) } else { text };
        answer(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encoded(input.prefix.unwrap_or_default())),
            marker: Some(encoded(input.marker.unwrap_or_default())),
            delimiter: input.delimiter.map(encoded),
            max_keys: Some(input.max_keys.unwrap_or(1_000)),
            is_truncated: Some(page.next.is_some()),
            next_marker: page.next.map(encoded),
            contents: Some(page.objects),
            common_prefixes: Some(page.prefixes),
            encoding_type: input.encoding_type,
            ..ListObjectsOutput::default()
        })
    }

    pub(super) async fn page_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> Answer<ListObjectsV2Output> {
        let input = req.input;
        let encode = input.encoding_type.is_some();
        let start = input.start_after.clone().unwrap_or_default();
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.continuation_token.clone().unwrap_or_default().max(start),
            most: most(input.max_keys),
            encode,
        };
        let page = self.list(input.bucket.clone(), query).await?;
        let encoded = |text: String| if encode { url_encoded(&text) } else { text };
        let count = page.objects.len().saturating_add(page.prefixes.len());
        answer(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encoded(input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(encoded),
            max_keys: Some(input.max_keys.unwrap_or(1_000)),
            key_count: i32::try_from(count).ok(),
            is_truncated: Some(page.next.is_some()),
            continuation_token: input.continuation_token,
            next_continuation_token: page.next,
            start_after: input.start_after.map(encoded),
            contents: Some(page.objects),
            common_prefixes: Some(page.prefixes),
            encoding_type: input.encoding_type,
            ..ListObjectsV2Output::default()
        })
    }
}
