//! SSM: parameters with their versions, paths, pages and refusals.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::ProvideErrorMetadata;
use aws_sdk_ssm::types::{ParameterStringFilter, ParameterType};

use super::in_process;
use crate::local::Local;

async fn parameters() -> (Client, Local, tempfile::TempDir) {
    let (local, directory) = in_process().await;
    (Client::new(&local.sdk_config_in_process()), local, directory)
}

async fn put(client: &Client, name: &str, value: &str) -> i64 {
    let put = client.put_parameter().name(name).value(value).r#type(ParameterType::SecureString);
    put.overwrite(true).send().await.unwrap().version
}

#[tokio::test(start_paused = true)]
async fn versions_are_kept_and_secrets_come_decrypted_only_when_asked_for() {
    let (client, _local, _directory) = parameters().await;
    assert_eq!(put(&client, "/shop/password", "one").await, 1);
    assert_eq!(put(&client, "/shop/password", "two").await, 2);
    let get = |name: &str| client.get_parameter().name(name);
    let hidden = get("/shop/password").send().await.unwrap().parameter.unwrap();
    assert!(!hidden.value.unwrap().contains("two"));
    for (name, value) in [
        ("/shop/password", "two"),
        ("/shop/password:1", "one"),
        ("arn:aws:ssm:us-east-1:000000000000:parameter/shop/password", "two"),
    ] {
        let got = get(name).with_decryption(true).send().await.unwrap().parameter.unwrap();
        assert_eq!(got.value(), Some(value), "{name}");
        assert_eq!(got.name(), Some("/shop/password"));
        assert_eq!(
            got.arn().unwrap(),
            "arn:aws:ssm:us-east-1:000000000000:parameter/shop/password"
        );
    }
    // The same parameter by both of its names.
    put(&client, "plain", "x").await;
    assert_eq!(put(&client, "/plain", "y").await, 2);
    for (name, code) in [
        ("/shop", "ParameterNotFound"),
        ("/shop/password:3", "ParameterVersionNotFound"),
        ("/shop/password:live", "ParameterVersionNotFound"),
        ("a b", "ValidationException"),
    ] {
        let refused = get(name).send().await.unwrap_err().into_service_error();
        assert_eq!(refused.code(), Some(code), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_a_parameter_is_refused() {
    let (client, _local, _directory) = parameters().await;
    put(&client, "there", "x").await;
    let put = |name: &str, value: &str| {
        client.put_parameter().name(name).value(value).r#type(ParameterType::String)
    };
    let long = "x".repeat(4_097);
    for (name, value, code) in [
        ("there", "y", "ParameterAlreadyExists"),
        ("shop/password", "y", "ValidationException"),
        ("aws-key", "y", "AccessDeniedException"),
        ("/SSM/key", "y", "AccessDeniedException"),
        ("new", "", "ValidationException"),
        ("new", &long, "ValidationException"),
    ] {
        let refused = put(name, value).send().await.unwrap_err().into_service_error();
        assert_eq!(refused.code(), Some(code), "{name}");
    }
    let other = put("there", "y").overwrite(true).send().await.unwrap_err().into_service_error();
    assert!(other.is_hierarchy_type_mismatch_exception(), "{other}");
    let none = client.put_parameter().name("new").value("y").send().await.unwrap_err();
    assert_eq!(none.into_service_error().code(), Some("ValidationException"));
}

#[tokio::test(start_paused = true)]
async fn paths_and_filters_come_in_pages() {
    let (client, _local, _directory) = parameters().await;
    for number in 0..23 {
        put(&client, &format!("/shop/{number:02}"), "x").await;
    }
    put(&client, "/shop/deep/er", "x").await;
    put(&client, "/shopping", "x").await;
    for (recursive, count) in [(false, 23), (true, 24)] {
        let pages = client.get_parameters_by_path().path("/shop").recursive(recursive);
        let mut pages = pages.into_paginator().send();
        let mut seen = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap().parameters.unwrap();
            assert!(page.len() <= 10);
            seen.extend(page);
        }
        assert_eq!(seen.len(), count);
    }
    let top = client.get_parameters_by_path().path("/").send().await.unwrap();
    assert_eq!(top.parameters()[0].name(), Some("/shopping"));
    let wrong = client.get_parameters_by_path().path("shop").send().await.unwrap_err();
    assert_eq!(wrong.into_service_error().code(), Some("ValidationException"));

    let filter = |key: &str, option: &str, value: &str| {
        let filter = ParameterStringFilter::builder().key(key).option(option).values(value);
        client.describe_parameters().parameter_filters(filter.build().unwrap()).send()
    };
    for (key, option, value, count) in [
        ("Name", "BeginsWith", "/shop/", 24),
        ("Name", "Contains", "pp", 1),
        ("Name", "Equals", "/shop/03", 1),
        ("Path", "OneLevel", "/shop", 23),
        ("Type", "Equals", "String", 0),
    ] {
        let told = filter(key, option, value).await.unwrap();
        assert_eq!(told.parameters().len(), count, "{key} {option}");
    }
    let unknown = filter("KeyId", "Equals", "x").await.unwrap_err().into_service_error();
    assert!(unknown.is_invalid_filter_key(), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn several_are_read_and_deleted_at_once() {
    let (client, _local, _directory) = parameters().await;
    put(&client, "/a", "1").await;
    put(&client, "/b", "2").await;
    let got = client.get_parameters().names("/a").names("/b").names("/c").send().await.unwrap();
    assert_eq!((got.parameters().len(), got.invalid_parameters()), (2, &["/c".to_owned()][..]));
    client.delete_parameter().name("/a").send().await.unwrap();
    let again = client.delete_parameter().name("/a").send().await.unwrap_err();
    assert!(again.into_service_error().is_parameter_not_found());
    let gone = client.delete_parameters().names("/a").names("b").send().await.unwrap();
    assert_eq!(gone.deleted_parameters(), ["b"]);
    assert_eq!(gone.invalid_parameters(), ["/a"]);
}
