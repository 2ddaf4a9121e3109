//! S3 in this process, behind the SDK's own HTTP client: it keeps objects, writes down every
//! request, checks what it is sent, and refuses by script.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use tokio::sync::Semaphore;

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// PUT, HEAD, `POST ?uploads` and so on.
    pub(super) what: String,
    pub(super) key: String,
    pub(super) headers: BTreeMap<String, String>,
}

/// What a script answers with instead.
#[derive(Debug, Clone)]
pub(super) struct Answer(pub(super) u16, pub(super) &'static str);

type Script = Box<dyn FnMut(&Asked) -> Option<Answer> + Send>;

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    landed: Vec<(String, Vec<u8>)>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    asked: Vec<Asked>,
    script: Option<Script>,
    begun: usize,
    held_whole: Vec<bool>,
}

/// Clones of its client share it.
pub(super) struct S3 {
    state: Mutex<State>,
    /// Every PUT takes a permit before it is answered, once [`S3::hold`] was called.
    held: Mutex<Option<Arc<Semaphore>>>,
}

impl Default for S3 {
    fn default() -> Self {
        Self { state: Mutex::default(), held: Mutex::new(None) }
    }
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("S3")
    }
}

impl S3 {
    pub(super) fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.state.lock().unwrap().objects.get(key).cloned()
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.state.lock().unwrap().objects.keys().cloned().collect()
    }

    /// Every object that ever landed, in order.
    pub(super) fn landed(&self) -> Vec<(String, String)> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        let state = self.state.lock().unwrap();
        state.landed.iter().map(|(key, bytes)| (key.clone(), text(bytes))).collect()
    }

    pub(super) fn asked(&self, what: &str) -> Vec<Asked> {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|asked| asked.what == what).cloned().collect()
    }

    pub(super) fn open_uploads(&self) -> usize {
        self.state.lock().unwrap().uploads.len()
    }

    pub(super) fn script(&self, script: impl FnMut(&Asked) -> Option<Answer> + Send + 'static) {
        self.state.lock().unwrap().script = Some(Box::new(script));
    }

    pub(super) fn obey(&self) {
        self.state.lock().unwrap().script = None;
    }

    /// From now on a PUT is answered only after it was given a permit.
    pub(super) fn hold(&self) -> Arc<Semaphore> {
        let permits = Arc::new(Semaphore::new(0));
        *self.held.lock().unwrap() = Some(Arc::clone(&permits));
        permits
    }

    /// Of each request, whether its body came as one piece of memory.
    pub(super) fn held_whole(&self) -> Vec<bool> {
        self.state.lock().unwrap().held_whole.clone()
    }

    async fn answer(&self, request: HttpRequest) -> HttpResponse {
        let (asked, query) = asked(&request);
        let scripted = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(asked.clone());
            state.script.as_mut().and_then(|script| script(&asked))
        };
        let held = self.held.lock().unwrap().clone();
        if let (Some(held), true) = (held, asked.what.starts_with("PUT")) {
            held.acquire().await.unwrap().forget();
        }
        let held_whole = request.body().bytes().is_some();
        let Ok(body) = http_body_util::BodyExt::collect(request.into_body()).await else {
            return respond(400, &error("IncompleteBody"));
        };
        let body = body.to_bytes().to_vec();
        self.state.lock().unwrap().held_whole.push(held_whole);
        if let Some(Answer(status, code)) = scripted {
            return respond(status, &error(code));
        }
        self.keep(&asked, &query, body)
    }

    fn keep(&self, asked: &Asked, query: &BTreeMap<String, String>, body: Vec<u8>) -> HttpResponse {
        let state = &mut *self.state.lock().unwrap();
        let upload = query.get("uploadId").cloned().unwrap_or_default();
        let sum = checksum(&body);
        match asked.what.as_str() {
            "HEAD" => respond(200, ""),
            "PUT" => {
                assert_eq!(asked.headers.get("x-amz-checksum-crc64nvme"), Some(&sum));
                state.objects.insert(asked.key.clone(), body.clone());
                state.landed.push((asked.key.clone(), body));
                with_checksum(respond(200, ""), sum)
            }
            "POST ?uploads" => {
                state.begun += 1;
                let id = format!("upload-{}", state.begun);
                state.uploads.insert(id.clone(), BTreeMap::new());
                respond(
                    200,
                    &format!(
                        "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                    ),
                )
            }
            "PUT part" => {
                assert_eq!(asked.headers.get("x-amz-checksum-crc64nvme"), Some(&sum));
                let number = query["partNumber"].parse().unwrap();
                state.uploads.get_mut(&upload).unwrap().insert(number, body);
                let mut response = with_checksum(respond(200, ""), sum);
                response.headers_mut().insert("etag", format!("\"part-{number}\""));
                response
            }
            "POST complete" => {
                let whole: Vec<u8> =
                    state.uploads.remove(&upload).unwrap().into_values().flatten().collect();
                assert_eq!(asked.headers["x-amz-checksum-crc64nvme"], checksum(&whole));
                assert_eq!(asked.headers["x-amz-checksum-type"], "FULL_OBJECT");
                assert_eq!(asked.headers["x-amz-mp-object-size"], whole.len().to_string());
                state.objects.insert(asked.key.clone(), whole.clone());
                state.landed.push((asked.key.clone(), whole));
                respond(
                    200,
                    "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>",
                )
            }
            "DELETE" => {
                state.objects.remove(&asked.key);
                respond(204, "")
            }
            "DELETE upload" => {
                state.uploads.remove(&upload);
                respond(204, "")
            }
            other => panic!("not known here: {other}"),
        }
    }
}

#[derive(Debug)]
struct Connector(Arc<S3>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let s3 = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move { Ok(s3.answer(request).await) })
    }
}

/// A client of the SDK that asks this S3.
pub(super) fn client(s3: &Arc<S3>) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(Arc::clone(s3)));
    http_client_fn(move |_, _| connector.clone())
}

fn asked(request: &HttpRequest) -> (Asked, BTreeMap<String, String>) {
    let uri = request.uri();
    let rest = uri.split_once("//").unwrap().1;
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query: BTreeMap<String, String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let key = path.split_once('/').map_or("", |(_, key)| key);
    let key = percent_encoding::percent_decode_str(key).decode_utf8().unwrap().into_owned();
    let part = query.contains_key("uploadId");
    let what = match (request.method(), part) {
        ("PUT", true) => "PUT part",
        ("POST", true) => "POST complete",
        ("POST", false) => "POST ?uploads",
        ("DELETE", true) => "DELETE upload",
        (other, _) => other,
    };
    let headers = request.headers().iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    (Asked { what: what.to_owned(), key, headers }, query)
}

fn checksum(bytes: &[u8]) -> String {
    STANDARD.encode(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes).to_be_bytes())
}

fn error(code: &str) -> String {
    if code.is_empty() {
        return String::new();
    }
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>by script</Message></Error>")
}

fn respond(status: u16, body: &str) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body))
}

fn with_checksum(mut response: HttpResponse, sum: String) -> HttpResponse {
    response.headers_mut().insert("x-amz-checksum-crc64nvme", sum);
    response
}
