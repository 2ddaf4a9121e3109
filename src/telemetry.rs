//! What is seen from outside: the log, the metrics, health.

pub mod health;
pub mod log;
pub mod metrics;
pub mod repeat;
