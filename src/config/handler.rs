//! `[queue.NAME.handler.KIND]` and `[queue.NAME.route."Event".handler.KIND]`.
//!
//! The kind is the name of the table, so a handler of two kinds shows in the form itself.

mod dynamodb;
mod exec;
mod http;
mod lambda;
mod s3;
mod sns;
mod sqs;
mod spool;
mod sql;

use std::collections::BTreeMap;

use super::aws::{Aws, Written};
use super::section::Section;
use crate::event::Pattern;
use crate::template::Template;

pub use dynamodb::Dynamodb;
pub use exec::Exec;
pub use http::Http;
pub use lambda::{Lambda, LambdaInput};
pub use s3::S3;
pub use sns::Sns;
pub use spool::IntoSpool;
pub use sql::Sql;
pub use sqs::Sqs;

/// `[queue.NAME.handler.KIND]`: what is done with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// Put it into a table of DynamoDB.
    Dynamodb(Dynamodb),
    /// Run a program.
    Exec(Exec),
    /// POST to an endpoint.
    Http(Http),
    /// Call a function of AWS Lambda.
    Lambda(Lambda),
    /// Write the body into a spool directory.
    Spool(IntoSpool),
    /// Insert the body into a table of a database.
    Sql(Sql),
    /// Print it on standard output.
    Print,
    /// Put the body into a bucket.
    S3(S3),
    /// Publish it to a topic.
    Sns(Sns),
    /// Send it on to a queue.
    Sqs(Sqs),
}

/// How a kind is read from its table; `Written` is how its queue reaches AWS, which a kind that
/// does so too goes by where its own table says nothing else.
type Read = fn(&mut Section<'_>, &Written) -> Handler;

/// Every kind.
const KINDS: &[(&str, Read)] = &[
    ("dynamodb", |section, aws| Handler::Dynamodb(dynamodb::read(section, aws))),
    ("exec", |section, _| Handler::Exec(exec::read(section))),
    ("http", |section, _| Handler::Http(http::read(section))),
    ("lambda", |section, aws| Handler::Lambda(lambda::read(section, aws))),
    ("print", |_, _| Handler::Print),
    ("s3", |section, aws| Handler::S3(s3::read(section, aws))),
    ("sns", |section, aws| Handler::Sns(sns::read(section, aws))),
    ("spool", |section, _| Handler::Spool(spool::read(section))),
    ("sql", |section, _| Handler::Sql(sql::read(section))),
    ("sqs", |section, aws| Handler::Sqs(sqs::read(section, aws))),
];

impl Handler {
    /// How it reaches AWS; nothing for one that does not.
    pub fn aws(&self) -> Option<&Aws> {
        match self {
            Self::Dynamodb(dynamodb) => Some(&dynamodb.aws),
            Self::Exec(_) | Self::Http(_) | Self::Print | Self::Spool(_) | Self::Sql(_) => None,
            Self::Lambda(lambda) => Some(&lambda.aws),
            Self::S3(s3) => Some(&s3.aws),
            Self::Sns(sns) => Some(&sns.aws),
            Self::Sqs(sqs) => Some(&sqs.aws),
        }
    }

    pub(super) fn aws_mut(&mut self) -> Option<&mut Aws> {
        match self {
            Self::Dynamodb(dynamodb) => Some(&mut dynamodb.aws),
            Self::Exec(_) | Self::Http(_) | Self::Print | Self::Spool(_) | Self::Sql(_) => None,
            Self::Lambda(lambda) => Some(&mut lambda.aws),
            Self::S3(s3) => Some(&mut s3.aws),
            Self::Sns(sns) => Some(&mut sns.aws),
            Self::Sqs(sqs) => Some(&mut sqs.aws),
        }
    }

    /// What it fills in from a message, which has to be asked for.
    pub(super) fn template(&self) -> Option<&Template> {
        match self {
            Self::Dynamodb(_)
            | Self::Exec(_)
            | Self::Http(_)
            | Self::Lambda(_)
            | Self::Print
            | Self::Sql(_) => None,
            Self::Spool(spool) => Some(&spool.name),
            Self::S3(s3) => Some(&s3.key),
            Self::Sns(sns) => sns.group.as_ref(),
            Self::Sqs(sqs) => sqs.group.as_ref(),
        }
    }
}

/// The group that messages get where they are sent on.
fn group(section: &mut Section<'_>) -> Option<Template> {
    section.formed("group", |text| match Template::read(text)? {
        _ if text.is_empty() => Err("an empty group; leave it out".to_owned()),
        template => Ok(template),
    })
}

fn content_type(section: &mut Section<'_>) -> Option<String> {
    section.formed("content_type", |text| {
        let is_sound = text.is_ascii() && !text.contains(|c: char| c.is_ascii_control());
        if is_sound && text.contains('/') {
            return Ok(text.to_owned());
        }
        Err(format!("{text:?} is no content type; one looks like \"application/json\""))
    })
}

pub(super) fn read(mut section: Section<'_>, aws: &Written) -> Option<Handler> {
    let mut found = Vec::new();
    // All are asked for by name, so that a wrong kind is told every right one.
    for (kind, read) in KINDS {
        let written = section.has(kind);
        let mut table = section.table(kind);
        if written {
            found.push((kind, read(&mut table, aws)));
        }
        table.finish();
    }
    if let [(first, _), (second, _), ..] = found.as_slice() {
        let path = section.path();
        let message = format!("[{path}] is both {first} and {second}; a handler has one kind");
        section.blame(second, message);
    }
    if section.is_written() && found.is_empty() && section.left_over().is_empty() {
        let path = section.path();
        let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        let kinds = kinds.join(", .");
        let message = format!("[{path}] has no kind; write [{path}.KIND], one of .{kinds}");
        section.blame("", message);
    }
    section.finish();
    found.into_iter().next().map(|(_, handler)| handler)
}

/// Routes by event: the one that names the table, or those in its `events`, whose table then has any
/// name. Two that are the same but for white space around them are refused.
pub(super) fn routes(
    written: Vec<(String, Section<'_>)>,
    aws: &Written,
) -> BTreeMap<String, Handler> {
    let mut routes = BTreeMap::new();
    for (label, mut section) in written {
        let listed = section.texts("events", |_| Ok(()));
        let key = if section.has("events") { "events" } else { "" };
        let mut own: Vec<String> = Vec::new();
        for event in listed.unwrap_or_else(|| vec![label]) {
            let event = event.trim().to_owned();
            match Pattern::of_route(&event) {
                Err(wrong) if event.is_empty() => {
                    section.blame(key, format!("a route for {wrong}"));
                }
                Err(wrong) => section.blame(key, format!("route {wrong}")),
                Ok(_) if own.contains(&event) => {
                    section.blame(key, format!("the event {event:?} stands in events twice"));
                }
                Ok(_) if routes.contains_key(&event) => {
                    section.blame(key, format!("a second route for the event {event:?}; keep one"));
                }
                Ok(_) => {}
            }
            own.push(event);
        }
        if own.is_empty() {
            section.blame(key, "events: an empty list; name the events of this route");
        }
        let handler = section.table("handler");
        if !handler.is_written() && section.left_over().is_empty() {
            let path = section.path();
            section.blame("", format!("[{path}] has no handler; write [{path}.handler.exec]"));
        }
        section.finish();
        if let Some(handler) = read(handler, aws) {
            for event in own {
                routes.entry(event).or_insert_with(|| handler.clone());
            }
        }
    }
    routes
}
