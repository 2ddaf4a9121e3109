//! What the log says of a spool, in Longshore's words or in those of zc.s3uploadqueue, for
//! operators who watch for them. Three of its texts carry a name in the text itself.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::quarantine::Kept;
use super::rules::Why;
use crate::config::{self, Destination, Texts};
use crate::error::Error;

/// The voice of one spool.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    pub(crate) spool: String,
    bucket: Option<String>,
    /// The queue or topic of an outbox.
    outlet: Option<String>,
    texts: Texts,
}

impl Voice {
    pub(crate) fn of(spool: &str, settings: &config::Spool) -> Self {
        let (bucket, outlet) = match &settings.destination {
            Destination::Bucket(bucket) => (Some(bucket.clone()), None),
            Destination::Messages(outbox) => (None, Some(outbox.outlet.to_string())),
        };
        Self { spool: spool.to_owned(), bucket, outlet, texts: settings.texts }
    }

    /// The spool begins; zc.s3uploadqueue says nothing here.
    pub(crate) fn watching(&self, directory: &Path) {
        if self.texts == Texts::Longshore {
            let (spool, bucket, outlet) = (&self.spool, &self.bucket, &self.outlet);
            let directory = directory.display();
            tracing::info!(spool, %directory, bucket, outlet, "watching spool");
        }
    }

    /// A sidecar waited a day for its file.
    pub(crate) fn put_away(&self, file: &OsStr) {
        let (spool, file) = (&self.spool, file.display());
        tracing::warn!(spool, %file, "sidecar without its file moved to quarantine");
    }

    pub(crate) fn landed(&self, file: &OsStr, key: &str, (bytes, took): (u64, Duration)) {
        let (spool, ms) = (&self.spool, took.as_millis());
        match self.texts {
            Texts::Longshore if self.outlet.is_some() => {
                let (file, outlet) = (file.display(), &self.outlet);
                tracing::info!(spool, %file, outlet, bytes, ms, "file sent");
            }
            Texts::Longshore => {
                tracing::info!(spool, file = %file.display(), key, bytes, ms, "file landed");
            }
            Texts::Zc => {
                let text = format!("Transferred {}", python(file));
                tracing::info!(spool, key, bytes, ms, "{text}");
            }
        }
    }

    /// One attempt failed; `quiet` where a line about the whole bucket says it already.
    pub(crate) fn failed(&self, file: &OsStr, error: &Error, (attempt, quiet): (u32, bool)) {
        let (spool, shown) = (&self.spool, file.display());
        match self.texts {
            Texts::Zc => {
                let text = format!("processing {}", python(file));
                tracing::error!(spool, attempt, %error, "{text}");
            }
            Texts::Longshore if quiet => {
                tracing::debug!(spool, file = %shown, attempt, %error, "upload refused");
            }
            Texts::Longshore => {
                tracing::warn!(spool, file = %shown, attempt, %error, "upload failed");
            }
        }
    }

    /// A file changed while it was uploaded, so that what S3 has counts for nothing.
    pub(crate) fn changed(&self, file: &OsStr, error: &Error, attempt: u32) {
        if self.texts == Texts::Zc {
            return self.failed(file, error, (attempt, false));
        }
        tracing::warn!(
            spool = self.spool,
            file = %file.display(),
            attempt,
            fix = "write it elsewhere and rename it into the spool, as `longshore put` does",
            "file changed while it was uploaded, uploading again"
        );
    }

    pub(crate) fn paused(&self, error: &Error) {
        let (spool, bucket, outlet) = (&self.spool, &self.bucket, &self.outlet);
        match self.texts {
            Texts::Longshore if outlet.is_some() => {
                tracing::error!(spool, outlet, %error, "spool paused, its outlet cannot be used");
            }
            Texts::Longshore => {
                tracing::error!(spool, bucket, %error, "spool paused, its bucket cannot be used");
            }
            Texts::Zc => self.probe_refused(error),
        }
    }

    /// The pause lasts; `tell` when it is time to say so again.
    pub(crate) fn still_paused(&self, error: &Error, tell: bool) {
        let (spool, bucket, outlet) = (&self.spool, &self.bucket, &self.outlet);
        match self.texts {
            Texts::Longshore if tell => {
                tracing::error!(spool, bucket, outlet, %error, "spool is still paused");
            }
            Texts::Longshore => {
                tracing::debug!(spool, bucket, outlet, %error, "probe refused");
            }
            Texts::Zc => self.probe_refused(error),
        }
    }

    pub(crate) fn resumed(&self) {
        let (spool, bucket, outlet) = (&self.spool, &self.bucket, &self.outlet);
        tracing::info!(spool, bucket, outlet, "spool resumed");
    }

    pub(crate) fn quarantined(&self, file: &OsStr, kept: &Kept, error: &Error) {
        tracing::warn!(
            spool = self.spool,
            file = %file.display(),
            to = %kept.path.display(),
            unexplained = kept.unexplained,
            %error,
            fix = "mend or rename the file and move it back into the spool",
            "file quarantined"
        );
        if self.texts == Texts::Zc {
            self.failed(file, error, (1, true));
        }
    }

    pub(crate) fn left_alone(&self, file: &OsStr, why: Why) {
        let (spool, why) = (&self.spool, why.label());
        tracing::warn!(spool, file = %file.display(), why, "entry left alone");
    }

    fn probe_refused(&self, error: &Error) {
        let bucket = self.bucket.as_deref().unwrap_or_default();
        let text = format!("Error accessing bucket: {}", python(OsStr::new(bucket)));
        tracing::error!(spool = self.spool, %error, "{text}");
    }
}

/// A text as Python shows it: in single quotes, unless it holds those and no double ones.
fn python(text: &OsStr) -> String {
    let bytes = text.as_bytes();
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => shown.push_str("\\\\"),
                '\n' => shown.push_str("\\n"),
                '\r' => shown.push_str("\\r"),
                '\t' => shown.push_str("\\t"),
                c if c == quote => {
                    shown.push('\\');
                    shown.push(c);
                }
                c if c.is_ascii_control() => {
                    // Writing to a String cannot fail.
                    let _written = write!(shown, "\\x{:02x}", u32::from(c));
                }
                c => shown.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _written = write!(shown, "\\udc{byte:02x}");
        }
    }
    shown.push(quote);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_python_shows_them() {
        for (name, shown) in [
            (&b"2012-06-14%2F01.txt"[..], "'2012-06-14%2F01.txt'"),
            (b"it's", "\"it's\""),
            (b"it's \"so\"", "'it\\'s \"so\"'"),
            (b"a\\b\n\x01", "'a\\\\b\\n\\x01'"),
            ("é".as_bytes(), "'é'"),
            (b"caf\xe9", "'caf\\udce9'"),
        ] {
            assert_eq!(python(OsStr::from_bytes(name)), shown);
        }
    }
}
