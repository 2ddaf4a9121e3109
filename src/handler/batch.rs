//! Functions that take several messages at once.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::extract::{FromMessage, Rejection};
use super::{BoxHandler, Delivery, Verdict};
use crate::outcome::{IntoOutcome, Outcome};

impl BoxHandler {
    /// A handler from a Rust function that takes up to `most` messages and the state; `name` is how
    /// logs call it. Of each message it gets one extractor, or several as a tuple, and it returns
    /// one value for each, in their order.
    ///
    /// A message that cannot be read so is rejected, and the function is called with the others.
    pub fn of_batch<S, A, F, R, O>(
        name: impl Into<Arc<str>>,
        most: NonZeroUsize,
        handler: F,
        state: S,
    ) -> Self
    where
        S: Clone + Send + Sync + 'static,
        A: FromMessage<S>,
        F: Fn(Vec<A>, S) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<O>> + Send + 'static,
        O: IntoOutcome,
    {
        Self::batch(name, most, move |deliveries: Vec<Delivery>| {
            let mut readable = Vec::with_capacity(deliveries.len());
            let mut rejections = Vec::with_capacity(deliveries.len());
            for delivery in &deliveries {
                rejections.push(A::from_message(delivery, &state).map(|a| readable.push(a)).err());
            }
            let running = (!readable.is_empty()).then(|| handler(readable, state.clone()));
            async move {
                let outcomes = match running {
                    Some(running) => running.await,
                    None => Vec::new(),
                };
                let mut outcomes = outcomes.into_iter().map(IntoOutcome::into_outcome);
                let mut verdicts: Vec<Verdict> = Vec::with_capacity(rejections.len());
                for rejection in rejections {
                    verdicts.push(Ok(match rejection {
                        Some(rejection) => rejection.into(),
                        None => outcomes.next().unwrap_or_else(Outcome::missing),
                    }));
                }
                // Those that are too many are told of where the run ends.
                verdicts.extend(outcomes.map(Ok));
                verdicts
            }
        })
    }
}

impl<S, A: FromMessage<S>, B: FromMessage<S>> FromMessage<S> for (A, B) {
    fn from_message(delivery: &Delivery, state: &S) -> Result<Self, Rejection> {
        Ok((A::from_message(delivery, state)?, B::from_message(delivery, state)?))
    }
}

impl<S, A, B, C> FromMessage<S> for (A, B, C)
where
    A: FromMessage<S>,
    B: FromMessage<S>,
    C: FromMessage<S>,
{
    fn from_message(delivery: &Delivery, state: &S) -> Result<Self, Rejection> {
        let ((a, b), c) = FromMessage::from_message(delivery, state)?;
        Ok((a, b, c))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::handler::LeaseKeeper;
    use crate::handler::extract::{Json, MessageId};
    use crate::message::Message;
    use crate::outcome::Failure;

    fn delivery(body: &str) -> Delivery {
        let message = Message {
            id: "m-1".to_owned(),
            queue: "orders".to_owned(),
            body: body.into(),
            attributes: BTreeMap::new(),
            labels: BTreeMap::new(),
            system_attributes: BTreeMap::new(),
            event: None,
        };
        let keeper = LeaseKeeper::new(Instant::now() + Duration::from_secs(30));
        Delivery { message: Arc::new(message), lease: keeper.lease() }
    }

    async fn judge(orders: Vec<(Json<u32>, MessageId)>, limit: u32) -> Vec<Result<(), Failure>> {
        let judge = |(Json(order), MessageId(id)): (Json<u32>, MessageId)| {
            assert_eq!(id, "m-1");
            if order > limit { Err(Failure::permanent("too much")) } else { Ok(()) }
        };
        orders.into_iter().map(judge).collect()
    }

    async fn verdicts(handler: &BoxHandler, bodies: &[&str]) -> Vec<Outcome> {
        let deliveries = bodies.iter().map(|body| delivery(body)).collect();
        let verdicts = handler.call_all(deliveries).await;
        verdicts.into_iter().map(Result::unwrap).collect()
    }

    #[tokio::test]
    async fn each_message_has_its_own_outcome_and_what_cannot_be_read_is_rejected_alone() {
        let most = NonZeroUsize::new(25).unwrap();
        let handler = BoxHandler::of_batch("test", most, judge, 10);
        assert_eq!(handler.most(), most);
        let outcomes = verdicts(&handler, &["7", "{", "11", "8"]).await;
        assert_eq!(outcomes[0], Outcome::Done);
        assert!(matches!(&outcomes[1], Outcome::Reject { reason } if reason.contains("JSON")));
        assert_eq!(outcomes[2..], [Outcome::reject("too much"), Outcome::Done]);
    }

    #[tokio::test]
    async fn a_function_is_not_called_without_messages_and_what_it_leaves_out_is_retried() {
        let most = NonZeroUsize::new(25).unwrap();
        let handler = BoxHandler::of_batch(
            "test",
            most,
            async |orders: Vec<Json<u32>>, ()| {
                assert!(!orders.is_empty());
                vec![(); 1]
            },
            (),
        );
        assert!(matches!(verdicts(&handler, &["{"]).await[..], [Outcome::Reject { .. }]));
        let outcomes = verdicts(&handler, &["{", "1", "2"]).await;
        assert_eq!(outcomes[1..], [Outcome::Done, Outcome::missing()]);
    }
}
