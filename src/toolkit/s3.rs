//! Objects and buckets of S3.
//!
//! ```no_run
//! use longshore::aws::Aws;
//! use longshore::toolkit::s3::{Bucket, Put};
//!
//! # async fn example() -> longshore::error::Result<()> {
//! let bucket = Bucket::new(Aws::new().s3("us-west-2").await?, "my-bucket");
//! let json = r#"{"this":"is", "some":"very", "cool":"json"}"#;
//! let options = Put::new().metadata("isVeryCool", "True");
//! bucket.put_text("a-key/my-json-file.json", json, "utf-8", &options).await?;
//! assert_eq!(bucket.text("a-key/my-json-file.json", "utf-8").await?, json);
//! # Ok(())
//! # }
//! ```
//!
//! Calls that fail in a way that passes by itself are made again, up to five times; a refusal is
//! told at once. Every object is sent with its CRC64NVME, which S3 compares before it keeps the
//! object, and what S3 tells of a checksum is compared with what comes back.

mod buckets;
pub mod cache;
mod copy;
mod delete;
mod download;
mod facts;
mod get;
mod list;
pub(crate) mod parts;
mod path;
mod presign;
mod put;
mod refusal;
mod send;
mod text;
mod upload;
mod watch;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

pub use buckets::{OwnBucket, buckets};
pub use delete::{Deleted, MOST_DELETED};
pub use facts::{Facts, SHA512_KEY};
pub use get::{Fetched, MOST_HELD};
pub use list::{Entry, Listed};
pub use path::Path;
pub use presign::{LONGEST_PRESIGN, PRESIGN_FOR};
pub use put::{Put, Stored};
pub use refusal::Refusal;
pub use upload::Uploaded;

use refusal::Act;
use watch::Watch;

/// A bucket by its name. No request is sent before one is asked for. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
    watch: Watch,
}

impl Bucket {
    /// The bucket of this name, over this connection, which must be of the bucket's region.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), watch: Watch::default() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The connection that it is reached over.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The path of a key in it.
    pub fn path(&self, key: impl Into<String>) -> Path {
        Path::new(&self.name, key)
    }

    /// What is about to be done, for the error that may come of it.
    fn act<'a>(&'a self, doing: &'a str, action: &'a str, key: &'a str) -> Act<'a> {
        Act { doing, action, bucket: &self.name, key }
    }
}

/// The code of a service's answer, where there is one.
fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}
