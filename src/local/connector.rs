//! The door without a socket: an HTTP client of the SDK that calls the services directly.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use hyper::Method;

use super::door::Door;

#[derive(Debug, Clone)]
pub(super) struct InProcess {
    door: Arc<Door>,
}

impl InProcess {
    pub(super) fn client(door: &Arc<Door>) -> SharedHttpClient {
        SharedHttpClient::new(Self { door: Arc::clone(door) })
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let door = Arc::clone(&self.door);
        HttpConnectorFuture::new(async move {
            let request = incoming(request).map_err(|e| ConnectorError::user(e.into()))?;
            let is_head = request.method() == Method::HEAD;
            let mut response = door.answer(request).await;
            if is_head {
                // A server never sends it.
                *response.body_mut() = s3s::Body::empty();
            }
            outgoing(response).map_err(|e| ConnectorError::other(e, None))
        })
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn incoming(mut request: HttpRequest) -> Result<hyper::Request<s3s::Body>, hyper::http::Error> {
    let body = request.take_body();
    let mut built = hyper::Request::builder().method(request.method()).uri(request.uri());
    for (name, value) in request.headers() {
        built = built.header(name, value);
    }
    built.body(s3s::Body::http_body_unsync(body))
}

fn outgoing(response: hyper::Response<s3s::Body>) -> Result<HttpResponse, BoxError> {
    let (parts, body) = response.into_parts();
    let status = StatusCode::try_from(parts.status.as_u16())?;
    let mut answer = HttpResponse::new(status, SdkBody::from_body_1_x(body));
    for (name, value) in &parts.headers {
        answer.headers_mut().try_append(name.as_str().to_owned(), value.to_str()?.to_owned())?;
    }
    Ok(answer)
}
