//! The embedded S3: the protocol by the `s3s` crate, the objects as plain files by us.
//!
//! Written here because Longshore leans on what S3 promises: a body whose checksum is wrong
//! leaves the object untouched, conditions on writes and deletes are one step with them, parts can be
//! listed with their entity tags, and names of every length that S3 takes can be stored.
//!
//! A key that cannot be a path is refused with a 400 that says why: one with an empty segment, a
//! segment of `.` or `..` or of more than 255 bytes, a closing slash, or one that would have to
//! be a file and a directory (`a` beside `a/b`). Not there (501): versions, tags, ACLs, policies,
//! lifecycle, notifications, encryption. Checksums of a multipart upload are always those of the
//! whole object.

mod buckets;
mod condition;
mod disk;
mod incoming;
mod list;
mod multipart;
mod objects;
mod pages;
mod place;
mod record;
mod uploads;

use std::path::PathBuf;
use std::sync::Arc;

use hyper::{Request, Response, StatusCode};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput,
    CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteBucketInput,
    DeleteBucketOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListBucketsInput, ListBucketsOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
    ListPartsOutput, PutObjectInput, PutObjectOutput, UploadPartCopyInput, UploadPartCopyOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Request, S3Response, S3Result};

use self::disk::Disk;
use crate::error::{Error, Kind};

pub(super) struct Store {
    service: S3Service,
    disk: Arc<Disk>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("disk", &self.disk).finish_non_exhaustive()
    }
}

impl Store {
    pub(super) async fn open(root: PathBuf) -> crate::error::Result<Self> {
        let opened = tokio::task::spawn_blocking(move || Disk::open(root)).await;
        let disk = opened
            .map_err(|error| Error::new(Kind::Bug, "opening the embedded S3").because(error))??;
        let disk = Arc::new(disk);
        let service = S3ServiceBuilder::new(Objects { disk: Arc::clone(&disk) }).build();
        Ok(Self { service, disk })
    }

    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        match self.service.call(request).await {
            Ok(response) => response,
            Err(error) => {
                let source: Box<dyn std::error::Error + Send + Sync> = error.into();
                let mut response = Response::new(Body::from(source.to_string()));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }

    pub(super) async fn ensure_bucket(&self, name: &str) -> crate::error::Result<()> {
        if !s3s::path::check_bucket_name(name) {
            return Err(Error::new(Kind::Invalid, format!("creating the bucket {name:?}"))
                .hint("3 to 63 of a-z, 0-9, hyphen and dot"));
        }
        let path = self.disk.bucket(name);
        tokio::fs::create_dir_all(&path).await.map_err(|error| {
            Error::new(Kind::File, format!("creating the directory {}", path.display()))
                .because(error)
        })
    }
}

/// The operations of S3.
struct Objects {
    disk: Arc<Disk>,
}

type Answer<T> = S3Result<S3Response<T>>;

#[expect(clippy::unnecessary_wraps, reason = "every operation ends with it")]
fn answer<T>(output: T) -> Answer<T> {
    Ok(S3Response::new(output))
}

impl Objects {
    fn disk(&self) -> Arc<Disk> {
        Arc::clone(&self.disk)
    }
}

/// A page has at most a thousand entries, whatever is asked.
fn most(asked: Option<i32>) -> usize {
    usize::try_from(asked.unwrap_or(1_000)).unwrap_or(0).min(1_000)
}

#[async_trait::async_trait]
impl S3 for Objects {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        self.make_bucket(req).await
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.has_bucket(req).await
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        self.location(req).await
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
        self.remove_bucket(req).await
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        self.buckets().await
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        self.put(req).await
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        self.head(req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        self.get(req).await
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        self.copy(req).await
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        self.delete(req).await
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> Answer<DeleteObjectsOutput> {
        self.delete_many(req).await
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
        self.page_v1(req).await
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> Answer<ListObjectsV2Output> {
        self.page_v2(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        self.begin(req).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        self.take_part(req).await
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> Answer<UploadPartCopyOutput> {
        self.copy_part(req).await
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        self.parts(req).await
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        self.uploads(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        self.complete(req).await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        self.abort(req).await
    }
}
