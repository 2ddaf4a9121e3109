//! pylon's message: its model, its size, and its form on the wire in SQS and SNS.
//!
//! On the wire the body is the text, and everything else is an attribute of type `String`, where
//! the word `None` stands for nothing. SQS takes no empty body, so a fixed text fills its place.
//! Read back, filler and nothing are the same: a body that is not there.

mod models;
mod written;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::python;
use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Message, Outgoing};
use written::Written;

pub use models::{DataAsset, IngestionStep};
pub(crate) use written::is_key;

/// What pylon sends in place of a body that is empty or absent.
pub const FILLER: &str = "filling message body with a string so it is not empty";

const NONE: &str = "None";
const MIME_TYPE: &str = "payloadMimeType";
const OBJECT_TYPE: &str = "objectType";
const INGESTION_ID: &str = "ingestionId";
const ARTIFACT_NAME: &str = "artifactName";
const ARTIFACT_VERSION: &str = "artifactVersion";
const STORE_KEY: &str = "payloadStoreKey";
/// Attributes of older versions, met in any case; what they said of the store is read as today's.
const OLD_TYPE: &str = "payloadType";
const OLD_PATH: &str = "payloadS3Path";
/// Always sent, and asked for when read.
const ALWAYS: [&str; 5] = [MIME_TYPE, OBJECT_TYPE, INGESTION_ID, ARTIFACT_NAME, ARTIFACT_VERSION];
/// SQS and SNS take no more.
const MOST_ATTRIBUTES: usize = 10;

/// A message of pylon with its eight fields; two are equal when all of them are.
///
/// `Debug` shows the size alone, [`Display`](fmt::Display) is pylon's own form, which quotes the
/// first ten characters of the body and so belongs in no log.
///
/// ```
/// # use longshore::payload::codec::Pylon;
/// let message = Pylon::raw("very cool message"); // inline, text, rawContent
/// assert_eq!(message.encode().unwrap().body, "very cool message");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Written")]
pub struct Pylon {
    /// The program that made it, and
    pub artifact_name: Option<String>,
    /// its version.
    pub artifact_version: Option<String>,
    /// The text of the message.
    pub body: Option<String>,
    /// Attributes of the user's own, by name.
    pub custom_attributes: BTreeMap<String, String>,
    /// The ingestion it belongs to.
    pub ingestion_id: Option<String>,
    /// `dataAsset`, `ingestionStep`, `urlResource`, `updateNotification`, `rawContent`, `null` or
    /// `lambdaEvent`.
    pub object_type: Option<String>,
    /// `text`, `text/json`, or what the sender says.
    pub payload_mime_type: Option<String>,
    /// Where in S3 the body lies instead, as `s3://BUCKET/KEY`.
    pub payload_store_key: Option<String>,
}

impl Pylon {
    /// A message of raw text.
    pub fn raw(body: impl Into<String>) -> Self {
        Self {
            body: Some(body.into()),
            payload_mime_type: Some("text".to_owned()),
            object_type: Some("rawContent".to_owned()),
            ..Self::default()
        }
    }

    /// Its size as pylon counts it: characters, not bytes, of all names and values, nothing as
    /// `None`. SQS counts otherwise: [`Outgoing::size`].
    pub fn size(&self) -> usize {
        let fields = [
            ("body", &self.body),
            (MIME_TYPE, &self.payload_mime_type),
            (OBJECT_TYPE, &self.object_type),
            (STORE_KEY, &self.payload_store_key),
            (INGESTION_ID, &self.ingestion_id),
            (ARTIFACT_NAME, &self.artifact_name),
            (ARTIFACT_VERSION, &self.artifact_version),
        ];
        let fields = fields
            .into_iter()
            .map(|(name, value)| name.len() + value.as_deref().unwrap_or(NONE).chars().count());
        // As Python writes a dictionary: {'name': 'value', 'name': 'value'}.
        let custom = self.custom_attributes.iter();
        let custom: usize =
            custom.map(|(name, value)| name.chars().count() + value.chars().count() + 6).sum();
        let commas = 2 * self.custom_attributes.len().saturating_sub(1);
        fields.sum::<usize>() + "customAttributes".len() + "{}".len() + custom + commas
    }

