//! Takes the signature off a request for S3, and `aws-chunked` framing off its body.
//!
//! The S3 protocol crate would verify signatures; here every key is right. What the payload was
//! declared to be (its SHA-256, its trailing checksums) goes along as [`Declared`], so that a
//! body that was damaged on its way is refused as S3 does.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, TryStreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderValue};
use hyper::{HeaderMap, Request, Uri};
use s3s::Body;

use super::guarded::Guarded;

/// No line of the framing is longer.
const LONGEST_LINE: usize = 16 * 1_024;

/// What the sender said about the payload, apart from the headers that S3 itself reads.
#[derive(Debug, Clone, Default)]
pub(super) struct Declared {
    /// The SHA-256 of the payload, in hexadecimal, where it was signed as a whole.
    pub(super) sha256: Option<String>,
    /// Names in lower case; complete once the body was read to its end.
    pub(super) trailers: Arc<Guarded<Vec<(String, String)>>>,
}

/// The same request as if nobody had signed it.
pub(super) fn unsigned(mut request: Request<Body>) -> Request<Body> {
    let headers = request.headers_mut();
    headers.remove(AUTHORIZATION);
    headers.remove("x-amz-security-token");
    let content = headers.remove("x-amz-content-sha256");
    let content = content.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut declared = Declared::default();
    let framed = content.starts_with("STREAMING-") || is_chunked(headers);
    if framed {
        unframe_headers(headers);
    } else if content.len() == 64 {
        declared.sha256 = Some(content.to_ascii_lowercase());
    }
    if let Some(uri) = plain_uri(request.uri(), request.headers()) {
        *request.uri_mut() = uri;
    }
    let trailers = Arc::clone(&declared.trailers);
    request.extensions_mut().insert(declared);
    if framed { request.map(|body| unframed(body, trailers)) } else { request }
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    encoding.is_some_and(|text| text.split(',').any(|word| word.trim() == "aws-chunked"))
}

fn unframe_headers(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    if let Some(length) = headers.remove("x-amz-decoded-content-length") {
        headers.insert(CONTENT_LENGTH, length);
    }
    let Some(encoding) = headers.remove(CONTENT_ENCODING) else { return };
    let text = encoding.to_str().unwrap_or_default();
    let kept: Vec<&str> =
        text.split(',').map(str::trim).filter(|word| *word != "aws-chunked").collect();
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::from_str(&kept.join(","))
    {
        headers.insert(CONTENT_ENCODING, value);
    }
}

/// Without the fields of a presigned URL, and with the bucket of `BUCKET.localhost` in the path.
fn plain_uri(uri: &Uri, headers: &HeaderMap) -> Option<Uri> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.split(':').next().unwrap_or_default();
    let bucket = name
        .strip_suffix(".localhost")
        .map(|rest| rest.strip_suffix(".s3").unwrap_or(rest))
        .filter(|bucket| !bucket.is_empty() && *bucket != "s3");
    let query: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|field| !is_of_signature(field))
        .collect();
    let mut text = bucket.map(|bucket| format!("/{bucket}")).unwrap_or_default();
    text.push_str(uri.path());
    let query = query.join("&");
    if !query.is_empty() {
        text.push('?');
        text.push_str(&query);
    }
    text.parse().ok()
}

fn is_of_signature(field: &str) -> bool {
    let name = field.split('=').next().unwrap_or_default();
    [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
        "AWSAccessKeyId",
        "Signature",
        "Expires",
    ]
    .iter()
    .any(|known| known.eq_ignore_ascii_case(name))
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Reads `HEX[;chunk-signature=…]\r\n BYTES \r\n …  0\r\n name:value\r\n … \r\n`.
struct Chunks {
    body: Body,
    buffer: BytesMut,
    left: u64,
    /// A chunk's closing line end is still to come.
    closing: bool,
    trailers: Arc<Guarded<Vec<(String, String)>>>,
}

fn unframed(body: Body, trailers: Arc<Guarded<Vec<(String, String)>>>) -> Body {
    let chunks = Chunks { body, buffer: BytesMut::new(), left: 0, closing: false, trailers };
    let frames = stream::try_unfold(chunks, |mut chunks| async move {
        let next = chunks.next().await?;
        Ok::<_, BoxError>(next.map(|bytes| (bytes, chunks)))
    });
    Body::http_body_unsync(StreamBody::new(frames.map_ok(Frame::data)))
}

impl Chunks {
    async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        if self.left == 0 {
            if self.closing && !self.line().await?.is_empty() {
                return Err("a chunk is longer than it says".into());
            }
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            self.left = u64::from_str_radix(size, 16)?;
            self.closing = true;
            if self.left == 0 {
                self.read_trailers().await?;
                return Ok(None);
            }
        }
        if self.buffer.is_empty() && !self.fill().await? {
            return Err("the body ends inside a chunk".into());
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.buffer.len());
        self.left = self.left.saturating_sub(u64::try_from(most)?);
        Ok(Some(self.buffer.split_to(most).freeze()))
    }

    async fn read_trailers(&mut self) -> Result<(), BoxError> {
        loop {
            if self.buffer.is_empty() && !self.fill().await? {
                return Ok(());
            }
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { return Ok(()) };
            let mut trailers = self.trailers.lock();
            if trailers.len() < 32 {
                trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }

    /// The next line without its end.
    async fn line(&mut self) -> Result<String, BoxError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end.saturating_add(1));
                return Ok(String::from_utf8(line.to_vec())?.trim_end().to_owned());
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err("a line of the chunked framing is too long".into());
            }
            if !self.fill().await? {
                return Err("the body ends inside its chunked framing".into());
            }
        }
    }

    /// More bytes, or false at the end of the body.
    async fn fill(&mut self) -> Result<bool, BoxError> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame?.into_data()
                && !data.is_empty()
            {
                self.buffer.extend_from_slice(&data);
                return Ok(true);
            }
        }
        Ok(false)
    }
}
