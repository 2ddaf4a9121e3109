//! `longshore setup`: what the settings name is made, and what leads messages to it.

use std::io::{self, BufRead, IsTerminal, Write};

use longshore::error::Result;
use longshore::wiring::{self, Plan};
use serde_json::json;

use crate::args::Setup;
use crate::reach::connections;
use crate::{say, settings};

pub(crate) fn run(args: &Setup) -> Result<u8> {
    let config = settings::load(args.config.as_deref())?;
    settings::block_on(async {
        let aws = connections();
        let plan = if args.destroy {
            Box::pin(wiring::destroy(&config, &aws)).await?
        } else {
            wiring::plan(&config, &aws).await?
        };
        tell(args, &plan);
        if plan.steps.is_empty() {
            say(args, "nothing to do", false);
            return Ok(0);
        }
        if !(args.yes || asked()) {
            say(args, "nothing was changed; do it with --yes", false);
            return Ok(0);
        }
        for step in &plan.steps {
            step.apply(&aws).await?;
            say(args, &step.to_string(), true);
        }
        Ok(0)
    })
}

fn tell(args: &Setup, plan: &Plan) {
    for step in &plan.steps {
        if args.json {
            say::line(json!({ "plan": step.to_string() }));
        } else {
            say::line(format_args!("plan  {step}"));
        }
    }
    for note in &plan.notes {
        if args.json {
            say::line(json!({ "note": note }));
        } else {
            say::line(format_args!("note  {note}"));
        }
    }
}

fn say(args: &Setup, text: &str, done: bool) {
    let word = if done { "done" } else { "end" };
    if args.json {
        say::line(json!({ word: text }));
    } else {
        say::line(format_args!("{word:<5} {text}"));
    }
}

/// Only a person at a terminal is asked.
fn asked() -> bool {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return false;
    }
    write!(io::stderr(), "Do this? [y/N] ").ok();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
