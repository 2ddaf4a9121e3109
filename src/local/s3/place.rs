//! Where an object lies: its key as a path below its bucket, or a refusal in plain words.

use std::path::PathBuf;

use s3s::{S3Result, s3_error};

use super::disk::Disk;

/// The bucket and key of an object, and its file.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) path: PathBuf,
}

impl Place {
    /// # Errors
    /// `InvalidURI`, a 400, for a key that cannot be a path of plain files.
    pub(super) fn of(disk: &Disk, bucket: &str, key: &str) -> S3Result<Self> {
        if let Some(why) = unstorable(key) {
            return Err(s3_error!(
                InvalidURI,
                "the embedded S3 keeps objects as plain files and cannot store this key: {why}"
            ));
        }
        let path = disk.bucket(bucket).join(key);
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), path })
    }
}

fn unstorable(key: &str) -> Option<&'static str> {
    if key.ends_with('/') {
        return Some("it ends with a slash, as a directory does");
    }
    if key.contains('\0') {
        return Some("it contains a NUL character");
    }
    key.split('/').find_map(|segment| match segment {
        "" => Some("it begins with a slash or has two slashes in a row"),
        "." | ".." => Some("it has . or .. between slashes"),
        long if long.len() > 255 => Some("it has more than 255 bytes between slashes"),
        _ => None,
    })
}
