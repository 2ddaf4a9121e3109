//! Topics: their verbs, subscriptions, and publishing, one or many.

mod entry;
mod publish;
mod rules;
mod subscribe;
mod topic;
mod verbs;

pub(crate) use entry::Target;
pub use publish::{MOST_BYTES, Publisher};
pub use subscribe::{
    Endpoint, Subscription, Wishes, subscribe, subscribe_queue, subscription_attributes,
    subscriptions, unsubscribe,
};
pub use topic::Topic;
pub use verbs::{NewTopic, attributes, create, delete, exists, find, list};
