//! pylon's payload store: bodies too large for a message lie under a prefix in S3.

use std::fmt;

use aws_sdk_s3::Client;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::codec::Pylon;
use super::pointer;
use super::spill::Bounds;
use super::{AT_ONCE, Stop};
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;
use crate::message::Body;
use crate::toolkit::s3::{Bucket, Path, Put};

/// A prefix in S3 for bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    bucket: String,
    prefix: String,
}

impl Store {
    /// Reads `s3://BUCKET/PREFIX`; a slash at its end does not count.
    ///
    /// # Errors
    /// Says what it looks like.
    pub fn read(destination: &str) -> std::result::Result<Self, String> {
        let path = destination.strip_prefix("s3://");
        let (bucket, prefix) = path
            .map(|path| path.split_once('/').unwrap_or((path, "")))
            .filter(|(bucket, _)| !bucket.is_empty())
            .ok_or_else(|| {
                format!("{destination:?} is no place in S3; write s3://BUCKET/PREFIX")
            })?;
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Its bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Puts the body of a message under this name; key and body of the message then say where. The
    /// same name again replaces what lies there, so that a retry adds nothing.
    ///
    /// The object is there before this returns. Dropped midway, it may be there all the same.
    /// [`Bucket::delete_one`] deletes it.
    ///
    /// # Errors
    /// What S3 says; the message is as it was then.
    pub async fn check_in(&self, client: &Client, message: &mut Pylon, name: Uuid) -> Result<Path> {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        let key = format!("{}{slash}{name}", self.prefix);
        let object = Path { bucket: self.bucket.clone(), key };
        let body = message.body.clone().unwrap_or_default();
        let bucket = Bucket::new(client.clone(), &object.bucket);
        bucket.put(&object.key, body.into_bytes(), &Put::new()).await?;
        let path = object.to_string();
        message.body = Some(path.clone());
        message.payload_store_key = Some(path);
        Ok(object)
    }

    /// Fetches the body of a message that was checked in, wherever that was, and clears its key. One
    /// that was not stays as it is. The object stays too.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a key that is no `s3://BUCKET/KEY`, an object that is not there, and one
    /// that is no UTF-8 text; else what S3 says.
    pub async fn check_out(client: &Client, message: &mut Pylon) -> Result<Option<Path>> {
        let Some(path) = &message.payload_store_key else { return Ok(None) };
        let wrong =
            |why: String| Error::new(Kind::Invalid, "the stored body of a message").because(why);
        let object: Path = path
            .parse()
            .ok()
            .filter(pointer::is_named)
            .ok_or_else(|| wrong("its payloadStoreKey is no s3://BUCKET/KEY".to_owned()))?;
        let stop = CancellationToken::new();
        let _stops_when_dropped = stop.clone().drop_guard();
        let (bounds, blocking) =
            (Bounds::new(config::Payload::default().limit, stop), Blocking::new(AT_ONCE));
        let fetched = pointer::fetch(client, &object, &bounds, &blocking).await;
        let body = fetched.map_err(|stop| match stop {
            Stop::Later(error) => error,
            Stop::Foreign(why) | Stop::Broken(why) => wrong(why),
            Stop::NoWork(why) => wrong(why.to_owned()),
        })?;
        message.body = Some(text(body, &blocking).await?);
        message.payload_store_key = None;
        Ok(Some(object))
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// The whole of a body as text, wherever it lies.
///
/// # Errors
/// [`Kind::Invalid`] where it is not UTF-8, [`Kind::File`] where its file cannot be read.
pub(crate) async fn text(body: Body, blocking: &Blocking) -> Result<String> {
    if let Some(text) = body.as_text() {
        return Ok(text.to_owned());
    }
    let what = "reading a body as text";
    let read = blocking.run(move || {
        let mut text = String::new();
        body.reader().read_to_string(&mut text).map(|_| text)
    });
    read.await?.map_err(|error| {
        let is_no_text = error.kind() == std::io::ErrorKind::InvalidData;
        Error::new(if is_no_text { Kind::Invalid } else { Kind::File }, what).because(error)
    })
}
