//! Which handler takes a message: by exact event, else by the longest prefix, else the default.

use std::collections::{BTreeMap, btree_map};

use super::BoxHandler;
use crate::error::{Error, Kind, Result};
use crate::event::Pattern;

/// The handlers of one queue.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    by_event: BTreeMap<Pattern, BoxHandler>,
    default: Option<BoxHandler>,
}

impl Routes {
    /// No handler yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the handler of every message that no event route takes.
    ///
    /// # Errors
    /// When there is one already.
    pub fn set_default(&mut self, handler: BoxHandler) -> Result<()> {
        if let Some(first) = &self.default {
            return Err(twice("every message", first, &handler));
        }
        self.default = Some(handler);
        Ok(())
    }

    /// Adds the handler of an event: its exact name, or a prefix written `Order*`.
    ///
    /// # Errors
    /// When the event is none that a message could have, or has a handler already.
    pub fn add(&mut self, event: &str, handler: BoxHandler) -> Result<()> {
        let pattern = Pattern::of_route(event).map_err(|wrong| {
            Error::new(Kind::Settings, format!("the route {event:?} of {}", handler.name()))
                .because(wrong)
        })?;
        match self.by_event.entry(pattern) {
            btree_map::Entry::Occupied(first) => Err(twice(event, first.get(), &handler)),
            btree_map::Entry::Vacant(free) => {
                free.insert(handler);
                Ok(())
            }
        }
    }

    /// The handler for a message with this event, if there is one.
    pub fn find(&self, event: Option<&str>) -> Option<&BoxHandler> {
        let matching = event.and_then(|event| {
            let routes = self.by_event.iter().filter(|(pattern, _)| pattern.matches(event));
            routes.max_by_key(|(pattern, _)| match pattern {
                Pattern::Exact(_) => usize::MAX,
                Pattern::Prefix(prefix) => prefix.len(),
            })
        });
        matching.map(|(_, handler)| handler).or(self.default.as_ref())
    }

    /// The events that have a handler of their own.
    pub fn patterns(&self) -> Vec<Pattern> {
        self.by_event.keys().cloned().collect()
    }

    /// True where every message finds a handler.
    pub const fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// True when no message would find a handler.
    pub fn is_empty(&self) -> bool {
        self.by_event.is_empty() && self.default.is_none()
    }
}

fn twice(event: &str, first: &BoxHandler, second: &BoxHandler) -> Error {
    Error::new(
        Kind::Settings,
        format!("two handlers for {event}: {} and {}", first.name(), second.name()),
    )
    .hint("keep one of them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    fn handler(name: &str) -> BoxHandler {
        BoxHandler::new(name, |_| async { Ok(Outcome::Done) })
    }

    #[test]
    fn exact_then_longest_prefix_then_default() {
        let mut routes = Routes::new();
        routes.add("OrderPlaced.shop", handler("exact")).unwrap();
        routes.add("Order*", handler("short")).unwrap();
        routes.add("OrderPl*", handler("long")).unwrap();
        let name = |routes: &Routes, event| routes.find(event).map(|h| h.name().to_owned());
        assert_eq!(name(&routes, Some("OrderPlaced.shop")).as_deref(), Some("exact"));
        assert_eq!(name(&routes, Some("OrderPlaced.web")).as_deref(), Some("long"));
        assert_eq!(name(&routes, Some("OrderSent.web")).as_deref(), Some("short"));
        assert_eq!(name(&routes, Some("Other")), None);
        assert_eq!(name(&routes, None), None);
        routes.set_default(handler("default")).unwrap();
        assert_eq!(name(&routes, Some("Other")).as_deref(), Some("default"));
        assert_eq!(name(&routes, None).as_deref(), Some("default"));
    }

    #[test]
    fn two_handlers_for_one_event_are_refused() {
        let mut routes = Routes::new();
        routes.add("Order*", handler("one")).unwrap();
        let error = routes.add("Order*", handler("two")).unwrap_err();
        assert!(error.to_string().contains("one and two"), "{error}");
        routes.set_default(handler("one")).unwrap();
        assert!(routes.set_default(handler("two")).is_err());
    }
}
