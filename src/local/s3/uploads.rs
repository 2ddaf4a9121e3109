//! The operations on uploads in parts.

use std::path::PathBuf;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyPartResult, CopySource,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, Range, UploadPartCopyInput,
    UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Result, s3_error};
use tokio::io::AsyncSeekExt as _;

use super::condition::Condition;
use super::disk::blocking;
use super::incoming::{self, Claims};
use super::multipart::{self, Whole};
use super::objects::read_on;
use super::record::{headers_of, sums_of};
use super::{Answer, Objects, answer, most};

impl Objects {
    async fn directory_of(&self, bucket: &str, key: &str, id: &str) -> S3Result<PathBuf> {
        let disk = self.disk();
        let [bucket, key, id] = [bucket, key, id].map(str::to_owned);
        blocking(move || disk.upload(&bucket, &key, &id).map(|(directory, _)| directory)).await
    }

    pub(super) async fn begin(
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

    pub(super) async fn take_part(
        &self,
        mut req: S3Request<UploadPartInput>,
    ) -> Answer<UploadPartOutput> {
        let (disk, body) = (self.disk(), req.input.body.take());
        let number = req.input.part_number;
        if !(1..=10_000).contains(&number) {
            return Err(s3_error!(InvalidArgument, "Part number must be 1 to 10000"));
        }
        let input = &req.input;
        let directory = self.directory_of(&input.bucket, &input.key, &input.upload_id).await?;
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

    pub(super) async fn copy_part(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> Answer<UploadPartCopyOutput> {
        let (disk, input) = (self.disk(), req.input);
        let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "only objects of buckets can be copied"));
        };
        let directory = self.directory_of(&input.bucket, &input.key, &input.upload_id).await?;
        let found = self.find(bucket.to_string(), key.to_string()).await?;
        Condition::matching(input.copy_source_if_match).check_read(&found.record.e_tag())?;
        let size = found.metadata.len();
        let range = input.copy_source_range.as_deref().map(Range::parse).transpose();
        let range = range.map_err(|e| s3_error!(e, InvalidArgument))?;
        let range = range.map_or(Ok(0..size), |range| range.check(size))?;
        let mut file = tokio::fs::File::from_std(found.file);
        let sought = file.seek(std::io::SeekFrom::Start(range.start)).await;
        sought.map_err(|e| s3_error!(e, InternalError))?;
        let body = read_on(file, range.end.saturating_sub(range.start));
        let received =
            incoming::receive(&disk.own("incoming"), Some(body), Claims::default()).await?;
        let number = input.part_number;
        let part = blocking(move || disk.keep_part(&directory, number, received)).await?;
        let result = CopyPartResult { e_tag: Some(part.e_tag()), ..CopyPartResult::default() };
        let copy_part_result = Some(result);
        answer(UploadPartCopyOutput { copy_part_result, ..UploadPartCopyOutput::default() })
    }

    pub(super) async fn parts(&self, req: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
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

    pub(super) async fn uploads(
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

    pub(super) async fn complete(
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

    pub(super) async fn abort(
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
