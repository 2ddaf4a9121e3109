//! Where a transfer begins or ends: an object, a file, or a standard stream.

use std::ffi::OsString;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use longshore::error::{Error, Kind, Result};
use longshore::toolkit::s3;

/// One end of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Standard input or output, written `-`.
    Stream,
    /// A file or directory of this host.
    File(PathBuf),
    /// An object, a prefix or a bucket.
    Object(s3::Path),
}

impl Place {
    /// Reads `-`, `s3://BUCKET/KEY` or the path of a file.
    pub(super) fn read(text: &OsString) -> Result<Self> {
        match text.to_str() {
            Some("-") => Ok(Self::Stream),
            Some(text) if text.starts_with("s3:") => object(text).map(Self::Object),
            Some("") => Err(Error::new(Kind::Usage, "a place without a name")
                .hint("write s3://BUCKET/KEY, the path of a file, or `-`")),
            _ => Ok(Self::File(PathBuf::from(text))),
        }
    }

    /// The name that a copy has where only a place for it is named.
    fn name(&self) -> Result<String> {
        let name = match self {
            Self::Stream => None,
            Self::File(path) => path.file_name().and_then(|name| name.to_str()).map(str::to_owned),
            Self::Object(path) => Some(path.file_name().to_owned()).filter(|name| !name.is_empty()),
        };
        name.ok_or_else(|| {
            let hint = "name the destination in full";
            Error::new(Kind::Usage, format!("{self} has no name to give to its copy")).hint(hint)
        })
    }

    /// The destination of a single transfer from here: a prefix (`s3://bucket/a/`), a bucket and a
    /// directory get the name of the source.
    pub(super) fn single(&self, to: Self) -> Result<Self> {
        Ok(match to {
            Self::Object(path) if path.key.is_empty() || path.key.ends_with('/') => {
                let key = format!("{}{}", path.key, self.name()?);
                Self::Object(s3::Path::new(path.bucket, key))
            }
            Self::File(path) if path.is_dir() || has_slash_at_its_end(&path) => {
                Self::File(path.join(below(&self.name()?)?))
            }
            to @ (Self::Object(_) | Self::File(_) | Self::Stream) => to,
        })
    }

    /// The destination of what lies at `rest` below the source, in a transfer of whole trees.
    pub(super) fn within(&self, rest: &str) -> Result<Self> {
        match self {
            Self::Object(path) => {
                Ok(Self::Object(s3::Path::new(&*path.bucket, format!("{}{rest}", path.key))))
            }
            Self::File(path) => Ok(Self::File(path.join(below(rest)?))),
            Self::Stream => Err(Error::new(Kind::Usage, "`-` is one place and there are several")),
        }
    }

    /// The place of a whole tree: a prefix ends with a slash.
    pub(super) fn into_tree(self) -> Self {
        match self {
            Self::Object(mut path) => {
                if !path.key.is_empty() && !path.key.ends_with('/') {
                    path.key.push('/');
                }
                Self::Object(path)
            }
            other @ (Self::File(_) | Self::Stream) => other,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream => f.write_str("-"),
            Self::File(path) => path.display().fmt(f),
            Self::Object(path) => path.fmt(f),
        }
    }
}

/// Reads the path of something in S3.
pub(super) fn object(text: &str) -> Result<s3::Path> {
    text.parse().map_err(|error: Error| {
        let hint = error.advice().unwrap_or("write s3://BUCKET/KEY").to_owned();
        Error::new(Kind::Usage, error.told()).hint(hint)
    })
}

/// Reads the path of an object, and of nothing larger.
pub(super) fn one_object(text: &str) -> Result<s3::Path> {
    let path = object(text)?;
    if path.is_of_object() {
        return Ok(path);
    }
    Err(Error::new(Kind::Usage, format!("{path} is a bucket, and an object is wanted"))
        .hint("write s3://BUCKET/KEY"))
}

