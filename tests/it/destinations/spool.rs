use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{Load, haul, number_of};
use crate::queues::ground::{embedded, log_line, stop};

/// The numbers of the messages whose files lie there; what a killed daemon began is none of them.
fn whole_files(directory: &Path) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let whole = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    whole.map(|entry| number_of(&fs::read(entry.path()).unwrap()))
}

#[tokio::test]
async fn every_message_lies_in_the_spool_before_it_is_deleted() {
    let ground = embedded();
    let (real, directory) = (ground.path("real"), ground.path("spool"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &directory).unwrap();
    let there = real.clone();
    let load = Load {
        handler: format!("[queue.load.handler.spool]\ndirectory = {directory:?}\n"),
        arrived: async move || whole_files(&there).collect::<BTreeSet<u32>>(),
        fail: async || fs::remove_file(&directory).unwrap(),
        mend: async || symlink(&real, &directory).unwrap(),
    };
    let daemon = haul(&ground, load).await;
    log_line(&daemon, &["message done", "queue.load.handler"]);
    assert_eq!(whole_files(&real).count(), 1000, "what came again replaced itself");
    assert_eq!(stop(daemon), 0);
}
