//! Locks and finished ids in one table of Amazon DynamoDB.
//!
//! An item is a lock or a finished id: its key `id`, its end in `expires` (seconds since 1970, for
//! the table's own clearing) and exactly in `expires_ms`, and a lock's `token`. Whether it has ended
//! is judged in our conditions: DynamoDB clears away days later, if at all. Every write is
//! conditional where it must not meet another's, every read consistent.
//!
//! The end of a lock is a time of the clock of its holder, and is judged by the clock of whoever
//! wants it. So a lock is taken over only a second after its end: clocks of hosts may be a second
//! apart, which every time service keeps. Where they are further apart a lock may be taken too soon,
//! and the finished id is what keeps a message from being handled again.

pub mod table;

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Attempt, Lock};
use crate::aws::{Aws, Connection};
use crate::config;
use crate::error::{Error, Kind, Result};

/// As far apart as the clocks of two hosts may be.
const SKEW: Duration = Duration::from_secs(1);
/// No message waits longer than this for one answer.
const ANSWER: Duration = Duration::from_secs(2);

/// The table, and how to reach it.
#[derive(Debug, Clone)]
pub(super) struct Dynamodb {
    aws: Aws,
    settings: config::Aws,
    table: String,
}

type Answer<T, E> = std::result::Result<T, SdkError<E, Response>>;

impl Dynamodb {
    /// No request is sent yet.
    pub(super) const fn new(aws: Aws, settings: config::Aws, table: String) -> Self {
        Self { aws, settings, table }
    }

