//! The file as a whole: its top level, and which table is read by whom.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::aws::Written;
use super::document::Document;
use super::idempotency::Idempotency;
use super::log::Log;
use super::notification::Notification;
use super::outbox::Outbox;
use super::queue::Queue;
use super::section::Section;
use super::spool::Spool;
use super::{Config, Dialect, Elsewhere, Events, check, events, iniesta, names, zc};

/// How long running work may take to finish where the settings do not say.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// Reads everything; the result counts only if the document has no mistakes afterwards.
pub(super) fn read(document: &Document) -> Config {
    let mut root = Section::root(document);
    let drain_timeout = root.duration("drain_timeout", Duration::ZERO..=Duration::from_hours(12));
    let require_checks = root.flag("require_checks").unwrap_or(false);
    let log = Log::read(root.table("log").verbatim());
    let listen = status(root.table("status"));

    let mut aws = root.table("aws");
    let base = Written::read(&mut aws);
    let base = iniesta::credentials(&aws, base);
    aws.finish();
    iniesta::check(document);
    let events = Events::read(root.table("events"), &base);

    let idempotency = Idempotency::read(root.table("idempotency"), &base);
    let spools = named(root.tables("spool"), |section| Spool::read(section, &base));
    let outboxes = named(root.tables("outbox"), |section| Outbox::read(section, &base, &events));
    let queues = named(root.tables("queue"), |section| Queue::read(section, &base, &events));
    let notifications =
        named(root.tables("notification"), |section| Notification::read(section, &base));
    let mut config = Config {
        file: Some(document.file.clone()),
        log,
        listen,
        drain_timeout: drain_timeout.unwrap_or(DRAIN_TIMEOUT),
        aws: base.clone().resolve(),
        events,
        dry_run: iniesta::dry_run(document),
        spools,
        outboxes,
        queues,
        notifications,
        require_checks,
        idempotency,
        notes: Vec::new(),
        elsewhere: Elsewhere::default(),
    };
    if document.dialect == Dialect::Ini {
        zc::read(&mut root, &base, &mut config);
    }
    root.finish();
    events::resolve(&mut config, document);
    // The rules across keys would take a value that is yet to be read for one that is missing.
    if !document.is_incomplete() {
        check::all(&config, document);
    }
    config.notes = document.notes();
    config
}

fn named<T>(
    sections: Vec<(String, Section<'_>)>,
    read: impl Fn(Section<'_>) -> T,
) -> BTreeMap<String, T> {
    sections
        .into_iter()
        .map(|(name, section)| {
            if let Err(wrong) = names::section(&name) {
                section.blame("", wrong);
            }
            (name, read(section))
        })
        .collect()
}

fn status(mut section: Section<'_>) -> Option<SocketAddr> {
    let listen = section.formed("listen", |text| {
        text.parse().map_err(|_| {
            format!(
                "{text:?} is no address; write IP:PORT, like \"127.0.0.1:9477\" or \"[::]:9477\""
            )
        })
    });
    section.finish();
    listen
}
