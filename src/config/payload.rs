//! How the bodies of a queue's messages are unpacked: `payload`, `payload_limit`, `delete_payload`.

use super::section::Section;

/// What a body is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapper {
    /// SNS's envelope around a message that was published.
    Sns,
    /// S3's notification of objects made or removed.
    S3Event,
    /// An event of `EventBridge`.
    EventBridge,
    /// Base64 in the canonical alphabet with padding.
    Base64,
    /// gzip.
    Gzip,
    /// JSON.
    Json,
    /// Base64 around JSON, as RelengAPI sends it.
    RelengApi,
    /// pylon's attributes, and its body in S3.
    Pylon,
    /// The S3 pointer of the extended client libraries.
    Pointer,
}

impl Wrapper {
    /// Every wrapper, in the order of the manual.
    pub const ALL: [Self; 9] = [
        Self::Sns,
        Self::S3Event,
        Self::EventBridge,
        Self::Base64,
        Self::Gzip,
        Self::Json,
        Self::RelengApi,
        Self::Pylon,
        Self::Pointer,
    ];

    /// Its name in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sns => "sns",
            Self::S3Event => "s3-event",
            Self::EventBridge => "eventbridge",
            Self::Base64 => "base64",
            Self::Gzip => "gzip",
            Self::Json => "json",
            Self::RelengApi => "relengapi",
            Self::Pylon => "pylon",
            Self::Pointer => "pointer",
        }
    }

    /// The message attributes without which it cannot be told.
    pub(super) const fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::Pylon => &[
                "payloadMimeType",
                "objectType",
                "ingestionId",
                "artifactName",
                "artifactVersion",
                "payloadStoreKey",
                "payloadType",
                "payloadS3Path",
            ],
            Self::Pointer => &["ExtendedPayloadSize", "SQSLargePayloadSize"],
            Self::Sns
            | Self::S3Event
            | Self::EventBridge
            | Self::Base64
            | Self::Gzip
            | Self::Json
            | Self::RelengApi => &[],
        }
    }
}

/// One wrapper to be taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is to be there.
    pub wrapper: Wrapper,
    /// Written with a `?`: a body of another form passes unchanged instead of being rejected.
    pub lets_others_pass: bool,
}

impl Step {
    /// Reads `"gzip"` or `"sns?"`.
    ///
    /// # Errors
    /// Says which steps there are.
    pub fn read(text: &str) -> Result<Self, String> {
        let name = text.strip_suffix('?');
        let wrapper =
            Wrapper::ALL.into_iter().find(|wrapper| wrapper.name() == name.unwrap_or(text));
        let known = wrapper.ok_or_else(|| {
            let names = Wrapper::ALL.map(Wrapper::name).join(", ");
            format!("{text:?} is no step; steps are {names}, each also with a ? behind it")
        });
        known.map(|wrapper| Self { wrapper, lets_others_pass: name.is_some() })
    }
}

/// How bodies are unpacked before their handler sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The wrappers from the outside in; none: the body goes on as it came.
    pub steps: Vec<Step>,
    /// The most bytes that a body may have at any step of it.
    pub limit: u64,
    /// Objects that pointers and pylon's keys named are deleted after their message.
    pub deletes_objects: bool,
}

/// More layers than anybody wraps; each may cost a whole copy of the body.
const MOST_STEPS: usize = 8;
/// The extended client libraries store no more (2 GB, counted in binary).
const LARGEST: u64 = 2 << 30;

impl Default for Payload {
    fn default() -> Self {
        Self { steps: Vec::new(), limit: LARGEST, deletes_objects: false }
    }
}

impl Payload {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let written = section.texts("payload", |text| Step::read(text).map(|_| ()));
        let steps: Vec<Step> =
            written.iter().flatten().filter_map(|text| Step::read(text).ok()).collect();
        if steps.len() > MOST_STEPS {
            let count = steps.len();
            section.blame("payload", format!("payload: {count} steps; there may be {MOST_STEPS}"));
        }
        let limit = section.size("payload_limit", 1..=LARGEST).unwrap_or(default.limit);
        let deletes_objects = section.flag("delete_payload").unwrap_or(default.deletes_objects);
        let is_wrong = written.is_none() && section.has("payload");
        let names_objects = |step: &Step| matches!(step.wrapper, Wrapper::Pointer | Wrapper::Pylon);
        if deletes_objects && !steps.iter().any(names_objects) && !is_wrong {
            let message = "delete_payload: nothing names an object; write payload = [\"pointer?\"]";
            section.blame("delete_payload", message);
        }
        Self { steps, limit, deletes_objects }
    }

    /// The message attributes that the steps go by.
    pub(super) fn attributes(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().flat_map(|step| step.wrapper.attributes().iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_read_with_and_without_its_mark() {
        for wrapper in Wrapper::ALL {
            let name = wrapper.name();
            assert_eq!(Step::read(name), Ok(Step { wrapper, lets_others_pass: false }));
            let marked = Step { wrapper, lets_others_pass: true };
            assert_eq!(Step::read(&format!("{name}?")), Ok(marked));
        }
        for wrong in ["", "?", "sns??", "SNS", "s3_event", " gzip"] {
            assert!(Step::read(wrong).unwrap_err().contains("eventbridge"), "{wrong}");
        }
    }
}
