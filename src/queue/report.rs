//! What a queue did while it ran.

/// Counts of one run; the worker tells them when it stops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Messages received, redeliveries included.
    pub received: u64,
    /// Handled and deleted.
    pub done: u64,
    /// Given back to come again.
    pub retried: u64,
    /// Set aside or sent to a dead-letter queue.
    pub rejected: u64,
    /// Given back unjudged: received while stopping, cut off, or without a handler to start.
    pub released: u64,
    /// Left hidden until their lease ends, because time ran out.
    pub stranded: u64,
}
