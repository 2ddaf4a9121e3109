//! What a running daemon answers when it is asked: `/live`, `/ready`, `/metrics`.

use std::future::Future;
use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use crate::error::{Error, Kind, Result};
use crate::telemetry::health::Readiness;
use crate::telemetry::metrics;

/// The listener, bound and not yet served.
#[derive(Debug)]
pub struct Status {
    listener: TcpListener,
    router: Router,
}

impl Status {
    /// Binds the address and installs the recorder behind `/metrics`.
    ///
    /// # Errors
    /// [`Kind::Busy`] where the address is taken; [`Kind::Settings`] where it is not this host's,
    /// or the program has a metrics recorder of its own.
    pub async fn bind(address: SocketAddr, readiness: Readiness) -> Result<Self> {
        let metrics = metrics::install()?;
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let taken = error.kind() == std::io::ErrorKind::AddrInUse;
            let kind = if taken { Kind::Busy } else { Kind::Settings };
            Error::new(kind, format!("listening on {address} ([status] listen)"))
                .because(error)
                .hint("choose another address, or end what listens there")
        })?;
        Ok(Self { listener, router: router(readiness, metrics) })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|error| {
            Error::new(Kind::Bug, "reading the address of the status listener").because(error)
        })
    }

    /// Answers until `stop`, and finishes what it is answering by then.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) {
        let served = axum::serve(self.listener, self.router).with_graceful_shutdown(stop).await;
        if let Err(error) = served {
            tracing::error!(%error, "status listener ended");
        }
    }
}

fn router(readiness: Readiness, metrics: PrometheusHandle) -> Router {
    let ready = move || {
        let missing = readiness.missing();
        async move {
            if missing.is_empty() {
                (StatusCode::OK, "ready\n".to_owned())
            } else {
                let waiting = format!("waiting for {}\n", missing.join(", "));
                (StatusCode::SERVICE_UNAVAILABLE, waiting)
            }
        }
    };
    let show = move || {
        let text = metrics::show(&metrics);
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(show))
}
