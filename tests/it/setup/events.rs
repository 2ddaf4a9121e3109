//! From a topic to its queues: set up on an empty account, checked, and every single thing broken.

use super::{attribute, setup, writes};
use crate::support::{
    aws,
    daemon::{Finished, longshore},
    emulator::{Emulator, ministack, moto},
    exchange::Exchange,
    proxy::{Fault, Proxy},
};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::{Value, json};

const ACCOUNTS: [&str; 2] = ["000000000000", "123456789012"];

/// One queue with two routes, subscribed to a topic of this account.
fn text(account: &str) -> String {
    format!(
        "[events]\nservice = \"shop\"\ntopic = \"arn:aws:sns:us-east-1:{account}:events\"\n\
         [queue.orders]\nqueue = \"orders\"\ndead_letter_queue = \"dead\"\n\
         route.\"Placed.shop\".handler.exec.command = [\"true\"]\n\
         route.\"Paid*\".handler.exec.command = [\"true\"]\n"
    )
}

/// An account in which everything is set up.
struct Account {
    server: Emulator,
    text: String,
    topic: String,
    queue: String,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
}

fn check_at(endpoint: &str, text: &str) -> Finished {
    let check = longshore(["check", "--config", "c.toml"]).file("c.toml", text);
    check.endpoint(endpoint).finish()
}

impl Account {
    fn on(server: Emulator, number: &str) -> Self {
        let text = text(number);
        let told = setup(&text, &["--yes"], &server.endpoint());
        told.expect(0, &["done  subscribe", "up to 15 minutes"]);
        Self {
            topic: format!("arn:aws:sns:us-east-1:{number}:events"),
            queue: format!("arn:aws:sqs:us-east-1:{number}:orders"),
            sns: aws::sns(&server.endpoint()),
            sqs: aws::sqs(&server.endpoint()),
            text,
            server,
        }
    }

    fn check(&self) -> Finished {
        check_at(&self.server.endpoint(), &self.text)
    }

    async fn subscription(&self) -> String {
        let listed = self.sns.list_subscriptions_by_topic().topic_arn(&self.topic).send().await;
        let listed = listed.unwrap().subscriptions.unwrap();
        assert_eq!(listed.len(), 1);
        listed[0].subscription_arn.clone().unwrap()
    }

    async fn change(&self, attribute: &str, value: &str) {
        let change = self.sns.set_subscription_attributes();
        let change = change.subscription_arn(self.subscription().await);
        change.attribute_name(attribute).attribute_value(value).send().await.unwrap();
    }

    async fn set(&self, queue: &str, name: Name, value: &str) {
        let url = self.sqs.get_queue_url().queue_name(queue).send().await.unwrap();
        let set = self.sqs.set_queue_attributes().queue_url(url.queue_url.unwrap());
        set.attributes(name, value).send().await.unwrap();
    }

    /// Runs setup again, after which all is well.
    fn mend(&self) {
        setup(&self.text, &["--yes"], &self.server.endpoint()).expect(0, &["done"]);
        self.check().expect(0, &["ok"]);
    }
}

#[tokio::test]
async fn on_an_empty_account_setup_makes_what_check_finds_well_and_nothing_twice() {
    for (server, number) in [(ministack(), ACCOUNTS[0]), (moto(), ACCOUNTS[1])] {
        let account = Account::on(server, number);
        let told = account.check().expect(
            0,
            &[
                "ok    topic arn:aws:sns:us-east-1:",
                "delivers raw",
                "is that of the settings",
                "lets topic arn:aws:sns",
            ],
        );
        assert!(!told.stdout.contains("FAIL"), "{}", told.stdout);
        let proxy = Proxy::start(&account.server.endpoint());
        setup(&account.text, &["--yes"], &proxy.endpoint()).expect(0, &["nothing to do"]);
        assert_eq!(writes(&proxy), [""; 0]);
    }
}

