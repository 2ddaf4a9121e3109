//! One call, and what came of it.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::Config;
use aws_sdk_lambda::operation::invoke::builders::InvokeFluentBuilder;
use aws_sdk_lambda::operation::invoke::{InvokeError, InvokeOutput};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;

use super::{Function, MOST_BYTES, MOST_BYTES_ASYNC};
use crate::again::Failed;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};

/// What Lambda itself may take besides the run of the function.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest message of a function that is told.
const LONGEST_TOLD: usize = 1_024;

/// What a function made of a synchronous call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Its output.
    Returned(String),
    /// Its error, by type and message.
    Failed(String),
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Nobody knows whether the function still runs.
    is_timeout: bool,
}

impl Failed for Failure {
    fn passing(&self) -> Option<&Error> {
        self.error.passing().filter(|_| !self.is_timeout)
    }
}

impl Answer {
    /// The output; an error of the function is an error.
    pub(super) fn returned(self, function: &str) -> Result<String> {
        match self {
            Self::Returned(output) => Ok(output),
            Self::Failed(told) => {
                let what = format!("function {function} failed");
                Err(Error::new(Kind::Function, what)
                    .because(told)
                    .hint("its log in CloudWatch tells more; the call itself was right"))
            }
        }
    }
}

impl Function {
    /// One synchronous call, neither repeated nor its error made one of ours.
    ///
    /// Dropped midway, the function may run, or have run.
    #[cfg(feature = "queue")]
    pub(crate) async fn call_once(&self, input: &[u8]) -> Result<Answer> {
        call(self, input).await.map_err(|failure| failure.error)
    }

    /// One asynchronous call, not repeated.
    #[cfg(feature = "queue")]
    pub(crate) async fn queue_once(&self, input: &[u8]) -> Result<()> {
        queue(self, input).await.map_err(|failure| failure.error)
    }

    fn request(&self, kind: InvocationType) -> InvokeFluentBuilder {
        self.client.invoke().function_name(&*self.name).invocation_type(kind)
    }

    fn failure(&self, what: &str, error: SdkError<InvokeError, Response>) -> Failure {
        let is_timeout = matches!(error, SdkError::TimeoutError(_));
        let error = fault(what, error);
        let (name, kind) = (&self.name, error.kind());
        let error = if kind == Kind::Missing {
            error.hint(format!(
                "check the name and the region of function {name}, and the version or alias \
                 behind it if there is one"
            ))
        } else if kind == Kind::Denied {
            error.hint(format!(
                "allow lambda:InvokeFunction on function {name} for the identity that `longshore \
                 check` names"
            ))
        } else {
            error
        };
        Failure { error, is_timeout }
    }
}

pub(super) async fn call(
    function: &Function,
    input: &[u8],
) -> std::result::Result<Answer, Failure> {
    let what = format!("calling function {}", function.name);
    check_size(&what, input, MOST_BYTES)?;
    let timeouts =
        TimeoutConfig::builder().operation_attempt_timeout(function.timeout + PATIENCE).build();
    let answer = function
        .request(InvocationType::RequestResponse)
        .payload(Blob::new(input))
        .customize()
        .config_override(Config::builder().timeout_config(timeouts))
        .send()
        .await
        .map_err(|error| function.failure(&what, error))?;
    let text = text(&what, answer.payload.as_ref())?;
    let failed = answer.function_error.is_some();
    Ok(if failed { Answer::Failed(told(&text)) } else { Answer::Returned(text) })
}

pub(super) async fn queue(function: &Function, input: &[u8]) -> std::result::Result<(), Failure> {
    let what = format!("queuing a call of function {}", function.name);
    check_size(&what, input, MOST_BYTES_ASYNC)?;
    let answer = function
        .request(InvocationType::Event)
        .payload(Blob::new(input))
        .send()
        .await
        .map_err(|error| function.failure(&what, error))?;
    confirmed(&what, &answer, 202)
}

pub(super) async fn dry_run(function: &Function) -> Result<()> {
    let what = format!("checking whether function {} may be called", function.name);
    let asked = function.request(InvocationType::DryRun).send().await;
    asked.map(drop).map_err(|error| function.failure(&what, error).error)
}

/// A call is queued only where Lambda says just that.
fn confirmed(what: &str, answer: &InvokeOutput, status: i32) -> std::result::Result<(), Failure> {
    if answer.status_code == status {
        return Ok(());
    }
    let told = format!("Lambda answers {} in place of {status}", answer.status_code);
    let error = Error::new(Kind::Transient, what).because(told);
    Err(Failure { error, is_timeout: false })
}

fn check_size(what: &str, input: &[u8], most: usize) -> std::result::Result<(), Failure> {
    let bytes = input.len();
    if bytes <= most {
        return Ok(());
    }
    let told = format!("its input has {bytes} bytes, Lambda takes at most {most}");
    let error = Error::new(Kind::Invalid, what)
        .because(told)
        .hint("put it into S3 and let the function read it from there");
    Err(Failure { error, is_timeout: false })
}

fn text(what: &str, payload: Option<&Blob>) -> std::result::Result<String, Failure> {
    let bytes = payload.map(|blob| blob.as_ref().to_vec()).unwrap_or_default();
    String::from_utf8(bytes).map_err(|error| {
        let error = Error::new(Kind::Function, what).because(error);
        Failure { error, is_timeout: false }
    })
}

/// The type and the message of a function's error, on one line; never its stack.
fn told(payload: &str) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Told {
        error_type: Option<String>,
        error_message: Option<String>,
    }
    let told = match serde_json::from_str::<Told>(payload) {
        Ok(Told { error_type: Some(kind), error_message: Some(told) }) => format!("{kind}: {told}"),
        Ok(Told { error_type: None, error_message: Some(told) }) => told,
        Ok(Told { error_type: Some(kind), error_message: None }) => kind,
        Ok(_) | Err(_) => "it does not say why".to_owned(),
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    told.chars().map(plain).take(LONGEST_TOLD).collect()
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn an_error_of_a_function_is_told_on_one_line_without_its_stack() {
        let payload = r#"{"errorMessage":"no\nstock","errorType":"Empty","stackTrace":["secret"]}"#;
        assert_eq!(told(payload), "Empty: no stock");
        assert_eq!(told(r#"{"errorMessage":"no stock"}"#), "no stock");
        assert_eq!(told(r#"{"errorType":"Runtime.ExitError"}"#), "Runtime.ExitError");
        assert_eq!(told("[1]"), "it does not say why");
    }
}
