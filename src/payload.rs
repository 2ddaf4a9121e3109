//! What messages carry: the formats in which they are written, and the wrappers that are taken off
//! before a handler sees them.
//!
//! | step | wants | the handler gets |
//! |---|---|---|
//! | `sns` | SNS's envelope | the published message, with its attributes added and its event read from them |
//! | `s3-event` | S3's records, each with an object | the same body; a test event of S3 is *done* without a handler |
//! | `eventbridge` | an event with `source`, `detail-type` and `detail` | the same body: what happened stands beside the detail |
//! | `base64` | canonical alphabet and padding | the bytes |
//! | `gzip` | one or more whole members | the bytes |
//! | `json` | JSON in UTF-8 | the same body |
//! | `relengapi` | base64 around JSON | the JSON |
//! | `pylon` | pylon's attributes | its body, from S3 where `payloadStoreKey` names one; empty for pylon's filler; no attribute that says `None` |
//! | `pointer` | the marker of an extended client | the object's content, without the marker |
//!
//! A named step is a demand: a body of another form is rejected with the reason. With a `?` behind
//! it, such a body passes unchanged; one that begins as the form and is damaged, or too large, is
//! rejected all the same. The last step's body is what the handler gets; what is set aside or sent
//! to a dead-letter queue is always the message as it came.

pub mod codec;
mod encoding;
pub(crate) mod envelope;
pub mod folder;
pub mod pointer;
mod spill;

use aws_sdk_s3::Client;
use tokio_util::sync::CancellationToken;

use self::codec::pylon;
use self::spill::Bounds;
use crate::config::{self, Step, Wrapper};
use crate::error::Error;
use crate::flow::blocking::Blocking;
use crate::message::{Attribute, Body, Message};
use crate::toolkit::s3::Path;

/// How many bodies of one queue are decoded at the same time, each on a thread of its own.
const AT_ONCE: usize = 4;

/// Unpacks the messages of one queue. Clones share the threads that it may use.
#[derive(Debug, Clone)]
pub struct Unpacker {
    payload: config::Payload,
    event_key: String,
    blocking: Blocking,
}

/// What came of unpacking a message.
#[derive(Debug)]
pub enum Unpacked {
    /// What its handler gets.
    Message {
        /// The same message with another body, and perhaps other attributes and another event.
        message: Message,
        /// What may be deleted once the message is: the objects that pointers named. Empty unless
        /// `delete_payload` is set, and for what came through SNS: others may have got it too.
        objects: Vec<Path>,
    },
    /// There is nothing to handle, and why: the message is *done*.
    NoWork(&'static str),
    /// No retry will help, and why; the text never quotes the body.
    Reject(String),
    /// Something stood in the way that may pass or be mended: it is tried again.
    Later(Error),
}

/// Why a step does not go on.
#[derive(Debug)]
enum Stop {
    /// The body is not of that form at all.
    Foreign(String),
    /// It begins as that form, and is damaged or too large.
    Broken(String),
    Later(Error),
    NoWork(&'static str),
}

impl Stop {
    fn foreign(why: impl Into<String>) -> Self {
        Self::Foreign(why.into())
    }

    fn broken(why: impl Into<String>) -> Self {
        Self::Broken(why.into())
    }

    /// What is inside a wrapper that was there is not foreign but wrong.
    fn of_a_known_form(self) -> Self {
        match self {
            Self::Foreign(why) | Self::Broken(why) => Self::Broken(why),
            Self::Later(_) | Self::NoWork(_) => self,
        }
    }
}

/// A message on its way through the steps.
struct Parcel {
    message: Message,
    objects: Vec<Path>,
    came_through_sns: bool,
}

impl Unpacker {
    /// As the settings of a queue say.
    pub fn new(settings: &config::Queue) -> Self {
        Self {
            payload: settings.payload.clone(),
            event_key: settings.event_key.clone(),
            blocking: Blocking::new(AT_ONCE),
        }
    }

    /// False where messages go on as they came.
    pub fn has_steps(&self) -> bool {
        !self.payload.steps.is_empty()
    }

