//! Objects and buckets through the library: what is written, listed, deleted and refused.

mod files;
mod moving;
mod refusals;

use crate::support::{
    PATIENCE,
    daemon::program,
    emulator::{Emulator, embedded, ministack},
    exchange::Exchange,
    proxy::{Fault, Proxy},
    venv,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore::{
    aws::Aws,
    config,
    error::{Error, Kind},
    toolkit::s3::{Bucket, Entry, Path, Put, Refusal, buckets},
};
use serde_json::{Value, json};
use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// A bucket of this name at an endpoint, made.
pub(crate) async fn bucket(endpoint: &str, name: &str) -> Bucket {
    let bucket = unmade(endpoint, name).await;
    bucket.create().await.unwrap();
    bucket
}

/// A bucket of this name at an endpoint, not made.
async fn unmade(endpoint: &str, name: &str) -> Bucket {
    let endpoint_url = Some(endpoint.to_owned());
    let credentials = Some(credentials());
    let settings =
        config::Aws { endpoint_url, credentials, sealed: true, ..config::Aws::default() };
    Bucket::new(Aws::new().with(settings).s3("us-east-1").await.unwrap(), name)
}

/// Those that every emulator knows.
fn credentials() -> config::Credentials {
    config::Credentials {
        access_key_id: "test".to_owned(),
        secret_access_key: config::Secret::new("test"),
        session_token: None,
    }
}

/// Our own S3 and one by other hands.
pub(crate) fn both() -> [Emulator; 2] {
    [embedded(), ministack()]
}

async fn listed(bucket: &Bucket, prefix: &str, recursive: bool) -> Vec<String> {
    let entries: Vec<Entry> = bucket.list(prefix, recursive).try_collect().await.unwrap();
    entries
        .iter()
        .map(|entry| match entry {
            Entry::Object(object) => object.path.key.clone(),
            Entry::Prefix(prefix) => format!("{prefix} (prefix)"),
        })
        .collect()
}

#[tokio::test]
async fn p10_listings_are_recursive_or_of_one_level() {
    for server in both() {
        let bucket = bucket(&server.endpoint(), "my-bucket").await;
        for key in ["foo.png", "foo/bar.txt", "foo/baz/boo.txt"] {
            bucket.put(key, key, &Put::new()).await.unwrap();
        }
        let all = ["foo.png", "foo/bar.txt", "foo/baz/boo.txt"];
        assert_eq!(listed(&bucket, "", true).await, all);
        assert_eq!(listed(&bucket, "foo", true).await, all);
        assert_eq!(listed(&bucket, "foo/", true).await, all[1..]);
        assert_eq!(listed(&bucket, "", false).await, ["foo.png", "foo/ (prefix)"]);
        for prefix in ["foo", "foo/"] {
            let level = ["foo/bar.txt", "foo/baz/ (prefix)"];
            assert_eq!(listed(&bucket, prefix, false).await, level, "{prefix}");
        }
        for recursive in [true, false] {
            assert!(listed(&bucket, "unknown", recursive).await.is_empty());
        }
    }
}

#[tokio::test]
async fn a_listing_goes_on_page_by_page_and_none_is_asked_for_before_it_is_wanted() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let bucket = unmade(&proxy.endpoint(), "my-bucket").await;
    let page = |keys: &[&str], next: Option<&str>| {
        let keys: Vec<String> =
            keys.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
        let keys = keys.concat();
        let token = next.map_or_else(String::new, |token| {
            format!("<NextContinuationToken>{token}</NextContinuationToken>")
        });
        let more = next.is_some();
        let head = format!("<IsTruncated>{more}</IsTruncated>{token}");
        Fault::Answer(200, format!("<ListBucketResult>{head}{keys}</ListBucketResult>"))
    };
    let is_list = |seen: &Exchange| seen.operation() == "ListObjectsV2";
    proxy.on(1, is_list, page(&["a", "b"], Some("one")));
    // A page may be empty and not the last one.
    proxy.on(1, is_list, page(&[], Some("two")));
    proxy.on(1, is_list, page(&["c"], None));
    let mut listed = pin!(bucket.list("", true));
    for (key, calls) in [("a", 1), ("b", 1), ("c", 3)] {
        assert_eq!(listed.try_next().await.unwrap().unwrap().name(), key);
        assert_eq!(proxy.of("ListObjectsV2").len(), calls, "{key}");
    }
    assert!(listed.try_next().await.unwrap().is_none());
    let calls = proxy.of("ListObjectsV2");
    let tokens: Vec<_> = calls.iter().map(|call| call.query("continuation-token")).collect();
    assert_eq!(tokens, [None, Some("one"), Some("two")]);

    // A listing that breaks off is no whole one.
    let lost = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    proxy.on(1, is_list, Fault::Answer(200, lost.to_owned()));
    let error = bucket.keys("").await.unwrap_err();
    assert!(error.to_string().contains("not where it goes on"), "{error}");
}

