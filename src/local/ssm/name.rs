//! Names of parameters: `shop`, `/shop/password`, an ARN, and the version behind a colon.

use super::invalid;
use crate::config::parameter_name;
use crate::local::fault::Fault;

/// The name of a parameter. `/shop` and `shop` are one; AWS lets nobody make both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'n>(&'n str);

/// Which version is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Selector<'n> {
    Latest,
    Version(i64),
    Label(&'n str),
}

impl<'n> Name<'n> {
    pub(super) fn read(text: &'n str) -> Result<Self, Fault> {
        let text = text.trim_matches(' ');
        let name = text.split_once(":parameter/").map_or(text, |(_, name)| name);
        parameter_name(text).map_err(|_| {
            invalid(
                "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). \
                 Only a mix of letters, numbers and the following 4 symbols .-_/ are allowed.",
            )
        })?;
        Ok(Self(name))
    }

    /// As [`Self::read`], with the rules that hold for new ones.
    pub(super) fn to_create(text: &'n str) -> Result<Self, Fault> {
        let name = Self::read(text)?;
        if name.0.contains(':') || text.starts_with("arn:") {
            return Err(invalid("Parameter name must be a name, not an ARN or a version."));
        }
        if !name.0.starts_with('/') && name.0.contains('/') {
            return Err(invalid("Parameter name must be a fully qualified name."));
        }
        let first = name.key().to_ascii_lowercase();
        if ["aws", "ssm"].iter().any(|reserved| first.starts_with(reserved)) {
            return Err(Fault::new(
                "AccessDeniedException",
                format!("No access to reserved parameter name: {}.", name.0),
            ));
        }
        Ok(name)
    }

    pub(super) const fn written(&self) -> &'n str {
        self.0
    }

    /// What tells it from others.
    pub(super) fn key(&self) -> &'n str {
        self.0.strip_prefix('/').unwrap_or(self.0)
    }
}

impl<'n> Selector<'n> {
    pub(super) fn split(text: &'n str) -> Result<(Name<'n>, Self), Fault> {
        let name = Name::read(text)?;
        let Some((bare, selector)) = name.0.split_once(':') else {
            return Ok((name, Self::Latest));
        };
        let selector = selector.parse().map_or(Self::Label(selector), Self::Version);
        Ok((Name(bare), selector))
    }
}
