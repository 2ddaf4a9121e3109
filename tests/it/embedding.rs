//! A worker in the background of another program: started, stopped, dropped.

use crate::support::{
    PATIENCE, aws,
    emulator::{Emulator, embedded},
    eventually,
};
use longshore::{
    config::{Config, Dialect},
    error::Kind,
    handler::extract::Body,
    outcome::Failure,
    worker::{Running, Worker},
};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// An AWS of its own, a bucket, a queue, and a directory with settings for both.
struct Ground {
    server: Emulator,
    directory: TempDir,
    url: String,
    sqs: aws_sdk_sqs::Client,
    runtime: Runtime,
}

#[derive(Clone, Copy)]
enum With {
    Spool,
    Queue,
    Both,
}

impl Ground {
    fn new() -> Ground {
        let (server, runtime) = (embedded(), Runtime::new().unwrap());
        let directory = TempDir::new().unwrap();
        fs::create_dir(directory.path().join("spool")).unwrap();
        let sqs = aws::sqs(&server.endpoint());
        let made = runtime.block_on(sqs.create_queue().queue_name("orders").send()).unwrap();
        let s3 = aws::s3(&server.endpoint());
        runtime.block_on(s3.create_bucket().bucket("reports").send()).unwrap();
        let url = made.queue_url().unwrap().to_owned();
        Ground { server, directory, url, sqs, runtime }
    }

    fn text(&self, with: With, handler: &str) -> String {
        let aws = format!(
            "[aws]\nendpoint_url = \"{}\"\nregion = \"us-east-1\"\npath_style = true\n\
             access_key_id = \"test\"\nsecret_access_key = \"test\"\n",
            self.server.endpoint()
        );
        let here = self.directory.path().display();
        let spool = format!("[spool.s]\ndirectory = \"{here}/spool\"\nbucket = \"reports\"\n");
        let queue = format!("[queue.q]\nqueue = \"orders\"\nwait_time = 1\n{handler}\n");
        match with {
            With::Spool => aws + &spool,
            With::Queue => aws + &queue,
            With::Both => aws + &spool + &queue,
        }
    }

    /// A settings file whose handler writes each body into the file `handled`.
    fn settings(&self, with: With) -> PathBuf {
        let handled = self.directory.path().join("handled");
        let command = format!("[\"/bin/sh\", \"-c\", \"cat >> {}\"]", handled.display());
        let path = self.directory.path().join("longshore.toml");
        let text = self.text(with, &format!("handler.exec.command = {command}"));
        fs::write(&path, text).unwrap();
        path
    }

    /// Settings whose queue waits for a Rust function.
    fn for_function(&self) -> PathBuf {
        let path = self.directory.path().join("code.toml");
        fs::write(&path, self.text(With::Queue, "retry_initial = 1")).unwrap();
        path
    }

    fn send(&self, body: &str) {
        let send = self.sqs.send_message().queue_url(&self.url).message_body(body);
        self.runtime.block_on(send.send()).unwrap();
    }

    fn drop_file(&self) {
        fs::write(self.directory.path().join("spool/f"), "f").unwrap();
    }

    fn lands(&self) {
        let file = self.directory.path().join("spool/f");
        eventually("the file has landed", PATIENCE, || !file.exists());
    }

    fn is_handled(&self, body: &str) {
        let handled = self.directory.path().join("handled");
        eventually("the message is handled", PATIENCE, || {
            fs::read_to_string(&handled).is_ok_and(|text| text.contains(body))
        });
    }

    /// How many messages wait or are hidden.
    fn left(&self) -> usize {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let (waiting, hidden) =
            (Name::ApproximateNumberOfMessages, Name::ApproximateNumberOfMessagesNotVisible);
        let ask = self.sqs.get_queue_attributes().queue_url(&self.url);
        let ask = ask.attribute_names(waiting.clone()).attribute_names(hidden.clone()).send();
        let told = self.runtime.block_on(ask).unwrap().attributes.unwrap();
        [waiting, hidden].iter().map(|name| told[name].parse::<usize>().unwrap()).sum()
    }
}

#[test]
fn a_program_that_is_not_async_runs_spools_queues_or_both() {
    for with in [With::Spool, With::Queue, With::Both] {
        let ground = Ground::new();
        let worker = Worker::from_file(ground.settings(with)).unwrap().start().unwrap();
        if !matches!(with, With::Queue) {
            ground.drop_file();
            ground.lands();
        }
        if !matches!(with, With::Spool) {
            ground.send("by hand");
            ground.is_handled("by hand");
        }
        let report = worker.stop().unwrap();
        assert!(!report.aborted && worker.has_ended());
        let done = report.queues.get("q").map_or(0, |queue| queue.done);
        assert_eq!(done, u64::from(!matches!(with, With::Spool)));
        assert_eq!(ground.left(), 0);
        // Again, and by the other way: the same.
        assert_eq!(worker.stop().unwrap(), report);
        assert_eq!(ground.runtime.block_on(worker.stopped()).unwrap(), report);
    }
}

#[test]
fn an_async_program_does_the_same() {
    let ground = Ground::new();
    let path = ground.settings(With::Both);
    let worker =
        ground.runtime.block_on(async { Worker::from_file(path).unwrap().start() }).unwrap();
    ground.drop_file();
    ground.send("async");
    ground.is_handled("async");
    ground.lands();
    let report = ground.runtime.block_on(async { worker.stopped().await.unwrap() });
    assert_eq!(report.queues["q"].done, 1);
    assert_eq!(ground.left(), 0);
}

