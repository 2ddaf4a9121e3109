//! The settings of `--local`: the same spools and queues, with the embedded AWS in place of AWS.
//!
//! Everything is taken away that could reach beyond this host, or into directories that another
//! daemon may be watching, unless the user said yes to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::aws::{Aws, Credentials, Secret};
use super::handler::Handler;
use super::idempotency::IdempotencyStore;
use super::log::Log;
use super::mistakes::Mistakes;
use super::names::{self, QueueAddress};
use super::outbox::Outlet;
use super::queue::Queue;
use super::spool::{Destination, Spool};
use super::{Config, Elsewhere, Events, file};
use crate::error::Result;

/// Where the embedded AWS is and where its files are.
#[derive(Debug, Clone, Copy)]
pub struct Local<'l> {
    /// Relative directories of spools lie under it.
    pub directory: &'l Path,
    /// The embedded AWS, as `http://127.0.0.1:4566`.
    pub endpoint: &'l str,
    /// Absolute directories and URLs beyond the loopback are allowed.
    pub yes: bool,
}

/// The region of the embedded AWS where the settings name none.
const REGION: &str = "us-east-1";

impl Config {
    /// What `--local` runs without settings: the spool `local` at `spool`, landing in the bucket
    /// `local`, and the queue `inbox` whose messages are printed.
    pub fn trial() -> Self {
        let inbox = Queue { handler: Some(Handler::Print), ..Queue::new("inbox") };
        Self {
            file: None,
            log: Log::DEFAULT,
            listen: None,
            drain_timeout: file::DRAIN_TIMEOUT,
            aws: Aws::default(),
            events: Events::default(),
            dry_run: false,
            spools: BTreeMap::from([("local".to_owned(), Spool::new("spool", "local"))]),
            outboxes: BTreeMap::new(),
            queues: BTreeMap::from([("inbox".to_owned(), inbox)]),
            notifications: BTreeMap::new(),
            require_checks: false,
            idempotency: None,
            notes: Vec::new(),
            elsewhere: Elsewhere::default(),
        }
    }

    /// These settings on the embedded AWS: every connection sealed to its endpoint, with test
    /// credentials; relative directories of spools and of rejected messages under
    /// `local.directory`; queues by name. Topics too: whoever makes them knows their ARNs.
    ///
    /// # Errors
    /// [`crate::error::Kind::Settings`], naming every key that would leave the host or
    /// `local.directory`, unless `local.yes`.
    pub fn local(mut self, local: Local<'_>) -> Result<Self> {
        let mut wrong = Vec::new();
        seal(&mut self.aws, local.endpoint);
        seal(&mut self.events.aws, local.endpoint);
        let spools = self.spools.iter_mut().map(|(name, spool)| ("spool", name, spool));
        let outboxes = self.outboxes.iter_mut().map(|(name, outbox)| ("outbox", name, outbox));
        for (table, name, spool) in spools.chain(outboxes) {
            seal(&mut spool.aws, local.endpoint);
            if let Destination::Messages(outbox) = &mut spool.destination {
                match &mut outbox.outlet {
                    Outlet::Queue(queue) => reduce_to_name(queue),
                    Outlet::Topic(arn) => {
                        *arn = arn.rsplit(':').next().unwrap_or_default().to_owned();
                    }
                }
            }
            let own = spool.directory.clone();
            let directory = format!("{table}.{name}.directory");
            under(local, &mut spool.directory, &directory, &mut wrong);
            if spool.quarantine_directory.starts_with(&own) {
                // Inside its spool, so the spool's own directory has been judged already.
                let inside = spool.quarantine_directory.strip_prefix(&own).unwrap_or(&own);
                spool.quarantine_directory = spool.directory.join(inside);
            } else {
                let quarantine = format!("{table}.{name}.quarantine_directory");
                under(local, &mut spool.quarantine_directory, &quarantine, &mut wrong);
            }
        }
        for (name, queue) in &mut self.queues {
            seal(&mut queue.aws, local.endpoint);
            reduce_to_name(&mut queue.queue);
            queue.dead_letter_queue.iter_mut().for_each(reduce_to_name);
            if let Some(set_aside) = &mut queue.set_aside {
                under(local, set_aside, &format!("queue.{name}.set_aside"), &mut wrong);
            }
            for (place, handler) in handlers(queue) {
                let place = format!("queue.{name}.{place}");
                stay_here(local, handler, &place, &mut wrong);
            }
        }
        for notification in self.notifications.values_mut() {
            seal(&mut notification.aws, local.endpoint);
        }
        if let Some(IdempotencyStore::Dynamodb(table)) =
            self.idempotency.as_mut().map(|locks| &mut locks.store)
        {
            seal(&mut table.aws, local.endpoint);
        }
        if let Some(idempotency) = self.idempotency.as_ref().filter(|_| !local.yes) {
            let beyond = idempotency.beyond_this_host();
            wrong.extend(beyond.map(|server| format!("idempotency: {server} leaves this host")));
        }
        if wrong.is_empty() {
            return Ok(self);
        }
        let file = self.file.unwrap_or_else(|| PathBuf::from("--local"));
        let lines = wrong.into_iter().map(|wrong| Mistakes::whole(wrong + "; --yes allows it"));
        Err(Mistakes::new(&file, lines.collect()).into())
    }
}

