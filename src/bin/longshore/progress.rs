//! A progress bar on standard error, for people: nothing where that is no terminal.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that shows how many of a thing are done; gone when dropped.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar of so many, or of nobody knows how many.
    pub(crate) fn start(of: Option<u64>) -> Self {
        if !stderr().is_terminal() {
            return Self(None);
        }
        let (bar, template) = match of {
            Some(of) => (ProgressBar::new(of), "{wide_bar} {pos}/{len} {per_sec} {msg}"),
            None => (ProgressBar::no_length(), "{spinner} {pos} {per_sec} {msg}"),
        };
        let style = ProgressStyle::with_template(template);
        Self(Some(style.map_or(bar.clone(), |style| bar.with_style(style))))
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
