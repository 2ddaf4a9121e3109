//! What operators of zc.s3uploadqueue watch for, word for word.

use std::sync::Mutex;

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Written {
    /// The lines that hold a text, without their times.
    fn with(&self, text: &str) -> Vec<String> {
        let written = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        written.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }

    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::INFO)
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

/// Z1 and Z3: one line for a file that landed, one for each failed attempt.
#[tokio::test]
async fn files_are_told_of_in_the_words_of_the_original() {
    let (mut yard, written) = (Yard::new(), Written::default());
    let _listening = written.listen();
    yard.settings.texts = Texts::Zc;
    yard.deliver("2012-06-14%2F01.txt", b"");
    let mut puts = 0;
    yard.s3.script(move |asked| {
        puts += usize::from(asked.what == "PUT");
        (asked.what == "PUT" && puts == 1).then_some(s3::Answer(500, "InternalError"))
    });
    yard.once().await.unwrap();
    let failed = written.with("processing '2012-06-14%2F01.txt'");
    assert_eq!(failed.len(), 1);
    assert!(failed[0].trim_start().starts_with("ERROR"), "{}", failed[0]);
    let landed = written.with("Transferred '2012-06-14%2F01.txt'");
    assert_eq!(landed.len(), 1);
    assert!(landed[0].trim_start().starts_with("INFO"), "{}", landed[0]);
    assert_eq!(written.with("file landed").len(), 0);
}

/// Z4: the bucket is told of once for each probe.
#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_of_in_the_words_of_the_original() {
    let (mut yard, written) = (Yard::new(), Written::default());
    let _listening = written.listen();
    yard.settings.texts = Texts::Zc;
    yard.s3.script(|_| Some(s3::Answer(404, "")));
    let running = yard.start().await;
    let told = || written.with("Error accessing bucket: 'testbucket'");
    until("it was told", || !told().is_empty()).await;
    assert!(told()[0].trim_start().starts_with("ERROR"), "{}", told()[0]);
    running.stop().await;
    assert!(yard.s3.asked("PUT").is_empty());
}

/// One line when it pauses, one when it goes on, and nothing for each refused file.
#[tokio::test(start_paused = true)]
async fn a_pause_is_one_line_however_many_files_wait() {
    let (yard, written) = (Yard::new(), Written::default());
    let _listening = written.listen();
    for n in 0..50 {
        yard.deliver(&format!("f{n}"), b"x");
    }
    yard.s3.script(|asked| (asked.what == "PUT").then_some(s3::Answer(403, "AccessDenied")));
    let running = yard.start().await;
    until("it paused", || yard.s3.asked("PUT").len() > 3).await;
    yard.s3.obey();
    yard.is_empty().await;
    running.stop().await;
    assert_eq!(written.with("ERROR").len(), 1, "{:?}", written.with("ERROR"));
    assert_eq!(written.with("WARN").len(), 0, "{:?}", written.with("WARN"));
    assert_eq!(written.with("spool resumed").len(), 1);
    assert_eq!(written.with("file landed").len(), 50);
}

/// What left before the pause says nothing of the bucket since; the next file that lands does.
#[tokio::test(start_paused = true)]
async fn only_a_probe_that_lands_ends_a_pause() {
    let (yard, written) = (Yard::new(), Written::default());
    let _listening = written.listen();
    yard.s3.script(|asked| (asked.key == "bad").then_some(s3::Answer(400, "InvalidRequest")));
    let permits = yard.s3.hold();
    let running = yard.start().await;
    let puts = || yard.s3.asked("PUT").len();
    yard.deliver("bad", b"x");
    until("the bad one is on its way", || puts() == 1).await;
    yard.deliver("older", b"x");
    until("the good one too", || puts() == 2).await;
    permits.add_permits(1);
    until("the bad one is the probe, since no other waits", || puts() == 3).await;
    permits.add_permits(1);
    until("the good one has landed", || written.with("file landed").len() == 1).await;
    permits.add_permits(1);
    until("it was refused, and is the next probe", || puts() == 4).await;
    assert!(written.with("spool resumed").is_empty());
    assert!(yard.quarantined().is_empty());
    permits.add_permits(9);
    yard.deliver("newer", b"x");
    yard.is_empty().await;
    running.stop().await;
    assert_eq!(yard.quarantined(), ["bad", "bad.reason.json"]);
    assert_eq!(yard.s3.keys(), ["newer", "older"]);
    assert_eq!(written.with("ERROR").len(), 1, "{:?}", written.with("ERROR"));
}

/// One line for each attempt: what changed meanwhile did not land.
#[tokio::test]
async fn a_file_that_changes_meanwhile_is_told_of_once() {
    let (yard, written) = (Yard::new(), Written::default());
    let _listening = written.listen();
    yard.deliver("a", b"one");
    let path = yard.path("a");
    let mut puts = 0;
    yard.s3.script(move |asked| {
        puts += usize::from(asked.what == "PUT");
        if asked.what == "PUT" && puts == 1 {
            fs::write(&path, "one two").unwrap();
        }
        None
    });
    yard.once().await.unwrap();
    assert_eq!(yard.s3.landed().len(), 2);
    let changed = written.with("file changed while it was uploaded, uploading again");
    assert_eq!(changed.len(), 1);
    assert!(changed[0].trim_start().starts_with("WARN"), "{}", changed[0]);
    assert_eq!(written.with("upload failed").len(), 0);
    assert_eq!(written.with("file landed").len(), 1);
}
