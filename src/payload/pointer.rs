//! Bodies that lie in S3: the pointer of the extended client libraries, read and written, and the
//! objects that pointers and pylon's keys name.
//!
//! A message is a pointer if it has the marker, an attribute of type `Number` with the size; its
//! body is a JSON array of a class and a place. Both have an older and a newer name, and libraries
//! in use mix them.

use aws_sdk_s3::Client;
use bytes::BytesMut;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Stop;
use super::spill::{Bounds, Spill};
use crate::aws::Connection;
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;
use crate::message::{Attribute, Body, Message, Outgoing};
use crate::toolkit::s3::{Bucket, Path, Put, Refusal};

/// The names of the marker; what is written has the first.
const MARKERS: [&str; 2] = ["ExtendedPayloadSize", "SQSLargePayloadSize"];
/// The names of the class; what is written has the first.
const CLASSES: [&str; 2] = [
    "software.amazon.payloadoffloading.PayloadS3Pointer",
    "com.amazon.sqs.javamessaging.MessageS3Pointer",
];
/// The libraries keep one of SQS's ten attributes for the marker.
const MOST_ATTRIBUTES: usize = 9;
/// S3's keys have 1,024 bytes at most, and 36 of them are the name.
const LONGEST_PREFIX: usize = 988;
/// So much is taken in at once.
const PIECE: usize = 1 << 20;

/// True where it can be an object's: the whole of a bucket is none.
pub(super) const fn is_named(path: &Path) -> bool {
    path.is_of_object() && !path.bucket.is_empty()
}

/// The object that a message points to, and how many bytes it is said to have. The marker, under
/// either name, is taken off the message.
pub(super) fn read(message: &mut Message) -> std::result::Result<(Path, u64), Stop> {
    let markers: Vec<Attribute> = MARKERS
        .iter()
        .filter_map(|name| {
            message.labels.remove(*name);
            message.attributes.remove(*name)
        })
        .collect();
    let Some(marker) = markers.first() else {
        return Err(Stop::foreign("it is no pointer: it has no marker"));
    };
    let size = match marker {
        Attribute::Number(size) => size.parse().ok(),
        Attribute::String(_) | Attribute::Binary(_) => None,
    };
    let size = size.ok_or_else(|| Stop::broken("the marker of its pointer is no size"))?;
    let bytes = message.body.as_bytes().unwrap_or_default();
    let parts: Vec<Value> = serde_json::from_slice(bytes)
        .map_err(|_| Stop::broken("it has the marker of a pointer and no pointer"))?;
    let ([Value::String(class), Value::Object(place)]
    | [Value::Object(place), Value::String(class)]) = parts.as_slice()
    else {
        return Err(Stop::broken("its pointer is not a class and a place"));
    };
    if !CLASSES.contains(&class.as_str()) {
        return Err(Stop::broken("its pointer is of an unknown class"));
    }
    let text = |place: &Map<String, Value>, name: &str| Some(place.get(name)?.as_str()?.to_owned());
    text(place, "s3BucketName")
        .zip(text(place, "s3Key"))
        .map(|(bucket, key)| Path::new(bucket, key))
        .filter(is_named)
        .map(|object| (object, size))
        .ok_or_else(|| Stop::broken("its pointer names no object"))
}

/// The whole object. One that is not there is the message's fault; whatever else stands in the way
/// may be mended. (Without `s3:ListBucket`, S3 says *denied* also of what is not there.)
pub(super) async fn fetch(
    client: &Client,
    object: &Path,
    bounds: &Bounds,
    blocking: &Blocking,
) -> std::result::Result<Body, Stop> {
    let bucket = Bucket::new(client.clone(), &object.bucket);
    let mut fetched = bucket.open(&object.key, None).await.map_err(|error| {
        if matches!(Refusal::of(&error), Some(Refusal::ObjectNotFound(_))) {
            return Stop::broken(format!("its object {object} is not there"));
        }
        Stop::Later(error)
    })?;
    bounds.admit(fetched.facts.size)?;
    let mut spill = Spill::new(bounds.clone());
    let mut piece = BytesMut::new();
    loop {
        let next = fetched.next().await.map_err(Stop::Later)?;
        let is_over = next.is_none();
        if let Some(chunk) = next {
            piece.extend_from_slice(&chunk);
        }
        if is_over || piece.len() >= PIECE {
            let full = piece.split().freeze();
            let pushed = blocking.run(move || spill.push(&full).map(|()| spill)).await;
            spill = pushed.map_err(Stop::Later)??;
        }
        if is_over {
            return spill.finish();
        }
    }
}

/// Puts the body of a message that is larger than `above` (as SQS counts: [`Outgoing::size`]) into
/// S3 under `prefix` and a fresh UUID, and returns the message that points to it; a smaller one as
/// it is. The marker and the class have the newer names, which every library reads.
///
/// The object is there before this returns. Dropped midway, or when the message is then not sent,
/// it may stay behind without a message; a lifecycle rule on the prefix clears such away.
///
/// # Errors
/// [`Kind::Invalid`] for a prefix that the libraries do not take, for more than nine attributes, and
/// for a message that is a pointer already or has a text per protocol; else what S3 says.
pub async fn offload(
    connection: &Connection,
    bucket: &str,
    prefix: &str,
    above: usize,
    outgoing: Outgoing,
) -> Result<Outgoing> {
    check_prefix(prefix)?;
    if outgoing.size() <= above {
        return Ok(outgoing);
    }
    let refused = |why: &str| Error::new(Kind::Invalid, format!("a message for {bucket}: {why}"));
    if MARKERS.iter().any(|marker| outgoing.attributes.contains_key(*marker)) {
        return Err(refused("it has the marker of a pointer already").hint("rename the attribute"));
    }
    if outgoing.attributes.len() > MOST_ATTRIBUTES {
        return Err(refused("it has ten attributes, and a pointer needs one for itself"));
    }
    if outgoing.is_per_protocol {
        return Err(refused("it has a text for each protocol, and a pointer is one for all"));
    }
    let object = Path::new(bucket, format!("{prefix}{}", Uuid::new_v4()));
    let mut pointing = outgoing;
    let body = std::mem::replace(&mut pointing.body, text_of(&object));
    let size = body.len().to_string();
    let bucket = Bucket::new(connection.s3.clone(), bucket);
    bucket.put(&object.key, body.into_bytes(), &Put::new()).await?;
    let [marker, _] = MARKERS;
    pointing.attributes.insert(marker.to_owned(), Attribute::Number(size));
    Ok(pointing)
}

fn text_of(object: &Path) -> String {
    let [class, _] = CLASSES;
    json!([class, { "s3BucketName": object.bucket, "s3Key": object.key }]).to_string()
}

fn check_prefix(prefix: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '-');
    let begins = prefix.starts_with('.') || prefix.starts_with('/');
    let is_right = prefix.len() <= LONGEST_PREFIX && prefix.chars().all(allowed);
    if is_right && !begins && !prefix.contains("..") {
        return Ok(());
    }
    Err(Error::new(Kind::Invalid, format!("{prefix:?} is no prefix for bodies in S3")).hint(
        "it has up to 988 of A-Z a-z 0-9 . / _ -, neither . nor / in front, and no two dots in a row",
    ))
}

#[cfg(test)]
mod tests;
