//! Receipt handles: which message, and which of its receives.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::message::Message;

/// What a receipt handle says: which message, and which of its receives.
#[derive(Debug)]
pub(super) struct Receipt {
    pub(super) text: String,
    pub(super) queue: String,
    pub(super) sequence: u64,
    pub(super) receives: u32,
}

pub(super) fn handle(queue: &str, message: &Message) -> String {
    let plain = format!("{queue} {} {} {}", message.sequence, message.receives, message.id);
    STANDARD.encode(plain)
}

impl Receipt {
    pub(super) fn read(text: &str) -> Option<Self> {
        let plain = STANDARD.decode(text).ok()?;
        let plain = String::from_utf8(plain).ok()?;
        let mut parts = plain.split(' ');
        let queue = parts.next()?.to_owned();
        let sequence = parts.next()?.parse().ok()?;
        let receives = parts.next()?.parse().ok()?;
        parts.next()?;
        Some(Self { text: text.to_owned(), queue, sequence, receives })
    }
}
