//! The table of locks and finished ids: made, completed where DynamoDB never clears it, deleted.

use std::fmt;

use super::plan::Plan;
use super::step::{Act, Step, TAG};
use crate::aws::{Aws, Connection};
use crate::config::{Config, DynamodbTable, Idempotency};
use crate::error::{Error, Kind, Result};
use crate::lock::dynamodb::table;

/// What is done to a table, by its name.
#[derive(Debug, Clone)]
pub(super) enum Table {
    Create(String),
    /// Has DynamoDB clear away what has ended.
    Clear(String),
    Delete(String),
}

impl Table {
    pub(super) async fn apply(&self, connection: &Connection) -> Result<()> {
        match self {
            Self::Create(name) | Self::Clear(name) => {
                table::create(connection, name, Some(TAG)).await
            }
            Self::Delete(name) => table::delete(connection, name).await,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(name) => write!(f, "create table {name}: key id, time to live by expires"),
            Self::Clear(name) => write!(f, "change table {name}: time to live by expires"),
            Self::Delete(name) => write!(f, "delete table {name}"),
        }
    }
}

/// Has it made, or completed.
pub(super) async fn plan(config: &Config, aws: &Aws, plan: &mut Plan) -> Result<()> {
    let wanted = config.idempotency.as_ref().and_then(Idempotency::table);
    let Some(wanted) = wanted else { return Ok(()) };
    let (connection, name) = (aws.connect(&wanted.aws).await?, wanted.name.clone());
    let act = match table::describe(&connection, &name).await? {
        None => Table::Create(name),
        Some(found) if !found.has_key => return Err(table::foreign(&name)),
        Some(found) if found.is_cleared() => return Ok(()),
        Some(found) => match found.cleared_by {
            None => Table::Clear(name),
            // Two attributes at once cannot be had, and somebody wanted this one.
            Some(other) => {
                let told = "clears away by the attribute";
                plan.notes.push(format!("table {name} {told} {other}, not expires, and stays so"));
                return Ok(());
            }
        },
    };
    plan.steps.push(Step::new(&wanted.aws, Act::Table(act)));
    Ok(())
}

/// The table of locks and finished ids, if it is ours and nothing in it stands any more.
pub(super) async fn destroy(
    config: &Config,
    aws: &Aws,
    notes: &mut Vec<String>,
) -> Result<Option<Step>> {
    let wanted = config.idempotency.as_ref().and_then(Idempotency::table);
    let Some(DynamodbTable { name, aws: settings }) = wanted else { return Ok(None) };
    let connection = aws.connect(settings).await?;
    let Some(found) = table::describe(&connection, name).await? else { return Ok(None) };
    if !table::has_tag(&connection, &found.arn, TAG).await? {
        notes.push(format!("table {name} stays: setup did not make it"));
        return Ok(None);
    }
    if table::is_in_use(&connection, name).await? {
        let what = format!("table {name} is not empty: it holds locks or finished ids");
        let hint = "nothing was deleted; a finished id ends with its queue's retention";
        return Err(Error::new(Kind::Busy, what).hint(hint));
    }
    Ok(Some(Step::new(settings, Act::Table(Table::Delete(name.clone())))))
}
