//! MD5 and SHA-256 as lower-case hexadecimal, and random identifiers shaped like AWS's.

use s3s::crypto::{Checksum as _, Md5, Sha256};

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

pub(crate) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::checksum(bytes))
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::checksum(bytes))
}

/// A random identifier in the shape of a version 4 UUID.
pub(crate) fn uuid() -> String {
    let random = (fastrand::u128(..) & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let text = format!("{random:032x}");
    let mut parts = Vec::with_capacity(5);
    let mut rest = text.as_str();
    for length in [8, 4, 4, 4] {
        let Some((part, left)) = rest.split_at_checked(length) else { break };
        parts.push(part);
        rest = left;
    }
    parts.push(rest);
    parts.join("-")
}
