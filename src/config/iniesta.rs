//! The `INIESTA_*` variables: each fills a key that the file leaves out.
//!
//! Lists are JSON or separated by commas. A value that cannot be read is a mistake of the settings
//! that names its variable.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::aws::{Credentials, Secret, Written};
use super::document::Document;
use super::events::{Initialization, topic_region};
use super::names::{self, QueueAddress};
use super::section::Section;
use crate::event::Pattern;

pub(super) const INITIALIZATION: &str = "INIESTA_INITIALIZATION_TYPE";
pub(super) const TOPIC: &str = "INIESTA_SNS_PRODUCER_GLOBAL_TOPIC_ARN";
pub(super) const FILTERS: &str = "INIESTA_SQS_CONSUMER_FILTERS";
pub(super) const ASSERT_POLICIES: &str = "INIESTA_ASSERT_FILTER_POLICIES";
pub(super) const EVENT_KEY: &str = "INIESTA_SNS_EVENT_KEY";
pub(super) const MAX_MESSAGES: &str = "INIESTA_SQS_RECEIVE_MESSAGE_MAX_NUMBER_OF_MESSAGES";
pub(super) const WAIT_TIME: &str = "INIESTA_SQS_RECEIVE_MESSAGE_WAIT_TIME_SECONDS";
const QUEUE: &str = "INIESTA_SQS_QUEUE_NAME";
const QUEUE_TEMPLATE: &str = "INIESTA_SQS_QUEUE_NAME_TEMPLATE";
pub(super) const LOCK_ATTEMPTS: &str = "INIESTA_LOCK_RETRY_COUNT";
const LOCK_TIMEOUT: &str = "INIESTA_LOCK_TIMEOUT";
pub(super) const SQS_ENDPOINT: &str = "INIESTA_SQS_ENDPOINT_URL";
pub(super) const SNS_ENDPOINT: &str = "INIESTA_SNS_ENDPOINT_URL";
const DRY_RUN: &str = "INIESTA_DRY_RUN";
const CACHES: &str = "INIESTA_CACHES";
/// The part of iniesta's queue name that says where it runs.
const ENVIRONMENT: &str = "MMT_ENV";

/// Looks at every variable, also where the file says otherwise: a wrong one is wrong all the same.
pub(super) fn check(document: &Document) {
    initialization(document);
    formed(document, TOPIC, |text| topic_region(text).map(|_| ()));
    filters(document);
    flag(document, ASSERT_POLICIES);
    formed(document, EVENT_KEY, names::attribute);
    whole(document, MAX_MESSAGES, 1..=10);
    whole(document, WAIT_TIME, 0..=20);
    queue(document, Some("service"));
    whole(document, LOCK_ATTEMPTS, 1..=100);
    whole(document, LOCK_TIMEOUT, 1..=3600);
    endpoint(document, SQS_ENDPOINT);
    endpoint(document, SNS_ENDPOINT);
    dry_run(document);
    if document.environment.variable(CACHES).is_some() {
        blame(
            document,
            CACHES,
            "iniesta never read it, and neither does Longshore; write [idempotency] with \
             store = \"redis\" and servers = [\"redis://HOST:6379/1\"], or one URL for each of \
             several servers",
        );
    }
}

fn blame(document: &Document, variable: &str, message: &str) {
    document.blame_environment(variable, message);
}

/// A variable with a form; what is wrong with it is noted.
pub(super) fn formed<T>(
    document: &Document,
    variable: &str,
    form: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let text = document.environment.variable(variable).filter(|text| !text.is_empty())?;
    form(text).map_err(|wrong| blame(document, variable, &wrong)).ok()
}

pub(super) fn whole(
    document: &Document,
    variable: &str,
    range: RangeInclusive<usize>,
) -> Option<usize> {
    formed(document, variable, |text| {
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            format!("a whole number from {} to {}, not {text:?}", range.start(), range.end())
        })
    })
}

pub(super) fn flag(document: &Document, variable: &str) -> Option<bool> {
    formed(document, variable, |text| match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("true or false, not {text:?}")),
    })
}

pub(super) fn endpoint(document: &Document, variable: &str) -> Option<String> {
    formed(document, variable, super::aws::endpoint)
}

fn items(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if !text.starts_with('[') {
        return Ok(text.split(',').map(|item| item.trim().to_owned()).collect());
    }
    serde_json::from_str(text).map_err(|_| {
        format!("a list of texts is wanted, as JSON or separated by commas, not {text:?}")
    })
}

