//! Which handler gets which messages: those of the settings and those of the program together. A
//! name that the settings do not know, or two handlers for the same messages, is an error here.

mod batch;

use std::collections::BTreeMap;
use std::path::Path;

use super::Worker;
use crate::aws::Aws;
use crate::config::{self, Config, Handlers, route_mistakes};
use crate::error::{Error, Kind, Result};
use crate::handler::{BoxHandler, Handler, Routes};
use crate::handlers;

/// Collects settings and handlers; see [`Worker::builder`].
#[derive(Debug)]
pub struct Builder<S> {
    state: S,
    config: Option<Result<Config>>,
    registered: Vec<Registered>,
    aws: Aws,
}

#[derive(Debug)]
pub(super) struct Registered {
    queue: String,
    /// Nothing for the default handler of the queue.
    events: Option<Vec<String>>,
    handler: Result<BoxHandler>,
}

impl<S: Clone + Send + Sync + 'static> Builder<S> {
    pub(super) fn new(state: S) -> Self {
        Self { state, config: None, registered: Vec::new(), aws: Aws::new() }
    }

    /// Reads the settings from a file; its mistakes are told by [`build`](Self::build).
    #[must_use]
    pub fn config(mut self, path: impl AsRef<Path>) -> Self {
        let config = Config::load_with(path.as_ref(), Handlers::InCode);
        self.config = Some(config.map_err(Error::from));
        self
    }

    /// Takes settings that are there already.
    #[must_use]
    pub fn settings(mut self, config: Config) -> Self {
        self.config = Some(Ok(config));
        self
    }

    /// All requests go through these connections; for tests in virtual time.
    #[must_use]
    pub fn aws(mut self, aws: Aws) -> Self {
        self.aws = aws;
        self
    }

    /// Handles every message of `[queue.NAME]` that no event route takes.
    ///
    /// # As iniesta has it
    /// `@SQSClient.handler` without an event; a failure leaves the message in its queue:
    /// ```no_run
    /// # fn example() -> longshore::error::Result<()> {
    /// use longshore::handler::extract::Body;
    /// use longshore::outcome::Failure;
    /// use longshore::worker::Worker;
    ///
    /// async fn default_handler(Body(message): Body) -> Result<(), Failure> {
    ///     println!("{message}"); // do some stuff
    ///     Ok(())
    /// }
    ///
    /// let worker = Worker::builder(()).config("longshore.toml").queue("receiver", default_handler);
    /// # worker.build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # As RelengAPI has it
    /// `@app.aws.sqs_listen('us-west-2', 'my-queue')`, with region and queue in the settings, and
    /// `payload = ["relengapi"]` for what `sqs_write` sent:
    /// ```no_run
    /// # fn example() -> longshore::error::Result<()> {
    /// use longshore::{handler::extract::Json, worker::Worker};
    ///
    /// async fn my_queue_msg(Json(msg): Json<serde_json::Value>) {
    ///     println!("{msg}"); // process the message
    /// }
    ///
    /// let worker = Worker::builder(()).config("longshore.toml").queue("my-queue", my_queue_msg);
    /// let listening = worker.build()?.start()?;
    /// # listening.stop()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn queue<H, Args>(self, queue: &str, handler: H) -> Self
    where
        H: Handler<S, Args>,
        Args: 'static,
    {
        self.register(queue, None, handler)
    }

    /// Handles the messages of `[queue.NAME]` with this event: its exact name, or a prefix written
    /// `Order*`.
    ///
    /// # As iniesta has it
    /// `@SQSClient.handler('EventHappened.producer')`:
    /// ```no_run
    /// # fn example() -> longshore::error::Result<()> {
    /// use longshore::{handler::extract::Json, worker::Worker};
    ///
    /// async fn event_happened_handler(Json(message): Json<serde_json::Value>) {
    ///     println!("{message}"); // do some logic
    /// }
    ///
    /// let worker = Worker::builder(()).config("longshore.toml").event(
    ///     "receiver",
    ///     "EventHappened.producer",
    ///     event_happened_handler,
    /// );
    /// # worker.build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn event<H, Args>(self, queue: &str, event: &str, handler: H) -> Self
    where
        H: Handler<S, Args>,
        Args: 'static,
    {
        self.events(queue, &[event], handler)
    }

    /// Handles the messages of `[queue.NAME]` with any of these events, each as in
    /// [`event`](Self::event).
    #[must_use]
    pub fn events<H, Args>(self, queue: &str, events: &[&str], handler: H) -> Self
    where
        H: Handler<S, Args>,
        Args: 'static,
    {
        let events = events.iter().map(|&event| event.to_owned()).collect();
        self.register(queue, Some(events), handler)
    }

    fn register<H, Args>(self, queue: &str, events: Option<Vec<String>>, handler: H) -> Self
    where
        H: Handler<S, Args>,
        Args: 'static,
    {
        let handler =
            BoxHandler::of(name_of(queue, events.as_deref()), handler, self.state.clone());
        self.add(queue, events, Ok(handler))
    }

    fn add(
        mut self,
        queue: &str,
        events: Option<Vec<String>>,
        handler: Result<BoxHandler>,
    ) -> Self {
        self.registered.push(Registered { queue: queue.to_owned(), events, handler });
        self
    }

    /// The worker, with every queue's handlers in place.
    ///
    /// # Errors
    /// [`Kind::Settings`]: mistakes of the settings file; a queue that the settings do not name; two
    /// handlers for the same messages; a queue without any. Where values of the settings stand
    /// elsewhere, all but the first of these is told by the run, once they have been read.
    pub fn build(self) -> Result<Worker> {
        let config = self.config.unwrap_or_else(|| {
            Err(Error::new(Kind::Settings, "the worker has no settings")
                .hint("give the builder a file with config(), or settings()"))
        })?;
        let (aws, registered) = (self.aws, self.registered);
        let mut worker = Worker {
            config,
            registered,
            routes: BTreeMap::new(),
            aws,
            locks: None,
            once: false,
            component: None,
        };
        if !worker.config.elsewhere.is_unread() {
            worker.assemble()?;
        }
        Ok(worker)
    }
}

