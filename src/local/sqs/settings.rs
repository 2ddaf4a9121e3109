//! The attributes of a queue: names, ranges and defaults as AWS has them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::local::fault::Fault;

/// AWS's limit since 2025; also the default.
const MOST_BYTES: u64 = 1_048_576;

/// Name, default, lowest, highest.
const NUMBERS: [(&str, u64, u64, u64); 5] = [
    ("DelaySeconds", 0, 0, 900),
    ("MaximumMessageSize", MOST_BYTES, 1_024, MOST_BYTES),
    ("MessageRetentionPeriod", 345_600, 60, 1_209_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 0, 20),
    ("VisibilityTimeout", 30, 0, 43_200),
];

/// Taken and given back, without effect here.
const KEPT: [&str; 6] = [
    "Policy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "RedriveAllowPolicy",
    "FifoThroughputLimit",
];

/// Where a message goes that was received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redrive {
    pub(super) target: String,
    pub(super) most_receives: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings(BTreeMap<String, String>);

impl Settings {
    pub(super) fn new(fifo: bool) -> Self {
        let mut all: BTreeMap<String, String> = NUMBERS
            .iter()
            .map(|(name, value, ..)| ((*name).to_owned(), value.to_string()))
            .collect();
        all.insert("SqsManagedSseEnabled".to_owned(), "true".to_owned());
        if fifo {
            for (name, value) in [
                ("FifoQueue", "true"),
                ("ContentBasedDeduplication", "false"),
                ("DeduplicationScope", "queue"),
                ("FifoThroughputLimit", "perQueue"),
            ] {
                all.insert(name.to_owned(), value.to_owned());
            }
        }
        Self(all)
    }

    /// Sets what is given, all or nothing.
    pub(super) fn set(&mut self, changes: &BTreeMap<String, String>) -> Result<(), Fault> {
        let mut next = self.0.clone();
        for (name, value) in changes {
            match self.checked(name, value)? {
                Some(value) => next.insert(name.clone(), value),
                None => next.remove(name),
            };
        }
        self.0 = next;
        Ok(())
    }

    /// The value in the form it is kept in; `None` takes the attribute away.
    fn checked(&self, name: &str, value: &str) -> Result<Option<String>, Fault> {
        let wrong = || {
            Fault::new("InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
        };
        if let Some((_, _, lowest, highest)) = NUMBERS.iter().find(|(known, ..)| *known == name) {
            let number: u64 = value.parse().map_err(|_| wrong())?;
            return if (*lowest..=*highest).contains(&number) {
                Ok(Some(number.to_string()))
            } else {
                Err(wrong())
            };
        }
        match name {
            "RedrivePolicy" if value.is_empty() => Ok(None),
            "RedrivePolicy" => redrive_policy(value).map(Some).ok_or_else(wrong),
            "FifoQueue" if value == "true" && self.is_fifo() => Ok(Some("true".to_owned())),
            "ContentBasedDeduplication" if self.is_fifo() && matches!(value, "true" | "false") => {
                Ok(Some(value.to_owned()))
            }
            "DeduplicationScope" if self.is_fifo() && matches!(value, "queue" | "messageGroup") => {
                Ok(Some(value.to_owned()))
            }
            "FifoQueue" | "ContentBasedDeduplication" | "DeduplicationScope" => Err(wrong()),
            _ if KEPT.contains(&name) => Ok((!value.is_empty()).then(|| value.to_owned())),
            _ => Err(Fault::new("InvalidAttributeName", format!("Unknown Attribute {name}."))),
        }
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        self.0.get(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    pub(super) fn is_fifo(&self) -> bool {
        self.0.get("FifoQueue").is_some_and(|value| value == "true")
    }

    pub(super) fn deduplicates_by_content(&self) -> bool {
        self.0.get("ContentBasedDeduplication").is_some_and(|value| value == "true")
    }

    pub(super) fn deduplicates_by_group(&self) -> bool {
        self.0.get("DeduplicationScope").is_some_and(|value| value == "messageGroup")
    }

    pub(super) fn redrive(&self) -> Option<Redrive> {
        let policy: Value = serde_json::from_str(self.0.get("RedrivePolicy")?).ok()?;
        let arn = policy.get("deadLetterTargetArn")?.as_str()?;
        let most = policy.get("maxReceiveCount")?.as_u64()?;
        Some(Redrive {
            target: arn.rsplit(':').next()?.to_owned(),
            most_receives: u32::try_from(most).unwrap_or(u32::MAX),
        })
    }

    pub(super) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// The policy with its count as a number: AWS takes the count as a number or as text.
fn redrive_policy(text: &str) -> Option<String> {
    let policy: Value = serde_json::from_str(text).ok()?;
    let arn = policy.get("deadLetterTargetArn")?.as_str()?;
    let count = policy.get("maxReceiveCount")?;
    let count: u64 = match count.as_str() {
        Some(text) => text.parse().ok()?,
        None => count.as_u64()?,
    };
    let right = arn.starts_with("arn:aws:sqs:") && (1..=1_000).contains(&count);
    right.then(|| {
        serde_json::json!({ "deadLetterTargetArn": arn, "maxReceiveCount": count }).to_string()
    })
}