    /// The message as pylon sends it, to SQS and SNS alike.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where a custom attribute has the name of one of pylon's own, a value is
    /// empty, or there are more than ten attributes.
    pub fn encode(&self) -> Result<Outgoing> {
        let own = [
            (MIME_TYPE, &self.payload_mime_type),
            (OBJECT_TYPE, &self.object_type),
            (INGESTION_ID, &self.ingestion_id),
            (ARTIFACT_NAME, &self.artifact_name),
            (ARTIFACT_VERSION, &self.artifact_version),
        ];
        let mut attributes: BTreeMap<String, String> = own
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.as_deref().unwrap_or(NONE).to_owned()))
            .collect();
        if let Some(key) = &self.payload_store_key {
            attributes.insert(STORE_KEY.to_owned(), key.clone());
        }
        for (name, value) in &self.custom_attributes {
            let taken = ALWAYS.contains(&name.as_str())
                || [STORE_KEY, OLD_TYPE, OLD_PATH].iter().any(|own| own.eq_ignore_ascii_case(name));
            if taken {
                return Err(refused(format!("custom attribute {name} has a name of pylon's own"))
                    .hint("give it another name"));
            }
            attributes.insert(name.clone(), value.clone());
        }
        if let Some((name, _)) = attributes.iter().find(|(_, value)| value.is_empty()) {
            return Err(refused(format!("attribute {name} is empty")).hint("leave it out"));
        }
        if attributes.len() > MOST_ATTRIBUTES {
            let count = attributes.len();
            return Err(refused(format!("{count} attributes; SQS and SNS take {MOST_ATTRIBUTES}"))
                .hint("put what does not fit into the body"));
        }
        let body = self.body.as_deref().filter(|body| !body.is_empty()).unwrap_or(FILLER);
        let attributes =
            attributes.into_iter().map(|(name, value)| (name, Attribute::String(value)));
        Ok(Outgoing { attributes: attributes.collect(), ..Outgoing::text(body) })
    }

    /// Reads what [`encode`](Self::encode) or pylon itself has sent. Fetches nothing: a body in S3
    /// is named by `payload_store_key`. Binary attributes become base64.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where one of the five attributes is not there, or the body is no text.
    pub fn decode(message: &Message) -> Result<Self> {
        let head = Head::read(&message.attributes)
            .and_then(|head| head.ok_or_else(|| "it has no attribute of pylon's".to_owned()))
            .map_err(refused)?;
        let text = message.body.as_text().ok_or_else(|| refused("its body is no text"))?;
        let custom = message.attributes.iter().filter(|(name, _)| !is_own(name));
        Ok(Self {
            body: Some(text.to_owned()).filter(|text| text != FILLER),
            custom_attributes: custom.map(|(name, value)| (name.clone(), plain(value))).collect(),
            ..head.0
        })
    }

    /// The one line that pylon's folder transport keeps in a file: keys in alphabetical order.
    ///
    /// # Errors
    /// None that this model can have; the writer of JSON only knows more of them.
    pub fn to_line(&self) -> Result<String> {
        let json = serde_json::to_string(self);
        json.and_then(|json| python::layout(&json)).map_err(|error| refused(error.to_string()))
    }

    /// Reads such a line. Unknown keys are ignored, missing ones are nothing.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where it is no such JSON; its text never quotes the line.
    pub fn of_line(line: &str) -> Result<Self> {
        // A list would be read as the values of the fields in their order.
        if !line.trim_start().starts_with('{') {
            return Err(refused("not the JSON object of one"));
        }
        serde_json::from_str(line).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            refused(format!("not the JSON of one, at line {line} column {column}"))
        })
    }
}

