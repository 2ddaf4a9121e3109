//! What S3 refuses, by name, and what to do about it.

use std::error::Error as StdError;
use std::fmt;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Path;
use crate::aws::fault::fault;
use crate::error::{Error, Kind};
use crate::key::LONGEST_KEY;

/// Says in which region a bucket lies, in nearly every answer of S3.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// A refusal that programs tell apart; found in an error by [`Refusal::of`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such bucket.
    BucketNotFound(String),
    /// There is no such object.
    ObjectNotFound(Path),
    /// The bucket lies in another region.
    BucketElsewhere {
        /// Its name.
        bucket: String,
        /// Its region, where S3 said it.
        region: Option<String>,
    },
    /// Another account has a bucket of this name.
    BucketOfAnother(String),
    /// A bucket that is to be deleted still holds objects.
    BucketNotEmpty(String),
}

impl Refusal {
    /// The refusal behind an error, if it is one of these.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }

    /// The error of it; `what` names the call.
    pub(super) fn told(self, what: impl Into<String>) -> Error {
        let (kind, hint) = match &self {
            Self::BucketNotFound(bucket) => (
                Kind::Missing,
                format!("check its name, or create it: longshore s3 mb s3://{bucket}"),
            ),
            Self::ObjectNotFound(_) => (Kind::Missing, "check its key".to_owned()),
            Self::BucketElsewhere { region: Some(region), .. } => {
                (Kind::Missing, format!("connect to region {region}"))
            }
            Self::BucketElsewhere { .. } => (Kind::Missing, "connect to its region".to_owned()),
            Self::BucketOfAnother(_) => (
                Kind::Conflict,
                "choose another name: those of buckets are unique in all of AWS".to_owned(),
            ),
            Self::BucketNotEmpty(_) => (Kind::Conflict, "delete its objects first".to_owned()),
        };
        Error::new(kind, what).because(self).hint(hint)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BucketNotFound(bucket) => write!(f, "there is no bucket {bucket:?}"),
            Self::ObjectNotFound(path) => write!(f, "there is no object {path}"),
            Self::BucketElsewhere { bucket, region: Some(region) } => {
                write!(f, "bucket {bucket:?} lies in region {region}")
            }
            Self::BucketElsewhere { bucket, region: None } => {
                write!(f, "bucket {bucket:?} lies in another region")
            }
            Self::BucketOfAnother(bucket) => {
                write!(f, "another account has a bucket {bucket:?}")
            }
            Self::BucketNotEmpty(bucket) => write!(f, "bucket {bucket:?} still holds objects"),
        }
    }
}

impl StdError for Refusal {}

/// What was done to which thing, and the permission that it needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Act<'a> {
    /// As a log says it: `getting`.
    pub(super) doing: &'a str,
    /// The action of IAM (Actions, resources, and condition keys for Amazon S3).
    pub(super) action: &'a str,
    pub(super) bucket: &'a str,
    /// Empty where the whole bucket is meant.
    pub(super) key: &'a str,
}

impl Act<'_> {
    pub(super) fn what(&self) -> String {
        format!("{} {}", self.doing, Path::new(self.bucket, self.key))
    }

    /// The error of a call, by its name where it has one.
    pub(super) fn refused<E>(&self, error: SdkError<E, Response>) -> Error
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let code = super::code(&error).unwrap_or_default();
        let answer = error.raw_response();
        let status = answer.map_or(0, |answer| answer.status().as_u16());
        let region =
            || answer.and_then(|answer| answer.headers().get(REGION_HEADER)).map(str::to_owned);
        let bucket = || self.bucket.to_owned();
        let refusal = match code {
            "NoSuchBucket" => Some(Refusal::BucketNotFound(bucket())),
            "NoSuchKey" => Some(Refusal::ObjectNotFound(Path::new(self.bucket, self.key))),
            "BucketAlreadyExists" => Some(Refusal::BucketOfAnother(bucket())),
            "BucketNotEmpty" => Some(Refusal::BucketNotEmpty(bucket())),
            "PermanentRedirect" | "AuthorizationHeaderMalformed" => {
                Some(Refusal::BucketElsewhere { bucket: bucket(), region: region() })
            }
            // The answer to HEAD has no body that could hold a code.
            _ if status == 301 => {
                Some(Refusal::BucketElsewhere { bucket: bucket(), region: region() })
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            return refusal.told(self.what());
        }
        let fix = self.fix(code, status);
        let told = fault(self.what(), error);
        if told.kind() == Kind::Denied {
            return told.hint(self.permission());
        }
        match fix {
            Some(fix) => told.hint(fix),
            None => told,
        }
    }

    /// What to change, where S3 does not say it: its answer to HEAD holds nothing.
    fn fix(&self, code: &str, status: u16) -> Option<String> {
        let length = self.key.len();
        if length > LONGEST_KEY {
            return Some(format!("its key has {length} bytes, S3 takes at most {LONGEST_KEY}"));
        }
        let fix = match code {
            "" if status == 400 => {
                return Some(format!("`longshore s3 ls s3://{}` tells why", self.bucket));
            }
            "InvalidBucketName" => "the name of a bucket has 3 to 63 of a-z 0-9 - .",
            "AccessControlListNotSupported" => {
                "leave the ACL out, or enable ACLs on the bucket (Object Ownership)"
            }
            _ => return None,
        };
        Some(fix.to_owned())
    }

    /// What to allow.
    pub(super) fn permission(&self) -> String {
        let Self { action, bucket, key, .. } = self;
        if key.is_empty() {
            return format!("allow {action} on arn:aws:s3:::{bucket}");
        }
        let reads = ["s3:GetObject", "s3:GetObjectAttributes"].contains(action);
        let also = if reads {
            "; without s3:ListBucket on the bucket S3 says the same of an object that is not there"
        } else {
            ""
        };
        format!("allow {action} on arn:aws:s3:::{bucket}/{key}{also}")
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn refused(status: u16, code: Option<&str>, region: Option<&'static str>) -> Error {
        let mut answer = Response::new(status.try_into().unwrap(), SdkBody::empty());
        if let Some(region) = region {
            answer.headers_mut().insert(REGION_HEADER, region);
        }
        let mut told = ErrorMetadata::builder();
        if let Some(code) = code {
            told = told.code(code);
        }
        let error = SdkError::service_error(ListObjectsV2Error::generic(told.build()), answer);
        Act { doing: "listing", action: "s3:ListBucket", bucket: "b", key: "" }.refused(error)
    }

    #[test]
    fn a_bucket_elsewhere_is_told_with_its_region() {
        for (status, code) in [
            (301, Some("PermanentRedirect")),
            (400, Some("AuthorizationHeaderMalformed")),
            (301, None),
        ] {
            let error = refused(status, code, Some("eu-west-1"));
            assert_eq!(error.kind(), Kind::Missing);
            for told in ["bucket \"b\" lies in region eu-west-1", "connect to region eu-west-1"] {
                assert!(error.to_string().contains(told), "{error}");
            }
        }
        assert!(refused(301, None, None).to_string().contains("in another region"));
    }

    #[test]
    fn a_refusal_without_a_reason_says_where_to_learn_it() {
        let error = refused(400, None, None);
        assert!(error.to_string().contains("`longshore s3 ls s3://b` tells why"), "{error}");
    }

    #[test]
    fn a_denial_names_what_to_allow() {
        let error = refused(403, Some("AccessDenied"), Some("eu-west-1"));
        assert!(error.to_string().contains("allow s3:ListBucket on arn:aws:s3:::b"), "{error}");
    }
}
