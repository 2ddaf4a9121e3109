//! pylon: `pylon.aws.ParameterStore.get('some-key')` is `'whoa this is a cool value'`.

use crate::support::{
    aws,
    daemon::program,
    emulator::{embedded, ministack},
    venv,
};
use longshore::{aws::Aws, config, toolkit::locator, toolkit::ssm};

#[tokio::test]
async fn the_parameter_of_the_document_has_its_value() {
    for server in [embedded(), ministack()] {
        let put = ["ssm", "put-parameter", "--name", "some-key", "--type", "SecureString"];
        let put = program(&venv("aws"), put).args(&["--value", "whoa this is a cool value"]);
        let put = put.env("AWS_DEFAULT_REGION", "us-east-1").endpoint(&server.endpoint()).finish();
        assert_eq!(put.code, 0, "{}", put.said());

        let client = aws::ssm(&server.endpoint());
        let parameter = ssm::get(&client, "some-key").await.unwrap();
        assert_eq!(parameter.value.reveal(), "whoa this is a cool value");
    }
}

#[tokio::test]
async fn p12_a_locator_leads_to_the_parameter_with_a_slash_or_to_the_file() {
    let server = ministack();
    let endpoint_url = Some(server.endpoint());
    let settings = config::Aws { endpoint_url, sealed: true, ..config::Aws::default() };
    let client = aws::ssm(&server.endpoint());
    for (name, value) in [("/test_config", "with"), ("other", "without")] {
        let put = client.put_parameter().name(name).value(value);
        put.r#type("String".into()).send().await.unwrap();
    }
    let aws = Aws::new();
    let read = async |text: &str| locator::read(&aws, &settings, text).await;
    for (text, value) in
        [("ssm://test_config", "with"), ("ssm:///test_config", "with"), ("ssm://other", "without")]
    {
        assert_eq!(read(text).await.unwrap().reveal(), value, "{text}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\"MY_VAR\":\"yeet\"}\n").unwrap();
    let text = format!("file://{}", file.path().display());
    assert_eq!(read(&text).await.unwrap().reveal(), "{\"MY_VAR\":\"yeet\"}");
    for wrong in ["ssm://nothing", "ssm:///other/deep", "s3://nothing/here", "file:///nothing"] {
        let error = read(wrong).await.unwrap_err();
        let name = wrong.rsplit('/').next().unwrap();
        assert!(error.to_string().contains(name), "{error}");
    }
}
