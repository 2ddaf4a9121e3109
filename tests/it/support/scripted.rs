//! A scripted S3: it refuses what the test tells it to, and otherwise keeps objects in memory and
//! checks every checksum it is given.
//!
//! It exists for answers no emulator gives on command (200 with an error body, a hang), and for the
//! whole-object checksum of a multipart upload, which ministack refuses and moto ignores.

mod store;

use super::{
    exchange::{End, Exchange, Place, Record},
    wire::{Cut, Reply, Server},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use store::Store;

/// What is said in place of doing it.
#[derive(Clone)]
pub(crate) enum Say {
    /// An error as S3 shapes it: status, code.
    Error(u16, &'static str),
    /// Success in the status, an error in the body, as `CompleteMultipartUpload` may answer.
    ErrorInOk(&'static str),
    /// Done as asked, and the connection closed in place of the reply.
    DoneAndCut,
    /// Done as asked, with another body of the same length in the reply.
    OtherBytes,
    /// Nothing, ever.
    Hang,
}

type Script = Arc<Mutex<Vec<(&'static str, String, Say)>>>;

/// A running scripted S3.
pub(crate) struct ScriptedS3 {
    server: Server,
    record: Record,
    script: Script,
    store: Arc<Mutex<Store>>,
}

impl ScriptedS3 {
    /// Starts one on a free port. Every bucket exists.
    pub(crate) fn start() -> ScriptedS3 {
        let (record, script) = (Record::default(), Script::default());
        let store = Arc::new(Mutex::new(Store::default()));
        let (writes, reads, keeps) = (record.clone(), Arc::clone(&script), Arc::clone(&store));
        let server = Server::start(move |request| {
            answer(writes.open(&request), Arc::clone(&reads), Arc::clone(&keeps), request)
        });
        ScriptedS3 { server, record, script, store }
    }

    /// Where clients send their requests.
    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Says this once for the next request of this operation and key (the path below the bucket,
    /// as sent; `*` for any). Said several times, it is said in that order.
    pub(crate) fn say(&self, operation: &'static str, key: &str, say: Say) {
        self.script.lock().unwrap().push((operation, key.to_owned(), say));
    }

    /// Every exchange so far.
    pub(crate) fn requests(&self) -> Vec<Exchange> {
        self.record.all()
    }

    /// The objects by `bucket/key`, as the path was sent.
    pub(crate) fn objects(&self) -> BTreeMap<String, Bytes> {
        self.store.lock().unwrap().objects()
    }

    /// How many multipart uploads are neither completed nor aborted.
    pub(crate) fn open_uploads(&self) -> usize {
        self.store.lock().unwrap().open_uploads()
    }
}

/// The key of a path as it was sent.
fn key_of(seen: &Exchange) -> &str {
    seen.path().trim_start_matches('/').split_once('/').map_or("", |(_, key)| key)
}

fn next_line(script: &Script, seen: &Exchange) -> Option<Say> {
    let mut script = script.lock().unwrap();
    let operation = seen.operation();
    let at = script
        .iter()
        .position(|(of, key, _)| *of == operation && (key == "*" || key == key_of(seen)))?;
    Some(script.remove(at).2)
}

async fn answer(
    place: Place,
    script: Script,
    store: Arc<Mutex<Store>>,
    request: Request<Incoming>,
) -> Result<Reply, Cut> {
    let body = request.into_body().collect().await.map_err(|_| Cut)?.to_bytes();
    let seen = place.body(body);
    let result = match next_line(&script, &seen) {
        None => Ok(store.lock().unwrap().answer(&seen)),
        Some(Say::Error(status, code)) => Ok(error(status, code)),
        Some(Say::ErrorInOk(code)) => Ok(error(200, code)),
        Some(Say::DoneAndCut) => {
            drop(store.lock().unwrap().answer(&seen));
            Err(Cut)
        }
        Some(Say::OtherBytes) => {
            let reply = store.lock().unwrap().answer(&seen);
            let (head, body) = reply.into_parts();
            let length = body.collect().await.expect("a whole body").to_bytes().len();
            Ok(Response::from_parts(head, Full::from(vec![b'?'; length])))
        }
        Some(Say::Hang) => std::future::pending().await,
    };
    place.end(match &result {
        Ok(reply) => End::Answered(reply.status().as_u16()),
        Err(Cut) => End::Cut,
    });
    result
}

/// An error as S3 shapes it.
pub(crate) fn error(status: u16, code: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>scripted</Message><RequestId>1</RequestId></Error>"
    );
    Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .body(Full::from(body))
        .unwrap()
}
