//! `longshore send`: messages to a queue, sent as they come.

mod outlet;
mod shape;
mod source;

use std::io::{IsTerminal, stdin};
use std::path::PathBuf;

use longshore::error::{Error, Kind, Result};
use longshore::payload::codec::Format;
use longshore::toolkit::outbox::Outbox;
use longshore::toolkit::sqs::{self, Queue, Sender};
use longshore::toolkit::transport::SendReport;
use longshore::units;
use serde_json::json;
use tokio::time::{Duration, Instant, timeout_at};

use crate::attribute::Named;
use crate::progress::Progress;
use crate::reach::{Reach, connections};
use crate::{say, settings};
use outlet::{Confirmed, Offload, Outlet, Place, To};
use shape::Shape;
use source::Source;

/// A line that waits for company is sent after this long.
const LINGER: Duration = Duration::from_millis(200);
/// A body is held in memory, also one on its way to S3.
const MOST_OFFLOADED: usize = 64 << 20;

/// Sends messages to a queue: the one on the command line, one for each line of standard input, one
/// for each file, or one for each JSON line. On a terminal, without any of them, it asks.
///
/// A JSON line is an object with `body` (a text, or any other JSON, which is sent as such) and, if
/// wanted, `attributes` ({NAME: TEXT, NUMBER or {"type": TYPE, "value": TEXT}}), `group`,
/// `deduplication_id` and `delay`; they come before what the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The queue: its name in the settings, its own name, URL or ARN; left out with an outbox
    #[arg(required_unless_present_any = ["outbox", "outbox_directory"])]
    queue: Option<String>,
    /// The message; without it, or as `-`, each line of standard input is one
    body: Option<String>,
    /// Leave the messages in this outbox of the settings, for the daemon to send
    #[arg(long, value_name = "NAME",
          conflicts_with_all = ["local", "endpoint_url", "region", "outbox_directory"])]
    outbox: Option<String>,
    /// Leave the messages in this directory, which is an outbox of a daemon
    #[arg(long, value_name = "DIR",
          conflicts_with_all = ["local", "endpoint_url", "region", "config"])]
    outbox_directory: Option<PathBuf>,
    /// Send each of these files whole, as one message
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["body", "json_lines"])]
    file: Vec<PathBuf>,
    /// Each line of standard input is a JSON object that says a whole message
    #[arg(long)]
    json_lines: bool,
    /// How a body is written: text, json, relengapi (JSON in base64) or pylon
    #[arg(long, default_value = "text")]
    format: Format,
    /// An attribute of every message; TYPE is String, Number or Binary (in base64), also with a
    /// label, as Number.int; may be repeated
    #[arg(long = "attribute", value_name = "NAME=[TYPE:]VALUE", value_parser = Named::read)]
    attributes: Vec<Named>,
    /// Hide each message at first, up to 15m
    #[arg(long, value_name = "TIME", value_parser = sqs::delay, allow_hyphen_values = true)]
    delay: Option<Duration>,
    /// The group in a FIFO queue, or the tenant of a fair one
    #[arg(long)]
    group: Option<String>,
    /// The deduplication id of the one message, for a FIFO queue
    #[arg(long, value_name = "ID")]
    deduplication_id: Option<String>,
    /// Put bodies that are too large into S3 under this prefix, and send a pointer to each, as the
    /// extended client libraries do; the payload step `pointer` reads it
    #[arg(long, value_name = "s3://BUCKET/PREFIX", value_parser = Place::read,
          conflicts_with_all = ["outbox", "outbox_directory"])]
    offload: Option<Place>,
    /// Too large is a message above this size with its attributes
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "256KiB",
          requires = "offload")]
    offload_above: u64,
    /// One JSON document about what was sent
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(crate) fn run(mut args: Args) -> Result<u8> {
    let to = to(&mut args)?;
    if args.json_lines && args.body.as_deref().is_some_and(|body| body != "-") {
        return Err(Error::new(Kind::Usage, "JSON lines come from standard input")
            .hint("leave the message out"));
    }
    if args.deduplication_id.is_some() && !args.is_one() {
        return Err(Error::new(Kind::Usage, "a deduplication id is of one message")
            .hint("give each its own, with --json-lines"));
    }
    let (report, last) = settings::block_on(send(&args))?;
    let confirmed = last.filter(|_| args.is_one() && args.queue.is_some());
    if args.json {
        let failed: Vec<_> = report
            .failed
            .iter()
            .map(|(number, error)| json!({ "message": number + 1, "error": error.to_string() }))
            .collect();
        let kind = if args.queue.is_some() { "queue" } else { "outbox" };
        let mut told = json!({ kind: to, "sent": report.sent, "failed": failed });
        if let (Some(Confirmed { sent, bytes }), Some(told)) = (confirmed, told.as_object_mut()) {
            told.insert("message_id".to_owned(), json!(sent.message_id));
            told.insert("sequence_number".to_owned(), json!(sent.sequence_number));
            told.insert("bytes".to_owned(), json!(bytes));
        }
        say::line(told);
    } else {
        let sent = units::count(report.sent, "message");
        let done = if args.queue.is_some() {
            format!("sent {sent} to {to}")
        } else {
            format!("left {sent} in outbox {to}")
        };
        say::line(done);
        if let Some(Confirmed { sent, bytes }) = confirmed {
            say::line(format_args!("Message ID : {}, {bytes} bytes", sent.message_id));
        }
    }
    for (_, error) in &report.failed {
        say::error(error);
    }
    Ok(report.failed.first().map_or(0, |(_, error)| error.exit_code()))
}

