//! From any error of the SDK to an [`Error`] with its [`Kind`]: throttled, denied, missing, …
//!
//! The SDK tells transport failures from service answers; what an answer means is said by its
//! error code, and where the code is unknown by the HTTP status.

#![expect(clippy::wildcard_enum_match_arm, reason = "SdkError and the error codes keep growing")]

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::error::{Error, Kind};

/// How the SDK begins when no place that it looked at had credentials.
pub(super) const NO_CREDENTIALS: &str = "no credentials found";

/// The error of a call; `what` names the call and the thing it was for.
pub fn fault<E>(what: impl Into<String>, error: SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let kind = kind(&error);
    let is_answer = matches!(error, SdkError::ServiceError(_) | SdkError::ResponseError(_));
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
        _ => causes(&error),
    };
    let error = Error::new(kind, what).because(told);
    let error = if is_answer { error.answered() } else { error };
    match advice(kind) {
        Some(advice) => error.hint(advice),
        None => error,
    }
}

/// What stands behind an error that never became an answer: the words of its causes, on one line.
/// The SDK's own words for "something went wrong" say nothing and are left out.
fn causes(error: &(dyn StdError + 'static)) -> String {
    const EMPTY: [&str; 5] = [
        "other",
        "io error",
        "timeout",
        "dispatch failure",
        "the credential provider was not enabled",
    ];
    let mut told: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        next = cause.source();
        let text = without_request(&on_one_line(&cause.to_string())).to_owned();
        let known = told.iter().any(|told| told.contains(&text));
        if !known && !EMPTY.contains(&text.as_str()) {
            told.push(text);
        }
    }
    if told.is_empty() { on_one_line(&error.to_string()) } else { told.join(": ") }
}

/// The SDK shows whole requests in some of its errors, the body among them.
fn without_request(text: &str) -> &str {
    let Some((before, _request)) = text.split_once("Request {") else { return text };
    before.trim_end_matches(|c: char| !c.is_alphanumeric())
}

/// The chain of credentials tells of each place a line; a place where nobody has put any says
/// nothing about what is wrong.
fn on_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let told: Vec<&str> =
        lines.filter(|line| !line.contains(": the credential provider was not enabled")).collect();
    let text = told.join(" ");
    if text.starts_with(NO_CREDENTIALS) && text.ends_with("Attempted:") {
        return NO_CREDENTIALS.to_owned();
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
    let short = code.rsplit(['#', '.']).next().unwrap_or(code);
    // S3 writes `KMS.DisabledException`, SQS `KmsDisabled`.
    if [code, short].iter().any(|code| code.starts_with("KMS") || code.starts_with("Kms")) {
        return Some(of_key_code(short));
    }
    Some(match short {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceededException"
        | "SlowDown"
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
        _ => return of_json_code(short),
    })
}

/// What services of the JSON protocol say besides: of signatures, Systems Manager of parameters and
/// of the keys that decrypt them, DynamoDB of others that write the same item.
fn of_json_code(code: &str) -> Option<Kind> {
    match code {
        "ParameterNotFound" | "ParameterVersionNotFound" => Some(Kind::Missing),
        "ParameterAlreadyExists" => Some(Kind::Conflict),
        "InvalidKeyId" => Some(Kind::Denied),
        "InvalidSignatureException" => Some(Kind::Credentials),
        "TooManyUpdates" | "LimitExceededException" => Some(Kind::Throttled),
        "RequestExpired"
        | "TransactionConflictException"
        | "TransactionInProgressException"
        | "ReplicatedWriteConflictException" => Some(Kind::Transient),
        _ => None,
    }
}

/// What S3 and SQS hand on from KMS: unless it passes by itself, the key cannot be used by us,
/// whatever the object or message.
fn of_key_code(code: &str) -> Kind {
    if code.contains("Throttl") || code.contains("LimitExceeded") {
        Kind::Throttled
    } else if ["Internal", "Timeout", "Unavailable"].iter().any(|passing| code.contains(passing)) {
        Kind::Transient
    } else {
        Kind::Denied
    }
}

fn of_status(status: u16) -> Kind {
    match status {
        401 => Kind::Credentials,
        403 | 405 => Kind::Denied,
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
        Kind::Denied => {
            Some("allow this action for the identity that `longshore check --aws` names")
        }
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
        | Kind::Function
        | Kind::File
        | Kind::Busy
        | Kind::Aborted
        | Kind::Bug => None,
    }
}

#[cfg(test)]
mod tests;
