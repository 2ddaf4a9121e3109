//! Functions of AWS Lambda, in Python, on an emulator that runs them.

use super::aws;
use aws_sdk_lambda::{
    primitives::Blob,
    types::{FunctionCode, Runtime},
};

/// Makes a function of this code, whose `handler(event, context)` is called.
pub(crate) async fn function(endpoint: &str, name: &str, code: &str) {
    let code = FunctionCode::builder().zip_file(Blob::new(zip("index.py", code.as_bytes())));
    let create = aws::lambda(endpoint).create_function().function_name(name);
    let create = create.runtime(Runtime::Python311).handler("index.handler").timeout(60);
    let create = create.role("arn:aws:iam::000000000000:role/functions").code(code.build());
    create.send().await.unwrap();
}

/// An archive of one file, which is stored and not compressed.
fn zip(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(contents);
    let length = u32::try_from(contents.len()).unwrap().to_le_bytes();
    let sum = sum.sum().to_le_bytes();
    let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
    // Version, flags, method, time and date (1980-01-01), then what is stored.
    let facts = [&[10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..], &sum, &length, &length, &name_length];
    let facts = [&facts.concat()[..], &[0, 0]].concat();
    let local = [b"PK\x03\x04", &facts[..], name.as_bytes(), contents].concat();
    // Comment, disk, attributes (of a file that may be read) and place.
    let rest = [0, 0, 0, 0, 0, 0, 0, 0, 0xa4, 0x81, 0, 0, 0, 0];
    let central = [b"PK\x01\x02", &[10, 3][..], &facts, &rest, name.as_bytes()].concat();
    let at = u32::try_from(local.len()).unwrap().to_le_bytes();
    let size = u32::try_from(central.len()).unwrap().to_le_bytes();
    let end = [b"PK\x05\x06", &[0, 0, 0, 0, 1, 0, 1, 0][..], &size, &at, &[0, 0]].concat();
    [local, central, end].concat()
}
