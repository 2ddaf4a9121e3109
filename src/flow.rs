//! How much may be under way: slots by count and by bytes, and file-system calls kept off the
//! runtime's threads.

pub(crate) mod blocking;
pub(crate) mod permits;
