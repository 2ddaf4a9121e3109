//! `spool`: writes each body into a directory, as a file of its own: whole, synced, and under a name
//! that is its message's alone, so that a message which comes again replaces itself.
//!
//! What has been written outlives a power loss before a message is *done*. A batch shares the last
//! step, the sync of the directory.

use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::config;
use crate::drop::{self, Existing, Looks};
use crate::handler::{BoxHandler, Delivery, Turns, Verdict};
use crate::key::{self, KeyFault};
use crate::message::Message;
use crate::outcome::{Outcome, Unavailable};
use crate::template::Template;

/// How many files share one sync of their directory.
const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9);

pub(super) fn build(settings: &config::IntoSpool, name: &str) -> BoxHandler {
    let settings = Arc::new(settings.clone());
    BoxHandler::batch(name, MOST, move |deliveries| write(Arc::clone(&settings), deliveries))
}

/// Dropping this future does not take back what is being written.
async fn write(settings: Arc<config::IntoSpool>, deliveries: Vec<Delivery>) -> Vec<Verdict> {
    let count = deliveries.len();
    match tokio::task::spawn_blocking(move || write_all(&settings, &deliveries)).await {
        Ok(verdicts) => verdicts,
        Err(failed) => {
            vec![Ok(Outcome::retry(format!("writing was cut off: {failed}"))); count]
        }
    }
}

fn write_all(settings: &config::IntoSpool, deliveries: &[Delivery]) -> Vec<Verdict> {
    let shown = settings.directory.display().to_string();
    let handle = match drop::open(&settings.directory) {
        Ok(handle) => handle,
        Err(error) => return vec![Err(Unavailable::new(error.told())); deliveries.len()],
    };
    let mut turns = Turns::of(deliveries);
    let (mut written, mut last) = (0, None);
    while let Some(message) = turns.take() {
        match write_one(&handle, &shown, &settings.name, message) {
            Ok(()) => (written, last) = (written + 1, Some(&message.id)),
            Err(verdict) => turns.refuse(verdict),
        }
    }
    let verdict = match last.map_or(Ok(()), |id| drop::sync(&handle, OsStr::new(id))) {
        Ok(()) => Ok(Outcome::Done),
        Err(fault) => Err(Unavailable::new(fault.within(&shown).told())),
    };
    turns.end(vec![Some(verdict); written])
}

fn name_of(template: &Template, message: &Message) -> Result<String, String> {
    let key = template.fill(message)?;
    let name = key::encode(&key).map_err(|fault| fault.to_string())?;
    // A spool would leave it alone for ever, and a part of it may be what somebody sent.
    if name.starts_with('.') || key::is_temporary(OsStr::new(&name), &[]) {
        let name = name.replace('.', "%2E");
        let bytes = name.len();
        let fits = bytes <= key::LONGEST_NAME;
        return if fits { Ok(name) } else { Err(KeyFault::NameTooLong(bytes).to_string()) };
    }
    Ok(name)
}

