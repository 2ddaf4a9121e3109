//! A body on its way in: written aside, measured while it passes, and checked before it counts.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use hyper::StatusCode;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc64Nvme, Md5, Sha256};
use s3s::dto::{ChecksumAlgorithm, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, s3_error};
use tokio::io::AsyncWriteExt as _;

use super::disk::broken;
use super::record::Sums;
use crate::local::digest;
use crate::local::payload::Declared;

/// A file of our own that is removed unless it is moved to its place.
#[derive(Debug)]
pub(super) struct Incoming {
    path: Option<PathBuf>,
}

impl Incoming {
    pub(super) fn new(directory: &Path) -> Self {
        Self { path: Some(directory.join(digest::uuid())) }
    }

    pub(super) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    /// Not synced to the disk: what lies here need not outlive the machine.
    pub(super) fn move_to(mut self, target: &Path) -> io::Result<()> {
        rustix::fs::rename(self.path(), target)?;
        self.path = None;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            drop(std::fs::remove_file(path));
        }
    }
}

/// What the sender says the body is.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) length: Option<i64>,
    pub(super) md5: Option<String>,
    pub(super) sums: Sums,
    declared: Declared,
    announced: Vec<String>,
}

impl Claims {
    pub(super) fn of<T>(
        request: &S3Request<T>,
        sums: Sums,
        algorithm: Option<&ChecksumAlgorithm>,
    ) -> Self {
        let declared = request.extensions.get::<Declared>().cloned().unwrap_or_default();
        let mut announced: Vec<String> = request
            .headers
            .get_all("x-amz-trailer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(','))
            .map(|name| name.trim().to_ascii_lowercase())
            .filter_map(|name| name.strip_prefix("x-amz-checksum-").map(str::to_owned))
            .collect();
        announced.extend(algorithm.map(|algorithm| algorithm.as_str().to_ascii_lowercase()));
        Self { sums, declared, announced, ..Self::default() }
    }

    fn wants(&self, name: &str) -> bool {
        let claimed = self.sums.named().iter().any(|(known, sum)| *known == name && sum.is_some());
        claimed || self.announced.iter().any(|announced| announced == name)
    }

    fn hasher(&self) -> ChecksumHasher {
        ChecksumHasher {
            crc32: self.wants("crc32").then(Default::default),
            crc32c: self.wants("crc32c").then(Default::default),
            sha1: self.wants("sha1").then(Default::default),
            sha256: self.wants("sha256").then(Default::default),
            crc64nvme: Some(Crc64Nvme::default()),
        }
    }
}

/// A body that is all there and is what its sender said.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) file: Incoming,
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    /// The checksums that S3 remembers: those the sender used, else CRC64NVME.
    pub(super) sums: Sums,
}

/// Reads the body to its end and checks every claim.
///
/// # Errors
/// `IncompleteBody`, `BadDigest`, `XAmzContentSHA256Mismatch`, `InternalError` of the disk.
pub(super) async fn receive(
    directory: &Path,
    body: Option<StreamingBlob>,
    claims: Claims,
) -> S3Result<Received> {
    let file = Incoming::new(directory);
    let failed = |error| broken(directory, error);
    let opened = tokio::fs::File::create(file.path()).await.map_err(failed)?;
    let mut writer = tokio::io::BufWriter::with_capacity(1 << 18, opened);
    let (mut md5, mut hasher, mut size) = (Md5::new(), claims.hasher(), 0_u64);
    let mut sha256 = claims.declared.sha256.as_ref().map(|_| Sha256::new());
    if let Some(mut body) = body {
        while let Some(block) = body.next().await {
            let block = block.map_err(|error| {
                S3Error::with_message(S3ErrorCode::IncompleteBody, error.to_string())
            })?;
            md5.update(&block);
            hasher.update(&block);
            if let Some(sha256) = &mut sha256 {
                sha256.update(&block);
            }
            size = size.saturating_add(u64::try_from(block.len()).unwrap_or(u64::MAX));
            writer.write_all(&block).await.map_err(failed)?;
        }
    }
    writer.flush().await.map_err(failed)?;
    let sha256 = sha256.map(|hash| digest::hex(&hash.finalize()));
    let md5 = md5.finalize();
    let sums = check(claims, size, md5, sha256, Sums::from(hasher.finalize()))?;
    Ok(Received { file, size, md5, sums })
}

/// A code that the protocol crate does not know.
fn damaged() -> S3Error {
    let code = "XAmzContentSHA256Mismatch".parse().unwrap_or(S3ErrorCode::BadDigest);
    let mut error = S3Error::with_message(
        code,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}

fn check(
    claims: Claims,
    size: u64,
    md5: [u8; 16],
    sha256: Option<String>,
    computed: Sums,
) -> S3Result<Sums> {
    use base64::Engine as _;
    if claims.length.is_some_and(|length| u64::try_from(length) != Ok(size)) {
        return Err(s3_error!(IncompleteBody, "the body has {size} bytes, its header says other"));
    }
    if claims.declared.sha256 != sha256 {
        return Err(damaged());
    }
    let encoded = base64::engine::general_purpose::STANDARD.encode(md5);
    if claims.md5.is_some_and(|claimed| claimed != encoded) {
        return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match."));
    }
    let mut claimed = claims.sums;
    for (name, value) in &*claims.declared.trailers.lock() {
        let algorithm = name.strip_prefix("x-amz-checksum-").unwrap_or_default();
        for (known, sum) in claimed.named_mut() {
            if known == algorithm {
                *sum = Some(value.clone());
            }
        }
    }
    if let Some(name) = claimed.first_wrong(&computed) {
        return Err(s3_error!(
            BadDigest,
            "The {name} you specified did not match what we received."
        ));
    }
    if claimed.is_empty() {
        return Ok(Sums { crc64nvme: computed.crc64nvme, ..Sums::default() });
    }
    Ok(claimed)
}
