//! ARNs, taken apart and put together.

use std::fmt;

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arn {
    pub(super) partition: String,
    pub(super) service: String,
    pub(super) region: String,
    pub(super) account: String,
    pub(super) resource: String,
}

impl Arn {
    pub(super) fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = parts.as_slice() else {
            return None;
        };
        let [partition, service, region, account, resource] =
            [partition, service, region, account, resource].map(|part| (*part).to_owned());
        Some(Self { partition, service, region, account, resource })
    }

    /// Topics and queues whose name ends so keep the order of their messages.
    pub(super) fn is_fifo(&self) -> bool {
        self.resource.strip_suffix(".fifo").is_some()
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}
