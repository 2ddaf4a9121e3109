//! Deleting any number of objects: a thousand a call, each one's outcome looked at.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;

use aws_sdk_s3::types::{ChecksumAlgorithm, Delete, ObjectIdentifier};
use futures_util::stream::{self, Stream, StreamExt};

use super::{Bucket, Facts};
use crate::again::{AFTER_FAILURE, TRIES, again, pause};
use crate::aws::fault::entry_kind;
use crate::error::{Error, Kind, Result};

/// The most keys that one call takes (`DeleteObjects`).
pub const MOST_DELETED: usize = 1_000;
const ACTION: &str = "s3:DeleteObject";

/// What became of many deletes.
#[derive(Debug, Default)]
pub struct Deleted {
    /// So many objects are gone now, or were never there.
    pub gone: u64,
    /// The keys whose objects could not be deleted, and why.
    pub failed: Vec<(String, Error)>,
}

impl Bucket {
    /// Deletes an object. One that is not there is no error: S3 does not say.
    ///
    /// # Errors
    /// What S3 says.
    pub async fn delete_one(&self, key: &str) -> Result<()> {
        let act = self.act("deleting", ACTION, key);
        again(|| async {
            let call = self.client.delete_object().bucket(&self.name).key(key);
            call.send().await.map(|_gone| ()).map_err(|error| act.refused(error))
        })
        .await
    }

    /// Deletes an object that is still the one of these facts, by its `ETag`. One that is gone is
    /// no error.
    ///
    /// S3 itself compares (conditional deletes; they need `s3:GetObject` as well). Some servers that
    /// speak its language do not look at the condition, so the object is asked for before, too:
    /// there, what is written within the moment between the two calls is lost.
    ///
    /// # Errors
    /// [`Kind::Conflict`] where another object lies there by now, [`Kind::Transient`] where another
    /// request is at it however often it is asked, [`Kind::Invalid`] where the server
    /// says that it does not know the condition: both times nothing is deleted. Else what S3 says.
    pub async fn delete_unchanged(&self, key: &str, facts: &Facts) -> Result<()> {
        let act = self.act("deleting", ACTION, key);
        let anew = || {
            Error::new(Kind::Conflict, act.what())
                .because("it was written anew meanwhile")
                .hint("what lies there now was not deleted; copy or move it again")
        };
        let Some(found) = self.facts(key).await? else { return Ok(()) };
        if facts.etag.is_none() || found.etag != facts.etag {
            return Err(anew());
        }
        again(|| async {
            let call = self.client.delete_object().bucket(&self.name).key(key);
            let Err(error) = call.set_if_match(facts.etag.clone()).send().await else {
                return Ok(());
            };
            match super::code(&error) {
                // Also the answer to a second try whose first one was heard.
                Some("NoSuchKey") => Ok(()),
                Some("PreconditionFailed") => Err(anew()),
                // Another request is at the same object; what became of it is known after it.
                Some("ConditionalRequestConflict") => Err(Error::new(Kind::Transient, act.what())
                    .because("somebody writes or deletes it at the same time")
                    .hint("what lies there now was not deleted; copy or move it again")
                    .answered()),
                Some("NotImplemented") => Err(Error::new(Kind::Invalid, act.what())
                    .because(
                        "this server cannot delete under the condition that nobody has written",
                    )
                    .hint("it was not deleted; delete it by itself when nobody writes to it")
                    .answered()),
                _ => Err(act.refused(error)),
            }
        })
        .await
    }

    /// Deletes the objects of all these keys, a thousand a call, and holds every failure in memory.
    /// ```no_run
    /// # use longshore::toolkit::s3::Bucket;
    /// # async fn example(bucket: Bucket) -> longshore::error::Result<()> {
    /// let keys =
    ///     ["a-key/my-json-file.json", "a-key/another-json-file.json", "a-key/something-else.txt"];
    /// let deleted = bucket.delete(keys).await?;
    /// assert!(deleted.failed.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those that no other key would escape, such as a bucket that is not there; some may be
    /// deleted then. What concerns one key alone is in [`Deleted::failed`].
    pub async fn delete<K: Into<String>>(
        &self,
        keys: impl IntoIterator<Item = K, IntoIter: Send>,
    ) -> Result<Deleted> {
        let mut outcomes = std::pin::pin!(
            self.delete_stream(stream::iter(keys.into_iter().map(|key| Ok(key.into()))))
        );
        let mut deleted = Deleted::default();
        while let Some(outcome) = outcomes.next().await {
            match outcome? {
                (_, Ok(())) => deleted.gone += 1,
                (key, Err(error)) => deleted.failed.push((key, error)),
            }
        }
        Ok(deleted)
    }

