//! The table of locks and finished ids: what it must be, and how it comes to be.

use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus, Tag, TimeToLiveDescription, TimeToLiveSpecification,
    TimeToLiveStatus,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use tokio::time::{Instant, sleep};

use super::{millis, names, now};
use crate::aws::Connection;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;

/// How long a new table may take until it can be used; most take seconds.
const MOST_WAIT: Duration = Duration::from_mins(2);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const EXPIRES: &str = "expires";

/// What a table is, as far as locks depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// It can be used.
    pub is_active: bool,
    /// Its key is the string `id` alone.
    pub has_key: bool,
    /// The attribute by which DynamoDB clears away what has ended.
    pub cleared_by: Option<String>,
    /// Its ARN.
    pub arn: String,
}

impl Table {
    /// DynamoDB clears away what has ended, by the attribute `expires`.
    pub fn is_cleared(&self) -> bool {
        self.cleared_by.as_deref() == Some(EXPIRES)
    }
}

/// What is known of the table; nothing where there is none, or one that is being deleted.
///
/// # Errors
/// Where DynamoDB cannot be asked, or does not let us.
pub async fn describe(connection: &Connection, name: &str) -> Result<Option<Table>> {
    let Some(table) = find(connection, name).await? else { return Ok(None) };
    let expiry = connection.dynamodb.describe_time_to_live().table_name(name).send().await;
    let expiry = expiry.map_err(|error| failed(name, "reading whether its items expire", error))?;
    Ok(Some(Table {
        is_active: is_active(&table),
        has_key: has_key(&table),
        cleared_by: expiry.time_to_live_description.and_then(cleared_by),
        arn: table.table_arn.unwrap_or_default(),
    }))
}

fn cleared_by(expiry: TimeToLiveDescription) -> Option<String> {
    let status = expiry.time_to_live_status;
    let is_on = matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
    expiry.attribute_name.filter(|_| is_on)
}

/// Creates the table, on demand and with this tag, and waits at most two minutes until it can be
/// used, or until one of its name is deleted; has DynamoDB clear away what has ended. A table that
/// is there is only completed, and not tagged. Dropped midway, a second call completes it.
///
/// # Errors
/// [`Kind::Conflict`] where a table of this name has another key; or where DynamoDB does not let us.
pub async fn create(connection: &Connection, name: &str, tag: Option<(&str, &str)>) -> Result<()> {
    let began = Instant::now();
    loop {
        let mut found = find(connection, name).await?;
        if found.is_none() {
            begin(connection, name, tag).await?;
            found = find(connection, name).await?;
        }
        match found {
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
    if described.is_some_and(|table| table.is_cleared()) {
        return Ok(());
    }
    let by = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES).build();
    let by = by.map_err(|error| Error::new(Kind::Bug, "building a request").because(error))?;
    let update = connection.dynamodb.update_time_to_live().table_name(name);
    let updated = update.time_to_live_specification(by).send().await;
    updated.map(drop).map_err(|error| failed(name, "letting its items expire", error))
}

/// Deletes the table with all that is in it. DynamoDB may take minutes until it is gone.
///
/// # Errors
/// Where there is none, or DynamoDB does not let us.
pub async fn delete(connection: &Connection, name: &str) -> Result<()> {
    let deleted = connection.dynamodb.delete_table().table_name(name).send().await;
    deleted.map(drop).map_err(|error| failed(name, "deleting it", error))
}

/// True while a lock or a finished id in it has not ended, or something else lies there. What has
/// ended may lie there for days, and counts no more.
///
/// # Errors
/// Where DynamoDB cannot be asked, or does not let us.
pub async fn is_in_use(connection: &Connection, name: &str) -> Result<bool> {
    let mut next = None;
    loop {
        let scan = connection.dynamodb.scan().table_name(name).consistent_read(true);
        let scan = scan
            .set_expression_attribute_names(Some(names(["expires_ms"])))
            .filter_expression("attribute_not_exists(#expires_ms) OR #expires_ms > :now")
            .expression_attribute_values(":now", millis(now()))
            .set_exclusive_start_key(next.take());
        let page = scan.send().await;
        let page = page.map_err(|error| failed(name, "reading its items", error))?;
        if page.count() > 0 {
            return Ok(true);
        }
        next = page.last_evaluated_key.filter(|key| !key.is_empty());
        if next.is_none() {
            return Ok(false);
        }
    }
}

/// True where the table of this ARN bears this tag.
///
/// # Errors
/// Where DynamoDB cannot be asked, or does not let us.
pub async fn has_tag(connection: &Connection, arn: &str, tag: (&str, &str)) -> Result<bool> {
    let mut next = None;
    loop {
        let list = connection.dynamodb.list_tags_of_resource().resource_arn(arn);
        let page = list.set_next_token(next.take()).send().await;
        let page = page.map_err(|error| fault(format!("reading the tags of {arn}"), error))?;
        if page.tags().iter().any(|one| (one.key(), one.value()) == tag) {
            return Ok(true);
        }
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(false);
        }
    }
}

async fn begin(connection: &Connection, name: &str, tag: Option<(&str, &str)>) -> Result<()> {
    let bug = |error| Error::new(Kind::Bug, "building a request").because(error);
    let tags = tag.map(|(key, value)| Tag::builder().key(key).value(value).build().map_err(bug));
    let id = AttributeDefinition::builder().attribute_name("id");
    let id = id.attribute_type(ScalarAttributeType::S).build().map_err(bug)?;
    let key = KeySchemaElement::builder().attribute_name("id");
    let key = key.key_type(KeyType::Hash).build().map_err(bug)?;
    let create = connection.dynamodb.create_table().table_name(name);
    let create = create.attribute_definitions(id).key_schema(key);
    let create = create.set_tags(tags.transpose()?.map(|tag| vec![tag]));
    match create.billing_mode(BillingMode::PayPerRequest).send().await {
        // Somebody else was faster, or one of its name is not quite gone.
        Err(SdkError::ServiceError(answer)) if answer.err().is_resource_in_use_exception() => {}
        Err(error) => return Err(failed(name, "creating it", error)),
        Ok(_) => {}
    }
    Ok(())
}

async fn find(connection: &Connection, name: &str) -> Result<Option<TableDescription>> {
    match connection.dynamodb.describe_table().table_name(name).send().await {
        Ok(answer) => Ok(answer.table.filter(|table| !is_going(table))),
        Err(SdkError::ServiceError(answer)) if answer.err().is_resource_not_found_exception() => {
            Ok(None)
        }
        Err(error) => Err(failed(name, "describing it", error)),
    }
}

fn is_active(table: &TableDescription) -> bool {
    // It can be used while it is changed, too.
    matches!(table.table_status(), Some(TableStatus::Active | TableStatus::Updating))
}

fn is_going(table: &TableDescription) -> bool {
    table.table_status() == Some(&TableStatus::Deleting)
}

fn has_key(table: &TableDescription) -> bool {
    let [key] = table.key_schema() else { return false };
    key.attribute_name() == "id"
        && table.attribute_definitions().iter().any(|definition| {
            definition.attribute_name() == "id"
                && *definition.attribute_type() == ScalarAttributeType::S
        })
}

/// The error of a table that is somebody else's.
pub(crate) fn foreign(name: &str) -> Error {
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
    if !table.is_cleared() {
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
