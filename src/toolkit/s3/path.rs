//! Where an object lies, as one text: `s3://BUCKET/KEY`.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};

/// How every path begins.
const SCHEME: &str = "s3://";

/// A bucket and a key, which is empty where the whole bucket is meant.
///
/// ```
/// use longshore::toolkit::s3::Path;
///
/// # fn main() -> longshore::error::Result<()> {
/// let path = Path::new("my-bucket", "a-key/my-json-file.json");
/// assert_eq!(path.to_string(), "s3://my-bucket/a-key/my-json-file.json");
///
/// let path: Path = "s3://my-bucket/a-key/my-json-file.json".parse()?;
/// assert_eq!((path.bucket.as_str(), path.key.as_str()), ("my-bucket", "a-key/my-json-file.json"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
}

impl Path {
    /// The path of this key in this bucket. Neither is looked at.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into() }
    }

    /// What stands after the last slash of the key: the name as a file.
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }

    /// True where it names an object and not a whole bucket.
    pub const fn is_of_object(&self) -> bool {
        !self.key.is_empty()
    }
}

impl FromStr for Path {
    type Err = Error;

    /// The bucket ends at the first slash; everything behind is the key.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where it does not begin with `s3://` or names no bucket.
    fn from_str(text: &str) -> Result<Self> {
        let refused = |why: &str| Error::new(Kind::Invalid, format!("{text:?} {why}"));
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Err(refused("is no path in S3: it must begin with \"s3://\"")
                .hint("write s3://BUCKET/KEY"));
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(refused("names no bucket").hint("write s3://BUCKET/KEY"));
        }
        Ok(Self::new(bucket, key))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_at_the_first_slash_and_comes_back() {
        for (text, bucket, key) in [
            ("s3://my-bucket/a-key/my-json-file.json", "my-bucket", "a-key/my-json-file.json"),
            ("s3://b//a", "b", "/a"),
            ("s3://b/ä ö?#%2f", "b", "ä ö?#%2f"),
            ("s3://b/", "b", ""),
        ] {
            let path: Path = text.parse().unwrap();
            assert_eq!((path.bucket.as_str(), path.key.as_str()), (bucket, key));
            assert_eq!(path.to_string(), text);
        }
        assert_eq!("s3://b".parse::<Path>().unwrap(), Path::new("b", ""));
    }

    #[test]
    fn what_is_no_path_is_refused_and_told_how_to_begin() {
        for text in ["", "my-bucket/key", "S3://b/k", "https://b/k", "s3:/b/k"] {
            let error = text.parse::<Path>().unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.to_string().contains("must begin with \"s3://\""), "{error}");
        }
        assert!("s3:///key".parse::<Path>().unwrap_err().to_string().contains("no bucket"));
    }
}
