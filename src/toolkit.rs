//! The friendly AWS API: verbs for handlers, scripts and the command line.

#[cfg(feature = "sqs")]
pub(crate) mod carry;
#[cfg(feature = "sns")]
pub mod channels;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod locator;
pub mod outbox;
#[cfg(feature = "sqs")]
pub mod permission;
pub mod receive;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "sns")]
pub mod sns;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(feature = "sqs")]
pub mod sqs;
#[cfg(feature = "ssm")]
pub mod ssm;
pub mod transport;
