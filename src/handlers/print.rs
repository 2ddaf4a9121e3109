//! `print`: writes each message to standard output, one line each: `<message id>  <body>`.
//!
//! It is for a person who watches `longshore run --local`, so control characters are escaped: a
//! body can neither forge a line nor steer a terminal.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::handler::{BoxHandler, Delivery, Verdict};
use crate::handlers::one_line;
use crate::message::Message;
use crate::outcome::{Outcome, Unavailable};

/// How much of a body is held at once.
const PIECE: usize = 64 << 10;

type Sink = Arc<Mutex<dyn Write + Send>>;

pub(super) fn build(name: &str) -> BoxHandler {
    onto(name, Arc::new(Mutex::new(io::stdout())))
}

fn onto(name: &str, sink: Sink) -> BoxHandler {
    BoxHandler::new(name, move |delivery| print(Arc::clone(&sink), delivery))
}

/// Dropping this future does not take back a line that is being written.
async fn print(sink: Sink, delivery: Delivery) -> Verdict {
    // A reader that has stopped reading must not stop the runtime.
    let written = tokio::task::spawn_blocking(move || write_line(&sink, &delivery.message)).await;
    match written {
        Ok(Ok(())) => Ok(Outcome::Done),
        Ok(Err(error)) => {
            Err(Unavailable::new(format!("cannot write to standard output: {error}")))
        }
        Err(failed) => Ok(Outcome::retry(format!("printing was cut off: {failed}"))),
    }
}

fn write_line(sink: &Sink, message: &Message) -> io::Result<()> {
    let mut body = message.body.reader();
    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    write!(sink, "{}  ", one_line(&message.id))?;
    // Never the whole body at once: it may be far larger than memory.
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        let room = u64::try_from(PIECE - piece.len()).unwrap_or(0);
        let count = body.by_ref().take(room).read_to_end(&mut piece)?;
        let end = if count == 0 { piece.len() } else { whole_characters(&piece) };
        let rest = piece.split_off(end);
        sink.write_all(one_line(&String::from_utf8_lossy(&piece)).as_bytes())?;
        piece = rest;
        if count == 0 {
            break;
        }
    }
    sink.write_all(b"\n")?;
    sink.flush()
}

/// Where the last character ends that is whole: at most three bytes before the end.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // What is wrong further in front stays wrong, whatever follows.
        Ok(_) | Err(_) => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::samples;
    use crate::message::Body;

    #[tokio::test]
    async fn a_message_is_one_line() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink: Sink = Arc::<Mutex<Vec<u8>>>::clone(&lines);
        let handler = onto("print", sink);
        for body in ["{\"id\": 7}", "two\nlines \u{1b}[2J"] {
            let (delivery, _keeper) = samples::delivery(samples::message(body));
            assert_eq!(handler.call(delivery).await, Ok(Outcome::Done));
        }
        let id = "5fea7756-0ea4-451a-a703-a558b933e274";
        assert_eq!(
            String::from_utf8(lines.lock().unwrap().clone()).unwrap(),
            format!("{id}  {{\"id\": 7}}\n{id}  two\\nlines \\u{{1b}}[2J\n")
        );
    }

    #[tokio::test]
    async fn a_body_is_printed_piece_by_piece_and_no_character_is_torn() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink: Sink = Arc::<Mutex<Vec<u8>>>::clone(&lines);
        let body = "\u{20ac}".repeat(PIECE);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(body.as_bytes()).unwrap();
        let mut message = samples::message("");
        message.body = Body::of_file(file, u64::try_from(body.len()).unwrap());
        let (delivery, _keeper) = samples::delivery(message);
        assert_eq!(onto("print", sink).call(delivery).await, Ok(Outcome::Done));
        let printed = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
        assert!(printed.ends_with(&format!("  {body}\n")), "{} bytes", printed.len());
        assert_eq!(whole_characters(b"a\xff\xe2"), 3);
        assert_eq!(whole_characters(b"a\xe2\x82"), 1);
    }

    #[tokio::test]
    async fn a_closed_output_is_not_the_fault_of_the_message() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let handler = onto("print", Arc::new(Mutex::new(writer)));
        let (delivery, _keeper) = samples::delivery(samples::message("hello"));
        let verdict = handler.call(delivery).await;
        assert!(matches!(verdict, Err(Unavailable { reason }) if reason.contains("Broken pipe")));
    }
}
