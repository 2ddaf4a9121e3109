//! From any error of the SDK to an [`Error`] with its [`Kind`]: throttled, denied, missing, …
//!
//! The SDK tells transport failures from service answers; what an answer means is said by its
//! error code, and where the code is unknown by the HTTP status.

#![expect(clippy::wildcard_enum_match_arm, reason = "SdkError and the error codes keep growing")]

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::error::{Error, Kind};

/// The error of a call; `what` names the call and the thing it was for.
pub fn fault<E>(what: impl Into<String>, error: SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let kind = kind(&error);
    let told = match &error {
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or("no error code");
            let status = answer.raw().status().as_u16();
            let request = request_id(answer.raw());
            match answer.err().message() {
                Some(message) => format!("{code}: {message} (HTTP {status}{request})"),
                None => format!("{code} (HTTP {status}{request})"),
            }
        }
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        _ => with_causes(&error),
    };
    let error = Error::new(kind, what).because(told);
    match advice(kind) {
        Some(advice) => error.hint(advice),
        None => error,
    }
}

/// An error and what it came from, on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.ends_with(&told) {
            text = format!("{text}: {told}");
        }
        cause = inner.source();
    }
    text
}

/// The kind of one failed entry of a batch call: its code, and whether SQS holds it our fault.
pub fn entry_kind(code: &str, sender_fault: bool) -> Kind {
    match of_code(code) {
        Some(kind) => kind,
        None if sender_fault => Kind::Invalid,
        None => Kind::Transient,
    }
}

fn kind<E: ProvideErrorMetadata + std::fmt::Debug>(error: &SdkError<E, Response>) -> Kind {
    match error {
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Kind::Transient,
        SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => of_text(error),
        SdkError::ServiceError(answer) => answer
            .err()
            .code()
            .and_then(of_code)
            .unwrap_or_else(|| of_status(answer.raw().status().as_u16())),
        // No answer in time, a reply that could not be read, and whatever the SDK may add.
        _ => Kind::Transient,
    }
}

/// Before a request leaves, the SDK tells its troubles in words only.
fn of_text<E: std::fmt::Debug>(error: &SdkError<E, Response>) -> Kind {
    let text = format!("{error:?}").to_lowercase();
    if text.contains("credentials") || text.contains("identity") || text.contains("token") {
        Kind::Credentials
    } else if matches!(error, SdkError::ConstructionFailure(_)) {
        Kind::Invalid
    } else {
        Kind::Unreachable
    }
}

fn of_code(code: &str) -> Option<Kind> {
    // SQS's JSON protocol and its older query protocol name the same errors differently.
    let code = code.rsplit(['#', '.']).next().unwrap_or(code);
    Some(match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceededException"
        | "SlowDown"
        | "KmsThrottled"
        | "KMSThrottling"
        | "OverLimit"
        | "BandwidthLimitExceeded" => Kind::Throttled,
        "InternalError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "IncompleteBody"
        | "RequestTimeTooSkewed" => Kind::Transient,
        "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "MissingAuthenticationToken"
        | "InvalidSecurity"
        | "IncompleteSignature"
        | "AuthFailure" => Kind::Credentials,
        "AccessDenied"
        | "AccessDeniedException"
        | "AllAccessDisabled"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "KmsAccessDenied"
        | "OptInRequired"
        | "AccountProblem" => Kind::Denied,
        "NoSuchBucket"
        | "NoSuchKey"
        | "NoSuchUpload"
        | "NotFound"
        | "NotFoundException"
        | "QueueDoesNotExist"
        | "NonExistentQueue"
        | "QueueDeletedRecently"
        | "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => Kind::Missing,
        "PreconditionFailed" | "ConditionalRequestConflict" | "OperationAborted" => Kind::Conflict,
        "BadDigest"
        | "InvalidDigest"
        | "XAmzContentChecksumMismatch"
        | "XAmzContentSHA256Mismatch" => Kind::Corrupt,
        _ => return None,
    })
}

fn of_status(status: u16) -> Kind {
    match status {
        401 => Kind::Credentials,
        403 => Kind::Denied,
        301 | 307 | 404 => Kind::Missing,
        408 => Kind::Transient,
        409 | 412 => Kind::Conflict,
        429 => Kind::Throttled,
        400..=499 => Kind::Invalid,
        _ => Kind::Transient,
    }
}

fn request_id(response: &Response) -> String {
    ["x-amz-request-id", "x-amzn-requestid"]
        .into_iter()
        .find_map(|name| response.headers().get(name))
        .map(|id| format!(", request {id}"))
        .unwrap_or_default()
}

/// What a person can do, for the kinds that need one.
fn advice(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Credentials => Some(
            "check the credentials: [aws] in the settings, the AWS_* environment, the AWS profile \
             or the role of this host",
        ),
        Kind::Denied => Some("allow this action for the identity that `longshore check` names"),
        Kind::Unreachable => {
            Some("check endpoint_url, the region's name and the network of this host")
        }
        Kind::Missing => Some("check its name and its region"),
        Kind::Usage
        | Kind::Settings
        | Kind::Throttled
        | Kind::Transient
        | Kind::Conflict
        | Kind::Invalid
        | Kind::Corrupt
        | Kind::File
        | Kind::Busy
        | Kind::Aborted
        | Kind::Bug => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_protocols_mean_the_same() {
        for code in [
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "com.amazonaws.sqs#QueueDoesNotExist",
        ] {
            assert_eq!(of_code(code), Some(Kind::Missing), "{code}");
        }
        assert_eq!(of_code("SomethingNew"), None);
    }

    #[test]
    fn an_unknown_code_is_judged_by_its_status() {
        assert_eq!(of_status(403), Kind::Denied);
        assert_eq!(of_status(400), Kind::Invalid);
        assert_eq!(of_status(503), Kind::Transient);
    }

    #[test]
    fn an_entry_that_is_not_our_fault_may_be_sent_again() {
        assert_eq!(entry_kind("InternalError", false), Kind::Transient);
        assert_eq!(entry_kind("ReceiptHandleIsInvalid", true), Kind::Invalid);
        assert_eq!(entry_kind("Odd", false), Kind::Transient);
    }
}
