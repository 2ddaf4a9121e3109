//! Where a text stands that the settings name instead of holding it.

use std::fmt;
use std::path::PathBuf;

/// The place of a text: `ssm://NAME`, `s3://BUCKET/KEY` or `file://PATH`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locator {
    /// A parameter of AWS Systems Manager, by its name as written.
    ///
    /// `ssm://NAME` means `/NAME`, as in pylon, and where there is none, `NAME`; a slash that is
    /// written is kept, and an ARN is taken as it stands.
    Parameter(String),
    /// An object of S3.
    Object {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
    /// A file of this host; `file:///a/b` is `/a/b`, `file://a/b` is `a/b` below the working
    /// directory.
    File(PathBuf),
}

/// The longest name of a parameter (API reference of `PutParameter`).
const LONGEST_NAME: usize = 2_048;
/// The most levels of a hierarchy of parameters.
const MOST_LEVELS: usize = 15;

impl Locator {
    /// Reads a locator; nothing for a text that is meant as it stands.
    ///
    /// # Errors
    /// Says what is wrong with one that begins like a locator.
    pub fn read(text: &str) -> Option<Result<Self, String>> {
        if let Some(name) = text.strip_prefix("ssm://") {
            return Some(parameter_name(name).map(|()| Self::Parameter(name.to_owned())));
        }
        if let Some(path) = text.strip_prefix("s3://") {
            return Some(object(text, path));
        }
        let path = text.strip_prefix("file://")?;
        let is_path = !path.is_empty() && !path.contains(char::is_control);
        Some(if is_path {
            Ok(Self::File(PathBuf::from(path)))
        } else {
            Err(format!("{text:?} names no file; write file:///PATH"))
        })
    }

    /// True for what AWS is asked for.
    pub const fn is_remote(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "ssm://{name}"),
            Self::Object { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Self::File(path) => write!(f, "file://{}", path.display()),
        }
    }
}

/// The form that names of parameters have; a version or label may follow after a colon, and a
/// parameter of another account is named by its ARN.
pub(crate) fn parameter_name(name: &str) -> Result<(), String> {
    if name.starts_with("arn:") && name.contains(":parameter/") {
        return Ok(());
    }
    let (bare, selector) = name.split_once(':').unwrap_or((name, "1"));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let levels = bare.trim_start_matches('/').split('/');
    let sound = (1..=LONGEST_NAME).contains(&name.len())
        && bare.chars().all(allowed)
        && levels.clone().all(|level| !level.is_empty())
        && levels.count() <= MOST_LEVELS
        && !bare.starts_with("//")
        && !selector.is_empty()
        && selector.chars().all(allowed);
    if sound {
        return Ok(());
    }
    Err(format!(
        "{name:?} is no name of a parameter; it has letters, digits, . - _ and up to {MOST_LEVELS} \
         levels like /shop/password"
    ))
}

fn object(text: &str, path: &str) -> Result<Locator, String> {
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    if key.is_empty() {
        return Err(format!("{text:?} names no object; write s3://BUCKET/KEY"));
    }
    super::names::bucket(bucket)?;
    Ok(Locator::Object { bucket: bucket.to_owned(), key: key.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p12_a_locator_is_a_parameter_an_object_or_a_file() {
        let read = |text: &str| Locator::read(text).unwrap().unwrap();
        assert_eq!(read("ssm://test_config"), Locator::Parameter("test_config".to_owned()));
        assert_eq!(read("ssm:///test_config"), Locator::Parameter("/test_config".to_owned()));
        assert_eq!(read("file:///a/b"), Locator::File(PathBuf::from("/a/b")));
        assert_eq!(read("file://a/b"), Locator::File(PathBuf::from("a/b")));
        let (bucket, key) = ("settings".to_owned(), "a/b?c.json".to_owned());
        assert_eq!(read("s3://settings/a/b?c.json"), Locator::Object { bucket, key });
        for text in ["ssm:///a/b:3", "s3://settings/key", "file://a", "ssm://a.b-c_d"] {
            assert_eq!(read(text).to_string(), text);
        }
    }

    #[test]
    fn what_begins_like_a_locator_and_is_none_is_told() {
        for text in [
            "ssm://",
            "ssm:///",
            "ssm://a b",
            "ssm:////a",
            "ssm://a//b",
            "ssm://a/",
            "ssm://a:",
            "ssm://1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16",
            "s3://",
            "s3://bucket",
            "s3://bucket/",
            "s3:///key",
            "file://",
            "file://a\nb",
        ] {
            assert!(Locator::read(text).unwrap().is_err(), "{text:?}");
        }
        for text in ["", "hunter2", "ssm:name", "https://host/", "SSM://name", " ssm://name"] {
            assert!(Locator::read(text).is_none(), "{text:?}");
        }
    }
}
