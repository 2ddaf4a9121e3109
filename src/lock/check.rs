//! What `longshore check` says of the store of locks and finished ids. Writes nothing.

use crate::aws::Aws;
use crate::config::{Idempotency, IdempotencyStore};
use crate::finding::Finding;

/// Asks the store whether it is there.
pub async fn check(settings: &Idempotency, aws: &Aws) -> Vec<Finding> {
    let findings = match &settings.store {
        IdempotencyStore::Memory => vec![
            Finding::limited(
                "locks and finished ids are kept in the memory of this one process: \
                 no other daemon sees them, and a restart forgets them",
            )
            .fix(
                "where more than one daemon reads a queue, set store = \"redis\" or \"dynamodb\" in [idempotency]",
            ),
        ],
        #[cfg(feature = "redis")]
        IdempotencyStore::Redis(servers) => super::redlock::check(servers).await,
        #[cfg(feature = "dynamodb")]
        IdempotencyStore::Dynamodb(table) => match aws.connect(&table.aws).await {
            Ok(connection) => super::dynamodb::table::check(&connection, &table.name).await,
            Err(error) => vec![Finding::of_error(&error, 69)],
        },
        #[cfg(not(all(feature = "redis", feature = "dynamodb")))]
        _ => match super::Store::open(settings, aws) {
            Ok(_store) => Vec::new(),
            Err(absent) => vec![Finding::of_error(&absent, 78)],
        },
    };
    findings.into_iter().map(|finding| finding.about("idempotency")).collect()
}
