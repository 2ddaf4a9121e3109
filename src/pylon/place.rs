//! Where messages come from and go to: `sqs://QUEUE`, `sns://ARN`, `folder://DIRECTORY`.

use std::fmt;
use std::path::PathBuf;

use crate::config::{self, QueueAddress};

/// An input or an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A queue, by name, URL or ARN.
    Queue(String),
    /// A topic, by ARN.
    Topic(String),
    /// A directory: `folder:///a/b` is `/a/b`, `folder://a/b` is `a/b` below the working directory.
    Folder(PathBuf),
}

impl Place {
    /// Reads a place.
    ///
    /// # Errors
    /// Says which there are.
    pub fn read(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        match scheme {
            "sqs" => QueueAddress::read(rest).map(|_| Self::Queue(rest.to_owned())),
            "sns" => config::region_of_topic(rest).map(|_| Self::Topic(rest.to_owned())),
            "folder" if rest.is_empty() || rest.contains('\0') => {
                Err(format!("{text:?} names no directory; write folder:///PATH"))
            }
            "folder" => Ok(Self::Folder(PathBuf::from(rest))),
            _ => Err(format!(
                "{text:?} is not supported; there are sqs://QUEUE, sns://ARN and folder://DIRECTORY"
            )),
        }
    }

    /// First in, first out.
    pub(super) fn is_fifo(&self) -> bool {
        match self {
            Self::Queue(name) | Self::Topic(name) => name.strip_suffix(".fifo").is_some(),
            Self::Folder(_) => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(queue) => write!(f, "sqs://{queue}"),
            Self::Topic(topic) => write!(f, "sns://{topic}"),
            Self::Folder(path) => write!(f, "folder://{}", path.display()),
        }
    }
}
