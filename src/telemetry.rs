//! What the outside sees of a running daemon.

pub mod log;
