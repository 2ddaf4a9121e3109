//! An announcement: an event with what belongs to it, on its way to becoming a message.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;

use super::value::Value;
use super::wire;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::event;
use crate::message::{Attribute, Outgoing, attribute_name};

/// The attribute with the version of what an event carries.
const VERSION: &str = "version";

/// How the body is meant: one text for all subscribers, or a JSON object with one for each protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageStructure {
    /// The same for everybody.
    #[default]
    String,
    /// A text per protocol, and one named `default`. SNS delivers no attributes with it, so no
    /// filter and no route sees the event.
    Json,
}

impl FromStr for MessageStructure {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "string" => Ok(Self::String),
            "json" => Ok(Self::Json),
            _ => Err(Error::new(Kind::Invalid, format!("{name:?} is no message structure"))
                .hint("write string or json")),
        }
    }
}

/// An event and what is told with it. Nothing is sent: [`outgoing`](Self::outgoing) makes the
/// message for a [`Publisher`](crate::toolkit::sns::Publisher).
///
/// ```no_run
/// # async fn example(settings: longshore::config::Events) -> longshore::error::Result<()> {
/// use longshore::aws::Aws;
/// use longshore::events::{Announcement, publisher};
/// use serde_json::json;
///
/// // Announced as EventHappened.producer, where the settings call the service so.
/// let announced = Announcement::new("EventHappened").json(&json!({"id": 1})).version(1);
/// let message = announced.outgoing(&settings)?;
/// publisher(&Aws::new(), &settings).await?.publish(&message).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Announcement {
    event: String,
    raw: bool,
    version: i64,
    attributes: BTreeMap<String, Value>,
    message: Outgoing,
    /// Why the body could not be made, kept until the message is.
    wrong: Option<String>,
}

impl Announcement {
    /// Announces an event; its body is `{}`, its version 1.
    pub fn new(event: impl Into<String>) -> Self {
        Self::of(event, Outgoing::text("{}"))
    }

    /// Announces an event with a message that is made already.
    pub fn of(event: impl Into<String>, message: Outgoing) -> Self {
        let event = event.into();
        let (raw, version, attributes, wrong) = (false, 1, BTreeMap::new(), None);
        Self { event, raw, version, attributes, message, wrong }
    }

    /// The event is named as it stands: no service is appended.
    #[must_use]
    pub const fn raw(mut self) -> Self {
        self.raw = true;
        self
    }

    /// The version of what the event carries.
    #[must_use]
    pub const fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// The body, as it is.
    #[must_use]
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.message.body = body.into();
        self
    }

    /// The body, as compact JSON in iniesta's form: `/` as `\/`, everything beyond ASCII escaped.
    /// A value without a form in JSON is told by [`outgoing`](Self::outgoing).
    #[must_use]
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(json) => self.message.body = wire::compact(&json),
            Err(error) => self.wrong = Some(error.to_string()),
        }
        self
    }

    /// An attribute; a second one of the same name replaces the first. The event key and `version`
    /// are always those of the announcement.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// The subject that e-mail subscribers see.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.message.subject = Some(subject.into());
        self
    }

    /// How the body is meant.
    #[must_use]
    pub const fn structure(mut self, structure: MessageStructure) -> Self {
        self.message.is_per_protocol = matches!(structure, MessageStructure::Json);
        self
    }

    /// The group, for a FIFO topic.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.message.group = Some(group.into());
        self
    }

    /// The deduplication id, for a FIFO topic.
    #[must_use]
    pub fn deduplication_id(mut self, id: impl Into<String>) -> Self {
        self.message.deduplication_id = Some(id.into());
        self
    }

    /// The name under which it is announced: `{event}.{service}`, or the event as it is where it is
    /// raw.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for the empty event, [`Kind::Settings`] where no service is known.
    pub fn name(&self, settings: &config::Events) -> Result<String> {
        if self.event.is_empty() {
            return Err(Error::new(Kind::Invalid, "announcing an event without a name"));
        }
        if self.raw {
            return Ok(self.event.clone());
        }
        let Some(service) = &settings.service else {
            let what = format!("event {} has no service to be named after", self.event);
            return Err(Error::new(Kind::Settings, what)
                .hint("write service = \"NAME\" in [events], or announce it raw"));
        };
        Ok(event::of_service(&self.event, service))
    }

    /// The message: body, attributes, and last the event under the settings' event key and the
    /// version.
    ///
    /// # Errors
    /// As [`name`](Self::name); [`Kind::Invalid`] for a body without a form in JSON and for names
    /// that no attribute can have. What SNS would refuse besides, the publisher says.
    pub fn outgoing(&self, settings: &config::Events) -> Result<Outgoing> {
        let name = self.name(settings)?;
        let invalid = |why: &str| {
            Error::new(Kind::Invalid, format!("announcing {name}")).because(why.to_owned())
        };
        if let Some(why) = &self.wrong {
            return Err(invalid(why));
        }
        let mut message = self.message.clone();
        for (attribute, value) in &self.attributes {
            attribute_name(attribute).map_err(|why| invalid(&why))?;
            value.clone().put(attribute, &mut message);
        }
        Value::Number(self.version.to_string()).put(VERSION, &mut message);
        message.labels.remove(&settings.event_key);
        message.attributes.insert(settings.event_key.clone(), Attribute::String(name));
        Ok(message)
    }
}

/// The message as iniesta shows it, its `size` being the length of this: the arguments of `Publish`
/// in compact JSON.
pub fn full_payload(message: &Outgoing) -> String {
    wire::whole(message)
}

#[cfg(test)]
mod tests;
