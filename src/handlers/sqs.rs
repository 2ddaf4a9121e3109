//! `sqs`: sends each message on to a queue, ten in a call; [`forward`] tells how.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use super::forward::{Way, forward};
use super::judge::all_judged;
use crate::aws::{Aws, batch};
use crate::config;
use crate::error::{Kind, Result};
use crate::finding::Finding;
use crate::handler::{BoxHandler, Delivery, Verdict};
use crate::toolkit::sqs::{self, QueueUrl, Target};

pub(super) fn build(settings: &config::Sqs, name: &str, aws: &Aws) -> BoxHandler {
    let (settings, aws) = (settings.clone(), aws.clone());
    let sender = Arc::new(Sender { settings, aws, known: Mutex::new(None) });
    let most = NonZeroUsize::new(batch::MOST_ENTRIES).unwrap_or(NonZeroUsize::MIN);
    BoxHandler::batch(name, most, move |deliveries| send(Arc::clone(&sender), deliveries))
}

struct Sender {
    settings: config::Sqs,
    aws: Aws,
    /// The queue, once it was found; forgotten when it is gone.
    known: Mutex<Option<QueueUrl>>,
}

/// Dropping this future takes back nothing that was sent.
async fn send(sender: Arc<Sender>, deliveries: Vec<Delivery>) -> Vec<Verdict> {
    let target = match sender.aws.heed(&sender.settings.aws, sender.target().await) {
        Ok(target) => target,
        Err(error) => return all_judged(deliveries.len(), &error),
    };
    let way = Way {
        to: &target,
        is_fifo: target.url.is_fifo(),
        group: sender.settings.group.as_ref(),
        unfit: &sqs::unfit,
    };
    let (verdicts, fatal) = forward(&way, &deliveries).await;
    if fatal.as_ref().is_some_and(|error| error.kind() == Kind::Missing) {
        *sender.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
    let _heeded = sender.aws.heed(&sender.settings.aws, fatal.map_or(Ok(()), Err));
    verdicts
}

impl Sender {
    async fn target(&self) -> Result<Target> {
        let client = self.aws.connect(&self.settings.aws).await?.sqs;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let url = match known {
            Some(url) => url,
            None => sqs::resolve(&client, &self.settings.queue).await?,
        };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(url.clone());
        Ok(Target { client, url })
    }
}

/// Asks whether the queue is there; nothing is sent, for there is no taking it back.
pub(super) async fn check(settings: &config::Sqs, aws: &Aws) -> Finding {
    let queue = &settings.queue;
    let asked = async {
        let client = aws.connect(&settings.aws).await?.sqs;
        let url = sqs::resolve(&client, queue).await?;
        sqs::facts(&client, &url).await
    };
    match asked.await {
        Ok(_facts) => Finding::good(format!("the handler's queue {queue} answers")),
        Err(error) if error.kind() == Kind::Denied && queue.contains("://") => {
            Finding::limited(format!("we may not ask for the handler's queue: {error}"))
                .fix("sending may be allowed all the same; the first message will tell")
        }
        Err(error) => Finding::of_error(&error, 69),
    }
}
