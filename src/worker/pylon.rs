//! A worker that is one component of pylon's.

use super::Worker;
use crate::aws::Aws;
use crate::config::Config;
use crate::error::Result;
use crate::handler::Routes;
use crate::pylon::{Component, NAME, Place, Settings, Work};

impl Worker {
    /// A worker that runs this component, and nothing else. Its queue, if one is its input, is
    /// polled as any other: leases are renewed, failures back off, the dead-letter queue of its
    /// redrive policy takes what is rejected. `config` is what [`Settings::among`] has made.
    ///
    /// # Errors
    /// None that can be had so; whoever registers handlers may see some.
    pub fn component(config: Config, settings: Settings, work: Work) -> Result<Self> {
        let aws = Aws::new();
        let is_pumped = !matches!(settings.input, Some(Place::Queue(_)));
        let component = Component::new(settings, work, aws.clone(), config.aws.clone());
        let mut worker = Self {
            config,
            routes: std::collections::BTreeMap::new(),
            aws,
            locks: None,
            once: false,
            component: None,
        };
        if is_pumped {
            worker.component = Some(component);
        } else {
            let mut routes = Routes::new();
            routes.set_default(component.handler())?;
            worker.routes.insert(NAME.to_owned(), routes);
        }
        Ok(worker)
    }
}
