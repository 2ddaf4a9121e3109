//! `http`: POSTs each message to an endpoint, as the `aws-sqsd` of Elastic Beanstalk does, so that
//! an application written for it needs no change. The headers are told in [`headers`].
//!
//! 2xx is *done*, everything else *retry*; 429 and 503 say themselves when, by `Retry-After`.
//! Redirects are not followed. An endpoint that cannot be connected to (refused, no such name, no
//! TLS) says nothing about the message; one that breaks off after that leaves open what it did,
//! and the message is retried. Unlike `aws-sqsd`, nothing is ever sent twice in one run.

mod headers;

use std::error::Error as _;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_LENGTH, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use crate::config;
use crate::error::{Error, Kind, Result};
use crate::handler::{BoxHandler, Delivery, Verdict};
use crate::message::Body;
use crate::outcome::{Outcome, Unavailable};

/// Recognised by applications by its beginning, `aws-sqsd/`.
const USER_AGENT: &str = concat!("aws-sqsd/2.0 longshore/", env!("CARGO_PKG_VERSION"));
/// An endpoint that answers no connection request within this is unavailable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Below what common servers keep idle connections (2 s and more), so that they never close one
/// in the very moment in which it is used again.
const IDLE_MAX: Duration = Duration::from_secs(1);
/// The longest delay that SQS can hold.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(12);
/// How much of an answer's body is read, and how long, so that its connection can be used again.
const ANSWER_MAX: usize = 64 << 10;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn build(settings: &config::Http, name: &str) -> Result<BoxHandler> {
    let endpoint = Arc::new(Endpoint::new(settings, name)?);
    Ok(BoxHandler::new(name, move |delivery| post(Arc::clone(&endpoint), delivery)))
}

struct Endpoint {
    client: Client,
    url: Url,
    /// As the settings write it, for messages.
    shown: String,
    content_type: reqwest::header::HeaderValue,
}

impl Endpoint {
    fn new(settings: &config::Http, name: &str) -> Result<Self> {
        let wrong = |what: String| Error::new(Kind::Settings, format!("the handler {name} {what}"));
        let url = Url::parse(&settings.url)
            .map_err(|error| wrong("has no valid url".to_owned()).because(error))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(format!("cannot POST to a url that begins with {}:", url.scheme()))
                .hint("write url = \"http://…\" or \"https://…\""));
        }
        let content_type = headers::value(&settings.content_type)
            .ok_or_else(|| wrong("has no valid content_type".to_owned()))?;
        let client = client(&url).map_err(|error| {
            wrong("cannot be set up".to_owned())
                .because(error)
                .hint("TLS needs the system's certificates; install ca-certificates")
        })?;
        Ok(Self { client, shown: shown(&url), url, content_type })
    }
}

fn client(url: &Url) -> reqwest::Result<Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // It only fails where somebody else has just installed one.
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let mut client = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_MAX)
        .http1_title_case_headers();
    if is_loopback(url) {
        client = client.no_proxy();
        if url.scheme() == "http" {
            // A host without any certificates can still POST to itself.
            client = client.tls_certs_only([]);
        }
    }
    client.build()
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.ends_with(".localhost")
            || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    })
}

/// The URL without what may be secret in it.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Dropping this future closes the connection and takes back nothing that was sent.
async fn post(endpoint: Arc<Endpoint>, delivery: Delivery) -> Verdict {
    let message = &delivery.message;
    let request = endpoint.client.post(endpoint.url.clone()).headers(headers::of(
        message,
        &endpoint.url,
        &endpoint.content_type,
    ));
    let request = match with_body(request, &message.body) {
        Ok(request) => request,
        Err(error) => return Ok(Outcome::retry(format!("cannot read the body: {error}"))),
    };
    tokio::select! {
        biased;
        verdict = answer(&endpoint, request) => verdict,
        () = delivery.lease.ended() => Ok(Outcome::retry("the request was cut off")),
    }
}

/// Where the body lies in a file, it is read while it is sent, and its length still goes in front.
fn with_body(
    request: reqwest::RequestBuilder,
    body: &Body,
) -> std::io::Result<reqwest::RequestBuilder> {
    Ok(match body.reopened()? {
        Some(file) => {
            request.header(CONTENT_LENGTH, body.len()).body(tokio::fs::File::from_std(file))
        }
        None => request.body(body.as_bytes().unwrap_or_default().to_vec()),
    })
}

async fn answer(endpoint: &Endpoint, request: reqwest::RequestBuilder) -> Verdict {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => {
            return Err(Unavailable::new(format!(
                "cannot connect to {}: {}",
                endpoint.shown,
                causes(&error)
            )));
        }
        Err(error) => {
            return Ok(Outcome::retry(format!(
                "{} did not answer: {}",
                endpoint.shown,
                causes(&error)
            )));
        }
    };
    let outcome = outcome(&endpoint.shown, response.status(), response.headers());
    match discard(response).await {
        Err(error) if outcome == Outcome::Done => Ok(Outcome::retry(format!(
            "{} broke off in its answer: {}",
            endpoint.shown,
            causes(&error)
        ))),
        _ => Ok(outcome),
    }
}

fn outcome(endpoint: &str, status: StatusCode, headers: &HeaderMap) -> Outcome {
    if status.is_success() {
        return Outcome::Done;
    }
    let hint = if status.is_redirection() { " (redirects are not followed)" } else { "" };
    let reason = format!("{endpoint} answered {status}{hint}");
    let says_when =
        matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    match headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()) {
        Some(text) if says_when => {
            Outcome::Retry { after: retry_after(text, SystemTime::now()), reason }
        }
        _ => Outcome::retry(reason),
    }
}

/// Seconds or a date; nothing where it is neither.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let delay = if is_number {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        date.duration_since(now).unwrap_or(Duration::ZERO)
    };
    Some(delay.min(RETRY_AFTER_MAX))
}

/// Reads the body, which nobody needs, up to a bound. An error means that it was cut off.
async fn discard(mut response: Response) -> reqwest::Result<()> {
    let mut room = ANSWER_MAX;
    let read = async {
        while let Some(chunk) = response.chunk().await? {
            match room.checked_sub(chunk.len()) {
                Some(rest) => room = rest,
                None => break,
            }
        }
        Ok(())
    };
    // The status has said it all; a body that takes longer is not waited for.
    tokio::time::timeout(ANSWER_TIMEOUT, read).await.unwrap_or(Ok(()))
}

/// The causes of an error on one line, without its URL, which may hold secrets.
fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let between = if text.is_empty() { "" } else { ": " };
        // Writing to a String cannot fail.
        let _written = write!(text, "{between}{inner}");
        cause = inner.source();
    }
    if text.is_empty() { "no reason is known".to_owned() } else { text }
}

#[cfg(test)]
mod tests;
