//! Requests that nobody answers: told of while they wait, and given up before a person would.
//!
//! For programs that somebody waits for. A daemon tries on; a script wants an end.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::config_bag::ConfigBag;
use tokio::time::timeout;

/// After so long without an answer it is told who is waited for: before a connection that nobody
/// takes is given up.
const TOLD_AFTER: Duration = Duration::from_secs(4);
/// So long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// So long where the last request there was left without one.
const LITTLE_PATIENCE: Duration = Duration::from_secs(2);
/// A larger body takes the time that the line takes for it.
const SMALL: u64 = 64 << 10;

/// Told once of the first endpoint that leaves a request without an answer, and how long it is
/// waited for.
type Tell = dyn Fn(&str, Duration) + Send + Sync;

/// Watches over the requests of a process. Clones share what they saw.
#[derive(Clone)]
pub(super) struct Silence {
    tell: Arc<Tell>,
    is_told: Arc<AtomicBool>,
    /// Who left the last request without an answer.
    silent: Arc<Mutex<Option<String>>>,
}

impl Silence {
    pub(super) fn new(tell: impl Fn(&str, Duration) + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell), is_told: Arc::default(), silent: Arc::default() }
    }

    /// The same client, watched over.
    pub(super) fn over(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Watched { client, silence: self.clone() })
    }

    fn note(&self, whom: &str, answered: bool) {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if !answered {
            *silent = Some(whom.to_owned());
        } else if silent.as_deref() == Some(whom) {
            *silent = None;
        }
    }

    fn patience(&self, whom: &str) -> Duration {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.as_deref() == Some(whom) { LITTLE_PATIENCE } else { PATIENCE }
    }

    async fn answer(self, whom: String, answer: HttpConnectorFuture) -> Answer {
        let mut answer = pin!(of(&whom, answer));
        let patience = self.patience(&whom);
        let mut waited = timeout(patience.min(TOLD_AFTER), &mut answer).await;
        if waited.is_err() && patience > TOLD_AFTER {
            if !self.is_told.swap(true, Ordering::Relaxed) {
                (self.tell)(&whom, PATIENCE);
            }
            waited = timeout(patience.saturating_sub(TOLD_AFTER), answer).await;
        }
        let answer = waited.unwrap_or_else(|_late| {
            let told = format!("no answer from {whom} within {} s", patience.as_secs());
            Err(ConnectorError::timeout(told.into()))
        });
        self.note(&whom, !answer.as_ref().is_err_and(ConnectorError::is_timeout));
        answer
    }
}

/// A connection that nobody takes tells who it was that did not; its innermost cause tells how long.
async fn of(whom: &str, answer: HttpConnectorFuture) -> Answer {
    answer.await.map_err(|error| {
        if !error.is_timeout() {
            return error;
        }
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        ConnectorError::timeout(format!("no answer from {whom}: {cause}").into())
    })
}

type Answer = Result<aws_smithy_runtime_api::client::orchestrator::HttpResponse, ConnectorError>;

impl fmt::Debug for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Silence")
    }
}

#[derive(Debug)]
struct Watched {
    client: SharedHttpClient,
    silence: Silence,
}

impl HttpClient for Watched {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(Line { connector, silence: self.silence.clone() })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        bag: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.client.validate_base_client_config(components, bag)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        bag: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.client.validate_final_config(components, bag)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.client.connector_metadata()
    }
}

#[derive(Debug)]
struct Line {
    connector: SharedHttpConnector,
    silence: Silence,
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (is_quick, whom) = (is_quick(&request), origin(request.uri()));
        let answer = self.connector.call(request);
        match whom {
            Some(whom) if is_quick => {
                HttpConnectorFuture::new(self.silence.clone().answer(whom, answer))
            }
            Some(whom) => HttpConnectorFuture::new(async move { of(&whom, answer).await }),
            None => answer,
        }
    }
}

/// True where an answer comes at once unless something is wrong. A receive waits for messages, a
/// function runs, a copy or the end of an upload in parts moves bytes, a large body is on its way.
fn is_quick(request: &HttpRequest) -> bool {
    let (headers, uri) = (request.headers(), request.uri());
    let path = uri.split('?').next().unwrap_or(uri);
    let receives = headers.get("x-amz-target").is_some_and(|to| to.ends_with(".ReceiveMessage"));
    let copies = headers.get("x-amz-copy-source").is_some();
    let ends_parts = request.method() == "POST" && uri.contains("uploadId=");
    let is_small = request.body().content_length().is_some_and(|bytes| bytes <= SMALL);
    is_small && !(receives || copies || ends_parts || path.ends_with("/invocations"))
}

/// `https://sqs.us-east-1.amazonaws.com`, of what is asked there.
fn origin(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    let host = rest.split(['/', '?']).next()?;
    Some(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests;
