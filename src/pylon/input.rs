//! The input as a function gets it.

use crate::error::Result;
use crate::flow::blocking::Blocking;
use crate::message::{Attribute, Message};
use crate::payload;
use crate::payload::codec::Pylon;

/// The model of a message that was unpacked: what says nothing is not among its attributes.
///
/// # Errors
/// Where its body is no text.
pub(super) async fn model(message: &Message, blocking: &Blocking) -> Result<Pylon> {
    let body = payload::text(message.body.clone(), blocking).await?;
    let mut model = Pylon { body: Some(body), ..Pylon::default() };
    for (name, value) in &message.attributes {
        let Some(text) = value.as_text().map(str::to_owned) else { continue };
        match name.as_str() {
            "payloadMimeType" => model.payload_mime_type = Some(text),
            "objectType" => model.object_type = Some(text),
            "ingestionId" => model.ingestion_id = Some(text),
            "artifactName" => model.artifact_name = Some(text),
            "artifactVersion" => model.artifact_version = Some(text),
            _ => {
                model.custom_attributes.insert(name.clone(), text);
            }
        }
    }
    Ok(model)
}

/// What a command is run on that has no input: nothing.
pub(super) fn nothing() -> Message {
    Message {
        id: String::new(),
        queue: super::NAME.to_owned(),
        body: "".into(),
        attributes: std::collections::BTreeMap::<String, Attribute>::new(),
        labels: std::collections::BTreeMap::new(),
        system_attributes: std::collections::BTreeMap::new(),
        event: None,
    }
}
