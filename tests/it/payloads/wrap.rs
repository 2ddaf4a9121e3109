//! Putting wrappers on, as producers do: the other hand of every step.

use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::{BUCKET, Bench};

/// A message on its way: its body, and its attributes by name with type and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parcel {
    pub(super) body: Vec<u8>,
    pub(super) attributes: BTreeMap<String, (String, String)>,
}

/// Right as JSON, as records of S3 and as an event of `EventBridge`, all at once.
pub(super) fn content() -> String {
    json!({
        "Records": [{
            "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}},
        }],
        "source": "shop", "detail-type": "Order Placed", "detail": {"id": 7},
    })
    .to_string()
}

impl Parcel {
    pub(super) fn of(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), attributes: BTreeMap::new() }
    }

    pub(super) fn with(mut self, name: &str, data_type: &str, value: &str) -> Self {
        self.attributes.insert(name.to_owned(), (data_type.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// One more wrapper around it; what is only looked at needs none.
    pub(super) async fn wrapped(self, wrapper: &str, bench: &Bench) -> Self {
        match wrapper {
            "json" | "s3-event" | "eventbridge" => self,
            "base64" | "relengapi" => {
                Self { body: BASE64_STANDARD.encode(&self.body).into_bytes(), ..self }
            }
            "gzip" => Self { body: gzipped(&self.body), ..self },
            "sns" => self.published(),
            "pylon" => self.checked_in(bench).await,
            "pointer" => {
                let key = format!("{:x}", fastrand::u64(..));
                bench.put(&key, self.body.clone()).await;
                let size = self.body.len().to_string();
                let body = pointer(CLASSES[0], &key);
                Self { body, ..self }.with(MARKERS[0], "Number", &size)
            }
            other => panic!("no such wrapper: {other}"),
        }
    }

    fn published(self) -> Self {
        let attributes: serde_json::Map<_, _> = self
            .attributes
            .iter()
            .map(|(name, (data_type, value))| {
                (name.clone(), json!({"Type": data_type, "Value": value}))
            })
            .collect();
        let envelope = json!({
            "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:t", "Message": self.text(),
            "Timestamp": "2012-05-02T00:54:06.655Z", "MessageAttributes": attributes,
        });
        Self::of(envelope.to_string())
    }

    async fn checked_in(self, bench: &Bench) -> Self {
        let key = format!("pylon/{:x}", fastrand::u64(..));
        bench.put(&key, self.body.clone()).await;
        let path = format!("s3://{BUCKET}/{key}");
        let attributes = [
            ("payloadMimeType", "text"),
            ("objectType", "rawContent"),
            ("ingestionId", "None"),
            ("artifactName", "shop"),
            ("artifactVersion", "None"),
            ("payloadStoreKey", &path),
        ];
        let parcel = Self { body: b"{}".to_vec(), ..self };
        let add = |parcel: Self, (name, value): (&str, &str)| parcel.with(name, "String", value);
        attributes.into_iter().fold(parcel, add)
    }
}

pub(super) const CLASSES: [&str; 2] = [
    "software.amazon.payloadoffloading.PayloadS3Pointer",
    "com.amazon.sqs.javamessaging.MessageS3Pointer",
];
pub(super) const MARKERS: [&str; 2] = ["ExtendedPayloadSize", "SQSLargePayloadSize"];

pub(super) fn pointer(class: &str, key: &str) -> Vec<u8> {
    format!(r#"["{class}", {{"s3BucketName": "{BUCKET}", "s3Key": "{key}"}}]"#).into_bytes()
}

pub(super) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
