//! Uploads in parts: each upload is a directory with its settings and two files per part.

use std::fs;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc64Nvme, Md5};
use s3s::dto::{CompletedPart, ETag, MultipartUpload, Part, Timestamp};
use s3s::{S3Result, s3_error};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::disk::{Disk, broken};
use super::incoming::{Incoming, Received};
use super::place::Place;
use super::record::{Headers, Record, Sums, sums_of};
use crate::local::digest;

const SMALLEST_PART: u64 = 5 * 1_024 * 1_024;
const MOST_UPLOADS: usize = 10_000;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) headers: Headers,
    pub(super) algorithm: Option<String>,
    initiated: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PartRecord {
    pub(super) number: i32,
    pub(super) size: u64,
    md5: [u8; 16],
    sums: Sums,
    modified: u64,
}

impl PartRecord {
    pub(super) fn e_tag(&self) -> ETag {
        ETag::Strong(digest::hex(&self.md5))
    }

    pub(super) fn shown(&self) -> Part {
        Part {
            checksum_crc32: self.sums.crc32.clone(),
            checksum_crc32c: self.sums.crc32c.clone(),
            checksum_crc64nvme: self.sums.crc64nvme.clone(),
            checksum_sha1: self.sums.sha1.clone(),
            checksum_sha256: self.sums.sha256.clone(),
            e_tag: Some(self.e_tag()),
            last_modified: Some(stamp(self.modified)),
            part_number: Some(self.number),
            size: i64::try_from(self.size).ok(),
        }
    }
}

/// What the sender says the whole is.
#[derive(Debug, Default)]
pub(super) struct Whole {
    pub(super) parts: Vec<CompletedPart>,
    pub(super) size: Option<i64>,
    pub(super) sums: Sums,
    pub(super) condition: Condition,
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs()
}

fn stamp(seconds: u64) -> Timestamp {
    Timestamp::from(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
}

fn write_json(path: &Path, value: &impl Serialize) -> S3Result<()> {
    let bytes = serde_json::to_vec(value).map_err(|e| s3_error!(e, InternalError))?;
    fs::write(path, bytes).map_err(|e| broken(path, e))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn directory(disk: &Disk, id: &str) -> Option<PathBuf> {
    let right = id.len() == 36 && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    right.then(|| disk.own("uploads").join(id))
}

fn part_path(directory: &Path, number: i32) -> PathBuf {
    directory.join(format!("{number:05}"))
}

/// The parts that are there, by number.
pub(super) fn parts(directory: &Path) -> S3Result<Vec<PartRecord>> {
    let entries = fs::read_dir(directory).map_err(|e| broken(directory, e))?;
    let mut parts: Vec<PartRecord> =
        entries.filter_map(|entry| read_json(&entry.ok()?.path())).collect();
    parts.sort_by_key(|part| part.number);
    Ok(parts)
}

impl Disk {
    pub(super) fn begin_upload(
        &self,
        bucket: &str,
        key: &str,
        headers: Headers,
        algorithm: Option<String>,
    ) -> S3Result<String> {
        self.needs_bucket(bucket)?;
        Place::of(self, bucket, key)?;
        let uploads = self.own("uploads");
        let open = fs::read_dir(&uploads).map_err(|e| broken(&uploads, e))?.count();
        if open >= MOST_UPLOADS {
            return Err(s3_error!(
                SlowDown,
                "the embedded S3 keeps at most {MOST_UPLOADS} uploads"
            ));
        }
        let id = digest::uuid();
        let directory = uploads.join(&id);
        fs::create_dir(&directory).map_err(|e| broken(&directory, e))?;
        let upload = Upload {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            headers,
            algorithm,
            initiated: now(),
        };
        write_json(&directory.join("upload.json"), &upload)?;
        Ok(id)
    }

    /// # Errors
    /// `NoSuchUpload`, also where the upload is of another object.
    pub(super) fn upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<(PathBuf, Upload)> {
        self.needs_bucket(bucket)?;
        let found = directory(self, id).and_then(|directory| {
            let upload: Upload = read_json(&directory.join("upload.json"))?;
            (upload.bucket == bucket && upload.key == key).then_some((directory, upload))
        });
        found.ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist."))
    }

    pub(super) fn keep_part(
        &self,
        directory: &Path,
        number: i32,
        received: Received,
    ) -> S3Result<PartRecord> {
        let part = PartRecord {
            number,
            size: received.size,
            md5: received.md5,
            sums: received.sums,
            modified: now(),
        };
        let _changing = self.changing();
        if !directory.is_dir() {
            return Err(s3_error!(NoSuchUpload, "the upload ended while the part came in"));
        }
        let path = part_path(directory, number);
        received.file.move_to(&path).map_err(|e| broken(&path, e))?;
        write_json(&path.with_extension("json"), &part)?;
        Ok(part)
    }

    pub(super) fn uploads(&self, bucket: &str, prefix: &str) -> S3Result<Vec<MultipartUpload>> {
        self.needs_bucket(bucket)?;
        let uploads = self.own("uploads");
        let entries = fs::read_dir(&uploads).map_err(|e| broken(&uploads, e))?;
        let mut all: Vec<MultipartUpload> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let upload: Upload = read_json(&entry.path().join("upload.json"))?;
                (upload.bucket == bucket && upload.key.starts_with(prefix)).then(|| {
                    MultipartUpload {
                        initiated: Some(stamp(upload.initiated)),
                        key: Some(upload.key),
                        upload_id: entry.file_name().into_string().ok(),
                        ..MultipartUpload::default()
                    }
                })
            })
            .collect();
        all.sort_by(|one, other| (&one.key, &one.upload_id).cmp(&(&other.key, &other.upload_id)));
        Ok(all)
    }

    pub(super) fn end_upload(&self, directory: &Path) -> S3Result<()> {
        let _changing = self.changing();
        fs::remove_dir_all(directory).map_err(|e| broken(directory, e))
    }

    /// Joins the parts, checks what the sender says of the whole, and puts the object in place.
    pub(super) fn complete(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        whole: &Whole,
    ) -> S3Result<Record> {
        let (directory, upload) = self.upload(bucket, key, id)?;
        let there = parts(&directory)?;
        let parts = chosen(&there, &whole.parts)?;
        let size: u64 = parts.iter().map(|part| part.size).sum();
        if whole.size.is_some_and(|claimed| u64::try_from(claimed) != Ok(size)) {
            return Err(s3_error!(
                InvalidRequest,
                "The provided 'x-amz-mp-object-size' header does not match the {size} bytes of \
                 the parts."
            ));
        }
        let joined = Incoming::new(&self.own("incoming"));
        let computed = join(&directory, &parts, &joined, &whole.sums, upload.algorithm.as_deref())
            .map_err(|e| broken(&directory, e))?;
        if let Some(name) = whole.sums.first_wrong(&computed) {
            return Err(s3_error!(
                BadDigest,
                "The {name} you specified for the whole object did not match."
            ));
        }
        let mut of_parts = Md5::new();
        for part in &parts {
            of_parts.update(&part.md5);
        }
        let etag = format!("{}-{}", digest::hex(&of_parts.finalize()), parts.len());
        let record = Record::new(key, etag, upload.headers, computed);
        let place = Place::of(self, bucket, key)?;
        self.commit(&place, joined, record.clone(), &whole.condition)?;
        self.end_upload(&directory)?;
        Ok(record)
    }
}

