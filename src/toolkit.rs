//! The friendly AWS API: verbs for handlers, scripts and the command line.

pub mod channels;
pub mod permission;
pub mod receive;
pub mod sns;
pub mod outbox;
pub mod sqs;
pub mod transport;