#[tokio::test]
async fn what_the_filter_lets_through_arrives_raw() {
    let account = Account::on(ministack(), ACCOUNTS[0]);
    for event in ["Placed.shop", "Paid.bank", "Lost.shop"] {
        let value = aws_sdk_sns::types::MessageAttributeValue::builder();
        let value = value.data_type("String").string_value(event).build().unwrap();
        let publish = account.sns.publish().topic_arn(&account.topic).message(event);
        publish.message_attributes("iniesta_pass", value).send().await.unwrap();
    }
    let url = account.sqs.get_queue_url().queue_name("orders").send().await.unwrap();
    let url = url.queue_url.unwrap();
    // Until nothing comes any more.
    let mut bodies = Vec::new();
    loop {
        let receive = account.sqs.receive_message().queue_url(&url).max_number_of_messages(10);
        let received = receive.wait_time_seconds(2).send().await.unwrap();
        if received.messages().is_empty() {
            break;
        }
        bodies.extend(received.messages.unwrap().into_iter().filter_map(|one| one.body));
    }
    bodies.sort_unstable();
    assert_eq!(bodies, ["Paid.bank", "Placed.shop"]);
}

#[tokio::test]
async fn each_broken_attribute_of_the_subscription_is_found_and_mended_in_place() {
    let account = Account::on(ministack(), ACCOUNTS[0]);
    let before = account.subscription().await;
    for (attribute, value, told) in [
        ("RawMessageDelivery", "false", "FAIL  queue orders: raw delivery is off"),
        ("FilterPolicy", "{\"iniesta_pass\":[\"Placed.shop\"]}", "the filter policy at"),
        ("FilterPolicy", "{\"other\":[\"x\"]}", "FAIL  queue orders: the filter policy at"),
        ("FilterPolicyScope", "MessageBody", "looks at MessageBody"),
    ] {
        account.change(attribute, value).await;
        account.check().expect(69, &[told]);
        account.mend();
    }
    assert_eq!(account.subscription().await, before);
    // Another order says the same.
    let filter = "{\"iniesta_pass\":[{\"prefix\":\"Paid\"},\"Placed.shop\"]}";
    account.change("FilterPolicy", filter).await;
    account.check().expect(0, &["is that of the settings"]);
}

#[tokio::test]
async fn i11_each_missing_thing_is_found_and_named() {
    let account = Account::on(ministack(), ACCOUNTS[0]);
    let arn = account.subscription().await;
    account.sns.unsubscribe().subscription_arn(arn).send().await.unwrap();
    // One whose ARN only holds the queue's name is not the queue's.
    let near = "arn:aws:sqs:us-east-1:000000000000:orders-2";
    let sqs = &account.sqs;
    sqs.create_queue().queue_name("orders-2").send().await.unwrap();
    let near = account.sns.subscribe().topic_arn(&account.topic).protocol("sqs").endpoint(near);
    near.send().await.unwrap();
    let told = format!("no subscription of {} to topic {}", account.queue, account.topic);
    account.check().expect(69, &[&told, "→ subscribe it with longshore setup"]);

    account.sns.delete_topic().topic_arn(&account.topic).send().await.unwrap();
    let told = format!("FAIL  topic {} does not exist", account.topic);
    account.check().expect(69, &[&told]);
    account.mend();

    let dead = sqs.get_queue_url().queue_name("dead").send().await.unwrap().queue_url.unwrap();
    sqs.delete_queue().queue_url(dead).send().await.unwrap();
    let told = "its redrive policy names the dead-letter queue";
    account.check().expect(69, &[told, "which does not exist"]);
}

