//! A topic to send to.

use futures_util::Stream;

use super::{Target, find};
use crate::aws::Aws;
use crate::error::Result;
use crate::message::Outgoing;
use crate::toolkit::carry::batches::Batches;
use crate::toolkit::transport::{CanSend, SendReport, Sent};

/// A topic by its ARN.
///
/// ```no_run
/// # async fn example() -> longshore::error::Result<()> {
/// use longshore::aws::Aws;
/// use longshore::payload::codec::Pylon;
/// use longshore::toolkit::transport::CanSend;
///
/// let arn = "arn:aws:sns:ap-southeast-2:123456789012:my_topic";
/// let topic = Aws::new().topic("ap-southeast-2", arn).await?;
/// topic.send(Pylon::raw("very cool message").encode()?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Topic {
    client: aws_sdk_sns::Client,
    arn: String,
}

impl Aws {
    /// The topic of this name or ARN, looked for once for each region and role.
    ///
    /// # Errors
    /// [`Kind::Missing`](crate::error::Kind::Missing) where there is no such topic,
    /// [`Kind::Settings`](crate::error::Kind::Settings) for what is no region. Neither is
    /// remembered.
    pub async fn topic(&self, region: &str, topic: &str) -> Result<Topic> {
        let client = self.sns(region).await?;
        let found = self.found(region, "topic", topic);
        let mut found = found.write().await;
        let arn = match &*found {
            Some(arn) => arn.clone(),
            None => found.insert(find(&client, topic).await?).clone(),
        };
        Ok(Topic::new(client, arn))
    }
}

impl Topic {
    /// The topic with this ARN; no request is sent yet.
    pub fn new(client: aws_sdk_sns::Client, arn: impl Into<String>) -> Self {
        Self { client, arn: arn.into() }
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    fn target(&self) -> Target {
        Target::new(self.client.clone(), &self.arn)
    }
}

impl CanSend for Topic {
    async fn send(&self, message: Outgoing) -> Result<Sent> {
        self.target().publish(&message).await
    }

    async fn send_all<S>(&self, messages: S) -> Result<SendReport>
    where
        S: Stream<Item = Outgoing> + Send,
    {
        Batches::new(self.target()).send_all(messages).await
    }
}
