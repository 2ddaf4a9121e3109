//! The recording proxy: it stands before any endpoint, writes down every exchange, and misbehaves
//! on command.
//!
//! What must be true of every run is asserted on its record, such as that no poll is closed before
//! its reply: `End::Abandoned` never stands beside a `ReceiveMessage`.

use super::{
    exchange::{End, Exchange, Place, Record},
    wire::{Cut, Reply, Server, forward},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What happens to a request that a rule names.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Answered with this status and body; upstream never hears of it.
    Answer(u16, String),
    /// Forwarded when the gate opens.
    Hold(Gate),
    /// Forwarded, and the reply held back until the gate opens.
    HoldReply(Gate),
    /// The connection is closed; upstream never hears of it.
    CutBefore,
    /// Forwarded, and the connection closed in place of the reply.
    CutAfter,
    /// Forwarded without this header, for emulators that choke on it.
    WithoutHeader(&'static str),
}

/// A barrier that a test opens.
#[derive(Clone)]
pub(crate) struct Gate(Arc<watch::Sender<(bool, usize)>>);

impl Gate {
    /// A closed gate.
    pub(crate) fn closed() -> Gate {
        Gate(Arc::new(watch::Sender::new((false, 0))))
    }

    /// Lets everything through from now on.
    pub(crate) fn open(&self) {
        self.0.send_modify(|(open, _)| *open = true);
    }

    /// How many requests have come to it so far.
    pub(crate) fn arrived(&self) -> usize {
        self.0.borrow().1
    }

    async fn pass(&self) {
        self.0.send_modify(|(_, arrived)| *arrived += 1);
        self.0.subscribe().wait_for(|(open, _)| *open).await.expect("the gate outlives its guests");
    }
}

struct Rule {
    names: Box<dyn Fn(&Exchange) -> bool + Send>,
    left: usize,
    fault: Fault,
}

/// A running proxy.
pub(crate) struct Proxy {
    server: Server,
    record: Record,
    rules: Arc<Mutex<Vec<Rule>>>,
}

impl Proxy {
    /// Starts one before `upstream` (`http://host:port`) on a free port.
    pub(crate) fn start(upstream: &str) -> Proxy {
        let upstream: Arc<str> = upstream.trim_start_matches("http://").into();
        let (record, rules) = (Record::default(), Arc::new(Mutex::new(Vec::<Rule>::new())));
        let (writes, obeys) = (record.clone(), Arc::clone(&rules));
        let server = Server::start(move |request| {
            let (place, rules) = (writes.open(&request), Arc::clone(&obeys));
            exchange(Arc::clone(&upstream), place, rules, request)
        });
        Proxy { server, record, rules }
    }

    /// Where clients send their requests.
    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Every exchange so far, in the order of arrival.
    pub(crate) fn requests(&self) -> Vec<Exchange> {
        self.record.all()
    }

    /// Every exchange of one operation so far.
    pub(crate) fn of(&self, operation: &str) -> Vec<Exchange> {
        self.requests().into_iter().filter(|seen| seen.operation() == operation).collect()
    }

    /// Does `fault` to the next `times` requests that `names` accepts. The first rule that applies
    /// counts; one that is used up no longer applies.
    pub(crate) fn on(
        &self,
        times: usize,
        names: impl Fn(&Exchange) -> bool + Send + 'static,
        fault: Fault,
    ) {
        self.rules.lock().unwrap().push(Rule { names: Box::new(names), left: times, fault });
    }

    /// Refuses connections and closes those there are, until `up`.
    pub(crate) fn down(&self) {
        self.record.closing(true);
        self.server.down();
    }

    /// Takes connections again.
    pub(crate) fn up(&self) {
        self.record.closing(false);
        self.server.up();
    }
}

fn fault_for(rules: &Mutex<Vec<Rule>>, seen: &Exchange) -> Option<Fault> {
    let mut rules = rules.lock().unwrap();
    let rule = rules.iter_mut().find(|rule| rule.left > 0 && (rule.names)(seen))?;
    rule.left -= 1;
    Some(rule.fault.clone())
}

async fn exchange(
    upstream: Arc<str>,
    place: Place,
    rules: Arc<Mutex<Vec<Rule>>>,
    request: Request<Incoming>,
) -> Result<Reply, Cut> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let seen = place.body(body.clone());
    let fault = fault_for(&rules, &seen);
    let result = obey(fault, &upstream, Request::from_parts(head, Full::new(body))).await;
    if let Ok(reply) = &result {
        let body = reply.body().clone().collect().await.expect("a whole body");
        place.reply(body.to_bytes());
    }
    place.end(match &result {
        Ok(reply) => End::Answered(reply.status().as_u16()),
        Err(Cut) => End::Cut,
    });
    result
}

async fn obey(
    fault: Option<Fault>,
    upstream: &str,
    mut request: Request<Full<Bytes>>,
) -> Result<Reply, Cut> {
    match fault {
        None => forward(upstream, request).await,
        Some(Fault::Answer(status, body)) => {
            Ok(Response::builder().status(status).body(Full::from(body)).unwrap())
        }
        Some(Fault::Hold(gate)) => {
            gate.pass().await;
            forward(upstream, request).await
        }
        Some(Fault::HoldReply(gate)) => {
            let reply = forward(upstream, request).await;
            gate.pass().await;
            reply
        }
        Some(Fault::CutBefore) => Err(Cut),
        Some(Fault::CutAfter) => forward(upstream, request).await.and(Err(Cut)),
        Some(Fault::WithoutHeader(name)) => {
            request.headers_mut().remove(name);
            forward(upstream, request).await
        }
    }
}
