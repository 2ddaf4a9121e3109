//! `longshore sns`: topics and subscriptions by their verbs.

use std::pin::pin;

use futures_util::TryStreamExt;
use longshore::aws::Connection;
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::sns::{self, Endpoint, NewTopic, Subscription, Wishes};
use longshore::toolkit::sqs;
use serde_json::{Value, json};

use crate::consent;
use crate::reach::{Reach, connections};
use crate::sqs::{lines, pair};
use crate::tool::{Told, Tool};

/// Makes topics and subscriptions, asks them, and deletes them. A topic is named by its name or ARN.
/// The names of the aws CLI (create-topic, …) will do as well.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Create a topic, or find it there
    #[command(alias = "create-topic")]
    Create {
        /// Its name
        name: String,
        /// Make it a FIFO topic; its name must end in .fifo, and such a name is enough
        #[arg(long)]
        fifo: bool,
        /// An attribute other than the default, such as DisplayName=Orders; may be repeated
        #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = pair)]
        attributes: Vec<(String, String)>,
        /// A tag; may be repeated
        #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
        tags: Vec<(String, String)>,
    },
    /// Delete a topic with all its subscriptions
    #[command(alias = "delete-topic")]
    Delete {
        topic: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Tell whether a topic exists; exits with 69 where it does not
    Exists { topic: String },
    /// List topics
    #[command(alias = "list-topics")]
    List {
        /// Only those whose names begin so
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
    },
    /// Tell a topic's ARN
    Arn { topic: String },
    /// Tell what a topic says of itself
    #[command(alias = "get-topic-attributes")]
    Attributes { topic: String },
    /// Subscribe a queue (its policy then lets the topic in), a mail address, a telephone or a web
    /// service; what is subscribed already is changed where it differs
    Subscribe(Subscribe),
    /// End a subscription by its ARN
    Unsubscribe {
        subscription: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// List a topic's subscriptions
    #[command(alias = "list-subscriptions-by-topic")]
    Subscriptions { topic: String },
}

#[derive(Debug, clap::Args)]
#[group(id = "endpoint", required = true, multiple = false)]
struct To {
    /// A queue: its name in the settings, its own name, URL or ARN
    #[arg(long)]
    queue: Option<String>,
    /// A mail address, which must agree
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// A telephone number, such as +15550100
    #[arg(long, value_name = "NUMBER")]
    sms: Option<String>,
    /// A web service, which must agree
    #[arg(long, value_name = "URL")]
    http: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Subscribe {
    topic: String,
    #[command(flatten)]
    to: To,
    /// Deliver messages as they are (true), or in SNS's envelope (false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    raw: Option<bool>,
    /// Deliver only what this filter policy lets through
    #[arg(long, alias = "filter-policy", value_name = "JSON", value_parser = policy)]
    filter: Option<String>,
    /// What the filter looks at
    #[arg(long, alias = "filter-policy-scope", value_name = "SCOPE",
          value_parser = ["MessageAttributes", "MessageBody"])]
    filter_scope: Option<String>,
}

fn policy(text: &str) -> std::result::Result<String, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(_)) => Ok(text.to_owned()),
        Ok(_) => Err("a filter policy is a JSON object".to_owned()),
        Err(error) => Err(format!("it is not JSON: {error}")),
    }
}

