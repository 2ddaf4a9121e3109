//! Downloads that are kept.
mod store;
