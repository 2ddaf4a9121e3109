//! `[events]`: modes, filters, and routes that a message can reach.

use super::*;
use crate::event::Pattern;

const TOPIC: &str = "topic = \"arn:aws:sns:us-west-2:123456789012:events\"\n";
const ROUTE: &str = "[queue.q]\nqueue = \"orders\"\nroute.\"Order*\".handler.print = {}\n";

fn modes(text: &str) -> Vec<&'static str> {
    let config = toml_text(text).unwrap();
    config.events.initialization.iter().map(|mode| mode.name()).collect()
}

#[test]
fn i12_the_modes_follow_from_what_there_is() {
    let topic = format!("[events]\n{TOPIC}");
    let filters = "filters = [\"Order.shop\"]\n";
    let plain = queue_with("");
    for (text, expected) in [
        (topic.clone(), vec!["SNS_PRODUCER"]),
        (plain.clone(), vec!["QUEUE_POLLING"]),
        (ROUTE.to_owned(), vec!["QUEUE_POLLING"]),
        (format!("{topic}{plain}"), vec!["QUEUE_POLLING", "SNS_PRODUCER"]),
        (format!("{topic}{ROUTE}"), vec!["EVENT_POLLING", "SNS_PRODUCER"]),
        (format!("{topic}{filters}{plain}"), vec!["EVENT_POLLING", "SNS_PRODUCER"]),
        (format!("{topic}{filters}"), vec!["EVENT_POLLING", "SNS_PRODUCER"]),
        (
            format!("{topic}{ROUTE}{}", plain.replace("queue.q", "queue.other")),
            vec!["QUEUE_POLLING", "EVENT_POLLING", "SNS_PRODUCER"],
        ),
    ] {
        assert_eq!(modes(&text), expected, "{text}");
    }
}

#[test]
fn i12_every_order_of_valid_modes_is_taken() {
    let names = Initialization::ALL.map(Initialization::name);
    for (first, second) in names.iter().flat_map(|a| names.iter().map(move |b| (a, b))) {
        let only_publishes = [first, second].iter().all(|mode| **mode == "SNS_PRODUCER");
        let queue = if only_publishes { "" } else { ROUTE };
        let text = format!(
            "[events]\n{TOPIC}filters = [\"Order.shop\"]\n\
             initialization = [\"{first}\", \"{second}\"]\n{queue}"
        );
        let taken = modes(&text);
        assert!(taken.contains(first) && taken.contains(second) && taken.len() <= 2, "{text}");
    }
}

#[test]
fn i12_what_is_no_list_of_modes_is_refused() {
    for value in ["\"\"", "\"asdad\"", "1213", "{}", "[\"asd\"]", "[\"QUEUE_POLLING\", \"BAD\"]"] {
        let told = wrong(&format!("[events]\ninitialization = {value}\n{}", queue_with("")));
        assert!(told.contains("initialization: "), "{value}: {told}");
    }
    let told = wrong(&format!("[events]\ninitialization = [\"BAD\"]\n{}", queue_with("")));
    assert!(told.contains("QUEUE_POLLING, EVENT_POLLING, SNS_PRODUCER, CUSTOM"), "{told}");
}

#[test]
fn each_mode_needs_what_iniesta_demanded() {
    let given = |mode: &str, more: &str, rest: &str| {
        format!("[events]\ninitialization = [\"{mode}\"]\n{more}{rest}")
    };
    let plain = queue_with("");
    let filters = "filters = [\"Order.shop\"]\n";
    for (text, told) in [
        (given("SNS_PRODUCER", "", &plain), "SNS_PRODUCER needs a topic"),
        (given("EVENT_POLLING", filters, &plain), "EVENT_POLLING needs a topic"),
        (given("EVENT_POLLING", &format!("{TOPIC}filters = []\n"), ROUTE), "an empty list"),
        (given("EVENT_POLLING", &format!("{TOPIC}{filters}"), ""), "needs a queue"),
        (given("EVENT_POLLING", TOPIC, &plain), "neither filters nor a route"),
        (given("QUEUE_POLLING", TOPIC, ""), "needs a queue"),
    ] {
        assert!(wrong(&text).contains(told), "{told}: {}", wrong(&text));
    }
    toml_text(&given("CUSTOM", "", &plain)).unwrap();
}

#[test]
fn i10_a_topic_is_an_arn() {
    for topic in [
        "something wrong",
        "a:b:c:d:e:f",
        "arn:b:c:d:e:f",
        "arn:aws:sns:ap-northeast-1:e:f",
        "arn:aws:sqs:us-west-2:123456789012:events",
        "",
    ] {
        let told = wrong(&format!("[events]\ntopic = \"{topic}\"\n{}", queue_with("")));
        assert!(told.contains("2:9: topic: "), "{topic}: {told}");
    }
    let config = toml_text(&format!("[events]\n{TOPIC}")).unwrap();
    assert_eq!(config.events.aws.region.as_deref(), Some("us-west-2"));
}

