use crate::config::aws::{Aws, Written, not_empty};
use crate::config::names;
use crate::config::section::Section;
use crate::template::Template;

/// `[….handler.s3]`: put the body into a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// The bucket.
    pub bucket: String,
    /// How to reach it.
    pub aws: Aws,
    /// The key of each message.
    pub key: Template,
    /// The `Content-Type`; else the key's extension decides.
    pub content_type: Option<String>,
    /// The storage class; else the bucket's default.
    pub storage_class: Option<String>,
    /// The KMS key that encrypts the object, by its id, alias or ARN; else the bucket's default.
    pub kms_key_id: Option<String>,
}

pub(super) fn read(section: &mut Section<'_>, base: &Written) -> S3 {
    let bucket = section.formed("bucket", names::bucket);
    if !section.has("bucket") {
        section.missing("bucket", "\"my-bucket\"");
    }
    let key = section.formed("key", |text| match Template::read(text)? {
        _ if text.is_empty() => Err("an empty key; write one with {message_id}".to_owned()),
        _ if text.starts_with('/') => Err(format!("{text:?} begins with a slash; leave it out")),
        template => Ok(template),
    });
    if !section.has("key") {
        section.missing("key", "\"{queue}/{year}/{month}/{day}/{message_id}.json\"");
    }
    S3 {
        bucket: bucket.unwrap_or_default(),
        aws: Written::read(section).over(base).resolve(),
        key: key.unwrap_or_default(),
        content_type: super::content_type(section),
        storage_class: section.formed("storage_class", storage_class),
        kms_key_id: section.formed("kms_key_id", not_empty),
    }
}

/// By the form and not by a list, which would be too short within the year.
fn storage_class(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if !text.is_empty() && text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no storage class; one looks like STANDARD_IA"))
}
