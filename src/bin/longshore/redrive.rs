//! `longshore redrive`: messages from one queue to another.

use std::time::Duration;

use longshore::aws::Aws;
use longshore::error::{Error, Kind, Result};
use longshore::shutdown::{Shutdown, signals::Stop};
use longshore::toolkit::sqs;
use longshore::toolkit::sqs::redrive::{
    self, End, Ending, Filter, MOST_HELD, MOST_TWICE, Options, Rate, Summary,
};
use longshore::units;
use serde_json::json;

use crate::progress::Progress;
use crate::reach::{Place, Reach, connections};
use crate::sqs::pair;
use crate::{say, settings};

const STOPPING: &str = "stopping: what is on its way is finished and the rest given back; \
                        a second signal ends at once";

/// So many refusals are told one by one.
const TOLD: usize = 10;

/// Moves messages from one queue to another; each is deleted only after the target confirmed it.
/// Stopped or killed, it goes on when it is run again.
///
/// A message moves if all of --event, --id, --attribute and --body-contains hold that are given.
/// The others stay leased until the end and are then given back, which costs each a receive. In a
/// FIFO queue they also keep what stands behind them in their group.
///
/// Exits with 75 when there is more to move, and with 69 when the target refused messages.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The queue to empty: its name in the settings, its own name, URL or ARN
    from: String,
    /// The queue that takes them, named in the same ways
    to: String,
    /// Move messages of this event, or of those that begin so: Order*; may be repeated
    #[arg(long = "event", value_name = "EVENT")]
    events: Vec<String>,
    /// Move the message with this id; may be repeated
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    /// Move messages whose attribute has this value; may be repeated, all must hold
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = pair)]
    attributes: Vec<(String, String)>,
    /// Move messages whose body holds this text
    #[arg(long, value_name = "TEXT")]
    body_contains: Option<String>,
    #[arg(long, value_name = "NAME", help = EVENT_KEY_HELP)]
    event_key: Option<String>,
    /// The group in a FIFO queue of messages from a standard queue
    #[arg(long)]
    group: Option<String>,
    /// No faster than this: 50/s, 600/m
    #[arg(long, value_parser = Rate::read)]
    rate: Option<Rate>,
    /// Move so many at most
    #[arg(long, value_name = "N")]
    max: Option<u64>,
    /// Stop when so many messages stay
    #[arg(long, value_name = "N", default_value_t = MOST_HELD,
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    hold: usize,
    /// How long a poll waits, in seconds; three empty ones are the end
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=20))]
    wait: u64,
    /// The lease on what is on its way, in seconds; a killed run's messages come again after it
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(5..=3_600))]
    visibility_timeout: u64,
    /// Tell what would move, and give everything back
    #[arg(long)]
    dry_run: bool,
    /// One JSON document about what came of it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

const EVENT_KEY_HELP: &str =
    "The attribute that names the event [default: as the settings say, else iniesta_pass]";

pub(crate) fn run(args: Args) -> Result<u8> {
    let summary = settings::block_on(move_messages(&args))?;
    if args.json {
        say::line(document(&args, &summary));
    } else {
        tell(&args, &summary);
    }
    for (id, error) in summary.failed.iter().take(TOLD) {
        say::note(format_args!("message {id}: {error}"));
    }
    if summary.failed.len() > TOLD {
        let more = units::count(whole(summary.failed.len() - TOLD), "message");
        say::note(format_args!("{more} more failed"));
    }
    verdict(summary)
}

