//! Events through a topic: what is announced, and which of it a queue wants.

mod announce;
mod policy;
mod value;
mod wire;

use crate::aws::Aws;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::toolkit::sns::{self, Publisher};

pub use announce::{Announcement, MessageStructure, full_payload};
pub use policy::{FilterPolicy, MOST_VALUES};
pub use value::Value;

/// The publisher of the topic of `[events]`. For an ARN no request is sent, but those of the SDK's
/// chain of credentials; a plain name is looked for in the account and region.
///
/// # Errors
/// [`Kind::Settings`] where the settings name no topic; as [`Aws::connect`]; for a name, as
/// [`sns::find`].
pub async fn publisher(aws: &Aws, settings: &config::Events) -> Result<Publisher> {
    let topic = settings.topic.as_ref().ok_or_else(|| {
        Error::new(Kind::Settings, "the settings name no topic")
            .hint("write topic = \"arn:aws:sns:REGION:ACCOUNT:NAME\" in [events]")
    })?;
    let connection = aws.connect(&settings.aws).await?;
    let arn = sns::find(&connection.sns, topic).await?;
    Ok(Publisher::new(connection.sns, arn))
}
