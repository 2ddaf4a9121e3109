//! Longshore: one worker daemon for the AWS edge of a host.
//!
//! Programs drop files into spool directories and Longshore lands them in S3; messages arrive in
//! SQS queues and Longshore hands each to a handler and deletes it only on success. The daemon
//! `longshore` is this library's first user; [`worker::Worker`] is where both begin.
//!
//! # In the background of a program
//! Async or not, with spools, with queues or with both:
//! ```
//! # fn main() -> longshore::error::Result<()> {
//! # let here = tempfile::tempdir().unwrap();
//! # std::env::set_current_dir(&here).unwrap();
//! # std::fs::create_dir("test").unwrap();
//! # let credentials = "[Credentials]\naws_access_key_id = 42\naws_secret_access_key = k3y\n";
//! # let queue = "[Queue]\ndirectory = test\nbucket = testbucket\nendpoint-url = http://127.0.0.1:1\n";
//! # std::fs::write("queue.cfg", format!("{credentials}{queue}")).unwrap();
//! use longshore::worker::Worker;
//! let worker = Worker::from_file("queue.cfg")?.start()?;
//! worker.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Functions as handlers
//! What a function asks for in its arguments, it gets; what it returns decides over the message.
//! ```no_run
//! use std::time::Duration;
//!
//! use longshore::error::Error;
//! use longshore::handler::extract::{Attempt, Body, Json, State};
//! use longshore::outcome::Failure;
//! use longshore::shutdown::signals;
//! use longshore::worker::Worker;
//!
//! #[derive(Clone)]
//! struct App {
//!     shop: Shop,
//! }
//! # #[derive(Clone)]
//! # struct Shop;
//! # impl Shop {
//! #     fn open() -> Self { Self }
//! #     async fn is_open(&self) -> Result<bool, std::io::Error> { Ok(true) }
//! #     async fn place(&self, _: u64, _: u32) -> Result<(), std::io::Error> { Ok(()) }
//! # }
//!
//! #[derive(serde::Deserialize)]
//! struct Order {
//!     id: u64,
//!     email: String,
//! }
//!
//! async fn place(
//!     Json(order): Json<Order>,          // not that JSON: rejected, never retried
//!     Attempt(attempt): Attempt,
//!     State(app): State<App>,
//! ) -> Result<(), Failure> {
//!     if order.email.is_empty() {
//!         return Err(Failure::permanent("order has no e-mail address"));
//!     }
//!     if !app.shop.is_open().await? {    // any error: retried with the queue's backoff
//!         return Err(Failure::retry_after(Duration::from_mins(5), "shop is closed"));
//!     }
//!     app.shop.place(order.id, attempt).await?;
//!     Ok(())                             // deleted
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     Worker::builder(App { shop: Shop::open() })
//!         .config("/etc/longshore/longshore.toml") // queues, spools, limits: settings, not code
//!         .queue("orders", place)
//!         .event("orders", "Audit*", |Body(text): Body| async move {
//!             println!("{} bytes to audit", text.len());
//!         })
//!         .build()?                                // an unknown or double name is an error here
//!         .run_until(signals())
//!         .await?;
//!     Ok(())
//! }
//! ```
//!
//! # The tour
//! The modules from the ground up. A module uses only those above it in this list, and a test
//! holds every `use crate::` to that order.

#![cfg_attr(
    not(feature = "cli"),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        reason = "with fewer services, less is used"
    )
)]

// words
pub mod error; //       what went wrong, to which thing, and what to do next
pub mod outcome; //     done, retry, reject
pub mod message; //     a message as its handler sees it
pub mod event; //       the named kind of a message, and patterns over names
pub mod key; //         the name of a file, and the key or id that it stands for
pub mod units; //       durations and sizes as people write them
pub mod template; //    texts that a message fills in
pub mod backoff; //     how long to wait before the next attempt
mod again; //           calls made again while their failure passes by itself
pub mod finding; //     what a check finds, in words
// settings
pub mod config; //      the settings: TOML or INI, all mistakes at once
// seeing
pub mod telemetry; //   log, metrics, health
// the one place for unsafe code
mod sys;
// running
pub mod shutdown; //    drain, then abort; signals; systemd
pub mod supervisor; //  named tasks, none of which ends unseen
// ground
pub mod aws; //         connections, and what their errors mean
mod flow; //            slots and bytes that work must have before it begins
pub mod drop; //        a file dropped whole and synced
// toolkit
pub mod toolkit; //     the friendly AWS API
// messages
pub mod lock; //        locks on messages and the ids of finished ones
#[cfg(any(feature = "queue", feature = "spool"))]
pub mod payload; //     what messages carry: formats, wrappers, pointers
pub mod handler; //     anything that judges a message; runs it, bounded
// pipelines, blind to each other
#[cfg(feature = "queue")]
pub mod queue; //       poll, lease, admit, dispatch, settle
#[cfg(feature = "spool")]
pub mod spool; //       watch, scan, admit, upload, settle
#[cfg(any(feature = "queue", feature = "spool"))]
pub mod events; //      what is announced through a topic, and which of it a queue wants
#[cfg(feature = "queue")]
pub mod handlers; //    programs, endpoints, directories, queues, topics, buckets, functions
#[cfg(feature = "queue")]
pub mod pylon; //       pylon's components: input, work, output
// together
#[cfg(all(feature = "queue", feature = "spool"))]
pub mod wiring; //      topics, subscriptions, policies: checked and set up
#[cfg(all(feature = "queue", feature = "spool"))]
pub mod status; //      /live, /ready, /metrics
#[cfg(all(feature = "queue", feature = "spool"))]
pub mod worker; //      all of it under one supervisor
// beside
#[cfg(feature = "local")]
pub mod local; //       the embedded AWS behind one port
