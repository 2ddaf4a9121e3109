//! What the tools have in common, one for each service: a verb, who is asked, how it is told.

use std::fmt::Display;

use crate::reach::Reach;
use crate::say;

// Without a comment for rustdoc, which clap would take for the help of every tool.
#[derive(Debug, clap::Args)]
pub(crate) struct Tool<V: clap::Subcommand, R: clap::Args = Reach> {
    #[command(subcommand)]
    pub(crate) verb: V,
    #[command(flatten)]
    pub(crate) reach: R,
    #[command(flatten)]
    pub(crate) told: Told,
}

/// How answers are told: in words, or as a document.
#[derive(Debug, clap::Args)]
pub(crate) struct Told {
    /// One JSON document a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Told {
    pub(crate) fn of(&self, words: impl Display, document: serde_json::Value) {
        if self.json {
            say::line(document);
        } else {
            say::line(words);
        }
    }
}
