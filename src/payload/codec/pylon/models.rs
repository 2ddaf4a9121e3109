//! What the bodies of pylon's messages are, and a message of each type.
//!
//! The JSON is pylon's: keys in alphabetical order, `", "` and `": "` between. Read back, unknown
//! keys are ignored and missing ones are nothing.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Pylon, python};
use crate::error::{Error, Kind, Result};
use crate::units;

/// The object type of a data asset.
pub(crate) const DATA_ASSET: &str = "dataAsset";
const JSON: &str = "text/json";

/// Rows of data, and what they are: the body of a `dataAsset`.
///
/// `Debug` shows its name alone.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataAsset {
    /// The rows, each a JSON object.
    pub data: Value,
    /// The country it belongs to.
    pub data_asset_country: Option<String>,
    /// Its name.
    pub data_asset_name: Option<String>,
    /// The columns by which it is partitioned.
    pub data_asset_partition_keys: Value,
    /// The columns that tell one row from another.
    pub data_asset_unique_keys: Value,
    /// The version of its form.
    pub data_asset_version: Value,
    /// The ingestion that made it.
    pub ingestion_id: Option<String>,
}

/// One run of a component: the body of an `ingestionStep`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngestionStep {
    /// The program that ran, and
    pub artifact_name: Option<String>,
    /// its version.
    pub artifact_version: Option<String>,
    /// The day in UTC, as the number `20120614`.
    #[serde(rename = "dimUTCDateId")]
    pub date_id: Option<u32>,
    /// The hour of the day in UTC.
    #[serde(rename = "dimUTCHour")]
    pub hour: Option<u32>,
    /// Seconds since 1970.
    #[serde(rename = "dimUTCTimestamp")]
    pub timestamp: Option<u64>,
    /// Its own id, a UUID of version 1.
    pub ingestion_id: Option<String>,
    /// How long it took (`durationSeconds`), and what the settings add.
    pub metadata: Map<String, Value>,
    /// The ingestion that its input belongs to.
    pub parent_ingestion_id: Option<String>,
}

impl IngestionStep {
    /// A step at this time, nothing else said yet.
    pub fn at(now: SystemTime) -> Self {
        // 2012-06-14T18:30:00.250Z
        let text = units::utc(now);
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to).unwrap_or_default().replace('-', "");
            digits.parse().ok()
        };
        let since = now.duration_since(UNIX_EPOCH).ok();
        Self {
            date_id: number(0, 10),
            hour: number(11, 13),
            timestamp: since.map(|since| since.as_secs()),
            ..Self::default()
        }
    }

    /// Its JSON on one line.
    ///
    /// # Errors
    /// None that this model can have; the writer of JSON only knows more of them.
    pub fn to_line(&self) -> Result<String> {
        line(self)
    }
}

impl fmt::Debug for DataAsset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.data_asset_name;
        f.debug_struct("DataAsset").field("data_asset_name", name).finish_non_exhaustive()
    }
}

impl Pylon {
    /// A message of nothing.
    pub fn null() -> Self {
        Self::of_type("null", "text", String::new())
    }

    /// A message of raw content of this MIME type.
    pub fn raw_of(mime_type: impl Into<String>, body: impl Into<String>) -> Self {
        Self { payload_mime_type: Some(mime_type.into()), ..Self::raw(body) }
    }

    /// A resource to be fetched: `{destination, resource, metadata: {size, timestamp}, auth: {user,
    /// pass}}`.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for values that JSON has no form for; so with all below.
    pub fn url_resource(body: &impl Serialize) -> Result<Self> {
        Ok(Self::of_type("urlResource", JSON, line(body)?))
    }

    /// News of an update: `{dataAssetName, dimUTCTimestamp, recordsUpdated}`. Errors as
    /// [`url_resource`](Self::url_resource).
    pub fn update_notification(body: &impl Serialize) -> Result<Self> {
        Ok(Self::of_type("updateNotification", JSON, line(body)?))
    }

    /// An ingestion step. Errors as [`url_resource`](Self::url_resource).
    pub fn ingestion(step: &IngestionStep) -> Result<Self> {
        Ok(Self::of_type("ingestionStep", JSON, line(step)?))
    }

    /// A data asset. Errors as [`url_resource`](Self::url_resource).
    pub fn data_asset(asset: &DataAsset) -> Result<Self> {
        Ok(Self::of_type(DATA_ASSET, JSON, line(asset)?))
    }

    /// A message for a Lambda function. Errors as [`url_resource`](Self::url_resource).
    pub fn lambda_event(body: &impl Serialize) -> Result<Self> {
        Ok(Self::of_type("lambdaEvent", JSON, line(body)?))
    }

