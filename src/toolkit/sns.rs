//! Topics: publishing, one or many.

mod publish;
mod rules;
mod topic;

pub use publish::{MOST_BYTES, Publisher};
pub use topic::Topic;
