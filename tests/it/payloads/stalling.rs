//! An S3 that stalls while a body is fetched: the message is retried, after a time that is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use longshore::worker::Report;
use tokio::time::{Instant, sleep};

use super::wrap::{CLASSES, MARKERS, Parcel, pointer};
use super::{BUCKET, Bench, steps};

/// How the first fetch goes wrong; the second goes well.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// No answer ever.
    Silent,
    /// The first byte, and then nothing more.
    Stalls,
    /// One byte after each such time.
    Trickles(Duration),
}

#[derive(Debug, Clone)]
struct Troubled {
    below: SharedHttpClient,
    trouble: Trouble,
    is_over: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Connector {
    below: SharedHttpConnector,
    troubled: Troubled,
}

impl HttpClient for Troubled {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let below = self.below.http_connector(settings, components);
        SharedHttpConnector::new(Connector { below, troubled: self.clone() })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_fetch = request.method() == "GET" && request.uri().contains(&format!("/{BUCKET}/"));
        let answer = self.below.call(request);
        if !is_fetch || self.troubled.is_over.swap(true, Ordering::SeqCst) {
            return answer;
        }
        let trouble = self.troubled.trouble;
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            if matches!(trouble, Trouble::Silent) {
                return std::future::pending().await;
            }
            let whole = answer.take_body().collect().await.unwrap().to_bytes();
            let bytes = futures_util::stream::unfold((0, whole), move |(at, whole)| async move {
                match trouble {
                    Trouble::Trickles(pause) => sleep(pause).await,
                    Trouble::Stalls if at == 0 => {}
                    Trouble::Stalls | Trouble::Silent => std::future::pending().await,
                }
                let byte = (at < whole.len()).then(|| whole.slice(at..=at))?;
                Some((Ok::<_, std::io::Error>(Frame::data(byte)), (at + 1, whole)))
            });
            *answer.body_mut() = SdkBody::from_body_1_x(StreamBody::new(Box::pin(bytes.fuse())));
            Ok(answer)
        })
    }
}

/// What became of one message whose body is fetched so, and how long that took.
async fn fetched(trouble: Trouble, handler_timeout: Duration) -> (Report, Duration) {
    let mut bench = Bench::new().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let troubled = Troubled { below: bench.local.http_client(), trouble, is_over };
    bench.http = SharedHttpClient::new(troubled);
    bench.queue("q", steps(&["pointer"]));
    bench.queues.get_mut("q").unwrap().handler_timeout = handler_timeout;
    let body = "a body of some thirty-odd bytes";
    bench.put("k", body.into()).await;
    let size = body.len().to_string();
    bench.send("q", &Parcel::of(pointer(CLASSES[0], "k")).with(MARKERS[0], "Number", &size)).await;
    let began = Instant::now();
    let running = bench.start();
    bench.until_empty().await;
    let took = began.elapsed();
    let got = bench.got("q");
    assert_eq!(got.len(), 1, "{trouble:?}");
    assert_eq!((got[0].body.as_text(), got[0].receive_count()), (Some(body), 2), "{trouble:?}");
    assert!(bench.dead_letters().await.is_empty(), "{trouble:?}");
    (bench.stop(running).await, took)
}

/// The first retry comes after about a second; the rest is room for polls.
const RETRY: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_fetch_that_stalls_is_given_up_and_the_message_retried() {
    for trouble in [Trouble::Stalls, Trouble::Silent] {
        let (report, took) = fetched(trouble, Duration::from_mins(30)).await;
        let report = &report.queues["q"];
        assert_eq!((report.retried, report.done, report.rejected), (1, 1, 0), "{trouble:?}");
        let given_up = Duration::from_secs(30);
        assert!(took >= given_up && took < given_up + RETRY, "{trouble:?}: {took:?}");
    }
}

/// Something comes all the time, so nothing stalls; but it would take ten minutes.
#[tokio::test(start_paused = true)]
async fn unpacking_takes_no_longer_than_a_handler_may() {
    let timeout = Duration::from_secs(90);
    let (report, took) = fetched(Trouble::Trickles(Duration::from_secs(20)), timeout).await;
    let report = &report.queues["q"];
    assert_eq!((report.retried, report.done, report.rejected), (1, 1, 0));
    assert!(took >= timeout && took < timeout + RETRY, "{took:?}");
}
