//! Functions as handlers: any async function of at most eight extractors.
//!
//! Here is the crate's one macro; everything behind [`BoxHandler`] is free of generics.

use std::future::Future;

use super::extract::{FromMessage, Rejection};
use super::{BoxHandler, Delivery};
use crate::outcome::{IntoOutcome, Outcome};

/// An async function, or a closure that returns a future, whose arguments all are
/// [`FromMessage<S>`] and whose output is [`IntoOutcome`].
///
/// `Args` only tells functions of different arguments apart; nobody has to name it.
///
/// ```compile_fail
/// # use longshore::handler::BoxHandler;
/// async fn wrong(number: u64) {} // a u64 is no extractor
/// let handler = BoxHandler::of("wrong", wrong, ());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message handler",
    label = "not a handler",
    note = "a handler is an async fn of at most 8 extractors (Json<T>, Body, Attempt, State<S>, …)",
    note = "it returns (), an Outcome or a Result<_, Failure>, its future is Send, and a State<S> \
            in it is the worker's own state"
)]
pub trait Handler<S, Args>: Send + Sync + 'static {
    /// Reads the arguments and calls the function; a message that cannot be read is rejected.
    fn call(
        &self,
        delivery: &Delivery,
        state: &S,
    ) -> impl Future<Output = Outcome> + Send + 'static + use<Self, S, Args>;
}

impl BoxHandler {
    /// A handler from a Rust function and the state it may ask for; `name` is how logs call it.
    pub fn of<S, Args, H>(name: impl Into<std::sync::Arc<str>>, handler: H, state: S) -> Self
    where
        S: Send + Sync + 'static,
        H: Handler<S, Args>,
        Args: 'static,
    {
        Self::new(name, move |delivery| {
            let outcome = handler.call(&delivery, &state);
            async move { Ok(outcome.await) }
        })
    }
}

macro_rules! handler_of {
    ($($argument:ident)*) => {
        impl<S, F, R, $($argument,)*> Handler<S, ($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R + Send + Sync + 'static,
            R: Future + Send + 'static,
            R::Output: IntoOutcome,
            $($argument: FromMessage<S>,)*
        {
            fn call(
                &self,
                delivery: &Delivery,
                state: &S,
            ) -> impl Future<Output = Outcome> + Send + 'static + use<S, F, R, $($argument,)*> {
                // A function without arguments reads nothing of them.
                let _ = (delivery, state);
                // The arguments live in the function's own future, so only that has to be Send.
                let call = || -> Result<R, Rejection> {
                    Ok(self($($argument::from_message(delivery, state)?),*))
                };
                let called = call();
                async move {
                    match called {
                        Ok(running) => running.await.into_outcome(),
                        Err(rejection) => rejection.into(),
                    }
                }
            }
        }
    };
}

handler_of!();
handler_of!(A1);
handler_of!(A1 A2);
handler_of!(A1 A2 A3);
handler_of!(A1 A2 A3 A4);
handler_of!(A1 A2 A3 A4 A5);
handler_of!(A1 A2 A3 A4 A5 A6);
handler_of!(A1 A2 A3 A4 A5 A6 A7);
handler_of!(A1 A2 A3 A4 A5 A6 A7 A8);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use serde::Deserialize;
    use tokio::time::Instant;

    use super::*;
    use crate::handler::extract::{Attempt, Attributes, Body, Event, Json, MessageId, State};
    use crate::handler::{Lease, LeaseKeeper};
    use crate::message::{Attribute, Message};
    use crate::outcome::Failure;

    #[derive(Clone)]
    struct Shop {
        open: bool,
    }

    #[derive(Deserialize)]
    struct Order {
        id: u64,
        email: String,
    }

    fn delivery(body: &str) -> Delivery {
        let message = Message {
            id: "m-1".to_owned(),
            queue: "orders".to_owned(),
            body: body.into(),
            attributes: BTreeMap::from([("tint".to_owned(), Attribute::String("red".to_owned()))]),
            labels: BTreeMap::new(),
            system_attributes: BTreeMap::from([(
                "ApproximateReceiveCount".to_owned(),
                "3".to_owned(),
            )]),
            event: Some("OrderPlaced".to_owned()),
        };
        let keeper = LeaseKeeper::new(Instant::now() + Duration::from_secs(30));
        Delivery { message: Arc::new(message), lease: keeper.lease() }
    }

    async fn outcome_of<Args: 'static>(handler: impl Handler<Shop, Args>, body: &str) -> Outcome {
        let handler = BoxHandler::of("test", handler, Shop { open: true });
        handler.call(delivery(body)).await.expect("a function can always be started")
    }

    async fn place(
        Json(order): Json<Order>,
        Attempt(attempt): Attempt,
        State(shop): State<Shop>,
    ) -> Result<u64, Failure> {
        assert!(shop.open);
        if order.email.is_empty() {
            return Err(Failure::permanent("order has no e-mail address"));
        }
        if attempt == 3 && order.id == 0 {
            return Err(Failure::retry_after(Duration::from_secs(5), "shop is closed"));
        }
        let _port: u16 = order.email.parse()?;
        Ok(order.id)
    }

    #[tokio::test]
    async fn a_function_decides_and_its_errors_are_retries() {
        assert_eq!(outcome_of(place, r#"{"id":1,"email":"80"}"#).await, Outcome::Done);
        assert_eq!(
            outcome_of(place, r#"{"id":1,"email":""}"#).await,
            Outcome::reject("order has no e-mail address")
        );
        assert_eq!(
            outcome_of(place, r#"{"id":0,"email":"80"}"#).await,
            Outcome::retry_after(Duration::from_secs(5), "shop is closed")
        );
        assert_eq!(
            outcome_of(place, r#"{"id":1,"email":"x"}"#).await,
            Outcome::retry("invalid digit found in string")
        );
    }

    #[tokio::test]
    async fn a_message_that_cannot_be_read_is_rejected_and_the_function_not_called() {
        async fn never(_: Json<Order>) {
            panic!("called");
        }
        let outcome = outcome_of(never, "{").await;
        assert!(matches!(outcome, Outcome::Reject { reason } if reason.contains("not JSON")));
    }

    #[tokio::test]
    async fn each_extractor_reads_its_own_thing_and_eight_fit() {
        #[expect(clippy::too_many_arguments, reason = "eight are what is allowed")]
        async fn all(
            Body(body): Body,
            bytes: Bytes,
            Attempt(attempt): Attempt,
            Event(event): Event,
            Attributes(attributes): Attributes,
            MessageId(id): MessageId,
            message: Arc<Message>,
            lease: Lease,
        ) {
            assert_eq!(body, "hello");
            assert_eq!(bytes, "hello");
            assert_eq!(attempt, 3);
            assert_eq!(event.as_deref(), Some("OrderPlaced"));
            assert_eq!(attributes["tint"].as_text(), Some("red"));
            assert_eq!(id, "m-1");
            assert_eq!(message.queue, "orders");
            assert!(!lease.is_lost() && lease.deadline() > Instant::now());
        }
        assert_eq!(outcome_of(all, "hello").await, Outcome::Done);
    }

    #[tokio::test]
    async fn functions_without_arguments_closures_and_plain_outcomes_will_do() {
        assert_eq!(outcome_of(|| async {}, "").await, Outcome::Done);
        let heard = |Body(text): Body| async move { Outcome::retry(text) };
        assert_eq!(outcome_of(heard, "later").await, Outcome::retry("later"));
    }
}
