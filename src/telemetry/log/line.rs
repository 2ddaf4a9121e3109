//! One event as one line of text: `TIME LEVEL message field=value…`, the event's own fields first,
//! then those of the spans around it, from the inside out.

use std::fmt::{self, Write};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::units;

/// The whole line.
#[derive(Debug)]
pub(super) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str(&units::utc(SystemTime::now()))?;
        let level = *event.metadata().level();
        if writer.has_ansi_escapes() {
            write!(writer, " \u{1b}[{}m{level}\u{1b}[0m", color(level))?;
        } else {
            write!(writer, " {level}")?;
        }
        context.format_fields(writer.by_ref(), event)?;
        for span in event_spans(context) {
            writer.write_str(&span)?;
        }
        writeln!(writer)
    }
}

fn event_spans<S, N>(context: &FmtContext<'_, S, N>) -> Vec<String>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    let mut spans = Vec::new();
    let mut next = context.lookup_current();
    while let Some(span) = next {
        if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
            spans.push(fields.fields.clone());
        }
        next = span.parent();
    }
    spans
}

const fn color(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// ` message field=value field=value`
#[derive(Debug)]
pub(super) struct Fields;

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut found = Found { message: String::new(), rest: String::new() };
        fields.record(&mut found);
        let mut writer = writer;
        writer.write_str(&found.message)?;
        writer.write_str(&found.rest)
    }

    /// Each field brings its own space, so none is put between old and new ones.
    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

struct Found {
    message: String,
    rest: String,
}

impl Found {
    fn add(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            self.message.push(' ');
            push_escaped(&mut self.message, text, false);
            return;
        }
        self.rest.push(' ');
        self.rest.push_str(field.name());
        self.rest.push('=');
        let is_bare = !text.is_empty()
            && !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '='));
        if is_bare {
            push_escaped(&mut self.rest, text, false);
        } else {
            self.rest.push('"');
            push_escaped(&mut self.rest, text, true);
            self.rest.push('"');
        }
    }
}

impl Visit for Found {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a String cannot fail; what a broken Debug left behind is still shown.
        if write!(text, "{value:?}").is_err() {
            text.push('…');
        }
        self.add(field, &text);
    }
}

/// A name of a file can hold a line break, or the codes that repaint a terminal.
fn push_escaped(line: &mut String, text: &str, in_quotes: bool) {
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || (in_quotes && c == '"') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}
