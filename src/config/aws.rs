//! `[aws]`, and the same keys inside a spool or a queue, where each overrides its namesake.
//!
//! Credentials are not mixed: a table with any of the credential keys must hold the pair, and
//! inherits nothing of another one.

use std::fmt;

use super::names;
use super::section::Section;

/// How to reach AWS: what the settings say, and nothing where the SDK's own chain decides.
///
/// Two spools or queues with equal values share their connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Aws {
    /// The region; else the SDK's chain (environment, profile, instance).
    pub region: Option<String>,
    /// The region when neither the settings nor the SDK's chain knows one.
    pub fallback_region: Option<String>,
    /// The profile in the shared AWS files.
    pub profile: Option<String>,
    /// Explicit credentials; else the SDK's chain.
    pub credentials: Option<Credentials>,
    /// A role to assume with those credentials.
    pub role_arn: Option<String>,
    /// An endpoint for every service; else the SDK's chain.
    pub endpoint_url: Option<String>,
    /// Buckets in the path and not in the host name (`AWS` in 2012, most S3-compatible stores).
    pub path_style: bool,
    /// Set by `--local` alone: nothing but this endpoint is ever asked, whatever profile and
    /// environment say.
    pub sealed: bool,
}

/// Explicit credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// `access_key_id`
    pub access_key_id: String,
    /// `secret_access_key`, or the contents of `secret_access_key_file`
    pub secret_access_key: Secret,
    /// `session_token`, or the contents of `session_token_file`
    pub session_token: Option<Secret>,
}

/// A text that no log, page or `Debug` output may show.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; for the one place that must send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"…\"")
    }
}

/// The keys as written in one table.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    pub(super) region: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) credentials: Option<Credentials>,
    pub(super) role_arn: Option<String>,
    pub(super) endpoint_url: Option<String>,
    pub(super) path_style: Option<bool>,
}

impl Written {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let written = Self {
            region: section.formed("region", names::region),
            profile: section.text("profile"),
            credentials: credentials(section),
            role_arn: section.formed("role_arn", role),
            endpoint_url: section.formed("endpoint_url", endpoint),
            path_style: section.flag("path_style"),
        };
        if written.credentials.is_some()
            && written.profile.as_deref().is_some_and(|p| !p.is_empty())
        {
            let message = "profile and access_key_id are two sources of credentials; keep one";
            section.blame("profile", message);
        }
        written
    }

    /// The same of what has an address, which may name the region itself.
    pub(super) fn read_at(section: &mut Section<'_>, of_address: Option<&str>) -> Self {
        let mut written = Self::read(section);
        if let Some(of_address) = of_address {
            if let Some(own) = written.region.as_deref().filter(|own| *own != of_address) {
                let message = format!("region {own:?}, but the address says {of_address:?}");
                section.blame("region", message);
            }
            written.region = Some(of_address.to_owned());
        }
        written
    }

    /// This table's keys over those of `[aws]`.
    pub(super) fn over(self, base: &Self) -> Self {
        let credentials = match (&self.credentials, &self.profile) {
            (Some(own), _) => Some(own.clone()),
            // A profile of its own must not lose against credentials from above.
            (None, Some(_)) => None,
            (None, None) => base.credentials.clone(),
        };
        Self {
            region: self.region.or_else(|| base.region.clone()),
            profile: self.profile.or_else(|| base.profile.clone()),
            credentials,
            role_arn: self.role_arn.or_else(|| base.role_arn.clone()),
            endpoint_url: self.endpoint_url.or_else(|| base.endpoint_url.clone()),
            path_style: self.path_style.or(base.path_style),
        }
    }

    /// An empty text stands for "none of what `[aws]` says".
    pub(super) fn resolve(self) -> Aws {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        Aws {
            region: self.region,
            fallback_region: None,
            profile: filled(self.profile),
            credentials: self.credentials,
            role_arn: filled(self.role_arn),
            endpoint_url: filled(self.endpoint_url),
            path_style: self.path_style.unwrap_or(false),
            sealed: false,
        }
    }
}

fn credentials(section: &mut Section<'_>) -> Option<Credentials> {
    let id = section.formed("access_key_id", not_empty);
    let key = secret(section, "secret_access_key", "secret_access_key_file");
    let token = secret(section, "session_token", "session_token_file");
    if let (Some(access_key_id), Some(secret_access_key)) = (id, key) {
        return Some(Credentials { access_key_id, secret_access_key, session_token: token });
    }
    let has_id = section.has("access_key_id");
    let has_key = section.has("secret_access_key") || section.has("secret_access_key_file");
    if has_id && !has_key {
        let message = "access_key_id without secret_access_key or secret_access_key_file";
        section.blame("access_key_id", message);
    }
    let others =
        ["secret_access_key", "secret_access_key_file", "session_token", "session_token_file"];
    if let (Some(key), false) = (others.iter().find(|key| section.has(key)), has_id) {
        section.blame(key, format!("{key} without access_key_id"));
    }
    None
}

/// A secret in the settings themselves, or in a file that they name.
pub(super) fn secret(
    section: &mut Section<'_>,
    key: &'static str,
    file_key: &'static str,
) -> Option<Secret> {
    let text = section.formed(key, not_empty).map(Secret::new);
    let file = section.path_of(file_key);
    if section.has(key) && section.has(file_key) {
        section.blame(file_key, format!("{key} and {file_key} say the same thing; keep one"));
        return None;
    }
    let Some(file) = file else { return text };
    super::env::secret(&file, &section.document.environment)
        .map_err(|wrong| section.blame(file_key, format!("{file_key}: {wrong}")))
        .ok()
}

/// Errors about credentials never repeat them.
pub(super) fn not_empty(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err("empty, or of several lines".to_owned());
    }
    Ok(text.to_owned())
}

fn role(text: &str) -> Result<String, String> {
    if text.is_empty() || (text.starts_with("arn:") && text.contains(":role/")) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no role; it looks like arn:aws:iam::123456789012:role/NAME"))
}

pub(super) fn endpoint(text: &str) -> Result<String, String> {
    if !text.is_empty() {
        let url = names::web_url(text)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{text:?} has a ? or # part; an endpoint has none"));
        }
    }
    Ok(text.to_owned())
}