/// Reads the path of a bucket; its name alone will do.
pub(super) fn bucket(text: &str) -> Result<String> {
    if !text.contains(':') && !text.contains('/') && !text.is_empty() {
        return Ok(text.to_owned());
    }
    let path = object(text)?;
    if path.is_of_object() {
        return Err(Error::new(
            Kind::Usage,
            format!("{path} is an object, and a bucket is wanted"),
        )
        .hint(format!("write s3://{}", path.bucket)));
    }
    Ok(path.bucket)
}

fn has_slash_at_its_end(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last() == Some(&b'/')
}

/// A key as a path below a directory. One that would lead elsewhere is refused: whoever writes the
/// keys of a bucket must not choose the files of this host.
fn below(key: &str) -> Result<PathBuf> {
    let path = PathBuf::from(key);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let is_kept = path.components().count() == key.split('/').count();
    if is_plain && is_kept && !key.is_empty() && !key.contains('\0') {
        return Ok(path);
    }
    // What lies in a bucket is no mistake of whoever fetches it.
    Err(Error::new(Kind::Invalid, format!("the key {key:?} is no path below a directory"))
        .answered()
        .hint("fetch it alone, to a file that you name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        Place::read(&text.into()).unwrap()
    }

    #[test]
    fn a_single_copy_has_the_name_of_its_source_where_only_a_place_is_named() {
        for (from, to, end) in [
            ("a/b.txt", "s3://bucket", "s3://bucket/b.txt"),
            ("a/b.txt", "s3://bucket/x/", "s3://bucket/x/b.txt"),
            ("a/b.txt", "s3://bucket/x", "s3://bucket/x"),
            ("s3://bucket/a/b.txt", "/", "/b.txt"),
            ("s3://bucket/a/b.txt", "nowhere/", "nowhere/b.txt"),
            ("s3://bucket/a/b.txt", "nowhere", "nowhere"),
            ("s3://bucket/a/b.txt", "s3://other/", "s3://other/b.txt"),
            ("s3://bucket/a/b.txt", "-", "-"),
        ] {
            assert_eq!(place(from).single(place(to)).unwrap().to_string(), end, "{from} to {to}");
        }
        for (from, to) in [("-", "s3://bucket"), ("..", "s3://bucket"), ("s3://bucket/a/", ".")] {
            let error = place(from).single(place(to)).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.to_string().contains("name the destination in full"), "{error}");
        }
    }

    #[test]
    fn no_key_leads_out_of_the_directory() {
        let tree = place("here");
        assert_eq!(tree.within("a/b.txt").unwrap(), place("here/a/b.txt"));
        assert_eq!(tree.within("...").unwrap(), place("here/..."));
        for key in ["../a", "a/../../b", "/etc/passwd", "a//b", "./a", "a/", "a/.", "", "a\0b"] {
            assert_eq!(tree.within(key).unwrap_err().kind(), Kind::Invalid, "{key:?}");
        }
        let path = place("s3://b/x").into_tree();
        assert_eq!(path.within("../a").unwrap(), place("s3://b/x/../a"));
        assert_eq!(place("s3://b").into_tree(), place("s3://b/"));
    }

    #[test]
    fn what_is_no_place_is_told() {
        assert_eq!(place("s3"), Place::File("s3".into()));
        for wrong in ["s3:bucket/key", "s3:/bucket/key", "s3:///key", ""] {
            assert_eq!(Place::read(&wrong.into()).unwrap_err().kind(), Kind::Usage, "{wrong}");
        }
        assert_eq!(bucket("reports").unwrap(), "reports");
        assert_eq!(bucket("s3://reports/").unwrap(), "reports");
        for wrong in ["s3://reports/a", "reports/a", ""] {
            assert_eq!(bucket(wrong).unwrap_err().kind(), Kind::Usage, "{wrong}");
        }
        assert!(one_object("s3://reports").unwrap_err().to_string().contains("is a bucket"));
    }
}
