//! The table of locks and finished ids: what it must be, and how it comes to be.

use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use tokio::time::{Instant, sleep};

use crate::aws::Connection;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;

/// How long a new table may take until it can be used; most take seconds.
const MOST_WAIT: Duration = Duration::from_mins(2);
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What a table is, as far as locks depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// It can be used.
    pub is_active: bool,
    /// Its key is the string `id` alone.
    pub has_key: bool,
    /// DynamoDB clears away what has ended, by the attribute `expires`.
    pub is_cleared: bool,
}

/// What is known of the table; nothing where there is none.
///
/// # Errors
/// Where DynamoDB cannot be asked, or does not let us.
pub async fn describe(connection: &Connection, name: &str) -> Result<Option<Table>> {
    let Some(table) = find(connection, name).await? else { return Ok(None) };
    let expiry = connection.dynamodb.describe_time_to_live().table_name(name).send().await;
    let expiry = expiry.map_err(|error| failed(name, "asking what it clears away", error))?;
    let is_cleared = expiry.time_to_live_description().is_some_and(|expiry| {
        let status = expiry.time_to_live_status();
        matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
            && expiry.attribute_name() == Some("expires")
    });
    Ok(Some(Table { is_active: is_active(&table), has_key: has_key(&table), is_cleared }))
}

/// Creates the table, on demand, and waits at most two minutes until it can be used; has DynamoDB
/// clear away what has ended. A table that is there is only completed. Dropped midway, a second
/// call completes it.
///
/// # Errors
/// [`Kind::Conflict`] where a table of this name has another key; or where DynamoDB does not let us.
pub async fn create(connection: &Connection, name: &str) -> Result<()> {
    let began = Instant::now();
    if find(connection, name).await?.is_none() {
        begin(connection, name).await?;
    }
    loop {
        match find(connection, name).await? {
            Some(table) if !has_key(&table) => return Err(foreign(name)),
            Some(table) if is_active(&table) => break,
            _ if began.elapsed() >= MOST_WAIT => {
                let what = format!("creating the DynamoDB table {name}: it is not active yet");
                return Err(Error::new(Kind::Transient, what).hint("run it again in a minute"));
            }
            _ => sleep(LOOK_AGAIN).await,
        }
    }
    let described = describe(connection, name).await?;
    if described.is_some_and(|table| table.is_cleared) {
        return Ok(());
    }
    let by = TimeToLiveSpecification::builder().enabled(true).attribute_name("expires").build();
    let by = by.map_err(|error| Error::new(Kind::Bug, "building a request").because(error))?;
    let update = connection.dynamodb.update_time_to_live().table_name(name);
    let updated = update.time_to_live_specification(by).send().await;
    updated.map(drop).map_err(|error| failed(name, "having it clear away what has ended", error))
}

async fn begin(connection: &Connection, name: &str) -> Result<()> {
    let bug = |error| Error::new(Kind::Bug, "building a request").because(error);
    let id = AttributeDefinition::builder().attribute_name("id");
    let id = id.attribute_type(ScalarAttributeType::S).build().map_err(bug)?;
    let key = KeySchemaElement::builder().attribute_name("id");
    let key = key.key_type(KeyType::Hash).build().map_err(bug)?;
    let create = connection.dynamodb.create_table().table_name(name);
    let create = create.attribute_definitions(id).key_schema(key);
    match create.billing_mode(BillingMode::PayPerRequest).send().await {
        // Somebody else was faster.
        Err(SdkError::ServiceError(answer)) if answer.err().is_resource_in_use_exception() => {}
        Err(error) => return Err(failed(name, "creating it", error)),
        Ok(_) => {}
    }
    Ok(())
}

async fn find(connection: &Connection, name: &str) -> Result<Option<TableDescription>> {
    match connection.dynamodb.describe_table().table_name(name).send().await {
        Ok(answer) => Ok(answer.table),
        Err(SdkError::ServiceError(answer)) if answer.err().is_resource_not_found_exception() => {
            Ok(None)
        }
        Err(error) => Err(failed(name, "asking what it is", error)),
    }
}

fn is_active(table: &TableDescription) -> bool {
    // It can be used while it is changed, too.
    matches!(table.table_status(), Some(TableStatus::Active | TableStatus::Updating))
}

fn has_key(table: &TableDescription) -> bool {
    let [key] = table.key_schema() else { return false };
    key.attribute_name() == "id"
        && table.attribute_definitions().iter().any(|definition| {
            definition.attribute_name() == "id"
                && *definition.attribute_type() == ScalarAttributeType::S
        })
}

fn foreign(name: &str) -> Error {
    let what = format!("the key of the DynamoDB table {name} is not the string id alone");
    Error::new(Kind::Conflict, what).hint("name another table in [idempotency]")
}

/// What `longshore check` says of the table.
pub(in crate::lock) async fn check(connection: &Connection, name: &str) -> Vec<Finding> {
    let table = match describe(connection, name).await {
        Err(error) => return vec![Finding::of_error(&error, 69)],
        Ok(None) => return vec![Finding::of_error(&missing(name), 69)],
        Ok(Some(table)) => table,
    };
    if !table.has_key {
        return vec![Finding::of_error(&foreign(name), 69)];
    }
    let mut findings = vec![if table.is_active {
        Finding::good(format!("the DynamoDB table {name} keeps locks and finished ids"))
    } else {
        let told = format!("the DynamoDB table {name} is not active");
        Finding::unavailable(told).fix("wait until it is created")
    }];
    if !table.is_cleared {
        let told = format!("the DynamoDB table {name} is never cleared of what has ended");
        let fix = "run longshore setup, or turn on time to live by the attribute expires";
        findings.push(Finding::limited(told).fix(fix));
    }
    findings
}

fn missing(name: &str) -> Error {
    let what = format!("there is no DynamoDB table {name}");
    Error::new(Kind::Missing, what)
        .hint("create it with `longshore setup`, or correct table in [idempotency]")
}

/// The error of a call about the table; a table that is missing is named with the way to make it.
pub(super) fn failed<E>(name: &str, what: &str, error: SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    if code.is_some_and(|code| code.ends_with("ResourceNotFoundException")) {
        return missing(name);
    }
    fault(format!("{what} (DynamoDB table {name})"), error)
}
