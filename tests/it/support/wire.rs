//! A small HTTP/1.1 server on a thread and a runtime of its own, and one forwarded request.
//!
//! A service that returns `Err(Cut)` closes the connection without a reply. A client that goes away
//! drops the service's future: that is how the proxy sees a poll that was given up.

use super::{PATIENCE, eventually};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{CONNECTION, EXPECT, TRANSFER_ENCODING},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::JoinSet,
};

/// The reply of a service.
pub(crate) type Reply = Response<Full<Bytes>>;

/// Close the connection without a reply.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the connection was cut on purpose")
    }
}

impl std::error::Error for Cut {}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Up,
    Down,
    Over,
}

/// A running server; dropping it closes its port and every connection.
pub(crate) struct Server {
    address: SocketAddr,
    state: watch::Sender<State>,
    /// Bound and never listening: while the server is down, its port is given to nobody else.
    _place: TcpSocket,
}

impl Server {
    /// Binds a free loopback port and serves it.
    pub(crate) fn start<S, F>(service: S) -> Server
    where
        S: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Reply, Cut>> + Send + 'static,
    {
        let place = bound((Ipv4Addr::LOCALHOST, 0).into());
        let address = place.local_addr().unwrap();
        let (state, changes) = watch::channel(State::Up);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = {
            let _inside = runtime.enter();
            listen(address)
        };
        std::thread::spawn(move || {
            runtime.block_on(serve(address, listener, changes, Arc::new(service)));
        });
        Server { address, state, _place: place }
    }

    /// Where its clients send their requests.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes the port and every connection; returns when connecting is refused.
    pub(crate) fn down(&self) {
        self.state.send_replace(State::Down);
        eventually("a refused connection", PATIENCE, || TcpStream::connect(self.address).is_err());
    }

    /// Opens the same port again; returns when it answers.
    pub(crate) fn up(&self) {
        self.state.send_replace(State::Up);
        eventually("an open port", PATIENCE, || TcpStream::connect(self.address).is_ok());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.send_replace(State::Over);
    }
}

/// A socket at this address, beside others that do not listen.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

fn listen(address: SocketAddr) -> TcpListener {
    bound(address).listen(1_024).unwrap()
}

async fn serve<S, F>(
    address: SocketAddr,
    listener: TcpListener,
    mut changes: watch::Receiver<State>,
    service: Arc<S>,
) where
    S: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Cut>> + Send + 'static,
{
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let state = *changes.borrow_and_update();
        match state {
            State::Up if listener.is_none() => {
                listener = Some(listen(address));
            }
            State::Up => {}
            State::Down => {
                listener = None;
                connections = JoinSet::new();
            }
            State::Over => return,
        }
        tokio::select! {
            told = changes.changed() => if told.is_err() { return },
            accepted = accept(listener.as_ref()) => {
                let service = Arc::clone(&service);
                let answer = service_fn(move |request| service(request));
                connections.spawn(async move {
                    // A cut or abandoned connection is an error here and a fact elsewhere.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(accepted), answer).await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> tokio::net::TcpStream {
    match listener {
        Some(listener) => listener.accept().await.unwrap().0,
        None => std::future::pending().await,
    }
}

/// Sends one request to `upstream` (`host:port`) over a connection of its own.
pub(crate) async fn forward(upstream: &str, request: Request<Full<Bytes>>) -> Result<Reply, Cut> {
    let stream = tokio::net::TcpStream::connect(upstream).await.map_err(|_| Cut)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| Cut)?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let (mut head, body) = request.into_parts();
    for name in [CONNECTION, EXPECT, TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    let reply = sender.send_request(Request::from_parts(head, body)).await.map_err(|_| Cut)?;
    let (mut head, body) = reply.into_parts();
    for name in [CONNECTION, TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    Ok(Response::from_parts(head, Full::new(body)))
}
