//! One door for all services: tells from a request which one it is for, and asks that one.
//!
//! Told apart in this order: the `X-Amz-Target` of the JSON protocol; the service in the
//! signature's scope; an `Action` in the form or the query string; what is left is S3.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use s3s::Body;
use serde_json::{Value, json};

use super::clock::Clock;
use super::dynamodb::{Dynamodb, Refusal};
use super::fault::Fault;
use super::form;
use super::payload;
use super::s3::Store;
use super::sns::Sns;
use super::sqs::{self, Caller, Sqs};
use super::ssm::Ssm;
use super::sts::Sts;
use super::{REGION, digest, xml};

/// Larger than any request but those of S3 may be.
const MOST_BYTES: usize = 24 * 1_024 * 1_024;
const JSON: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";
const SNS_NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

#[derive(Debug)]
pub(super) struct Door {
    origin: String,
    pub(super) s3: Store,
    pub(super) sqs: Arc<Sqs>,
    pub(super) sns: Sns,
    pub(super) sts: Sts,
    pub(super) dynamodb: Dynamodb,
    ssm: Ssm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    S3,
    SqsJson,
    Dynamodb,
    Ssm,
    /// SQS, SNS or STS by the query protocol; which one, the form's version and action say.
    Query(Option<Family>),
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Sqs,
    Sns,
    Sts,
}

impl Door {
    pub(super) fn new(origin: String, s3: Store, clock: Clock) -> Self {
        let sqs = Arc::new(Sqs::new(clock));
        let sns = Sns::new(clock, Arc::clone(&sqs));
        let (sts, dynamodb, ssm) = (Sts::new(clock), Dynamodb::new(clock), Ssm::new(clock));
        Self { origin, s3, sqs, sns, sts, dynamodb, ssm }
    }

    /// Answers any request; a refusal is an answer too.
    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let scope = Scope::of(&parts);
        match service(&parts, scope.as_ref()) {
            Service::S3 => {
                self.s3.answer(payload::unsigned(Request::from_parts(parts, body))).await
            }
            Service::SqsJson => self.sqs_json(&parts, scope, body).await,
            Service::Dynamodb => self.dynamodb(&parts, scope, body).await,
            Service::Ssm => self.ssm(&parts, scope, body).await,
            Service::Query(family) => self.query(&parts, scope, family, body).await,
            Service::Unknown => json_refusal(&Fault::new(
                "UnknownOperationException",
                "longshore's embedded AWS has S3, SQS, SNS, DynamoDB, SSM and STS",
            )),
        }
    }

    fn caller(&self, parts: &Parts, scope: Option<Scope>) -> Caller {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(Authority::as_str));
        Caller {
            origin: host.map_or_else(|| self.origin.clone(), |host| format!("http://{host}")),
            region: scope.map_or_else(|| REGION.to_owned(), |scope| scope.region),
        }
    }

    async fn sqs_json(&self, parts: &Parts, scope: Option<Scope>, body: Body) -> Response<Body> {
        let answered = async {
            let input = json_input(body).await?;
            self.sqs.call(&self.caller(parts, scope), target_action(parts), input).await
        };
        match answered.await {
            Ok(output) => respond(StatusCode::OK, JSON, output.to_string()),
            Err(fault) => json_refusal(&fault),
        }
    }

    async fn dynamodb(&self, parts: &Parts, scope: Option<Scope>, body: Body) -> Response<Body> {
        let region = scope.map_or_else(|| REGION.to_owned(), |scope| scope.region);
        let answered = match json_input(body).await {
            Ok(input) => self.dynamodb.call(&region, target_action(parts), input),
            Err(fault) => Err(Refusal::new(fault.code, fault.message)),
        };
        match answered {
            Ok(output) => respond(StatusCode::OK, JSON, output.to_string()),
            Err(refusal) => respond(refusal.status(), JSON, refusal.json().to_string()),
        }
    }

    async fn ssm(&self, parts: &Parts, scope: Option<Scope>, body: Body) -> Response<Body> {
        let region = scope.map_or_else(|| REGION.to_owned(), |scope| scope.region);
        let answered = match json_input(body).await {
            Ok(input) => self.ssm.call(&region, target_action(parts), input),
            Err(fault) => Err(fault),
        };
        match answered {
            Ok(output) => respond(StatusCode::OK, JSON_1_1, output.to_string()),
            Err(fault) => {
                let text = json!({ "__type": fault.code, "message": fault.message });
                respond(fault.status(), JSON_1_1, text.to_string())
            }
        }
    }

    async fn query(
        &self,
        parts: &Parts,
        scope: Option<Scope>,
        family: Option<Family>,
        body: Body,
    ) -> Response<Body> {
        let signer = scope.as_ref().map(|scope| scope.access_key.clone());
        let caller = self.caller(parts, scope);
        let answered = async {
            let body = collect(body).await?;
            let text = String::from_utf8_lossy(&body);
            let mut fields = form::fields(parts.uri.query().unwrap_or_default());
            fields.extend(form::fields(&text));
            let action = form::field(&fields, "Action")
                .ok_or_else(|| Fault::new("MissingAction", "the request has no Action"))?
                .to_owned();
            match family.unwrap_or_else(|| family_of(&fields, &action)) {
                Family::Sqs => {
                    let input = sqs::input_from_form(&fields, parts.uri.path());
                    let output = self.sqs.call(&caller, &action, input).await?;
                    Ok(sqs::output_as_xml(&action, &output))
                }
                Family::Sns => self
                    .sns
                    .call(&caller, &action, &fields)
                    .map(|result| xml::answer(&action, SNS_NAMESPACE, &result)),
                Family::Sts => self
                    .sts
                    .call(signer.as_deref(), &action, &fields)
                    .map(|result| xml::answer(&action, STS_NAMESPACE, &result)),
            }
        };
        match answered.await {
            Ok(text) => respond(StatusCode::OK, "text/xml", text),
            Err(fault) => respond(fault.status(), "text/xml", sqs::fault_as_xml(&fault)),
        }
    }
}