    pub(super) async fn lock(&self, key: &str, lease: Duration) -> Result<Attempt> {
        let client = self.client().await?;
        let (token, began, now) = (Uuid::new_v4().to_string(), Instant::now(), now());
        let put = client
            .put_item()
            .table_name(&self.table)
            .item("id", text(key))
            .item("token", text(&token))
            .set_expression_attribute_names(Some(names(["id", "expires_ms"])))
            .condition_expression("attribute_not_exists(#id) OR #expires_ms < :past")
            .expression_attribute_values(":past", millis(now.saturating_sub(SKEW)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = ending(now + lease).into_iter().fold(put, |put, (name, end)| put.item(name, end));
        match self.ask(put.send()).await? {
            Ok(_) => {
                let lock = Lock { key: key.to_owned(), token, until: until(began, lease) };
                if lock.until > Instant::now() {
                    return Ok(Attempt::Held(lock));
                }
                self.unlock(&lock).await?;
                let what = format!("locking {key}: the answer took longer than the lock stands");
                Err(Error::new(Kind::Transient, what).hint("raise lock_timeout"))
            }
            Err(SdkError::ServiceError(answer))
                if answer.err().is_conditional_check_failed_exception() =>
            {
                let end =
                    if let PutItemError::ConditionalCheckFailedException(refused) = answer.err() {
                        refused.item().and_then(end)
                    } else {
                        None
                    };
                let left = end.map_or(lease, |end| (end + SKEW).saturating_sub(now));
                Ok(Attempt::Busy(left))
            }
            Err(error) => Err(self.failed(format!("locking {key}"), error)),
        }
    }

    pub(super) async fn renew(&self, lock: &mut Lock, lease: Duration) -> Result<bool> {
        let client = self.client().await?;
        let (began, now) = (Instant::now(), now());
        let update = client
            .update_item()
            .table_name(&self.table)
            .key("id", text(&lock.key))
            .set_expression_attribute_names(Some(names(["token", "expires", "expires_ms"])))
            .update_expression("SET #expires = :expires, #expires_ms = :expires_ms")
            .condition_expression("#token = :token AND #expires_ms > :now")
            .expression_attribute_values(":token", text(&lock.token))
            .expression_attribute_values(":now", millis(now));
        let update = ending(now + lease).into_iter().fold(update, |update, (name, end)| {
            update.expression_attribute_values(format!(":{name}"), end)
        });
        match self.ask(update.send()).await? {
            Ok(_) => {
                lock.until = lock.until.max(until(began, lease));
                Ok(lock.until > Instant::now())
            }
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(self.failed(format!("renewing {}", lock.key), error)),
        }
    }

    pub(super) async fn unlock(&self, lock: &Lock) -> Result<()> {
        let delete = self
            .client()
            .await?
            .delete_item()
            .table_name(&self.table)
            .key("id", text(&lock.key))
            .set_expression_attribute_names(Some(names(["token"])))
            .condition_expression("#token = :token")
            .expression_attribute_values(":token", text(&lock.token));
        match self.ask(delete.send()).await? {
            Err(error) if !is_refused(&error) => {
                Err(self.failed(format!("unlocking {}", lock.key), error))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub(super) async fn finish(&self, key: &str, keep: Duration) -> Result<()> {
        let put = self.client().await?.put_item().table_name(&self.table).item("id", text(key));
        let put =
            ending(now() + keep).into_iter().fold(put, |put, (name, end)| put.item(name, end));
        let put = self.ask(put.send()).await?;
        put.map(drop).map_err(|error| self.failed(format!("noting {key}"), error))
    }

    pub(super) async fn is_finished(&self, key: &str) -> Result<bool> {
        let get = self
            .client()
            .await?
            .get_item()
            .table_name(&self.table)
            .key("id", text(key))
            .consistent_read(true)
            .set_expression_attribute_names(Some(names(["expires_ms"])))
            .projection_expression("#expires_ms");
        let got = self.ask(get.send()).await?;
        let got = got.map_err(|error| self.failed(format!("looking for {key}"), error))?;
        Ok(got.item().and_then(end).is_some_and(|end| end > now()))
    }

    async fn client(&self) -> Result<aws_sdk_dynamodb::Client> {
        let Connection { dynamodb, .. } = self.aws.connect(&self.settings).await?;
        Ok(dynamodb)
    }

    async fn ask<T, E>(&self, call: impl Future<Output = Answer<T, E>>) -> Result<Answer<T, E>> {
        tokio::time::timeout(ANSWER, call).await.map_err(|_| {
            let what = format!("the DynamoDB table {} of locks: no answer in time", self.table);
            Error::new(Kind::Transient, what)
        })
    }

    /// What went wrong with the table, and what to do.
    fn failed<E>(&self, what: String, error: SdkError<E, Response>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let error = table::failed(&self.table, &what, error);
        if error.kind() == Kind::Credentials {
            self.aws.forget(&self.settings);
        }
        error
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(time: Duration) -> AttributeValue {
    AttributeValue::N(time.as_millis().to_string())
}

/// The two attributes that say when an item ends. Rounded up to seconds, so that DynamoDB never
/// clears an item before its end.
fn ending(end: Duration) -> [(&'static str, AttributeValue); 2] {
    let seconds = end.as_secs() + 1;
    [("expires", AttributeValue::N(seconds.to_string())), ("expires_ms", millis(end))]
}

fn end(item: &HashMap<String, AttributeValue>) -> Option<Duration> {
    item.get("expires_ms")?.as_n().ok()?.parse().ok().map(Duration::from_millis)
}

/// Some of our names are reserved words of DynamoDB, so all are written as placeholders.
fn names<const N: usize>(names: [&str; N]) -> HashMap<String, String> {
    names.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect()
}

/// Until when a lock certainly stands by the clock of this process: its lease from before it was
/// asked for, less 1 % and 2 ms of drift.
fn until(began: Instant, lease: Duration) -> Instant {
    let drift = lease / 100 + Duration::from_millis(2);
    (began + lease).checked_sub(drift).unwrap_or(began)
}

fn is_refused<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> bool {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .is_some_and(|code| code.ends_with("ConditionalCheckFailedException"))
}

#[cfg(test)]
mod tests;
