//! The daemon and its tools, as one command.

fn main() {}
