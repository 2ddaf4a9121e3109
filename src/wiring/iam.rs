//! The least IAM policy under which the daemon and `check` work for these settings.
//!
//! What an operation needs is written down in AWS's "Actions, resources, and condition keys": a
//! batch needs the action of its single form, the parts of a large upload need `s3:PutObject`, and
//! `HeadBucket` needs `s3:ListBucket`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::arn::Arn;
use super::plan::account;
use super::wanted::Wanted;
use crate::aws::{Aws, Connection};
use crate::config::{
    self, Config, Destination, Idempotency, Initialization, Locator, Outlet, Payload, QueueAddress,
    Step, Wrapper,
};
use crate::error::Result;
use crate::toolkit::sqs;

/// The actions, by resource.
#[derive(Debug, Default)]
struct Grants(BTreeMap<String, BTreeSet<&'static str>>);

/// What sending to a queue needs, and looking whether it is there.
const TO_QUEUE: [&str; 2] = ["sqs:GetQueueAttributes", "sqs:SendMessage"];
/// What reading a queue needs.
const FROM_QUEUE: [&str; 4] = [
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
];
/// What finding a queue needs, unless its URL says already where it is.
const FIND_QUEUE: [&str; 1] = ["sqs:GetQueueUrl"];
/// What publishing to a topic needs, and looking whether it is there.
const TO_TOPIC: [&str; 2] = ["sns:GetTopicAttributes", "sns:Publish"];

/// The least policy for these settings, as a JSON document.
///
/// It covers `run`, `check` (with `--probe` it also deletes what it wrote, which is left out) and
/// `publish` to the topic of `[events]`; not `setup`, `send`, `redrive` and the toolkit, which act
/// on whatever they are told to. Asks STS for the account unless it is given, and a queue that names
/// no place for rejected messages for its redrive policy; given the account, nothing is asked.
///
/// # Errors
/// Where STS does not tell the account, or no region is known.
pub async fn policy(config: &Config, aws: &Aws, account: Option<&str>) -> Result<Value> {
    let mut grants = Grants::default();
    grants.allow("*", &["sts:GetCallerIdentity"]);
    for settings in config.spools.values().chain(config.outboxes.values()) {
        let connection = aws.connect(&settings.aws).await?;
        match &settings.destination {
            Destination::Bucket(bucket) => {
                let bucket = bucket_arn(connection.region(), bucket);
                grants.allow(&bucket, &["s3:ListBucket"]);
                grants.allow(&format!("{bucket}/*"), &["s3:PutObject", "s3:AbortMultipartUpload"]);
            }
            Destination::Messages(outbox) => match &outbox.outlet {
                Outlet::Queue(queue) => {
                    let owner = Owner::of(account, &connection).await?;
                    grants.queue(&owner, queue, &TO_QUEUE);
                }
                Outlet::Topic(topic) => grants.allow(topic, &TO_TOPIC),
            },
        }
        grants.assume(&settings.aws);
    }
    let wanted = Wanted::of(config)?;
    for queue in &wanted.queues {
        let settings = queue.settings;
        let connection = aws.connect(&settings.aws).await?;
        let owner = Owner::of(account, &connection).await?;
        grants.queue(&owner, &settings.queue, &FROM_QUEUE);
        let dead = match (&settings.dead_letter_queue, &settings.set_aside) {
            (Some(address), _) => Some(owner.queue(address)),
            (None, Some(_)) => None,
            (None, None) if account.is_some() => None,
            (None, None) => redrive(settings, &connection).await,
        };
        if let Some(dead) = dead {
            grants.allow(&dead, &TO_QUEUE);
            // A redrive policy names it by its ARN, whatever the settings write.
            grants.allow(&dead, &FIND_QUEUE);
        }
        if let Some(link) = &queue.link {
            let topic = link.topic.arn.to_string();
            grants.allow(&topic, &["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"]);
            // A subscription's ARN is its topic's with an id behind it.
            grants.allow(&format!("{topic}:*"), &["sns:GetSubscriptionAttributes"]);
        }
        grants.pointers(&settings.payload, &owner.partition);
        grants.assume(&settings.aws);
    }
    if let Some(table) = config.idempotency.as_ref().and_then(Idempotency::table) {
        let connection = aws.connect(&table.aws).await?;
        let owner = Owner::of(account, &connection).await?;
        let locked = config.queues.values().any(|queue| queue.idempotency);
        grants.table(&owner.table(&table.name), locked);
        grants.assume(&table.aws);
    }
    if !config.elsewhere.references().is_empty() {
        grants.looked_up(config, aws, account).await?;
    }
    if let Some(topic) = &wanted.topic {
        let publishes = config.events.initialization.contains(&Initialization::SnsProducer);
        let actions: &[_] = if publishes { &TO_TOPIC } else { &["sns:GetTopicAttributes"] };
        grants.allow(&topic.arn.to_string(), actions);
        grants.assume(&topic.aws);
    }
    Ok(grants.document())
}

/// Where the queue itself says that rejected messages go; nothing where it does not answer.
async fn redrive(settings: &config::Queue, connection: &Connection) -> Option<String> {
    let url = sqs::resolve(&connection.sqs, &settings.queue).await.ok()?;
    sqs::facts(&connection.sqs, &url).await.ok()?.dead_letter_arn
}

impl Grants {
    fn allow(&mut self, resource: &str, actions: &[&'static str]) {
        self.0.entry(resource.to_owned()).or_default().extend(actions);
    }

    /// What is done to the queue of this name, URL or ARN.
    fn queue(&mut self, owner: &Owner, address: &str, actions: &[&'static str]) {
        let queue = owner.queue(address);
        self.allow(&queue, actions);
        if !matches!(QueueAddress::read(address), Ok(QueueAddress::Url { .. })) {
            self.allow(&queue, &FIND_QUEUE);
        }
    }

    /// A table that every queue has opted out of is only looked at.
    fn table(&mut self, table: &str, locked: bool) {
        self.allow(table, &["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"]);
        if locked {
            self.allow(
                table,
                &[
                    "dynamodb:DeleteItem",
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                ],
            );
        }
    }

    /// A pointer names a bucket of its own, which no setting knows.
    fn pointers(&mut self, payload: &Payload, partition: &str) {
        let follows = |step: &Step| matches!(step.wrapper, Wrapper::Pointer | Wrapper::Pylon);
        if payload.steps.iter().any(follows) {
            let any = format!("arn:{partition}:s3:::*/*");
            self.allow(&any, &["s3:GetObject"]);
            // An object that came through SNS is never deleted: others may have it, too.
            let all_by_sns = |step: &Step| step.wrapper == Wrapper::Sns && !step.lets_others_pass;
            if payload.deletes_objects && !payload.steps.iter().any(all_by_sns) {
                self.allow(&any, &["s3:DeleteObject"]);
            }
        }
    }

    /// Values of the settings that stand elsewhere. A parameter that is encrypted by a key of one's
    /// own also needs that key's `kms:Decrypt`, which nobody but the parameter knows.
    async fn looked_up(&mut self, config: &Config, aws: &Aws, account: Option<&str>) -> Result<()> {
        let connection = aws.connect(&config.aws).await?;
        let owner = Owner::of(account, &connection).await?;
        for reference in config.elsewhere.references() {
            match &reference.locator {
                Locator::Parameter(name) => {
                    self.allow(&owner.parameter(name), &["ssm:GetParameter"]);
                }
                Locator::Object { bucket, key } => {
                    let bucket = bucket_arn(connection.region(), bucket);
                    self.allow(&format!("{bucket}/{key}"), &["s3:GetObject"]);
                }
                Locator::File(_) => {}
            }
        }
        self.assume(&config.aws);
        Ok(())
    }

    /// Whoever assumes a role must be allowed to.
    fn assume(&mut self, aws: &config::Aws) {
        if let Some(role) = &aws.role_arn {
            self.allow(role, &["sts:AssumeRole"]);
        }
    }

    /// Resources with the same actions share a statement.
    fn document(self) -> Value {
        let mut statements: BTreeMap<BTreeSet<&'static str>, Vec<String>> = BTreeMap::new();
        for (resource, actions) in self.0 {
            statements.entry(actions).or_default().push(resource);
        }
        let statements = statements.into_iter().map(|(actions, resources)| {
            json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
        });
        json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
    }
}

/// The account and region in which names of queues are meant.
struct Owner {
    account: String,
    partition: String,
    region: String,
}

impl Owner {
    async fn of(given: Option<&str>, connection: &Connection) -> Result<Self> {
        let region = connection.region().to_owned();
        let (account, partition) = match given {
            Some(account) => (account.to_owned(), partition_of(&region).to_owned()),
            None => account(connection).await?,
        };
        Ok(Self { account, partition, region })
    }

    fn table(&self, name: &str) -> String {
        let Self { account, partition, region } = self;
        format!("arn:{partition}:dynamodb:{region}:{account}:table/{name}")
    }

    /// A version is none of a parameter's name.
    fn parameter(&self, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let Self { account, partition, region } = self;
        let name = name.split(':').next().unwrap_or(name).trim_start_matches('/');
        format!("arn:{partition}:ssm:{region}:{account}:parameter/{name}")
    }

    fn queue(&self, address: &str) -> String {
        let mut arn = Arn {
            partition: self.partition.clone(),
            service: "sqs".to_owned(),
            region: self.region.clone(),
            account: self.account.clone(),
            resource: address.to_owned(),
        };
        match QueueAddress::read(address) {
            Ok(QueueAddress::Arn { .. }) => return address.to_owned(),
            Ok(QueueAddress::Url { url, region, name }) => {
                // https://HOST/ACCOUNT/NAME
                let account = url.rsplit('/').nth(1).filter(|part| is_account(part));
                arn.account = account.map_or(arn.account, str::to_owned);
                arn.region = region.unwrap_or(arn.region);
                arn.resource = name;
            }
            Ok(QueueAddress::Name(_)) | Err(_) => {}
        }
        arn.to_string()
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A bucket, or an access point in place of one.
fn bucket_arn(region: &str, bucket: &str) -> String {
    if bucket.starts_with("arn:") {
        return bucket.to_owned();
    }
    format!("arn:{}:s3:::{bucket}", partition_of(region))
}

/// AWS keeps China and its government regions apart.
fn partition_of(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}
