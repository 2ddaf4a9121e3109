//! One run: which ingestion it is, what it comes from, and the names that follow from that.

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::message::{Attribute, Message};

/// From 15 October 1582, where time begins in UUIDs, to 1970, in steps of 100 ns (RFC 9562).
const UUID_EPOCH: u64 = 0x01B2_1DD2_1381_4000;
/// The longest that SQS and SNS take.
const LONGEST_ID: usize = 100;

/// What is known of one run.
#[derive(Debug)]
pub(super) struct Context {
    /// The id of this ingestion, a UUID of version 1.
    pub(super) ingestion_id: String,
    /// That of the ingestion that the input belongs to.
    pub(super) parent: Option<String>,
    /// The FIFO group of the input.
    pub(super) group: Option<String>,
    /// What tells this input from any other, the same in every attempt.
    pub(super) origin: String,
    /// Nobody can have sent anything of it before.
    pub(super) is_first: bool,
}

impl Context {
    /// A run on a message, or on none.
    pub(super) fn of(input: Option<&Message>) -> Self {
        let ingestion_id = ingestion_id(SystemTime::now(), fastrand::u64(..)).to_string();
        let parent = input.and_then(|input| input.attributes.get("ingestionId"));
        let parent = parent.and_then(Attribute::as_text).map(str::to_owned);
        let counted =
            |input: &Message| input.system_attributes.get("ApproximateReceiveCount").cloned();
        Self {
            parent,
            group: input.and_then(Message::group).map(str::to_owned),
            origin: input.map_or_else(
                || ingestion_id.clone(),
                |input| format!("{}/{}", input.queue, input.id),
            ),
            is_first: input.is_none_or(|input| counted(input).as_deref() == Some("1")),
            ingestion_id,
        }
    }

    /// The deduplication id of what the work gave at this position.
    pub(super) fn deduplication_id(&self, position: usize) -> String {
        format!("{}.{position}", self.name())
    }

    /// The group of what has none from its input: the messages of one run stay in order.
    pub(super) fn name(&self) -> String {
        let id = self.origin.rsplit('/').next().unwrap_or_default();
        if !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_graphic()) {
            return id.to_owned();
        }
        self.uuid("name").to_string()
    }

    /// The name of the stored body of what the work gave at this position.
    pub(super) fn body_name(&self, position: usize) -> Uuid {
        self.uuid(&format!("body {position}"))
    }

    fn uuid(&self, of: &str) -> Uuid {
        let digest = Sha256::digest(format!("{}\n{of}", self.origin));
        let mut bytes = [0; 16];
        for (byte, of_digest) in bytes.iter_mut().zip(digest) {
            *byte = of_digest;
        }
        Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// A UUID of version 1 whose node is made up (RFC 9562, sections 5.1 and 6.10).
fn ingestion_id(now: SystemTime, chance: u64) -> Uuid {
    let nanos = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() / 100;
    let ticks = u64::try_from(nanos).unwrap_or(0).wrapping_add(UUID_EPOCH);
    let [_, _, _, _, low0, low1, low2, low3] = (ticks & 0xFFFF_FFFF).to_be_bytes();
    let [_, _, _, _, _, _, mid0, mid1] = (ticks >> 32 & 0xFFFF).to_be_bytes();
    let [_, _, _, _, _, _, high0, high1] = (ticks >> 48 & 0x0FFF | 0x1000).to_be_bytes();
    let [clock0, clock1, node @ ..] = chance.to_be_bytes();
    let [node0, node1, node2, node3, node4, node5] = node;
    Uuid::from_bytes([
        low0,
        low1,
        low2,
        low3,
        mid0,
        mid1,
        high0,
        high1,
        clock0 & 0x3F | 0x80,
        clock1,
        // Never the address of a network card.
        node0 | 0x01,
        node1,
        node2,
        node3,
        node4,
        node5,
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_ingestion_id_is_a_uuid_of_version_1() {
        let at = UNIX_EPOCH + Duration::from_secs(1_645_557_742);
        // The example of RFC 9562, appendix A.1.
        let id = ingestion_id(at, 0x33C8_9F6B_DECE_D846).to_string();
        assert_eq!(id, "c232ab00-9414-11ec-b3c8-9f6bdeced846");
    }
}