    /// Takes off what the message is wrapped in, fetching from S3 what lies there.
    ///
    /// At most `payload_limit` bytes are ever held of each step's body, and above 16 MiB in a file.
    /// Dropped midway, nothing is left behind, and decoding ends with the piece it is at.
    pub async fn unpack(&self, message: &Message, s3: &Client) -> Unpacked {
        let stop = CancellationToken::new();
        let _stops_when_dropped = stop.clone().drop_guard();
        let bounds = Bounds::new(self.payload.limit, stop);
        let mut parcel =
            Parcel { message: message.clone(), objects: Vec::new(), came_through_sns: false };
        let count = self.payload.steps.len();
        for (place, step) in self.payload.steps.iter().enumerate() {
            let why = match self.take_off(*step, &mut parcel, &bounds, s3).await {
                Ok(()) => continue,
                Err(Stop::Foreign(_)) if step.lets_others_pass => continue,
                Err(Stop::Foreign(why) | Stop::Broken(why)) => why,
                Err(Stop::NoWork(why)) => return Unpacked::NoWork(why),
                Err(Stop::Later(error)) => return Unpacked::Later(error),
            };
            let (name, place) = (step.wrapper.name(), place + 1);
            return Unpacked::Reject(format!("payload step {place} of {count}, {name}: {why}"));
        }
        let Parcel { mut message, objects, came_through_sns } = parcel;
        message.event = self.event(&message).or(message.event);
        let keeps = came_through_sns || !self.payload.deletes_objects;
        Unpacked::Message { message, objects: if keeps { Vec::new() } else { objects } }
    }

    /// The event that what was unpacked announces, in its attributes or its envelope.
    fn event(&self, message: &Message) -> Option<String> {
        let attribute = message.attributes.get(&self.event_key).and_then(Attribute::as_text);
        attribute.map(str::to_owned).or_else(|| {
            message.body.as_text().and_then(|text| envelope::event(text, &self.event_key))
        })
    }

    /// Takes one wrapper off; nothing is changed where it is not there.
    async fn take_off(
        &self,
        step: Step,
        parcel: &mut Parcel,
        bounds: &Bounds,
        s3: &Client,
    ) -> Result<(), Stop> {
        let message = &mut parcel.message;
        match step.wrapper {
            Wrapper::Sns => {
                let published =
                    self.on_thread(message, bounds, |body, _| envelope::sns(body)).await?;
                message.body = published.body;
                for name in published.attributes.keys() {
                    message.labels.remove(name);
                }
                message.attributes.extend(published.attributes);
                message.labels.extend(published.labels);
                message.event = self.event(message).or(message.event.take());
                parcel.came_through_sns = true;
            }
            Wrapper::S3Event => {
                self.on_thread(message, bounds, |body, _| envelope::s3_event(body)).await?;
            }
            Wrapper::EventBridge => {
                self.on_thread(message, bounds, |body, _| envelope::eventbridge(body)).await?;
            }
            Wrapper::Json => self.on_thread(message, bounds, encoding::json).await?,
            Wrapper::Base64 => {
                message.body = self.on_thread(message, bounds, encoding::base64).await?;
            }
            Wrapper::Gzip => message.body = self.on_thread(message, bounds, encoding::gzip).await?,
            Wrapper::RelengApi => {
                message.body = self.on_thread(message, bounds, encoding::relengapi).await?;
            }
            Wrapper::Pylon => self.pylon(message, bounds, s3).await?,
            Wrapper::Pointer => {
                let (object, size) = pointer::read(message)?;
                bounds.admit(size)?;
                message.body = pointer::fetch(s3, &object, bounds, &self.blocking).await?;
                parcel.objects.push(object);
            }
        }
        Ok(())
    }

    async fn pylon(&self, message: &mut Message, bounds: &Bounds, s3: &Client) -> Result<(), Stop> {
        let head = pylon::Head::read(&message.attributes).map_err(Stop::Broken)?;
        let head = head.ok_or_else(|| Stop::foreign("it has no attribute of pylon's"))?.0;
        if let Some(path) = head.payload_store_key {
            let object: Path = path
                .parse()
                .ok()
                .filter(pointer::is_named)
                .ok_or_else(|| Stop::broken("its payloadStoreKey is no s3://BUCKET/KEY"))?;
            message.body = pointer::fetch(s3, &object, bounds, &self.blocking).await?;
        } else if message.body.as_text() == Some(pylon::FILLER) {
            message.body = Body::from("");
        } else if matches!(head.object_type.as_deref(), Some("dataAsset" | "ingestionStep")) {
            let json = self.on_thread(message, bounds, encoding::json).await;
            json.map_err(Stop::of_a_known_form)?;
        }
        message.attributes.retain(|name, value| {
            let says_nothing = pylon::is_own(name) && value.as_text() == Some("None");
            !says_nothing && !pylon::is_of_store(name)
        });
        Ok(())
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        message: &Message,
        bounds: &Bounds,
        work: impl FnOnce(&Body, &Bounds) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        let (body, bounds) = (message.body.clone(), bounds.clone());
        self.blocking.run(move || work(&body, &bounds)).await.map_err(Stop::Later)?
    }
}
