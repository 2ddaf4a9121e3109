use std::sync::atomic::AtomicUsize;

use aws_smithy_runtime_api::client::http::http_client_fn;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use tokio::time::Instant;

use super::*;
use crate::again::again;
use crate::aws::Aws;
use crate::aws::fault::fault;
use crate::config;
use crate::error::{Error, Kind};

/// Takes every request, and answers the first so many after so long.
#[derive(Debug, Clone)]
struct Endpoint {
    answers: usize,
    after: Duration,
    asked: Arc<AtomicUsize>,
}

impl HttpConnector for Endpoint {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        let is_answered = self.asked.fetch_add(1, Ordering::Relaxed) < self.answers;
        let after = self.after;
        HttpConnectorFuture::new(async move {
            if !is_answered {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(after).await;
            let queue = r#"{"QueueUrl": "http://127.0.0.1:9/000000000000/orders", "Messages": []}"#;
            Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::from(queue)))
        })
    }
}

/// Takes no connection, and says nothing of that.
#[derive(Debug, Clone)]
struct Nobody;

impl HttpConnector for Nobody {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let cause = Error::new(Kind::Unreachable, "client error (Connect)");
            let cause = cause.because("HTTP connect timeout occurred after 5s");
            Err(ConnectorError::timeout(cause.into()))
        })
    }
}

/// A client that asks it, and what was told.
async fn client(answers: usize, after: u64) -> (aws_sdk_sqs::Client, Arc<Mutex<Vec<String>>>) {
    let after = Duration::from_secs(after);
    client_of(Endpoint { answers, after, asked: Arc::default() }).await
}

async fn client_of<C: HttpConnector + Clone + 'static>(
    endpoint: C,
) -> (aws_sdk_sqs::Client, Arc<Mutex<Vec<String>>>) {
    let http = http_client_fn(move |_, _| SharedHttpConnector::new(endpoint.clone()));
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let aws = Aws::through(http).on_silence(move |whom, patience| {
        tell.lock().unwrap().push(format!("{whom} {}", patience.as_secs()));
    });
    let endpoint_url = Some("http://127.0.0.1:9".to_owned());
    let settings = config::Aws { endpoint_url, sealed: true, ..config::Aws::default() };
    (aws.connect(&settings).await.unwrap().sqs, told)
}

async fn ask(client: &aws_sdk_sqs::Client) -> Result<(), Error> {
    let asked = client.get_queue_url().queue_name("orders").send().await;
    asked.map(drop).map_err(|error| fault("looking up queue orders", error))
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_told_of_once_and_given_up() {
    let (client, told) = client(0, 0).await;
    let began = Instant::now();
    let error = again(|| ask(&client)).await.unwrap_err();
    assert_eq!(*told.lock().unwrap(), ["http://127.0.0.1:9 20"]);
    assert_eq!((error.kind(), error.exit_code()), (Kind::Transient, 69));
    assert_eq!(
        error.to_string(),
        "looking up queue orders: no answer from http://127.0.0.1:9 within 2 s"
    );
    let took = began.elapsed();
    assert!(took > PATIENCE && took < Duration::from_secs(40), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_takes_no_connection_is_told_of_and_named() {
    let (client, told) = client_of(Nobody).await;
    let began = Instant::now();
    let error = ask(&client).await.unwrap_err();
    assert_eq!(*told.lock().unwrap(), ["http://127.0.0.1:9 20"], "before the connection ends");
    assert_eq!(
        error.to_string(),
        "looking up queue orders: no answer from http://127.0.0.1:9: \
         HTTP connect timeout occurred after 5s"
    );
    assert_eq!((error.kind(), error.exit_code()), (Kind::Transient, 69));
    ask(&client).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 7, "the second one is given 2 s");

    let receive = client.receive_message().queue_url("http://127.0.0.1:9/000000000000/orders");
    let error = fault("receiving", receive.send().await.unwrap_err());
    assert!(error.to_string().contains("no answer from http://127.0.0.1:9: HTTP"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_late_is_told_of_and_taken() {
    let (client, told) = client(9, 15).await;
    ask(&client).await.unwrap();
    ask(&client).await.unwrap();
    assert_eq!(told.lock().unwrap().len(), 1);
    let (client, told) = self::client(9, 3).await;
    ask(&client).await.unwrap();
    assert!(told.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_to_wait_may_wait() {
    let (client, told) = client(9, 25).await;
    let receive = client.receive_message().queue_url("http://127.0.0.1:9/000000000000/orders");
    receive.send().await.unwrap();
    assert!(told.lock().unwrap().is_empty());
}

#[test]
fn an_answer_gives_back_the_patience() {
    let silence = Silence::new(|_, _| ());
    silence.note("http://a", false);
    assert_eq!(silence.patience("http://a"), LITTLE_PATIENCE);
    assert_eq!(silence.patience("http://b"), PATIENCE);
    silence.note("http://b", true);
    assert_eq!(silence.patience("http://a"), LITTLE_PATIENCE);
    silence.note("http://a", true);
    assert_eq!(silence.patience("http://a"), PATIENCE);
}

#[test]
fn the_origin_is_what_is_told() {
    let of = |uri| origin(uri).unwrap();
    assert_eq!(of("http://127.0.0.1:9/a/b?c"), "http://127.0.0.1:9");
    assert_eq!(of("https://sqs.us-east-1.amazonaws.com"), "https://sqs.us-east-1.amazonaws.com");
    assert_eq!(origin("/a"), None);
}
