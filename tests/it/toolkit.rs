//! The toolkit as a library, and its verbs on the command line.

mod commands;
mod dynamodb;
mod lookups;
pub(crate) mod objects;
mod outputs;
mod parameters;
mod receiving;
mod resting;
mod subscriptions;
