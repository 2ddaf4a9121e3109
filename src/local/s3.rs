//! The embedded S3: the protocol by the `s3s` crate, the objects as plain files by us.
//!
//! Written here because Longshore leans on what S3 promises: a body whose checksum is wrong
//! leaves the object untouched, conditions on writes are one step with the write, parts can be
//! listed with their entity tags, and names of every length that S3 takes can be stored.
//!
//! A key that cannot be a path is refused with a 400 that says why: one with an empty segment, a
//! segment of `.` or `..` or of more than 255 bytes, a closing slash, or one that would have to
//! be a file and a directory (`a` beside `a/b`). Not there (501): versions, tags, ACLs, policies,
//! lifecycle, notifications, encryption. Checksums of a multipart upload are always those of the
//! whole object.

mod disk;
mod incoming;
mod list;
mod multipart;
mod place;
mod record;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use hyper::{Request, Response, StatusCode};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, ChecksumMode, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput,
    CopyObjectResult, CopySource, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteBucketInput, DeleteBucketOutput,
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    ETag, ETagCondition, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListBucketsInput, ListBucketsOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
    ListPartsOutput, MetadataDirective, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
    UploadPartInput, UploadPartOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use self::disk::{Condition, Disk, Found, blocking};
use self::incoming::Claims;
use self::list::{Query, url_encoded};
use self::multipart::Whole;
use self::place::Place;
use self::record::{Record, describe, headers_of, sums_of};
use super::digest;
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

fn wants_sums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

impl Objects {
    fn disk(&self) -> Arc<Disk> {
        Arc::clone(&self.disk)
    }

    async fn find(&self, bucket: String, key: String) -> S3Result<Found> {
        let disk = self.disk();
        blocking(move || disk.find(&bucket, &key)).await
    }

    async fn list(&self, bucket: String, query: Query) -> S3Result<list::Page> {
        let disk = self.disk();
        blocking(move || disk.list(&bucket, &query)).await
    }
}

/// The conditions of a read.
fn check_read(
    e_tag: &ETag,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let holds = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == e_tag.value(),
    };
    if if_match.is_some_and(|condition| !holds(condition)) {
        return Err(s3_error!(PreconditionFailed));
    }
    if if_none_match.is_some_and(holds) {
        return Err(s3_error!(NotModified));
    }
    Ok(())
}

fn most(asked: Option<i32>) -> usize {
    usize::try_from(asked.unwrap_or(1_000)).unwrap_or(0).min(1_000)
}

/// The file's bytes from where it stands, in blocks.
fn read_on(file: tokio::fs::File, length: u64) -> StreamingBlob {
    let blocks = stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(1 << 17);
        let mut block = vec![0; most];
        let read = file.read(&mut block).await?;
        block.truncate(read);
        if read == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        }
        let left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(Some((Bytes::from(block), (file, left))))
    });
    StreamingBlob::wrap(blocks)
}

