//! A call made again while its failure passes by itself: a few times, with growing pauses.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::error::Result;

/// How often a call, or an entry of one, is tried that fails in a way that may pass.
pub(crate) const TRIES: u32 = 5;
/// The pauses between.
pub(crate) const AFTER_FAILURE: Backoff =
    Backoff::doubling(Duration::from_millis(200), Duration::from_secs(5));

/// Makes a call until it succeeds, fails in a way that does not pass by itself, or has failed five
/// times. What it does must bear being done twice: a failure may have been one of the answer only.
///
/// # Errors
/// The last one.
pub(crate) async fn again<T, F>(mut call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut failures = 0;
    loop {
        let error = match call().await {
            Ok(worth) => return Ok(worth),
            Err(error) => error,
        };
        failures += 1;
        if failures >= TRIES || !error.kind().passes_by_itself() {
            return Err(error);
        }
        tracing::debug!(%error, failures, "call failed, trying again");
        tokio::time::sleep(AFTER_FAILURE.delay(failures, fastrand::f64())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Kind};

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
}
