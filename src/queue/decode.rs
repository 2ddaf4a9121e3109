//! From what SQS hands out to a [`Message`], its receipt handle, and whether its body is whole.

use crate::message::Message;
use crate::toolkit::sqs;

/// A message as it was received, with the handle that settles it.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) message: Message,
    pub(super) handle: String,
    /// Its body is not the one of which SQS told the MD5.
    pub(super) is_damaged: bool,
}

/// Reads one message; nothing where SQS gave it no id or no handle.
pub(super) fn received(
    message: aws_sdk_sqs::types::Message,
    queue: &str,
    event_key: &str,
) -> Option<Received> {
    let is_damaged = sqs::is_damaged(&message);
    let (message, handle) = sqs::read(message, queue, event_key)?;
    Some(Received { message, handle, is_damaged })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_not_what_sqs_told_is_damaged() {
        let damaged = |md5: Option<&str>| {
            let message = aws_sdk_sqs::types::Message::builder()
                .message_id("id")
                .receipt_handle("handle")
                .body("The quick brown fox jumps over the lazy dog")
                .set_md5_of_body(md5.map(str::to_owned));
            received(message.build(), "orders", "iniesta_pass").unwrap().is_damaged
        };
        assert!(!damaged(Some("9e107d9d372bb6826bd81d3542a419d6")));
        assert!(!damaged(Some("9E107D9D372BB6826BD81D3542A419D6")));
        assert!(!damaged(None));
        assert!(damaged(Some("9e107d9d372bb6826bd81d3542a419d7")));
    }
}
