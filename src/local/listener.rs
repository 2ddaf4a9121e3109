//! The port: HTTP/1.1 on 127.0.0.1 and nowhere else, with a bounded number of connections.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::STOP_BOUND;
use super::door::Door;
use crate::error::{Error, Kind, Result};

/// Further connections wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 1_024;
const PORTS_TO_TRY: u16 = 100;

/// Binds the port, or the first free one above it.
pub(super) async fn bind(port: u16, next_free: bool) -> Result<TcpListener> {
    let last = if next_free { port.saturating_add(PORTS_TO_TRY) } else { port };
    let mut taken = None;
    for candidate in port..=last {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, candidate)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => taken = Some(error),
        }
    }
    let error = Error::new(Kind::Busy, format!("listening on 127.0.0.1:{port}"))
        .hint("another program holds the port; choose another one");
    Err(match taken {
        Some(source) => error.because(source),
        None => error,
    })
}

/// Accepts and serves until `stopping`, then waits for the connections within a bound.
pub(super) async fn serve(listener: TcpListener, door: Arc<Door>, stopping: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MOST_CONNECTIONS {
            tokio::select! {
                _ = connections.join_next() => continue,
                () = stopping.cancelled() => break,
            }
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&door), stopping.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "embedded aws could not accept a connection");
                    // Out of descriptors: give others time to close theirs.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stopping.cancelled() => break,
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_BOUND, ended).await.is_err() {
        connections.shutdown().await;
    }
}

async fn converse(stream: TcpStream, door: Arc<Door>, stopping: CancellationToken) {
    // Small answers go out at once; a failure here only costs time.
    drop(stream.set_nodelay(true));
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer(request.map(s3s::Body::from)).await) }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection to the embedded aws broke");
    }
}
