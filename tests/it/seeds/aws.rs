//! AWSimple: `print(AWSAccess().test())  # Should be 'True'`.

use crate::support::emulator::{embedded, ministack};
use longshore::{aws::Aws, config, error::Kind};

fn access(endpoint: &str) -> Aws {
    let endpoint_url = Some(endpoint.to_owned());
    Aws::new().with(config::Aws { endpoint_url, sealed: true, ..config::Aws::default() })
}

#[tokio::test]
async fn test_is_true_where_aws_knows_us() {
    for server in [embedded(), ministack()] {
        assert!(access(&server.endpoint()).test().await.is_ok());
    }
    let server = embedded();
    let who = access(&server.endpoint()).test().await.unwrap();
    assert!(who.arn.starts_with("arn:aws:") && who.region == "us-east-1", "{who}");
    assert_eq!(who.account, "000000000000");
    let connection = access(&server.endpoint()).region("eu-west-1").await.unwrap();
    assert_eq!(connection.test().await.unwrap().region, "eu-west-1");
}

#[tokio::test]
async fn test_is_the_reason_where_it_does_not() {
    let error = access("http://127.0.0.1:1").test().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(
        error.to_string().contains("checking the credentials with STS in us-east-1"),
        "{error}"
    );
}
