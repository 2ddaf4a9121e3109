//! What S3 knows about an object besides its bytes, kept in a file of its own.
//!
//! A record names the file it belongs to by inode, size and time of change; one that does not fit
//! (the file was edited by hand, or the daemon died between the two) is as good as none.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use s3s::dto;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) key: String,
    pub(super) etag: String,
    pub(super) headers: Headers,
    pub(super) sums: Sums,
    file: FileId,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct FileId {
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl FileId {
    fn of(file: &Metadata) -> Self {
        Self {
            inode: file.ino(),
            size: file.size(),
            seconds: file.mtime(),
            nanoseconds: file.mtime_nsec(),
        }
    }
}

impl Record {
    pub(super) fn new(key: &str, etag: String, headers: Headers, sums: Sums) -> Self {
        Self { key: key.to_owned(), etag, headers, sums, file: FileId::default() }
    }

    pub(super) fn bind(&mut self, file: &Metadata) {
        self.file = FileId::of(file);
    }

    pub(super) fn fits(&self, key: &str, file: &Metadata) -> bool {
        self.key == key && self.file == FileId::of(file)
    }

    pub(super) fn e_tag(&self) -> dto::ETag {
        dto::ETag::Strong(self.etag.clone())
    }
}

/// The headers that come back as they were sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Headers {
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_type: Option<String>,
    #[serde(default)]
    pub(super) storage_class: Option<String>,
    /// Kept as it was said; nothing here is encrypted.
    #[serde(default)]
    pub(super) encryption: Option<String>,
    #[serde(default)]
    pub(super) kms_key: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Headers {
    /// Of a copy: those of its source, but where the copy itself lies is as it was asked for.
    pub(super) fn over(self, source: Self) -> Self {
        let Self { storage_class, encryption, kms_key, .. } = self;
        Self { storage_class, encryption, kms_key, ..source }
    }
}

/// Takes the headers out of an input of S3: all inputs name these fields alike.
macro_rules! headers_of {
    ($input:expr) => {
        $crate::local::s3::record::Headers {
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $input.content_encoding.take().filter(|text| !text.is_empty()),
            content_language: $input.content_language.take(),
            content_type: $input.content_type.take(),
            storage_class: $input.storage_class.take().map(|class| class.as_str().to_owned()),
            encryption: $input.server_side_encryption.take().map(|kind| kind.as_str().to_owned()),
            kms_key: $input.ssekms_key_id.take(),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
    };
}

/// Puts headers, checksums and identity of a record into an output of S3.
macro_rules! describe {
    ($output:ty, $record:expr, $show_sums:expr) => {{
        let record = $record;
        let sums = if $show_sums { record.sums.clone() } else { Default::default() };
        let headers = record.headers.clone();
        let typed = !sums.is_empty();
        let mut output = <$output>::default();
        output.accept_ranges = Some("bytes".to_owned());
        output.cache_control = headers.cache_control;
        output.checksum_crc32 = sums.crc32;
        output.checksum_crc32c = sums.crc32c;
        output.checksum_crc64nvme = sums.crc64nvme;
        output.checksum_sha1 = sums.sha1;
        output.checksum_sha256 = sums.sha256;
        output.checksum_type = typed.then(|| s3s::dto::ChecksumType::from_static("FULL_OBJECT"));
        output.content_disposition = headers.content_disposition;
        output.content_encoding = headers.content_encoding;
        output.content_language = headers.content_language;
        output.content_type =
            headers.content_type.or_else(|| Some("binary/octet-stream".to_owned()));
        output.e_tag = Some(record.e_tag());
        output.server_side_encryption = headers.encryption.map(Into::into);
        output.ssekms_key_id = headers.kms_key;
        // S3 does not name its default.
        let class = headers.storage_class.filter(|class| class != "STANDARD");
        output.storage_class = class.map(Into::into);
        output.metadata =
            (!headers.metadata.is_empty()).then(|| headers.metadata.into_iter().collect());
        output
    }};
}

/// The checksums claimed in an input of S3: all inputs name these fields alike.
macro_rules! sums_of {
    ($input:expr) => {
        $crate::local::s3::record::Sums {
            crc32: $input.checksum_crc32.clone(),
            crc32c: $input.checksum_crc32c.clone(),
            crc64nvme: $input.checksum_crc64nvme.clone(),
            sha1: $input.checksum_sha1.clone(),
            sha256: $input.checksum_sha256.clone(),
        }
    };
}

pub(super) use {describe, headers_of, sums_of};

/// Checksums in base64, by algorithm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) crc64nvme: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
}

impl Sums {
    pub(super) fn named_mut(&mut self) -> [(&'static str, &mut Option<String>); 5] {
        [
            ("crc32", &mut self.crc32),
            ("crc32c", &mut self.crc32c),
            ("crc64nvme", &mut self.crc64nvme),
            ("sha1", &mut self.sha1),
            ("sha256", &mut self.sha256),
        ]
    }

    pub(super) fn named(&self) -> [(&'static str, Option<&String>); 5] {
        [
            ("crc32", self.crc32.as_ref()),
            ("crc32c", self.crc32c.as_ref()),
            ("crc64nvme", self.crc64nvme.as_ref()),
            ("sha1", self.sha1.as_ref()),
            ("sha256", self.sha256.as_ref()),
        ]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.named().iter().all(|(_, sum)| sum.is_none())
    }

    /// The first algorithm whose claim differs from what was computed.
    pub(super) fn first_wrong(&self, computed: &Self) -> Option<&'static str> {
        self.named()
            .into_iter()
            .zip(computed.named())
            .find(|((_, claimed), (_, found))| claimed.is_some() && claimed != found)
            .map(|((name, _), _)| name)
    }
}

impl From<dto::Checksum> for Sums {
    fn from(sums: dto::Checksum) -> Self {
        sums_of!(sums)
    }
}
