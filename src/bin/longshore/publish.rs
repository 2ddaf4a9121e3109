//! `longshore publish`: one event to a topic, told in iniesta's lines.

use longshore::error::{Error, Kind, Result};
use longshore::events::{self, Announcement, MessageStructure, Value};
use longshore::message::Outgoing;
use longshore::payload::codec::Format;
use longshore::toolkit::transport::Sent;
use serde_json::json;

use crate::reach::{Reach, connections};
use crate::{say, settings};

/// Publish an event to a topic
///
/// The event is published as it is given; --service appends its service. A message of pylon's needs
/// no event: without one it carries pylon's attributes and no others but those named here.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic's name or ARN [default: that of [events] in the settings]
    topic: Option<String>,
    /// The event; may be left out with --format pylon
    #[arg(short, long)]
    event: Option<String>,
    /// What is told with it
    #[arg(short, long, value_name = "TEXT", default_value = "{}")]
    message: String,
    /// The version of what is told
    #[arg(
        long,
        value_name = "INT",
        default_value_t = 1,
        allow_negative_numbers = true,
        requires = "event"
    )]
    event_version: i64,
    /// Append .NAME to the event unless it ends so
    #[arg(long, value_name = "NAME", requires = "event")]
    service: Option<String>,
    /// An attribute; TYPE is String, Number, String.Array (a list in JSON) or Binary (in base64);
    /// may be repeated
    #[arg(long = "attribute", value_name = "NAME=[TYPE:]VALUE", value_parser = attribute)]
    attributes: Vec<(String, Value)>,
    /// The subject that e-mail subscribers see
    #[arg(long)]
    subject: Option<String>,
    /// How TEXT is meant: string, or json, an object with a text for each protocol
    #[arg(long, value_name = "STRUCTURE", default_value = "string")]
    structure: MessageStructure,
    /// How TEXT becomes the message: text, json, relengapi or pylon
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// The group, for a FIFO topic
    #[arg(long)]
    group: Option<String>,
    /// The deduplication id, for a FIFO topic
    #[arg(long, value_name = "ID")]
    deduplication_id: Option<String>,
    /// One JSON document about what was published
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

fn attribute(text: &str) -> std::result::Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE or NAME=TYPE:VALUE")?;
    let value = Value::read(value).map_err(|error| error.told())?;
    Ok((name.to_owned(), value))
}

pub(crate) fn run(args: &Args) -> u8 {
    let published = settings::block_on(publish(args));
    match &published {
        Ok(published) if args.json => say::line(published.as_json()),
        Ok(published) => published.tell(),
        Err(error) if args.json => {
            say::line(json!({ "event": args.event, "error": error.to_string() }));
        }
        Err(_) => say::line("Publish Failed!"),
    }
    match published {
        Ok(_) => 0,
        Err(error) => {
            say::error(&error);
            error.exit_code()
        }
    }
}

/// What was published and what SNS answered.
struct Published {
    topic: String,
    event: Option<String>,
    message: Outgoing,
    sent: Sent,
}

async fn publish(args: &Args) -> Result<Published> {
    let mut settings = args.reach.topic(args.topic.as_deref())?;
    if args.service.is_some() {
        settings.service.clone_from(&args.service);
    }
    let (event, message) = match &args.event {
        Some(event) => {
            let announced = args.announcement(event)?;
            (Some(announced.name(&settings)?), announced.outgoing(&settings)?)
        }
        None => (None, args.eventless()?),
    };
    let publisher = events::publisher(&connections(), &settings).await?;
    let sent = publisher.publish(&message).await?;
    Ok(Published { topic: publisher.topic().to_owned(), event, message, sent })
}

impl Args {
    fn announcement(&self, event: &str) -> Result<Announcement> {
        let announced = Announcement::of(event, self.formatted()?)
            .version(self.event_version)
            .structure(self.structure);
        let announced = if self.service.is_some() { announced } else { announced.raw() };
        if self.service.as_deref() == Some("") {
            return Err(Error::new(Kind::Usage, "the service is empty"));
        }
        let attributes = self.attributes.iter().cloned();
        Ok(attributes.fold(announced, |announced, (name, value)| announced.attribute(name, value)))
    }

    /// The message as pylon sends it, which knows no event.
    fn eventless(&self) -> Result<Outgoing> {
        if self.format != Format::Pylon {
            return Err(Error::new(Kind::Usage, "the event is not given")
                .hint("give it with --event; only --format pylon goes without"));
        }
        let mut message = self.formatted()?;
        message.is_per_protocol = self.structure == MessageStructure::Json;
        for (name, value) in &self.attributes {
            value.clone().put(name, &mut message);
        }
        Ok(message)
    }

    fn formatted(&self) -> Result<Outgoing> {
        let message = Outgoing {
            subject: self.subject.clone(),
            group: self.group.clone(),
            deduplication_id: self.deduplication_id.clone(),
            ..self.format.outgoing(&self.message)?
        };
        let own = |(name, _): &&(String, Value)| message.attributes.contains_key(name);
        if let Some((name, _)) = self.attributes.iter().find(own) {
            let what = format!("attribute {name} has a name of the format's own");
            return Err(Error::new(Kind::Usage, what).hint("give it another name"));
        }
        Ok(message)
    }
}

impl Published {
    /// In iniesta's thirteen lines. The first length is that of the payload above it, the second
    /// what SNS counts: the message with its attributes.
    fn tell(&self) {
        let payload = events::full_payload(&self.message);
        say::line("Publish Success!\n\n");
        say::line("REQUEST INFO");
        say::line(format_args!("Message Event : {}", self.event.as_deref().unwrap_or("None")));
        say::line(format_args!("Message Data : {}", self.message.body));
        say::line(format_args!("Full Payload : {payload}"));
        say::line(format_args!("Message Length : {}\n\n", payload.len()));
        say::line("RESPONSE INFO");
        say::line(format_args!("Message ID : {}", self.sent.message_id));
        say::line(format_args!("Message Length : {}", self.message.size()));
    }

    fn as_json(&self) -> serde_json::Value {
        let payload: serde_json::Value =
            serde_json::from_str(&events::full_payload(&self.message)).unwrap_or_default();
        json!({
            "topic": self.topic,
            "event": self.event,
            "message_id": self.sent.message_id,
            "sequence_number": self.sent.sequence_number,
            "bytes": self.message.size(),
            "payload": payload,
        })
    }
}
