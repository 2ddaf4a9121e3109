//! DynamoDB: conditions, pages, indexes, batches and refusals.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, ReturnValue, ReturnValuesOnConditionCheckFailure,
    ScalarAttributeType, TransactWriteItem,
};

use super::in_process;
use crate::local::Local;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn part(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
}

/// A table of readings: `site` and `at` are its key, `colour` and `at` that of its index.
async fn readings() -> (Client, Local, tempfile::TempDir) {
    let (local, directory) = in_process().await;
    let client = Client::new(&local.sdk_config_in_process());
    let mut create = client.create_table().table_name("readings");
    for (name, kind) in [
        ("site", ScalarAttributeType::S),
        ("at", ScalarAttributeType::N),
        ("colour", ScalarAttributeType::S),
    ] {
        let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
        create = create.attribute_definitions(definition.build().unwrap());
    }
    let keys = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
    let index = GlobalSecondaryIndex::builder().index_name("by-colour").projection(keys);
    let index = index.key_schema(part("colour", KeyType::Hash));
    let index = index.key_schema(part("at", KeyType::Range)).build().unwrap();
    create
        .key_schema(part("site", KeyType::Hash))
        .key_schema(part("at", KeyType::Range))
        .global_secondary_indexes(index)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
    (client, local, directory)
}

async fn put(client: &Client, site: &str, at: u64, colour: &str) {
    let put = client.put_item().table_name("readings").item("site", text(site));
    put.item("at", number(at)).item("colour", text(colour)).send().await.unwrap();
}