async fn move_messages(args: &Args) -> Result<Summary> {
    let (from, to) = (args.reach.queue(&args.from)?, args.reach.queue(&args.to)?);
    let known_key = from.settings.as_ref().map_or(&from.event_key, |known| &known.event_key);
    let options = Options {
        event_key: args.event_key.as_ref().unwrap_or(known_key).clone(),
        filter: Filter {
            events: args.events.clone(),
            ids: args.ids.clone(),
            attributes: args.attributes.clone(),
            body_contains: args.body_contains.clone(),
        },
        group: args.group.clone(),
        rate: args.rate,
        most: args.max,
        most_held: args.hold,
        dry_run: args.dry_run,
        wait: Duration::from_secs(args.wait),
        lease: Duration::from_secs(args.visibility_timeout),
    };
    let connections = connections();
    let from = Box::pin(end(&connections, from)).await?;
    let to = Box::pin(end(&connections, to)).await?;
    if from.url.is_fifo() && !to.url.is_fifo() {
        say::note(format_args!("{} is no FIFO queue: groups and order are dropped", to.url.name()));
    }
    let mut stop = Stop::install()?;
    let shutdown = Shutdown::new();
    let mut bar: Option<Progress> = None;
    let on_progress = |progress: &redrive::Progress| {
        let bar = bar.get_or_insert_with(|| Progress::start(progress.waiting));
        let mut told = Vec::new();
        for (number, what) in [
            (progress.left, "left"),
            (progress.failed, "failed"),
            (progress.elsewhere, "held by others"),
        ] {
            if number > 0 {
                told.push(format!("{number} {what}"));
            }
        }
        bar.show(progress.moved, told.join(", "));
    };
    let work = redrive::redrive(from, to, options, shutdown.clone(), on_progress);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            summary = &mut work => return summary,
            () = stop.asked() => {
                if shutdown.is_draining() {
                    let what = "ended at once; what was held comes again within five minutes";
                    return Err(Error::new(Kind::Aborted, what));
                }
                say::note(STOPPING);
                shutdown.drain();
            }
        }
    }
}

async fn end(connections: &Aws, place: Place) -> Result<End> {
    let client = connections.connect(&place.aws).await?.sqs;
    let url = sqs::find(&client, &place.queue).await?;
    Ok(End { client, url })
}

fn tell(args: &Args, summary: &Summary) {
    let moved = units::count(summary.moved, "message");
    let did = if args.dry_run { "would move" } else { "moved" };
    say::line(format_args!("{did} {moved} from {} to {}", args.from, args.to));
    for (number, what) in [
        (summary.left, "left by the filter and given back"),
        (summary.behind, "given back behind one of their group that failed"),
        (summary.shut_in, "not seen, behind what stays of their group"),
        (summary.unsent, "given back, perhaps sent: the call that held them failed"),
        (summary.undeleted, "sent and still in the source: the next run sends them again"),
        (summary.not_given_back, "not given back: they come again within five minutes"),
        (whole(summary.failed.len()), "refused by the target and given back"),
    ] {
        if number > 0 {
            say::line(format_args!("{} {what}", units::count(number, "message")));
        }
    }
    if !args.dry_run {
        say::line(format_args!(
            "a run that was killed may have sent its last messages twice, at most {MOST_TWICE}"
        ));
    }
}

fn document(args: &Args, summary: &Summary) -> serde_json::Value {
    let ending = match &summary.ending {
        Ending::Empty => "empty",
        Ending::Most => "max",
        Ending::Full => "full",
        Ending::Stopped => "stopped",
        Ending::Failed(_) => "failed",
    };
    let failed = summary.failed.iter();
    let failed: Vec<_> =
        failed.map(|(id, error)| json!({ "message_id": id, "error": error.to_string() })).collect();
    json!({
        "from": args.from,
        "to": args.to,
        "dry_run": args.dry_run,
        "ending": ending,
        "moved": summary.moved,
        "left": summary.left,
        "behind": summary.behind,
        "shut_in": summary.shut_in,
        "unsent": summary.unsent,
        "undeleted": summary.undeleted,
        "not_given_back": summary.not_given_back,
        "failed": failed,
        "twice_after_a_kill": MOST_TWICE,
    })
}

/// The exit code, or what is wrong.
fn verdict(summary: Summary) -> Result<u8> {
    let stopped = |what: &str| Err(Error::new(Kind::Aborted, what));
    match summary.ending {
        Ending::Failed(error) => return Err(error),
        Ending::Full => {
            return Err(Error::new(
                Kind::Busy,
                "as many messages stay as may be held, and the end \
                                               was not reached",
            )
            .hint("widen the filter, or raise --hold"));
        }
        Ending::Stopped => return stopped("stopped before the end; run it again to go on"),
        Ending::Empty | Ending::Most => {}
    }
    if !summary.failed.is_empty() {
        return Ok(Kind::Invalid.exit_code());
    }
    if summary.undeleted > 0 {
        return stopped("not everything that was sent could be deleted; run it again");
    }
    Ok(0)
}

fn whole(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
