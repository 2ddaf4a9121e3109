//! The toolkit as a library, and its verbs on the command line.

mod commands;
mod dynamodb;
mod lookups;
mod receiving;
mod resting;
mod subscriptions;
