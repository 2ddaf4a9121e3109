use super::*;

#[test]
fn queues_are_named_by_name_url_or_arn() {
    let read = |text: &str| {
        QueueAddress::read(text).map(|a| (a.name().to_owned(), a.region().map(str::to_owned)))
    };
    let with = |name: &str, region: &str| Ok((name.to_owned(), Some(region.to_owned())));
    assert_eq!(read("orders.fifo"), Ok(("orders.fifo".to_owned(), None)));
    assert_eq!(read("arn:aws-cn:sqs:cn-north-1:123456789012:a_b"), with("a_b", "cn-north-1"));
    for host in [
        "sqs.eu-west-1.amazonaws.com",
        "eu-west-1.queue.amazonaws.com",
        "sqs-fips.eu-west-1.amazonaws.com",
        "vpce-0a1b.sqs.eu-west-1.vpce.amazonaws.com",
        "sqs.eu-west-1.api.aws",
    ] {
        assert_eq!(
            read(&format!("https://{host}/123456789012/q")),
            with("q", "eu-west-1"),
            "{host}"
        );
    }
    assert_eq!(read("https://queue.amazonaws.com/123456789012/q"), with("q", "us-east-1"));
    assert_eq!(read("http://localhost:4566/000000000000/q"), Ok(("q".to_owned(), None)));
    let long = "x".repeat(81);
    for wrong in [
        "",
        "a b",
        ".fifo",
        "a.b",
        &long,
        "arn:aws:sns:us-east-1:123456789012:topic",
        "arn:aws:sqs:us-east-1:12345:q",
        "arn:aws:sqs::123456789012:q",
        "http://localhost:4566/",
        "ftp://host/q",
    ] {
        assert!(QueueAddress::read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn buckets_of_today_and_of_2012() {
    for right in
        ["my-bucket", "a.b.c", "Old_Bucket", "arn:aws:s3:us-west-2:123456789012:accesspoint/p"]
    {
        assert!(bucket(right).is_ok(), "{right}");
    }
    for wrong in ["", "ab", "s3://my-bucket", "my-bucket/prefix", "a b c"] {
        assert!(bucket(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn loopback_is_told_from_the_rest() {
    for near in [
        "http://127.0.0.1:1/",
        "http://127.9.9.9/",
        "http://[::1]/",
        "http://localhost/",
        "https://a.localhost/",
        "http://[::ffff:127.0.0.1]/",
    ] {
        assert!(is_loopback(near), "{near}");
    }
    for far in [
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://[2001:db8::1]/",
        "x",
    ] {
        assert!(!is_loopback(far), "{far}");
    }
}

#[test]
fn attributes_and_their_patterns() {
    for right in ["All", ".*", "shop.*", "a-b_c.d"] {
        assert!(attribute_pattern(right).is_ok(), "{right}");
    }
    for wrong in ["", "*", "a*", "aws.x", "AMAZON.x", ".a", "a..b", "a b", "ü"] {
        assert!(attribute_pattern(wrong).is_err(), "{wrong}");
    }
    assert!(covers("All", "x") && covers(".*", "x") && covers("x", "x") && covers("sh.*", "shop"));
    assert!(!covers("y", "x") && !covers("shop.*", "sh"));
}

#[test]
fn the_closest_name_is_suggested_only_when_it_is_close() {
    let names = ["directory", "bucket", "poll_interval"];
    assert_eq!(closest("direcotry", &names), Some("directory"));
    assert_eq!(closest("poll-interval", &names), Some("poll_interval"));
    assert_eq!(closest("Bucket", &names), Some("bucket"));
    assert_eq!(closest("colour", &names), None);
}
