//! The table of locks and finished ids: made, or completed where DynamoDB never clears it.

use super::super::step::{Act, Step};
use super::Plan;
use crate::aws::Aws;
use crate::config::{Config, Idempotency};
use crate::error::Result;
use crate::lock::dynamodb::table;

pub(super) async fn plan(config: &Config, aws: &Aws, plan: &mut Plan) -> Result<()> {
    let wanted = config.idempotency.as_ref().and_then(Idempotency::table);
    let Some(wanted) = wanted else { return Ok(()) };
    let (connection, name) = (aws.connect(&wanted.aws).await?, wanted.name.clone());
    let act = match table::describe(&connection, &name).await? {
        None => Act::CreateTable { table: name },
        Some(found) if !found.has_key => return Err(table::foreign(&name)),
        Some(found) if found.is_cleared() => return Ok(()),
        Some(found) => match found.cleared_by {
            None => Act::ClearTable { table: name },
            // Two attributes at once cannot be had, and somebody wanted this one.
            Some(other) => {
                let told = "clears away by the attribute";
                plan.notes.push(format!("table {name} {told} {other}, not expires, and stays so"));
                return Ok(());
            }
        },
    };
    plan.steps.push(Step::new(&wanted.aws, act));
    Ok(())
}
