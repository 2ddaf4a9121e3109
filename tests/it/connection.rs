//! `longshore check --aws`: who we are, whatever the credentials come from; or why we are nobody.

use crate::support::{
    daemon::{Launch, longshore},
    emulator::embedded,
    proxy::Proxy,
};
use std::fs;

/// Without any credentials in the environment; the shared files hold these.
fn bare(proxy: &Proxy, credentials: &str, config: &str) -> Launch {
    let launch = longshore(["check", "--aws"]).endpoint(&proxy.endpoint());
    let home = launch.directory().join(".aws");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("credentials"), credentials).unwrap();
    fs::write(home.join("config"), config).unwrap();
    launch.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY").without("AWS_REGION")
}

const PROFILES: &str = "[default]\naws_access_key_id = OF-DEFAULT\naws_secret_access_key = x\n\
                        [shop]\naws_access_key_id = OF-SHOP\naws_secret_access_key = x\n\
                        aws_session_token = token-of-shop\n";
const REGIONS: &str = "[default]\nregion = eu-west-1\n[profile shop]\nregion = eu-west-2\n\
                       [profile loader]\nregion = eu-west-3\nsource_profile = shop\n\
                       role_arn = arn:aws:iam::000000000000:role/loader\n";

fn signer(proxy: &Proxy) -> (String, Option<String>) {
    let seen = proxy.of("GetCallerIdentity").pop().unwrap();
    let signed = seen.header("authorization").unwrap().split("Credential=").nth(1).unwrap();
    let token = seen.header("x-amz-security-token").map(str::to_owned);
    (signed.split('/').next().unwrap().to_owned(), token)
}

#[test]
fn the_default_profile_another_one_and_a_role_need_no_settings() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    bare(&proxy, PROFILES, REGIONS).finish().expect(0, &["AWS knows us as", "region eu-west-1"]);
    assert_eq!(signer(&proxy), ("OF-DEFAULT".to_owned(), None));
    let shop = bare(&proxy, PROFILES, REGIONS).env("AWS_PROFILE", "shop");
    shop.finish().expect(0, &["region eu-west-2"]);
    assert_eq!(signer(&proxy), ("OF-SHOP".to_owned(), Some("token-of-shop".to_owned())));
    let loader = bare(&proxy, PROFILES, REGIONS).env("AWS_PROFILE", "loader");
    loader.finish().expect(0, &[":assumed-role/loader/", "region eu-west-3"]);
    assert_eq!(proxy.of("AssumeRole").len(), 1);
    assert!(signer(&proxy).1.is_some());
}

#[test]
fn credentials_of_the_environment_and_of_the_settings_are_used() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let environment = longshore(["check", "--aws"]).endpoint(&proxy.endpoint());
    environment.env("AWS_SESSION_TOKEN", "of-env").finish().expect(0, &["region us-east-1"]);
    assert_eq!(signer(&proxy), ("test".to_owned(), Some("of-env".to_owned())));
    let queue = "[queue.q]\nqueue = \"q\"\nhandler.print = {}\n";
    for (keys, key, token) in [
        ("access_key_id = \"STATIC\"\nsecret_access_key = \"s\"\n", "STATIC", None),
        (
            "access_key_id = \"FILES\"\nsecret_access_key_file = \"key\"\n\
             session_token_file = \"token\"\n",
            "FILES",
            Some("of-file"),
        ),
        ("profile = \"shop\"\n", "OF-SHOP", Some("token-of-shop")),
    ] {
        let text = format!("[aws]\nregion = \"us-west-2\"\n{keys}{queue}");
        let launch = bare(&proxy, PROFILES, REGIONS).args(&["--config", "c.toml"]);
        let launch = launch.file("c.toml", &text).file("key", "s\n").file("token", "of-file\n");
        launch.finish().expect(0, &["AWS knows us as", "region us-west-2"]);
        assert_eq!(signer(&proxy), (key.to_owned(), token.map(str::to_owned)));
    }
    let text = format!("[aws]\nrole_arn = \"arn:aws:iam::000000000000:role/loader\"\n{queue}");
    let role = bare(&proxy, PROFILES, REGIONS).args(&["--config", "c.toml"]).file("c.toml", &text);
    role.finish().expect(0, &[":assumed-role/loader/"]);
}

#[test]
fn nobody_is_told_why_and_what_to_do() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let regions = "[default]\nregion = eu-west-1\n";
    bare(&proxy, "", regions).finish().expect(
        69,
        &[
            "FAIL  checking the credentials with STS in eu-west-1",
            "no credentials found",
            "→ check the credentials",
        ],
    );
    let unknown = bare(&proxy, PROFILES, regions).env("AWS_PROFILE", "gone");
    unknown.env("AWS_REGION", "eu-west-1").finish().expect(69, &["FAIL", "gone"]);
    bare(&proxy, PROFILES, "")
        .finish()
        .expect(69, &["no AWS region is configured", "→ set region"]);
    assert_eq!(proxy.requests().len(), 0);
    let dead = longshore(["check", "--aws"]).endpoint("http://127.0.0.1:1").finish();
    dead.expect(69, &["checking the credentials with STS in us-east-1", "→ check endpoint_url"]);
}
