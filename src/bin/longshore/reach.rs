//! How a tool reaches AWS: the same flags wherever a queue or a topic is named.

use std::path::PathBuf;

use longshore::aws::Aws;
use longshore::config::{self, Config, env};
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::sqs::region_of;

use crate::args::DEFAULT_ENDPOINT;
use crate::{say, settings};

/// Connections of a tool, which somebody waits for: who does not answer is named.
pub(crate) fn connections() -> Aws {
    Aws::new().on_silence(|whom, patience| {
        say::waiting(format_args!("no answer from {whom} yet; waiting {} s", patience.as_secs()));
    })
}

/// Which AWS is asked.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Reach {
    /// Settings file whose [aws] and [queue.NAME] sections are used [default: as for `run`, where
    /// there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask the embedded AWS of `longshore local` or `run --local`
    #[arg(long, global = true, value_name = "URL", num_args = 0..=1, require_equals = true,
          default_missing_value = DEFAULT_ENDPOINT, conflicts_with = "config")]
    local: Option<String>,
    /// Ask this endpoint
    #[arg(long, global = true, value_name = "URL", conflicts_with = "local")]
    endpoint_url: Option<String>,
    /// The region, unless an ARN or URL names it
    #[arg(long, global = true)]
    region: Option<String>,
}

/// A queue and how to reach it.
pub(crate) struct Place {
    /// Its name, URL or ARN.
    pub(crate) queue: String,
    pub(crate) aws: config::Aws,
    /// Its settings, where they name it.
    pub(crate) settings: Option<config::Queue>,
    /// The attribute that names the event, where its own settings do not say.
    pub(crate) event_key: String,
}

impl Reach {
    /// Finds a queue: by its name in the settings, else as it is written.
    pub(crate) fn queue(&self, named: &str) -> Result<Place> {
        let mut config = self.settings()?;
        let event_key = config.events.event_key.clone();
        let settings = config.queues.remove(named);
        let queue = settings.as_ref().map_or(named, |known| &known.queue).to_owned();
        let aws = settings.as_ref().map_or(config.aws, |known| known.aws.clone());
        let aws = self.over(aws, region_of(&queue));
        Ok(Place { queue, aws, settings, event_key })
    }

    /// How to reach what is named by the command line alone.
    pub(crate) fn aws(&self) -> Result<config::Aws> {
        self.aws_of("")
    }

    /// How to reach a topic, named by its name or ARN.
    pub(crate) fn aws_of(&self, arn: &str) -> Result<config::Aws> {
        Ok(self.over(self.settings()?.aws, region_of(arn)))
    }

    /// The settings, as far as there are any; for the embedded AWS those that it is tried with.
    fn settings(&self) -> Result<Config> {
        if self.local.is_some() {
            return Ok(Config::trial());
        }
        settings::load_if_any(self.config.as_deref())
    }

    /// What the command line says, over the settings; a region that stands in an ARN or URL over
    /// both.
    fn over(&self, mut aws: config::Aws, region: Option<&str>) -> config::Aws {
        if let Some(endpoint) = self.local.as_ref().or(self.endpoint_url.as_ref()) {
            aws.endpoint_url = Some(endpoint.clone());
            aws.sealed = self.local.is_some();
        }
        if let Some(region) = region.or(self.region.as_deref()) {
            aws.region = Some(region.to_owned());
        }
        aws
    }

    /// A topic by its name or ARN, else that of `[events]`; and what the settings say of events. A
    /// name that is not theirs is still to be looked for.
    pub(crate) fn topic(&self, named: Option<&str>) -> Result<config::Events> {
        let is_told = self.config.is_some() || env::value(env::CONFIG).is_some();
        let config = if self.local.is_none() && (is_told || named.is_none()) {
            settings::load_if_any(self.config.as_deref())?
        } else {
            Config::of_environment()?
        };
        let mut events = config.events;
        if let Some(topic) = named
            && !self.is_topic_of(&events, topic)
        {
            let wrong = |wrong| Error::new(Kind::Usage, "the topic").because(wrong);
            let region = if topic.starts_with("arn:") {
                Some(config::region_of_topic(topic).map_err(wrong)?)
            } else {
                config::topic_name(topic).map_err(wrong)?;
                self.region.clone().or(config.aws.region.clone())
            };
            let endpoint_url = config.aws.endpoint_url.clone().or(events.aws.endpoint_url);
            events.aws = config::Aws { region, endpoint_url, ..config.aws };
            events.topic = Some(topic.to_owned());
        }
        if let Some(endpoint) = self.local.as_ref().or(self.endpoint_url.as_ref()) {
            events.aws.endpoint_url = Some(endpoint.clone());
            events.aws.sealed = self.local.is_some();
        }
        Ok(events)
    }

    /// True where it is the ARN in the settings, or its name and no other region is asked for.
    fn is_topic_of(&self, events: &config::Events, topic: &str) -> bool {
        let Some(arn) = events.topic.as_deref() else { return false };
        let is_named = arn.rsplit(':').next() == Some(topic);
        let is_elsewhere = self.region.is_some() && self.region != events.aws.region;
        arn == topic || (is_named && !is_elsewhere)
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
