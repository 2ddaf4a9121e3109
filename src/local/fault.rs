//! What SQS, SNS and STS answer when they refuse: a code, a text, and whose fault it is.

use hyper::StatusCode;

/// A refusal in the words of AWS. The code is the one of the JSON protocol; the query protocol
/// has its own names for some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A parameter that AWS would not take.
    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(
            "MissingParameter",
            format!("The request must contain the parameter {parameter}."),
        )
    }

    pub(crate) fn unknown_action(service: &str, action: &str) -> Self {
        Self::new(
            "UnsupportedOperation",
            format!("the embedded {service} of longshore has no operation {action}"),
        )
    }

    /// The name of this fault in the query protocol of SQS.
    pub(crate) fn query_code(&self) -> String {
        match self.code {
            "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
            "QueueNameExists" => "QueueAlreadyExists".to_owned(),
            "MessageNotInflight"
            | "EmptyBatchRequest"
            | "TooManyEntriesInBatchRequest"
            | "BatchEntryIdsNotDistinct"
            | "BatchRequestTooLong"
            | "InvalidBatchEntryId"
            | "PurgeQueueInProgress"
            | "UnsupportedOperation" => format!("AWS.SimpleQueueService.{}", self.code),
            code => code.to_owned(),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self.code {
            "OverLimit" => StatusCode::FORBIDDEN,
            "NotFound" => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
