//! Objects and buckets of S3.

pub mod cache;
