//! `longshore filter-policies` and `longshore initialization-type`: what the settings make of
//! events, in iniesta's words.

use std::collections::BTreeMap;
use std::path::PathBuf;

use longshore::config::{Config, Initialization, Queue};
use longshore::error::{Error, Kind, Result};
use longshore::events::FilterPolicy;
use serde_json::json;

use crate::args::CONFIG_HELP;
use crate::{say, settings};

/// Print the filter policy of the queues' subscriptions, as one line of JSON
#[derive(Debug, clap::Args)]
pub(crate) struct FilterPolicies {
    /// The queue, by its name in the settings; needed where the queues want different events
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    #[arg(long, value_name = "FILE", help = CONFIG_HELP)]
    config: Option<PathBuf>,
}

/// Print what the settings make of this service: producer, event polling, queue polling
#[derive(Debug, clap::Args)]
pub(crate) struct InitializationType {
    #[arg(long, value_name = "FILE", help = CONFIG_HELP)]
    config: Option<PathBuf>,
    /// The names as one JSON list
    #[arg(long)]
    json: bool,
}

pub(crate) fn filter_policies(args: &FilterPolicies) -> Result<u8> {
    let config = settings::load_if_any(args.config.as_deref())?;
    let policies = policies(&config, args.queue.as_deref())?;
    let mut lines: Vec<&String> = policies.values().collect();
    lines.sort();
    lines.dedup();
    match lines.as_slice() {
        [] => say::line(FilterPolicy::new(
            &config.events.event_key,
            config.events.filters.as_deref().unwrap_or_default(),
        )?),
        [line] => say::line(line),
        _ => {
            let names: Vec<&str> = policies.keys().map(String::as_str).collect();
            return Err(Error::new(Kind::Usage, "the queues want different events")
                .hint(format!("name one with --queue: {}", names.join(", "))));
        }
    }
    Ok(0)
}

/// The policy of each queue that gets events, by its name; without a topic yet, of each that has
/// routes.
fn policies(config: &Config, named: Option<&str>) -> Result<BTreeMap<String, String>> {
    let mut chosen: Vec<(&String, &Queue)> = match named {
        Some(named) => config.queues.get_key_value(named).into_iter().collect(),
        None => config.queues.iter().filter(|(_, queue)| config.gets_events(queue)).collect(),
    };
    if let (Some(named), true) = (named, chosen.is_empty()) {
        return Err(Error::new(Kind::Usage, format!("the settings name no queue {named}")));
    }
    if chosen.is_empty() && config.events.filters.is_none() {
        chosen = config.queues.iter().filter(|(_, queue)| !queue.routes.is_empty()).collect();
    }
    chosen
        .into_iter()
        .map(|(name, queue)| {
            if config.events.filters.is_none() && queue.handler.is_some() {
                let what =
                    format!("queue {name} has a default handler, whose events no route names");
                return Err(Error::new(Kind::Settings, what)
                    .hint("write filters = [\"Event.service\"] in [events]"));
            }
            let policy = FilterPolicy::new(&queue.event_key, &config.filters(queue))?;
            Ok((name.clone(), policy.to_string()))
        })
        .collect()
}

pub(crate) fn initialization_type(args: &InitializationType) -> Result<u8> {
    let config = settings::load_if_any(args.config.as_deref())?;
    let modes = &config.events.initialization;
    if args.json {
        say::line(json!(modes.iter().rev().map(|mode| mode.name()).collect::<Vec<_>>()));
    } else {
        say::line(Initialization::show(modes));
    }
    Ok(0)
}