#[tokio::test]
async fn each_broken_policy_is_found_and_only_what_is_ours_is_mended() {
    let account = Account::on(ministack(), ACCOUNTS[0]);
    account.set("orders", Name::Policy, "").await;
    account.check().expect(69, &["has no policy that would let topic"]);
    account.mend();

    let policy = attribute(&account.sqs, "orders", Name::Policy).await.unwrap();
    let mut policy: Value = serde_json::from_str(&policy).unwrap();
    let deny = json!({ "Sid": "KeepOut", "Effect": "Deny", "Principal": "*",
        "Action": "SQS:*", "Resource": account.queue });
    policy["Statement"].as_array_mut().unwrap().push(deny);
    account.set("orders", Name::Policy, &policy.to_string()).await;
    let told = "statement \"KeepOut\" in the policy of";
    account.check().expect(69, &[told, "→ take that statement out of the queue's policy"]);
    // A denial is somebody's will; setup does not take it away.
    setup(&account.text, &["--yes"], &account.server.endpoint()).expect(0, &["nothing to do"]);

    let other = json!({ "Statement": [{ "Effect": "Allow", "Principal": "*",
        "Action": "sqs:SendMessage", "Resource": account.queue,
        "Condition": { "ArnEquals": { "aws:SourceArn": "arn:aws:sns:us-east-1:000000000000:x" } } }] });
    account.set("orders", Name::Policy, &other.to_string()).await;
    account.check().expect(69, &["no statement in the policy of"]);
    account.mend();
    let policy = attribute(&account.sqs, "orders", Name::Policy).await.unwrap();
    let policy: Value = serde_json::from_str(&policy).unwrap();
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 2, "{policy}");

    let unsure = json!({ "Statement": [{ "Effect": "Allow", "Principal": "*",
        "Action": "sqs:SendMessage", "Resource": account.queue,
        "Condition": { "StringEquals": { "aws:SourceOrgID": "o-1" } } }] });
    account.set("orders", Name::Policy, &unsure.to_string()).await;
    account.check().expect(0, &["note  queue orders: undecided whether the policy of"]);
}

#[tokio::test]
async fn keys_retention_and_counts_are_looked_at() {
    let account = Account::on(ministack(), ACCOUNTS[0]);
    account.set("orders", Name::KmsMasterKeyId, "alias/aws/sqs").await;
    account.check().expect(69, &["which never lets SNS in"]);
    account.set("orders", Name::KmsMasterKeyId, "alias/mine").await;
    account.check().expect(0, &["note  queue orders: undecided whether the key alias/mine"]);
    account.set("orders", Name::KmsMasterKeyId, "").await;
    account.set("dead", Name::MessageRetentionPeriod, "3600").await;
    account.check().expect(0, &["note  queue orders: it keeps messages for 4d, and its dead"]);
    let redrive = attribute(&account.sqs, "orders", Name::RedrivePolicy).await.unwrap();
    let mut redrive: Value = serde_json::from_str(&redrive).unwrap();
    redrive["maxReceiveCount"] = json!(1);
    account.set("orders", Name::RedrivePolicy, &redrive.to_string()).await;
    account.check().expect(0, &["note  queue orders: its maxReceiveCount is 1"]);
}

/// AWS's own words, which no emulator says.
#[tokio::test]
async fn what_is_pending_or_denied_is_said_in_its_place() {
    let account = Account::on(ministack(), ACCOUNTS[0]);
    let is = |operation: &'static str| move |seen: &Exchange| seen.operation() == operation;
    let pending = format!(
        "<ListSubscriptionsByTopicResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
         <ListSubscriptionsByTopicResult><Subscriptions><member>\
         <SubscriptionArn>PendingConfirmation</SubscriptionArn><Owner>000000000000</Owner>\
         <Protocol>sqs</Protocol><Endpoint>{}</Endpoint><TopicArn>{}</TopicArn></member>\
         </Subscriptions></ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>",
        account.queue, account.topic
    );
    let proxy = Proxy::start(&account.server.endpoint());
    proxy.on(2, is("ListSubscriptionsByTopic"), Fault::Answer(200, pending));
    let checked = check_at(&proxy.endpoint(), &account.text);
    checked.expect(69, &["FAIL  queue orders: the subscription of", "is pending", "→ confirm it"]);
    let told = setup(&account.text, &["--yes"], &proxy.endpoint());
    told.expect(0, &["is pending; confirm it, then run setup again", "nothing to do"]);

    let denied = "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error>\
                  <Type>Sender</Type><Code>AuthorizationError</Code><Message>not authorized to \
                  perform</Message></Error><RequestId>1</RequestId></ErrorResponse>";
    for (operation, told) in [
        ("GetTopicAttributes", "note  undecided, since it may not be asked for"),
        (
            "ListSubscriptionsByTopic",
            "note  queue orders: undecided, since it may not be asked for",
        ),
        ("GetSubscriptionAttributes", "note  queue orders: undecided, since it may not be asked"),
    ] {
        let proxy = Proxy::start(&account.server.endpoint());
        proxy.on(9, is(operation), Fault::Answer(403, denied.to_owned()));
        let checked = check_at(&proxy.endpoint(), &account.text);
        checked.expect(0, &[told, "→ allow sqs:GetQueueAttributes"]);
    }
}

