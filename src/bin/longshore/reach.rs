//! How a tool reaches AWS: the same flags wherever a queue or a topic is named.

use std::path::PathBuf;

use longshore::config::{self, Config};
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::sqs::region_of;

use crate::args::DEFAULT_ENDPOINT;
use crate::settings;

/// Which AWS is asked.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Reach {
    /// Settings file whose [aws] and [queue.NAME] sections are used
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask the embedded AWS of `longshore local` or `run --local`
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true,
          default_missing_value = DEFAULT_ENDPOINT, conflicts_with = "config")]
    local: Option<String>,
    /// Ask this endpoint
    #[arg(long, value_name = "URL", conflicts_with = "local")]
    endpoint_url: Option<String>,
    /// The region, unless an ARN or URL names it
    #[arg(long)]
    region: Option<String>,
}

/// A queue and how to reach it.
pub(crate) struct Place {
    /// Its name, URL or ARN.
    pub(crate) queue: String,
    pub(crate) aws: config::Aws,
    /// Its settings, where they name it.
    pub(crate) settings: Option<config::Queue>,
}

impl Reach {
    /// Finds a queue: by its name in the settings, else as it is written.
    pub(crate) fn queue(&self, named: &str) -> Result<Place> {
        let mut config = self.config.as_deref().map(Config::load).transpose()?;
        let settings = config.as_mut().and_then(|config| config.queues.remove(named));
        let queue = settings.as_ref().map_or(named, |known| &known.queue).to_owned();
        let mut aws = match (&settings, config) {
            (Some(known), _) => known.aws.clone(),
            (None, Some(config)) => config.aws,
            (None, None) => config::Aws::default(),
        };
        if let Some(endpoint) = self.local.as_ref().or(self.endpoint_url.as_ref()) {
            aws.endpoint_url = Some(endpoint.clone());
            aws.sealed = self.local.is_some();
        }
        if let Some(region) = region_of(&queue).or(self.region.as_deref()) {
            aws.region = Some(region.to_owned());
        }
        Ok(Place { queue, aws, settings })
    }

    /// The directory of an outbox of the settings.
    pub(crate) fn outbox(&self, name: &str) -> Result<PathBuf> {
        let config = settings::load(self.config.as_deref())?;
        let outbox = config.outboxes.get(name).ok_or_else(|| {
            let known: Vec<&str> = config.outboxes.keys().map(String::as_str).collect();
            let hint = if known.is_empty() {
                "they name none; write [outbox.NAME]".to_owned()
            } else {
                format!("they name: {}", known.join(", "))
            };
            Error::new(Kind::Usage, format!("the settings name no outbox {name}")).hint(hint)
        })?;
        Ok(outbox.directory.clone())
    }
}
