//! Outboxes from outside: files renamed in as programs do, the real binary, real ports.

mod crash;
mod events;
mod order;
mod poison;
mod writers;

use crate::support::{
    PATIENCE, aws,
    daemon::{Daemon, longshore},
    dwindles,
};
use aws_sdk_sqs::types::Message;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};
use tempfile::TempDir;

/// An outbox directory, and settings for it. It outlives the daemons on it.
struct Place {
    root: TempDir,
}

impl Place {
    fn new() -> Place {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("outbox")).unwrap();
        Place { root }
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join("outbox")
    }

    fn own(&self, name: &str) -> PathBuf {
        self.directory().join(".longshore").join(name)
    }

    /// Renames a file in, as programs should.
    fn drop(&self, name: &str, contents: impl AsRef<[u8]>) {
        let draft = self.root.path().join("draft");
        fs::write(&draft, contents).unwrap();
        fs::rename(draft, self.directory().join(name)).unwrap();
    }

    /// Renames a file in after its sidecar.
    fn drop_with(&self, name: &str, contents: impl AsRef<[u8]>, sidecar: &str) {
        self.drop(&format!(".{name}.meta.json"), sidecar);
        self.drop(name, contents);
    }

    /// Writes the settings, with these lines in `[outbox.notices]`; their path.
    fn settings(&self, lines: &str) -> String {
        let path = self.root.path().join("longshore.toml");
        let directory = self.directory();
        let text = format!("[outbox.notices]\ndirectory = \"{}\"\n{lines}\n", directory.display());
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn start(&self, endpoint: &str, lines: &str) -> Daemon {
        let settings = self.settings(lines);
        longshore(["run", "--config", &settings]).endpoint(endpoint).start()
    }

    /// Sends what is there and ends.
    fn once(&self, endpoint: &str, lines: &str) -> i32 {
        let settings = self.settings(lines);
        let daemon = longshore(["run", "--once", "--config", &settings]).endpoint(endpoint);
        daemon.finish().code
    }

    /// What lies in the outbox except what is ours, hidden files too.
    fn left(&self) -> Vec<String> {
        names_in(&self.directory(), |name| !name.starts_with(".longshore"))
    }

    fn quarantined(&self) -> Vec<String> {
        names_in(&self.own("quarantine"), |_| true)
    }

    fn wait_until_empty(&self, daemon: &Daemon) {
        let what = || format!("{:?} are left:\n{}", self.left(), daemon.output());
        dwindles(what, PATIENCE, || {
            assert!(!daemon.output().contains("panicked"), "{}", daemon.output());
            // Looked at twice: a file may come back from half-way out.
            let looks: [&dyn Fn() -> usize; 3] =
                [&|| self.left().len(), &|| self.unsettled(), &|| self.left().len()];
            looks.iter().map(|look| look()).find(|left| *left > 0).unwrap_or_default()
        });
    }

    /// How many files are half-way out of the outbox.
    fn unsettled(&self) -> usize {
        let places = fs::read_dir(self.own("settling")).into_iter().flatten().flatten();
        places.map(|place| fs::read_dir(place.path()).map_or(0, Iterator::count)).sum()
    }
}

fn names_in(directory: &Path, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| wanted(name));
    names.sort();
    names
}

/// A queue and a client of it.
struct Queue {
    sqs: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    async fn make(endpoint: &str, name: &str) -> Queue {
        let sqs = aws::sqs(endpoint);
        let mut make = sqs.create_queue().queue_name(name);
        if name.strip_suffix(".fifo").is_some() {
            make = make.attributes("FifoQueue".into(), "true");
        }
        let url = make.send().await.unwrap().queue_url.unwrap();
        Queue { sqs, url }
    }

    /// Receives and deletes until there were so many and then none.
    async fn take(&self, count: usize) -> Vec<Message> {
        let (mut taken, mut last) = (Vec::new(), Instant::now());
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.url);
            let receive = receive
                .max_number_of_messages(10)
                .message_attribute_names("All")
                .message_system_attribute_names("All".into())
                .wait_time_seconds(if taken.len() < count { 5 } else { 0 });
            let got = receive.send().await.unwrap().messages.unwrap_or_default();
            if got.is_empty() && taken.len() >= count {
                return taken;
            }
            assert!(last.elapsed() < PATIENCE, "{} of {count}", taken.len());
            if !got.is_empty() {
                last = Instant::now();
            }
            for message in got {
                let delete = self.sqs.delete_message().queue_url(&self.url);
                let handle = message.receipt_handle().unwrap();
                delete.receipt_handle(handle).send().await.unwrap();
                taken.push(message);
            }
        }
    }
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

fn group(message: &Message) -> &str {
    &message.attributes().unwrap()[&"MessageGroupId".into()]
}

/// Name, type and text of each message attribute.
fn attributes(message: &Message) -> BTreeMap<&str, (&str, &str)> {
    let all = message.message_attributes().into_iter().flatten();
    all.map(|(name, value)| {
        (name.as_str(), (value.data_type(), value.string_value().unwrap_or_default()))
    })
    .collect()
}

/// The document beside a quarantined file.
fn reason(place: &Place, name: &str) -> Value {
    let path = place.own("quarantine").join(format!("{name}.reason.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