/// Every item by its form, or what is wrong with the first that has none.
fn list<T>(
    document: &Document,
    variable: &str,
    form: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<T>> {
    formed(document, variable, |text| items(text)?.iter().map(|item| form(item)).collect())
}

pub(super) fn filters(document: &Document) -> Option<Vec<Pattern>> {
    list(document, FILTERS, Pattern::of_filter)
}

/// The one variable for which nothing is something: iniesta refuses an empty text.
pub(super) fn initialization(document: &Document) -> Option<Vec<Initialization>> {
    if document.environment.variable(INITIALIZATION).is_some_and(str::is_empty) {
        blame(document, INITIALIZATION, "empty; name the modes, such as SNS_PRODUCER");
    }
    list(document, INITIALIZATION, Initialization::from_str)
}

/// In whole seconds.
pub(super) fn lock_timeout(document: &Document) -> Option<Duration> {
    let seconds = whole(document, LOCK_TIMEOUT, 1..=3600)?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// The queue's name: as it stands, or from iniesta's template.
pub(super) fn queue(document: &Document, service: Option<&str>) -> Option<String> {
    let named = formed(document, QUEUE, |text| QueueAddress::read(text).map(|_| text.to_owned()));
    named.or_else(|| {
        formed(document, QUEUE_TEMPLATE, |template| {
            let place = document.environment.variable(ENVIRONMENT).unwrap_or_default();
            if template.contains("{env}") && place.is_empty() {
                return Err(format!("holds {{env}}, and {ENVIRONMENT} is not set"));
            }
            let Some(service) = service.filter(|_| template.contains("{service_name}")) else {
                return if template.contains("{service_name}") {
                    Err("holds {service_name}, and [events] has no service".to_owned())
                } else {
                    Ok(template.replace("{env}", place))
                };
            };
            let name = template.replace("{env}", place).replace("{service_name}", service);
            QueueAddress::read(&name).map(|_| name)
        })
    })
}

pub(super) fn dry_run(document: &Document) -> bool {
    flag(document, DRY_RUN).unwrap_or(false)
}

/// The credentials and region of `[aws]` while an `INIESTA_AWS_*` variable is set: the environment's
/// `AWS_*` first, then `INIESTA_AWS_*`, then the table.
///
/// An id and a secret from different places are refused: such a pair is nobody's.
pub(super) fn credentials(section: &Section<'_>, written: Written) -> Written {
    let document = section.document;
    if !document.environment.has_any("INIESTA_AWS_") {
        return written;
    }
    let set = |name: String| {
        let value = document.environment.variable(&name).filter(|value| !value.is_empty());
        value.map(|value| (name.clone(), value.to_owned()))
    };
    let first = |key: &str| set(format!("AWS_{key}")).or_else(|| set(format!("INIESTA_AWS_{key}")));
    let region = set("AWS_REGION".to_owned()).or_else(|| first("DEFAULT_REGION"));
    let region = region.and_then(|(variable, text)| {
        names::region(&text).map_err(|wrong| blame(document, &variable, &wrong)).ok()
    });
    let mut written = Written { region: region.or(written.region), ..written };
    let table = written.credentials.as_ref();
    let id = first("ACCESS_KEY_ID");
    let secret = first("SECRET_ACCESS_KEY");
    match (id, secret) {
        (None, None) => {}
        (Some((id, access_key_id)), Some((secret, secret_access_key)))
            if place(&id) == place(&secret) =>
        {
            let token = set("AWS_SESSION_TOKEN".to_owned()).filter(|_| place(&id) == "AWS_");
            written.profile = None;
            written.credentials = Some(Credentials {
                access_key_id,
                secret_access_key: Secret::new(secret_access_key),
                session_token: token.map(|(_, token)| Secret::new(token)),
            });
        }
        (id, secret) => {
            let name = |found: Option<(String, String)>, key: &str| match found {
                Some((variable, _)) => variable,
                None if table.is_some() => format!("[aws] {key}"),
                None => "nowhere".to_owned(),
            };
            let (id, secret) = (name(id, "access_key_id"), name(secret, "secret_access_key"));
            document.blame_environment(
                "INIESTA_AWS_*",
                &format!(
                    "the access key id is from {id} and the secret from {secret}; both must come \
                     from one place"
                ),
            );
        }
    }
    written
}

fn place(variable: &str) -> &'static str {
    if variable.starts_with("INIESTA_") { "INIESTA_AWS_" } else { "AWS_" }
}
