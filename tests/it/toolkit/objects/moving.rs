//! Copies and moves of an object that somebody writes meanwhile: what was written stays.

use super::{both, bucket, unmade};
use crate::support::{
    PATIENCE,
    daemon::longshore,
    emulator::{embedded, moto},
    exchange::Exchange,
    proxy::{Fault, Gate, Proxy},
};
use longshore::{
    error::{Error, Kind},
    toolkit::s3::{Bucket, Put},
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The call of this operation that has so many before it.
fn call(operation: &'static str, before: usize) -> impl Fn(&Exchange) -> bool + Send + 'static {
    let seen = AtomicUsize::new(0);
    move |exchange| {
        exchange.operation() == operation && seen.fetch_add(1, Ordering::Relaxed) == before
    }
}

/// What it ends with where the object `k` is written anew while that call is on its way.
async fn overtaken(
    direct: &Bucket,
    proxy: &Proxy,
    held: impl Fn(&Exchange) -> bool + Send + 'static,
    act: impl Future<Output = Result<(), Error>>,
) -> Error {
    let gate = Gate::closed();
    proxy.on(1, held, Fault::Hold(gate.clone()));
    direct.put("k", "older", &Put::new()).await.unwrap();
    let write = async {
        while gate.arrived() == 0 {
            tokio::task::yield_now().await;
        }
        direct.put("k", "new", &Put::new()).await.unwrap();
        gate.open();
    };
    let both = async { tokio::join!(act, write) };
    let (ended, ()) = tokio::time::timeout(PATIENCE, both).await.expect("the call was made");
    assert_eq!(direct.text("k", "utf-8").await.unwrap(), "new", "nothing is lost");
    ended.unwrap_err()
}

#[tokio::test]
async fn a_copy_is_of_the_object_that_was_asked_for() {
    for server in both() {
        let proxy = Proxy::start(&server.endpoint());
        let from = bucket(&server.endpoint(), "my-bucket").await;
        let through = unmade(&proxy.endpoint(), "my-bucket").await;
        let (to, options) = (from.path("to"), Put::new());
        let copy = through.copy("k", &to, &options);
        let error = Box::pin(overtaken(&from, &proxy, call("CopyObject", 0), copy)).await;
        assert_eq!(error.kind(), Kind::Conflict, "{error}");
        assert!(error.to_string().contains("the source was written anew meanwhile"), "{error}");
        assert!(!from.exists("to").await.unwrap(), "no copy of what nobody asked for");
    }
}

#[tokio::test]
async fn what_is_written_during_a_move_is_not_deleted() {
    let [embedded, ministack] = both();
    for server in [embedded, ministack, moto()] {
        let from = bucket(&server.endpoint(), "my-bucket").await;
        // The first question is that of the copy.
        for (operation, before, deletes) in [("HeadObject", 1, 0), ("DeleteObject", 0, 1)] {
            let proxy = Proxy::start(&server.endpoint());
            let through = unmade(&proxy.endpoint(), "my-bucket").await;
            let (to, options) = (from.path("to"), Put::new());
            let moving = through.move_to("k", &to, &options);
            let error = Box::pin(overtaken(&from, &proxy, call(operation, before), moving)).await;
            assert_eq!(error.kind(), Kind::Conflict, "{error}");
            for told in ["deleting s3://my-bucket/k", "written anew meanwhile", "move it again"] {
                assert!(error.to_string().contains(told), "{error}");
            }
            // By its size: moto tells a wrong checksum of a copy.
            assert_eq!(from.head("to").await.unwrap().size, 5, "the older one");
            assert_eq!(proxy.of("DeleteObject").len(), deletes, "{operation}");
        }
    }
}

#[tokio::test]
async fn a_move_whose_delete_got_no_answer_ends_well() {
    for server in both() {
        let proxy = Proxy::start(&server.endpoint());
        proxy.on(1, call("DeleteObject", 0), Fault::CutAfter);
        let from = bucket(&proxy.endpoint(), "my-bucket").await;
        from.put("k", "x", &Put::new()).await.unwrap();
        from.move_to("k", &from.path("to"), &Put::new()).await.unwrap();
        assert_eq!(proxy.of("DeleteObject").len(), 2);
        assert!(!from.exists("k").await.unwrap());
        assert_eq!(from.text("to", "utf-8").await.unwrap(), "x");
    }
}

#[tokio::test]
async fn a_delete_that_meets_another_request_asks_again_what_became_of_it() {
    let server = embedded();
    let answer = "<Error><Code>ConditionalRequestConflict</Code><Message>x</Message></Error>";
    // S3's words for requests at the same time; then the object is the same one, or gone.
    for (after, ends_well) in
        [(None, true), (Some("NoSuchKey"), true), (Some("PreconditionFailed"), false)]
    {
        let proxy = Proxy::start(&server.endpoint());
        proxy.on(1, call("DeleteObject", 0), Fault::Answer(409, answer.to_owned()));
        if let Some(code) = after {
            let status = if code == "NoSuchKey" { 404 } else { 412 };
            let told = answer.replace("ConditionalRequestConflict", code);
            proxy.on(1, call("DeleteObject", 0), Fault::Answer(status, told));
        }
        let from = bucket(&proxy.endpoint(), "my-bucket").await;
        from.put("k", "x", &Put::new()).await.unwrap();
        let moved = from.move_to("k", &from.path("to"), &Put::new()).await;
        assert_eq!(proxy.of("DeleteObject").len(), 2, "{after:?}");
        match moved {
            Ok(()) => assert!(ends_well, "{after:?}"),
            Err(error) => assert!(!ends_well && error.kind() == Kind::Conflict, "{error}"),
        }
    }
}

#[tokio::test]
async fn a_server_without_conditional_deletes_deletes_nothing() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let told = "A header you provided implies functionality that is not implemented";
    let answer = format!("<Error><Code>NotImplemented</Code><Message>{told}</Message></Error>");
    proxy.on(9, |seen| seen.operation() == "DeleteObject", Fault::Answer(501, answer));
    let from = bucket(&proxy.endpoint(), "my-bucket").await;
    from.put("k", "x", &Put::new()).await.unwrap();
    let error = from.move_to("k", &from.path("to"), &Put::new()).await.unwrap_err();
    assert!(error.to_string().contains("delete it by itself when nobody writes"), "{error}");
    assert_eq!(error.exit_code(), 69, "the server said it");
    assert_eq!(proxy.of("DeleteObject").len(), 1, "it would say the same again");
    assert!(from.exists("k").await.unwrap());
}

#[tokio::test]
async fn what_is_written_while_it_is_fetched_to_a_file_is_not_deleted() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let from = bucket(&server.endpoint(), "my-bucket").await;
    let directory = tempfile::tempdir().unwrap();
    let endpoint = proxy.endpoint();
    let moving = tokio::task::spawn_blocking({
        let at = directory.path().to_owned();
        move || {
            longshore(["s3", "mv", "s3://my-bucket/k", "k"]).at(&at).endpoint(&endpoint).finish()
        }
    });
    let moving = async { Err(Error::new(Kind::Conflict, moving.await.unwrap().said())) };
    let error = Box::pin(overtaken(&from, &proxy, call("DeleteObject", 0), moving)).await;
    assert!(error.to_string().contains("written anew meanwhile"), "{error}");
    assert_eq!(std::fs::read_to_string(directory.path().join("k")).unwrap(), "older");
}
