//! The keys of `PYLON_CONFIG`.
//!
//! Every mistake is found at once. What is none of pylon's keys is the work's own and reaches it
//! as it stands.

mod reader;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{NAME, Place};
use crate::config::{
    self, Config, Level, Log, LogFormat, Payload, QueueAddress, Step, Wrapper, env,
};
use crate::error::{Error, Kind, Result};
use crate::payload::Store;
use crate::toolkit::sqs::{LONGEST_LEASE, region_of};
use reader::Reader;

const INPUT: &str = "PYLON_INPUT";
const OUTPUT: &str = "PYLON_OUTPUT";
const LOG_LEVEL: &str = "PYLON_LOG_LEVEL";
const LOG_FORMAT: &str = "PYLON_LOG_FORMAT";
const LOOP_SLEEP: &str = "PYLON_LOOP_SLEEP_SECONDS";
const STORE_MIN: &str = "PYLON_STORE_MIN_MESSAGE_BYTES";
const STORE: &str = "PYLON_STORE_DESTINATION";
// Not pylon's:
const STORE_CLEAN_UP: &str = "PYLON_STORE_CLEAN_UP";
const CONCURRENCY: &str = "PYLON_CONCURRENCY";
const KNOWN: [&str; 9] = [
    INPUT,
    OUTPUT,
    LOG_LEVEL,
    LOG_FORMAT,
    LOOP_SLEEP,
    STORE_MIN,
    STORE,
    STORE_CLEAN_UP,
    CONCURRENCY,
];

/// What a component is told. `Debug` shows no value: the work's own may be secrets.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// `PYLON_INPUT`: where messages come from; a component without one runs by itself.
    pub input: Option<Place>,
    /// `PYLON_OUTPUT`: where they go.
    pub output: Option<Place>,
    /// `PYLON_LOG_LEVEL` and `PYLON_LOG_FORMAT`, on standard error.
    pub log: Log,
    /// `PYLON_LOOP_SLEEP_SECONDS`: the pause between two runs without an input.
    pub loop_sleep: Duration,
    /// `PYLON_STORE_DESTINATION`: where large bodies go; without one nothing is stored.
    pub store: Option<Store>,
    /// `PYLON_STORE_MIN_MESSAGE_BYTES`: bodies of so many bytes are stored.
    pub store_min: usize,
    /// `PYLON_STORE_CLEAN_UP`: a stored body is deleted after the message that named it. Off, since
    /// others may have got the same message.
    pub cleans_up: bool,
    /// `PYLON_CONCURRENCY`: how many messages are worked on at the same time.
    pub concurrency: usize,
    /// `IMAGE_NAME`, here or in the environment.
    pub artifact_name: Option<String>,
    /// `VERSION`, here or in the environment.
    pub artifact_version: Option<String>,
    /// `INGESTION_ATTRS`, here or in the environment: what is added to the metadata of each step.
    pub ingestion_attributes: Map<String, Value>,
    /// What is no mistake but deserves a warning.
    pub notes: Vec<String>,
    values: Map<String, Value>,
}

impl Settings {
    /// Reads the JSON object.
    ///
    /// # Errors
    /// [`Kind::Settings`], with a line for every mistake. No value is quoted but those of pylon's
    /// own keys.
    pub fn parse(json: &str) -> Result<Self> {
        Self::parse_with(json, |name| env::value(name)?.into_string().ok())
    }