impl Worker {
    /// Puts every queue's handlers in place, once the settings are complete.
    pub(super) fn assemble(&mut self) -> Result<()> {
        let Self { config, aws, .. } = self;
        let mut routes = BTreeMap::new();
        for (name, queue) in &config.queues {
            let mut own = Routes::new();
            if let Some(handler) = &queue.handler {
                let place = format!("queue.{name}.handler");
                own.set_default(handlers::build(handler, &place, aws)?)?;
            }
            for (event, handler) in &queue.routes {
                let place = format!("queue.{name}.route.{event:?}.handler");
                own.add(event, handlers::build(handler, &place, aws)?)?;
            }
            routes.insert(name.clone(), own);
        }
        for Registered { queue, events, handler } in self.registered.drain(..) {
            let handler = handler?;
            let Some(own) = routes.get_mut(&queue) else {
                let known: Vec<&str> = config.queues.keys().map(String::as_str).collect();
                let what = format!("a handler for queue {queue}, which the settings do not name");
                let hint = format!("the settings name: {}", known.join(", "));
                return Err(Error::new(Kind::Settings, what).hint(hint));
            };
            match events {
                Some(events) => {
                    add_all(own, &events, &handler)?;
                    config.queues.entry(queue).and_modify(config::Queue::ask_for_event);
                }
                None => own.set_default(handler)?,
            }
        }
        if let Some((name, _)) = routes.iter().find(|(_, own)| own.is_empty()) {
            return Err(Error::new(Kind::Settings, format!("queue {name} has no handler"))
                .hint("write [queue.NAME.handler.exec], or register a function for it"));
        }
        for (name, own) in &routes {
            reachable(config, name, own)?;
        }
        self.routes = routes;
        Ok(())
    }
}

/// How logs call the handler of a program.
fn name_of(queue: &str, events: Option<&[String]>) -> String {
    match events {
        Some(events) => format!("{queue}/{}", events.join(",")),
        None => queue.to_owned(),
    }
}

/// One handler for several events.
fn add_all(routes: &mut Routes, events: &[String], handler: &BoxHandler) -> Result<()> {
    let wrong = |why: String| {
        Error::new(Kind::Settings, format!("the events of handler {}", handler.name())).because(why)
    };
    if events.is_empty() {
        return Err(wrong("there are none; name one".to_owned()));
    }
    for (place, event) in events.iter().enumerate() {
        if events.iter().take(place).any(|earlier| earlier == event) {
            return Err(wrong(format!("{event:?} stands in the list twice; keep one")));
        }
        routes.add(event, handler.clone())?;
    }
    Ok(())
}

/// Every route is one that an event of the topic can reach, where the queue gets its messages from
/// there.
fn reachable(config: &Config, name: &str, routes: &Routes) -> Result<()> {
    let Some(queue) = config.queues.get(name).filter(|queue| config.gets_events(queue)) else {
        return Ok(());
    };
    let filters = config.events.filters.as_deref();
    let mistakes = route_mistakes(filters, &routes.patterns(), routes.has_default());
    match mistakes.into_iter().next() {
        None => Ok(()),
        Some((_, why)) => {
            Err(Error::new(Kind::Settings, format!("queue {}", queue.queue)).because(why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::extract::Body;

    #[test]
    fn the_event_is_asked_for_where_the_program_routes_by_it() {
        let text = "[queue.q]\nqueue = \"orders\"\nattributes = [\"tint\"]\nhandler.print = {}\n";
        let settings = Config::parse(text, Path::new("c.toml"), config::Dialect::Toml).unwrap();
        let worker = Worker::builder(()).settings(settings);
        let worker = worker.event("q", "Placed*", async |_body: Body| {}).build().unwrap();
        assert_eq!(worker.config.queues["q"].attributes, ["tint", "iniesta_pass"]);
    }
}
