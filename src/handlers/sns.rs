//! `sns`: publishes each message to a topic, ten in a call; [`forward`] tells how. Topics know no
//! traces: that of a message stays behind.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::forward::{Way, forward};
use super::judge::all_judged;
use crate::aws::{Aws, batch};
use crate::config;
use crate::error::Kind;
use crate::finding::Finding;
use crate::handler::{BoxHandler, Delivery, Verdict};
use crate::toolkit::carry::batches::Addressee;
use crate::toolkit::sns::{self, Target};

pub(super) fn build(settings: &config::Sns, name: &str, aws: &Aws) -> BoxHandler {
    let teller = Arc::new((settings.clone(), aws.clone()));
    let most = NonZeroUsize::new(batch::MOST_ENTRIES).unwrap_or(NonZeroUsize::MIN);
    BoxHandler::batch(name, most, move |deliveries| publish(Arc::clone(&teller), deliveries))
}

/// Dropping this future takes back nothing that was published.
async fn publish(teller: Arc<(config::Sns, Aws)>, deliveries: Vec<Delivery>) -> Vec<Verdict> {
    let (settings, aws) = &*teller;
    let client = match aws.connect(&settings.aws).await {
        Ok(connection) => connection.sns,
        Err(error) => return all_judged(deliveries.len(), &error),
    };
    let target = Target::new(client, &settings.topic);
    let way = Way {
        to: &target,
        is_fifo: target.is_fifo(),
        group: settings.group.as_ref(),
        unfit: &|message| target.unfit(message),
    };
    let (verdicts, fatal) = forward(&way, &deliveries).await;
    let _heeded = aws.heed(&settings.aws, fatal.map_or(Ok(()), Err));
    verdicts
}

/// Asks whether the topic is there; nothing is published, for there is no taking it back.
pub(super) async fn check(settings: &config::Sns, aws: &Aws) -> Finding {
    let topic = &settings.topic;
    let asked = async {
        let client = aws.connect(&settings.aws).await?.sns;
        sns::attributes(&client, topic).await
    };
    match asked.await {
        Ok(_attributes) => Finding::good(format!("the handler's topic {topic} answers")),
        Err(error) if error.kind() == Kind::Denied => {
            Finding::limited(format!("we may not ask for the handler's topic: {error}"))
                .fix("publishing may be allowed all the same; the first message will tell")
        }
        Err(error) => Finding::of_error(&error, 69),
    }
}
