//! Functions of AWS Lambda: called for their answer, called without waiting for one, or once for
//! each input of a stream.
//!
//! ```no_run
//! # async fn f(client: aws_sdk_lambda::Client) -> longshore::error::Result<()> {
//! use longshore::toolkit::lambda::Function;
//! use serde_json::json;
//!
//! let function = Function::new(client, "my-lambda-function");
//! let output = function.call(&json!({"some": "input"})).await?;
//! assert_eq!(output, r#"{"some":"output"}"#);
//!
//! // Without waiting for an answer:
//! function.call_async(&json!({"some": "input"})).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Once for every key under a prefix, ten at the same time:
//! ```no_run
//! # #[cfg(feature = "s3")]
//! # async fn f() -> longshore::error::Result<()> {
//! use futures_util::{StreamExt, TryStreamExt, pin_mut};
//! use longshore::aws::Aws;
//! use longshore::toolkit::lambda::Function;
//! use longshore::toolkit::s3::Bucket;
//! use serde_json::json;
//!
//! let aws = Aws::new();
//! let bucket = Bucket::new(aws.s3("us-west-2").await?, "my-bucket");
//! let task = Function::new(aws.lambda("us-west-2").await?, "my-single-file-task");
//! let keys = bucket.list("some-key-prefix", true);
//! let inputs = keys.map_ok(|entry| json!({ "key": entry.name() }));
//! let calls = task.call_all_async(inputs, 10);
//! pin_mut!(calls);
//! while let Some((position, called)) = calls.next().await {
//!     if let Err(error) = called {
//!         eprintln!("input {position}: {error}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod invoke;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::again::{AFTER_FAILURE, again_after};
use crate::error::{Error, Kind, Result};

#[cfg(feature = "queue")]
pub(crate) use invoke::Answer;

/// The most bytes of the input of a synchronous call: 6 MB (`Invoke` in the Lambda API reference;
/// Lambda's own refusal says 6291456 bytes).
pub const MOST_BYTES: usize = 6 << 20;
/// The most bytes of the input of an asynchronous call: 1 MB since 2025, 256 KB before (the same
/// page).
pub const MOST_BYTES_ASYNC: usize = 1 << 20;
/// A function may run no longer (Lambda quotas).
pub const LONGEST_RUN: Duration = Duration::from_mins(15);

/// A function by its name or ARN, whole or in part, with a version or alias behind it or none.
///
/// What fails in passing (throttled, no connection, Lambda's own trouble) is called again, five
/// times in all, so a function may run twice for one call; a synchronous call that got no answer in
/// time is not, since its function may still be running. Clones are the same function.
///
/// A synchronous call keeps its connection silent while the function runs. Some networks forget a
/// silent connection (a NAT gateway after 350 s), and the answer is then lost: call long functions
/// asynchronously there.
#[derive(Debug, Clone)]
pub struct Function {
    client: aws_sdk_lambda::Client,
    name: Arc<str>,
    timeout: Duration,
}

impl Function {
    /// The function of this name or ARN; no request is sent yet.
    pub fn new(client: aws_sdk_lambda::Client, name: impl Into<Arc<str>>) -> Self {
        Self { client, name: name.into(), timeout: LONGEST_RUN }
    }

    /// Waits so long for the answer of a synchronous call, in place of [`LONGEST_RUN`].
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Its name, as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls it and waits for its output: JSON, as the function wrote it.
    ///
    /// Dropped midway, the function may run, or have run.
    ///
    /// # Errors
    /// [`Kind::Function`] with the type and the message of an error of the function itself;
    /// [`Kind::Invalid`] for an input of more than [`MOST_BYTES`], which is not sent, or that is no
    /// JSON; [`Kind::Missing`] and [`Kind::Denied`] with what to do; else as Lambda says.
    pub async fn call<I: Serialize + ?Sized + Sync>(&self, input: &I) -> Result<String> {
        self.call_with(self.written(input)?).await
    }

