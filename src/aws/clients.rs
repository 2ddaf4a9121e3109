//! Clients by region, for code that is not led by settings: made once for each service, region and
//! role, and shared.

use std::sync::PoisonError;

use aws_config::SdkConfig;

use super::{Aws, Connection, Found, MOST_KEPT};
use crate::config;
use crate::error::{Error, Kind, Result};

/// What every region of AWS has before its number.
const DIRECTIONS: [&str; 9] = [
    "north",
    "south",
    "east",
    "west",
    "central",
    "northeast",
    "southeast",
    "northwest",
    "southwest",
];

impl Aws {
    /// The clients below go by these settings, their region aside. Without any, by the SDK's own
    /// chain (environment, profile, the role of this host).
    #[must_use]
    pub fn with(mut self, settings: config::Aws) -> Self {
        self.settings = settings;
        self
    }

    /// The same connections, and clients that assume this role first.
    #[must_use]
    pub fn with_role(&self, role_arn: impl Into<String>) -> Self {
        let settings = config::Aws { role_arn: Some(role_arn.into()), ..self.settings.clone() };
        self.clone().with(settings)
    }

    /// All clients of a region. No request is sent, except those of the SDK's credential chain.
    ///
    /// # Errors
    /// [`Kind::Settings`] for what is no region of AWS, unless an endpoint of one's own is asked:
    /// such a one may call its region as it likes.
    pub async fn region(&self, region: &str) -> Result<Connection> {
        let connection = self.connect(&self.settings_in(region)).await?;
        if connection.sdk.endpoint_url().is_none() && !is_of_aws(region) {
            return Err(Error::new(Kind::Settings, format!("{region:?} is no region of AWS"))
                .hint("a region looks like us-west-2 or ap-southeast-1"));
        }
        Ok(connection)
    }

    /// The SDK's configuration, for services that have no client here.
    ///
    /// # Errors
    /// As [`region`](Self::region).
    pub async fn config(&self, region: &str) -> Result<SdkConfig> {
        Ok(self.region(region).await?.sdk)
    }

    /// Amazon SQS. Errors as [`region`](Self::region).
    #[cfg(feature = "sqs")]
    pub async fn sqs(&self, region: &str) -> Result<aws_sdk_sqs::Client> {
        Ok(self.region(region).await?.sqs)
    }

    /// Amazon SNS. Errors as [`region`](Self::region).
    #[cfg(feature = "sns")]
    pub async fn sns(&self, region: &str) -> Result<aws_sdk_sns::Client> {
        Ok(self.region(region).await?.sns)
    }

    /// Amazon S3. Errors as [`region`](Self::region).
    #[cfg(feature = "s3")]
    pub async fn s3(&self, region: &str) -> Result<aws_sdk_s3::Client> {
        Ok(self.region(region).await?.s3)
    }

    /// Amazon DynamoDB. Errors as [`region`](Self::region).
    #[cfg(feature = "dynamodb")]
    pub async fn dynamodb(&self, region: &str) -> Result<aws_sdk_dynamodb::Client> {
        Ok(self.region(region).await?.dynamodb)
    }

    /// AWS Lambda. Errors as [`region`](Self::region).
    #[cfg(feature = "lambda")]
    pub async fn lambda(&self, region: &str) -> Result<aws_sdk_lambda::Client> {
        Ok(self.region(region).await?.lambda)
    }

    /// AWS Systems Manager. Errors as [`region`](Self::region).
    #[cfg(feature = "ssm")]
    pub async fn ssm(&self, region: &str) -> Result<aws_sdk_ssm::Client> {
        Ok(self.region(region).await?.ssm)
    }

    /// AWS STS. Errors as [`region`](Self::region).
    pub async fn sts(&self, region: &str) -> Result<aws_sdk_sts::Client> {
        Ok(self.region(region).await?.sts)
    }

    /// Where a thing of this kind and name in this region is kept once it was found.
    pub(crate) fn found(&self, region: &str, thing: &'static str, name: &str) -> Found {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= MOST_KEPT {
            found.clear();
        }
        let key = (self.settings_in(region), thing, name.to_owned());
        Found::clone(found.entry(key).or_default())
    }

    fn settings_in(&self, region: &str) -> config::Aws {
        config::Aws { region: Some(region.to_owned()), ..self.settings.clone() }
    }
}

/// `us-west-2`, `us-gov-east-1`, `eusc-de-east-1`: by the form and not by a list, which would be too
/// short within the year.
fn is_of_aws(region: &str) -> bool {
    let mut parts = region.rsplit('-');
    let number = parts.next().is_some_and(|part| matches!(part.as_bytes(), [b'1'..=b'9']));
    let direction = parts.next().is_some_and(|part| DIRECTIONS.contains(&part));
    let mut area = parts.peekable();
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    number && direction && area.peek().is_some() && area.all(lower)
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn r4_a_region_that_is_none_is_named() {
        let aws = Aws::new();
        for region in
            ["us-canada-17", "us-east-17", "useast1", "east-1", "", "us-east", "US-EAST-1"]
        {
            let error = aws.sqs(region).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Settings, "{region}");
            assert!(error.to_string().contains(&format!("{region:?}")), "{error}");
            aws.config(region).await.unwrap_err();
        }
        for region in ["us-east-1", "ap-southeast-7", "us-gov-west-1", "eusc-de-east-1"] {
            assert_eq!(aws.config(region).await.unwrap().region().unwrap().as_ref(), region);
        }
    }

    #[tokio::test]
    async fn a_store_of_ones_own_may_call_its_region_as_it_likes() {
        let endpoint_url = Some("http://127.0.0.1:1".to_owned());
        let aws = Aws::new().with(config::Aws { endpoint_url, ..config::Aws::default() });
        assert_eq!(aws.region("us-canada-17").await.unwrap().region(), "us-canada-17");
    }

    #[tokio::test]
    async fn r6_a_client_is_made_once_for_each_region_and_role() {
        let aws = Aws::new();
        for _ in 0..2 {
            aws.sqs("us-east-1").await.unwrap();
            aws.clone().sns("us-east-1").await.unwrap();
        }
        assert_eq!(aws.made().len(), 1);
        aws.s3("eu-west-1").await.unwrap();
        assert_eq!(aws.made().len(), 2);
        let role = "arn:aws:iam::123456789012:role/reader";
        aws.with_role(role).sqs("us-east-1").await.unwrap();
        aws.with_role(role).sts("us-east-1").await.unwrap();
        assert_eq!(aws.made().len(), 3);
    }
}