/// Without the sync of the directory.
fn write_one(
    handle: &OwnedFd,
    shown: &str,
    name: &Template,
    message: &Message,
) -> Result<(), Verdict> {
    let name = name_of(name, message)
        .map_err(|why| Ok(Outcome::reject(format!("it has no name: {why}"))))?;
    let body = &mut message.body.reader();
    match drop::unsynced(handle, OsStr::new(&name), body, Existing::Replace, &Looks::DROPPED) {
        Ok(_bytes) => Ok(()),
        Err(fault) if fault.is_of_file() => Err(Ok(Outcome::retry(fault.within(shown).told()))),
        Err(fault) => Err(Err(Unavailable::new(fault.within(shown).told()))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::handlers::samples;

    fn handler(directory: &Path) -> BoxHandler {
        named(directory, "{message_id}")
    }

    fn named(directory: &Path, name: &str) -> BoxHandler {
        let (directory, name) = (directory.to_owned(), Template::read(name).unwrap());
        build(&config::IntoSpool { directory, name }, "spool")
    }

    fn deliveries(queue: &str, messages: &[(&str, &str)]) -> Vec<Delivery> {
        let of = |&(id, body): &(&str, &str)| {
            let message =
                Message { id: id.to_owned(), queue: queue.to_owned(), ..samples::message(body) };
            samples::delivery(message).0
        };
        messages.iter().map(of).collect()
    }

    #[tokio::test]
    async fn each_message_is_one_file_and_replaces_itself() {
        let directory = tempfile::tempdir().unwrap();
        let handler = handler(directory.path());
        for body in ["first", "again"] {
            let verdicts = handler.call_all(deliveries("q", &[("a", body), ("../b", "")])).await;
            assert_eq!(verdicts, [Ok(Outcome::Done), Ok(Outcome::Done)]);
            assert_eq!(fs::read_to_string(directory.path().join("a")).unwrap(), body);
        }
        assert_eq!(fs::read(directory.path().join("%2E%2E%2Fb")).unwrap(), b"");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn a_template_names_the_key_and_a_message_that_lacks_something_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let of_group = named(directory.path(), "{event}/{message_id}.json");
        let mut messages = deliveries("q", &[("a", "1"), ("b", "2"), (&"c".repeat(300), "3")]);
        let without = Message { event: None, ..Message::clone(&messages[1].message) };
        messages[1].message = Arc::new(without);
        let verdicts = of_group.call_all(messages).await;
        assert_eq!(verdicts[0], Ok(Outcome::Done));
        assert_eq!(verdicts[1], Ok(Outcome::reject("it has no name: it has no event")));
        assert!(matches!(&verdicts[2], Ok(Outcome::Reject { reason }) if reason.contains("255")));
        assert!(directory.path().join("OrderPlaced.shop%2Fa.json").exists());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn no_message_gets_a_name_that_a_spool_leaves_alone() {
        let directory = tempfile::tempdir().unwrap();
        let of_tint = named(directory.path(), "{attribute.tint}{message_id}");
        let tints = ["", ".nfs", "#", ".", "x/../"];
        let ids = ["1.tmp", "2.part", "3#", "4~", ".."];
        let mut messages = deliveries("q", &ids.map(|id| (id, "body")));
        for (delivery, tint) in messages.iter_mut().zip(tints) {
            let mut message = Message::clone(&delivery.message);
            let tint = crate::message::Attribute::String(tint.to_owned());
            message.attributes.insert("tint".to_owned(), tint);
            delivery.message = Arc::new(message);
        }
        let verdicts = of_tint.call_all(messages).await;
        assert!(verdicts.iter().all(|verdict| *verdict == Ok(Outcome::Done)), "{verdicts:?}");
        let mut keys = Vec::new();
        for entry in fs::read_dir(directory.path()).unwrap() {
            let name = entry.unwrap().file_name();
            let own = name.as_encoded_bytes().starts_with(b".");
            assert!(!own && !key::is_temporary(&name, &[]), "{name:?}");
            keys.push(key::decode(&name).unwrap());
        }
        keys.sort();
        assert_eq!(keys, ["#3#", ".4~", ".nfs2.part", "1.tmp", "x/../.."]);
    }

    #[tokio::test]
    async fn nothing_but_the_dots_of_such_a_name_grows() {
        let directory = tempfile::tempdir().unwrap();
        let fits = format!("{}{}.tmp", "-_".repeat(20), "a".repeat(209));
        let too_long = format!("a{fits}");
        let bodies = [(&*fits, "1"), (&*too_long, "2")];
        let verdicts = handler(directory.path()).call_all(deliveries("q", &bodies)).await;
        assert_eq!(verdicts[0], Ok(Outcome::Done));
        assert!(
            matches!(&verdicts[1], Ok(Outcome::Reject { reason }) if reason.contains("256 bytes")),
            "{verdicts:?}"
        );
        let name = fits.replace('.', "%2E");
        assert_eq!(name.len(), key::LONGEST_NAME);
        assert_eq!(fs::read_to_string(directory.path().join(name)).unwrap(), "1");
    }

    /// What only the page cache has is not *done*: its message would be deleted, and a power loss would
    /// take both.
    #[test]
    fn what_is_not_synced_is_not_done() {
        let directory = tempfile::tempdir().unwrap();
        let name = Template::read("{message_id}").unwrap();
        let settings = config::IntoSpool { directory: directory.path().to_owned(), name };
        let messages = deliveries("q", &[("a", "1"), (&"c".repeat(300), "2"), ("b", "3")]);
        drop::seam::without_sync();
        let verdicts = write_all(&settings, &messages);
        for verdict in [&verdicts[0], &verdicts[2]] {
            let reason = verdict.clone().unwrap_err().reason;
            assert!(reason.contains("syncing the directory of"), "{reason}");
        }
        assert!(matches!(&verdicts[1], Ok(Outcome::Reject { .. })), "{verdicts:?}");
    }

    #[tokio::test]
    async fn a_directory_that_takes_nothing_is_no_fault_of_a_message() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spool");
        let handler = handler(&path);
        let verdicts = handler.call_all(deliveries("q", &[("a", "1"), ("b", "2")])).await;
        let told = |verdict: &Verdict| verdict.clone().unwrap_err().reason;
        assert!(verdicts.iter().all(|verdict| told(verdict).contains("No such file")));
        fs::write(&path, "").unwrap();
        let verdicts = handler.call_all(deliveries("q", &[("a", "1")])).await;
        assert!(told(&verdicts[0]).contains("Not a directory"), "{verdicts:?}");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).unwrap();
        let verdicts = handler.call_all(deliveries("q", &[("a", "1")])).await;
        if !rustix::process::geteuid().is_root() {
            assert!(told(&verdicts[0]).contains("denied"), "{verdicts:?}");
        }
    }

    #[tokio::test]
    async fn one_that_cannot_be_written_holds_back_its_fifo_group_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("a")).unwrap();
        let handler = handler(directory.path());
        let messages = [("a", "1"), ("b", "2")];
        let verdicts = handler.call_all(deliveries("q", &messages)).await;
        assert!(
            matches!(&verdicts[0], Ok(Outcome::Retry { reason, .. }) if reason.contains("irectory"))
        );
        assert_eq!(verdicts[1], Ok(Outcome::Done));
        fs::remove_file(directory.path().join("b")).unwrap();
        let verdicts = handler.call_all(deliveries("q.fifo", &messages)).await;
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Ok(Outcome::Retry { .. }))));
        assert!(!directory.path().join("b").exists());
    }

    #[tokio::test]
    async fn a_message_whose_lease_is_lost_is_not_written_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let (delivery, keeper) = samples::delivery(samples::message("late"));
        keeper.lose();
        let verdicts = handler(directory.path()).call_all(vec![delivery]).await;
        assert_eq!(verdicts, [Ok(Outcome::retry("the lease was lost"))]);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