impl fmt::Display for Pylon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body.as_deref().unwrap_or(NONE);
        let first: String = body.chars().take(10).collect();
        let dots = if first.len() < body.len() { "..." } else { "" };
        write!(f, "<BaseMessage body=\"{first}{dots}\">")
    }
}

impl fmt::Debug for Pylon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pylon").field("size", &self.size()).finish_non_exhaustive()
    }
}

/// What the attributes say, without the body and without the custom ones.
#[derive(Debug)]
pub(crate) struct Head(pub(crate) Pylon);

impl Head {
    /// Nothing where not one attribute of pylon's is there: the message is somebody else's.
    ///
    /// # Errors
    /// Says which attribute is missing or cannot be read.
    pub(crate) fn read(
        attributes: &BTreeMap<String, Attribute>,
    ) -> std::result::Result<Option<Self>, String> {
        let old = |wanted: &str| {
            let mut named = attributes.iter();
            named.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
        };
        let old_type = old(OLD_TYPE).map(|value| text(OLD_TYPE, value)).transpose()?;
        let old_path = old(OLD_PATH).map(|value| text(OLD_PATH, value)).transpose()?;
        let is_old = old_type.is_some() || old_path.is_some();
        let known = ALWAYS.iter().filter(|name| attributes.contains_key(**name)).count();
        if known == 0 && !is_old && !attributes.contains_key(STORE_KEY) {
            return Ok(None);
        }
        let get = |name: &str| match attributes.get(name) {
            Some(value) => text(name, value),
            // What older versions sent besides is not known.
            None if is_old || name == STORE_KEY => Ok(None),
            None => Err(format!("the attribute {name} is missing")),
        };
        let store = get(STORE_KEY)?;
        let key = store_key(store, old_type.flatten(), old_path.flatten())?;
        Ok(Some(Self(Pylon {
            payload_mime_type: get(MIME_TYPE)?,
            object_type: get(OBJECT_TYPE)?,
            ingestion_id: get(INGESTION_ID)?,
            artifact_name: get(ARTIFACT_NAME)?,
            artifact_version: get(ARTIFACT_VERSION)?,
            payload_store_key: key,
            ..Pylon::default()
        })))
    }
}

/// Where the body lies, as today's versions say it or as older ones did.
fn store_key(
    store: Option<String>,
    old_type: Option<String>,
    old_path: Option<String>,
) -> std::result::Result<Option<String>, String> {
    match old_type {
        Some(kind) if kind.eq_ignore_ascii_case("inline") => Ok(store),
        Some(kind) if kind.eq_ignore_ascii_case("s3") => match store.or(old_path) {
            Some(path) => Ok(Some(path)),
            None => Err(format!("{OLD_TYPE} is S3, and {OLD_PATH} is missing")),
        },
        Some(_) => Err(format!("{OLD_TYPE} is neither INLINE nor S3")),
        None => Ok(store.or(old_path)),
    }
}

/// The text of an attribute; nothing for `None`.
fn text(name: &str, value: &Attribute) -> std::result::Result<Option<String>, String> {
    let text = value.as_text().ok_or_else(|| format!("the attribute {name} is binary"))?;
    Ok(Some(text.to_owned()).filter(|text| text != NONE))
}

/// True for the names that pylon itself gives, those of older versions in any case.
pub(crate) fn is_own(name: &str) -> bool {
    ALWAYS.contains(&name) || is_of_store(name)
}

/// True for the attributes that tell where the body lies; once it is fetched they say nothing.
pub(crate) fn is_of_store(name: &str) -> bool {
    name == STORE_KEY || [OLD_TYPE, OLD_PATH].iter().any(|old| old.eq_ignore_ascii_case(name))
}

fn plain(value: &Attribute) -> String {
    match value {
        Attribute::String(text) | Attribute::Number(text) => text.clone(),
        Attribute::Binary(bytes) => BASE64_STANDARD.encode(bytes),
    }
}

fn refused(why: impl fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("the message is none of pylon's: {why}"))
}

#[cfg(test)]
mod tests;
