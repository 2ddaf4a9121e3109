//! The least IAM policy under which the daemon and `check` work for these settings.
//!
//! What an operation needs is written down in AWS's "Actions, resources, and condition keys": a
//! batch needs the action of its single form, the parts of a large upload need `s3:PutObject`, and
//! `HeadBucket` needs `s3:ListBucket`.

mod owner;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::owner::{Owner, bucket_arn};
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
        for (_, handler) in settings.handlers() {
            grants.handler(handler, aws, account).await?;
        }
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

    /// What a handler does, and what `check` asks of what it does it to.
    async fn handler(
        &mut self,
        handler: &config::Handler,
        aws: &Aws,
        account: Option<&str>,
    ) -> Result<()> {
        let Some(settings) = handler.aws() else { return Ok(()) };
        let connection = aws.connect(settings).await?;
        match handler {
            config::Handler::Dynamodb(dynamodb) => {
                let table = Owner::of(account, &connection).await?.table(&dynamodb.table);
                let put =
                    if dynamodb.if_absent { "dynamodb:PutItem" } else { "dynamodb:BatchWriteItem" };
                self.allow(&table, &["dynamodb:DescribeTable", put]);
            }
            config::Handler::Exec(_)
            | config::Handler::Http(_)
            | config::Handler::Print
            | config::Handler::Spool(_)
            | config::Handler::Sql(_) => {}
            config::Handler::Lambda(lambda) => {
                let function = Owner::of(account, &connection).await?.function(&lambda.function);
                self.allow(&function, &["lambda:InvokeFunction"]);
            }
            config::Handler::S3(s3) => {
                let bucket = bucket_arn(connection.region(), &s3.bucket);
                self.allow(&bucket, &["s3:ListBucket"]);
                self.allow(&format!("{bucket}/*"), &["s3:PutObject"]);
                if let Some(key) = s3.kms_key_id.as_ref().filter(|key| key.starts_with("arn:")) {
                    self.allow(key, &["kms:GenerateDataKey"]);
                }
            }
            config::Handler::Sns(sns) => self.allow(&sns.topic, &TO_TOPIC),
            config::Handler::Sqs(sqs) => {
                let owner = Owner::of(account, &connection).await?;
                self.queue(&owner, &sqs.queue, &TO_QUEUE);
            }
        }
        self.assume(settings);
        Ok(())
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
