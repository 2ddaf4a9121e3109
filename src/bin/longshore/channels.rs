//! `longshore channels`: what subscribers left behind.

use longshore::error::Result;
use longshore::toolkit::channels::Channels;
use longshore::toolkit::channels::cleanup::{self, Unused};
use longshore::units;
use serde_json::json;

use crate::reach::{Reach, connections};
use crate::{say, settings};

/// Publish and subscribe by the name of a channel, as programs do with the library.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the queues of channels that no subscriber has used for 30 days and that are empty
    Cleanup(Cleanup),
}

/// Lists the queues of channels that a subscriber tagged, that none has used for 30 days, and that
/// are empty; with --yes it deletes them, each with its subscription. No other queue is touched.
#[derive(Debug, clap::Args)]
pub(crate) struct Cleanup {
    /// Delete them
    #[arg(long)]
    yes: bool,
    /// One JSON document for each queue
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(crate) fn run(verb: Verb) -> Result<u8> {
    let Verb::Cleanup(args) = verb;
    settings::block_on(clean(&args)).map(|()| 0)
}

async fn clean(args: &Cleanup) -> Result<()> {
    let aws = args.reach.aws()?;
    let channels = Channels::new(&connections().connect(&aws).await?);
    let unused = cleanup::unused(&channels).await?;
    let mut gone = 0;
    for one in &unused {
        let deleted = args.yes && cleanup::delete(&channels, one).await?;
        gone += u64::from(deleted);
        tell(args, one, deleted);
    }
    if args.json {
        return Ok(());
    }
    let found = units::count(u64::try_from(unused.len()).unwrap_or(u64::MAX), "unused queue");
    if args.yes {
        say::line(format_args!("{found}, {gone} deleted"));
    } else if unused.is_empty() {
        say::line(found);
    } else {
        say::line(format_args!("{found}; delete with --yes"));
    }
    Ok(())
}

fn tell(args: &Cleanup, unused: &Unused, deleted: bool) {
    let (queue, last_use) = (unused.queue.name(), units::utc(unused.last_use));
    if args.json {
        let topic = &unused.topic;
        say::line(
            json!({ "queue": queue, "last_use": last_use, "topic": topic, "deleted": deleted }),
        );
        return;
    }
    let did = match (deleted, args.yes) {
        (true, _) => "deleted",
        (false, true) => "kept, in use again:",
        (false, false) => "unused",
    };
    say::line(format_args!("{did} {queue}, last used {last_use}"));
}
