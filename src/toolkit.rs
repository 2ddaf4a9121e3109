//! The friendly AWS API: verbs for handlers, scripts and the command line.

pub mod channels;
pub mod dynamodb;
pub mod lambda;
pub mod locator;
pub mod outbox;
pub mod permission;
pub mod receive;
pub mod s3;
pub mod sns;
pub mod sql;
pub mod sqs;
pub mod ssm;
pub mod transport;