#[async_trait::async_trait]
impl S3 for Objects {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
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

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.disk.needs_bucket(&req.input.bucket)?;
        answer(HeadBucketOutput::default())
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        self.disk.needs_bucket(&req.input.bucket)?;
        answer(GetBucketLocationOutput::default())
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
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

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
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

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let (disk, body) = (self.disk(), req.input.body.take());
        self.disk.needs_bucket(&req.input.bucket)?;
        let place = Place::of(&disk, &req.input.bucket, &req.input.key)?;
        let sums = sums_of!(req.input);
        let mut claims = Claims::of(&req, sums, req.input.checksum_algorithm.as_ref());
        claims.length = req.input.content_length;
        claims.md5 = req.input.content_md5.take();
        let received = incoming::receive(&disk.own("incoming"), body, claims).await?;
        let etag = digest::hex(&received.md5);
        let record = Record::new(&place.key, etag, headers_of!(req.input), received.sums);
        let condition = Condition {
            if_match: req.input.if_match.take(),
            if_none_match: req.input.if_none_match.take(),
        };
        let output = PutObjectOutput {
            checksum_crc32: record.sums.crc32.clone(),
            checksum_crc32c: record.sums.crc32c.clone(),
            checksum_crc64nvme: record.sums.crc64nvme.clone(),
            checksum_sha1: record.sums.sha1.clone(),
            checksum_sha256: record.sums.sha256.clone(),
            checksum_type: Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            e_tag: Some(record.e_tag()),
            ..PutObjectOutput::default()
        };
        blocking(move || disk.commit(&place, received.file, record, &condition)).await?;
        answer(output)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        let input = req.input;
        let found = self.find(input.bucket, input.key).await?;
        let (if_match, if_none_match) = (input.if_match, input.if_none_match);
        check_read(&found.record.e_tag(), if_match.as_ref(), if_none_match.as_ref())?;
        let show = wants_sums(input.checksum_mode.as_ref());
        let mut output = describe!(HeadObjectOutput, &found.record, show);
        output.content_length = i64::try_from(found.metadata.len()).ok();
        output.last_modified = found.metadata.modified().ok().map(Timestamp::from);
        answer(output)
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        let input = req.input;
        let found = self.find(input.bucket, input.key).await?;
        let (if_match, if_none_match) = (input.if_match, input.if_none_match);
        check_read(&found.record.e_tag(), if_match.as_ref(), if_none_match.as_ref())?;
        let size = found.metadata.len();
        let range = input.range.map(|range| range.check(size)).transpose()?;
        let show = range.is_none() && wants_sums(input.checksum_mode.as_ref());
        let mut output = describe!(GetObjectOutput, &found.record, show);
        output.last_modified = found.metadata.modified().ok().map(Timestamp::from);
        let mut file = tokio::fs::File::from_std(found.file);
        let mut length = size;
        if let Some(range) = range {
            file.seek(std::io::SeekFrom::Start(range.start))
                .await
                .map_err(|e| s3_error!(e, InternalError))?;
            length = range.end.saturating_sub(range.start);
            let last = range.end.saturating_sub(1);
            output.content_range = Some(format!("bytes {}-{last}/{size}", range.start));
        }
        output.content_length = i64::try_from(length).ok();
        output.body = Some(read_on(file, length));
        answer(output)
    }

    async fn copy_object(&self, mut req: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        let CopySource::Bucket { bucket, key, .. } = &req.input.copy_source else {
            return Err(s3_error!(NotImplemented, "only objects of buckets can be copied"));
        };
        let (disk, bucket, key) = (self.disk(), bucket.to_string(), key.to_string());
        let place = Place::of(&disk, &req.input.bucket, &req.input.key)?;
        let replace = req.input.metadata_directive.as_ref();
        let replace = replace.is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
        let headers = headers_of!(req.input);
        blocking(move || {
            let found = disk.find(&bucket, &key)?;
            let mut source = found.file;
            let copy = incoming::Incoming::new(&disk.own("incoming"));
            let copied = std::fs::File::create(copy.path())
                .and_then(|mut target| std::io::copy(&mut source, &mut target));
            copied.map_err(|e| disk::broken(copy.path(), e))?;
            let kept = if replace { headers } else { found.record.headers };
            let record = Record::new(&place.key, found.record.etag, kept, found.record.sums);
            let e_tag = record.e_tag();
            disk.commit(&place, copy, record, &Condition::default())?;
            let result = CopyObjectResult {
                e_tag: Some(e_tag),
                last_modified: Some(Timestamp::from(std::time::SystemTime::now())),
                ..CopyObjectResult::default()
            };
            let copy_object_result = Some(result);
            answer(CopyObjectOutput { copy_object_result, ..CopyObjectOutput::default() })
        })
        .await
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        let (disk, input) = (self.disk(), req.input);
        blocking(move || disk.delete(&input.bucket, &input.key)).await?;
        answer(DeleteObjectOutput::default())
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> Answer<DeleteObjectsOutput> {
        let (disk, input) = (self.disk(), req.input);
        blocking(move || {
            let mut deleted = Vec::new();
            for object in input.delete.objects {
                disk.delete(&input.bucket, &object.key)?;
                deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
            }
            let quiet = input.delete.quiet.unwrap_or_default();
            let deleted = (!quiet).then_some(deleted);
            answer(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() })
        })
        .await
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
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

    async fn list_objects_v2(
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

    async fn create_multipart_upload(
        &self,
        mut req: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        let headers = headers_of!(req.input);
        let (disk, input) = (self.disk(), req.input);
        blocking(move || {
            let algorithm = input.checksum_algorithm.as_ref().map(|a| a.as_str().to_owned());
            let id = disk.begin_upload(&input.bucket, &input.key, headers, algorithm)?;
            answer(CreateMultipartUploadOutput {
                bucket: Some(input.bucket),
                checksum_algorithm: input.checksum_algorithm,
                key: Some(input.key),
                upload_id: Some(id),
                ..CreateMultipartUploadOutput::default()
            })
        })
        .await
    }

    async fn upload_part(&self, mut req: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        let (disk, body) = (self.disk(), req.input.body.take());
        let number = req.input.part_number;
        if !(1..=10_000).contains(&number) {
            return Err(s3_error!(InvalidArgument, "Part number must be 1 to 10000"));
        }
        let (directory, _) =
            disk.upload(&req.input.bucket, &req.input.key, &req.input.upload_id)?;
        let sums = sums_of!(req.input);
        let mut claims = Claims::of(&req, sums, req.input.checksum_algorithm.as_ref());
        claims.length = req.input.content_length;
        claims.md5 = req.input.content_md5.take();
        let received = incoming::receive(&disk.own("incoming"), body, claims).await?;
        let part = blocking(move || disk.keep_part(&directory, number, received)).await?.shown();
        answer(UploadPartOutput {
            checksum_crc32: part.checksum_crc32,
            checksum_crc32c: part.checksum_crc32c,
            checksum_crc64nvme: part.checksum_crc64nvme,
            checksum_sha1: part.checksum_sha1,
            checksum_sha256: part.checksum_sha256,
            e_tag: part.e_tag,
            ..UploadPartOutput::default()
        })
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        let (disk, input) = (self.disk(), req.input);
        blocking(move || {
            let (directory, _) = disk.upload(&input.bucket, &input.key, &input.upload_id)?;
            let after = input.part_number_marker.unwrap_or_default();
            let mut parts = multipart::parts(&directory)?;
            parts.retain(|part| part.number > after);
            let most = most(input.max_parts);
            let more = parts.len() > most;
            parts.truncate(most);
            answer(ListPartsOutput {
                bucket: Some(input.bucket),
                key: Some(input.key),
                upload_id: Some(input.upload_id),
                max_parts: Some(input.max_parts.unwrap_or(1_000)),
                is_truncated: Some(more),
                next_part_number_marker: parts.last().map(|part| part.number),
                parts: Some(parts.iter().map(multipart::PartRecord::shown).collect()),
                ..ListPartsOutput::default()
            })
        })
        .await
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        let (disk, input) = (self.disk(), req.input);
        blocking(move || {
            let prefix = input.prefix.unwrap_or_default();
            let mut uploads = disk.uploads(&input.bucket, &prefix)?;
            let after = (input.key_marker, input.upload_id_marker);
            if after.0.is_some() {
                uploads.retain(|u| (u.key.clone(), u.upload_id.clone()) > after);
            }
            let most = most(input.max_uploads);
            let more = uploads.len() > most;
            uploads.truncate(most);
            let last = uploads.last().filter(|_| more);
            answer(ListMultipartUploadsOutput {
                bucket: Some(input.bucket),
                is_truncated: Some(more),
                next_key_marker: last.and_then(|upload| upload.key.clone()),
                next_upload_id_marker: last.and_then(|upload| upload.upload_id.clone()),
                prefix: Some(prefix),
                uploads: Some(uploads),
                ..ListMultipartUploadsOutput::default()
            })
        })
        .await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let (disk, input) = (self.disk(), req.input);
        let whole = Whole {
            size: input.mpu_object_size,
            sums: sums_of!(input),
            condition: Condition { if_match: input.if_match, if_none_match: input.if_none_match },
            parts: input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default(),
        };
        blocking(move || {
            let id = &input.upload_id;
            let record = disk.complete(&input.bucket, &input.key, id, &whole)?;
            answer(CompleteMultipartUploadOutput {
                location: Some(format!("/{}/{}", input.bucket, input.key)),
                bucket: Some(input.bucket),
                checksum_crc32: record.sums.crc32.clone(),
                checksum_crc32c: record.sums.crc32c.clone(),
                checksum_crc64nvme: record.sums.crc64nvme.clone(),
                checksum_type: Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
                e_tag: Some(record.e_tag()),
                key: Some(input.key),
                ..CompleteMultipartUploadOutput::default()
            })
        })
        .await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        let (disk, input) = (self.disk(), req.input);
        blocking(move || {
            let (directory, _) = disk.upload(&input.bucket, &input.key, &input.upload_id)?;
            disk.end_upload(&directory)?;
            answer(AbortMultipartUploadOutput::default())
        })
        .await
    }
}