#[test]
fn stopping_waits_for_what_runs_from_as_many_threads_as_like() {
    let ground = Ground::new();
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let state = (Arc::clone(&begun), Arc::clone(&ended));
    let worker = Worker::builder(())
        .config(ground.for_function())
        .queue("q", move |Body(_): Body| {
            let (begun, ended) = state.clone();
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                ended.fetch_add(1, Ordering::SeqCst);
            }
        })
        .build()
        .unwrap()
        .start()
        .unwrap();
    ground.send("slow");
    eventually("the handler runs", PATIENCE, || begun.load(Ordering::SeqCst) == 1);
    let reports = std::thread::scope(|scope| {
        let both = [scope.spawn(|| worker.stop()), scope.spawn(|| worker.stop())];
        both.map(|stopped| {
            let report = stopped.join().unwrap().unwrap();
            assert_eq!(ended.load(Ordering::SeqCst), 1, "one did not wait");
            report
        })
    });
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[0].queues["q"].done, 1);
    assert_eq!(ground.left(), 0);
}

#[test]
fn dropping_the_handle_drains_and_does_not_wait() {
    let ground = Ground::new();
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let state = (Arc::clone(&begun), Arc::clone(&ended));
    let release = Arc::new(tokio::sync::Semaphore::new(0));
    let waits = Arc::clone(&release);
    let worker: Running = Worker::builder(())
        .config(ground.for_function())
        .queue("q", move |Body(_): Body| {
            let (begun, ended) = state.clone();
            let released = Arc::clone(&waits);
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                drop(released.acquire().await.unwrap());
                ended.fetch_add(1, Ordering::SeqCst);
            }
        })
        .build()
        .unwrap()
        .start()
        .unwrap();
    ground.send("slow");
    eventually("the handler runs", PATIENCE, || begun.load(Ordering::SeqCst) == 1);
    // If this waited, then until the handler was given up: it ends only after it.
    drop(worker);
    assert_eq!(ended.load(Ordering::SeqCst), 0);
    release.add_permits(1);
    eventually("the handler ends all the same", PATIENCE, || ended.load(Ordering::SeqCst) == 1);
    eventually("its message is deleted", PATIENCE, || ground.left() == 0);
    ground.send("nobody's");
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

#[test]
fn a_spool_that_is_in_use_is_an_error_of_start() {
    let ground = Ground::new();
    let start = || Worker::from_file(ground.settings(With::Both)).unwrap().start();
    let first = start().unwrap();
    let second = start().unwrap_err();
    assert_eq!(second.kind(), Kind::Busy);
    assert!(second.to_string().contains("another longshore"), "{second}");
    first.stop().unwrap();
    start().unwrap().stop().unwrap();
}

#[test]
fn a_handler_that_panics_fails_its_message_and_nothing_else() {
    let ground = Ground::new();
    let worker = Worker::builder(())
        .config(ground.for_function())
        .queue("q", |Body(body): Body| async move {
            assert_ne!(&*body, "bad", "on purpose");
        })
        .build()
        .unwrap()
        .start()
        .unwrap();
    ground.send("bad");
    ground.send("good");
    eventually("the good one is deleted", PATIENCE, || ground.left() == 1);
    assert!(!worker.has_ended());
    let report = worker.stop().unwrap();
    assert_eq!(report.queues["q"].done, 1);
    assert!(report.queues["q"].retried >= 1, "{report:?}");
    assert_eq!(ground.left(), 1);
}

#[test]
fn a_handler_that_blocks_its_thread_does_not_hold_the_program() {
    let ground = Ground::new();
    let begun = Arc::new(AtomicUsize::new(0));
    let state = Arc::clone(&begun);
    let (_block, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Arc::new(std::sync::Mutex::new(blocked));
    let path = ground.for_function();
    let text = format!("drain_timeout = 1\n{}", fs::read_to_string(&path).unwrap());
    fs::write(&path, text).unwrap();
    let worker = Worker::builder(())
        .config(path)
        .queue("q", move |Body(_): Body| {
            let (begun, blocked) = (Arc::clone(&state), Arc::clone(&blocked));
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                // Until the end of the test, which does not come if it is waited for.
                blocked.lock().unwrap().recv().unwrap_err();
            }
        })
        .build()
        .unwrap()
        .start()
        .unwrap();
    ground.send("stuck");
    eventually("the handler blocks", PATIENCE, || begun.load(Ordering::SeqCst) == 1);
    let report = worker.stop().unwrap();
    assert!(report.aborted, "{report:?}");
    assert_eq!(ground.left(), 1);
}

#[test]
fn it_runs_until_something_of_the_program_ends() {
    let ground = Ground::new();
    let text = ground.text(With::Queue, "");
    let config =
        Config::parse(&(text.clone() + "handler.print = {}\n"), "c.toml".as_ref(), Dialect::Toml);
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    ground.send("last");
    let first = std::sync::Mutex::new(tell.take());
    let first = Arc::new(first);
    let mut config = config.unwrap();
    config.queues.get_mut("q").unwrap().handler = None;
    let worker = Worker::builder(())
        .settings(config)
        .queue("q", move |Body(_): Body| {
            let tell = first.lock().unwrap().take();
            async move {
                if let Some(tell) = tell {
                    tell.send(()).map_err(|()| Failure::permanent("nobody listens"))?;
                }
                Ok::<(), Failure>(())
            }
        })
        .build()
        .unwrap();
    let stop = async { told.await.unwrap() };
    let report = ground.runtime.block_on(worker.run_until(stop)).unwrap();
    assert_eq!(report.queues["q"].done, 1);
    assert_eq!(ground.left(), 0);
}
