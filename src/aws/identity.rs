//! Who we are to AWS, in words.

use super::Aws;
use super::fault::{NO_CREDENTIALS, fault};
use crate::config::{self, env};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;

/// Asks STS who we are. Needs no permission at all.
///
/// # Errors
/// [`Kind::Credentials`] without credentials, or with some that AWS does not accept.
pub async fn identity(aws: &Aws, settings: &config::Aws) -> Result<String> {
    let connection = aws.connect(settings).await?;
    let region = connection.region().to_owned();
    let who = connection
        .sts
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| fault(format!("asking STS who we are in {region}"), error))?;
    let (arn, account) = (who.arn.unwrap_or_default(), who.account.unwrap_or_default());
    Ok(format!("{arn} in account {account}, region {region}"))
}

/// What `longshore check` says of who we are.
pub async fn check(aws: &Aws, settings: &config::Aws) -> Vec<Finding> {
    vec![match identity(aws, settings).await {
        Ok(who) => Finding::good(format!("AWS knows us as {who}")),
        // S3-compatible stores and emulators often have no STS; what counts is asked below.
        Err(error) if settings.endpoint_url.is_some() && error.kind() != Kind::Credentials => {
            Finding::limited(format!("the endpoint does not tell who we are: {}", error.told()))
        }
        Err(error) => refused(settings, &error),
    }]
}

/// A profile that is not there is no error to the SDK, only one more place without credentials.
fn refused(settings: &config::Aws, error: &Error) -> Finding {
    let finding = Finding::of_error(error, 69);
    let chosen = env::value("AWS_PROFILE").map(|name| name.to_string_lossy().into_owned());
    match settings.profile.clone().or(chosen) {
        Some(profile) if error.told().contains(NO_CREDENTIALS) => finding.fix(format!(
            "write the profile {profile} into the shared AWS files (~/.aws/config, \
             ~/.aws/credentials), or choose one that stands there"
        )),
        Some(_) | None => finding,
    }
}
