//! The embedded STS: who one is, a role to assume, and a session token.
//!
//! Credentials that it gives are known to it until they expire, and `GetCallerIdentity` says whose
//! they are; the other services take them as they take any. No role exists here, so every role may
//! be assumed; policies, tags and MFA of the request are without effect.

use std::collections::VecDeque;
use std::iter::repeat_with;
use std::time::{Duration, UNIX_EPOCH};

use super::ACCOUNT;
use super::clock::Clock;
use super::fault::Fault;
use super::form;
use super::guarded::Guarded;
use super::xml;
use crate::units;

/// The most sessions that are remembered; the oldest makes room.
const MOST_SESSIONS: usize = 1_000;

#[derive(Debug)]
pub(super) struct Sts {
    clock: Clock,
    sessions: Guarded<VecDeque<Session>>,
}

#[derive(Debug, Clone)]
struct Session {
    access_key: String,
    identity: Identity,
    /// Milliseconds since 1970.
    until: u64,
}

#[derive(Debug, Clone)]
struct Identity {
    arn: String,
    user: String,
    account: String,
}

impl Identity {
    fn of_everybody() -> Self {
        Self {
            arn: format!("arn:aws:iam::{ACCOUNT}:user/longshore-local"),
            user: "AIDALONGSHORELOCAL000".to_owned(),
            account: ACCOUNT.to_owned(),
        }
    }
}

type Fields = [(String, String)];

impl Sts {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, sessions: Guarded::default() }
    }

    /// Answers one operation with the XML inside its result. `access_key` is the one that signed.
    pub(super) fn call(
        &self,
        access_key: Option<&str>,
        action: &str,
        fields: &Fields,
    ) -> Result<String, Fault> {
        match action {
            "GetCallerIdentity" => {
                let who = self.who(access_key);
                let mut result = String::new();
                xml::element(&mut result, "Arn", &xml::escape(&who.arn));
                xml::element(&mut result, "UserId", &xml::escape(&who.user));
                xml::element(&mut result, "Account", &who.account);
                Ok(result)
            }
            "AssumeRole" => self.assume(fields),
            "GetSessionToken" => {
                let lasts = lasts(fields, 43_200, 129_600)?;
                Ok(self.credentials(self.who(access_key), lasts))
            }
            _ => Err(Fault::new(
                "InvalidAction",
                format!("the embedded STS of longshore has no operation {action}"),
            )),
        }
    }

    fn who(&self, access_key: Option<&str>) -> Identity {
        let now = self.clock.millis();
        let sessions = self.sessions.lock();
        let session = sessions
            .iter()
            .find(|session| Some(session.access_key.as_str()) == access_key && session.until > now);
        session.map_or_else(Identity::of_everybody, |session| session.identity.clone())
    }

    fn assume(&self, fields: &Fields) -> Result<String, Fault> {
        let (role, session) = (required(fields, "RoleArn")?, required(fields, "RoleSessionName")?);
        let lasts = lasts(fields, 3_600, 43_200)?;
        let (account, name) = role
            .strip_prefix("arn:aws:iam::")
            .and_then(|rest| rest.split_once(":role/"))
            .filter(|(account, name)| {
                let digits = account.bytes().all(|byte| byte.is_ascii_digit());
                account.len() == 12 && digits && !name.is_empty()
            })
            .ok_or_else(|| Fault::new("ValidationError", format!("{role} is invalid")))?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        if !(2..=64).contains(&session.len()) || !session.bytes().all(allowed) {
            return Err(Fault::new(
                "ValidationError",
                format!(
                    "1 validation error detected: Value '{session}' at 'roleSessionName' failed \
                     to satisfy constraint: Member must satisfy regular expression pattern: \
                     [\\w+=,.@-]{{2,64}}"
                ),
            ));
        }
        // The path of a role is not part of its sessions' ARNs.
        let name = name.rsplit('/').next().unwrap_or(name);
        let identity = Identity {
            arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
            user: format!("AROA{}:{session}", random(17, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
            account: account.to_owned(),
        };
        let mut who = String::new();
        xml::element(&mut who, "AssumedRoleId", &xml::escape(&identity.user));
        xml::element(&mut who, "Arn", &xml::escape(&identity.arn));
        let mut result = self.credentials(identity, lasts);
        xml::element(&mut result, "AssumedRoleUser", &who);
        Ok(result)
    }

    fn credentials(&self, identity: Identity, lasts: u64) -> String {
        let upper = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let any = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let access_key = format!("ASIA{}", random(16, upper));
        let until = self.clock.millis().saturating_add(lasts * 1_000);
        let mut inside = String::new();
        xml::element(&mut inside, "AccessKeyId", &access_key);
        xml::element(&mut inside, "SecretAccessKey", &random(40, any));
        xml::element(&mut inside, "SessionToken", &random(356, any));
        let expires = units::utc(UNIX_EPOCH + Duration::from_millis(until));
        xml::element(&mut inside, "Expiration", &expires);
        let mut sessions = self.sessions.lock();
        if sessions.len() >= MOST_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back(Session { access_key, identity, until });
        let mut result = String::new();
        xml::element(&mut result, "Credentials", &inside);
        result
    }
}

fn random(length: usize, letters: &[u8]) -> String {
    repeat_with(|| fastrand::choice(letters))
        .flatten()
        .take(length)
        .map(|byte| char::from(*byte))
        .collect()
}

fn required<'f>(fields: &'f Fields, name: &str) -> Result<&'f str, Fault> {
    form::field(fields, name).ok_or_else(|| {
        Fault::new(
            "ValidationError",
            format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy \
                 constraint: Member must not be null"
            ),
        )
    })
}

/// Seconds; at least 15 minutes.
fn lasts(fields: &Fields, default: u64, most: u64) -> Result<u64, Fault> {
    let Some(text) = form::field(fields, "DurationSeconds") else { return Ok(default) };
    text.parse().ok().filter(|seconds| (900..=most).contains(seconds)).ok_or_else(|| {
        Fault::new(
            "ValidationError",
            format!(
                "1 validation error detected: Value '{text}' at 'durationSeconds' failed to \
                 satisfy constraint: Member must be between 900 and {most}"
            ),
        )
    })
}