fn times(items: &[HashMap<String, AttributeValue>]) -> Vec<&str> {
    items.iter().map(|item| item["at"].as_n().unwrap().as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_put_if_absent_succeeds_once_and_shows_who_was_first() {
    let (client, _local, _directory) = readings().await;
    let attempt = async |colour: &str| {
        let put = client.put_item().table_name("readings").item("site", text("a"));
        let put = put.item("at", number(1)).item("colour", text(colour));
        let put = put.condition_expression("attribute_not_exists(site)");
        let all = ReturnValuesOnConditionCheckFailure::AllOld;
        put.return_values_on_condition_check_failure(all).send().await
    };
    attempt("red").await.unwrap();
    let refused = attempt("blue").await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
        refused,
    ) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(refused.item.unwrap()["colour"], text("red"));
}

#[tokio::test(start_paused = true)]
async fn a_query_finds_a_stretch_in_order_by_table_and_by_index() {
    let (client, _local, _directory) = readings().await;
    for (at, colour) in [(9, "red"), (10, "blue"), (100, "red"), (2, "red")] {
        put(&client, "a", at, colour).await;
    }
    put(&client, "b", 5, "red").await;
    let query = || {
        let query = client.query().table_name("readings");
        query
            .key_condition_expression("site = :s AND #t >= :t")
            .expression_attribute_names("#t", "at")
    };
    let query = || {
        let query = query().expression_attribute_values(":s", text("a"));
        query.expression_attribute_values(":t", number(9))
    };
    assert_eq!(times(query().send().await.unwrap().items()), ["9", "10", "100"]);
    let highest = query().scan_index_forward(false).limit(1).send().await.unwrap();
    assert_eq!(times(highest.items()), ["100"]);
    let after = query().set_exclusive_start_key(highest.last_evaluated_key).send().await.unwrap();
    assert!(after.items().is_empty(), "nothing comes after the highest");
    let by_colour = || {
        let query = client.query().table_name("readings").index_name("by-colour");
        let query = query.key_condition_expression("colour = :c");
        query.expression_attribute_values(":c", text("red"))
    };
    let mut seen = Vec::new();
    let mut start = None;
    loop {
        let page = by_colour().limit(1).set_exclusive_start_key(start).send().await.unwrap();
        seen.extend(times(page.items()).into_iter().map(str::to_owned));
        start = page.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["2", "5", "9", "100"]);
    let consistent = by_colour().consistent_read(true).send().await.unwrap_err();
    assert!(consistent.into_service_error().meta().message().unwrap().contains("Consistent"));
}

#[tokio::test(start_paused = true)]
async fn a_page_ends_at_one_megabyte_and_the_next_goes_on() {
    let (client, _local, _directory) = readings().await;
    let long = "x".repeat(300_000);
    for at in 0..9 {
        put(&client, "a", at, &long).await;
    }
    let first = client.scan().table_name("readings").send().await.unwrap();
    assert_eq!(first.count(), 4);
    let pages = client.scan().table_name("readings").into_paginator().items().send();
    let mut pages = pages;
    let mut seen = 0;
    while let Some(item) = pages.next().await {
        item.unwrap();
        seen += 1;
    }
    assert_eq!(seen, 9);
    let counted = client.describe_table().table_name("readings").send().await.unwrap();
    assert_eq!(counted.table.unwrap().item_count, Some(9));
}

#[tokio::test(start_paused = true)]
async fn an_update_counts_exactly_and_never_touches_the_key() {
    let (client, _local, _directory) = readings().await;
    let update = |expression: &str| {
        let update = client.update_item().table_name("readings").key("site", text("a"));
        update.key("at", number(1)).update_expression(expression)
    };
    let large = "9007199254740993";
    update("SET big = :n, tags = :l")
        .expression_attribute_values(":n", number(large))
        .expression_attribute_values(":l", AttributeValue::L(vec![text("x"), text("y"), text("z")]))
        .send()
        .await
        .unwrap();
    let after =
        update("SET big = big + :one, seen = if_not_exists(seen, :one) REMOVE tags[0], tags[1]")
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .unwrap()
            .attributes
            .unwrap();
    assert_eq!(after["big"], number("9007199254740994"));
    assert_eq!(after["seen"], number(1));
    assert_eq!(after["tags"], AttributeValue::L(vec![text("z")]));
    for (expression, told) in [
        ("SET site = :one", "part of the key"),
        ("SET seen = :one, seen = :one", "overlap"),
        ("SET status = :one", "reserved keyword: status"),
        ("SET seen = missing + :one", "does not exist in the item"),
        ("SET seen = :other", "not defined"),
        ("REMOVE seen", "unused"),
    ] {
        let update = update(expression).expression_attribute_values(":one", number(1));
        let refused = update.send().await.unwrap_err().into_service_error();
        assert_eq!(refused.meta().code(), Some("ValidationException"), "{expression}");
        let text = refused.meta().message().unwrap();
        assert!(text.contains(told), "{expression}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_all_or_nothing_and_says_which_part_failed() {
    let (client, _local, _directory) = readings().await;
    put(&client, "a", 1, "red").await;
    let part = |site: &str| {
        let put = aws_sdk_dynamodb::types::Put::builder().table_name("readings");
        let put = put.item("site", text(site)).item("at", number(1));
        let put = put.condition_expression("attribute_not_exists(site)").build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    let both = client.transact_write_items().transact_items(part("b")).transact_items(part("a"));
    let refused = both.send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        refused,
    ) = refused
    else {
        panic!("{refused:?}")
    };
    let reasons = refused.cancellation_reasons.unwrap();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_deref().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    let scan = client.scan().table_name("readings").send().await.unwrap();
    assert_eq!(scan.count(), 1, "the first part was not kept");
    let good = client.transact_write_items().transact_items(part("b")).transact_items(part("c"));
    good.send().await.unwrap();
    assert_eq!(client.scan().table_name("readings").send().await.unwrap().count(), 3);
}

#[tokio::test(start_paused = true)]
async fn tables_are_made_once_and_missing_ones_are_named() {
    let (client, _local, _directory) = readings().await;
    let again = client
        .create_table()
        .table_name("readings")
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name("id")
                .attribute_type(ScalarAttributeType::S)
                .build()
                .unwrap(),
        )
        .key_schema(part("id", KeyType::Hash))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await;
    assert!(again.unwrap_err().into_service_error().is_resource_in_use_exception());
    let missing = client.get_item().table_name("nothing").key("id", text("x")).send().await;
    let missing = missing.unwrap_err().into_service_error();
    assert!(missing.is_resource_not_found_exception());
    assert!(missing.to_string().contains("nothing"), "{missing}");
    client.delete_table().table_name("readings").send().await.unwrap();
    assert!(client.list_tables().send().await.unwrap().table_names().is_empty());
}
