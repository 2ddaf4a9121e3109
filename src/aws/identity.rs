//! Who we are to AWS, in words.

use std::fmt;

use super::fault::{NO_CREDENTIALS, fault};
use super::{Aws, Connection};
use crate::config::{self, env};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;

/// Who AWS takes us for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The ARN of the user or of the assumed role.
    pub arn: String,
    /// The account, twelve digits.
    pub account: String,
    /// The region that was asked.
    pub region: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in account {}, region {}", self.arn, self.account, self.region)
    }
}

impl Connection {
    /// Asks STS who we are: true, in its way, or the reason why not. Needs no permission at all.
    ///
    /// # Errors
    /// [`Kind::Credentials`] without credentials, or with some that AWS does not accept.
    pub async fn test(&self) -> Result<Identity> {
        let region = self.region().to_owned();
        let who = self.sts.get_caller_identity().send().await.map_err(|error| {
            fault(format!("checking the credentials with STS in {region}"), error)
        })?;
        let (arn, account) = (who.arn.unwrap_or_default(), who.account.unwrap_or_default());
        Ok(Identity { arn, account, region })
    }
}

impl Aws {
    /// Whether AWS can be reached with the settings at hand, and who it takes us for; the reason why
    /// not otherwise.
    ///
    /// # As AWSimple has it
    /// `print(AWSAccess().test())  # Should be 'True'`:
    /// ```no_run
    /// # async fn example() {
    /// use longshore::aws::Aws;
    ///
    /// // The default chain: here ~/.aws/credentials and ~/.aws/config.
    /// println!("{}", Aws::new().test().await.is_ok()); // true
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Connection::test`]; and [`Kind::Credentials`] where no region is known.
    pub async fn test(&self) -> Result<Identity> {
        identity(self, &self.settings).await
    }
}

/// As [`Aws::test`], with these settings.
///
/// # Errors
/// As [`Aws::test`].
pub async fn identity(aws: &Aws, settings: &config::Aws) -> Result<Identity> {
    let tested = aws.connect(settings).await?.test().await;
    aws.heed(settings, tested).map_err(|error| of_profile(settings, error))
}

/// What `longshore check` says of who we are.
pub async fn check(aws: &Aws, settings: &config::Aws) -> Vec<Finding> {
    vec![match identity(aws, settings).await {
        Ok(who) => Finding::good(format!("AWS knows us as {who}")),
        // S3-compatible stores and emulators often have no STS; what counts is asked below.
        Err(error) if settings.endpoint_url.is_some() && error.kind() != Kind::Credentials => {
            Finding::limited(format!("the endpoint does not tell who we are: {}", error.told()))
        }
        Err(error) => Finding::of_error(&error, 69),
    }]
}

/// A profile that is not there is no error to the SDK, only one more place without credentials.
fn of_profile(settings: &config::Aws, error: Error) -> Error {
    let chosen = env::value("AWS_PROFILE").map(|name| name.to_string_lossy().into_owned());
    match settings.profile.clone().or(chosen) {
        Some(profile) if error.told().contains(NO_CREDENTIALS) => error.hint(format!(
            "write the profile {profile} into the shared AWS files (~/.aws/config, \
             ~/.aws/credentials), or choose one that stands there"
        )),
        Some(_) | None => error,
    }
}
