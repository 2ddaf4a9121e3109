//! A person's word before something is destroyed.

use std::io::{self, BufRead, IsTerminal, Write};

use longshore::error::{Error, Kind, Result};

/// Asks at the terminal whether to do this; `--yes` has answered before. Where nobody can be asked,
/// the answer is no.
pub(crate) fn given(yes: bool, what: &str) -> Result<()> {
    if yes || asked(what) {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, format!("not done: {what}")).hint("say --yes to do it unasked"))
}

fn asked(what: &str) -> bool {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return false;
    }
    write!(io::stderr(), "{what}? [y/N] ").ok();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
