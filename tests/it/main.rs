//! Longshore from outside: the real binary, real ports, other people's AWS and real clients.
//!
//! One crate, since every further one would link the whole SDK again. `support` is what the tests
//! stand on, and proves itself in `support_works`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test stops where its ground breaks, blocks a thread of its own and reads its environment"
)]

mod support;

mod bad_input;
mod channels;
mod checks;
mod commands;
mod destinations;
mod completions;
mod connection;
mod dynamodb;
mod elsewhere;
mod embedding;
mod house;
mod locking;
mod logs;
mod outbox;
mod outside;
mod payloads;
mod queue_time;
mod queues;
mod redrive_time;
mod redriving;
mod run_local;
mod s3_cache;
mod s3_tool;
mod seeds;
mod sending;
mod setup;
mod spool;
mod sql;
mod status_page;
mod support_works;
mod systemd;
mod toolkit;
