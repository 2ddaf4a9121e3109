//! The toolkit as a library, and its verbs on the command line.

mod commands;
mod dynamodb;
mod lookups;
mod mistakes;
pub(crate) mod objects;
mod outputs;
mod parameters;
mod receiving;
mod resting;
mod silence;
mod subscriptions;
