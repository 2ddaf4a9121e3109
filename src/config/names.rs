//! The forms that names have at AWS: queues, buckets, regions, attributes, URLs.
//!
//! Only the form is checked here; whether the thing exists, `longshore check` asks.

use reqwest::Url;

pub(super) use crate::message::attribute_name as attribute;

/// How a queue is named in the settings, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueAddress {
    /// `orders`: looked up with the credentials at hand, in the region at hand.
    Name(String),
    /// `https://sqs.us-west-2.amazonaws.com/123456789012/orders`
    Url {
        /// The whole URL.
        url: String,
        /// The region, where the host name tells it.
        region: Option<String>,
        /// The last segment.
        name: String,
    },
    /// `arn:aws:sqs:us-west-2:123456789012:orders`
    Arn {
        /// The region.
        region: String,
        /// The account that owns the queue.
        account: String,
        /// The queue's name.
        name: String,
    },
}

impl QueueAddress {
    /// Takes a name, URL or ARN apart.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.starts_with("arn:") {
            return Self::arn(text);
        }
        if text.contains("://") {
            return Self::url(text);
        }
        queue_name(text).map(|()| Self::Name(text.to_owned()))
    }

    fn arn(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let [_, _, "sqs", location, account, name] = parts.as_slice() else {
            return Err(format!(
                "{text:?} is no ARN of a queue; it looks like \
                                arn:aws:sqs:us-west-2:123456789012:orders"
            ));
        };
        region(location)?;
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{account:?} is no account; an account has twelve digits"));
        }
        queue_name(name)?;
        let (region, account) = ((*location).to_owned(), (*account).to_owned());
        Ok(Self::Arn { region, account, name: (*name).to_owned() })
    }

    fn url(text: &str) -> Result<Self, String> {
        let url = web_url(text)?;
        let name = url.path().rsplit('/').next().unwrap_or("").to_owned();
        queue_name(&name).map_err(|_| format!("{text:?} does not end in the name of a queue"))?;
        let region = url.host_str().and_then(region_of_host);
        Ok(Self::Url { url: text.to_owned(), region, name })
    }

    /// The queue's name, without account and region.
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Url { name, .. } | Self::Arn { name, .. } => name,
        }
    }

    /// The region, where the address tells it.
    pub fn region(&self) -> Option<&str> {
        match self {
            Self::Name(_) => None,
            Self::Url { region, .. } => region.as_deref(),
            Self::Arn { region, .. } => Some(region),
        }
    }

    /// True for a queue that keeps the order of its messages.
    pub fn is_fifo(&self) -> bool {
        is_fifo(self.name())
    }
}

fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

/// `sqs.us-west-2.amazonaws.com`, `us-west-2.queue.amazonaws.com`, `queue.amazonaws.com`,
/// `vpce-0123.sqs.us-west-2.vpce.amazonaws.com`, `sqs.us-west-2.api.aws`
fn region_of_host(host: &str) -> Option<String> {
    let labels: Vec<&str> = host.split('.').collect();
    let is_aws = host.ends_with(".amazonaws.com")
        || host.ends_with(".amazonaws.com.cn")
        || host.ends_with(".api.aws");
    if !is_aws {
        return None;
    }
    if host == "queue.amazonaws.com" {
        return Some("us-east-1".to_owned());
    }
    let service = labels.iter().position(|label| matches!(*label, "sqs" | "sqs-fips" | "queue"))?;
    let near =
        if labels.get(service) == Some(&"queue") { service.checked_sub(1)? } else { service + 1 };
    labels.get(near).filter(|label| region(label).is_ok()).map(|label| (*label).to_owned())
}

pub(super) fn queue_name(name: &str) -> Result<(), String> {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if stem.is_empty() || name.len() > 80 || !stem.chars().all(allowed) {
        return Err(format!(
            "{name:?} is no queue; a queue's name has 1 to 80 of A-Z a-z 0-9 - _ (and .fifo at \
             the end), or write its URL or ARN"
        ));
    }
    Ok(())
}

