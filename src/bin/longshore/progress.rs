//! A progress bar on standard error, for people: nothing where that is no terminal.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that shows how many of a thing are done; gone when dropped.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar of so many, or of nobody knows how many.
    pub(crate) fn start(of: Option<u64>) -> Self {
        let template = match of {
            Some(_) => "{wide_bar} {pos}/{len} {per_sec} {msg}",
            None => "{spinner} {pos} {per_sec} {msg}",
        };
        Self::new(of, template)
    }

    fn new(of: Option<u64>, template: &str) -> Self {
        if !stderr().is_terminal() {
            return Self(None);
        }
        let bar = of.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let style = ProgressStyle::with_template(template);
        Self(Some(style.map_or(bar.clone(), |style| bar.with_style(style))))
    }

    /// A bar over so many bytes, or over nobody knows how many.
    pub(crate) fn of_bytes(of: Option<u64>) -> Self {
        let template = match of {
            Some(_) => "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {msg}",
            None => "{spinner} {bytes} {bytes_per_sec} {msg}",
        };
        Self::new(of, template)
    }

    /// More of it is done.
    pub(crate) fn add(&self, more: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(more);
        }
    }

    /// Told beside the bar.
    pub(crate) fn say(&self, told: String) {
        if let Some(bar) = &self.0 {
            bar.set_message(told);
        }
    }

    /// Lets something be told, out of the bar's way.
    pub(crate) fn around<T>(&self, tell: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }

    /// So many are done.
    pub(crate) fn show(&self, done: u64, told: String) {
        if let Some(bar) = &self.0 {
            bar.set_position(done);
            bar.set_message(told);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
