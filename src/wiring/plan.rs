//! What `longshore setup` would do: the difference between what is wanted and what is there.

pub(super) mod bucket;
mod link;
mod queue;

use std::collections::BTreeMap;

use super::arn::Arn;
use super::found;
use super::step::{Act, Step};
use super::wanted::{Topic, Wanted};
use crate::aws::fault::fault;
use crate::aws::{Aws, Connection};
use crate::config::{self, Config};
use crate::error::{Error, Kind, Result};
use crate::toolkit::sqs::policy::{self, Source};

use self::queue::Planned;

/// What is to be done, in this order, and what a person should know of it.
#[derive(Debug, Default)]
pub struct Plan {
    /// Done one after another; each stands on those before it.
    pub steps: Vec<Step>,
    /// What is left as it is, and what comes later.
    pub notes: Vec<String>,
}

/// A topic as it will be once the plan is done.
#[derive(Debug)]
struct PlannedTopic<'w> {
    wanted: &'w Topic,
    exists: bool,
    policy: Option<String>,
    changes_policy: bool,
}

/// What has to be done so that everything that the settings name is there, and messages reach their
/// queues. Asks only, and changes nothing; the same settings against what it made are an empty plan.
///
/// # Errors
/// Where it cannot be asked what is there, or where the settings name what cannot be made: a queue
/// that is missing and named by its ARN or URL.
pub async fn plan(config: &Config, aws: &Aws) -> Result<Plan> {
    let wanted = Wanted::of(config)?;
    let mut plan = Plan::default();
    let mut queues: BTreeMap<Arn, Planned> = BTreeMap::new();
    let mut topics = Vec::new();
    for wanted in wanted.topics() {
        let connection = aws.connect(&wanted.aws).await?;
        let found = found::topic(&connection.sns, &wanted.arn).await?;
        let policy = found.as_ref().and_then(|found| found.get("Policy").cloned());
        topics.push(PlannedTopic {
            wanted,
            exists: found.is_some(),
            policy,
            changes_policy: false,
        });
    }
    let mut links = Vec::new();
    for wanted in &wanted.queues {
        let arn = queue::plan(wanted, aws, &mut queues, &mut plan).await?;
        if let Some(link) = &wanted.link {
            if let Some(planned) = queues.get_mut(&arn) {
                let arn = link.topic.arn.to_string();
                let topic = Source { service: "sns.amazonaws.com", arn: &arn, account: None };
                planned.let_in(&topic)?;
            }
            links.push((link, arn));
        }
    }
    let notified = bucket::plan(config, aws, &mut queues, &mut topics, &mut plan).await?;
    // A queue after the one that its redrive policy names.
    let mut ordered: Vec<&Planned> = queues.values().collect();
    ordered.sort_by_key(|planned| planned.depth(&queues));
    plan.steps.extend(ordered.into_iter().filter_map(Planned::step));
    plan.steps.extend(topics.iter().flat_map(PlannedTopic::steps));
    for (link, queue) in links {
        link::plan(link, &queue, aws, &mut plan).await?;
    }
    plan.steps.extend(notified);
    #[cfg(feature = "dynamodb")]
    super::table::plan(config, aws, &mut plan).await?;
    if plan.steps.iter().any(Step::sets_filter) {
        plan.notes
            .push("a new filter policy takes up to 15 minutes until SNS follows it".to_owned());
    }
    Ok(plan)
}

/// Lets a source into the resource with this policy; true where that changed it.
fn let_in(policy: &mut Option<String>, resource: &str, source: &Source<'_>) -> Result<bool> {
    let merged = policy::allow(policy.as_deref(), resource, source)?;
    let changed = merged.is_some();
    *policy = merged.or_else(|| policy.take());
    Ok(changed)
}

impl PlannedTopic<'_> {
    fn steps(&self) -> Vec<Step> {
        let Topic { arn, aws } = self.wanted;
        let mut steps = Vec::new();
        if !self.exists {
            steps.push(Step::new(aws, Act::CreateTopic { topic: arn.clone() }));
        }
        if let Some(policy) = self.policy.clone().filter(|_| self.changes_policy) {
            let change =
                Act::ChangeTopic { topic: arn.clone(), attribute: "Policy", value: policy };
            steps.push(Step::new(aws, change));
        }
        steps
    }
}

/// The account and the partition that these settings reach.
pub(super) async fn account(connection: &Connection) -> Result<(String, String)> {
    let who = connection.sts.get_caller_identity().send().await;
    let who = who.map_err(|error| fault("reading our account from STS", error))?;
    let partition = who.arn.as_deref().and_then(Arn::read).map(|arn| arn.partition);
    Ok((who.account.unwrap_or_default(), partition.unwrap_or_else(|| "aws".to_owned())))
}

/// The ARN that a new queue of this name will have.
async fn arn_of_new(connection: &Connection, name: &str) -> Result<Arn> {
    let (account, partition) = account(connection).await?;
    let (service, region) = ("sqs".to_owned(), connection.region().to_owned());
    Ok(Arn { partition, service, region, account, resource: name.to_owned() })
}

/// A queue can be made only where its name alone says which.
fn named_only(address: &str) -> Result<String> {
    match config::QueueAddress::read(address) {
        Ok(config::QueueAddress::Name(name)) => Ok(name),
        Ok(_) | Err(_) => {
            Err(Error::new(Kind::Missing, format!("the queue {address} does not exist"))
                .hint("setup makes queues that the settings name by their name alone"))
        }
    }
}