/// The region of a topic's ARN.
pub(super) fn topic(text: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "{text:?} is no ARN of a topic; it looks like arn:aws:sns:us-west-2:123456789012:events"
        )
    };
    let parts: Vec<&str> = text.split(':').collect();
    let ["arn", _, "sns", location, account, name] = parts.as_slice() else {
        return Err(wrong());
    };
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if !is_account || stem.is_empty() || name.len() > 256 || !stem.chars().all(allowed) {
        return Err(wrong());
    }
    region(location)
}

/// A FIFO group, as SQS and SNS take it.
pub(crate) fn group(text: &str) -> Result<String, String> {
    if (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no group; it has 1 to 128 ASCII letters, digits and punctuation"))
}

/// Wide enough for the names that buckets could have in 2012.
pub(super) fn bucket(name: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_access_point = name.starts_with("arn:") && name.contains(":accesspoint");
    if is_access_point || ((3..=255).contains(&name.len()) && name.chars().all(allowed)) {
        return Ok(name.to_owned());
    }
    let hint = if name.contains("://") || name.contains('/') {
        "; keys come from the names of files, so give the bucket alone"
    } else {
        ""
    };
    Err(format!("{name:?} is no bucket; its name has 3 to 63 of a-z 0-9 - .{hint}"))
}

pub(super) fn table(name: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if (3..=255).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(name.to_owned());
    }
    Err(format!("{name:?} is no name of a DynamoDB table; it has 3 to 255 of a-z A-Z 0-9 _ . -"))
}

pub(super) fn region(name: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if starts_well && name.len() <= 40 && name.contains('-') && name.chars().all(allowed) {
        return Ok(name.to_owned());
    }
    Err(format!("{name:?} is no region; a region looks like \"us-west-2\""))
}

/// The name of a message attribute, `All`, `.*`, or a prefix such as `shop.*`.
pub(super) fn attribute_pattern(name: &str) -> Result<(), String> {
    match name {
        "All" | ".*" => Ok(()),
        name => attribute(name.strip_suffix(".*").unwrap_or(name)),
    }
}

/// True where a receive that asks for this pattern brings the attribute.
pub(crate) fn covers(pattern: &str, attribute: &str) -> bool {
    match pattern {
        "All" | ".*" => true,
        pattern => match pattern.strip_suffix(".*") {
            Some(prefix) => attribute.starts_with(prefix),
            None => pattern == attribute,
        },
    }
}

pub(super) fn system_attribute(name: &str) -> Result<(), String> {
    const NAMES: [&str; 10] = [
        "All",
        "AWSTraceHeader",
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "DeadLetterQueueSourceArn",
        "MessageDeduplicationId",
        "MessageGroupId",
        "SenderId",
        "SentTimestamp",
        "SequenceNumber",
    ];
    if NAMES.contains(&name) {
        return Ok(());
    }
    Err(format!("{name:?} is no system attribute; allowed: {}", NAMES.join(", ")))
}

/// An `http` or `https` URL with a host and without credentials.
pub(super) fn web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("{text:?} is no URL ({error}); write one like http://host:8080/")
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{text:?} is neither http:// nor https://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(format!("{text:?} names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL in the settings must not contain a user or a password".to_owned());
    }
    Ok(url)
}

/// True for a URL that cannot leave this host.
pub(super) fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// The name of a `[spool.NAME]` or `[queue.NAME]`: it labels metrics and names directories.
pub(super) fn section(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=80).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('.') {
        return Ok(());
    }
    Err(format!("{name:?} cannot be a name; it has 1 to 80 letters, digits, - _ or ."))
}

/// The candidate that is most likely meant, where one is close.
pub(super) fn closest<'c>(name: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let wanted = name.to_lowercase().replace('-', "_");
    candidates
        .iter()
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be changed, added, left out or swapped with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let at =
                |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best = at(&row, j) + usize::from(a != b);
            best = best.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped =
                i > 0 && j > 0 && left.get(i - 1) == Some(b) && right.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
