//! The examples of AWSimple's and pylon's documents about S3.

use crate::toolkit::objects::{both, bucket};
use futures_util::{TryStreamExt, stream};
use longshore::toolkit::s3::{Bucket, Entry, Path, Put};

const TEXT: &str = r#"{"this":"is", "some":"very", "cool":"json"}"#;

/// `getPath`, `splitPath`.
#[test]
fn pylon_s3_paths() {
    let path = Path::new("my-bucket", "a-key/my-json-file.json");
    assert_eq!(path.to_string(), "s3://my-bucket/a-key/my-json-file.json");
    let split: Path = "s3://my-bucket/a-key/my-json-file.json".parse().unwrap();
    assert_eq!((&*split.bucket, &*split.key), ("my-bucket", "a-key/my-json-file.json"));
}

/// `putObject`, `getObject`.
#[tokio::test]
async fn pylon_s3_objects_by_path() {
    for server in both() {
        let client = bucket(&server.endpoint(), "my-bucket").await.client().clone();
        let path: Path = "s3://my-bucket/a-key/my-json-file.json".parse().unwrap();
        let bucket = Bucket::new(client, &*path.bucket);
        let options = Put::tiered().metadata("isVeryCool", "True");
        let stored = bucket.put_text(&path.key, TEXT, "utf-8", &options).await.unwrap();
        assert_eq!(stored.path, path);
        assert_eq!(bucket.text(&path.key, "utf-8").await.unwrap(), TEXT);
        let facts = bucket.head(&path.key).await.unwrap();
        assert_eq!(facts.metadata["isverycool"], "True");
        assert_eq!(facts.storage_class.as_deref(), Some("INTELLIGENT_TIERING"));
    }
}

/// `Bucket`: `put`, `get`, `list`, `delete`; and the keys as inputs of a function, from "Batch S3
/// Operations".
#[tokio::test]
async fn pylon_s3_bucket() {
    for server in both() {
        let bucket = bucket(&server.endpoint(), "my-bucket").await;
        let keys =
            ["a-key/another-json-file.json", "a-key/my-json-file.json", "a-key/something-else.txt"];
        for key in keys {
            let options = Put::new().metadata("isVeryCool", "True");
            bucket.put_text(key, TEXT, "utf-8", &options).await.unwrap();
        }
        bucket.put("other", "x", &Put::new()).await.unwrap();
        assert_eq!(bucket.text("a-key/my-json-file.json", "utf-8").await.unwrap(), TEXT);
        assert_eq!(bucket.keys("a-key").await.unwrap(), keys);
        let inputs: Vec<serde_json::Value> = bucket
            .list("a-key", true)
            .map_ok(|entry: Entry| serde_json::json!({"key": entry.name()}))
            .try_collect()
            .await
            .unwrap();
        assert_eq!(inputs.len(), 3);
        assert_eq!(inputs[1]["key"], keys[1]);
        let deleted = bucket.delete(keys).await.unwrap();
        assert!(deleted.gone == 3 && deleted.failed.is_empty());
        assert_eq!(bucket.keys("").await.unwrap(), ["other"]);
    }
}

/// "S3 create bucket", "S3 write", "S3 read".
#[tokio::test]
async fn awsimple_s3() {
    for server in both() {
        let bucket = bucket(&server.endpoint(), "james-abel-awsimple-test-bucket").await;
        let key = "hello.txt";
        bucket.put_text(key, "hello world", "utf-8", &Put::new()).await.unwrap();
        assert_eq!(bucket.text(key, "utf-8").await.unwrap(), "hello world");
    }
}

/// pylon's payload store, as its documents use S3: a body under a prefix and a fresh name, and back.
#[tokio::test]
async fn p11_a_body_is_put_under_its_prefix_and_found_by_its_path() {
    for server in both() {
        let bucket = bucket(&server.endpoint(), "test-bucket").await;
        let key = format!("test.prefix/{}", uuid::Uuid::new_v4());
        let pieces = stream::iter([Ok("really big ".into()), Ok("string".into())]);
        let stored = bucket.put_stream(&key, pieces, None, &Put::new()).await.unwrap();
        let told = stored.path.to_string();
        assert_eq!(told, format!("s3://test-bucket/{key}"));
        let path: Path = told.parse().unwrap();
        assert_eq!(bucket.text(&path.key, "utf-8").await.unwrap(), "really big string");
    }
}
