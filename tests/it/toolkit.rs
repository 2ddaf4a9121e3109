//! The toolkit as a library, and its verbs on the command line.

mod commands;
mod lookups;
mod parameters;
mod receiving;
mod resting;
mod subscriptions;
