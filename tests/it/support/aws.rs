//! The AWS SDK as a test's own client: one endpoint, test credentials, nothing from outside.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_s3::config::{Credentials, RequestChecksumCalculation, SharedCredentialsProvider};

/// Settings for any client of `endpoint`; a failed request is not tried again.
fn settings(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "test",
        )))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build()
}

/// An S3 client with the bucket in the path.
pub(crate) fn s3(endpoint: &str) -> aws_sdk_s3::Client {
    let settings = aws_sdk_s3::config::Builder::from(&settings(endpoint)).force_path_style(true);
    aws_sdk_s3::Client::from_conf(settings.build())
}

/// An SQS client.
pub(crate) fn sqs(endpoint: &str) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&settings(endpoint))
}

/// An SNS client.
pub(crate) fn sns(endpoint: &str) -> aws_sdk_sns::Client {
    aws_sdk_sns::Client::new(&settings(endpoint))
}

/// A DynamoDB client.
pub(crate) fn dynamodb(endpoint: &str) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&settings(endpoint))
}

/// A Lambda client.
pub(crate) fn lambda(endpoint: &str) -> aws_sdk_lambda::Client {
    aws_sdk_lambda::Client::new(&settings(endpoint))
}

/// An SSM client.
pub(crate) fn ssm(endpoint: &str) -> aws_sdk_ssm::Client {
    aws_sdk_ssm::Client::new(&settings(endpoint))
}