#[tokio::test]
async fn a16_keys_are_those_of_a_prefix_and_a_missing_bucket_has_a_name() {
    for server in both() {
        let bucket = bucket(&server.endpoint(), "my-bucket").await;
        assert!(bucket.keys("").await.unwrap().is_empty());
        for key in ["test22", "test2/b", "test1", "a b+c=ä&"] {
            bucket.put(key, "x", &Put::new()).await.unwrap();
        }
        assert_eq!(bucket.keys("test2").await.unwrap(), ["test2/b", "test22"]);
        assert_eq!(bucket.keys("a").await.unwrap(), ["a b+c=ä&"]);
        let missing = unmade(&server.endpoint(), "missing").await;
        let error = missing.keys("").await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(&Refusal::BucketNotFound("missing".to_owned())));
        assert!(error.to_string().contains("there is no bucket \"missing\""), "{error}");
    }
}

#[tokio::test]
async fn a17_lines_text_and_json_come_back_exactly() {
    let options = Put::new();
    for server in both() {
        let bucket = bucket(&server.endpoint(), "my-bucket").await;
        bucket.put_lines("lines", ["1", "2"], &options).await.unwrap();
        assert_eq!(bucket.bytes("lines").await.unwrap(), "1\n2");
        assert_eq!(bucket.lines("lines").await.unwrap(), ["1", "2"]);
        let error = bucket.put_lines("lines", ["1\n2"], &options).await.unwrap_err();
        assert!(error.to_string().contains("line 1 is two"), "{error}");

        let value = json!({"0.1": 2.345_678_9e-11, "many": [0.1, 1e308, 5e-324, 0.3]});
        let stored = bucket.put_json("value", &value, &options).await.unwrap();
        assert_eq!(stored.path.to_string(), "s3://my-bucket/value.json");
        for key in ["value", "value.json"] {
            assert_eq!(bucket.json::<Value>(key).await.unwrap(), value);
        }
        assert_eq!(
            bucket.head("value.json").await.unwrap().content_type.unwrap(),
            "application/json"
        );

        let text = "äöü €";
        for encoding in ["utf-8", "iso-8859-15", "utf-16le", "windows-1252"] {
            bucket.put_text("text", text, encoding, &options).await.unwrap();
            assert_eq!(bucket.text("text", encoding).await.unwrap(), text);
        }
        let error = bucket.put_text("text", "日", "windows-1252", &options).await.unwrap_err();
        assert!(error.to_string().contains("writing s3://my-bucket/text"), "{error}");
        assert_eq!(bucket.text("text", "utf-8").await.unwrap_err().kind(), Kind::Corrupt);

        let range = bucket.get_range("lines", 1..100).await.unwrap();
        assert_eq!(range.bytes(10).await.unwrap(), "\n2");
    }
}

#[tokio::test]
async fn p9_a_lazy_stream_of_1200_keys_is_deleted_in_two_calls() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let bucket = bucket(&proxy.endpoint(), "my-bucket").await;
    for key in ["k/0", "k/1199", "kept"] {
        bucket.put(key, "x", &Put::new()).await.unwrap();
    }
    let taken = AtomicUsize::new(0);
    let keys = stream::iter((0..1_200).map(|n| {
        taken.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Error>(format!("k/{n}"))
    }));
    let mut outcomes = pin!(bucket.delete_stream(keys));
    assert_eq!(taken.load(Ordering::Relaxed), 0);
    let first = outcomes.next().await.unwrap().unwrap();
    assert!(first.0 == "k/0" && first.1.is_ok(), "{first:?}");
    assert_eq!(taken.load(Ordering::Relaxed), 1_000, "no key is taken before its call");
    let rest: Vec<_> = outcomes.try_collect().await.unwrap();
    assert!(rest.len() == 1_199 && rest.iter().all(|(_, gone)| gone.is_ok()));
    assert_eq!(keys_of_calls(&proxy), [1_000, 200]);
    assert_eq!(bucket.keys("").await.unwrap(), ["kept"]);

    let deleted = bucket.delete((0..100).map(|n| format!("{n}"))).await.unwrap();
    assert!(deleted.gone == 100 && deleted.failed.is_empty());
    assert_eq!(keys_of_calls(&proxy), [1_000, 200, 100]);
    assert_eq!(bucket.delete(Vec::<String>::new()).await.unwrap().gone, 0);
    assert_eq!(proxy.of("DeleteObjects").len(), 3, "nothing is no call");
}

