//! STS: who we are, also under a role, and what is refused.

use aws_sdk_sts::Client;
use aws_sdk_sts::config::Credentials;

use super::in_process;
use crate::aws::Aws;
use crate::config;
use crate::local::Local;

const ROLE: &str = "arn:aws:iam::123456789012:role/path/uploader";

fn client(local: &Local) -> Client {
    Client::new(&local.sdk_config_in_process())
}

#[tokio::test(start_paused = true)]
async fn an_assumed_role_is_who_we_are_until_it_expires() {
    let (local, _directory) = in_process().await;
    let assume = client(&local).assume_role().role_arn(ROLE).role_session_name("me@host");
    let assumed = assume.duration_seconds(900).send().await.unwrap();
    let arn = "arn:aws:sts::123456789012:assumed-role/uploader/me@host";
    assert_eq!(assumed.assumed_role_user.unwrap().arn, arn);
    let given = assumed.credentials.unwrap();
    assert!(given.access_key_id.starts_with("ASIA"));
    let own = Credentials::new(
        &given.access_key_id,
        &given.secret_access_key,
        Some(given.session_token.clone()),
        None,
        "test",
    );
    let settings = local.sdk_config_in_process();
    let under_role = aws_sdk_sts::config::Builder::from(&settings).credentials_provider(own);
    let under_role = Client::from_conf(under_role.build());
    let who = under_role.get_caller_identity().send().await.unwrap();
    assert_eq!((who.arn.as_deref(), who.account.as_deref()), (Some(arn), Some("123456789012")));
    let token = under_role.get_session_token().send().await.unwrap().credentials.unwrap();
    assert_ne!(token.access_key_id, given.access_key_id);
    tokio::time::advance(std::time::Duration::from_mins(15)).await;
    let who = under_role.get_caller_identity().send().await.unwrap();
    assert_eq!(who.account.as_deref(), Some("000000000000"));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_role_or_session_is_refused() {
    let (local, _directory) = in_process().await;
    for (role, session, seconds) in [
        ("arn:aws:iam::123456789012:user/somebody", "me", 3_600),
        (ROLE, "not me", 3_600),
        (ROLE, "x", 3_600),
        (ROLE, "me", 60),
    ] {
        let assume = client(&local).assume_role().role_arn(role).role_session_name(session);
        let refused = assume.duration_seconds(seconds).send().await.unwrap_err();
        let refused = refused.into_service_error();
        assert_eq!(refused.meta().code(), Some("ValidationError"), "{role} {session} {seconds}");
    }
}

/// `role_arn` in the settings of a daemon.
#[tokio::test]
async fn a_connection_with_a_role_is_that_role() {
    let (local, _directory) = in_process().await;
    let settings = config::Aws {
        region: Some("eu-west-1".to_owned()),
        endpoint_url: Some(local.endpoint().to_owned()),
        role_arn: Some(ROLE.to_owned()),
        credentials: Some(config::Credentials {
            access_key_id: "local".to_owned(),
            secret_access_key: config::Secret::new("local".to_owned()),
            session_token: None,
        }),
        ..config::Aws::default()
    };
    let aws = Aws::through(local.http_client());
    let who = aws.connect(&settings).await.unwrap().sts.get_caller_identity().send().await.unwrap();
    assert_eq!(
        who.arn.as_deref(),
        Some("arn:aws:sts::123456789012:assumed-role/uploader/longshore")
    );
}