    /// Deletes the objects of keys as they come, and tells of each what became of it, in any order.
    ///
    /// Keys are taken and deleted as outcomes are asked for: a thousand a call, and never more in
    /// memory. What fails in passing is tried again, up to five times. Dropped midway, keys that
    /// were taken and not told of may or may not be deleted.
    ///
    /// # Errors
    /// An error of the keys, or one that no other key would escape, is given out and ends it: after
    /// the outcomes of the keys before, and in place of those of its own call.
    pub fn delete_stream<'a>(
        &'a self,
        keys: impl Stream<Item = Result<String>> + Send + 'a,
    ) -> impl Stream<Item = Result<(String, Result<()>)>> + Send + 'a {
        let run =
            Run { bucket: self, keys: Some(Box::pin(keys)), told: VecDeque::new(), failed: None };
        stream::unfold(run, |mut run| async {
            let next = run.next().await?;
            Some((next, run))
        })
    }
}

type Keys<'a> = Pin<Box<dyn Stream<Item = Result<String>> + Send + 'a>>;

/// A delete of many that is under way.
struct Run<'a> {
    bucket: &'a Bucket,
    /// Nothing once they are at their end.
    keys: Option<Keys<'a>>,
    told: VecDeque<(String, Result<()>)>,
    /// Told after the outcomes that came before it.
    failed: Option<Error>,
}

impl Run<'_> {
    async fn next(&mut self) -> Option<Result<(String, Result<()>)>> {
        loop {
            if let Some(outcome) = self.told.pop_front() {
                return Some(Ok(outcome));
            }
            if let Some(error) = self.failed.take() {
                return Some(Err(error));
            }
            let batch = self.batch().await;
            if !batch.is_empty() {
                match self.bucket.delete_batch(batch).await {
                    Ok(told) => self.told = told.into(),
                    Err(error) => {
                        self.keys = None;
                        self.failed = Some(error);
                    }
                }
            } else if self.failed.is_none() {
                return None;
            }
        }
    }

    async fn batch(&mut self) -> Vec<String> {
        let mut batch = Vec::new();
        while let Some(keys) = &mut self.keys {
            match keys.next().await {
                Some(Ok(key)) => batch.push(key),
                Some(Err(error)) => {
                    self.failed = Some(error);
                    self.keys = None;
                }
                None => self.keys = None,
            }
            if batch.len() >= MOST_DELETED {
                break;
            }
        }
        batch
    }
}

impl Bucket {
    /// One call, and more for those that fail in passing.
    async fn delete_batch(&self, batch: Vec<String>) -> Result<Vec<(String, Result<()>)>> {
        let mut told = Vec::with_capacity(batch.len());
        // A call names its keys in XML, which has no control characters.
        let (mut left, alone): (Vec<_>, Vec<_>) = batch.into_iter().partition(|key| fits_xml(key));
        for key in alone {
            let outcome = self.delete_one(&key).await;
            told.push((key, outcome));
        }
        let mut tries = 0;
        while !left.is_empty() {
            tries += 1;
            let mut failed = again(|| self.delete_call(&left)).await?;
            let foreign = failed.extract_if(|key, _| !left.contains(key)).next();
            if let Some((_, error)) = foreign {
                // Nothing is taken for a success when the answer speaks of something else.
                let what = "deleting: the answer names a key that was never sent";
                return Err(Error::new(Kind::Transient, what).because(error));
            }
            let mut again = Vec::new();
            for key in left {
                match failed.get(&key) {
                    None => told.push((key, Ok(()))),
                    Some(error) if error.kind().passes_by_itself() && tries < TRIES => {
                        again.push(key);
                    }
                    // Said of each, should the key have come twice.
                    Some(error) => told.push((key, Err(error.again()))),
                }
            }
            left = again;
            if !left.is_empty() {
                pause(AFTER_FAILURE, tries).await;
            }
        }
        Ok(told)
    }

    /// Deletes them in one call; the failures by key.
    async fn delete_call(&self, keys: &[String]) -> Result<HashMap<String, Error>> {
        let act = self.act("deleting objects of", ACTION, "");
        let bug = |error| Error::new(Kind::Bug, act.what()).because(error);
        let objects: std::result::Result<Vec<_>, _> =
            keys.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect();
        let objects = objects.map_err(bug)?;
        // Quiet: only failures are told.
        let delete =
            Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(bug)?;
        let call = self.client.delete_objects().bucket(&self.name).delete(delete);
        let answer = call.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).send().await;
        let answer = answer.map_err(|error| act.refused(error))?;
        let failures = answer.errors.into_iter().flatten().map(|failure| {
            let code = failure.code().unwrap_or("no error code");
            let why = failure
                .message()
                .map_or_else(|| code.to_owned(), |message| format!("{code}: {message}"));
            let error =
                self.of_entry(failure.key().unwrap_or_default(), entry_kind(code, true), why);
            (failure.key.unwrap_or_default(), error)
        });
        Ok(failures.collect())
    }

    fn of_entry(&self, key: &str, kind: Kind, why: String) -> Error {
        let act = self.act("deleting", ACTION, key);
        let error = Error::new(kind, act.what()).because(why).answered();
        if kind == Kind::Denied { error.hint(act.permission()) } else { error }
    }
}

fn fits_xml(key: &str) -> bool {
    let is_plain = |c: char| c >= ' ' || matches!(c, '\t' | '\n' | '\r');
    key.chars().all(|c| is_plain(c) && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}