/// What a signature says about the request; nothing of it is verified.
#[derive(Debug)]
struct Scope {
    access_key: String,
    region: String,
    service: String,
}

impl Scope {
    fn of(parts: &Parts) -> Option<Self> {
        let signed = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let credential = if let Some(text) = signed {
            text.split("Credential=").nth(1)?.split(',').next()?.to_owned()
        } else {
            let fields = form::fields(parts.uri.query()?);
            form::field(&fields, "X-Amz-Credential")?.to_owned()
        };
        // key / date / region / service / aws4_request, and the key may hold anything
        let mut words = credential.rsplitn(5, '/');
        let service = words.nth(1)?.to_owned();
        let region = words.next()?.to_owned();
        let access_key = words.nth(1).unwrap_or_default().to_owned();
        Some(Self { access_key, region, service })
    }
}

/// The operation that the JSON protocol names.
fn target_action(parts: &Parts) -> &str {
    header(parts, "x-amz-target").unwrap_or_default().rsplit('.').next().unwrap_or_default()
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

fn service(parts: &Parts, scope: Option<&Scope>) -> Service {
    if let Some(target) = header(parts, "x-amz-target") {
        return match target.split_once('.') {
            Some(("AmazonSQS", _)) => Service::SqsJson,
            Some(("DynamoDB_20120810", _)) => Service::Dynamodb,
            Some(("AmazonSSM", _)) => Service::Ssm,
            _ => Service::Unknown,
        };
    }
    match scope.map(|scope| scope.service.as_str()) {
        Some("sqs") => Service::Query(Some(Family::Sqs)),
        Some("sns") => Service::Query(Some(Family::Sns)),
        Some("sts") => Service::Query(Some(Family::Sts)),
        Some("s3" | "s3express") => Service::S3,
        Some(_) => Service::Unknown,
        None => {
            let is_form = parts.method == Method::POST
                && header(parts, CONTENT_TYPE.as_str())
                    .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
            let names_action =
                parts.uri.query().is_some_and(|query| query.split('&').any(is_action));
            if is_form || names_action { Service::Query(None) } else { Service::S3 }
        }
    }
}

fn is_action(field: &str) -> bool {
    field.starts_with("Action=")
}

/// An unsigned form: the version of its interface tells whose it is.
fn family_of(fields: &[(String, String)], action: &str) -> Family {
    match form::field(fields, "Version") {
        Some("2010-03-31") => Family::Sns,
        Some("2011-06-15") => Family::Sts,
        None if ["GetCallerIdentity", "AssumeRole", "GetSessionToken"].contains(&action) => {
            Family::Sts
        }
        None if action.contains("Topic")
            || action.contains("ubscri")
            || action.starts_with("Publish") =>
        {
            Family::Sns
        }
        _ => Family::Sqs,
    }
}

async fn json_input(body: Body) -> Result<Value, Fault> {
    let body = collect(body).await?;
    let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(text)
        .map_err(|error| Fault::new("SerializationException", error.to_string()))
}

async fn collect(body: Body) -> Result<Bytes, Fault> {
    match Limited::new(body, MOST_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(Fault::new("RequestEntityTooLarge", error.to_string())),
    }
}

fn json_refusal(fault: &Fault) -> Response<Body> {
    let code = match fault.code {
        code @ ("InvalidParameterValue" | "MissingParameter") => format!("{code}Exception"),
        code => code.to_owned(),
    };
    let text = json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": fault.message });
    let mut response = respond(fault.status(), JSON, text.to_string());
    if let Ok(value) = HeaderValue::from_str(&format!("{};Sender", fault.query_code())) {
        response.headers_mut().insert(HeaderName::from_static("x-amzn-query-error"), value);
    }
    response
}

fn respond(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(&digest::uuid()) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    response
}
