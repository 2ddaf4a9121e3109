//! From an open file to an object: one request up to 16 MiB, above that in parts. Or to a message of
//! a queue or topic.
//!
//! The SDK is only ever given bytes that were read from our descriptor, with their checksum in a
//! header, so that what is sent again is identical and no trailer is needed, which many
//! S3-compatible stores refuse.

pub(super) mod message;
mod multipart;
mod put;
mod read;
pub(super) mod sns;
pub(super) mod sqs;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::open::Stamp;
use crate::again::Failed;
use crate::aws::fault::fault;
use crate::error::{Error, Kind};
use crate::flow::blocking::Blocking;
use crate::flow::permits::Bytes;
use crate::toolkit::s3::parts::{MULTIPART_ABOVE, header};

/// Error codes by which S3, or a store like it, refuses one object and not the bucket.
const OF_THE_OBJECT: &[&str] = &[
    "KeyTooLongError",
    "KeyTooLong",
    "EntityTooLarge",
    "InvalidURI",
    "InvalidObjectName",
    "XMinioInvalidObjectName",
    "MetadataTooLarge",
];

/// Where objects go.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) s3: Client,
    pub(crate) bucket: String,
    /// Learned from the requests themselves: only then may a payload go unsigned.
    pub(crate) over_tls: Arc<AtomicBool>,
}

/// What is to become an object.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) file: Arc<File>,
    pub(crate) stamp: Stamp,
    /// The key; the name, for a message.
    pub(crate) key: String,
    /// Marks this very file with these very contents.
    pub(crate) token: String,
}

/// What an upload may use.
#[derive(Debug, Clone)]
pub(crate) struct Means {
    pub(crate) bytes: Bytes,
    pub(crate) blocking: Blocking,
}

/// Why an object was not made.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The file changed while it was read; nothing can be said of it.
    Changed,
    /// The file could not be read.
    Unreadable(std::io::Error),
    /// S3 did not take it.
    Refused(Error),
    /// S3 will never take this very object; the fault is the file's own.
    Own(Error),
}

impl Failed for Refusal {
    fn passing(&self) -> Option<&Error> {
        match self {
            Self::Refused(error) => error.passing(),
            Self::Changed | Self::Unreadable(_) | Self::Own(_) => None,
        }
    }
}

/// Makes the object. When it returns, S3 has confirmed exactly the bytes of the file as it was
/// opened, and the file is still the same.
///
/// Dropped midway, nothing is known of the object, and the parts of a multipart upload stay behind;
/// `cut` ends it early and in order.
pub(crate) async fn deliver(
    destination: &Target,
    load: &Load,
    means: &Means,
    cut: &tokio_util::sync::CancellationToken,
) -> Result<(), Refusal> {
    if load.stamp.size > MULTIPART_ABOVE {
        return multipart::deliver(destination, load, means, cut).await;
    }
    tokio::select! {
        biased;
        () = cut.cancelled() => Err(cut_off(&load.key)),
        delivered = put::deliver(destination, load, means) => delivered,
    }
}

impl Target {
    /// Looks at a request that is about to be signed.
    fn notice(&self) -> impl Fn(&mut HttpRequest) + Send + Sync + 'static {
        let over_tls = Arc::clone(&self.over_tls);
        move |request| over_tls.store(request.uri().starts_with("https:"), Ordering::Relaxed)
    }

    fn is_over_tls(&self) -> bool {
        self.over_tls.load(Ordering::Relaxed)
    }

    fn refused<E>(&self, doing: &str, key: &str, error: SdkError<E, Response>) -> Refusal
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let code = error.as_service_error().and_then(|error| error.code());
        let own = code.is_some_and(|code| OF_THE_OBJECT.contains(&code));
        let lost_upload = code == Some("NoSuchUpload");
        let error = fault(format!("{doing} {key:?} to bucket {:?}", self.bucket), error);
        if lost_upload {
            // Of this upload alone, and not of the bucket: it begins anew.
            Refusal::Refused(Error::new(Kind::Transient, error.to_string()))
        } else if own {
            Refusal::Own(error)
        } else {
            Refusal::Refused(error)
        }
    }
}

/// Compares what S3 says it has with what was sent, where it says anything.
fn confirmed(key: &str, sent: u64, answered: Option<&str>) -> Result<(), Refusal> {
    let sent = header(sent);
    match answered {
        Some(answered) if answered != sent => Err(Refusal::Refused(
            Error::new(Kind::Corrupt, format!("{key:?} arrived with other bytes than were sent"))
                .because(format!("its checksum is {answered} and should be {sent}")),
        )),
        _ => Ok(()),
    }
}

fn content_type(key: &str) -> String {
    mime_guess::from_path(key).first_or_octet_stream().to_string()
}

pub(super) fn cut_off(key: &str) -> Refusal {
    Refusal::Refused(Error::new(Kind::Aborted, format!("sending {key:?} was cut off")))
}
