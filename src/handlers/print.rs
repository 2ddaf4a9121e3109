//! `print`: writes each message to standard output, one line each: `<message id>  <body>`.
//!
//! It is for a person who watches `longshore run --local`, so control characters are escaped: a
//! body can neither forge a line nor steer a terminal.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::handler::{BoxHandler, Delivery, Verdict};
use crate::handlers::one_line;
use crate::message::Message;
use crate::outcome::{Outcome, Unavailable};

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
    let line = format!(
        "{}  {}\n",
        one_line(&message.id),
        one_line(&String::from_utf8_lossy(message.body.as_bytes().unwrap_or_default()))
    );
    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    sink.write_all(line.as_bytes())?;
    sink.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::samples;

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
    async fn a_closed_output_is_not_the_fault_of_the_message() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let handler = onto("print", Arc::new(Mutex::new(writer)));
        let (delivery, _keeper) = samples::delivery(samples::message("hello"));
        let verdict = handler.call(delivery).await;
        assert!(matches!(verdict, Err(Unavailable { reason }) if reason.contains("Broken pipe")));
    }
}
