//! What a command is given to read: the body as its standard input, and all metadata as JSON in
//! the file named by `LONGSHORE_MESSAGE`.
//!
//! The body is an anonymous file, sealed; one that was unpacked and is too large for memory is read
//! from the file it lies in. The metadata is a file of mode 0600 in `$TMPDIR` (else
//! `/tmp`; `/dev/shm` where that is full or read-only) and not an inherited descriptor, since
//! Python, sudo and others close those. It is removed when the run ends; what a killed daemon left
//! is removed by the first run of a later one, 13 hours afterwards.
//!
//! ```json
//! {"message_id": "…", "queue": "orders", "event": "OrderPlaced.shop", "receive_count": 1,
//!  "sent_at": "2012-06-14T09:30:00.250Z", "first_received_at": "…", "group": "…",
//!  "deduplication_id": "…", "sequence_number": "…", "sender_id": "…",
//!  "trace_header": "Root=1-…", "traceparent": "00-…", "body_bytes": 42,
//!  "attributes": {"tint": {"type": "String", "value": "red"},
//!                 "size": {"type": "Number", "value": "12.5"},
//!                 "raw": {"type": "Binary", "base64": "AAH/"}},
//!  "system_attributes": {"SentTimestamp": "1339666200250"}}
//! ```
//! What SQS did not say is `null`.

use std::collections::BTreeMap;
use std::fs::{DirEntry, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use serde::Serialize;

use crate::message::{Attribute, Body, Message};
use crate::units;

/// How the names of these files begin and end.
const NAME: (&str, &str) = ("longshore-message-", ".json");
/// Nothing runs longer: SQS ends every lease after 12 hours.
const LEFT_BEHIND: Duration = Duration::from_hours(13);
/// Where the file goes when the directory for temporary files does not take it.
const FALLBACK: &str = "/dev/shm";

/// The body as a file, at its beginning; what lies in a file already is not copied.
pub(super) fn of_body(body: &Body) -> io::Result<File> {
    match body.reopened()? {
        Some(file) => Ok(file),
        None => anonymous(body.as_bytes().unwrap_or_default()),
    }
}

/// An anonymous file that holds these bytes, at its beginning, and can never be changed.
fn anonymous(bytes: &[u8]) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let descriptor = match memfd_create("longshore-body", flags | MemfdFlags::NOEXEC_SEAL) {
        // Linux before 6.3 does not know that seal; some hosts insist on it.
        Err(Errno::INVAL) => memfd_create("longshore-body", flags)?,
        created => created?,
    };
    let mut file = File::from(descriptor);
    file.write_all(bytes)?;
    file.rewind()?;
    fcntl_add_seals(
        &file,
        SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
    )?;
    Ok(file)
}

/// The file named by `LONGSHORE_MESSAGE`; removed when this is dropped.
#[derive(Debug)]
pub(super) struct MessageFile(PathBuf);

impl MessageFile {
    /// Writes it anew under a name that nobody can guess.
    pub(super) fn write(message: &Message) -> io::Result<Self> {
        let json = serde_json::to_vec(&Metadata::of(message)).map_err(io::Error::other)?;
        Self::write_in(&std::env::temp_dir(), &json)
            .or_else(|error| Self::write_in(Path::new(FALLBACK), &json).map_err(|_| error))
    }

    fn write_in(directory: &Path, json: &[u8]) -> io::Result<Self> {
        let (daemon, chance) = (std::process::id(), fastrand::u128(..));
        let name = format!("{}{daemon}-{chance:032x}{}", NAME.0, NAME.1);
        let path = directory.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let written = Self(path);
        file.write_all(json)?;
        Ok(written)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// Removes what daemons that were killed have left behind. Nothing of it is worth an error.
pub(super) fn sweep() {
    for directory in [&std::env::temp_dir(), Path::new(FALLBACK)] {
        sweep_in(directory, SystemTime::now());
    }
}

fn sweep_in(directory: &Path, now: SystemTime) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix(NAME.0)?.strip_suffix(NAME.1));
        let Some(name) = name else { continue };
        if is_orphan(name) || is_left_behind(&entry, now) {
            // In a directory with the sticky bit, those of other users stay.
            let _removed = std::fs::remove_file(entry.path());
        }
    }
}

/// True where the daemon that wrote it is gone; its process id stands first in the name.
fn is_orphan(name: &str) -> bool {
    let daemon = name.split_once('-').map_or("", |(daemon, _)| daemon);
    daemon.parse::<u32>().is_ok() && !Path::new("/proc").join(daemon).exists()
}

fn is_left_behind(entry: &DirEntry, now: SystemTime) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
    let age = modified.and_then(|modified| now.duration_since(modified).ok());
    age.is_some_and(|age| age > LEFT_BEHIND)
}

impl Drop for MessageFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(file = %self.0.display(), %error, "cannot remove a temporary file");
        }
    }
}

#[derive(Serialize)]
struct Metadata<'a> {
    message_id: &'a str,
    queue: &'a str,
    event: Option<&'a str>,
    receive_count: u32,
    sent_at: Option<String>,
    first_received_at: Option<String>,
    group: Option<&'a str>,
    deduplication_id: Option<&'a str>,
    sequence_number: Option<&'a str>,
    sender_id: Option<&'a str>,
    trace_header: Option<&'a str>,
    traceparent: Option<&'a str>,
    body_bytes: u64,
    attributes: BTreeMap<&'a str, Typed<'a>>,
    system_attributes: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Typed<'a> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> Metadata<'a> {
    fn of(message: &'a Message) -> Self {
        let system = |name: &str| message.system_attributes.get(name).map(String::as_str);
        Self {
            message_id: &message.id,
            queue: &message.queue,
            event: message.event.as_deref(),
            receive_count: message.receive_count(),
            sent_at: message.sent_at().map(units::utc),
            first_received_at: message.first_received_at().map(units::utc),
            group: message.group(),
            deduplication_id: system("MessageDeduplicationId"),
            sequence_number: system("SequenceNumber"),
            sender_id: system("SenderId"),
            trace_header: message.trace_header(),
            traceparent: message.traceparent(),
            body_bytes: message.body.len(),
            attributes: message
                .attributes
                .iter()
                .map(|(name, attribute)| {
                    let data_type = message.data_type(name).unwrap_or_default();
                    (name.as_str(), Typed::of(data_type, attribute))
                })
                .collect(),
            system_attributes: &message.system_attributes,
        }
    }
}

impl<'a> Typed<'a> {
    fn of(data_type: &'a str, attribute: &'a Attribute) -> Self {
        let base64 = match attribute {
            Attribute::Binary(bytes) => Some(STANDARD.encode(bytes)),
            Attribute::String(_) | Attribute::Number(_) => None,
        };
        Self { r#type: data_type, value: attribute.as_text(), base64 }
    }
}

#[cfg(test)]
mod tests;
