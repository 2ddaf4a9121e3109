//! `longshore sqs receive`: messages on standard output.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore::error::{Error, Kind, Result};
use longshore::message::{Attribute, Message};
use longshore::toolkit::receive;
use longshore::toolkit::sqs::{Queue, Reading};
use longshore::toolkit::transport::{CanReceive as _, Held};
use serde_json::{Value, json};

use crate::reach::{Reach, connections};
use crate::say;

/// Asks again until there are --max messages or an answer brings none. Without --delete they come
/// again when their lease ends; with it, each is deleted once it has been printed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The queue
    queue: String,
    /// Receive so many at most
    #[arg(long, alias = "max-number-of-messages", value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..))]
    max: u64,
    /// How long the first receive waits for a message, in seconds
    #[arg(long, alias = "wait-time-seconds", value_name = "SECONDS", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(0..=20))]
    wait: u64,
    /// The lease on what is received, in seconds [default: the queue's own]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=43_200))]
    visibility_timeout: Option<u64>,
    /// Delete each message once it has been printed
    #[arg(long)]
    delete: bool,
}

pub(super) async fn run(args: &Args, reach: &Reach, json: bool) -> Result<u8> {
    let place = reach.queue(&args.queue)?;
    let client = connections().connect(&place.aws).await?.sqs;
    let mut reading = Reading {
        visibility: args.visibility_timeout.map(Duration::from_secs),
        ..Reading::default()
    };
    if let Some(known) = place.settings {
        reading.event_key = known.event_key;
    }
    let queue = Queue::new(client, place.queue).reading(reading)?;
    let mut left = args.max;
    let mut wait = Duration::from_secs(args.wait);
    // Ten at a time: as many as are asked for need not fit into memory.
    while left > 0 {
        let most = usize::try_from(left.min(10)).unwrap_or(10);
        let count = if args.delete {
            let work = |messages: Vec<Message>| async move {
                // What nobody reads was not received: it must not be deleted.
                if print(&messages, json)? { Ok(messages.len()) } else { Err(unread()) }
            };
            receive::many(&queue, most, wait, work).await?.unwrap_or(0)
        } else {
            let held = queue.receive(most, wait).await?;
            // Who has read enough, as `head` has, is no error.
            if !print(held.iter().map(Held::message), json)? {
                return Ok(0);
            }
            held.len()
        };
        if count == 0 {
            break;
        }
        left = left.saturating_sub(u64::try_from(count).unwrap_or(left));
        wait = wait.min(Duration::from_secs(1));
    }
    Ok(0)
}

/// False where nobody reads any more.
fn print<'a>(messages: impl IntoIterator<Item = &'a Message>, json: bool) -> Result<bool> {
    for message in messages {
        let mut text = if json {
            document(message).to_string()
        } else {
            message.body.as_text().unwrap_or_default().to_owned()
        };
        text.push('\n');
        if !say::bytes(text.as_bytes())? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn unread() -> Error {
    Error::new(Kind::Aborted, "nobody reads standard output any more")
        .hint("what was received last is not deleted, and comes again when its lease ends")
}

fn document(message: &Message) -> Value {
    let attributes: serde_json::Map<String, Value> = message
        .attributes
        .iter()
        .map(|(name, value)| {
            let text = match value {
                Attribute::String(text) | Attribute::Number(text) => text.clone(),
                Attribute::Binary(bytes) => STANDARD.encode(bytes),
            };
            (name.clone(), json!({ "type": message.data_type(name), "value": text }))
        })
        .collect();
    json!({
        "message_id": message.id,
        "queue": message.queue,
        "receive_count": message.receive_count(),
        "event": message.event,
        "body": message.body.as_text(),
        "attributes": attributes,
        "system_attributes": message.system_attributes,
    })
}
