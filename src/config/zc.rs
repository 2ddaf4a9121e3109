//! `[Queue]` and `[Credentials]`: the settings of zc.s3uploadqueue, which run unchanged.
//!
//! Its parser ignored options that it did not know; so do we, with a note. It knew neither
//! temporary names nor virtual-hosted buckets, and its log has its own words.

use std::time::Duration;

use super::Config;
use super::aws::{self, Credentials, Secret, Written};
use super::document::Node;
use super::log::Level;
use super::names;
use super::section::Section;
use super::spool::{Ignore, LONGEST_POLL, MOST_THREADS, SHORTEST_POLL, Spool, Texts};

/// The name of the one spool that such a file configures.
pub const SPOOL: &str = "s3uploadqueue";

/// The region that zc.s3uploadqueue always used.
const REGION: &str = "us-east-1";

pub(super) fn read(root: &mut Section<'_>, base: &Written, config: &mut Config) {
    // Its options stand in the other two already.
    let _defaults = root.table("DEFAULT");
    let credentials = credentials(root.table("Credentials"));
    let has_queue = root.has("Queue");
    let mut section = root.table("Queue");
    if !has_queue {
        return;
    }
    let directory = section.path_of("directory");
    if !section.has("directory") {
        section.missing("directory", "PATH");
    }
    let bucket = section.formed("bucket", names::bucket);
    if !section.has("bucket") {
        section.missing("bucket", "NAME");
    }
    let own = Written {
        region: section.formed("region", names::region),
        credentials,
        endpoint_url: section.formed("endpoint_url", aws::endpoint),
        ..Written::default()
    };
    let mut aws = own.over(base).resolve();
    aws.path_style = true;
    aws.fallback_region = Some(REGION.to_owned());

    let default = Spool::new(directory.unwrap_or_default(), bucket.unwrap_or_default());
    let spool = Spool {
        aws,
        threads: section.whole("threads", 1..=MOST_THREADS).unwrap_or(default.threads),
        poll_interval: poll_interval(&mut section).unwrap_or(default.poll_interval),
        ignore: Ignore::Nothing,
        texts: Texts::Zc,
        ..default
    };
    if let Some(level) = section.formed("log_level", Level::read) {
        config.log.level = level;
    }
    pass_over(&section);
    if config.spools.insert(SPOOL.to_owned(), spool).is_some() {
        section.blame("", format!("[Queue] is the spool {SPOOL:?}, which is also written out"));
    }
}

/// The original slept that long between two looks, however long; ours has bounds.
fn poll_interval(section: &mut Section<'_>) -> Option<Duration> {
    let interval = section.duration("poll_interval", Duration::ZERO..=Duration::MAX)?;
    Some(interval.clamp(SHORTEST_POLL, LONGEST_POLL))
}

fn credentials(mut section: Section<'_>) -> Option<Credentials> {
    if !section.is_written() {
        return None;
    }
    let id = section.formed("aws_access_key_id", aws::not_empty);
    let secret = section.formed("aws_secret_access_key", aws::not_empty);
    for key in ["aws_access_key_id", "aws_secret_access_key"] {
        if !section.has(key) {
            section.missing(key, "VALUE, or leave [Credentials] out");
        }
    }
    pass_over(&section);
    Some(Credentials {
        access_key_id: id?,
        secret_access_key: Secret::new(secret?),
        session_token: None,
    })
}

fn pass_over(section: &Section<'_>) {
    let defaults = section.document.root.get("DEFAULT").and_then(Node::table);
    let is_default = |key: &str, node: &Node| {
        let default = defaults.and_then(|defaults| defaults.get(key));
        default.is_some_and(|default| default.key_at == node.key_at)
    };
    for (key, node) in section.left_over() {
        if is_default(key, node) {
            continue;
        }
        let (key, path) = (key.replace('_', "-"), section.path());
        let message = format!("option {key} in [{path}] is not read{}", section.suggestion(&key));
        section.document.note(node.key_at, message);
    }
}
