//! What a component does: a command, or a function.

use std::ffi::OsString;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use super::{Settings, input, lines};
use crate::config::env;
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;
use crate::handler::Delivery;
use crate::handlers::Program;
use crate::outcome::{Failure, IntoOutcome, Outcome, Unavailable};
use crate::payload::codec::Pylon;

/// The most that a command may print.
const MOST_PRINTED: u64 = 64 << 20;
/// So many bodies are read or written at the same time.
const AT_ONCE: usize = 4;
/// The longest variable that Linux hands to a program (`MAX_ARG_STRLEN`).
const LONGEST_VARIABLE: usize = 128 << 10;

type Running = Pin<Box<dyn Future<Output = std::result::Result<Vec<Pylon>, Failure>> + Send>>;
type Function = Arc<dyn Fn(Option<Pylon>, Arc<Settings>) -> Running + Send + Sync>;

/// What a component does. Clones share it.
#[derive(Clone)]
pub struct Work {
    by: By,
    blocking: Blocking,
}

#[derive(Clone)]
enum By {
    Command(Arc<Program>),
    Function(Function),
}

/// What a function may give: nothing, one message, or many; nothing among many is left out.
pub trait IntoMessages {
    /// The messages.
    fn into_messages(self) -> Vec<Pylon>;
}

impl IntoMessages for () {
    fn into_messages(self) -> Vec<Pylon> {
        Vec::new()
    }
}

impl IntoMessages for Pylon {
    fn into_messages(self) -> Vec<Pylon> {
        vec![self]
    }
}

impl<M: IntoMessages> IntoMessages for Option<M> {
    fn into_messages(self) -> Vec<Pylon> {
        self.map(M::into_messages).unwrap_or_default()
    }
}

impl<M: IntoMessages> IntoMessages for Vec<M> {
    fn into_messages(self) -> Vec<Pylon> {
        self.into_iter().flat_map(M::into_messages).collect()
    }
}

impl Work {
    /// A command: a program and its arguments, no shell. Nothing is started yet.
    ///
    /// It gets the body on standard input and, where the component has an output, prints messages
    /// on standard output, one JSON object a line. Its environment is that of this process, what
    /// the message says as for any handler, each text, number and truth value of the settings under
    /// its own name, and in `PYLON_CONFIG` all of the settings as JSON.
    ///
    /// # Errors
    /// [`Kind::Settings`] for an empty command, and for settings over 128 KiB.
    pub fn command(command: Vec<String>, settings: &Settings) -> Result<Self> {
        let mut environment = env::whole();
        environment.retain(|(name, _)| name != super::VARIABLE);
        environment.extend(settings.values().iter().filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            let is_fit = is_variable(name) && !text.contains('\0') && text.len() < LONGEST_VARIABLE;
            is_fit.then(|| (OsString::from(name), OsString::from(text)))
        }));
        let all = Value::Object(settings.values().clone()).to_string();
        if all.len() + super::VARIABLE.len() + 2 > LONGEST_VARIABLE {
            return Err(Error::new(Kind::Settings, super::VARIABLE)
                .because("it is larger than 128 KiB, and no program can be given that much"));
        }
        environment.push((super::VARIABLE.into(), all.into()));
        let program = Program::within(command, environment)?;
        Ok(Self::of(By::Command(Arc::new(program))))
    }

    /// A function of the input (none where the component has none) and the settings. The body of
    /// the input is whole and in memory; one that is no text is rejected before.
    pub fn function<F, R, M>(function: F) -> Self
    where
        F: Fn(Option<Pylon>, Arc<Settings>) -> R + Send + Sync + 'static,
        R: Future<Output = std::result::Result<M, Failure>> + Send + 'static,
        M: IntoMessages,
    {
        Self::of(By::Function(Arc::new(move |input, settings| -> Running {
            let running = function(input, settings);
            Box::pin(async move { running.await.map(M::into_messages) })
        })))
    }

    fn of(by: By) -> Self {
        Self { by, blocking: Blocking::new(AT_ONCE) }
    }

    /// Does it once: what it gives, or an outcome other than *done*.
    pub(super) async fn run(
        &self,
        delivery: &Delivery,
        settings: &Arc<Settings>,
    ) -> std::result::Result<std::result::Result<Vec<Pylon>, Outcome>, Unavailable> {
        match &self.by {
            By::Command(program) if settings.output.is_none() => {
                Ok(match program.run(delivery.clone()).await? {
                    Outcome::Done => Ok(Vec::new()),
                    outcome @ (Outcome::Retry { .. } | Outcome::Reject { .. }) => Err(outcome),
                })
            }
            By::Command(program) => {
                let collected = program.collect(delivery, MOST_PRINTED, self.blocking.clone());
                let printed = match collected.await? {
                    Ok(printed) => printed,
                    Err(outcome) => return Ok(Err(outcome)),
                };
                let read = self.blocking.run(move || lines::read(&printed)).await;
                Ok(read.flatten().map_err(|error| Outcome::retry(error.to_string())))
            }
            By::Function(function) => {
                let input = match &settings.input {
                    None => None,
                    Some(_) => match input::model(&delivery.message, &self.blocking).await {
                        Ok(model) => Some(model),
                        Err(error) if error.kind() == Kind::Invalid => {
                            return Ok(Err(Outcome::reject(error.to_string())));
                        }
                        Err(error) => return Ok(Err(Outcome::retry(error.to_string()))),
                    },
                };
                let given = function(input, Arc::clone(settings)).await;
                Ok(given.map_err(|failure| Err::<(), _>(failure).into_outcome()))
            }
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
