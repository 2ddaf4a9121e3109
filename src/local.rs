//! An AWS of one's own: S3, SQS, SNS, DynamoDB, SSM and STS behind one port of the loopback.
//!
//! For trying Longshore in one command, for tests and for benchmarks. Objects are plain files at
//! `DIR/s3/<bucket>/<key>` and survive a restart; queues, topics, messages, tables and parameters
//! live in memory and do not. Any credentials and any region are accepted, signatures are not
//! verified, and nothing here ever opens a connection. Not meant to hold data: nothing is synced to
//! the disk.
//!
//! There are two doors to the same services: the port, and [`Local::http_client`], which hands
//! the SDK's requests over inside the process, so that tokio's paused clock works.

mod clock;
mod connector;
mod digest;
mod door;
mod dynamodb;
mod fault;
mod form;
mod guarded;
mod listener;
mod payload;
mod s3;
mod sns;
mod sqs;
mod ssm;
mod sts;
#[cfg(test)]
mod tests;
mod xml;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_sts::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::clock::Clock;
use self::connector::InProcess;
use self::door::Door;
use self::fault::Fault;
use self::s3::Store;
use crate::error::{Error, Kind, Result};

/// The account that owns everything here.
pub const ACCOUNT: &str = "000000000000";

/// The region of what is created without a request: `ensure_queue`, `ensure_topic`.
pub const REGION: &str = "us-east-1";

/// How long [`Local::stop`] waits for connections to finish.
const STOP_BOUND: Duration = Duration::from_secs(3);

/// Where the embedded AWS keeps its objects and where it listens.
#[derive(Debug, Clone)]
pub struct Options {
    /// Objects lie in `s3` below it. Created if missing.
    pub directory: PathBuf,
    /// The port of 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// Where the port is taken: true tries the hundred ports above it, false refuses.
    pub next_free: bool,
}

/// The running embedded AWS. Dropping it ends it at once; [`Local::stop`] does so in order.
#[derive(Debug)]
pub struct Local {
    door: Arc<Door>,
    origin: String,
    stopping: CancellationToken,
    tasks: JoinSet<()>,
}

impl Local {
    /// Opens the directory and the port and begins to serve.
    ///
    /// # Errors
    /// [`Kind::File`] where the directory cannot be used, [`Kind::Busy`] where another process
    /// serves the same directory or holds the port.
    pub async fn start(options: Options) -> Result<Self> {
        let listener = listener::bind(options.port, options.next_free).await?;
        let address = listener.local_addr().map_err(|error| {
            Error::new(Kind::File, "reading the port of the embedded AWS").because(error)
        })?;
        let origin = format!("http://{address}");
        let door = Arc::new(open_door(&options, &origin).await?);
        let stopping = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(listener::serve(listener, Arc::clone(&door), stopping.clone()));
        Ok(Self { door, origin, stopping, tasks })
    }

    /// The services without a port: only [`Local::http_client`] leads to them. `port` and
    /// `next_free` of the options mean nothing here.
    ///
    /// # Errors
    /// As [`Local::start`], the port aside.
    pub async fn without_port(options: Options) -> Result<Self> {
        let origin = "http://localhost".to_owned();
        let door = Arc::new(open_door(&options, &origin).await?);
        let stopping = CancellationToken::new();
        Ok(Self { door, origin, stopping, tasks: JoinSet::new() })
    }

    /// The address to give to AWS clients, as in `http://127.0.0.1:4566`.
    pub fn endpoint(&self) -> &str {
        &self.origin
    }

    /// Creates the bucket unless it is there.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a name that S3 would refuse, [`Kind::File`] where its directory
    /// cannot be made.
    pub async fn ensure_bucket(&self, name: &str) -> Result<()> {
        self.door.s3.ensure_bucket(name).await
    }

    /// Creates the queue with AWS's defaults unless it is there, and gives its URL.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a name that SQS would refuse.
    pub fn ensure_queue(&self, name: &str) -> Result<String> {
        self.door.sqs.ensure(name, REGION).map_err(|fault| refused("queue", name, fault))?;
        Ok(format!("{}/{ACCOUNT}/{name}", self.origin))
    }

    /// Creates the topic unless it is there, and gives its ARN.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a name that SNS would refuse.
    pub fn ensure_topic(&self, name: &str) -> Result<String> {
        self.door.sns.ensure(name, REGION).map_err(|fault| refused("topic", name, fault))
    }

    /// Creates the table unless it is there; its key is this one string.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a name that DynamoDB would refuse.
    pub fn ensure_table(&self, name: &str, key: &str) -> Result<()> {
        self.door.dynamodb.ensure(name, key, REGION).map_err(|refusal| {
            Error::new(Kind::Invalid, format!("creating the table {name:?}: {refusal}"))
        })
    }

    /// Answers every receive empty from now on, the waiting ones at once, so that a daemon that
    /// drains does not wait for its long polls. Everything else goes on. Cannot be taken back.
    pub fn drain(&self) {
        self.door.sqs.drain();
    }

    /// Ends: no new connection, requests under way are answered, idle connections are closed.
    /// What is not done within three seconds is cut off. Dropping the future cuts all off.
    pub async fn stop(mut self) {
        self.drain();
        self.stopping.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_BOUND + Duration::from_secs(1), ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }

    /// The door without a socket: an HTTP client for the SDK that hands its requests to the
    /// services in this process. Only time-outs and long polls wait, on tokio's clock.
    pub fn http_client(&self) -> SharedHttpClient {
        InProcess::client(&self.door)
    }

    /// Settings for SDK clients that reach the services by the port: static credentials, one
    /// attempt per call. S3 clients must ask for path style (`force_path_style`).
    pub fn sdk_config(&self) -> SdkConfig {
        self.settings(None)
    }

    /// Settings for SDK clients that reach the services in this process.
    pub fn sdk_config_in_process(&self) -> SdkConfig {
        self.settings(Some(self.http_client()))
    }

    fn settings(&self, http_client: Option<SharedHttpClient>) -> SdkConfig {
        let credentials = Credentials::new("local", "local", None, None, "longshore local");
        let mut settings = SdkConfig::builder();
        settings.set_http_client(http_client);
        settings
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .endpoint_url(&self.origin)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }
}

async fn open_door(options: &Options, origin: &str) -> Result<Door> {
    let s3 = Store::open(options.directory.join("s3")).await?;
    Ok(Door::new(origin.to_owned(), s3, Clock::start()))
}

fn refused(what: &str, name: &str, fault: Fault) -> Error {
    Error::new(Kind::Invalid, format!("creating the {what} {name:?}: {}", fault.message))
}
