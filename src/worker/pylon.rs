//! A worker that is one component of pylon's.

use std::collections::BTreeMap;

use super::Worker;
use crate::config::Config;
use crate::error::Result;
use crate::handler::Routes;
use crate::pylon::{Component, NAME, Place};

impl Worker {
    /// A worker that runs this component, and nothing else. Its queue, if one is its input, is
    /// polled as any other: leases are renewed, failures back off, the dead-letter queue of its
    /// redrive policy takes what is rejected. `config` is what
    /// [`Settings::among`](crate::pylon::Settings::among) has made.
    ///
    /// # Errors
    /// None that can be had so; whoever registers handlers may see some.
    pub fn component(config: Config, component: Component) -> Result<Self> {
        let mut routes = BTreeMap::new();
        if let Some(Place::Queue(_)) = &component.settings().input {
            let mut own = Routes::new();
            own.set_default(component.handler())?;
            routes.insert(NAME.to_owned(), own);
        }
        let (aws, pumped) = (component.aws().clone(), routes.is_empty().then_some(component));
        let registered = Vec::new();
        Ok(Self { config, registered, routes, aws, locks: None, once: false, component: pumped })
    }
}
