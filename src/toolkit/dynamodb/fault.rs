//! What errors of DynamoDB mean for the table that was asked.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;

use super::Table;
use crate::aws::fault::fault;
use crate::error::{Error, Kind};

/// True where DynamoDB answered with this error.
pub(super) fn says<E: ProvideErrorMetadata>(error: &SdkError<E, Response>, code: &str) -> bool {
    let said = error.as_service_error().and_then(ProvideErrorMetadata::code);
    said.is_some_and(|said| said.ends_with(code))
}

/// The region that a client asks.
pub(super) fn region(client: &aws_sdk_dynamodb::Client) -> &str {
    client.config().region().map_or("no region", AsRef::as_ref)
}

impl Table {
    /// The error of a call about this table; `what` is such as "scanning" or "putting an item into".
    pub(super) fn failed<E>(&self, what: &str, error: SdkError<E, Response>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let (name, region) = (&self.name, region(&self.client));
        if says(&error, "ResourceNotFoundException") {
            return self.missing();
        }
        let told = error.as_service_error().and_then(ProvideErrorMetadata::message);
        let is_key = told.is_some_and(is_about_key);
        let error = fault(format!("{what} the DynamoDB table {name} in {region}"), error);
        if error.kind() == Kind::Invalid && is_key {
            return error.hint(format!("`longshore dynamodb describe {name}` shows its keys"));
        }
        error
    }

    pub(super) fn missing(&self) -> Error {
        let (name, region) = (&self.name, region(&self.client));
        let what = format!("there is no DynamoDB table {name} in {region}");
        Error::new(Kind::Missing, what).hint(format!(
            "check its name and its region, or create it: longshore dynamodb create {name} \
             --partition-key NAME"
        ))
    }
}

/// The texts of a `ValidationException` have no codes.
fn is_about_key(told: &str) -> bool {
    let told = told.to_lowercase();
    ["key element", "the key", "for key", "key schema", "key attribute"]
        .iter()
        .any(|part| told.contains(part))
}

/// A request of ours that lacks something: never the fault of whoever called.
pub(super) fn bug(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Bug, "building a request").because(error)
}
