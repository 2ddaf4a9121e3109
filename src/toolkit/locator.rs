//! Reads a text from where it stands: a parameter, an object, a file.

use std::path::Path;

use crate::aws::Aws;
use crate::aws::fault::fault;
use crate::config::{self, Locator, Secret};
use crate::error::{Error, Kind, Result};

#[cfg(feature = "ssm")]
use super::ssm;

/// What is larger is no setting.
const LARGEST: u64 = 1 << 20;

/// Reads the text at `ssm://NAME`, `s3://BUCKET/KEY` or `file://PATH`; `settings` say how AWS is
/// reached.
///
/// `ssm://NAME` is the parameter `/NAME`, or `NAME` where that is not there; `ssm:///NAME` is
/// `/NAME` alone. The newlines at the end of a file or object do not count.
///
/// # Errors
/// [`Kind::Settings`] for what is no such place, [`Kind::Missing`] where nothing is there,
/// [`Kind::File`] for a file that cannot be read, [`Kind::Invalid`] for what is larger than 1 MiB or
/// not UTF-8; otherwise as AWS answers. None of them holds any of the text.
pub async fn read(aws: &Aws, settings: &config::Aws, text: &str) -> Result<Secret> {
    match Locator::read(text) {
        Some(Ok(locator)) => fetch(aws, settings, &locator).await,
        Some(Err(wrong)) => Err(Error::new(Kind::Settings, wrong)),
        None => Err(Error::new(Kind::Settings, format!("{text:?} is no place of a text"))
            .hint("write ssm://NAME, s3://BUCKET/KEY or file://PATH")),
    }
}

/// As [`read`], from a locator whose form is known to be right.
///
/// # Errors
/// As [`read`].
pub async fn fetch(aws: &Aws, settings: &config::Aws, locator: &Locator) -> Result<Secret> {
    let fetched = match locator {
        #[cfg(feature = "ssm")]
        Locator::Parameter(name) => parameter(aws, settings, name).await,
        #[cfg(not(feature = "ssm"))]
        Locator::Parameter(_) => Err(Error::needs_feature("ssm", locator.to_string())),
        #[cfg(feature = "s3")]
        Locator::Object { bucket, key } => object(aws, settings, bucket, key).await,
        #[cfg(not(feature = "s3"))]
        Locator::Object { .. } => Err(Error::needs_feature("s3", locator.to_string())),
        Locator::File(path) => file(path).await,
    };
    aws.heed(settings, fetched)
}

#[cfg(feature = "ssm")]
async fn parameter(aws: &Aws, settings: &config::Aws, name: &str) -> Result<Secret> {
    let client = aws.connect(settings).await?.ssm;
    if name.starts_with('/') || name.starts_with("arn:") {
        return Ok(ssm::get_once(&client, name).await?.value);
    }
    let found = match ssm::get_once(&client, &format!("/{name}")).await {
        Err(error) if error.kind() == Kind::Missing && !name.contains('/') => {
            // AWS takes both for one name when it is made, and one of them when it is read.
            let plain = ssm::get_once(&client, name).await;
            plain.map_err(|other| if other.kind() == Kind::Missing { error } else { other })
        }
        found => found,
    };
    Ok(found?.value)
}

#[cfg(feature = "s3")]
async fn object(aws: &Aws, settings: &config::Aws, bucket: &str, key: &str) -> Result<Secret> {
    let what = format!("reading s3://{bucket}/{key}");
    let client = aws.connect(settings).await?.s3;
    let answer = client.get_object().bucket(bucket).key(key).send().await;
    let answer = answer.map_err(|error| fault(&what, error))?;
    let length = answer.content_length.and_then(|length| u64::try_from(length).ok());
    if length.is_none_or(|length| length > LARGEST) {
        return Err(too_large(&what));
    }
    let body = answer.body.collect().await;
    let body = body.map_err(|error| Error::new(Kind::Transient, &what).because(error))?;
    text(&what, body.to_vec())
}

async fn file(path: &Path) -> Result<Secret> {
    let what = format!("reading {}", path.display());
    let wrong = |error: std::io::Error| Error::new(Kind::File, &what).because(error);
    let metadata = tokio::fs::metadata(path).await.map_err(wrong)?;
    if !metadata.is_file() {
        return Err(Error::new(Kind::File, &what).because("it is no file"));
    }
    if metadata.len() > LARGEST {
        return Err(too_large(&what));
    }
    text(&what, tokio::fs::read(path).await.map_err(wrong)?)
}

fn text(what: &str, bytes: Vec<u8>) -> Result<Secret> {
    // The error of the conversion holds the bytes, and is dropped for that.
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::new(Kind::Invalid, what).because("it is not UTF-8 text"))?;
    Ok(Secret::new(text.trim_end_matches(['\n', '\r'])))
}

fn too_large(what: &str) -> Error {
    Error::new(Kind::Invalid, what).because("it is larger than 1 MiB, which is no setting")
}