impl Args {
    /// Whether it is known to be one message, and no more.
    fn is_one(&self) -> bool {
        self.file.len() == 1 || self.body.as_deref().is_some_and(|body| body != "-")
    }
}

/// Where to, in words. With an outbox, the first word on the command line is the message.
fn to(args: &mut Args) -> Result<String> {
    let outbox = match (&args.outbox, &args.outbox_directory) {
        (Some(name), _) => name.clone(),
        (None, Some(directory)) => directory.display().to_string(),
        (None, None) => return Ok(args.queue.clone().unwrap_or_default()),
    };
    if args.body.is_some() {
        return Err(Error::new(Kind::Usage, "an outbox is named, and a queue too")
            .hint("leave out the queue: an outbox has its own"));
    }
    args.body = args.queue.take();
    Ok(outbox)
}

async fn outlet(args: &Args) -> Result<Outlet> {
    let directory = match (&args.outbox, &args.outbox_directory) {
        (Some(name), _) => Some(args.reach.outbox(name)?),
        (None, directory) => directory.clone(),
    };
    if let Some(directory) = directory {
        return Ok(Outlet::new(To::Outbox(Outbox::open(directory)?), None));
    }
    let place = args.reach.queue(args.queue.as_deref().unwrap_or_default())?;
    let connection = connections().connect(&place.aws).await?;
    let url = sqs::find(&connection.sqs, &place.queue).await?;
    let client = connection.sqs.clone();
    let to = if args.is_one() {
        To::One { queue: Queue::new(client, url.as_str()), name: url.name().to_owned() }
    } else {
        To::Queue(Sender::new(client, url))
    };
    let above = usize::try_from(args.offload_above).unwrap_or(usize::MAX);
    let offload = args.offload.clone().map(|place| Box::new(Offload { connection, place, above }));
    Ok(Outlet::new(to, offload))
}

async fn send(args: &Args) -> Result<(SendReport, Option<Confirmed>)> {
    let mut sender = outlet(args).await?;
    let sent = match send_all(args, &mut sender).await {
        Ok(()) => sender.flush().await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        let so_far = sender.report().sent;
        if so_far == 0 {
            return Err(error);
        }
        let sent = units::count(so_far, "message");
        let done = if args.queue.is_some() { "sent" } else { "left" };
        return Err(Error::new(error.kind(), format!("only {sent} were {done}")).because(error));
    }
    sender.finish().await
}

/// Messages leave in batches; one that comes alone leaves soon after, and typed ones at once.
async fn send_all(args: &Args, sender: &mut Outlet) -> Result<()> {
    let shape = Shape {
        format: args.format,
        attributes: args.attributes.clone(),
        delay: args.delay,
        group: args.group.clone(),
        deduplication_id: args.deduplication_id.clone(),
    };
    let most = if args.offload.is_some() { MOST_OFFLOADED } else { sqs::MOST_BYTES };
    let mut source = match &args.body {
        Some(body) if body != "-" => Source::one(body.clone()),
        _ if !args.file.is_empty() => Source::files(args.file.clone(), most),
        _ if args.json_lines => Source::json_lines(most),
        None if stdin().is_terminal() => Source::prompt(most),
        _ => Source::lines(most),
    };
    let bar = (!stdin().is_terminal()).then(|| Progress::start(source.count()));
    let mut flush_at: Option<Instant> = None;
    loop {
        let far = Instant::now() + Duration::from_hours(1);
        let next = timeout_at(flush_at.unwrap_or(far), source.next(&shape)).await;
        let Ok(message) = next else {
            sender.flush().await?;
            flush_at = None;
            continue;
        };
        match message? {
            None => return Ok(()),
            Some(Ok(message)) => sender.push(message).await?,
            Some(Err(why)) => sender.refuse(why),
        }
        if let Some(bar) = &bar {
            bar.show(sender.report().sent, String::new());
        }
        if source.is_prompt() {
            sender.flush().await?;
            source.tell(sender.report());
        } else {
            flush_at.get_or_insert_with(|| Instant::now() + LINGER);
        }
    }
}
