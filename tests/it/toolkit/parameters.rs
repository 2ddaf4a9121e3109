//! Parameters by their verbs and by the library: the embedded AWS beside those of others.

use super::commands::{at, aws, document, run};
use crate::support::{
    PATIENCE, aws as clients,
    daemon::longshore,
    emulator::{Emulator, embedded, ministack, moto},
    proxy::{Fault, Proxy},
};
use futures_util::TryStreamExt;
use longshore::{
    config::Secret,
    error::Kind,
    toolkit::ssm::{self, NewParameter},
};
use std::io::Write;

fn parameter_by_its_verbs(server: &Emulator) {
    let wrote = "wrote /shop/password, version 1";
    run(server, ["ssm", "put", "/shop/password", "hunter2"]).expect(0, &[wrote]);
    run(server, ["ssm", "put", "/shop/password", "other"])
        .expect(69, &["writing parameter /shop/password in us-east-1", "overwrite it"]);
    let again = ["ssm", "put-parameter", "/shop/password", "--overwrite", "--json"];
    let mut piped = longshore(again).piped().endpoint(&server.endpoint()).start();
    piped.input().write_all(b"hunter3\n").unwrap();
    assert_eq!(piped.wait(PATIENCE), 0, "{}", piped.output());
    assert!(piped.output().contains("\"version\":2"), "{}", piped.output());
    run(server, ["ssm", "put", "/shop/name", "--type", "String", "corner"]).expect(0, &[]);

    let got = run(server, ["ssm", "get", "/shop/password"]);
    assert_eq!((got.code, got.stdout.as_str()), (0, "hunter3\n"), "{}", got.said());
    let got = document(&run(server, ["ssm", "get-parameter", "/shop/password:1", "--json"]));
    assert_eq!((&got["value"], &got["type"]), (&"hunter2".into(), &"SecureString".into()));
    let below = run(server, ["ssm", "below", "/shop"]);
    let mut lines: Vec<&str> = below.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["/shop/name=corner", "/shop/password=hunter3"]);
    let listed = run(server, ["ssm", "list", "--prefix", "/shop/pass"]);
    assert_eq!(listed.stdout, "/shop/password  SecureString  version 2\n", "{}", listed.said());

    // Read back by other hands.
    let read =
        aws(server, ["ssm", "get-parameter", "--with-decryption", "--name", "/shop/password"]);
    assert_eq!(read["Parameter"]["Value"], "hunter3");
    let hidden = aws(server, ["ssm", "get-parameter", "--name", "/shop/password"]);
    assert_ne!(hidden["Parameter"]["Value"], "hunter3");

    run(server, ["ssm", "delete", "/shop/password"]).expect(64, &["not done", "--yes"]);
    run(server, ["ssm", "delete", "/shop/password", "--yes"]).expect(0, &["deleted"]);
    for verb in
        [&["ssm", "get", "/shop/password"][..], &["ssm", "delete", "--yes", "/shop/password"]]
    {
        let told = ["parameter /shop/password in us-east-1", "check its name and its region"];
        at(server, longshore([]).args(verb)).expect(69, &told);
    }
    run(server, ["ssm", "get", "a b"]).expect(64, &["\"a b\" is no name of a parameter"]);
    run(server, ["ssm", "put", "shop/name", "x"])
        .expect(64, &["no slash in front; write /shop/name"]);
}

#[test]
fn parameters_by_their_verbs_on_the_embedded_aws() {
    parameter_by_its_verbs(&embedded());
}

#[test]
fn parameters_by_their_verbs_on_ministack() {
    parameter_by_its_verbs(&ministack());
}

#[test]
fn parameters_by_their_verbs_on_moto() {
    parameter_by_its_verbs(&moto());
}

#[tokio::test]
async fn what_lies_below_a_path_comes_page_by_page() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let client = clients::ssm(&proxy.endpoint());
    for number in 0..25 {
        let new = NewParameter::secure(format!("/shop/{number:02}"), Secret::new("x"));
        ssm::put(&client, &new).await.unwrap();
    }
    let mut all = std::pin::pin!(ssm::get_by_path(&client, "/shop", false));
    let first = all.try_next().await.unwrap().unwrap();
    assert_eq!((first.name.as_str(), first.value.reveal()), ("/shop/00", "x"));
    assert_eq!(proxy.of("GetParametersByPath").len(), 1, "no page before it is wanted");
    assert_eq!(all.try_fold(1, async |count, _| Ok(count + 1)).await.unwrap(), 25);
    assert_eq!(proxy.of("GetParametersByPath").len(), 3);
    let mut none = std::pin::pin!(ssm::get_by_path(&client, "/nothing", true));
    assert_eq!(none.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn a_refusal_names_the_parameter_and_what_to_do() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let client = clients::ssm(&proxy.endpoint());
    ssm::put(&client, &NewParameter::secure("/key", Secret::new("hunter2"))).await.unwrap();
    for (code, kind, advice) in [
        ("AccessDeniedException", Kind::Denied, "allow this action"),
        ("InvalidKeyId", Kind::Denied, "allow this action"),
        ("ParameterNotFound", Kind::Missing, "check its name"),
        ("ThrottlingException", Kind::Throttled, "parameter /key in us-east-1"),
    ] {
        let answer = format!("{{\"__type\":\"{code}\",\"message\":\"no\"}}");
        // What passes by itself is asked for five times.
        let times = if kind == Kind::Throttled { 5 } else { 1 };
        proxy.on(times, |seen| seen.operation() == "GetParameter", Fault::Answer(400, answer));
        let error = ssm::get(&client, "/key").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(advice), "{error}");
    }
    let got = ssm::get(&client, "/key").await.unwrap();
    assert!(!format!("{got:?}").contains("hunter2"), "{got:?}");
    let error = ssm::get(&client, "no name").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
}
