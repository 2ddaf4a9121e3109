//! Topics: publishing, one or many.

mod publish;
mod rules;

pub use publish::{MOST_BYTES, Published, Publisher};
