//! A message to a topic.

use aws_sdk_sns::Client;

use super::Refusal;
use crate::error::{Error, Kind};
use crate::message::Outgoing;
use crate::toolkit::carry::batches::Addressee;
use crate::toolkit::sns::Target;

/// Publishes it. When it returns, SNS has confirmed it.
///
/// Dropped midway, it may or may not have been published.
pub(crate) async fn publish(
    client: &Client,
    topic: &str,
    message: Outgoing,
) -> Result<(), Refusal> {
    let target = Target::new(client.clone(), topic);
    if let Some(why) = target.unfit(&message) {
        let what = format!("it can never be sent to topic {topic}");
        return Err(Refusal::Own(Error::new(Kind::Invalid, what).because(why)));
    }
    target.publish_once(&message).await.map(|_confirmed| ()).map_err(|error| {
        // SNS calls an ARN that is none of its own invalid too.
        let of_topic = error.told().contains("TopicArn");
        if error.kind() == Kind::Invalid && !of_topic {
            Refusal::Own(error)
        } else {
            Refusal::Refused(error)
        }
    })
}
