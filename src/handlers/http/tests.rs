//! Real requests to servers on the loopback: axum where the answer is proper HTTP, bare sockets
//! where it is not.

use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::post as on_post;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::handlers::samples;

mod connections;

/// For what takes a moment, on a machine that is busy with other things.
const LONG: Duration = Duration::from_mins(1);

/// A server that ends with the test.
struct Server {
    origin: String,
    _tasks: JoinSet<()>,
}

async fn serve(router: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Server { origin, _tasks: tasks }
}

/// A server that does with each connection, after the request has come, what it is told.
async fn serve_bare<F: Future<Output = ()> + Send + 'static>(
    act: impl Fn(TcpStream) -> F + Send + 'static,
) -> (Server, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"the body") {
                if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            seen.lock().unwrap().push(String::from_utf8(request).unwrap());
            act(stream).await;
        }
    });
    (Server { origin, _tasks: tasks }, requests)
}

fn handler(url: &str) -> BoxHandler {
    let settings =
        config::Http { url: url.to_owned(), content_type: "application/json".to_owned() };
    build(&settings, "test").unwrap()
}

async fn verdict(url: &str) -> Verdict {
    let (delivery, _keeper) = samples::delivery(samples::message("the body"));
    let verdict = handler(url).call(delivery);
    tokio::time::timeout(LONG, verdict).await.expect("an end")
}

fn retries(verdict: Verdict) -> (Option<Duration>, String) {
    match verdict {
        Ok(Outcome::Retry { after, reason }) => (after, reason),
        other => panic!("not a retry: {other:?}"),
    }
}

async fn reply(mut stream: TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_request_is_the_one_of_sqsd() {
    let (server, requests) =
        serve_bare(|stream| reply(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await;
    assert_eq!(verdict(&format!("{}/orders?a=b", server.origin)).await, Ok(Outcome::Done));
    let request = requests.lock().unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "the body");
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /orders?a=b HTTP/1.1");
    lines.sort_unstable();
    let host = format!("Host: {}", server.origin.trim_start_matches("http://"));
    let agent = format!("User-Agent: {USER_AGENT}");
    let wanted = [
        "Accept: */*",
        "Content-Length: 8",
        "Content-Type: application/json",
        &host,
        &agent,
        "X-Aws-Sqsd-Attr-Size.cm: 12.5",
        "X-Aws-Sqsd-Attr-Tint: red",
        "X-Aws-Sqsd-First-Received-At: 2012-06-14T09:30:05Z",
        "X-Aws-Sqsd-Msgid: 5fea7756-0ea4-451a-a703-a558b933e274",
        "X-Aws-Sqsd-Path: /orders",
        "X-Aws-Sqsd-Queue: orders",
        "X-Aws-Sqsd-Receive-Count: 3",
        "X-Aws-Sqsd-Sender-Id: AIDAEXAMPLE",
        "X-Aws-Sqsd-Sent-At: 2012-06-14T09:30:00Z",
        "X-Longshore-Omitted: raw",
    ];
    assert_eq!(lines, wanted);
}

#[tokio::test]
async fn a_body_in_a_file_is_streamed_with_its_length() {
    let (server, requests) =
        serve_bare(|stream| reply(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await;
    let text = format!("{}the body", "x".repeat(300_000));
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    let mut message = samples::message("");
    message.body = Body::of_file(file, u64::try_from(text.len()).unwrap());
    let (delivery, _keeper) = samples::delivery(message);
    assert_eq!(handler(&server.origin).call(delivery).await, Ok(Outcome::Done));
    let request = requests.lock().unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(body == text, "{} bytes", body.len());
    assert!(head.contains("\r\nContent-Length: 300008"), "{head}");
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn every_status_has_its_outcome() {
    let router = Router::new().route(
        "/{status}",
        on_post(|Path(status): Path<u16>, body: Bytes| async move {
            assert_eq!(body, "the body");
            let location = [("Location", "/200")];
            (StatusCode::from_u16(status).unwrap(), location, "ignored").into_response()
        }),
    );
    let server = serve(router).await;
    for status in 200..600 {
        let got = verdict(&format!("{}/{status}", server.origin)).await;
        if status < 300 {
            assert_eq!(got, Ok(Outcome::Done), "{status}");
            continue;
        }
        let (after, reason) = retries(got);
        assert_eq!(after, None);
        let told = format!("{}/{status} answered {status} ", server.origin);
        assert!(reason.starts_with(&told), "{reason}");
        assert_eq!(reason.ends_with("(redirects are not followed)"), status < 400, "{reason}");
    }
}

#[tokio::test]
async fn retry_after_is_honoured_where_it_has_a_meaning() {
    let router = Router::new().route(
        "/{status}/{when}",
        on_post(|Path((status, when)): Path<(u16, String)>| async move {
            (StatusCode::from_u16(status).unwrap(), [("Retry-After", when)])
        }),
    );
    let server = serve(router).await;
    let cases = [
        ("429/7", Some(7)),
        ("503/0", Some(0)),
        ("503/999999", Some(43_200)),
        ("429/soon", None),
        ("500/7", None),
        ("302/7", None),
    ];
    for (path, seconds) in cases {
        let (after, _) = retries(verdict(&format!("{}/{path}", server.origin)).await);
        assert_eq!(after, seconds.map(Duration::from_secs), "{path}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let after = |text| retry_after(text, now);
    assert_eq!(after(" 120 "), Some(Duration::from_mins(2)));
    assert_eq!(after("99999999999999999999999"), Some(RETRY_AFTER_MAX));
    assert_eq!(after("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_mins(1)));
    assert_eq!(after("Sun, 06 Nov 1994 08:49:36 GMT"), Some(Duration::ZERO));
    assert_eq!(after("Sat, 06 Nov 2094 08:49:37 GMT"), Some(RETRY_AFTER_MAX));
    for garbage in ["", "-1", "1.5", "1e3", "soon", "+7"] {
        assert_eq!(after(garbage), None, "{garbage}");
    }
}

#[test]
fn loopback_is_known_by_every_name() {
    let is = |url| is_loopback(&Url::parse(url).unwrap());
    for url in ["http://localhost/", "http://a.localhost:80/", "http://127.9.9.9/", "http://[::1]/"]
    {
        assert!(is(url), "{url}");
    }
    for url in ["http://example.com/", "http://localhost.example.com/", "http://10.0.0.1/"] {
        assert!(!is(url), "{url}");
    }
}

#[test]
fn wrong_settings_are_refused() {
    for (url, content_type) in [
        ("localhost:8080/orders", "text/plain"),
        ("ftp://localhost/", "text/plain"),
        ("", "text/plain"),
        ("http://localhost/", "text/plain\r\nX-Admin: yes"),
    ] {
        let settings = config::Http { url: url.to_owned(), content_type: content_type.to_owned() };
        let error = build(&settings, "orders").unwrap_err();
        assert_eq!(error.kind(), Kind::Settings);
        assert!(error.to_string().contains("orders"), "{error}");
    }
}
