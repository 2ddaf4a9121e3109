//! What leads messages to the queues: topics, subscriptions, policies, dead-letter queues, the
//! notifications of buckets. Checked against the settings, and made as they want it.

mod arn;
mod check;
mod destroy;
mod found;
mod iam;
mod plan;
mod step;
#[cfg(feature = "dynamodb")]
mod table;
mod wanted;

pub use check::check;
pub use destroy::destroy;
pub use iam::policy;
pub use plan::{Plan, plan};
pub use step::Step;
