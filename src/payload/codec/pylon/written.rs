//! A message as JSON has it: a line of a folder, or of what a command prints.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Pylon, python, store_key};

/// Every key that a message has, or had in older versions. Others are ignored.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Written {
    artifact_name: Option<String>,
    artifact_version: Option<String>,
    body: Value,
    custom_attributes: Option<BTreeMap<String, String>>,
    ingestion_id: Option<String>,
    object_type: Option<String>,
    payload_mime_type: Option<String>,
    payload_store_key: Option<String>,
    payload_type: Option<String>,
    #[serde(rename = "payloadS3Path")]
    payload_s3_path: Option<String>,
    data_asset_name: Option<String>,
    data_asset_country: Option<String>,
}

/// The keys by which a JSON object is known as a message.
const KEYS: [&str; 12] = [
    "artifactName",
    "artifactVersion",
    "body",
    "customAttributes",
    "ingestionId",
    "objectType",
    "payloadMimeType",
    "payloadStoreKey",
    "payloadType",
    "payloadS3Path",
    "dataAssetName",
    "dataAssetCountry",
];

/// True for a key that messages have.
pub(crate) fn is_key(name: &str) -> bool {
    KEYS.contains(&name)
}

impl TryFrom<Written> for Pylon {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let mut custom_attributes = written.custom_attributes.unwrap_or_default();
        // Fields of their own in older versions.
        let old = [
            ("dataAssetName", written.data_asset_name),
            ("dataAssetCountry", written.data_asset_country),
        ];
        for (name, value) in old {
            if let Some(value) = value {
                custom_attributes.entry(name.to_owned()).or_insert(value);
            }
        }
        let store = written.payload_store_key;
        Ok(Self {
            artifact_name: written.artifact_name,
            artifact_version: written.artifact_version,
            body: text(written.body)?,
            custom_attributes,
            ingestion_id: written.ingestion_id,
            object_type: written.object_type,
            payload_mime_type: written.payload_mime_type,
            payload_store_key: store_key(store, written.payload_type, written.payload_s3_path)?,
        })
    }
}

/// A body that is no text is sent as JSON in pylon's layout.
fn text(body: Value) -> Result<Option<String>, String> {
    match body {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            python::layout(&body.to_string()).map(Some).map_err(|error| error.to_string())
        }
    }
}