#[test]
fn filters_come_from_the_routes_where_there_are_none() {
    let config = toml_text(&format!("[events]\n{TOPIC}{ROUTE}")).unwrap();
    let queue = &config.queues["q"];
    assert!(config.gets_events(queue));
    assert_eq!(config.filters(queue), [Pattern::Prefix("Order".to_owned())]);

    let told = wrong(&format!("[events]\n{TOPIC}{ROUTE}handler.print = {{}}\n"));
    assert!(told.contains("default handler") && told.contains("filters = "), "{told}");
    let told = wrong(&format!("[events]\n{TOPIC}filters = [\"Event\", \"*.x\"]\n{ROUTE}"));
    assert!(told.contains("\"Event\"") && told.contains("\"*.x\""), "{told}");
}

#[test]
fn a_route_that_no_event_reaches_is_told_with_its_place() {
    let told = wrong(&format!(
        "[events]\n{TOPIC}filters = [\"Order.shop\"]\n{ROUTE}route.\"Order.shop\".handler.print = {{}}\n\
         route.\"Audit*\".handler.print = {{}}\n"
    ));
    assert!(told.contains("no filter lets an event of the route Audit* through"), "{told}");
    assert!(told.contains("closer routes take every event"), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
    // Without a topic, anybody may send anything to the queue.
    toml_text(&format!("[events]\nfilters = [\"Order.shop\"]\n{ROUTE}")).unwrap();
}

#[test]
fn a_route_may_name_several_events_and_none_of_them_twice() {
    let route = |events: &str| {
        format!(
            "[queue.q]\nqueue = \"orders\"\nroute.many = {{ events = {events}, handler.print = {{}} }}\n"
        )
    };
    let config = toml_text(&route("[\"A.shop\", \" B* \"]")).unwrap();
    let events: Vec<&str> = config.queues["q"].routes.keys().map(String::as_str).collect();
    assert_eq!(events, ["A.shop", "B*"]);
    for (events, told) in [
        ("[\"A.shop\", \"A.shop\"]", "stands in events twice"),
        ("[]", "an empty list"),
        ("[\"\"]", "the empty event"),
        ("[\"A*b\"]", "only once and at the end"),
    ] {
        assert!(wrong(&route(events)).contains(told), "{events}: {}", wrong(&route(events)));
    }
    let twice = route("[\"A.shop\"]") + "route.\"A.shop\".handler.print = {}\n";
    assert!(wrong(&twice).contains("a second route for the event \"A.shop\""));
}

#[test]
fn what_becomes_of_a_message_without_handler_is_one_of_three_words() {
    let config = toml_text(&queue_with("on_unrouted = \"delete\"")).unwrap();
    assert_eq!(config.queues["q"].on_unrouted, OnUnrouted::Delete);
    assert!(wrong(&queue_with("on_unrouted = \"drop\"")).contains("retry, reject and delete"));
}

#[test]
fn the_event_key_of_the_events_is_that_of_every_queue_without_its_own() {
    let other = queue_with("event_key = \"own\"").replace("queue.q", "queue.other");
    let config =
        toml_text(&format!("[events]\nevent_key = \"kind\"\n{}{other}", queue_with(""))).unwrap();
    assert_eq!(config.queues["q"].event_key, "kind");
    assert_eq!(config.queues["other"].event_key, "own");
}

#[test]
fn i12_no_queue_is_polled_against_the_modes_nor_left_out_unsaid() {
    let with = |modes: &str| {
        let queue = queue_with("");
        toml_text(&format!("[events]\n{TOPIC}initialization = [{modes}]\n{queue}"))
    };
    let told = with("\"SNS_PRODUCER\"").unwrap_err().to_string();
    assert!(told.contains("no mode polls [queue.q]; add QUEUE_POLLING"), "{told}");
    for modes in ["\"SNS_PRODUCER\", \"QUEUE_POLLING\"", "\"CUSTOM\""] {
        assert!(with(modes).is_ok(), "{modes}");
    }
}

#[test]
fn no_object_is_deleted_that_another_queue_of_the_topic_may_need() {
    let pointer = "payload = [\"pointer?\"]\ndelete_payload = true\n";
    let queue = ROUTE.replace("route.", &format!("{pointer}route."));
    assert!(toml_text(&queue).is_ok());
    let told = toml_text(&format!("[events]\n{TOPIC}{queue}")).unwrap_err().to_string();
    assert!(told.contains("[queue.q] gets its messages from a topic"), "{told}");
}

#[test]
fn an_outbox_announces_as_the_events_say_unless_it_says_otherwise() {
    let events = "[events]\nservice = \"shop\"\nevent_key = \"kind\"\n";
    let outbox = "[outbox.o]\ndirectory = \"o\"\nqueue = \"orders\"\n";
    let announces = |own: &str| {
        let config = toml_text(&format!("{events}{outbox}{own}")).unwrap();
        let Destination::Messages(outbox) = config.outboxes["o"].destination.clone() else {
            panic!("an outbox sends messages")
        };
        (outbox.event_key, outbox.service)
    };
    assert_eq!(announces(""), ("kind".to_owned(), Some("shop".to_owned())));
    let own = "service = \"web\"\nevent_key = \"name\"\n";
    assert_eq!(announces(own), ("name".to_owned(), Some("web".to_owned())));
}
