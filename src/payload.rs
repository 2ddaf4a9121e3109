//! What messages carry: the formats in which they are written.

pub mod codec;
pub mod folder;