pub(crate) async fn run(tool: Tool<Verb>) -> Result<u8> {
    let Tool { verb, reach, told } = tool;
    match verb {
        Verb::Create { name, fifo, attributes, tags } => {
            let (attributes, tags) = (attributes.into_iter().collect(), tags.into_iter().collect());
            let topic = new_topic(NewTopic { name, attributes, tags }, fifo)?;
            let client = connect(&reach, "").await?.sns;
            tell_topic(&told, &sns::create(&client, &topic).await?);
        }
        Verb::List { prefix } => {
            let client = connect(&reach, "").await?.sns;
            let mut all = pin!(sns::list(&client, &prefix));
            while let Some(arn) = all.try_next().await? {
                tell_topic(&told, &arn);
            }
        }
        Verb::Exists { topic } => {
            let client = connect(&reach, &topic).await?.sns;
            let exists = sns::exists(&client, &topic).await?;
            let word = if exists { "exists" } else { "does not exist" };
            told.of(format!("topic {topic} {word}"), json!({ "topic": topic, "exists": exists }));
            return Ok(if exists { 0 } else { Kind::Missing.exit_code() });
        }
        Verb::Arn { topic } => {
            let client = connect(&reach, &topic).await?.sns;
            let arn = sns::find(&client, &topic).await?;
            tell_topic(&told, &arn);
        }
        Verb::Attributes { topic } => {
            let client = connect(&reach, &topic).await?.sns;
            let all = sns::attributes(&client, &sns::find(&client, &topic).await?).await?;
            told.of(lines(&all), json!(all));
        }
        Verb::Delete { topic, yes } => {
            let client = connect(&reach, &topic).await?.sns;
            let arn = sns::find(&client, &topic).await?;
            // SNS takes the deletion of what is not there for done.
            sns::attributes(&client, &arn).await?;
            consent::given(yes, &format!("delete topic {arn} with all its subscriptions"))?;
            sns::delete(&client, &arn).await?;
            told.of(format!("deleted {arn}"), json!({ "deleted": arn }));
        }
        Verb::Subscribe(wanted) => Box::pin(subscribe(&reach, wanted, &told)).await?,
        Verb::Unsubscribe { subscription, yes } => {
            let client = connect(&reach, &subscription).await?.sns;
            consent::given(yes, &format!("end subscription {subscription}"))?;
            sns::unsubscribe(&client, &subscription).await?;
            told.of(format!("ended {subscription}"), json!({ "ended": subscription }));
        }
        Verb::Subscriptions { topic } => {
            let client = connect(&reach, &topic).await?.sns;
            let arn = sns::find(&client, &topic).await?;
            let mut all = pin!(sns::subscriptions(&client, &arn));
            while let Some(one) = all.try_next().await? {
                tell_subscription(&told, &one);
            }
        }
    }
    Ok(0)
}

async fn connect(reach: &Reach, topic: &str) -> Result<Connection> {
    connections().connect(&reach.aws_of(topic)?).await
}

fn new_topic(topic: NewTopic, fifo: bool) -> Result<NewTopic> {
    if fifo && topic.name.strip_suffix(".fifo").is_none() {
        let what = format!("{} is no name of a FIFO topic", topic.name);
        return Err(Error::new(Kind::Usage, what).hint(format!("call it {}.fifo", topic.name)));
    }
    Ok(topic)
}

async fn subscribe(reach: &Reach, wanted: Subscribe, told: &Told) -> Result<()> {
    let Subscribe { topic, to, raw, filter, filter_scope } = wanted;
    let wishes = Wishes { raw, filter, filter_scope };
    let client = connect(reach, &topic).await?.sns;
    let arn = sns::find(&client, &topic).await?;
    let endpoint = match to {
        To { email: Some(address), .. } => Endpoint::Email(address),
        To { sms: Some(number), .. } => Endpoint::Sms(number),
        To { http: Some(url), .. } => Endpoint::Http(url),
        To { queue, .. } => {
            let place = reach.queue(&queue.unwrap_or_default())?;
            let sqs = connections().connect(&place.aws).await?.sqs;
            let url = sqs::find(&sqs, &place.queue).await?;
            let made = sns::subscribe_queue(&client, &arn, &sqs, &url, &wishes).await?;
            tell_subscription(told, &made);
            return Ok(());
        }
    };
    tell_subscription(told, &sns::subscribe(&client, &arn, &endpoint, &wishes).await?);
    Ok(())
}

fn tell_topic(told: &Told, arn: &str) {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    told.of(arn, json!({ "topic": name, "arn": arn }));
}

fn tell_subscription(told: &Told, one: &Subscription) {
    let pending = if one.is_pending { "  pending: it waits to be confirmed" } else { "" };
    let arn = one.arn.as_deref().unwrap_or("-");
    told.of(
        format!("{arn}  {}  {}{pending}", one.protocol, one.endpoint),
        json!({ "subscription": one.arn, "protocol": one.protocol, "endpoint": one.endpoint,
                "pending": one.is_pending }),
    );
}