#[tokio::test]
async fn i10_i11_with_require_checks_nothing_starts_until_all_is_well() {
    let account = Account::on(ministack(), ACCOUNTS[0]);
    let text = format!("require_checks = true\n{}", account.text)
        .replace("queue = \"orders\"\n", "queue = \"orders\"\nwait_time = 0\n");
    let run = |endpoint: &str| {
        let run = longshore(["run", "--once", "--config", "c.toml"]).file("c.toml", &text);
        run.endpoint(endpoint).finish()
    };
    run(&account.server.endpoint()).expect(0, &["stopped"]);
    account.change("RawMessageDelivery", "false").await;
    let proxy = Proxy::start(&account.server.endpoint());
    run(&proxy.endpoint()).expect(69, &["queue orders: raw delivery is off", "require_checks"]);
    assert_eq!(proxy.of("ReceiveMessage").len(), 0);
    account.sns.delete_topic().topic_arn(&account.topic).send().await.unwrap();
    run(&account.server.endpoint()).expect(69, &["does not exist"]);
}

#[test]
fn i10_what_is_no_topic_is_refused_before_anything_is_asked() {
    for topic in
        ["something wrong", "a:b:c:d:e:f", "arn:b:c:d:e:f", "arn:aws:sns:ap-northeast-1:e:f"]
    {
        let text = format!("require_checks = true\n[events]\ntopic = \"{topic}\"\n");
        let run = longshore(["run", "--config", "c.toml"]).file("c.toml", &text);
        run.endpoint("http://127.0.0.1:9").finish().expect(78, &["topic"]);
    }
}

#[test]
fn a_standard_topic_never_serves_a_fifo_queue() {
    let server = ministack();
    let text = text(ACCOUNTS[0]).replace("queue = \"orders\"", "queue = \"orders.fifo\"");
    let text = text.replace("\"dead\"", "\"dead.fifo\"");
    let told = setup(&text, &["--yes"], &server.endpoint());
    told.expect(78, &["is a standard topic", "use a FIFO topic, or a standard queue"]);
    let fifo = text.replace(":events\"", ":events.fifo\"");
    setup(&fifo, &["--yes"], &server.endpoint()).expect(0, &["done  subscribe"]);
    setup(&fifo, &["--yes"], &server.endpoint()).expect(0, &["nothing to do"]);
}

#[tokio::test]
async fn destroying_spares_a_topic_with_other_subscribers() {
    let account = Account::on(ministack(), ACCOUNTS[0]);
    account.sqs.create_queue().queue_name("theirs").send().await.unwrap();
    let theirs = account.queue.replace("orders", "theirs");
    let other = account.sns.subscribe().topic_arn(&account.topic).protocol("sqs");
    let other = other.endpoint(&theirs).send().await.unwrap().subscription_arn.unwrap();
    let destroy = || setup(&account.text, &["--destroy", "--yes"], &account.server.endpoint());
    destroy().expect(75, &[&format!("has other subscribers, such as {theirs}")]);
    account.sns.unsubscribe().subscription_arn(other).send().await.unwrap();
    destroy().expect(0, &["done  delete subscription", "done  delete topic", "done  delete queue"]);
    let topics = account.sns.list_topics().send().await.unwrap();
    assert_eq!(topics.topics().len(), 0);
    destroy().expect(0, &["nothing to do"]);
}