    /// As [`call`](Self::call), with the output read as a type.
    ///
    /// # Errors
    /// Also [`Kind::Function`] where the output has another form.
    pub async fn call_as<O, I>(&self, input: &I) -> Result<O>
    where
        O: DeserializeOwned,
        I: Serialize + ?Sized + Sync,
    {
        let output = self.call(input).await?;
        serde_json::from_str(&output).map_err(|error| {
            let what = format!("function {} gave an output of another form", self.name);
            Error::new(Kind::Function, what).because(error)
        })
    }

    /// Has Lambda queue the call; what the function makes of it is not learned here, and Lambda
    /// itself calls again, twice by default, where it fails.
    ///
    /// Dropped midway, the call may or may not be queued.
    ///
    /// # Errors
    /// As [`call`](Self::call), for up to [`MOST_BYTES_ASYNC`]; none of the function itself.
    pub async fn call_async<I: Serialize + ?Sized + Sync>(&self, input: &I) -> Result<()> {
        self.call_async_with(self.written(input)?).await
    }

    /// Calls it once for each input, up to `concurrency` at the same time, and gives each output
    /// with the position of its input from 0, as they come. Takes no more inputs than are called.
    /// An input that the source could not give is told at its position.
    ///
    /// Dropped midway, calls that are on their way may or may not be made.
    pub fn call_all<I, S>(
        &self,
        inputs: S,
        concurrency: usize,
    ) -> impl Stream<Item = (u64, Result<String>)> + Send
    where
        I: Serialize + Send + Sync,
        S: Stream<Item = Result<I>> + Send,
    {
        self.each(
            inputs,
            concurrency,
            |function, input| async move { function.call_with(input).await },
        )
    }

    /// As [`call_all`](Self::call_all), without waiting for outputs.
    pub fn call_all_async<I, S>(
        &self,
        inputs: S,
        concurrency: usize,
    ) -> impl Stream<Item = (u64, Result<()>)> + Send
    where
        I: Serialize + Send + Sync,
        S: Stream<Item = Result<I>> + Send,
    {
        self.each(inputs, concurrency, |function, input| async move {
            function.call_async_with(input).await
        })
    }

    /// Whether the function is there and may be called; calls nothing.
    ///
    /// # Errors
    /// [`Kind::Missing`] and [`Kind::Denied`] with what to do; else as Lambda says.
    pub async fn check(&self) -> Result<()> {
        invoke::dry_run(self).await
    }

    fn each<I, S, T, F>(
        &self,
        inputs: S,
        concurrency: usize,
        call: impl Fn(Self, Vec<u8>) -> F + Send + Clone,
    ) -> impl Stream<Item = (u64, Result<T>)> + Send
    where
        I: Serialize + Send + Sync,
        S: Stream<Item = Result<I>> + Send,
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        let mut position = 0;
        let calls = inputs.map(move |input| {
            let (function, call, at) = (self.clone(), call.clone(), position);
            position += 1;
            async move {
                match input.and_then(|input| function.written(&input)) {
                    Ok(input) => (at, call(function, input).await),
                    Err(error) => (at, Err(error)),
                }
            }
        });
        calls.buffer_unordered(concurrency.max(1))
    }

    fn written<I: Serialize + ?Sized>(&self, input: &I) -> Result<Vec<u8>> {
        serde_json::to_vec(input).map_err(|error| {
            Error::new(Kind::Invalid, format!("the input of function {}", self.name)).because(error)
        })
    }

    async fn call_with(&self, input: Vec<u8>) -> Result<String> {
        let answer = again_after(AFTER_FAILURE, || invoke::call(self, &input))
            .await
            .map_err(|failure| failure.error)?;
        answer.returned(&self.name)
    }

    async fn call_async_with(&self, input: Vec<u8>) -> Result<()> {
        again_after(AFTER_FAILURE, || invoke::queue(self, &input))
            .await
            .map_err(|failure| failure.error)
    }
}

#[cfg(test)]
mod tests;
