//! The operations on buckets: directories right below the root.

use s3s::dto::{
    Bucket, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput,
    GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput,
    ListBucketsOutput, Timestamp,
};
use s3s::{S3Request, s3_error};

use super::disk::{self, blocking};
use super::list::Query;
use super::{Answer, Objects, answer};

impl Objects {
    pub(super) async fn make_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> Answer<CreateBucketOutput> {
        let (disk, bucket) = (self.disk(), req.input.bucket);
        blocking(move || match std::fs::create_dir(disk.bucket(&bucket)) {
            Ok(()) => answer(CreateBucketOutput { location: Some(format!("/{bucket}")) }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(s3_error!(BucketAlreadyOwnedByYou, "you have a bucket {bucket} already"))
            }
            Err(error) => Err(disk::broken(&disk.bucket(&bucket), error)),
        })
        .await
    }

    pub(super) async fn has_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> Answer<HeadBucketOutput> {
        let (disk, bucket) = (self.disk(), req.input.bucket);
        blocking(move || disk.needs_bucket(&bucket)).await?;
        answer(HeadBucketOutput::default())
    }

    pub(super) async fn location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        let (disk, bucket) = (self.disk(), req.input.bucket);
        blocking(move || disk.needs_bucket(&bucket)).await?;
        answer(GetBucketLocationOutput::default())
    }

    pub(super) async fn remove_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> Answer<DeleteBucketOutput> {
        let (disk, bucket) = (self.disk(), req.input.bucket);
        blocking(move || {
            let query = Query { most: 1, ..Query::default() };
            if !disk.list(&bucket, &query)?.objects.is_empty() {
                return Err(s3_error!(BucketNotEmpty, "the bucket {bucket} is not empty"));
            }
            let _changing = disk.changing();
            let path = disk.bucket(&bucket);
            std::fs::remove_dir_all(&path).map_err(|e| disk::broken(&path, e))?;
            disk.forget_bucket(&bucket);
            answer(DeleteBucketOutput::default())
        })
        .await
    }

    pub(super) async fn buckets(&self) -> Answer<ListBucketsOutput> {
        let disk = self.disk();
        blocking(move || {
            let failed = |error| disk::broken(disk.root(), error);
            let mut buckets: Vec<Bucket> = std::fs::read_dir(disk.root())
                .map_err(failed)?
                .filter_map(|entry| {
                    let entry = entry.ok()?;
                    let name = entry.file_name().into_string().ok()?;
                    let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_dir)?;
                    s3s::path::check_bucket_name(&name).then(|| Bucket {
                        creation_date: metadata.modified().ok().map(Timestamp::from),
                        name: Some(name),
                        ..Bucket::default()
                    })
                })
                .collect();
            buckets.sort_by(|one, other| one.name.cmp(&other.name));
            answer(ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() })
        })
        .await
    }
}
