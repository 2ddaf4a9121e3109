//! `longshore lambda`: functions by their verbs.

mod inputs;

use std::pin::pin;
use std::time::Duration;

use clap::ValueEnum;
use futures_util::{Stream, StreamExt};
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::lambda::Function;
use longshore::toolkit::s3::{self, Bucket};
use serde_json::json;

use crate::progress::Progress;
use crate::reach::{Reach, connections};
use crate::say;
use crate::tool::{Told, Tool};

/// Calls functions. A function is named by its name or ARN, whole or in part, with :VERSION or
/// :ALIAS behind it or none.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Call a function and print its output; an error of the function exits with 69
    Invoke {
        #[command(flatten)]
        call: Call,
        /// Its input, JSON; `-` reads standard input, `file://PATH` a file
        #[arg(long, value_name = "JSON", default_value = "{}")]
        payload: String,
    },
    /// Call a function once for each input: lines of JSON on standard input, or the keys of a bucket
    #[command(name = "invoke-all", alias = "map")]
    InvokeAll {
        #[command(flatten)]
        call: Call,
        /// Call it with {"key": KEY} for each key of the bucket that begins so
        #[arg(long, value_name = "s3://BUCKET/PREFIX")]
        s3_prefix: Option<s3::Path>,
        /// So many calls at the same time
        #[arg(long, value_name = "N", default_value_t = 10,
              value_parser = clap::value_parser!(u16).range(1..=1000))]
        concurrency: u16,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Call {
    /// The function
    #[arg(value_name = "FUNCTION")]
    function: String,
    /// Let Lambda queue the call, and do not wait for an output
    #[arg(long = "async", conflicts_with = "invocation_type")]
    is_async: bool,
    /// The same in the aws CLI's words; `DryRun` asks only whether the function may be called
    #[arg(long, value_name = "TYPE")]
    invocation_type: Option<InvocationType>,
    /// How long an output is waited for, in seconds
    #[arg(long, alias = "cli-read-timeout", value_name = "SECONDS", default_value_t = 900,
          value_parser = clap::value_parser!(u64).range(1..=900))]
    timeout: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum InvocationType {
    #[value(name = "RequestResponse")]
    RequestResponse,
    #[value(name = "Event")]
    Event,
    #[value(name = "DryRun")]
    DryRun,
}

impl Call {
    fn invocation_type(&self) -> InvocationType {
        match self.invocation_type {
            Some(named) => named,
            None if self.is_async => InvocationType::Event,
            None => InvocationType::RequestResponse,
        }
    }

    async fn connect(&self, reach: &Reach) -> Result<Function> {
        let client = connections().connect(&reach.aws_of(&self.function)?).await?.lambda;
        let timeout = Duration::from_secs(self.timeout);
        Ok(Function::new(client, self.function.as_str()).timeout(timeout))
    }
}

pub(crate) async fn run(tool: Tool<Verb>) -> Result<u8> {
    let Tool { verb, reach, told } = tool;
    match verb {
        Verb::Invoke { call, payload } => {
            Box::pin(invoke(&call, &payload, &reach, &told)).await?;
            Ok(0)
        }
        Verb::InvokeAll { call, s3_prefix, concurrency } => {
            let function = call.connect(&reach).await?;
            let inputs = match s3_prefix {
                Some(from) => {
                    let client = connections().connect(&reach.aws()?).await?.s3;
                    inputs::keys(&Bucket::new(client, &from.bucket), &from.key).boxed()
                }
                None => inputs::lines().boxed(),
            };
            let concurrency = usize::from(concurrency);
            match call.invocation_type() {
                InvocationType::RequestResponse => {
                    let calls = function.call_all(inputs, concurrency);
                    tell_all(calls.map(|(at, called)| (at, called.map(Some))), told.json).await
                }
                InvocationType::Event => {
                    let calls = function.call_all_async(inputs, concurrency);
                    tell_all(calls.map(|(at, called)| (at, called.map(|()| None))), told.json).await
                }
                InvocationType::DryRun => Err(Error::new(Kind::Usage, "a dry run has no inputs")
                    .hint("longshore lambda invoke FUNCTION --invocation-type DryRun")),
            }
        }
    }
}

async fn invoke(call: &Call, payload: &str, reach: &Reach, told: &Told) -> Result<()> {
    let input = inputs::payload(payload).await?;
    let function = call.connect(reach).await?;
    let name = function.name();
    match call.invocation_type() {
        InvocationType::RequestResponse => {
            let output = function.call(&input).await?;
            told.of(&output, json!({ "function": name, "output": as_json(&output) }));
        }
        InvocationType::Event => {
            function.call_async(&input).await?;
            told.of(
                format!("queued a call of {name}"),
                json!({ "function": name, "queued": true }),
            );
        }
        InvocationType::DryRun => {
            function.check().await?;
            told.of(format!("{name} may be called"), json!({ "function": name, "allowed": true }));
        }
    }
    Ok(())
}

/// Tells each output as it comes, and each failure with the number of its input, from 1; the exit
/// code of the first failure.
async fn tell_all(
    calls: impl Stream<Item = (u64, Result<Option<String>>)>,
    json: bool,
) -> Result<u8> {
    let mut calls = pin!(calls);
    let progress = Progress::start(None);
    let (mut done, mut failed, mut code) = (0u64, 0u64, 0);
    while let Some((position, called)) = calls.next().await {
        let input = position.saturating_add(1);
        let called = match called {
            Err(error) if done == failed && concerns_all(&error) => return Err(error),
            called => called,
        };
        progress.around(|| match called {
            Ok(output) if json => {
                let output = output.as_deref().map(as_json);
                say::line(json!({ "input": input, "output": output }));
            }
            Ok(Some(output)) => say::line(output),
            Ok(None) => {}
            Err(error) => {
                failed += 1;
                if code == 0 {
                    code = error.exit_code();
                }
                if json {
                    say::line(json!({ "input": input, "error": error.to_string() }));
                } else {
                    say::note(format_args!("input {input}: {error}"));
                }
            }
        });
        done += 1;
        progress.show(done, format!("{failed} failed"));
    }
    drop(progress);
    if !json {
        say::note(format_args!(
            "called {}, {failed} failed",
            longshore::units::count(done, "time")
        ));
    }
    Ok(code)
}

/// True where no other call would fare better.
fn concerns_all(error: &Error) -> bool {
    matches!(error.kind(), Kind::Credentials | Kind::Denied | Kind::Missing | Kind::Unreachable)
}

/// An output as it stands in a document: JSON as such, and anything else as a text.
fn as_json(output: &str) -> serde_json::Value {
    serde_json::from_str(output).unwrap_or_else(|_| json!(output))
}
