use super::*;
use crate::local::{Local, Options};

/// Two buckets, and what keeps them.
async fn buckets() -> (Bucket, Bucket, (Local, tempfile::TempDir)) {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { directory: directory.path().to_owned(), port: 0, next_free: false };
    let local = Local::without_port(options).await.unwrap();
    let config = aws_sdk_s3::config::Builder::from(&local.sdk_config_in_process());
    let client = aws_sdk_s3::Client::from_conf(config.force_path_style(true).build());
    let (from, to) = (Bucket::new(client.clone(), "from"), Bucket::new(client, "into"));
    for bucket in [&from, &to] {
        bucket.create().await.unwrap();
    }
    (from, to, (local, directory))
}

/// As what is above 5 GiB, with a lower bound.
#[tokio::test]
async fn what_is_too_large_for_one_call_is_copied_in_parts() {
    let (from, to, _kept) = buckets().await;
    let bytes: Vec<u8> = (0..11_u32 << 18).flat_map(u32::to_le_bytes).collect();
    let stored = from.put("k", bytes.clone(), &Put::new().metadata("by", "me")).await.unwrap();
    from.copy_above((10 << 20, 5 << 20), "k", &to.path("copy"), &Put::tiered()).await.unwrap();
    let facts = to.head("copy").await.unwrap();
    assert!(facts.etag.unwrap().contains("-3"), "three parts");
    assert_eq!(facts.crc64nvme, Some(stored.crc64nvme));
    assert_eq!(facts.metadata["by"], "me");
    assert_eq!(facts.storage_class.as_deref(), Some("INTELLIGENT_TIERING"));
    assert!(to.bytes("copy").await.unwrap() == bytes, "other bytes");
}

#[tokio::test]
async fn no_part_is_copied_of_another_object() {
    let (from, to, _kept) = buckets().await;
    from.put("k", vec![1; 11 << 20], &Put::new()).await.unwrap();
    let facts = from.head("k").await.unwrap();
    from.put("k", vec![2; 11 << 20], &Put::new()).await.unwrap();
    let options = Put::new();
    let (source, target) = ("from/k".to_owned(), to.clone());
    let copy = Copy { source, target, key: "copy", options: &options, facts };
    let error = copy.in_parts(5 << 20).await.unwrap_err();
    assert!(error.to_string().contains("the source was written anew meanwhile"), "{error}");
    assert!(!to.exists("copy").await.unwrap());
}
