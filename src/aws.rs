//! The connections to AWS: one for each distinct set of `[aws]` settings, made on first use and
//! shared from then on.
//!
//! No call is ever retried by the SDK: its shared retry quota drains in an outage and then fails
//! everything fast. Whoever makes a call decides when to make it again.

#[cfg(feature = "sqs")]
pub mod batch;
mod clients;
mod connect;
pub mod fault;
pub mod identity;
mod silence;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::{OnceCell, RwLock};

use crate::config;
use crate::error::{Error, Kind, Result};

/// The clients of one region and identity.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The SDK's own configuration, for services that have no client here.
    pub sdk: SdkConfig,
    /// Amazon SQS.
    #[cfg(feature = "sqs")]
    pub sqs: aws_sdk_sqs::Client,
    /// Amazon S3.
    #[cfg(feature = "s3")]
    pub s3: aws_sdk_s3::Client,
    /// Amazon SNS.
    #[cfg(feature = "sns")]
    pub sns: aws_sdk_sns::Client,
    /// Amazon DynamoDB.
    #[cfg(feature = "dynamodb")]
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// AWS Lambda.
    #[cfg(feature = "lambda")]
    pub lambda: aws_sdk_lambda::Client,
    /// AWS Systems Manager, whose parameters are read.
    #[cfg(feature = "ssm")]
    pub ssm: aws_sdk_ssm::Client,
    /// AWS STS.
    pub sts: aws_sdk_sts::Client,
}

/// Where one connection is made: whoever comes second waits for it, and nobody else does.
type Slot = Arc<OnceCell<Connection>>;

/// Where what was found by its name is kept, for all who asked for it: the URL of a queue.
pub(crate) type Found = Arc<RwLock<Option<String>>>;

/// A thing by its kind and name, and how it is reached.
type Name = (config::Aws, &'static str, String);

/// All connections of a process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Aws {
    made: Arc<Mutex<HashMap<config::Aws, Slot>>>,
    found: Arc<Mutex<HashMap<Name, Found>>>,
    settings: config::Aws,
    http: Option<SharedHttpClient>,
    silence: Option<silence::Silence>,
}

/// More connections, and more things found by their names, are not kept.
const MOST_KEPT: usize = 1_000;

impl Aws {
    /// No connection is made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every request goes through this HTTP client instead of the SDK's own; for tests in virtual
    /// time.
    pub fn through(http: SharedHttpClient) -> Self {
        Self { http: Some(http), ..Self::default() }
    }

    /// For a program that somebody waits for. A request that has no answer within 4 s is told of,
    /// once, with the endpoint that is waited for and how long: 20 s. Then it fails, and what is
    /// asked there next is given 2 s until something is answered. Requests that take their time by
    /// themselves (a receive, a function, a copy, more than 64 KiB) are left to their own timeouts.
    #[must_use]
    pub fn on_silence(self, tell: impl Fn(&str, Duration) + Send + Sync + 'static) -> Self {
        Self { silence: Some(silence::Silence::new(tell)), ..self }
    }

    /// The connection for these settings; the same one for the same settings.
    ///
    /// No request is sent, except those of the SDK's credential and region chain where the settings
    /// leave a choice to it. Dropped midway, nothing is kept and the next call begins anew.
    ///
    /// # Errors
    /// When neither the settings nor the SDK's chain knows a region. A failure is not remembered.
    pub async fn connect(&self, settings: &config::Aws) -> Result<Connection> {
        let slot = self.slot(settings);
        let connection = slot.get_or_try_init(async || {
            let sdk = connect::sdk_config(settings, self.http(settings)).await?;
            Ok::<_, Error>(Connection::new(sdk, settings.path_style || settings.sealed))
        });
        connection.await.cloned()
    }

    /// The next call for these settings makes a new connection: the SDK's chain reads profiles
    /// once, and would never see credentials that a person puts right.
    pub fn forget(&self, settings: &config::Aws) {
        self.made().remove(settings);
    }

    /// Forgets the connection when its credentials were refused; passes the result on.
    pub(crate) fn heed<T>(&self, settings: &config::Aws, result: Result<T>) -> Result<T> {
        if result.as_ref().is_err_and(|error| error.kind() == Kind::Credentials) {
            self.forget(settings);
        }
        result
    }

    /// What requests go through, where it is not the SDK's own.
    fn http(&self, settings: &config::Aws) -> Option<SharedHttpClient> {
        let Some(silence) = &self.silence else { return self.http.clone() };
        Some(silence.over(self.http.clone().unwrap_or_else(|| connect::client(settings))))
    }

    fn slot(&self, settings: &config::Aws) -> Slot {
        let mut made = self.made();
        if made.len() >= MOST_KEPT {
            made.clear();
        }
        Arc::clone(made.entry(settings.clone()).or_default())
    }

    fn made(&self) -> MutexGuard<'_, HashMap<config::Aws, Slot>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    fn new(sdk: SdkConfig, path_style: bool) -> Self {
        Self {
            #[cfg(feature = "sqs")]
            sqs: aws_sdk_sqs::Client::new(&sdk),
            #[cfg(feature = "s3")]
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&sdk).force_path_style(path_style).build(),
            ),
            #[cfg(feature = "sns")]
            sns: aws_sdk_sns::Client::new(&sdk),
            #[cfg(feature = "dynamodb")]
            dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
            #[cfg(feature = "lambda")]
            lambda: aws_sdk_lambda::Client::new(&sdk),
            #[cfg(feature = "ssm")]
            ssm: aws_sdk_ssm::Client::new(&sdk),
            sts: aws_sdk_sts::Client::new(&sdk),
            sdk,
        }
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        self.sdk.region().map_or("", AsRef::as_ref)
    }
}
