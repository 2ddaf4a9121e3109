//! A call made again while its failure passes by itself: a few times, with growing pauses.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::error::{Error, Result};

/// How often a call, or an entry of one, is tried that fails in a way that may pass.
pub(crate) const TRIES: u32 = 5;
/// The pauses between.
pub(crate) const AFTER_FAILURE: Backoff =
    Backoff::doubling(Duration::from_millis(200), Duration::from_secs(5));

/// A failure of a call.
pub(crate) trait Failed {
    /// Its error, where the very same call may succeed later without anybody's help.
    fn passing(&self) -> Option<&Error>;
}

impl Failed for Error {
    fn passing(&self) -> Option<&Error> {
        self.kind().passes_by_itself().then_some(self)
    }
}

/// Makes a call until it succeeds, fails in a way that does not pass by itself, or has failed five
/// times. What it does must bear being done twice: a failure may have been one of the answer only.
///
/// # Errors
/// The last one.
pub(crate) async fn again<T, F>(call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    again_after(AFTER_FAILURE, call).await
}

/// As [`again`], for calls with other pauses between, or other failures.
pub(crate) async fn again_after<T, E, F>(
    pauses: Backoff,
    mut call: impl FnMut() -> F,
) -> std::result::Result<T, E>
where
    E: Failed,
    F: Future<Output = std::result::Result<T, E>>,
{
    let mut failures = 0;
    loop {
        // Boxed: a call of the SDK is a future of many kilobytes.
        let failed = match Box::pin(call()).await {
            Ok(worth) => return Ok(worth),
            Err(failed) => failed,
        };
        failures += 1;
        match failed.passing().filter(|_| failures < TRIES) {
            Some(error) => tracing::debug!(%error, failures, "call failed, trying again"),
            None => return Err(failed),
        }
        tokio::time::sleep(pauses.delay(failures, fastrand::f64())).await;
    }
}

/// Waits before the entries of a call are tried again that have failed so often.
pub(crate) async fn pause(failures: u32) {
    tokio::time::sleep(AFTER_FAILURE.delay(failures, fastrand::f64())).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::error::Kind;

    async fn tries(kind: Kind, failing: u32) -> (u32, Result<()>) {
        let mut tries = 0;
        let ended = again(|| {
            tries += 1;
            let failed = tries <= failing;
            async move { if failed { Err(Error::new(kind, "calling")) } else { Ok(()) } }
        });
        let ended = ended.await;
        (tries, ended)
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_five_times_and_what_does_not_once() {
        assert!(matches!(tries(Kind::Throttled, 4).await, (5, Ok(()))));
        assert!(matches!(tries(Kind::Transient, 9).await, (5, Err(_))));
        assert!(matches!(tries(Kind::Denied, 9).await, (1, Err(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn the_pauses_are_those_that_were_asked_for() {
        let steady = Backoff { factor: 1, ..Backoff::doubling(HOUR, HOUR) };
        let began = Instant::now();
        let ended: Result<()> =
            again_after(steady, || async { Err(Error::new(Kind::Throttled, "calling")) }).await;
        assert!(ended.is_err());
        assert!((HOUR * 2..=HOUR * 4).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    const HOUR: Duration = Duration::from_hours(1);
}
