//! What contents go by, wherever they lie.

use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::store::Wanted;
use crate::toolkit::s3::Facts;
use crate::toolkit::s3::facts::hexadecimal;

/// What the contents of an object go by: their checksum, size and entity tag. The tag is there
/// because anybody can make other contents of the same CRC.
pub(super) fn name(facts: &Facts) -> String {
    let Facts { path, size, etag, .. } = facts;
    let parts = match (&facts.crc64nvme, &facts.sha512) {
        (Some(sum), _) => json!(["crc64nvme", sum, size, etag]),
        (None, Some(sum)) => json!(["sha512", sum, size, etag]),
        (None, None) => {
            let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
            let modified = facts.modified.and_then(since).map(|since| since.as_secs());
            json!(["object", path.bucket, path.key, size, modified, etag])
        }
    };
    hexadecimal(&Sha256::digest(parts.to_string()))
}

/// What must be true of them.
pub(super) fn wanted<'a>(name: &'a str, facts: &Facts) -> Wanted<'a> {
    let told = facts.crc64nvme.as_ref().and_then(|sum| BASE64_STANDARD.decode(sum).ok());
    let crc = told.and_then(|sum| Some(u64::from_be_bytes(sum.try_into().ok()?)));
    Wanted { name, size: facts.size, crc }
}

#[cfg(test)]
mod tests;
