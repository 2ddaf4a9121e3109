//! Longshore: one worker daemon for the AWS edge of a host.
//!
//! Programs drop files into spool directories and Longshore lands them in S3; messages arrive in
//! SQS queues and Longshore hands each to a handler and deletes it only on success.
//!
//! # The tour
//! The modules from the ground up. A module uses only those above it in this list, and a test
//! holds every `use crate::` to that order.

// words
pub mod error;
pub mod outcome;
pub mod message;
pub mod units;
pub mod backoff;
pub mod finding;
// settings
pub mod config;
// seeing
pub mod telemetry;
// running
mod sys;
pub mod shutdown;
pub mod supervisor;
// ground
pub mod aws;
mod flow;
pub mod drop;
// toolkit
pub mod toolkit;
// messages
pub mod handler;
// pipelines
pub mod queue;
pub mod spool;
pub mod handlers;
// together
pub mod status;
pub mod worker;
// beside
#[cfg(feature = "local")]
pub mod local;
