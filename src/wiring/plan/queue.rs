//! The queues: made where they are missing, with their dead-letter queues; let in who must come in.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::json;

use super::super::arn::Arn;
use super::super::found::{self, Queue};
use super::super::step::{Act, Step};
use super::super::wanted;
use super::{Plan, arn_of_new, let_in, named_only};
use crate::aws::{Aws, Connection};
use crate::config;
use crate::error::Result;
use crate::toolkit::sqs::policy::Source;

/// After how many receives SQS moves a message to the dead-letter queue by itself.
const MAX_RECEIVE_COUNT: u32 = 10;
/// The longest that SQS keeps messages, in seconds: 14 days.
const LONGEST_RETENTION: &str = "1209600";

/// A queue as it will be once the plan is done.
#[derive(Debug)]
pub(super) struct Planned {
    aws: config::Aws,
    arn: Arn,
    found: Option<Queue>,
    policy: Option<String>,
    /// The dead-letter queue that its new redrive policy names.
    target: Option<Arn>,
    /// What is to be set, over what is there.
    attributes: BTreeMap<Name, String>,
}

/// Plans a queue and its dead-letter queue, unless another section has done so already.
pub(super) async fn plan(
    wanted: &wanted::Queue<'_>,
    aws: &Aws,
    queues: &mut BTreeMap<Arn, Planned>,
    plan: &mut Plan,
) -> Result<Arn> {
    let (settings, section) = (wanted.settings, wanted.section);
    let connection = aws.connect(&settings.aws).await?;
    let arn = named(&settings.queue, &settings.aws, &connection, queues).await?;
    let Some(address) = &settings.dead_letter_queue else {
        let has_redrive = queues.get(&arn).is_some_and(Planned::has_redrive);
        if !has_redrive {
            plan.notes.push(format!("[queue.{section}] names no dead_letter_queue: none is made"));
        }
        return Ok(arn);
    };
    let dead = named(address, &settings.aws, &connection, queues).await?;
    if let Some(planned) = queues.get_mut(&dead).filter(|planned| planned.found.is_none()) {
        let retention = LONGEST_RETENTION.to_owned();
        planned.attributes.insert(Name::MessageRetentionPeriod, retention);
    }
    if let Some(planned) = queues.get_mut(&arn) {
        plan.notes.extend(planned.redrive_to(&dead));
    }
    Ok(arn)
}

/// Plans the queue of this name, URL or ARN, and tells its ARN.
pub(super) async fn named(
    address: &str,
    aws: &config::Aws,
    connection: &Connection,
    queues: &mut BTreeMap<Arn, Planned>,
) -> Result<Arn> {
    let found = found::queue(&connection.sqs, address).await?;
    let arn = match &found {
        Some(found) => found.arn()?,
        None => arn_of_new(connection, &named_only(address)?).await?,
    };
    queues.entry(arn.clone()).or_insert_with(|| Planned::new(arn.clone(), aws, found));
    Ok(arn)
}

impl Planned {
    fn new(arn: Arn, aws: &config::Aws, found: Option<Queue>) -> Self {
        let mut attributes = BTreeMap::new();
        if found.is_none() && arn.is_fifo() {
            attributes.insert(Name::FifoQueue, "true".to_owned());
        }
        let policy = found.as_ref().and_then(|found| found.policy().map(str::to_owned));
        Self { aws: aws.clone(), arn, found, policy, target: None, attributes }
    }

    fn has_redrive(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.redrive().is_some())
    }

    /// A redrive policy that is there stays as it is.
    fn redrive_to(&mut self, dead: &Arn) -> Option<String> {
        match self.found.as_ref().and_then(Queue::redrive) {
            Some((target, _)) if target == dead.to_string() => None,
            Some((target, _)) => Some(format!(
                "the redrive policy of {} names {target} and stays, although the settings name {dead}",
                self.arn
            )),
            None if (&dead.region, &dead.account) != (&self.arn.region, &self.arn.account) => {
                Some(format!(
                    "{} gets no redrive policy: {dead} lies in another region or account",
                    self.arn
                ))
            }
            None => {
                let (target, count) = (dead.to_string(), MAX_RECEIVE_COUNT.to_string());
                let policy = json!({ "deadLetterTargetArn": target, "maxReceiveCount": count });
                self.attributes.insert(Name::RedrivePolicy, policy.to_string());
                self.target = Some(dead.clone());
                None
            }
        }
    }

    pub(super) fn let_in(&mut self, source: &Source<'_>) -> Result<()> {
        if let_in(&mut self.policy, &self.arn.to_string(), source)? {
            self.set_policy();
        }
        Ok(())
    }

    fn set_policy(&mut self) {
        self.attributes.extend(self.policy.clone().map(|policy| (Name::Policy, policy)));
    }

    /// How many queues must be there before this one.
    pub(super) fn depth(&self, queues: &BTreeMap<Arn, Self>) -> usize {
        let mut depth = 0;
        let mut next = self.target.as_ref();
        // A ring would have no end.
        while let Some(planned) =
            next.and_then(|arn| queues.get(arn)).filter(|_| depth < queues.len())
        {
            depth += 1;
            next = planned.target.as_ref();
        }
        depth
    }

    pub(super) fn step(&self) -> Option<Step> {
        let attributes = self.attributes.clone();
        let act = match &self.found {
            None => Act::CreateQueue { queue: self.arn.clone(), attributes },
            Some(_) if attributes.is_empty() => return None,
            Some(found) => Act::ChangeQueue { url: found.url.clone(), attributes },
        };
        Some(Step::new(&self.aws, act))
    }
}
