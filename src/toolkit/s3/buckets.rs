//! Buckets: made, deleted, listed.

use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use futures_util::stream::{self, Stream, TryStreamExt};

use super::refusal::Act;
use super::{Bucket, Refusal};
use crate::again::again;
use crate::error::{Error, Result};

/// The region whose buckets name none, and where creating one's own bucket again succeeds.
const FIRST_REGION: &str = "us-east-1";

/// A bucket of this account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnBucket {
    /// Its name.
    pub name: String,
    /// When it was made, or its settings last changed.
    pub created: Option<SystemTime>,
    /// Its region, where S3 tells it.
    pub region: Option<String>,
}

/// The buckets of this account, in all regions, page by page as they are asked for. The first error
/// ends it.
///
/// # Errors
/// [`Kind::Denied`](crate::error::Kind::Denied) without `s3:ListAllMyBuckets`.
pub fn buckets(client: &Client) -> impl Stream<Item = Result<OwnBucket>> + Send + use<> {
    let client = client.clone();
    let pages = stream::try_unfold(Some(None), move |from: Option<Option<String>>| {
        let client = client.clone();
        async move {
            let Some(from) = from else { return Ok::<_, Error>(None) };
            let act = Act { doing: "listing", action: "s3:ListAllMyBuckets", bucket: "*", key: "" };
            let page = again(|| async {
                let call = client.list_buckets().set_continuation_token(from.clone());
                call.send().await.map_err(|error| act.refused(error))
            });
            let page = page.await?;
            let buckets = page.buckets.into_iter().flatten().map(|bucket| {
                Ok(OwnBucket {
                    name: bucket.name.unwrap_or_default(),
                    created: bucket.creation_date.and_then(|time| time.try_into().ok()),
                    region: bucket.bucket_region,
                })
            });
            let buckets: Vec<_> = buckets.collect();
            Ok(Some((stream::iter(buckets), page.continuation_token.map(Some))))
        }
    });
    pages.try_flatten()
}

impl Bucket {
    /// Makes the bucket in the region of this connection; false where this account has it already.
    /// It is as private as AWS makes new buckets.
    /// ```no_run
    /// # use longshore::toolkit::s3::{Bucket, Put};
    /// # async fn example(client: aws_sdk_s3::Client) -> longshore::error::Result<()> {
    /// let bucket = Bucket::new(client, "james-abel-awsimple-test-bucket");
    /// bucket.create().await?;
    /// bucket.put_text("hello.txt", "hello world", "utf-8", &Put::new()).await?;
    /// assert_eq!(bucket.text("hello.txt", "utf-8").await?, "hello world");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Refusal::BucketOfAnother`] where another account has one of this name; else what S3 says,
    /// [`Kind::Invalid`](crate::error::Kind::Invalid) for a name that no bucket can have.
    pub async fn create(&self) -> Result<bool> {
        let act = self.act("creating", "s3:CreateBucket", "");
        let region = self.client.config().region().map_or(FIRST_REGION, AsRef::as_ref);
        let is_first = region == FIRST_REGION;
        let before = is_first && matches!(self.is_there().await, Ok(true));
        let place = (!is_first).then(|| {
            let place = BucketLocationConstraint::from(region);
            CreateBucketConfiguration::builder().location_constraint(place).build()
        });
        again(|| async {
            let call = self.client.create_bucket().bucket(&self.name);
            match call.set_create_bucket_configuration(place.clone()).send().await {
                Ok(_made) => Ok(!before),
                Err(error) if super::code(&error) == Some("BucketAlreadyOwnedByYou") => Ok(false),
                Err(error) => Err(act.refused(error)),
            }
        })
        .await
    }

    /// Deletes the bucket, which must be empty; false where there was none.
    ///
    /// # Errors
    /// [`Refusal::BucketNotEmpty`]; else what S3 says.
    pub async fn remove(&self) -> Result<bool> {
        let act = self.act("deleting", "s3:DeleteBucket", "");
        let removed = again(|| async {
            let call = self.client.delete_bucket().bucket(&self.name);
            call.send().await.map(|_gone| true).map_err(|error| act.refused(error))
        });
        removed.await.or_else(|error| match Refusal::of(&error) {
            Some(Refusal::BucketNotFound(_)) => Ok(false),
            _ => Err(error),
        })
    }
}