fn seal(aws: &mut Aws, endpoint: &str) {
    let region = aws.region.take().or_else(|| aws.fallback_region.take());
    *aws = Aws {
        region: Some(region.unwrap_or_else(|| REGION.to_owned())),
        fallback_region: None,
        profile: None,
        credentials: Some(Credentials {
            access_key_id: "test".to_owned(),
            secret_access_key: Secret::new("test"),
            session_token: None,
        }),
        role_arn: None,
        endpoint_url: Some(endpoint.to_owned()),
        path_style: true,
        sealed: true,
    };
}

fn under(local: Local<'_>, path: &mut PathBuf, key: &str, wrong: &mut Vec<String>) {
    let leaves =
        path.is_absolute() || path.components().any(|part| part == std::path::Component::ParentDir);
    if leaves && !local.yes {
        let (path, directory) = (path.display(), local.directory.display());
        wrong.push(format!("{key} = \"{path}\" is not under {directory}"));
    }
    *path = local.directory.join(&path);
}

fn reduce_to_name(queue: &mut String) {
    if let Ok(address) = QueueAddress::read(queue) {
        address.name().clone_into(queue);
    }
}

/// Every handler of a queue, with where it stands in the settings.
fn handlers(queue: &mut Queue) -> impl Iterator<Item = (String, &mut Handler)> {
    let default = queue.handler.iter_mut().map(|handler| ("handler".to_owned(), handler));
    let routes = queue
        .routes
        .iter_mut()
        .map(|(event, handler)| (format!("route.{event:?}.handler"), handler));
    default.chain(routes)
}

/// What a handler reaches is here: the embedded AWS, this host, a directory under the one of the
/// run.
fn stay_here(local: Local<'_>, handler: &mut Handler, place: &str, wrong: &mut Vec<String>) {
    if let Some(aws) = handler.aws_mut() {
        seal(aws, local.endpoint);
    }
    match handler {
        Handler::Http(http) if !local.yes && !names::is_loopback(&http.url) => {
            wrong.push(format!("{place}.http.url = {:?} leaves this host", http.url));
        }
        Handler::Spool(spool) => {
            under(local, &mut spool.directory, &format!("{place}.spool.directory"), wrong);
        }
        Handler::Sql(sql)
            if !local.yes && !names::is_loopback(&format!("tcp://{}", sql.server.address())) =>
        {
            wrong.push(format!("{place}.sql leads to {}, which leaves this host", sql.server));
        }
        Handler::Sqs(sqs) => reduce_to_name(&mut sqs.queue),
        Handler::Sns(sns) => {
            sns.topic = sns.topic.rsplit(':').next().unwrap_or_default().to_owned();
        }
        Handler::Dynamodb(_)
        | Handler::Exec(_)
        | Handler::Http(_)
        | Handler::Lambda(_)
        | Handler::Print
        | Handler::S3(_)
        | Handler::Sql(_) => {}
    }
}
