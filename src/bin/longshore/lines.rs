//! Lines of an input, each held only as far as it may be long.

use longshore::error::{Error, Kind, Result};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Reads lines from anything.
pub(crate) struct Lines<R> {
    from: R,
    most: usize,
    line: Vec<u8>,
    length: usize,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Of lines with at most so many bytes.
    pub(crate) const fn of(from: R, most: usize) -> Self {
        Self { from, most, line: Vec::new(), length: 0 }
    }

    /// The next line without its end; or, in words, why it cannot be taken. Nothing at the end.
    /// Cancel-safe: what was read of a line stays.
    pub(crate) async fn next(&mut self) -> Result<Option<std::result::Result<String, String>>> {
        loop {
            let buffer = self
                .from
                .fill_buf()
                .await
                .map_err(|error| Error::new(Kind::Usage, "reading the input").because(error))?;
            if buffer.is_empty() {
                return Ok((self.length > 0).then(|| self.take()));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or(buffer);
            self.length += part.len();
            if self.length <= self.most + 1 {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.from.consume(used);
            if end.is_some() {
                return Ok(Some(self.take()));
            }
        }
    }

    fn take(&mut self) -> std::result::Result<String, String> {
        let length = std::mem::take(&mut self.length);
        let mut line = std::mem::take(&mut self.line);
        if length > self.most + 1 {
            return Err(format!("it has {length} bytes, at most {} are taken", self.most));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| "it is not UTF-8 text".to_owned())
    }
}
