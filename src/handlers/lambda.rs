//! `lambda`: calls a function with each message.
//!
//! Called synchronously, *done* is an output without an error; called asynchronously, a call that
//! Lambda has queued. An error of the function is *retry*, or *reject* where the settings say so; a
//! throttle is *retry*; an input that Lambda would not take is *reject* and is never sent. A
//! function that is not there, or may not be called, is the handler's fault.

mod input;

use std::sync::Arc;

use serde_json::Value;

use super::judge::{judged, says};
use crate::aws::Aws;
use crate::config::{self, LambdaInput};
use crate::error::Result;
use crate::finding::Finding;
use crate::handler::{BoxHandler, Delivery, Verdict};
use crate::outcome::Outcome;
use crate::toolkit::lambda::{Answer, Function, MOST_BYTES, MOST_BYTES_ASYNC};

/// How the errors begin by which Lambda refuses this very input.
const OF_THE_INPUT: [&str; 3] =
    ["InvalidRequestContent", "RequestTooLarge", "RequestEntityTooLarge"];

pub(super) fn build(settings: &config::Lambda, name: &str, aws: &Aws) -> BoxHandler {
    let caller = Arc::new((settings.clone(), aws.clone()));
    BoxHandler::new(name, move |delivery| run(Arc::clone(&caller), delivery))
}

/// Dropping this future leaves open what the function does.
async fn run(caller: Arc<(config::Lambda, Aws)>, delivery: Delivery) -> Verdict {
    let (settings, aws) = &*caller;
    let most = if settings.asynchronous { MOST_BYTES_ASYNC } else { MOST_BYTES };
    let input = match input::of(&delivery.message, settings.input, most) {
        Ok(input) => input,
        Err(why) => return Ok(Outcome::reject(why)),
    };
    let answer = tokio::select! {
        biased;
        answer = call(settings, aws, &input) => answer,
        () = delivery.lease.ended() => return Ok(Outcome::retry("the call was cut off")),
    };
    match aws.heed(&settings.aws, answer) {
        Ok(Answer::Returned(output)) => Ok(judge_output(settings, &output)),
        Ok(Answer::Failed(told)) => {
            let told = format!("function {} failed: {told}", settings.function);
            let reject = settings.rejects_on_error;
            Ok(if reject { Outcome::reject(told) } else { Outcome::retry(told) })
        }
        Err(error) => judged(&error, says(&error, &OF_THE_INPUT)),
    }
}

async fn call(settings: &config::Lambda, aws: &Aws, input: &[u8]) -> Result<Answer> {
    let client = aws.connect(&settings.aws).await?.lambda;
    let function = Function::new(client, &*settings.function).timeout(settings.timeout);
    if settings.asynchronous {
        function.queue_once(input).await?;
        return Ok(Answer::Returned(String::new()));
    }
    function.call_once(input).await
}

/// A function that is written for queues names the records that it could not handle. It had one:
/// as with Lambda's own reading of queues, failures that name none that it had are of all it had.
fn judge_output(settings: &config::Lambda, output: &str) -> Outcome {
    let answer: Value = serde_json::from_str(output).unwrap_or_default();
    let failed = match answer.get("batchItemFailures") {
        None | Some(Value::Null) => false,
        Some(Value::Array(failures)) => !failures.is_empty(),
        Some(_) => true,
    };
    if settings.input == LambdaInput::Sqs && failed {
        return Outcome::retry(format!("function {} tells of failures", settings.function));
    }
    Outcome::Done
}

/// Asks whether the function is there and may be called; calls nothing.
pub(super) async fn check(settings: &config::Lambda, aws: &Aws) -> Finding {
    let asked = async {
        let client = aws.connect(&settings.aws).await?.lambda;
        Function::new(client, &*settings.function).check().await
    };
    match asked.await {
        Ok(()) => Finding::good(format!("the handler's function {} answers", settings.function)),
        Err(error) => Finding::of_error(&error, 69),
    }
}

#[cfg(test)]
mod tests;