/// How many keys each call named.
fn keys_of_calls(proxy: &Proxy) -> Vec<usize> {
    let count = |body: &[u8]| String::from_utf8_lossy(body).matches("<Key>").count();
    proxy.of("DeleteObjects").iter().map(|call| count(&call.body)).collect()
}

#[tokio::test]
async fn every_failed_entry_of_a_batch_delete_is_told_and_what_passes_is_tried_again() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let bucket = bucket(&proxy.endpoint(), "my-bucket").await;
    for key in ["a", "b", "c"] {
        bucket.put(key, "x", &Put::new()).await.unwrap();
    }
    let failed = |key: &str, code: &str| {
        format!("<Error><Key>{key}</Key><Code>{code}</Code><Message>scripted</Message></Error>")
    };
    let partly = format!(
        "<DeleteResult>{}{}</DeleteResult>",
        failed("a", "AccessDenied"),
        failed("b", "InternalError")
    );
    let is_delete = |seen: &Exchange| seen.operation() == "DeleteObjects";
    proxy.on(1, is_delete, Fault::Answer(200, partly));
    let deleted = bucket.delete(["a", "b", "c"]).await.unwrap();
    assert_eq!(deleted.gone, 2);
    let [(key, error)] = deleted.failed.as_slice() else { panic!("{deleted:?}") };
    assert_eq!((key.as_str(), error.kind()), ("a", Kind::Denied));
    for told in ["deleting s3://my-bucket/a", "AccessDenied", "allow s3:DeleteObject on"] {
        assert!(error.to_string().contains(told), "{error}");
    }
    assert_eq!(keys_of_calls(&proxy), [3, 1], "only the one that passes by itself");

    let denied = format!("<DeleteResult>{}</DeleteResult>", failed("a", "AccessDenied"));
    proxy.on(1, is_delete, Fault::Answer(200, denied));
    let deleted = bucket.delete(["a", "a"]).await.unwrap();
    assert_eq!((deleted.gone, deleted.failed.len()), (0, 2), "{deleted:?}");

    let foreign = format!("<DeleteResult>{}</DeleteResult>", failed("z", "AccessDenied"));
    proxy.on(9, is_delete, Fault::Answer(200, foreign));
    let error = bucket.delete(["a"]).await.unwrap_err();
    assert!(error.to_string().contains("a key that was never sent"), "{error}");

    // An error of the keys ends it after what came before.
    let keys = stream::iter([Ok("c".to_owned()), Err(Error::new(Kind::Bug, "no more"))]);
    let denied = format!("<DeleteResult>{}</DeleteResult>", failed("c", "AccessDenied"));
    let proxy = Proxy::start(&server.endpoint());
    proxy.on(1, is_delete, Fault::Answer(200, denied));
    let bucket = unmade(&proxy.endpoint(), "my-bucket").await;
    let outcomes: Vec<_> = bucket.delete_stream(keys).collect().await;
    let [Ok((key, Err(_))), Err(last)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!((key.as_str(), last.kind()), ("c", Kind::Bug));
}

#[tokio::test]
async fn objects_are_copied_and_moved_with_what_they_have() {
    for server in both() {
        let from = bucket(&server.endpoint(), "my-bucket").await;
        let to = bucket(&server.endpoint(), "other-bucket").await;
        let options = Put { content_type: Some("text/x".to_owned()), ..Put::new() };
        let key = "a b/ä+?&.txt";
        from.put(key, "hello", &options.metadata("by", "me")).await.unwrap();
        from.copy(key, &to.path("copy"), &Put::new()).await.unwrap();
        let facts = to.head("copy").await.unwrap();
        assert_eq!((facts.size, facts.content_type.as_deref()), (5, Some("text/x")));
        assert_eq!(facts.metadata["by"], "me");
        from.move_to(key, &Path::new("other-bucket", "moved"), &Put::new().metadata("by", "you"))
            .await
            .unwrap();
        assert_eq!(to.text("moved", "utf-8").await.unwrap(), "hello");
        assert_eq!(to.head("moved").await.unwrap().metadata["by"], "you");
        assert!(!from.exists(key).await.unwrap());
        let error = to.move_to("moved", &to.path("moved"), &Put::new()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(to.exists("moved").await.unwrap(), "a move onto itself loses nothing");
        let error = from.copy("missing", &to.path("x"), &Put::new()).await.unwrap_err();
        assert!(error.to_string().contains("there is no object s3://my-bucket/missing"), "{error}");
    }
}

#[tokio::test]
async fn buckets_are_made_listed_and_deleted() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let endpoint_url = Some(proxy.endpoint());
    let settings = config::Aws { endpoint_url, sealed: true, ..config::Aws::default() };
    let aws = Aws::new().with(settings);
    for region in ["us-east-1", "eu-west-1"] {
        let client = aws.s3(region).await.unwrap();
        let bucket = Bucket::new(client.clone(), format!("of-{region}"));
        assert!(!bucket.is_there().await.unwrap());
        assert!(bucket.create().await.unwrap(), "made");
        assert!(!bucket.create().await.unwrap(), "ours already");
        assert!(bucket.is_there().await.unwrap());
        let own: Vec<String> =
            buckets(&client).map_ok(|bucket| bucket.name).try_collect().await.unwrap();
        assert!(own.contains(&format!("of-{region}")), "{own:?}");
        let body =
            String::from_utf8(proxy.of("CreateBucket").last().unwrap().body.to_vec()).unwrap();
        assert_eq!(
            body.contains("<LocationConstraint>eu-west-1<"),
            region == "eu-west-1",
            "{body}"
        );
        bucket.put("x", "x", &Put::new()).await.unwrap();
        let error = bucket.remove().await.unwrap_err();
        assert!(error.to_string().contains("still holds objects"), "{error}");
        bucket.delete_one("x").await.unwrap();
        assert!(bucket.remove().await.unwrap());
        assert!(!bucket.remove().await.unwrap(), "there was none");
    }
}