/// The parts that the sender lists, if they are there, in order and large enough.
fn chosen<'a>(there: &'a [PartRecord], listed: &[CompletedPart]) -> S3Result<Vec<&'a PartRecord>> {
    let mut parts: Vec<&PartRecord> = Vec::with_capacity(listed.len());
    for listed in listed {
        let number = listed.part_number.unwrap_or_default();
        let part = there.iter().find(|part| part.number == number);
        let fits = |part: &&PartRecord| {
            listed.e_tag.as_ref().is_some_and(|e_tag| *e_tag.value() == *part.e_tag().value())
                && sums_of!(listed).first_wrong(&part.sums).is_none()
        };
        let part = part.filter(fits).ok_or_else(|| {
            s3_error!(
                InvalidPart,
                "Part {number} could not be found, or its entity tag or checksum did not match."
            )
        })?;
        if parts.last().is_some_and(|before| before.number >= number) {
            return Err(s3_error!(InvalidPartOrder, "The parts were not in ascending order."));
        }
        parts.push(part);
    }
    let Some((_, all_but_last)) = parts.split_last() else {
        return Err(s3_error!(MalformedXML, "You must specify at least one part."));
    };
    if all_but_last.iter().any(|part| part.size < SMALLEST_PART) {
        return Err(s3_error!(EntityTooSmall, "A part but the last is smaller than 5 MiB."));
    }
    Ok(parts)
}

fn join(
    directory: &Path,
    parts: &[&PartRecord],
    into: &Incoming,
    claimed: &Sums,
    algorithm: Option<&str>,
) -> std::io::Result<Sums> {
    let mut hasher = ChecksumHasher {
        crc32: (claimed.crc32.is_some() || algorithm == Some("CRC32")).then(Default::default),
        crc32c: (claimed.crc32c.is_some() || algorithm == Some("CRC32C")).then(Default::default),
        ..ChecksumHasher::default()
    };
    if hasher.crc32.is_none() && hasher.crc32c.is_none() {
        hasher.crc64nvme = Some(Crc64Nvme::default());
    }
    let mut whole = BufWriter::new(fs::File::create(into.path())?);
    let mut buffer = vec![0; 1 << 18];
    for part in parts {
        let mut file = fs::File::open(part_path(directory, part.number))?;
        loop {
            let read = file.read(&mut buffer)?;
            let Some(block) = buffer.get(..read).filter(|block| !block.is_empty()) else { break };
            hasher.update(block);
            whole.write_all(block)?;
        }
    }
    whole.flush()?;
    Ok(Sums::from(hasher.finalize()))
}
