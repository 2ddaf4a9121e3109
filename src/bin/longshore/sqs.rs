//! `longshore sqs`: queues by their verbs.

mod receive;

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::sqs::{self, NewQueue, QueueUrl};
use serde_json::json;

use crate::reach::{Reach, connections};
use crate::tool::{Told, Tool};
use crate::{consent, say};

/// Makes queues, asks them, empties and deletes them. A queue is named by its name in the settings,
/// its own name, URL or ARN. The names of the aws CLI (create-queue, …) will do as well.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Create a queue, or find it there with the same attributes
    #[command(alias = "create-queue")]
    Create {
        /// Its name
        name: String,
        /// Make it a FIFO queue; its name must end in .fifo, and such a name is enough
        #[arg(long)]
        fifo: bool,
        /// An attribute other than the default, such as VisibilityTimeout=60; may be repeated
        #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = pair)]
        attributes: Vec<(String, String)>,
        /// A tag; may be repeated
        #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
        tags: Vec<(String, String)>,
    },
    /// Delete a queue with all its messages
    #[command(alias = "delete-queue")]
    Delete {
        queue: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Delete all messages of a queue, those in flight included
    #[command(alias = "purge-queue")]
    Purge {
        queue: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Tell whether a queue exists; exits with 69 where it does not
    Exists { queue: String },
    /// List queues
    #[command(alias = "list-queues")]
    List {
        /// Only those whose names begin so
        #[arg(long, alias = "queue-name-prefix", default_value = "", hide_default_value = true)]
        prefix: String,
    },
    /// Tell a queue's ARN
    Arn { queue: String },
    /// Tell a queue's URL
    #[command(alias = "get-queue-url")]
    Url { queue: String },
    /// Tell about how many messages a queue holds
    Length { queue: String },
    /// Tell what a queue says of itself, or change it
    #[command(aliases = ["get-queue-attributes", "set-queue-attributes"])]
    Attributes {
        queue: String,
        /// Change an attribute; may be repeated
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
        set: Vec<(String, String)>,
    },
    /// Receive messages and print their bodies, a line each
    #[command(alias = "receive-message")]
    Receive(receive::Args),
}

pub(crate) fn pair(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

pub(crate) async fn run(tool: Tool<Verb>) -> Result<u8> {
    let Tool { verb, reach, told } = tool;
    match verb {
        Verb::Create { name, fifo, attributes, tags } => {
            let client = client(&reach).await?;
            let queue = new_queue(name, fifo, attributes, tags)?;
            let url = sqs::create(&client, &queue, waiting("the name was deleted")).await?;
            told.of(url.as_str(), json!({ "queue": url.name(), "url": url.as_str() }));
        }
        Verb::List { prefix } => {
            let client = client(&reach).await?;
            let mut all = pin!(sqs::list(&client, &prefix));
            while let Some(url) = all.try_next().await? {
                told.of(url.as_str(), json!({ "queue": url.name(), "url": url.as_str() }));
            }
        }
        Verb::Exists { queue } => {
            let place = reach.queue(&queue)?;
            let client = connections().connect(&place.aws).await?.sqs;
            let exists = sqs::exists(&client, &place.queue).await?;
            let word = if exists { "exists" } else { "does not exist" };
            told.of(format!("queue {queue} {word}"), json!({ "queue": queue, "exists": exists }));
            return Ok(if exists { 0 } else { Kind::Missing.exit_code() });
        }
        Verb::Receive(receive) => return receive::run(&receive, &reach, told.json).await,
        Verb::Delete { queue, yes } => {
            let (client, url) = find(&reach, &queue).await?;
            consent::given(yes, &format!("delete queue {} with all its messages", url.as_str()))?;
            sqs::delete(&client, &url).await?;
            told.of(format!("deleted {}", url.as_str()), json!({ "deleted": url.as_str() }));
        }
        Verb::Purge { queue, yes } => {
            let (client, url) = find(&reach, &queue).await?;
            consent::given(yes, &format!("delete all messages of queue {}", url.as_str()))?;
            sqs::purge(&client, &url, waiting("the queue was purged")).await?;
            told.of(format!("purged {}", url.as_str()), json!({ "purged": url.as_str() }));
        }
        Verb::Arn { queue } => {
            let (client, url) = find(&reach, &queue).await?;
            let arn = sqs::arn(&client, &url).await?;
            told.of(&arn, json!({ "queue": url.name(), "arn": arn }));
        }
        Verb::Url { queue } => {
            let (_, url) = find(&reach, &queue).await?;
            told.of(url.as_str(), json!({ "queue": url.name(), "url": url.as_str() }));
        }
        Verb::Length { queue } => length(&reach, &queue, &told).await?,
        Verb::Attributes { queue, set } => attributes(&reach, &queue, set, &told).await?,
    }
    Ok(0)
}

async fn length(reach: &Reach, queue: &str, told: &Told) -> Result<()> {
    let (client, url) = find(reach, queue).await?;
    let length = sqs::length(&client, &url).await?;
    let (visible, in_flight, delayed) = (length.visible, length.in_flight, length.delayed);
    told.of(
        format!("about {visible} visible, {in_flight} in flight, {delayed} delayed"),
        json!({ "queue": url.name(), "visible": visible, "in_flight": in_flight,
                "delayed": delayed }),
    );
    Ok(())
}

async fn attributes(
    reach: &Reach,
    queue: &str,
    set: Vec<(String, String)>,
    told: &Told,
) -> Result<()> {
    let (client, url) = find(reach, queue).await?;
    if !set.is_empty() {
        return sqs::set_attributes(&client, &url, &set.into_iter().collect()).await;
    }
    let all = sqs::attributes(&client, &url).await?;
    told.of(lines(&all), json!(all));
    Ok(())
}

/// Names and values, a line each.
pub(crate) fn lines(all: &BTreeMap<String, String>) -> String {
    let lines: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    lines.join("\n")
}

fn new_queue(
    name: String,
    fifo: bool,
    attributes: Vec<(String, String)>,
    tags: Vec<(String, String)>,
) -> Result<NewQueue> {
    if fifo && name.strip_suffix(".fifo").is_none() {
        let what = format!("{name} is no name of a FIFO queue");
        return Err(Error::new(Kind::Usage, what).hint(format!("call it {name}.fifo")));
    }
    let (attributes, tags) = (attributes.into_iter().collect(), tags.into_iter().collect());
    Ok(NewQueue { name, attributes, tags })
}

/// Says once why nothing happens for so long.
fn waiting(what: &'static str) -> impl FnMut(Duration) {
    move |rest| {
        say::note(format_args!(
            "{what} less than {} s ago; SQS wants that time between, and it is waited out",
            rest.as_secs()
        ));
    }
}

async fn client(reach: &Reach) -> Result<aws_sdk_sqs::Client> {
    Ok(connections().connect(&reach.aws()?).await?.sqs)
}

pub(crate) async fn find(reach: &Reach, queue: &str) -> Result<(aws_sdk_sqs::Client, QueueUrl)> {
    let place = reach.queue(queue)?;
    let client = connections().connect(&place.aws).await?.sqs;
    let url = sqs::find(&client, &place.queue).await?;
    Ok((client, url))
}
