//! `longshore policy`: the least IAM policy for these settings.

use longshore::config::{Locator, Reference};
use longshore::error::{Error, Kind, Result};
use longshore::wiring;

use crate::args::Policy;
use crate::reach::connections;
use crate::{say, settings};

pub(crate) fn run(args: &Policy) -> Result<u8> {
    let config = settings::load(args.config.as_deref())?;
    if let Some(account) = &args.account
        && (account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(Error::new(Kind::Usage, format!("{account:?} is no account"))
            .hint("an account has twelve digits"));
    }
    let aws = connections();
    let policy = settings::block_on(wiring::policy(&config, &aws, args.account.as_deref()))?;
    say::line(format_args!("{policy:#}"));
    let is_parameter = |one: &Reference| matches!(one.locator, Locator::Parameter(_));
    if config.elsewhere.references().iter().any(is_parameter) {
        say::note("a parameter that a key of your own encrypts also needs kms:Decrypt on that key");
    }
    Ok(0)
}
