//! Moving messages from one queue to another: each is deleted only after the target confirmed it.
//!
//! At least once: whoever is killed between a confirmed send and its delete has sent that message
//! and will send it again. Run again, it goes on. Bodies, attributes with their types, and the
//! trace header move as they came; a pointer to a body in S3 moves unopened.
//!
//! Messages that the filter leaves, and those that the target refuses, stay leased until the end
//! and are then given back, so each is seen once; it costs each a receive. In a FIFO queue SQS hands
//! out nothing of a group while one of it is held, so what stays also keeps what stands behind it.

mod filter;
mod held;
mod rate;
mod run;
mod source;

use std::time::Duration;

use super::{LONGEST_LEASE, QueueUrl};
use crate::error::{Error, Kind, Result};
use crate::shutdown::Shutdown;

pub use filter::Filter;
pub use rate::Rate;

/// The most messages that a kill may leave sent and not deleted: what is on its way at one time.
pub const MOST_TWICE: usize = 80;

/// How many messages may stay leased unless told otherwise.
pub const MOST_HELD: usize = 10_000;

/// One end of a redrive: a queue, and the client of its region and account.
#[derive(Debug, Clone)]
pub struct End {
    /// The client that reaches it.
    pub client: aws_sdk_sqs::Client,
    /// The queue.
    pub url: QueueUrl,
}

/// What moves, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which messages move.
    pub filter: Filter,
    /// The attribute that names the event, for the filter.
    pub event_key: String,
    /// The group of messages that have none, for a FIFO target; needed where the source is no FIFO
    /// queue.
    pub group: Option<String>,
    /// How fast; unlimited by default.
    pub rate: Option<Rate>,
    /// Ends after so many were moved.
    pub most: Option<u64>,
    /// Stops when so many stay.
    pub most_held: usize,
    /// Moves nothing: tells what would move, and gives everything back.
    pub dry_run: bool,
    /// How long a poll waits, from 1 to 20 s; three empty ones are the end.
    pub wait: Duration,
    /// The lease on what is on its way, at least 5 s; it is renewed, and after a kill its messages
    /// come again when it ends.
    pub lease: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            event_key: "iniesta_pass".to_owned(),
            group: None,
            rate: None,
            most: None,
            most_held: MOST_HELD,
            dry_run: false,
            wait: Duration::from_secs(5),
            lease: Duration::from_mins(1),
        }
    }
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// About how many waited in the source at the start, where SQS told it.
    pub waiting: Option<u64>,
    /// Confirmed by the target; of a dry run, how many would move.
    pub moved: u64,
    /// Left by the filter.
    pub left: u64,
    /// Refused by the target.
    pub failed: u64,
    /// About how many messages somebody else holds; the end waits for them. Known once polls
    /// bring nothing.
    pub elsewhere: u64,
}

/// Why it ended.
#[derive(Debug)]
pub enum Ending {
    /// Three long polls in a row brought nothing, and SQS counts nothing but what is held here.
    Empty,
    /// As many moved as were asked for.
    Most,
    /// As many stay as may be held.
    Full,
    /// It was asked to stop.
    Stopped,
    /// Nothing more would succeed.
    Failed(Error),
}

/// What came of it.
#[derive(Debug)]
pub struct Summary {
    /// Why it ended.
    pub ending: Ending,
    /// Confirmed by the target and deleted here; of a dry run, how many would move.
    pub moved: u64,
    /// Confirmed by the target, and still in the source: the next run sends them again.
    pub undeleted: u64,
    /// Left by the filter, and given back.
    pub left: u64,
    /// Given back unsent, since another of their FIFO group failed before them.
    pub behind: u64,
    /// About how many were never handed out: they stand behind what stays of their FIFO group.
    pub shut_in: u64,
    /// Given back, and whether the target has them is not known: the call that held them failed.
    pub unsent: u64,
    /// Refused by the target and given back, by message id.
    pub failed: Vec<(String, Error)>,
    /// Could not be given back: they come again when their lease ends, within five minutes.
    pub not_given_back: u64,
}

/// Moves messages until the source is empty, or another [`Ending`].
///
/// ```no_run
/// # async fn example() -> longshore::error::Result<()> {
/// use longshore::aws::Aws;
/// use longshore::shutdown::Shutdown;
/// use longshore::toolkit::sqs::redrive::{End, Options, redrive};
///
/// let aws = Aws::new();
/// let dead = aws.queue("us-east-1", "dead-letters").await?;
/// let main = aws.queue("us-east-1", "my-queue").await?;
/// let from = End { client: dead.client().clone(), url: dead.url().await? };
/// let to = End { client: main.client().clone(), url: main.url().await? };
/// let summary = redrive(from, to, Options::default(), Shutdown::new(), |_| ()).await?;
/// println!("{} messages moved", summary.moved);
/// # Ok(())
/// # }
/// ```
///
/// Draining ends it cleanly: what is on its way is finished, the rest given back; that takes as long
/// as a poll waits, and what the network takes. Dropped midway, what is leased comes back when its
/// lease ends (within five minutes) and up to [`MOST_TWICE`] messages may be in both queues.
///
/// # Errors
/// Only before it begins: the two are the same queue, a group is missing or one too many, the wait
/// is none that SQS knows. What happens later stands in the summary.
pub async fn redrive(
    from: End,
    to: End,
    options: Options,
    shutdown: Shutdown,
    on_progress: impl FnMut(&Progress),
) -> Result<Summary> {
    let waiting = check(&from, &to, &options).await?;
    run::Run::new(from, to, options, waiting).until_the_end(&shutdown, on_progress).await
}

/// What can be wrong before the first message; gives about how many wait.
async fn check(from: &End, to: &End, options: &Options) -> Result<Option<u64>> {
    let usage = |what: &str| Err(Error::new(Kind::Usage, what));
    if !(1..=20).contains(&options.wait.as_secs()) {
        return usage("a long poll waits from 1 to 20 seconds");
    }
    if !(5..=LONGEST_LEASE.as_secs() / 2).contains(&options.lease.as_secs()) {
        return usage("a lease lasts from 5 seconds to 6 hours");
    }
    let (source_is_fifo, target_is_fifo) = (from.url.is_fifo(), to.url.is_fifo());
    if target_is_fifo && !source_is_fifo && options.group.is_none() {
        let what = format!("{} is a FIFO queue and {} is none", to.url.name(), from.url.name());
        return Err(Error::new(Kind::Usage, what).hint("name the group of the moved messages"));
    }
    if options.group.is_some() && (!target_is_fifo || source_is_fifo) {
        return usage("a group is only for messages of a standard queue that move to a FIFO queue");
    }
    let own = source::about(from).await?;
    let other = source::about(to).await?;
    let same_place = place(&from.url) == place(&to.url);
    let same = match (&own, &other) {
        (Some(own), Some(other)) => own.is_same_queue(other, same_place),
        _ => same_place,
    };
    if same {
        let what = format!("both are the queue {}", from.url.name());
        return Err(Error::new(Kind::Usage, what).hint("name two different queues"));
    }
    Ok(own.map(|own| u64::try_from(own.visible).unwrap_or(u64::MAX)))
}

/// A URL without what makes no other queue of it.
fn place(url: &QueueUrl) -> String {
    let url = url.as_str().trim_end_matches('/');
    let url = url.split_once("://").map_or(url, |(_, rest)| rest);
    match url.split_once('/') {
        Some((host, path)) => format!("{}/{path}", host.to_ascii_lowercase()),
        None => url.to_owned(),
    }
}
