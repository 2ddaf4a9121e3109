//! Against a Lambda that answers by script, in virtual time.

use std::sync::Mutex;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use futures_util::stream;
use serde_json::{Value, json};

use super::*;
use crate::aws::Aws;

/// What one call is answered.
#[derive(Debug, Clone)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
}

#[derive(Debug, Clone, Default)]
struct Lambda {
    /// The kind and the input of each call; nothing is answered to a scripted nothing.
    asked: Arc<Mutex<Vec<(String, String)>>>,
    script: Arc<Mutex<Vec<Option<Reply>>>>,
}

impl HttpConnector for Lambda {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let kind = request.headers().get("x-amz-invocation-type").unwrap_or_default().to_owned();
        let input = String::from_utf8_lossy(request.body().bytes().unwrap()).into_owned();
        self.asked.lock().unwrap().push((kind.clone(), input.clone()));
        let mut script = self.script.lock().unwrap();
        let reply = if script.is_empty() { None } else { Some(script.remove(0)) };
        HttpConnectorFuture::ready(match reply {
            Some(None) => return HttpConnectorFuture::new(std::future::pending()),
            Some(Some(reply)) => {
                let status = StatusCode::try_from(reply.status).unwrap();
                let mut answer = HttpResponse::new(status, SdkBody::from(reply.body));
                for (name, value) in reply.headers {
                    answer.headers_mut().insert(name, value);
                }
                Ok(answer)
            }
            None => {
                let status = if kind == "Event" { 202 } else { 200 };
                Ok(HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(input)))
            }
        })
    }
}

impl Lambda {
    fn answers(replies: Vec<Option<Reply>>) -> Self {
        let lambda = Self::default();
        *lambda.script.lock().unwrap() = replies;
        lambda
    }

    async fn function(&self) -> Function {
        let connector = SharedHttpConnector::new(self.clone());
        let aws = Aws::through(http_client_fn(move |_, _| connector.clone()));
        let sealed = crate::config::Aws { sealed: true, ..crate::config::Aws::default() };
        Function::new(aws.connect(&sealed).await.unwrap().lambda, "echo")
    }

    fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn refusal(status: u16, code: &'static str) -> Reply {
    Reply { status, headers: vec![("x-amzn-errortype", code)], body: "{\"Message\":\"m\"}" }
}

#[tokio::test(start_paused = true)]
async fn a_throttle_passes_and_is_called_again() {
    let throttled = || Some(refusal(429, "TooManyRequestsException"));
    let lambda =
        Lambda::answers(vec![throttled(), Some(refusal(503, "ServiceException")), throttled()]);
    let function = lambda.function().await;
    assert_eq!(function.call(&json!({"a": 1})).await.unwrap(), "{\"a\":1}");
    assert_eq!(lambda.calls(), 4);

    let lambda = Lambda::answers((0..10).map(|_| throttled()).collect());
    let error = lambda.function().await.call_async(&json!(1)).await.unwrap_err();
    assert_eq!((error.kind(), lambda.calls()), (Kind::Throttled, 5));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_is_not_made_again() {
    let lambda = Lambda::answers(vec![None]);
    let error = lambda.function().await.call(&json!(1)).await.unwrap_err();
    assert_eq!((error.kind(), lambda.calls()), (Kind::Transient, 1), "{error}");
}

#[tokio::test]
async fn an_error_of_the_function_is_an_error_that_names_it() {
    let body = r#"{"errorMessage":"no stock","errorType":"Empty","stackTrace":["secret"]}"#;
    let headers = vec![("x-amz-function-error", "Unhandled")];
    let lambda = Lambda::answers(vec![Some(Reply { status: 200, headers, body })]);
    let error = lambda.function().await.call(&json!(1)).await.unwrap_err();
    assert_eq!((error.kind(), lambda.calls()), (Kind::Function, 1));
    let told = error.to_string();
    assert!(told.contains("function echo failed: Empty: no stock"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}

#[tokio::test]
async fn what_is_missing_or_denied_is_named_with_what_to_do() {
    for (status, code, kind, fix) in [
        (404, "ResourceNotFoundException", Kind::Missing, "check the name and the region"),
        (403, "AccessDeniedException", Kind::Denied, "allow lambda:InvokeFunction"),
    ] {
        let lambda =
            Lambda::answers(vec![Some(refusal(status, code)), Some(refusal(status, code))]);
        let function = lambda.function().await;
        for error in
            [function.call(&json!(1)).await.unwrap_err(), function.check().await.unwrap_err()]
        {
            assert_eq!(error.kind(), kind);
            let told = error.to_string();
            assert!(told.contains("function echo") && told.contains(fix), "{told}");
        }
    }
}

#[tokio::test]
async fn an_input_that_is_too_large_is_never_sent() {
    let lambda = Lambda::default();
    let function = lambda.function().await;
    // A text and its two quotes.
    let of = |bytes: usize| "x".repeat(bytes - 2);
    for (most, called) in [
        (MOST_BYTES, function.call(&of(MOST_BYTES + 1)).await.map(drop)),
        (MOST_BYTES_ASYNC, function.call_async(&of(MOST_BYTES_ASYNC + 1)).await),
    ] {
        let error = called.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains(&format!("at most {most}")), "{error}");
    }
    assert_eq!(lambda.calls(), 0);
    function.call(&of(MOST_BYTES)).await.unwrap();
    function.call_async(&of(MOST_BYTES_ASYNC)).await.unwrap();
    assert_eq!(lambda.calls(), 2);
}

#[tokio::test]
async fn what_is_queued_is_confirmed_by_its_status() {
    let answer = Reply { status: 200, headers: Vec::new(), body: "" };
    let lambda = Lambda::answers((0..5).map(|_| Some(answer.clone())).collect());
    tokio::time::pause();
    let error = lambda.function().await.call_async(&json!(1)).await.unwrap_err();
    assert!(error.to_string().contains("200 in place of 202"), "{error}");
}

#[tokio::test]
async fn in_and_out_are_typed() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Order {
        id: u64,
    }
    let function = Lambda::default().function().await;
    assert_eq!(function.call_as::<Order, _>(&Order { id: 7 }).await.unwrap(), Order { id: 7 });
    let error = function.call_as::<Order, _>(&json!([])).await.unwrap_err();
    assert!(error.to_string().contains("function echo gave an output of another form"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn many_are_called_lazily_and_each_failure_has_its_position() {
    let lambda = Lambda::default();
    let function = lambda.function().await;
    let taken = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&taken);
    let inputs = stream::iter(0..20u64).map(move |number| {
        *counted.lock().unwrap() += 1;
        match number {
            3 => Err(Error::new(Kind::Transient, "the listing broke off")),
            number => Ok(json!({ "key": number })),
        }
    });
    let mut calls = std::pin::pin!(function.call_all(inputs, 4));
    let mut told = vec![calls.next().await.unwrap()];
    assert!(*taken.lock().unwrap() <= 5, "{}", taken.lock().unwrap());
    while let Some(one) = calls.next().await {
        told.push(one);
    }
    told.sort_by_key(|(position, _)| *position);
    assert_eq!(told.len(), 20);
    for (position, called) in told {
        match called {
            Ok(output) => {
                let output: Value = serde_json::from_str(&output).unwrap();
                assert_eq!(output, json!({ "key": position }));
            }
            Err(error) => assert_eq!((position, error.kind()), (3, Kind::Transient)),
        }
    }
    assert_eq!(lambda.calls(), 19);

    let inputs = stream::iter([Ok(json!(1)), Ok(json!(2))]);
    let queued = function.call_all_async(inputs, 2).collect::<Vec<_>>().await;
    assert!(queued.iter().all(|(_, queued)| queued.is_ok()), "{queued:?}");
}
