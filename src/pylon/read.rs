//! From `PYLON_CONFIG` to the settings: the JSON itself, or the place where it stands.

use super::Settings;
use crate::aws::Aws;
use crate::config::{self, env};
use crate::error::{Error, Kind, Result};
use crate::toolkit::locator;

/// The variable that holds the settings, or their place.
pub const VARIABLE: &str = "PYLON_CONFIG";

/// Reads the settings that the environment holds or names (`ssm://NAME`, `s3://BUCKET/KEY`,
/// `file://PATH`); `account` is how AWS is reached.
///
/// # Errors
/// [`Kind::Settings`] where the variable is not set, is no such place, or names nothing or what are
/// no settings; otherwise why they cannot be read now. The texts hold no value but those of pylon's
/// own keys.
pub async fn read(aws: &Aws, account: &config::Aws) -> Result<Settings> {
    let hint =
        "write a JSON object, or where one stands: ssm://NAME, s3://BUCKET/KEY or file://PATH";
    let wrong = |why: &str| Error::new(Kind::Settings, VARIABLE).because(why.to_owned()).hint(hint);
    let text = env::value(VARIABLE).ok_or_else(|| wrong("it is not set in the environment"))?;
    let text = text.into_string().map_err(|_| wrong("it is no UTF-8 text"))?;
    let text = text.trim();
    if text.starts_with('{') {
        return Settings::parse(text);
    }
    let Some(place) = config::Locator::read(text) else {
        return Err(wrong("it is neither a JSON object nor a place of one"));
    };
    let place = place.map_err(|why| wrong(&why))?;
    let fetched = locator::fetch(aws, account, &place).await.map_err(|error| {
        // The embedded AWS begins empty; elsewhere no waiting mends a wrong name.
        let is_there = error.kind() != Kind::Missing || account.sealed;
        let is_wrong = !is_there || matches!(error.kind(), Kind::Invalid | Kind::Corrupt);
        let kind = if is_wrong { Kind::Settings } else { error.kind() };
        Error::new(kind, VARIABLE).because(error)
    })?;
    Settings::parse(fetched.reveal())
}
