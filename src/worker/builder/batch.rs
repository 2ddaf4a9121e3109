//! Functions that take several messages at once.

use std::num::NonZeroUsize;

use super::{Builder, name_of};
use crate::error::{Error, Kind};
use crate::handler::{BoxHandler, FromMessage};
use crate::outcome::IntoOutcome;

impl<S: Clone + Send + Sync + 'static> Builder<S> {
    /// Handles every message of `[queue.NAME]` that no event route takes, up to `most` at once: as
    /// many as are there, and those of the next 50 ms, but never more than the queue's `concurrency`,
    /// which counts messages and not calls: 10, unless the settings say more. A message of a FIFO
    /// group has those before it in the same call or settled. The function gets one extractor of
    /// each message, or several as a tuple, and the worker's state; what it returns decides over
    /// each, in their order.
    ///
    /// ```no_run
    /// use longshore::handler::extract::{Json, MessageId};
    /// use longshore::outcome::Failure;
    /// use longshore::worker::Worker;
    ///
    /// # type Order = u64;
    /// # #[derive(Clone)]
    /// # struct Shop;
    /// # impl Shop { async fn place_all(&self, _: &[u64]) -> Vec<bool> { Vec::new() } }
    /// async fn place(orders: Vec<(Json<Order>, MessageId)>, shop: Shop) -> Vec<Result<(), Failure>> {
    ///     let all: Vec<Order> = orders.iter().map(|(Json(order), _)| *order).collect();
    ///     let placed = shop.place_all(&all).await;
    ///     placed.into_iter().map(|ok| if ok { Ok(()) } else { Err(Failure::permanent("sold out")) }).collect()
    /// }
    ///
    /// # fn main() -> longshore::error::Result<()> {
    /// let worker = Worker::builder(Shop)
    ///     .config("/etc/longshore/longshore.toml")
    ///     .batch("orders", 25, place)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn batch<A, F, R, O>(self, queue: &str, most: usize, handler: F) -> Self
    where
        A: FromMessage<S>,
        F: Fn(Vec<A>, S) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<O>> + Send + 'static,
        O: IntoOutcome,
    {
        self.register_batch(queue, None, most, handler)
    }

    /// Handles the messages of `[queue.NAME]` with any of these events, as [`events`](Self::events),
    /// and up to `most` at once, as [`batch`](Self::batch).
    #[must_use]
    pub fn batch_of_events<A, F, R, O>(
        self,
        queue: &str,
        events: &[&str],
        most: usize,
        handler: F,
    ) -> Self
    where
        A: FromMessage<S>,
        F: Fn(Vec<A>, S) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<O>> + Send + 'static,
        O: IntoOutcome,
    {
        let events = events.iter().map(|&event| event.to_owned()).collect();
        self.register_batch(queue, Some(events), most, handler)
    }

    fn register_batch<A, F, R, O>(
        self,
        queue: &str,
        events: Option<Vec<String>>,
        most: usize,
        handler: F,
    ) -> Self
    where
        A: FromMessage<S>,
        F: Fn(Vec<A>, S) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<O>> + Send + 'static,
        O: IntoOutcome,
    {
        let name = name_of(queue, events.as_deref());
        let handler = match NonZeroUsize::new(most) {
            Some(most) => Ok(BoxHandler::of_batch(name, most, handler, self.state.clone())),
            None => {
                Err(Error::new(Kind::Settings, format!("the handler {name} of no message at all"))
                    .hint("let it take at least one at once"))
            }
        };
        self.add(queue, events, handler)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::handler::extract::Body;
    use crate::worker::Worker;

    #[test]
    fn a_batch_of_no_message_is_refused() {
        let handler = async |bodies: Vec<Body>, ()| vec![(); bodies.len()];
        let worker = Worker::builder(()).settings(Config::trial()).batch("inbox", 0, handler);
        assert_eq!(worker.build().unwrap_err().kind(), Kind::Settings);
    }
}
