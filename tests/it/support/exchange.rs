//! What a server of ours has seen: one record for each request, in the order of their arrival.

use hyper::{HeaderMap, Method, Request, Uri, body::Bytes};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// How one request ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// It is still being answered.
    Open,
    /// It was answered with this status.
    Answered(u16),
    /// The client closed the connection before its reply: a poll dropped midway.
    Abandoned,
    /// A rule of the test cut the connection, or the upstream did.
    Cut,
}

/// One request and its end.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// When its head had arrived.
    pub(crate) at: Instant,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body of the reply, as far as there was one.
    pub(crate) reply: Bytes,
    pub(crate) end: End,
}

impl Exchange {
    /// The path as sent, percent-encoding and all.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The value of a header, if it is there and text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The value of a parameter in the query; empty where it has none.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.uri.query()?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }

    /// The operation as AWS names it: from `X-Amz-Target` (SQS), `Action=` (SNS, STS), or the
    /// method and query (S3).
    pub(crate) fn operation(&self) -> String {
        if let Some((_, operation)) =
            self.header("x-amz-target").and_then(|target| target.split_once('.'))
        {
            return operation.to_owned();
        }
        let body = String::from_utf8_lossy(&self.body);
        if let Some(action) = body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
            return action.to_owned();
        }
        self.s3_operation().to_owned()
    }

    fn s3_operation(&self) -> &'static str {
        // The bucket's own path may end in a slash.
        let path = self.path().trim_start_matches('/');
        let of_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
        let upload = self.query("uploadId").is_some();
        let copy = self.headers.contains_key("x-amz-copy-source");
        match (self.method.as_str(), of_object) {
            ("PUT", true) if upload && copy => "UploadPartCopy",
            ("PUT", true) if upload => "UploadPart",
            ("PUT", true) if copy => "CopyObject",
            ("PUT", true) => "PutObject",
            ("POST", true) if upload => "CompleteMultipartUpload",
            ("POST", true) if self.query("uploads").is_some() => "CreateMultipartUpload",
            ("DELETE", true) if upload => "AbortMultipartUpload",
            ("DELETE", true) => "DeleteObject",
            ("GET", true) if upload => "ListParts",
            ("GET", true) => "GetObject",
            ("HEAD", true) => "HeadObject",
            ("HEAD", false) => "HeadBucket",
            ("POST", false) if self.query("delete").is_some() => "DeleteObjects",
            ("PUT", false) => "CreateBucket",
            ("GET", false) => "ListObjectsV2",
            _ => "Unknown",
        }
    }
}

/// All exchanges of one server.
#[derive(Clone, Default)]
pub(crate) struct Record {
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    closing: Arc<AtomicBool>,
}

impl Record {
    /// Everything so far.
    pub(crate) fn all(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }

    /// Whether connections that end from now on are closed by us, not given up by their client.
    pub(crate) fn closing(&self, closing: bool) {
        self.closing.store(closing, Ordering::SeqCst);
    }

    /// Notes the head of a request; the returned place notes the rest.
    pub(crate) fn open<B>(&self, request: &Request<B>) -> Place {
        let mut all = self.exchanges.lock().unwrap();
        all.push(Exchange {
            at: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            body: Bytes::new(),
            reply: Bytes::new(),
            end: End::Open,
        });
        Place { record: self.clone(), number: all.len() - 1, ended: false }
    }
}

/// One request's line in the record. Dropped without `end`, the client has gone away, or we are
/// closing.
pub(crate) struct Place {
    record: Record,
    number: usize,
    ended: bool,
}

impl Place {
    /// Notes the body and returns the whole request.
    pub(crate) fn body(&self, body: Bytes) -> Exchange {
        let mut all = self.record.exchanges.lock().unwrap();
        all[self.number].body = body;
        all[self.number].clone()
    }

    /// Notes the body of the reply.
    pub(crate) fn reply(&self, body: Bytes) {
        self.record.exchanges.lock().unwrap()[self.number].reply = body;
    }

    /// Notes how it ended.
    pub(crate) fn end(mut self, end: End) {
        self.ended = true;
        self.record.exchanges.lock().unwrap()[self.number].end = end;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.ended {
            let ours = self.record.closing.load(Ordering::SeqCst);
            let end = if ours { End::Cut } else { End::Abandoned };
            self.record.exchanges.lock().unwrap()[self.number].end = end;
        }
    }
}
