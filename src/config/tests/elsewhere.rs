//! Values that stand elsewhere: what is told before they are read, and what of them.

use super::*;

const AWS: &str = "[aws]\naccess_key_id = \"AKIA\"\nsecret_access_key = \"ssm://aws/secret\"\n";

fn values(pairs: &[(&str, &str)]) -> BTreeMap<Locator, Secret> {
    let read = |text: &str| Locator::read(text).unwrap().unwrap();
    pairs.iter().map(|&(locator, value)| (read(locator), Secret::new(value))).collect()
}

#[test]
fn a_value_from_elsewhere_takes_the_place_of_its_locator() {
    let text = AWS.to_owned()
        + "region = \"file://region\"\n"
        + &spool_with("")
        + "[idempotency]\nstore = \"redis\"\nservers = [\"redis://a\", \"s3://keys/redis\"]\n"
        + &queue_with("");
    let config = toml_text(&text).unwrap();
    assert!(config.elsewhere.is_unread());
    assert_eq!(config.aws, Aws::default(), "what AWS is asked with is what is known");
    let named = config.elsewhere.references().iter();
    let named: Vec<_> = named.map(|one| (one.line, one.column, &*one.key)).collect();
    assert_eq!(
        named,
        [(3, 21, "aws.secret_access_key"), (4, 10, "aws.region"), (11, 25, "idempotency.servers")]
    );
    let config = config
        .complete(&values(&[
            ("ssm://aws/secret", "hunter2"),
            ("file://region", "eu-west-1"),
            ("s3://keys/redis", "rediss://:pa55@b:1234/3"),
        ]))
        .unwrap();
    assert!(!config.elsewhere.is_unread());
    assert_eq!(config.elsewhere.references().len(), 3);
    let aws = &config.spools["a"].aws;
    assert_eq!(aws.region.as_deref(), Some("eu-west-1"));
    assert_eq!(aws.credentials.as_ref().unwrap().secret_access_key.reveal(), "hunter2");
    let IdempotencyStore::Redis(servers) = &config.idempotency.as_ref().unwrap().store else {
        panic!("{config:?}")
    };
    assert_eq!(servers[1].password.as_ref().unwrap().reveal(), "pa55");
    let shown = format!("{config:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("pa55"), "{shown}");
}

#[test]
fn a_wrong_value_from_elsewhere_is_told_and_not_shown() {
    let text = "[aws]\nregion = \"ssm://region\"\n".to_owned() + &spool_with("");
    let config = toml_text(&text).unwrap();
    let told = config.complete(&values(&[("ssm://region", "HUNTER2")])).unwrap_err().to_string();
    assert!(told.starts_with("longshore.toml:2:10: region: what ssm://region holds"), "{told}");
    assert!(told.contains("a region looks like") && !told.contains("HUNTER2"), "{told}");
}

#[test]
fn rules_across_keys_are_held_once_the_values_are_there() {
    let text = queue_with("dead_letter_queue = \"ssm://dead\"");
    let config = toml_text(&text).unwrap();
    let told = config.complete(&values(&[("ssm://dead", "orders")])).unwrap_err().to_string();
    assert!(told.contains("its own dead_letter_queue"), "{told}");
}

#[test]
fn locators_are_refused_where_they_are_none_or_come_too_late() {
    let text = "[aws]\nsecret_access_key = \"ssm://a b\"\naccess_key_id = \"s3://bucket\"\n\
                role_arn = \"file://\"\n[log]\nlevel = \"ssm://level\"\n"
        .to_owned()
        + &spool_with("");
    let told = wrong(&text);
    for (place, words) in [
        (":2:21: secret_access_key:", "is no name of a parameter"),
        (":3:17: access_key_id:", "write s3://BUCKET/KEY"),
        (":4:12: role_arn:", "write file:///PATH"),
        (":6:9: level:", "needed before ssm://level could be read"),
    ] {
        let line = told.lines().find(|line| line.contains(place)).expect(&told);
        assert!(line.contains(words), "{line}");
    }
    assert_eq!(told.lines().count(), 4, "{told}");
}

#[test]
fn a_list_is_meant_as_it_stands() {
    let command = "[queue.q]\nqueue = \"orders\"\nhandler.exec.command = [\"cat\", \"ssm://x\"]\n";
    let config = toml_text(command).unwrap();
    assert_eq!(config.elsewhere, Elsewhere::default());
}
