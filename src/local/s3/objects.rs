//! The operations on objects: written aside and moved in place, read from an open file.

use bytes::Bytes;
use futures_util::stream;
use s3s::dto::{
    ChecksumMode, ChecksumType, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    MetadataDirective, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
};
use s3s::{S3Request, S3Result, s3_error};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::condition::Condition;
use super::disk::{self, Found, blocking};
use super::incoming::{self, Claims};
use super::place::Place;
use super::record::{Record, describe, headers_of, sums_of};
use super::{Answer, Objects, answer};
use crate::local::digest;

impl Objects {
    pub(super) async fn find(&self, bucket: String, key: String) -> S3Result<Found> {
        let disk = self.disk();
        blocking(move || disk.find(&bucket, &key)).await
    }

    pub(super) async fn put(&self, mut req: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let (disk, body) = (self.disk(), req.input.body.take());
        let (there, bucket) = (self.disk(), req.input.bucket.clone());
        blocking(move || there.needs_bucket(&bucket)).await?;
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

    pub(super) async fn head(&self, req: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        let input = req.input;
        let found = self.find(input.bucket, input.key).await?;
        Condition { if_match: input.if_match, if_none_match: input.if_none_match }
            .check_read(&found.record.e_tag())?;
        let show = wants_sums(input.checksum_mode.as_ref());
        let mut output = describe!(HeadObjectOutput, &found.record, show);
        output.content_length = i64::try_from(found.metadata.len()).ok();
        output.last_modified = found.metadata.modified().ok().map(Timestamp::from);
        answer(output)
    }

    pub(super) async fn get(&self, req: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        let input = req.input;
        let found = self.find(input.bucket, input.key).await?;
        Condition { if_match: input.if_match, if_none_match: input.if_none_match }
            .check_read(&found.record.e_tag())?;
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

    pub(super) async fn copy(
        &self,
        mut req: S3Request<CopyObjectInput>,
    ) -> Answer<CopyObjectOutput> {
        let CopySource::Bucket { bucket, key, .. } = &req.input.copy_source else {
            return Err(s3_error!(NotImplemented, "only objects of buckets can be copied"));
        };
        let (disk, bucket, key) = (self.disk(), bucket.to_string(), key.to_string());
        let place = Place::of(&disk, &req.input.bucket, &req.input.key)?;
        let replace = req.input.metadata_directive.as_ref();
        let replace = replace.is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
        let condition = Condition::matching(req.input.copy_source_if_match.take());
        let headers = headers_of!(req.input);
        blocking(move || {
            let found = disk.find(&bucket, &key)?;
            condition.check_read(&found.record.e_tag())?;
            let mut source = found.file;
            let copy = incoming::Incoming::new(&disk.own("incoming"));
            let copied = std::fs::File::create(copy.path())
                .and_then(|mut target| std::io::copy(&mut source, &mut target));
            copied.map_err(|e| disk::broken(copy.path(), e))?;
            let kept = if replace { headers } else { headers.over(found.record.headers) };
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

    pub(super) async fn delete(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> Answer<DeleteObjectOutput> {
        let (disk, input) = (self.disk(), req.input);
        let condition = Condition::matching(input.if_match);
        blocking(move || disk.delete(&input.bucket, &input.key, &condition)).await?;
        answer(DeleteObjectOutput::default())
    }

    pub(super) async fn delete_many(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> Answer<DeleteObjectsOutput> {
        let (disk, input) = (self.disk(), req.input);
        blocking(move || {
            disk.needs_bucket(&input.bucket)?;
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            for object in input.delete.objects {
                let condition = Condition::matching(object.e_tag.map(ETagCondition::ETag));
                let key = Some(object.key);
                let name = key.as_deref().unwrap_or_default();
                match disk.delete(&input.bucket, name, &condition) {
                    Ok(()) => deleted.push(DeletedObject { key, ..DeletedObject::default() }),
                    Err(error) => errors.push(s3s::dto::Error {
                        code: Some(error.code().as_str().to_owned()),
                        message: error.message().map(str::to_owned),
                        key,
                        version_id: None,
                    }),
                }
            }
            let quiet = input.delete.quiet.unwrap_or_default();
            let deleted = (!quiet).then_some(deleted);
            let errors = (!errors.is_empty()).then_some(errors);
            answer(DeleteObjectsOutput { deleted, errors, ..DeleteObjectsOutput::default() })
        })
        .await
    }
}

fn wants_sums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

/// The file's bytes from where it stands, in blocks.
pub(super) fn read_on(file: tokio::fs::File, length: u64) -> StreamingBlob {
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
