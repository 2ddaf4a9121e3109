//! Against an outlet that answers by script.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::error::Result;
use crate::handlers::samples;
use crate::message::Attribute;
use crate::outcome::Unavailable;
use crate::toolkit::sqs;

type Call = Result<Vec<Option<Error>>>;
type Answer = Box<dyn Fn(&[&Outgoing]) -> Call + Send + Sync>;

/// Notes what it is given, and answers as it is told.
struct Outside {
    given: Mutex<Vec<Vec<Outgoing>>>,
    answer: Answer,
}

impl Outside {
    fn new(answer: impl Fn(&[&Outgoing]) -> Call + Send + Sync + 'static) -> Self {
        Self { given: Mutex::default(), answer: Box::new(answer) }
    }

    fn willing() -> Self {
        Self::new(|messages| Ok(messages.iter().map(|_| None).collect()))
    }

    /// The bodies of each call.
    fn bodies(&self) -> Vec<Vec<String>> {
        let given = self.given.lock().unwrap();
        given.iter().map(|call| call.iter().map(|one| one.body.clone()).collect()).collect()
    }
}

impl Outlet for Outside {
    fn most_bytes(&self) -> usize {
        sqs::MOST_BYTES
    }

    async fn send_batch(&self, messages: &[&Outgoing]) -> Call {
        self.given.lock().unwrap().push(messages.iter().map(|&one| one.clone()).collect());
        (self.answer)(messages)
    }
}

/// Refuses those with this body, in this way.
fn refusing(body: &'static str, kind: Kind) -> impl Fn(&[&Outgoing]) -> Call + Send + Sync {
    move |messages| {
        let refused = |one: &&Outgoing| (one.body == body).then(|| Error::new(kind, "no"));
        Ok(messages.iter().map(refused).collect())
    }
}

fn message(queue: &str, group: Option<&str>, body: &str) -> Message {
    let mut message = samples::traced();
    message.body = body.into();
    message.id = format!("id-{body}");
    queue.clone_into(&mut message.queue);
    message.system_attributes.remove("MessageGroupId");
    if let Some(group) = group {
        message.system_attributes.insert("MessageGroupId".to_owned(), group.to_owned());
    }
    message
}

async fn sent(to: &Outside, is_fifo: bool, messages: Vec<Message>) -> Vec<Verdict> {
    let way = Way { to, is_fifo, group: None, unfit: &sqs::unfit };
    let (deliveries, _keepers): (Vec<_>, Vec<_>) =
        messages.into_iter().map(samples::delivery).unzip();
    forward(&way, &deliveries).await.0
}

fn is_behind(verdict: &Verdict) -> bool {
    matches!(verdict, Ok(Outcome::Retry { reason, .. }) if reason.contains("before it"))
}

#[tokio::test]
async fn a_message_keeps_what_it_has() {
    let to = Outside::willing();
    let mut labelled = message("orders", Some("tenant"), "x");
    labelled.labels = BTreeMap::from([("size.cm".to_owned(), "Number.float".to_owned())]);
    assert_eq!(sent(&to, false, vec![labelled.clone()]).await, [Ok(Outcome::Done)]);
    let given = to.given.lock().unwrap().remove(0).remove(0);
    assert_eq!((&*given.body, &given.attributes), ("x", &labelled.attributes));
    assert_eq!(given.data_type("size.cm", &Attribute::Number("1".to_owned())), "Number.float");
    assert_eq!(given.trace_header.as_deref(), Some(samples::TRACE_HEADER));
    assert_eq!((given.group.as_deref(), given.deduplication_id), (Some("tenant"), None));
}

#[tokio::test]
async fn fifo_gets_a_group_and_the_message_id_against_copies() {
    let to = Outside::willing();
    let messages = vec![message("orders", Some("g"), "a"), message("orders", None, "b")];
    sent(&to, true, messages).await;
    let given = to.given.lock().unwrap().remove(0);
    let told: Vec<_> =
        given.iter().map(|one| (one.group.as_deref(), one.deduplication_id.as_deref())).collect();
    assert_eq!(told, [(Some("g"), Some("id-a")), (Some("id-b"), Some("id-b"))]);
    // The groups of a FIFO queue say nothing to a standard one.
    let to = Outside::willing();
    sent(&to, false, vec![message("orders.fifo", Some("g"), "a")]).await;
    assert_eq!(to.given.lock().unwrap()[0][0].group, None);
}

