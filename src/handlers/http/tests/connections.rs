//! What becomes of the message where the connection is the trouble.

use tokio_util::sync::CancellationToken;

use super::*;
use crate::handler::Ending;

async fn close(mut stream: TcpStream) {
    stream.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_connected_to_says_nothing_of_the_message() {
    // Ours, and nobody listens there.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = silent.local_addr().unwrap();
    let plain = serve(Router::new()).await;
    let no_tls = plain.origin.replace("http://", "https://");
    for url in [format!("http://{address}/?key=secret"), no_tls] {
        let Err(Unavailable { reason }) = verdict(&url).await else { panic!("connected to {url}") };
        assert!(reason.starts_with("cannot connect to http"), "{reason}");
        assert!(reason.contains("127.0.0.1") && !reason.contains("secret"), "{reason}");
    }
    // A name that no resolver has to be asked about: its first part is too long.
    let nowhere = verdict(&format!("http://{}.localhost/", "x".repeat(64))).await;
    assert!(matches!(nowhere, Err(Unavailable { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn a_server_that_breaks_off_gets_the_message_once_per_run() {
    let (server, requests) = serve_bare(close).await;
    let (after, reason) = retries(verdict(&server.origin).await);
    assert_eq!(after, None);
    assert!(reason.contains("did not answer"), "{reason}");
    assert_eq!(requests.lock().unwrap().len(), 1);

    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let (server, requests) = serve_bare(move |stream| reply(stream, half)).await;
    let (_, reason) = retries(verdict(&server.origin).await);
    assert!(reason.contains("broke off in its answer"), "{reason}");
    assert_eq!(requests.lock().unwrap().len(), 1);

    let (server, _) = serve_bare(|stream| reply(stream, "SSH-2.0-OpenSSH\r\n")).await;
    let (_, reason) = retries(verdict(&server.origin).await);
    assert!(reason.contains("did not answer"), "{reason}");
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    async fn flood(mut stream: TcpStream) {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    }
    let (server, _) = serve_bare(flood).await;
    assert_eq!(verdict(&server.origin).await, Ok(Outcome::Done));
}

#[tokio::test]
async fn a_lost_lease_cuts_the_request() {
    let arrived = CancellationToken::new();
    let gone = CancellationToken::new();
    let (has_arrived, is_gone) = (arrived.clone(), gone.clone());
    let (server, _) = serve_bare(move |mut stream| {
        let (has_arrived, is_gone) = (has_arrived.clone(), is_gone.clone());
        async move {
            has_arrived.cancel();
            // The end of the stream: the client has closed it.
            while stream.read(&mut [0; 64]).await.unwrap_or(0) > 0 {}
            is_gone.cancel();
        }
    })
    .await;
    let (delivery, keeper) = samples::delivery(samples::message("the body"));
    let handler = handler(&server.origin);
    let abort = CancellationToken::new();
    let timeout = Duration::from_mins(1);
    let lose = async {
        arrived.cancelled().await;
        keeper.lose();
    };
    let (ran, ()) = tokio::join!(crate::handler::run(&handler, delivery, timeout, &abort), lose);
    assert_eq!(ran.ending, Ending::LeaseLost);
    assert_eq!(ran.verdict, Ok(Outcome::retry("the lease was lost")));
    let closed = tokio::time::timeout(LONG, gone.cancelled()).await;
    closed.expect("the connection is closed");
}

#[tokio::test]
async fn connections_are_used_again() {
    let ports = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
    let seen = Arc::clone(&ports);
    let router = Router::new().route(
        "/",
        on_post(
            move |axum::extract::ConnectInfo(peer): axum::extract::ConnectInfo<
                std::net::SocketAddr,
            >| {
                seen.lock().unwrap().insert(peer.port());
                async { "fine" }
            },
        ),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let handler = handler(&format!("http://{}", listener.local_addr().unwrap()));
    let mut tasks = JoinSet::new();
    let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tasks.spawn(async move { axum::serve(listener, service).await.unwrap() });
    for _ in 0..5 {
        let (delivery, _keeper) = samples::delivery(samples::message("the body"));
        assert_eq!(handler.call(delivery).await, Ok(Outcome::Done));
    }
    assert_eq!(ports.lock().unwrap().len(), 1);
}
