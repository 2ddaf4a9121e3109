//! Objects and buckets of S3.