    pub(super) fn parse_with(
        json: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let values: Map<String, Value> = serde_json::from_str(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let why = format!("it is no JSON object, at line {line} column {column}");
            Error::new(Kind::Settings, super::VARIABLE).because(why)
        })?;
        let mut reader = Reader::new(values);
        reader.take_deprecated();
        reader.look_for_unknown(&KNOWN);
        let input = reader.formed(INPUT, |text| match Place::read(text)? {
            Place::Topic(_) => Err("nothing can be received from a topic; subscribe a queue to \
                                    it, with raw delivery, and name that"
                .to_owned()),
            place @ (Place::Queue(_) | Place::Folder(_)) => Ok(place),
        });
        let output = reader.formed(OUTPUT, Place::read);
        let store = reader.formed(STORE, Store::read);
        let level = reader.formed_or(LOG_LEVEL, "warning", Level::read).unwrap_or(Level::Warn);
        let format = reader.formed_or(LOG_FORMAT, "txt", |text| match text {
            "txt" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("{text:?} is neither txt nor json")),
        });
        let loop_sleep = reader.whole_or(LOOP_SLEEP, 60);
        let store_min = reader.whole_or(STORE_MIN, 256_000);
        let cleans_up = reader.flag(STORE_CLEAN_UP).unwrap_or(false);
        let concurrency = reader.whole(CONCURRENCY).unwrap_or(1);
        if !(1..=10_000).contains(&concurrency) {
            reader.blame(CONCURRENCY, "it is from 1 to 10000");
        }
        let artifact_name = reader.named("IMAGE_NAME", &environment);
        let artifact_version = reader.named("VERSION", &environment);
        let ingestion_attributes = reader.attributes(&environment);
        let (values, notes) = reader.finish()?;
        Ok(Self {
            input,
            output,
            log: Log { level, format: format.unwrap_or(LogFormat::Text), ..Log::DEFAULT },
            loop_sleep: Duration::from_secs(loop_sleep),
            store,
            store_min: usize::try_from(store_min).unwrap_or(usize::MAX),
            cleans_up,
            concurrency: usize::try_from(concurrency).unwrap_or(1),
            artifact_name,
            artifact_version,
            ingestion_attributes,
            notes,
            values,
        })
    }

    /// Everything: what was written, deprecated keys in their present form, and the defaults.
    pub const fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// These settings among those of a worker: the log, what deserves a warning, and the queue that
    /// is the input where one is.
    #[must_use]
    pub fn among(&self, mut config: Config) -> Config {
        config.log.clone_from(&self.log);
        config.notes.extend(self.notes.iter().cloned());
        if let Some(Place::Queue(address)) = &self.input {
            let queue = self.queue_settings(address, &config.aws);
            config.queues.insert(NAME.to_owned(), queue);
        }
        config
    }

    /// The same on the embedded AWS: queues and topics by name, folders under its directory.
    ///
    /// # Errors
    /// [`Kind::Settings`] for folders elsewhere, unless `yes`.
    pub fn local(mut self, directory: &Path, yes: bool) -> Result<Self> {
        let mut wrong = Vec::new();
        for (key, place) in [(INPUT, &mut self.input), (OUTPUT, &mut self.output)] {
            match place {
                Some(Place::Queue(queue)) => {
                    if let Ok(address) = QueueAddress::read(queue) {
                        address.name().clone_into(queue);
                    }
                }
                Some(Place::Folder(path)) => {
                    let leaves = path.is_absolute()
                        || path.components().any(|part| part == std::path::Component::ParentDir);
                    if leaves && !yes {
                        let (path, directory) = (path.display(), directory.display());
                        wrong.push(format!(
                            "{}: {key}: {path} is not under {directory}; --yes allows it",
                            super::VARIABLE
                        ));
                    }
                    *path = directory.join(&path);
                }
                Some(Place::Topic(_)) | None => {}
            }
        }
        if wrong.is_empty() { Ok(self) } else { Err(Error::new(Kind::Settings, wrong.join("\n"))) }
    }

    /// A queue whose messages are unpacked for the work.
    pub(super) fn queue_settings(&self, address: &str, account: &config::Aws) -> config::Queue {
        let wrapped = Step { wrapper: Wrapper::Sns, lets_others_pass: true };
        let pylon = Step { wrapper: Wrapper::Pylon, lets_others_pass: false };
        config::Queue {
            aws: in_region(account, region_of(address)),
            concurrency: self.concurrency,
            // Components live in containers, which have ten seconds to stop.
            wait_time: Duration::from_secs(5),
            handler_timeout: LONGEST_LEASE,
            idempotency: false,
            payload: Payload {
                steps: vec![wrapped, pylon],
                deletes_objects: self.cleans_up,
                ..Payload::default()
            },
            ..config::Queue::new(address)
        }
    }
}

/// How something is reached whose address may name its region.
pub(super) fn in_region(account: &config::Aws, region: Option<&str>) -> config::Aws {
    let region = region.filter(|_| !account.sealed).map(str::to_owned);
    config::Aws { region: region.or_else(|| account.region.clone()), ..account.clone() }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, output) = (&self.input, &self.output);
        f.debug_struct("Settings")
            .field("input", input)
            .field("output", output)
            .finish_non_exhaustive()
    }
}
