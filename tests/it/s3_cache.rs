//! Downloads that are kept: the cases of AWSimple and what damages or outgrows a cache.

use std::{fs, path::Path};

use longshore::toolkit::s3::{
    Bucket, Put, Refusal,
    cache::{Cache, Status},
};
use tempfile::TempDir;

use crate::support::{
    aws,
    emulator::{Emulator, embedded, ministack},
};

struct Ground {
    bucket: Bucket,
    cache: Cache,
    directory: TempDir,
    _server: Emulator,
}

async fn ground(server: Emulator) -> Ground {
    let bucket = Bucket::new(aws::s3(&server.endpoint()), "reports");
    bucket.create().await.unwrap();
    let directory = TempDir::new().unwrap();
    let cache = Cache::at(directory.path().join("cache"));
    Ground { bucket, cache, directory, _server: server }
}

impl Ground {
    async fn put(&self, key: &str, contents: impl AsRef<[u8]>) {
        let contents = contents.as_ref().to_vec();
        self.bucket.put(key, contents, &Put::new()).await.unwrap();
    }

    /// Downloads through the cache into a file of its own; what came.
    async fn get(&self, cache: &Cache, key: &str) -> (Vec<u8>, Status) {
        let file = self.directory.path().join(format!("{:016x}", fastrand::u64(..)));
        let cached = cache.download(&self.bucket, key, &file).await.unwrap();
        (fs::read(&file).unwrap(), cached.status)
    }

    /// All files of the cache that hold contents.
    fn kept(&self) -> Vec<std::path::PathBuf> {
        let below = |path: &Path| -> Vec<_> {
            let entries = fs::read_dir(path).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path()).collect()
        };
        let drawers = below(&self.directory.path().join("cache"));
        drawers.iter().filter(|path| path.is_dir()).flat_map(|drawer| below(drawer)).collect()
    }

    /// How much it holds at one moment: while nobody writes.
    async fn held(&self) -> u64 {
        let lock = self.directory.path().join("cache/.lock");
        let Ok(lock) = fs::File::open(lock) else { return 0 };
        while lock.try_lock().is_err() {
            tokio::task::yield_now().await;
        }
        self.kept().iter().map(|path| fs::metadata(path).unwrap().len()).sum()
    }
}

async fn a14(server: Emulator) {
    let ground = ground(server).await;
    for (key, size) in [("half", 50), ("full", 100), ("double", 200)] {
        ground.put(key, vec![b'x'; size]).await;
    }
    let cache = ground.cache.clone().most(100);
    for (key, size, first, again) in [
        ("half", 50, Status::Written, Status::Hit),
        ("full", 100, Status::Written, Status::Hit),
        ("double", 200, Status::Neither, Status::Neither),
        ("half", 50, Status::Written, Status::Hit),
    ] {
        for status in [first, again] {
            assert_eq!(ground.get(&cache, key).await, (vec![b'x'; size], status), "{key}");
            assert!(ground.held().await <= 100, "{key}");
        }
    }
}

#[tokio::test]
async fn a14_a_second_download_is_a_hit_and_the_limit_holds_on_the_embedded_aws() {
    a14(embedded()).await;
}

#[tokio::test]
async fn a14_a_second_download_is_a_hit_and_the_limit_holds_on_ministack() {
    a14(ministack()).await;
}

#[tokio::test]
async fn a15_an_object_that_was_written_again_is_fetched_again() {
    let ground = ground(embedded()).await;
    for contents in ["one", "two", "another length"] {
        ground.put("report", contents).await;
        let contents = contents.as_bytes().to_vec();
        let (read, status) = ground.get(&ground.cache, "report").await;
        assert_eq!((read, status), (contents.clone(), Status::Written));
        assert_eq!(ground.get(&ground.cache, "report").await, (contents, Status::Hit));
    }
}

#[tokio::test]
async fn contents_are_kept_once_wherever_they_lie() {
    let ground = ground(embedded()).await;
    ground.put("one", "the same").await;
    ground.put("two", "the same").await;
    assert_eq!(ground.get(&ground.cache, "one").await.1, Status::Written);
    assert_eq!(ground.get(&ground.cache, "two").await.1, Status::Hit);
    assert_eq!(ground.kept().len(), 1);
}

#[tokio::test]
async fn damaged_contents_are_fetched_again_and_never_served() {
    let ground = ground(embedded()).await;
    ground.put("report", "precious").await;
    ground.get(&ground.cache, "report").await;
    let kept = ground.kept();
    fs::write(&kept[0], "precioux").unwrap();
    let contents = b"precious".to_vec();
    assert_eq!(ground.get(&ground.cache, "report").await, (contents.clone(), Status::Written));
    assert_eq!(ground.get(&ground.cache, "report").await, (contents, Status::Hit));
    assert_eq!(ground.kept(), kept);
}

#[tokio::test]
async fn what_was_taken_out_may_be_written_to() {
    let ground = ground(embedded()).await;
    ground.put("report", "precious").await;
    let file = ground.directory.path().join("report");
    for _ in 0..3 {
        ground.cache.download(&ground.bucket, "report", &file).await.unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"precious");
        fs::write(&file, "scribbled over").unwrap();
    }
    assert_eq!(ground.get(&ground.cache, "report").await, (b"precious".to_vec(), Status::Hit));
}

#[tokio::test]
async fn text_and_json_are_kept_too_and_what_is_gone_is_not_served() {
    let ground = ground(embedded()).await;
    ground.put("text", [0xe4]).await;
    ground.put("value.json", r#"{"id": 7}"#).await;
    for status in [Status::Written, Status::Hit] {
        let text = ground.cache.text(&ground.bucket, "text", "latin1").await.unwrap();
        assert_eq!((&*text.value, text.status), ("ä", status));
        let json = ground.cache.json::<serde_json::Value>(&ground.bucket, "value").await.unwrap();
        assert_eq!((&json.value["id"], json.status), (&serde_json::json!(7), status));
    }
    ground.bucket.delete_one("text").await.unwrap();
    let gone = ground.cache.text(&ground.bucket, "text", "latin1").await.unwrap_err();
    assert!(matches!(Refusal::of(&gone), Some(Refusal::ObjectNotFound(_))), "{gone}");
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_fails_no_download() {
    let ground = ground(embedded()).await;
    ground.put("report", "precious").await;
    let file = ground.directory.path().join("file");
    fs::write(&file, "").unwrap();
    let cache = Cache::at(file.join("below"));
    for _ in 0..2 {
        let read = ground.get(&cache, "report").await;
        assert_eq!(read, (b"precious".to_vec(), Status::Neither));
    }
}

#[tokio::test]
async fn many_at_once_keep_within_the_limit() {
    let ground = ground(embedded()).await;
    for number in 0..20 {
        ground.put(&format!("{number}"), vec![number; 40]).await;
    }
    // As several programs would: each has a cache of its own over the same directory.
    let work = (0..60_u8).map(|step| {
        let (ground, number) = (&ground, step % 20);
        async move {
            let cache = ground.cache.clone().most(400);
            let (read, _) = ground.get(&cache, &format!("{number}")).await;
            assert_eq!(read, vec![number; 40]);
            assert!(ground.held().await <= 400);
        }
    });
    futures_util::future::join_all(work).await;
    assert!(ground.held().await > 0);
}