/// Reads what we wrote, and writes what we read.
const BOTO: &str = "
import boto3
s3 = boto3.client('s3')
got = s3.get_object(Bucket='my-bucket', Key='ä b', ChecksumMode='ENABLED')
print('found', got['Body'].read().decode('latin1'), got['ContentType'],
      got['Metadata'], got.get('StorageClass'))
s3.put_object(Bucket='my-bucket', Key='theirs', Body=b'from boto', Metadata={'by': 'boto'})
";

#[tokio::test]
async fn boto3_reads_what_is_written_here_and_the_other_way_round() {
    for server in both() {
        let bucket = bucket(&server.endpoint(), "my-bucket").await;
        let options = Put { content_type: Some("text/plain".to_owned()), ..Put::tiered() };
        bucket.put_text("ä b", "grün", "latin1", &options.metadata("by", "us")).await.unwrap();
        let mut boto = program(&venv("python"), ["-c", BOTO])
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("PYTHONIOENCODING", "utf-8")
            .endpoint(&server.endpoint())
            .start();
        assert_eq!(boto.wait(PATIENCE), 0, "{}", boto.output());
        let told = "found grün text/plain {'by': 'us'} INTELLIGENT_TIERING";
        assert!(boto.output().contains(told), "{}", boto.output());
        assert_eq!(bucket.text("theirs", "utf-8").await.unwrap(), "from boto");
        assert_eq!(bucket.head("theirs").await.unwrap().metadata["by"], "boto");
    }
}

#[tokio::test]
async fn a_presigned_address_needs_no_credentials_and_lives_a_week_at_most() {
    for server in both() {
        let bucket = bucket(&server.endpoint(), "my-bucket").await;
        bucket.put("a b.txt", "hello", &Put::new()).await.unwrap();
        let day = longshore::toolkit::s3::PRESIGN_FOR;
        let url = bucket.presign_get("a b.txt", day).await.unwrap();
        assert!(url.contains("X-Amz-Expires=86400"), "{url}");
        let read = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read())";
        let mut reader = program(&venv("python"), ["-c", read, &url]).start();
        assert_eq!(reader.wait(PATIENCE), 0, "{}", reader.output());
        assert!(reader.output().contains("b'hello'"), "{}", reader.output());
        assert!(bucket.presign_put("x", day).await.unwrap().contains("/my-bucket/x?"));
        for wrong in [Duration::ZERO, Duration::from_secs(7 * 86_400 + 1)] {
            let error = bucket.presign_get("x", wrong).await.unwrap_err();
            assert!(error.to_string().contains("1 s to 7 days"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_address_is_of_the_region_or_of_the_endpoint() {
    let credentials = Some(credentials());
    let aws = Aws::new().with(config::Aws { credentials, ..config::Aws::default() });
    for region in ["us-east-1", "eu-west-1"] {
        let client = aws.s3(region).await.unwrap();
        let url = Bucket::new(client, "my-bucket").url("a b/ä+c.txt").await.unwrap();
        let expected = format!("https://my-bucket.s3.{region}.amazonaws.com/a%20b/%C3%A4%2Bc.txt");
        assert_eq!(url, expected);
    }
    let own = unmade("http://127.0.0.1:4566", "my-bucket").await;
    assert_eq!(own.url("k").await.unwrap(), "http://127.0.0.1:4566/my-bucket/k");
}
