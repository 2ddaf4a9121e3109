use std::time::Duration;

use crate::config::aws::{Aws, Written};
use crate::config::section::Section;

/// `[….handler.lambda]`: call a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lambda {
    /// The function's name or ARN, whole or in part, with a version or alias behind it or none.
    pub function: String,
    /// How to reach it.
    pub aws: Aws,
    /// Lambda queues the call, and nobody learns what the function makes of it.
    pub asynchronous: bool,
    /// What the function gets.
    pub input: LambdaInput,
    /// An error of the function rejects the message.
    pub rejects_on_error: bool,
    /// How long a synchronous call may take.
    pub timeout: Duration,
}

/// What a function gets as its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LambdaInput {
    /// `{"body": …, "attributes": {…}}`, as pylon's functions do.
    Message,
    /// `{"Records": […]}` with one record, as from Lambda's own reading of queues.
    Sqs,
    /// The body, which is JSON.
    Body,
}

/// A function may run no longer (Lambda quotas).
const LONGEST_RUN: Duration = Duration::from_mins(15);

pub(super) fn read(section: &mut Section<'_>, base: &Written) -> Lambda {
    let function = section.formed("function", function);
    if !section.has("function") {
        section.missing("function", "\"place-order\" (a name or ARN)");
    }
    let function = function.unwrap_or_default();
    let asynchronous = section.flag("asynchronous").unwrap_or(false);
    let on_error = section.formed("on_function_error", |text| match text {
        "retry" => Ok(false),
        "reject" => Ok(true),
        _ => Err(format!("{text:?} is neither retry nor reject")),
    });
    if asynchronous && section.has("on_function_error") {
        let message = "on_function_error: nobody learns of errors of an asynchronous call";
        section.blame("on_function_error", message);
    }
    Lambda {
        aws: Written::read_at(section, region_of(&function)).over(base).resolve(),
        asynchronous,
        input: section.formed("input", input).unwrap_or(LambdaInput::Message),
        rejects_on_error: on_error.unwrap_or(false),
        timeout: section
            .duration("timeout", Duration::from_secs(1)..=LONGEST_RUN)
            .unwrap_or(LONGEST_RUN),
        function,
    }
}

fn input(text: &str) -> Result<LambdaInput, String> {
    match text {
        "message" => Ok(LambdaInput::Message),
        "sqs" => Ok(LambdaInput::Sqs),
        "body" => Ok(LambdaInput::Body),
        _ => Err(format!("{text:?} is none of message, sqs and body")),
    }
}

/// The region of `arn:aws:lambda:REGION:ACCOUNT:function:NAME`.
fn region_of(function: &str) -> Option<&str> {
    function.strip_prefix("arn:")?.split(':').nth(2)
}

fn function(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.$".contains(c);
    let is_arn =
        !text.starts_with("arn:") || (text.contains(":lambda:") && text.contains(":function:"));
    if (1..=256).contains(&text.len()) && text.chars().all(allowed) && is_arn {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no function; write its name, or its ARN with :function: in it"))
}
