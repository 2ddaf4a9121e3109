//! The objects and uploads of the scripted S3, with the rules of S3 that uploads rely on.

use super::{super::wire::Reply, error};
use crate::support::exchange::Exchange;
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::Full;
use hyper::{HeaderMap, Response, body::Bytes};
use std::collections::BTreeMap;

const CHECKSUM: &str = "x-amz-checksum-crc64nvme";

struct Object {
    body: Bytes,
    headers: HeaderMap,
}

#[derive(Default)]
struct Upload {
    path: String,
    headers: HeaderMap,
    parts: BTreeMap<u32, Bytes>,
}

#[derive(Default)]
pub(crate) struct Store {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    counter: usize,
}

/// The CRC-64/NVME of `body` as S3 writes it.
pub(crate) fn checksum(body: &[u8]) -> String {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, body);
    STANDARD.encode(crc.to_be_bytes())
}

fn etag(body: &[u8]) -> String {
    format!("\"{}\"", checksum(body))
}

/// Whether the request names a checksum that is not that of `body`.
fn contradicts(seen: &Exchange, body: &[u8]) -> bool {
    seen.header(CHECKSUM).is_some_and(|claimed| claimed != checksum(body))
}

fn ok(headers: &[(&str, String)], body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::builder().status(200);
    for (name, value) in headers {
        reply = reply.header(*name, value);
    }
    reply.body(Full::new(body.into())).unwrap()
}

fn no_content() -> Reply {
    Response::builder().status(204).body(Full::default()).unwrap()
}

impl Store {
    pub(crate) fn objects(&self) -> BTreeMap<String, Bytes> {
        self.objects.iter().map(|(path, object)| (path.clone(), object.body.clone())).collect()
    }

    pub(crate) fn open_uploads(&self) -> usize {
        self.uploads.len()
    }

    pub(crate) fn answer(&mut self, seen: &Exchange) -> Reply {
        let path = seen.path().trim_start_matches('/').to_owned();
        match seen.operation().as_str() {
            "PutObject" => self.put(seen, path),
            "HeadObject" | "GetObject" => self.get(seen, &path),
            "DeleteObject" => {
                self.objects.remove(&path);
                no_content()
            }
            "CreateMultipartUpload" => self.create(seen, path),
            "UploadPart" => self.part(seen),
            "CompleteMultipartUpload" => self.complete(seen),
            "AbortMultipartUpload" => match self.uploads.remove(upload_id(seen)) {
                Some(_) => no_content(),
                None => error(404, "NoSuchUpload"),
            },
            "HeadBucket" | "CreateBucket" => ok(&[], ""),
            _ => error(501, "NotImplemented"),
        }
    }

    /// `If-None-Match: *` and `If-Match`, as S3 judges them before it writes.
    fn refused(&self, seen: &Exchange, path: &str) -> Option<Reply> {
        let there = self.objects.get(path);
        if seen.header("if-none-match").is_some() && there.is_some() {
            return Some(error(412, "PreconditionFailed"));
        }
        let wanted = seen.header("if-match")?;
        match there {
            None => Some(error(404, "NoSuchKey")),
            Some(object) if etag(&object.body) != wanted => Some(error(412, "PreconditionFailed")),
            Some(_) => None,
        }
    }

    fn put(&mut self, seen: &Exchange, path: String) -> Reply {
        if contradicts(seen, &seen.body) {
            return error(400, "BadDigest");
        }
        if let Some(refusal) = self.refused(seen, &path) {
            return refusal;
        }
        let object = Object { body: seen.body.clone(), headers: seen.headers.clone() };
        self.objects.insert(path, object);
        ok(&[("etag", etag(&seen.body)), (CHECKSUM, checksum(&seen.body))], "")
    }

    fn get(&self, seen: &Exchange, path: &str) -> Reply {
        let Some(object) = self.objects.get(path) else { return error(404, "NoSuchKey") };
        let mut headers = vec![("etag", etag(&object.body)), (CHECKSUM, checksum(&object.body))];
        for (name, value) in &object.headers {
            if name.as_str().starts_with("x-amz-meta-") || name == "content-type" {
                headers.push((name.as_str(), value.to_str().unwrap().to_owned()));
            }
        }
        if seen.method == "HEAD" {
            headers.push(("content-length", object.body.len().to_string()));
            return ok(&headers, "");
        }
        ok(&headers, object.body.clone())
    }

    fn create(&mut self, seen: &Exchange, path: String) -> Reply {
        self.counter += 1;
        let id = format!("upload-{}", self.counter);
        let upload = Upload { path, headers: seen.headers.clone(), parts: BTreeMap::new() };
        self.uploads.insert(id.clone(), upload);
        ok(
            &[("x-amz-checksum-algorithm", "CRC64NVME".into())],
            format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId>\
                 </InitiateMultipartUploadResult>"
            ),
        )
    }

    fn part(&mut self, seen: &Exchange) -> Reply {
        if contradicts(seen, &seen.body) {
            return error(400, "BadDigest");
        }
        let Some(upload) = self.uploads.get_mut(upload_id(seen)) else {
            return error(404, "NoSuchUpload");
        };
        let number = seen.query("partNumber").unwrap().parse().unwrap();
        upload.parts.insert(number, seen.body.clone());
        ok(&[("etag", etag(&seen.body)), (CHECKSUM, checksum(&seen.body))], "")
    }

    /// Refuses a whole-object checksum or size that does not fit the parts named in the request.
    fn complete(&mut self, seen: &Exchange) -> Reply {
        let Some(upload) = self.uploads.get(upload_id(seen)) else {
            return error(404, "NoSuchUpload");
        };
        let manifest = String::from_utf8_lossy(&seen.body).replace("&quot;", "\"");
        let mut whole = Vec::new();
        for listed in manifest.split("<Part>").skip(1) {
            let number = between(listed, "<PartNumber>").and_then(|number| number.parse().ok());
            match number.and_then(|number: u32| upload.parts.get(&number)) {
                Some(part) if between(listed, "<ETag>") == Some(&etag(part)) => {
                    whole.extend_from_slice(part);
                }
                _ => return error(400, "InvalidPart"),
            }
        }
        if contradicts(seen, &whole) {
            return error(400, "BadDigest");
        }
        let size = whole.len().to_string();
        if seen.header("x-amz-mp-object-size").is_some_and(|claimed| claimed != size) {
            return error(400, "InvalidRequest");
        }
        if let Some(refusal) = self.refused(seen, &upload.path) {
            return refusal;
        }
        let upload = self.uploads.remove(upload_id(seen)).unwrap();
        let whole = Bytes::from(whole);
        let reply = format!(
            "<CompleteMultipartUploadResult><ETag>{}</ETag><ChecksumCRC64NVME>{}</ChecksumCRC64NVME>\
             <ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>",
            etag(&whole),
            checksum(&whole)
        );
        self.objects.insert(upload.path, Object { body: whole, headers: upload.headers });
        ok(&[], reply)
    }
}

fn upload_id(seen: &Exchange) -> &str {
    seen.query("uploadId").unwrap_or_default()
}

/// The text between an opening tag and the next tag.
fn between<'a>(xml: &'a str, tag: &str) -> Option<&'a str> {
    xml.split_once(tag)?.1.split('<').next()
}