#[tokio::test]
async fn a_group_of_the_settings_is_filled_in_or_the_message_rejected() {
    let to = Outside::willing();
    let template = Template::read("{attribute.tint}").unwrap();
    let way = Way { to: &to, is_fifo: true, group: Some(&template), unfit: &sqs::unfit };
    let mut without = message("orders", None, "b");
    without.attributes.clear();
    let mut wrong = message("orders", None, "c");
    wrong.attributes.insert("tint".to_owned(), Attribute::String("two words".to_owned()));
    let (deliveries, _keepers): (Vec<_>, Vec<_>) =
        [message("orders", None, "a"), without, wrong].map(samples::delivery).into_iter().unzip();
    let (verdicts, _) = forward(&way, &deliveries).await;
    assert_eq!(verdicts[0], Ok(Outcome::Done));
    assert_eq!(verdicts[1], Ok(Outcome::reject("its group: it has no attribute tint with a text")));
    assert!(matches!(&verdicts[2], Ok(Outcome::Reject { reason }) if reason.contains("no group")));
    assert_eq!(to.given.lock().unwrap()[0][0].group.as_deref(), Some("red"));
}

#[tokio::test]
async fn one_poison_spoils_no_other() {
    let to = Outside::new(refusing("b", Kind::Invalid));
    let large = "x".repeat(sqs::MOST_BYTES);
    let bodies = ["a", "b", &large, "c"];
    let verdicts = sent(&to, false, bodies.map(|body| message("orders", None, body)).into()).await;
    assert_eq!(to.bodies(), [["a", "b", "c"]]);
    assert_eq!([&verdicts[0], &verdicts[3]], [&Ok(Outcome::Done); 2]);
    assert_eq!(verdicts[1], Ok(Outcome::reject("no")));
    assert!(matches!(&verdicts[2], Ok(Outcome::Reject { reason }) if reason.contains("at most")));
}

#[tokio::test(start_paused = true)]
async fn behind_one_that_was_not_taken_its_group_waits() {
    let to = Outside::new(refusing("a1", Kind::Transient));
    let of = |group, body| message("orders.fifo", Some(group), body);
    let messages = vec![of("a", "a1"), of("b", "b1"), of("a", "a2"), of("b", "b2")];
    let verdicts = sent(&to, true, messages).await;
    assert_eq!(verdicts[0], Ok(Outcome::retry("no")));
    assert!(is_behind(&verdicts[2]), "{:?}", verdicts[2]);
    assert_eq!([&verdicts[1], &verdicts[3]], [&Ok(Outcome::Done); 2]);
    assert!(!to.bodies().concat().contains(&"a2".to_owned()));

    // Also behind one that could never be sent.
    let to = Outside::willing();
    let verdicts = sent(&to, true, vec![of("a", ""), of("a", "a2"), of("b", "b1")]).await;
    assert!(matches!(&verdicts[0], Ok(Outcome::Reject { .. })), "{:?}", verdicts[0]);
    assert!(is_behind(&verdicts[1]), "{:?}", verdicts[1]);
    assert_eq!(verdicts[2], Ok(Outcome::Done));
}

#[tokio::test]
async fn what_would_meet_every_message_judges_none() {
    for (kind, text) in [
        (Kind::Missing, "no such queue"),
        (Kind::Denied, "not allowed"),
        (Kind::Invalid, "Invalid parameter: TopicArn"),
    ] {
        let to = Outside::new(move |_| Err(Error::new(kind, text)));
        let verdicts = sent(&to, false, vec![message("orders", None, "a")]).await;
        assert_eq!(verdicts, [Err(Unavailable::new(text))], "{kind:?}");
    }
}

#[tokio::test]
async fn a_message_cannot_pass_its_own_fault_off_as_the_addresss() {
    let told = "InvalidParameterValue: the value of attribute 'QueueUrl' is no 'TopicArn'";
    let to = Outside::new(move |_| Err(Error::new(Kind::Invalid, told)));
    let verdicts = sent(&to, false, vec![message("orders", None, "a")]).await;
    assert_eq!(verdicts, [Ok(Outcome::reject(told))]);
}

#[tokio::test(start_paused = true)]
async fn a_service_in_trouble_is_retry_for_all() {
    let to = Outside::new(|_| Err(Error::new(Kind::Transient, "internal")));
    let messages = ["a", "b"].map(|body| message("orders", None, body));
    let verdicts = sent(&to, false, messages.into()).await;
    assert_eq!(verdicts, [Ok(Outcome::retry("internal")), Ok(Outcome::retry("internal"))]);
    assert_eq!(to.bodies().len(), 5);
}
