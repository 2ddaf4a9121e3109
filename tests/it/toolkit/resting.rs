//! What no emulator has: the minute that SQS wants between a delete and a create, and between two
//! purges. The answers are SQS's own.

use crate::support::{
    daemon::longshore,
    emulator::embedded,
    proxy::{Fault, Proxy},
};
use std::time::{Duration, Instant};

fn refusal(code: &str) -> Fault {
    let body =
        format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"You must wait 60 seconds."}}"#);
    Fault::Answer(400, body)
}

#[test]
fn the_minute_of_sqs_is_waited_out_and_said() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    for (operation, code) in
        [("CreateQueue", "QueueDeletedRecently"), ("PurgeQueue", "PurgeQueueInProgress")]
    {
        proxy.on(1, move |seen| seen.operation() == operation, refusal(code));
    }
    let endpoint = proxy.endpoint();
    for args in [
        ["sqs", "create", "orders", "--endpoint-url", &endpoint, "--json"],
        ["sqs", "purge", "orders", "--endpoint-url", &endpoint, "--yes"],
    ] {
        let began = Instant::now();
        longshore(args).finish().expect(0, &["less than 60 s ago", "waited out", "orders"]);
        assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    }
    assert_eq!((proxy.of("CreateQueue").len(), proxy.of("PurgeQueue").len()), (2, 2));
}