    /// Its body as one of these models, or as any other value in JSON.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where it is not that JSON; the body is not quoted.
    pub fn model<'b, T: Deserialize<'b>>(&'b self) -> Result<T> {
        serde_json::from_str(self.body.as_deref().unwrap_or_default()).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let why = format!("it is not the JSON of one, at line {line} column {column}");
            Error::new(Kind::Invalid, "the body of a message of pylon's").because(why)
        })
    }

    fn of_type(object_type: &str, mime_type: &str, body: String) -> Self {
        Self {
            body: Some(body),
            object_type: Some(object_type.to_owned()),
            payload_mime_type: Some(mime_type.to_owned()),
            ..Self::default()
        }
    }

    /// Says whose message it is: fields of its own and, of a data asset, its id and that of each
    /// row.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a data asset whose body is no JSON object.
    pub(crate) fn stamp(
        &mut self,
        ingestion_id: &str,
        artifact: (Option<&str>, Option<&str>),
    ) -> Result<()> {
        self.ingestion_id = Some(ingestion_id.to_owned());
        self.artifact_name = artifact.0.map(str::to_owned);
        self.artifact_version = artifact.1.map(str::to_owned);
        if self.object_type.as_deref() != Some(DATA_ASSET) || self.payload_store_key.is_some() {
            return Ok(());
        }
        let mut asset: Map<String, Value> = self.model()?;
        asset.insert("ingestionId".to_owned(), ingestion_id.into());
        for row in asset.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(row) = row.as_object_mut() {
                row.insert("ingestion_id".to_owned(), ingestion_id.into());
            }
        }
        self.body = Some(line(&asset)?);
        Ok(())
    }
}

/// A value as pylon writes it.
fn line(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).and_then(|json| python::layout(&json)).map_err(|error| {
        Error::new(Kind::Invalid, "a body that JSON has no form for").because(error)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn models_are_written_in_the_order_of_their_keys() {
        let at = UNIX_EPOCH + Duration::from_mins(22_328_310);
        let mut step = IngestionStep::at(at);
        step.parent_ingestion_id = Some("aaaa".to_owned());
        step.metadata.insert("durationSeconds".to_owned(), json!(1.5));
        let line = "{\"artifactName\": null, \"artifactVersion\": null, \"dimUTCDateId\": 20120614, \
                    \"dimUTCHour\": 18, \"dimUTCTimestamp\": 1339698600, \"ingestionId\": null, \
                    \"metadata\": {\"durationSeconds\": 1.5}, \"parentIngestionId\": \"aaaa\"}";
        assert_eq!(step.to_line().unwrap(), line);
        let message = Pylon::ingestion(&step).unwrap();
        assert_eq!(message.model::<IngestionStep>().unwrap(), step);
        let asset = Pylon::data_asset(&DataAsset::default()).unwrap();
        let keys = "{\"data\": null, \"dataAssetCountry\": null, \"dataAssetName\": null, \
                    \"dataAssetPartitionKeys\": null, \"dataAssetUniqueKeys\": null, \
                    \"dataAssetVersion\": null, \"ingestionId\": null}";
        assert_eq!(asset.body.as_deref(), Some(keys));
        let read: DataAsset = serde_json::from_str("{\"unknown\": 1}").unwrap();
        assert!(read == DataAsset::default());
    }

    #[test]
    fn a_message_of_each_type_has_its_preset() {
        let of = |message: Pylon| {
            let body = message.body.unwrap();
            (message.object_type.unwrap(), message.payload_mime_type.unwrap(), body)
        };
        let wanted = |kind: &str, mime: &str, body: &str| {
            (kind.to_owned(), mime.to_owned(), body.to_owned())
        };
        assert_eq!(of(Pylon::null()), wanted("null", "text", ""));
        assert_eq!(of(Pylon::raw_of("a/b", "x")), wanted("rawContent", "a/b", "x"));
        let json = json!({"b": 1, "a": "\u{e9}"});
        let text = "{\"a\": \"\\u00e9\", \"b\": 1}";
        for (message, kind) in [
            (Pylon::url_resource(&json), "urlResource"),
            (Pylon::update_notification(&json), "updateNotification"),
            (Pylon::lambda_event(&json), "lambdaEvent"),
        ] {
            assert_eq!(of(message.unwrap()), wanted(kind, "text/json", text));
        }
    }

    #[test]
    fn the_rows_of_a_data_asset_are_stamped_too() {
        let data = json!([{"n": 1}, {"n": 2, "ingestion_id": "old"}, 3]);
        let asset = DataAsset { data, ..DataAsset::default() };
        let mut message = Pylon::data_asset(&asset).unwrap();
        message.stamp("new", (Some("image"), None)).unwrap();
        let stamped: DataAsset = message.model().unwrap();
        let rows = json!([{"n": 1, "ingestion_id": "new"}, {"n": 2, "ingestion_id": "new"}, 3]);
        assert_eq!((stamped.data, stamped.ingestion_id.as_deref()), (rows, Some("new")));
        assert_eq!(message.artifact_name.as_deref(), Some("image"));
        let mut raw = Pylon { object_type: Some("dataAsset".to_owned()), ..Pylon::raw("sesame") };
        let refused = raw.stamp("new", (None, None)).unwrap_err().to_string();
        assert!(!refused.contains("sesame"), "{refused}");
    }
}
